"""GET /me: who is calling, how they signed in, and what they may do."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from exporter.api.access import FUNCTION_KEY, Context, Role
from exporter.api.http import Json
from exporter.api.operations import Route
from exporter.model import Value
from exporter.sentences import Situation, sentence


class MayNot(Value):
    """An operation that the caller may not use, and why not."""

    operation: str
    """Its `operationId`."""
    code: str
    """As in the problem that a call would be answered with."""
    message: str
    params: dict[str, str]


class Me(Value):
    """The caller."""

    name: str
    """As the audit trail names them: `function key` for everybody who uses one."""
    id: str | None = None
    """The Microsoft Entra object id; absent with a function key."""
    named: bool
    """Whether the name is a person's. With a function key, nobody can tell who did something."""
    role: str
    """The highest of their roles, `Viewer`, `Contributor` or `Admin`; who has a function key is an administrator."""
    sign_in: Literal["key", "entra"]
    """How one signs in here: with a function key, or with Microsoft Entra."""
    stores_api_keys: bool
    """Whether a connection may be given its key. Otherwise it names a secret that is in Key Vault (`secretName`)."""
    key_vault: str | None = None
    """The name of the Key Vault in which somebody has to store keys; absent where the app does."""
    may: tuple[str, ...]
    """The operations that the caller may use, by `operationId`. Connections that are not shared limit them further."""
    may_not: tuple[MayNot, ...]
    """The others."""


def show(context: Context, routes: Iterable[Route]) -> Json[Me]:
    """Return who is calling, for the table of operations."""
    who, settings, routes = context.caller, context.services.settings, tuple(routes)
    return Json(
        Me(
            name=who.name,
            id=who.id,
            named=who.name != FUNCTION_KEY,
            role=who.role.name.title(),
            sign_in=settings.sign_in,
            stores_api_keys=settings.store_api_keys,
            key_vault=None if settings.store_api_keys else settings.vault_name,
            may=tuple(route.name for route in routes if route.role is None or route.role <= who.role),
            may_not=tuple(_may_not(each, each.role, who.role) for each in routes if each.role and each.role > who.role),
        )
    )


def _may_not(route: Route, role: Role, yours: Role) -> MayNot:
    params = {"role": role.name.title(), "yours": yours.name.title()}
    message = sentence("role_missing", params, Situation.ANSWERED)
    return MayNot(operation=route.name, code="role_missing", message=message, params=params)
