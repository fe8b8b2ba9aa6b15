"""GET /me: who is calling, and what they may do, as the table of operations has it."""

from __future__ import annotations

import pytest

from exporter.api.access import Role
from exporter.api.routes import ROUTES
from tests.api.client import signed_in, with_function_key


def test_who_has_a_function_key_is_an_administrator_without_a_name() -> None:
    me = with_function_key().get("/me").json
    assert (me["name"], me["named"], me["role"], me["signIn"]) == ("function key", False, "Admin", "key")
    assert "id" not in me
    assert (me["storesApiKeys"], "keyVault" in me) == (True, False)
    assert me["may"] == [route.name for route in ROUTES]
    assert me["mayNot"] == []


@pytest.mark.parametrize("role", [role.name.title() for role in Role])
def test_who_is_signed_in_sees_their_name_and_what_their_role_allows(role: str) -> None:
    me = signed_in(role).get("/me").json
    assert (me["name"], me["id"], me["named"], me["role"], me["signIn"]) == (
        *("grace@contoso.example", "0b1e", True, role, "entra"),
    )
    refused = {route.name for route in ROUTES if route.role and route.role > Role[role.upper()]}
    assert {one["operation"] for one in me["mayNot"]} == refused
    assert set(me["may"]) == {route.name for route in ROUTES} - refused


def test_what_one_may_not_do_is_said_as_a_call_would_be_answered() -> None:
    api = signed_in("Viewer")
    told = next(one for one in api.get("/me").json["mayNot"] if one["operation"] == "startAllRuns")
    refused = api.post("/runs").json
    assert (told["code"], told["message"], told["params"]) == (refused["code"], refused["detail"], refused["params"])
