"""Who is calling, and what they may do."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

import orjson

from exporter.api.http import HttpRequest, Refusal
from exporter.services import Services
from exporter.settings import Settings

_OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
_ADDRESS = re.compile(r"\[?([0-9A-Fa-f.:]+?)\]?(?::\d+)?")
MAX_NAME = 200
FUNCTION_KEY = "function key"


class Role(IntEnum):
    """What a caller may do; each role may do what those below it may."""

    VIEWER = 1  # see exports and runs
    CONTRIBUTOR = 2  # define and run exports on shared connections
    ADMIN = 3  # everything, connections included


@dataclass(frozen=True, slots=True)
class Principal:
    """Who is calling. `id`: the Microsoft Entra object id; None for a function key. `role`: the highest; None: none."""

    name: str
    role: Role | None
    id: str | None = None


@dataclass(frozen=True, slots=True)
class Caller(Principal):
    """Who is calling and may do so."""

    role: Role


@dataclass(frozen=True, slots=True)
class Context:
    """What a handler gets, besides the parts of the path and the inputs."""

    services: Services
    request: HttpRequest
    caller: Caller


def principal(headers: Mapping[str, str], settings: Settings) -> Principal:
    """Return who is calling. Raises `Refusal` ("sign_in_unavailable", "not_signed_in").

    With `SIGN_IN` = key, the host has already checked a function key, and anyone who holds one is an administrator.
    With entra, the platform's principal header names the user and their app roles. Anyone could forge that header where
    the platform does not authenticate calls, so it is believed only if the setting and the platform agree.
    https://learn.microsoft.com/azure/app-service/configure-authentication-user-identities
    """
    if settings.sign_in == "key":
        return Principal(FUNCTION_KEY, Role.ADMIN)
    if not settings.platform_authenticates:
        raise Refusal.of(503, "sign_in_unavailable")
    try:
        found = orjson.loads(base64.b64decode(headers.get("x-ms-client-principal", ""), validate=True))
        claims = [(str(c["typ"]), str(c["val"])) for c in found["claims"]]
        role_type = str(found.get("role_typ") or "roles")
    except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
        raise Refusal.of(401, "not_signed_in") from None
    names = {value.upper() for kind, value in claims if kind in (role_type, "roles")}
    role = max((role for role in Role if role.name in names), default=None)
    name = headers.get("x-ms-client-principal-name", "")
    shown = "".join(filter(str.isprintable, name))[:MAX_NAME]
    object_id = next((value for kind, value in claims if kind in (_OBJECT_ID, "oid")), None)
    return Principal(shown or "unnamed user", role, object_id)


def admit(who: Principal, role: Role) -> Caller:
    """Return the caller if they have at least this role. Raises `Refusal` ("no_role", "role_missing")."""
    if who.role is None:
        raise Refusal.of(403, "no_role")
    if who.role < role:
        raise Refusal.of(403, "role_missing", role=role.name.title(), yours=who.role.name.title())
    return Caller(who.name, who.role, who.id)


def came_from(headers: Mapping[str, str]) -> str | None:
    """Return the address that the call came from, or None if it is unknown.

    The platform's front end appends the address that it saw to X-Forwarded-For; anything before that is the caller's
    own claim. https://learn.microsoft.com/azure/app-service/overview-inbound-outbound-ips
    """
    last = headers.get("x-forwarded-for", "").rpartition(",")[2].strip()
    match = _ADDRESS.fullmatch(last)
    return match[1] if match else None
