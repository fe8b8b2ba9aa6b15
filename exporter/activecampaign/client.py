"""HTTPS to ActiveCampaign.

Proxy variables (`HTTPS_PROXY`, `NO_PROXY`) and `REQUESTS_CA_BUNDLE` are honoured on purpose: where all traffic leaves
through a company's proxy, nothing else works, and who can set the app's environment can change its code as well. A
`.netrc` file is not read.
"""

from __future__ import annotations

import socket
import ssl
import threading
import time
from http.cookiejar import DefaultCookiePolicy
from typing import TYPE_CHECKING, Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from exporter.activecampaign.wire import Answer, AnswerLost, NotSent, Reply, Request

if TYPE_CHECKING:
    from collections.abc import Iterator

MAX_ANSWER_BYTES: Final = 1024 * 1024  # decoded; the largest one known, 250 failed addresses, has some 20 kB
CHUNK_BYTES: Final = 64 * 1024


class Client:
    """Implements `ports.ActiveCampaign`: one keep-alive session a thread, as sessions are not made to be shared.

    `connect_s` and `read_s` bound each wait for the network, `deadline_s` the whole call after the connection stands, all
    in seconds. No redirect is followed, no cookie kept, nothing repeated.
    """

    def __init__(
        self, user_agent: str, *, connect_s: float = 10.0, read_s: float = 30.0, deadline_s: float = 60.0
    ) -> None:
        """`user_agent` names the app and its version."""
        self._user_agent = user_agent
        self._timeouts = (connect_s, read_s)
        self._deadline_s = deadline_s
        self._local = threading.local()
