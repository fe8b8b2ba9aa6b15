"""Who may do what: caller by operation by result."""

from __future__ import annotations

import base64
from collections.abc import Callable

import orjson
import pytest

from exporter.api import access
from exporter.api.operations import Route
from exporter.api.routes import ROUTES
from exporter.records import audit
from exporter.settings import Settings
from tests.api.client import CONNECTION, EXPORT, Api, principal, signed_in, with_function_key
from tests.builders import people, write_segment
from tests.fakes import SETTINGS, make_fakes

SIGN_IN = Settings.from_environ(SETTINGS | {"SIGN_IN": "entra", "WEBSITE_AUTH_ENABLED": "True"})

TABLE = """
operation         nobody  no-role  viewer  contributor  admin  function-key
getMe             401     403      ok      ok           ok     ok
listConnections   401     403      403     ok           ok     ok
getConnection     401     403      403     ok           ok     ok
saveConnection    401     403      403     403          ok     ok
removeConnection  401     403      403     403          ok     ok
pauseConnection   401     403      403     403          ok     ok
unpauseConnection 401     403      403     403          ok     ok
listLists         401     403      403     ok           ok     ok
listFields        401     403      403     ok           ok     ok
testConnection    401     403      403     403          ok     ok
listSegments      401     403      403     ok           ok     ok
getSegment        401     403      403     ok           ok     ok
listExports       401     403      ok      ok           ok     ok
getExport         401     403      ok      ok           ok     ok
saveExport        401     403      403     ok           ok     ok
removeExport      401     403      403     ok           ok     ok
duplicateExport   401     403      403     ok           ok     ok
detachExport      401     403      403     ok           ok     ok
pauseExport       401     403      403     ok           ok     ok
unpauseExport     401     403      403     ok           ok     ok
listNextTimes     401     403      ok      ok           ok     ok
previewExport     401     403      403     ok           ok     ok
previewDefinition 401     403      403     ok           ok     ok
startRun          401     403      403     ok           ok     ok
listRuns          401     403      ok      ok           ok     ok
startAllRuns      401     403      403     403          ok     ok
listAllRuns       401     403      ok      ok           ok     ok
getRun            401     403      ok      ok           ok     ok
cancelRun         401     403      403     ok           ok     ok
resumeRun         401     403      403     ok           ok     ok
approveRun        401     403      403     ok           ok     ok
findPerson        401     403      403     ok           ok     ok
lookUpInRun       401     403      403     ok           ok     ok
getRejects        401     403      403     ok           ok     ok
getValues         401     403      403     ok           ok     ok
listAuditEntries  401     403      403     403          ok     ok
getHealth         ok      ok       ok      ok           ok     ok
getOpenApi        401     403      ok      ok           ok     ok
"""
ROWS = [line.split() for line in TABLE.strip().splitlines()]
CALLERS: dict[str, Callable[[], Api]] = {
    "nobody": lambda: Api(signed_in().fakes, {}),
    "no-role": signed_in,
    "viewer": lambda: signed_in("Viewer"),
    "contributor": lambda: signed_in("Contributor"),
    "admin": lambda: signed_in("Admin"),
    "function-key": with_function_key,
}
CASES = [
    (operation, caller, result)
    for operation, *results in ROWS[1:]
    for caller, result in zip(ROWS[0][1:], results, strict=True)
]


def test_every_operation_is_in_the_table() -> None:
    assert [row[0] for row in ROWS[1:]] == [route.name for route in ROUTES]


def prepared(operation: str, caller: str) -> tuple[Api, Route, str]:
    """Return a caller, the operation and its path, in a world that has what it needs."""
    api = CALLERS[caller]()
    admin = Api(api.fakes, principal("Admin"))
    write_segment(api.fakes, people(3))
    admin.put("/connections/main", CONNECTION | {"usableBy": "contributors"})
    admin.put("/exports/newsletter", EXPORT)
    run_id = admin.post("/exports/newsletter/runs").json["runId"]
    route = next(route for route in ROUTES if route.name == operation)
    path = route.path
    for parameter, value in (
        ("<connection_id>", "main"),
        ("<export_id>", "newsletter"),
        ("<run_id>", run_id),
        ("<path:name>", "people"),
        ("<day>", "2026-11-18"),
    ):
        path = path.replace(parameter, value)
    return api, route, path


@pytest.mark.parametrize(("operation", "caller", "result"), CASES)
def test_each_caller_may_do_exactly_what_the_table_says(operation: str, caller: str, result: str) -> None:
    api, route, path = prepared(operation, caller)
    before = dict(api.fakes.blobs.stored)
    bodies = {
        "saveConnection": CONNECTION,
        "saveExport": EXPORT,
        "duplicateExport": {"id": "second"},
        "testConnection": {"connectionId": "main"},
        "previewDefinition": EXPORT,
        "findPerson": {"email": "x"},
        "lookUpInRun": {"email": "x"},
        "approveRun": {"causes": [{"code": "size_changed", "numbers": {}}], "membership": "0" * 64},
    }
    queries = {"removeConnection": {"detach": "true"}, "listNextTimes": {"cron": "0 6 * * *"}}
    query = queries.get(operation, {})
    answer = api.call(route.method, path, bodies.get(operation), query=query, headers={"If-Match": "*"})
    if result == "ok":
        assert answer.status in route.statuses or answer.code in {
            "rejects_not_found",
            "values_not_found",
            "run_not_planned",
            "run_is_going",
            "run_not_held",
        }, answer.json
    else:
        assert answer.status == int(result)
        assert api.fakes.blobs.stored == before, "who is refused changes nothing"


READS = [route.name for route in ROUTES if route.method == "GET"]


@pytest.mark.parametrize(("operation", "caller"), [case[:2] for case in CASES if case[0] in READS])
def test_head_takes_the_role_of_get_and_leaves_no_audit_entry(operation: str, caller: str) -> None:
    api, _, path = prepared(operation, caller)
    before = list(api.fakes.blobs.names(audit.PREFIX))
    head = api.call("HEAD", path)
    assert list(api.fakes.blobs.names(audit.PREFIX)) == before
    got = api.get(path)
    assert (head.status, head.code, head.response.body) == (got.status, got.code, b"")


@pytest.mark.parametrize("caller", CALLERS)
def test_options_takes_no_role(caller: str) -> None:
    api = CALLERS[caller]()
    assert api.call("OPTIONS", "/connections/main").status == 204
    assert api.fakes.blobs.stored == {}


@pytest.mark.parametrize("platform", ["", "True"])
def test_without_sign_in_a_principal_header_means_nothing(platform: str) -> None:
    api = Api(make_fakes(WEBSITE_AUTH_ENABLED=platform), {})
    forged = principal("Viewer", name="mallory@example.com")
    assert api.put("/connections/main", CONNECTION, headers=forged).json["createdBy"] == "function key"


@pytest.mark.parametrize("headers", [{}, principal("Admin")])
@pytest.mark.parametrize("platform", ["", "False"])
def test_with_sign_in_nobody_gets_in_while_the_platform_does_not_authenticate(
    platform: str, headers: dict[str, str]
) -> None:
    api = Api(make_fakes(SIGN_IN="entra", WEBSITE_AUTH_ENABLED=platform), headers)
    refused = api.put("/connections/main", CONNECTION)
    assert (refused.status, refused.code) == (503, "sign_in_unavailable")
    assert api.get("/health").status == 200
    assert api.fakes.blobs.stored == {}


def test_a_function_key_alone_is_nobody_once_users_sign_in() -> None:
    api = signed_in("Admin")
    assert Api(api.fakes, {"x-functions-key": "secret"}).get("/exports").code == "not_signed_in"


@pytest.mark.parametrize(
    "value",
    ["", "not base64", "bm90IGpzb24=", base64.b64encode(b"[]").decode(), base64.b64encode(b'{"claims": 1}').decode()],
)
def test_a_principal_that_cannot_be_read_is_nobody(value: str) -> None:
    api = Api(signed_in().fakes, {"x-ms-client-principal": value})
    assert api.get("/exports").code == "not_signed_in"


def test_the_role_claim_may_have_the_type_that_the_platform_names() -> None:
    kind = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
    value = orjson.dumps({"claims": [{"typ": kind, "val": "Admin"}], "role_typ": kind})
    found = access.principal({"x-ms-client-principal": base64.b64encode(value).decode()}, SIGN_IN)
    assert found.role is access.Role.ADMIN


def test_the_highest_of_several_roles_counts() -> None:
    assert access.principal(principal("Viewer", "Admin"), SIGN_IN).role is access.Role.ADMIN


def test_a_name_is_kept_to_one_short_line() -> None:
    found = access.principal(principal("Viewer", name="a\r\nb" + "x" * 500), SIGN_IN)
    assert found.name == "ab" + "x" * 198


@pytest.mark.parametrize(
    ("header", "address"),
    [
        ("203.0.113.7:50311", "203.0.113.7"),
        ("10.0.0.1, 203.0.113.7:50311", "203.0.113.7"),
        ("[2001:db8::1]:50311", "2001:db8::1"),
        ("spoofed\r\nline", None),
        ("", None),
    ],
)
def test_the_address_of_a_call_is_what_the_front_end_saw(header: str, address: str | None) -> None:
    assert access.came_from({"x-forwarded-for": header}) == address
