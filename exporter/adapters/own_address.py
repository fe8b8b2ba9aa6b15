"""HTTPS to the app's own address, as anybody from outside would call it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import requests
import urllib3
from requests.adapters import HTTPAdapter

MAX_ANSWER_BYTES: Final = 64 * 1024
TIMEOUTS_S: Final = (10.0, 30.0)
"""Until the connection is there, and between two pieces of the answer: the app may have to start first, which takes
seconds (https://learn.microsoft.com/azure/azure-functions/event-driven-scaling#cold-start)."""


class OwnAddress:
    """Implements `ports.OwnAddress`. It follows no redirect, sends no cookies, and repeats nothing. TLS is verified.

    The variables of the environment are honored as for ActiveCampaign.
    """

    def get(self, host: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes] | None:
        """Return status and body of GET, or None without an answer."""
        request = requests.Request(
            "GET", f"https://{host}/", headers={**headers, "Accept-Encoding": "identity"}
        ).prepare()
        request.url = f"https://{host}{path}"  # `prepare` would take the dots out of the path
        try:
            with requests.Session() as session:
                found = session.merge_environment_settings(request.url, {}, stream=True, verify=True, cert=None)
            trusted, proxies = found["verify"] or True, found["proxies"]
            with HTTPAdapter().send(
                request, stream=True, timeout=TIMEOUTS_S, verify=trusted, proxies=proxies
            ) as response:
                return response.status_code, response.raw.read(MAX_ANSWER_BYTES)
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError):
            return None
