"""Who is calling, and what they may do."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import orjson

from exporter.api.http import Refusal, Request
from exporter.ports import Services


class Role(IntEnum):
    """What a caller may do; each role may do what those below it may."""

    VIEWER = 1  # see runs
    CONTRIBUTOR = 2  # define and run exports on shared connections
    ADMIN = 3  # everything, connections included


@dataclass(frozen=True, slots=True)
class Caller:
    """Who is calling."""

    name: str
    role: Role


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler gets besides the parts of the path."""

    services: Services
    request: Request
    caller: Caller


def caller(headers: Mapping[str, str], *, signed_in_by_platform: bool) -> Caller:
    """Find out who is calling.

    Without App Service authentication the host has checked a function key, and whoever holds one administers the app.
    With it, the platform's principal header names the user and the app roles; without it, that header is anybody's
    invention and is not looked at. https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
    """
    if not signed_in_by_platform:
        return Caller("function key", Role.ADMIN)
    try:
        principal = orjson.loads(base64.b64decode(headers.get("x-ms-client-principal", ""), validate=True))
        claims = [(str(c["typ"]), str(c["val"])) for c in principal["claims"]]
        role_type = str(principal.get("role_typ") or "roles")
    except (binascii.Error, orjson.JSONDecodeError, KeyError, TypeError):
        raise Refusal(
            401, "not_signed_in", "Expected a signed-in user; the platform named none. Sign in again."
        ) from None
    names = {value.upper() for kind, value in claims if kind in (role_type, "roles")}
    roles = [role for role in Role if role.name in names]
    if not roles:
        raise Refusal(
            403,
            "no_role",
            "Expected one of the app roles Viewer, Contributor, Admin; you have none. Ask an administrator.",
        )
    return Caller(headers.get("x-ms-client-principal-name") or "unnamed user", max(roles))
