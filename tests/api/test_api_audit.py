"""The audit trail: one entry for each call that changes something or shows personal data."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from exporter.errors import Unavailable
from exporter.model import VERSION
from exporter.records import audit
from tests.api.client import CONNECTION, EXPORT, Api, principal, signed_in
from tests.builders import drive, people, write_segment
from tests.fakes import make_fakes


def entries(api: Api) -> list[list[dict[str, Any]]]:
    """Return the lines of each entry, in order of time."""
    paths = api.fakes.blobs.names(audit.PREFIX)
    return [[orjson.loads(line) for line in api.fakes.blobs.stored[path].data.splitlines()] for path in paths]


@pytest.fixture
def api() -> Api:
    api = signed_in("Admin")
    write_segment(api.fakes, people(3))
    return api


def test_an_entry_says_who_did_what_to_which_resource_when_and_from_where(api: Api) -> None:
    api.put("/connections/main", CONNECTION, headers={"X-Forwarded-For": "203.0.113.7:50311"})
    ((asked, done),) = entries(api)
    assert asked == {
        "schemaVersion": VERSION,
        "at": "2026-11-18T11:06:40.000Z",
        "action": "saveConnection",
        "resource": "/connections/main",
        "by": "grace@contoso.example",
        "byId": "0b1e",
        "role": "admin",
        "fromAddress": "203.0.113.7",
    }
    assert (done["status"], done["at"] > asked["at"]) == (201, True)


def test_a_refusal_is_recorded_with_its_code_and_a_start_with_its_run(api: Api) -> None:
    api.put("/connections/main", CONNECTION | {"apiKey": "wrong"})
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    outcomes = {
        (asked["action"], done["status"], done.get("code"), done.get("location")) for asked, done in entries(api)
    }
    assert outcomes == {
        ("saveConnection", 422, "credentials_refused", None),
        ("saveConnection", 201, None, None),
        ("saveExport", 201, None, None),
        ("startRun", 202, None, f"/api/runs/{run_id}"),
    }


def test_reading_leaves_no_entry_unless_it_shows_personal_data(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id)
    before = len(entries(api))
    for path in ("/connections", "/exports", "/exports/newsletter", f"/runs/{run_id}", "/segments", "/openapi.json"):
        assert api.get(path).status == 200
    assert len(entries(api)) == before
    api.get(f"/runs/{run_id}/rejects")
    assert len(entries(api)) == before + 1


@pytest.mark.parametrize(("roles", "code"), [((), "no_role"), (("Viewer",), "role_missing")])
def test_who_may_not_do_it_leaves_a_line_in_the_log_and_no_entry(
    api: Api, caplog: pytest.LogCaptureFixture, roles: tuple[str, ...], code: str
) -> None:
    api.as_user(*roles).put("/connections/main", CONNECTION, headers={"X-Forwarded-For": "203.0.113.7:50311"})
    assert entries(api) == []
    assert refusals(caplog) == [
        {
            "action": "access_refused",
            "operation": "saveConnection",
            "code": code,
            "byId": "0b1e",
            "fromAddress": "203.0.113.7",
        }
    ]
    assert "grace" not in caplog.text


def refusals(caplog: pytest.LogCaptureFixture) -> list[Any]:
    lines = [record.getMessage() for record in caplog.records]
    return [orjson.loads(line) for line in lines if "access_refused" in line]


@pytest.mark.parametrize(("platform", "code"), [("True", "not_signed_in"), ("", "sign_in_unavailable")])
def test_who_is_nobody_leaves_a_line_in_the_log_without_what_the_header_claims(
    caplog: pytest.LogCaptureFixture, platform: str, code: str
) -> None:
    api = Api(make_fakes(SIGN_IN="entra", WEBSITE_AUTH_ENABLED=platform), {})
    assert api.get("/exports", headers={} if platform else principal("Admin")).code == code
    (line,) = refusals(caplog)
    assert (line["operation"], line["code"], line["byId"], line["fromAddress"]) == ("listExports", code, None, None)


def test_who_uses_a_connection_that_is_not_shared_leaves_a_line_in_the_log(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    write_segment(api.fakes, people(3))
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    contributor = api.as_user("Contributor")
    for method, path in (("POST", "/exports/newsletter/runs"), ("HEAD", "/connections/main")):
        contributor.call(method, path)
    (line,) = refusals(caplog)
    assert (line["operation"], line["code"], line["byId"]) == ("startRun", "connection_not_shared", "0b1e")


def test_without_an_entry_nothing_is_done(api: Api) -> None:
    def down(operation: str, path: str) -> None:
        if path.startswith(audit.PREFIX):
            raise Unavailable("storage_unavailable", "Storage is down.")

    api.fakes.blobs.before = down
    assert api.put("/connections/main", CONNECTION).status == 503
    assert api.fakes.activecampaign.requests == []
    assert api.get("/connections/main").status == 404


def test_what_was_done_is_answered_even_when_its_outcome_cannot_be_recorded(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    calls = iter(range(100))

    def down(operation: str, path: str) -> None:
        if path.startswith(audit.PREFIX) and next(calls):
            raise Unavailable("storage_unavailable", "Storage is down.")

    api.fakes.blobs.before = down
    assert api.put("/connections/main", CONNECTION).status == 201
    assert "audit_outcome_missing" in caplog.text
    api.fakes.blobs.before = lambda operation, path: None
    ((asked,),) = entries(api)
    assert asked["action"] == "saveConnection"


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "/connections/jane@example.com", CONNECTION),
        ("PUT", "/connections/Jane", CONNECTION),
        ("POST", "/exports/jane.doe/runs", None),
        ("POST", "/runs/john.doe/lookup", {"email": "x"}),
        ("POST", "/runs/4930123456/cancel", None),
    ],
)
def test_a_path_that_is_no_id_is_not_repeated(api: Api, method: str, path: str, body: object) -> None:
    assert api.call(method, path, body).status in (404, 422)
    ((asked, _),) = entries(api)
    assert asked["resource"] == "(not an id)"


def test_a_path_of_ids_is_kept(api: Api) -> None:
    run_id = f"newsletter.20261118T110640Z.{'0' * 32}"
    for path in ("/exports/newsletter/runs", f"/runs/{run_id}/cancel", "/runs"):
        api.post(path)
    assert [asked["resource"] for asked, _ in entries(api)] == [
        "/exports/newsletter/runs",
        f"/runs/{run_id}/cancel",
        "/runs",
    ]


def test_administrators_read_the_trail_by_day(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT | {"listId": 99})
    listed = api.get("/audit/2026-11-18").json["value"]
    assert [(e["action"], e["resource"], e["status"], e.get("code")) for e in listed] == [
        ("saveConnection", "/connections/main", 201, None),
        ("saveExport", "/exports/newsletter", 422, "list_not_found"),
    ]
    first = api.get("/audit/2026-11-18", query={"top": "1"}).json
    assert [e["action"] for e in first["value"]] == ["saveConnection"]
    assert first["nextLink"].startswith("/api/audit/2026-11-18?top=1&after=")
    assert api.get("/audit/2026-11-17").json == {"value": []}
    assert api.get("/audit/yesterday").code == "no_such_day"


def test_an_entry_without_an_outcome_is_shown_without_one(api: Api) -> None:
    api.put("/connections/main", CONNECTION)
    (path,) = api.fakes.blobs.names(audit.PREFIX)
    asked, _ = api.fakes.blobs.stored[path].data.splitlines()
    api.fakes.blobs.stored[path].data = asked
    (entry,) = api.get("/audit/2026-11-18").json["value"]
    assert "status" not in entry
