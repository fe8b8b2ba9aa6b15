"""The reject report: as a file and as pages, by reason, with a word on what it does not name."""

from __future__ import annotations

import csv
import io
from typing import Any
from urllib.parse import parse_qsl

import pytest

from exporter.api import reports
from exporter.pipeline.confirm import ASK_LATE_EVERY_S
from exporter.pipeline.sweep import sweep
from exporter.records import audit
from tests.api.client import CONNECTION, EXPORT, Api, signed_in, with_function_key
from tests.builders import deliver, drive, people, read_run, write_segment

ROWS = [
    *people(6),
    ("d", "", "", "P0@example.com", ""),
    ("b1", "", "", "=no-at", ""),
    ("b2", "", "", "no-at", ""),
    ("m", "", "", "", ""),
    ("x", "", "", "out@example.com", ""),
]
MOSTLY_BAD = [*people(3), *[("b", "", "", "no-at", "")] * 30]
FILE = "people/people_1.csv"
REASONS = {"duplicate_email": 1, "excluded": 1, "invalid_email_no_at": 2, "missing_email": 1}


@pytest.fixture
def api() -> Api:
    return with_rows(with_function_key(), ROWS)


def with_rows(api: Api, rows: list[tuple[str, ...]]) -> Api:
    write_segment(api.fakes, rows)
    api.fakes.account.exclude("out@example.com")
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    return api


def finished(api: Api) -> str:
    run_id: str = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id, limit_s=20_000)
    return run_id


def canceled(api: Api) -> str:
    """Cancel a planned run before anything is sent."""
    run_id: str = api.post("/exports/newsletter/runs").json["runId"]
    deliver(api.fakes)
    api.post(f"/runs/{run_id}/cancel")
    drive(api.fakes, run_id)
    return run_id


def page(api: Api, run_id: str, **query: str) -> Any:
    answer = api.get(f"/runs/{run_id}/rejects", query={"format": "json", **query})
    assert answer.status == 200, answer.json
    return answer.json


def pages(api: Api, run_id: str, **query: str) -> list[Any]:
    """Return all pages, by their links."""
    found = [page(api, run_id, **query)]
    while link := found[-1].get("nextLink"):
        path, _, rest = link.removeprefix("/api").partition("?")
        found.append(api.get(path, query=parse_qsl(rest)).json)
    return found


def file(api: Api, run_id: str, **query: str) -> list[dict[str, str]]:
    answer = api.get(f"/runs/{run_id}/rejects", query=query)
    assert answer.status == 200, answer.json
    return list(csv.DictReader(io.StringIO(answer.response.body.decode("utf-8-sig"))))


def test_a_page_has_the_rows_and_counts_all_by_reason(api: Api) -> None:
    found = page(api, finished(api))
    assert [(row["row"], row["reason"]) for row in found["value"]] == [
        (7, "duplicate_email"),
        (8, "invalid_email_no_at"),
        (9, "invalid_email_no_at"),
        (10, "missing_email"),
        (11, "excluded"),
    ]
    assert found["value"][1] == {
        "file": FILE,
        "row": 8,
        "customerId": "b1",
        "email": "=no-at",
        "reason": "invalid_email_no_at",
        "explanation": "The e-mail address has no @.",
    }
    assert found["reasons"] == REASONS
    assert found.keys() == {"value", "reasons"}


@pytest.mark.parametrize("top", range(1, 7))
def test_pages_hold_every_row_once(api: Api, top: int) -> None:
    found = pages(api, finished(api), top=str(top))
    assert [len(each["value"]) for each in found[:-1]] == [top] * (len(found) - 1)
    assert [row["row"] for each in found for row in each["value"]] == [7, 8, 9, 10, 11]
    assert all(each["reasons"] == REASONS for each in found)


@pytest.mark.parametrize(("reason", "rows"), [("invalid_email_no_at", [8, 9]), ("excluded", [11]), ("not_sent", [])])
def test_one_reason_is_chosen_in_pages_and_in_the_file(api: Api, reason: str, rows: list[int]) -> None:
    run_id = finished(api)
    found = pages(api, run_id, reason=reason, top="1")
    assert [row["row"] for each in found for row in each["value"]] == rows
    assert found[0]["reasons"] == REASONS
    whole = file(api, run_id)
    assert file(api, run_id, reason=reason) == [row for row in whole if row["reason"] == reason]


def test_csv_is_what_comes_without_a_format_whatever_is_accepted(api: Api) -> None:
    run_id = finished(api)
    plain = api.get(f"/runs/{run_id}/rejects", headers={"Accept": "application/json"})
    named = api.get(f"/runs/{run_id}/rejects", query={"format": "csv"})
    assert plain.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert plain.response.body == named.response.body


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"format": "json", "reason": "nonsense"}, "'duplicate_email'"),
        ({"format": "xml"}, "'csv' or 'json'"),
        ({"format": "json", "after": "people/1"}, "after"),
        ({"format": "json", "top": "101"}, "top"),
        ({"top": "5"}, "top, after: expected only with format=json"),
        ({"after": "1.0"}, "top, after: expected only with format=json"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_what_can(api: Api, query: dict[str, str], told: str) -> None:
    refused = api.get(f"/runs/{finished(api)}/rejects", query=query)
    assert (refused.status, refused.code) == (422, "invalid_query")
    assert told in refused.json["detail"]


def test_outcomes_between_two_pages_are_told() -> None:
    api = with_rows(with_function_key(), people(6))
    api.fakes.account.end_next_imports("stuck")
    run_id = finished(api)
    first = page(api, run_id, top="2")
    (one,) = api.fakes.account._state.imports
    api.fakes.account.end_import(one, "completed")
    api.fakes.clock.sleep(ASK_LATE_EVERY_S)
    sweep(api.fakes.services)
    assert read_run(api.fakes, run_id).amended
    path, _, rest = first["nextLink"].removeprefix("/api").partition("?")
    refused = api.get(path, query=parse_qsl(rest))
    assert (refused.status, refused.code) == (409, "rejects_changed")
    assert page(api, run_id) == {"value": [], "reasons": {}}


def test_while_a_run_is_going_the_report_says_that_more_may_come(api: Api) -> None:
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    deliver(api.fakes)
    found = page(api, run_id)
    assert [row["row"] for row in found["value"]] == [7, 8, 9, 10]
    assert found["reasons"] == {code: count for code, count in REASONS.items() if code != "excluded"}
    assert found["note"].startswith("The run is in progress.")
    *_, last = file(api, run_id)
    assert last == dict.fromkeys(last, "") | {"explanation": found["note"]}


def test_a_run_that_was_held_says_that_nothing_was_sent_and_lists_what_was_rejected() -> None:
    api = with_rows(with_function_key(), MOSTLY_BAD)
    run_id = finished(api)
    problem = api.get(f"/runs/{run_id}").json["problem"]
    assert problem["code"] == "too_many_rows_rejected"
    found = page(api, run_id, top="10")
    assert [row["row"] for row in found["value"]] == list(range(4, 14))
    assert found["reasons"] == {"invalid_email_no_at": 30}
    assert found["note"].startswith("Nothing was sent: the run ended before any contact was sent (held). Expected at")
    *rows, last = file(api, run_id)
    assert [int(row["row"]) for row in rows] == list(range(4, 34))
    assert last["explanation"] == found["note"]
    assert not list(api.fakes.blobs.names("working/")), "the contacts themselves are not kept"


def test_a_planner_that_died_leaves_no_doubt_about_which_rows_were_rejected() -> None:
    api = with_rows(with_function_key(), MOSTLY_BAD)
    run_id = finished(api)
    (path,) = api.fakes.blobs.names("rejects/")
    api.fakes.blobs.put(f"rejects/{run_id}/another.csv", api.fakes.blobs.stored[path].data)
    answer = api.get(f"/runs/{run_id}/rejects")
    assert (answer.status, answer.code) == (404, "rejects_not_found")
    assert "Nothing was sent" in answer.json["detail"]


def test_a_report_that_lacks_names_says_how_many() -> None:
    api = with_rows(with_function_key(), [*people(6), ("b", "", "", "no-at", "")])
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    deliver(api.fakes)
    for path in list(api.fakes.blobs.names("working/")):
        api.fakes.blobs.delete(path)
    api.post(f"/runs/{run_id}/cancel")
    drive(api.fakes, run_id)
    found = page(api, run_id)
    assert found["note"].startswith("Listed are 1 of the 7 rows that are not confirmed. The working copy")
    assert found["reasons"] == {"invalid_email_no_at": 1, "not_sent": 6}
    assert page(api, run_id, reason="not_sent")["note"] == found["note"]
    for query in ({}, {"reason": "not_sent"}, {"reason": "invalid_email_no_at"}):
        assert file(api, run_id, **query)[-1]["explanation"] == found["note"]


@pytest.mark.parametrize("query", [{}, {"reason": "not_sent"}])
def test_a_report_that_is_whole_says_nothing(api: Api, query: dict[str, str]) -> None:
    run_id = canceled(api)
    assert "note" not in page(api, run_id, **query)
    assert all(row["reason"] for row in file(api, run_id, **query))


def test_a_page_stops_before_it_holds_megabytes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reports, "MAX_PAGE_CHARACTERS", 1_000)
    api = with_rows(with_function_key(), [*people(1), *[("b", "", "", "x" * 600, "")] * 5])
    found = pages(api, finished(api))
    assert [len(each["value"]) for each in found] == [2, 2, 1]


def test_pages_take_the_role_of_the_file_and_leave_an_entry_in_the_audit_trail() -> None:
    api = with_rows(signed_in("Admin"), ROWS)
    run_id = finished(api)
    assert api.as_user("Viewer").get(f"/runs/{run_id}/rejects", query={"format": "json"}).code == "role_missing"
    before = len(list(api.fakes.blobs.names(audit.PREFIX)))
    page(api, run_id)
    entries = list(api.fakes.blobs.names(audit.PREFIX))
    assert len(entries) == before + 1
    assert b'"getRejects"' in api.fakes.blobs.stored[entries[-1]].data
