"""The app tests its own door: whether it believes what a caller from outside claims to be.

With sign-in, the app believes the principal header, which App Service authentication takes away from callers. If
somebody switches that off, or puts something else before the app, whoever invents the header is an administrator; and
nothing in the app looks different from inside. So it calls itself from outside, with a header of its own invention.
"""

from __future__ import annotations

import base64
import logging
from typing import Final

import orjson

from exporter import log
from exporter.api.access import Role
from exporter.services import Services

WAYS: Final = (
    "/api/me",
    # Paths that are excluded from authentication end here, if somebody takes the dots out of them too late.
    "/api/health/../me",
    "/api/health/%2E%2E/me",
    "/api/console/../me",
    "/api/console/%2E%2E/me",
)
"""How the operation is asked for that answers with the caller's name."""


def check_door(services: Services) -> None:
    """Call the app from outside as an administrator whom nobody knows, and log whether it believes that.

    The name is new each time, so that only an answer to this very call can show it. Whatever else comes, a refusal of
    the platform, the 403 of a private endpoint or nothing at all, proves that this caller is not let in, and no more.
    """
    host = services.settings.host_name
    if services.settings.sign_in != "entra":
        return
    nonce = services.ids.new()
    told = []
    for way in WAYS if host else ():
        answer = services.own_address.get(host, way, forged(nonce))
        told.append(str(answer[0]) if answer else "none")
        if answer and believed(*answer, nonce):
            log.event("door_open", level=logging.ERROR, path=way)
    log.event("door_checked", answers=" ".join(told))


def forged(name: str) -> dict[str, str]:
    """Return the headers by which the platform names a user, for an administrator of this name."""
    role = {"typ": "roles", "val": Role.ADMIN.name.title()}
    principal = {"auth_typ": "aad", "claims": [role, {"typ": "name", "val": name}], "role_typ": "roles"}
    return {
        "X-MS-CLIENT-PRINCIPAL": base64.b64encode(orjson.dumps(principal)).decode(),
        "X-MS-CLIENT-PRINCIPAL-NAME": name,
        "X-MS-CLIENT-PRINCIPAL-IDP": "aad",
    }


def believed(status: int, body: bytes, name: str) -> bool:
    """Return whether the answer is the app's to the caller of this name."""
    try:
        answer = orjson.loads(body)
    except orjson.JSONDecodeError:
        return False
    return status == 200 and isinstance(answer, dict) and answer.get("name") == name  # noqa: PLR2004
