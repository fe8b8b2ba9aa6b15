"""Why is this person not on the list? Answered from what is still there, and only as far as that goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any
from unittest.mock import patch

import pytest

from exporter.api.lookup import NOBODY, REST_CONFIRMED, UNKNOWN, UNREADABLE
from exporter.delivery.ledger import ImportStatus
from exporter.pipeline import plan
from exporter.pipeline.finish import finish
from exporter.records import audit
from tests.api.client import CONNECTION, EXPORT, Api, with_function_key
from tests.builders import deliver, drive, people, read_run, settle, write_segment
from tests.fakes import make_fakes

ROWS = [
    *people(600),
    ("d1", "Dup", "", " P599@EXAMPLE.com ", ""),
    ("b1", "Bad", "", "=cmd@example.com", ""),
    ("b2", "Bad\nname", "", "no-at-sign", ""),
    ("x1", "Excluded", "", "out@excluded.example", ""),
]
FILE = "people/people_1.csv"


@pytest.fixture
def api() -> Api:
    api = with_function_key()
    write_segment(api.fakes, ROWS)
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    api.fakes.account.exclude("excluded.example", "end")
    return api


def start(api: Api) -> str:
    run_id: str = api.post("/exports/newsletter/runs").json["runId"]
    return run_id


def look_up(api: Api, run_id: str, email: str) -> Any:
    answer = api.post(f"/runs/{run_id}/lookup", {"email": email})
    assert answer.status == 200, answer.json
    return answer.json


def finished(api: Api) -> str:
    run_id = start(api)
    drive(api.fakes, run_id)
    settle(api.fakes, run_id)
    return run_id


def test_a_confirmed_person_is_found_with_row_batch_and_import(api: Api) -> None:
    run_id = finished(api)
    found = look_up(api, run_id, "p300@example.com")
    (row,) = found["rows"]
    assert (row["file"], row["row"], row["bucket"], row["batch"]) == (FILE, 301, "confirmed", 1)
    assert row["activeCampaign"]["status"] == ImportStatus.CONFIRMED
    assert row["activeCampaign"]["importId"]
    assert found["complete"] is True
    assert "note" not in found


def test_a_duplicate_is_shown_with_the_row_that_was_sent_instead(api: Api) -> None:
    rows = look_up(api, finished(api), "p599@example.com")["rows"]
    assert [(r["row"], r["bucket"], r.get("reason")) for r in rows] == [
        (600, "confirmed", None),
        (601, "duplicate", "duplicate_email"),
    ]


@pytest.mark.parametrize(
    ("email", "row", "bucket", "reason"),
    [
        ("no-at-sign", 603, "rejected", "invalid_email_no_at"),
        ("OUT@excluded.example", 604, "rejectedByActiveCampaign", "excluded"),
    ],
)
def test_who_was_set_aside_is_found_with_the_reason(api: Api, email: str, row: int, bucket: str, reason: str) -> None:
    (found,) = look_up(api, finished(api), email)["rows"]
    assert (found["row"], found["bucket"], found["reason"]) == (row, bucket, reason)
    assert found["explanation"]


def test_an_address_that_a_spreadsheet_would_run_is_found(api: Api) -> None:
    (found,) = look_up(api, finished(api), "=cmd@example.com")["rows"]
    assert found["row"] == 602


def test_who_was_not_in_the_segment_is_not_found_and_that_is_sure(api: Api) -> None:
    found = look_up(api, finished(api), "nobody@example.com")
    assert (found["rows"], found["complete"]) == ([], True)
    assert "Check the spelling" in found["note"]
    assert "nobody@example.com" not in str(found)


def test_while_a_run_is_going_the_answer_comes_from_its_working_copy() -> None:
    api = Api(make_fakes(LANE_TIME_BUDGET_S="5"), {})
    api.fakes.activecampaign.request_s = 3.0
    write_segment(api.fakes, ROWS)
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    run_id = start(api)
    deliver(api.fakes)
    write_segment(api.fakes, people(1))
    seen = []
    while not read_run(api.fakes, run_id).end:
        (row,) = look_up(api, run_id, "p300@example.com")["rows"]
        assert (row["row"], row["batch"]) == (301, 1)
        seen.append((row["bucket"], row.get("activeCampaign", {}).get("status")))
        if not deliver(api.fakes):
            api.fakes.clock.sleep(1)
    assert list(dict.fromkeys(seen)) == [("open", None), ("open", "accepted"), ("confirmed", "confirmed")]


def test_before_a_run_is_planned_nobody_can_be_found(api: Api) -> None:
    answer = api.post(f"/runs/{start(api)}/lookup", {"email": "p1@example.com"})
    assert (answer.status, answer.code) == (409, "run_not_planned")


def test_who_was_not_sent_before_a_cancel_is_told_so(api: Api) -> None:
    run_id = start(api)
    deliver(api.fakes)
    api.post(f"/runs/{run_id}/cancel")
    drive(api.fakes, run_id)
    (row,) = look_up(api, run_id, "p300@example.com")["rows"]
    assert (row["bucket"], row["reason"]) == ("unconfirmed", "not_sent")


def test_when_the_files_were_replaced_the_report_tells_who_is_not_confirmed(api: Api) -> None:
    run_id = finished(api)
    write_segment(api.fakes, people(1))
    assert [r["row"] for r in look_up(api, run_id, "no-at-sign")["rows"]] == [603]
    confirmed = look_up(api, run_id, "p300@example.com")
    assert (confirmed["rows"], confirmed["complete"]) == ([], False)
    assert confirmed["note"] == REST_CONFIRMED.format(another="a")
    duplicate = look_up(api, run_id, "p599@example.com")
    assert [r["bucket"] for r in duplicate["rows"]] == ["duplicate"]
    assert duplicate["note"] == REST_CONFIRMED.format(another="another")


def canceled(api: Api, deliveries: int = 1) -> str:
    """Cancel a run: after one delivery it has been planned, and nothing was sent."""
    run_id = start(api)
    for _ in range(deliveries):
        deliver(api.fakes)
    api.post(f"/runs/{run_id}/cancel")
    return run_id


def test_when_the_files_were_replaced_who_was_never_sent_is_still_told_so(api: Api) -> None:
    run_id = canceled(api)
    drive(api.fakes, run_id)
    write_segment(api.fakes, people(1))
    (row,) = look_up(api, run_id, "p300@example.com")["rows"]
    assert (row["bucket"], row["reason"]) == ("unconfirmed", "not_sent")


def lose_the_names(api: Api) -> str:
    """End a run when its working copy is gone."""
    run_id = canceled(api)
    for path in list(api.fakes.blobs.names("working/")):
        api.fakes.blobs.delete(path)
    drive(api.fakes, run_id)
    return run_id


def lose_a_line(api: Api) -> str:
    """Take the line of a person out of a report."""
    run_id = canceled(api)
    drive(api.fakes, run_id)
    (path,) = api.fakes.blobs.names("rejects/")
    lines = api.fakes.blobs.stored[path].data.splitlines(keepends=True)
    api.fakes.blobs.put(path, b"".join(line for line in lines if b"p300@" not in line))
    return run_id


def lose_the_report(api: Api) -> str:
    run_id = canceled(api)
    drive(api.fakes, run_id)
    for path in list(api.fakes.blobs.names("rejects/")):
        api.fakes.blobs.delete(path)
    return run_id


@pytest.mark.parametrize("lose", [lose_the_names, lose_a_line, lose_the_report])
def test_where_neither_files_nor_report_tell_somebody_is_unknown(api: Api, lose: Callable[[Api], str]) -> None:
    run_id = lose(api)
    write_segment(api.fakes, people(1))
    found = look_up(api, run_id, "p300@example.com")
    assert (found["rows"], found["complete"], found["note"]) == ([], False, UNKNOWN)


def test_rows_that_cannot_be_read_may_be_anybodys(api: Api) -> None:
    write_segment(api.fakes, [*people(3), ("torn",), ("torn",)])
    run_id = finished(api)
    told = UNREADABLE.format(unreadable=2)
    assert look_up(api, run_id, "nobody@example.com")["note"] == f"{NOBODY} {told}"
    assert "note" not in look_up(api, run_id, "p1@example.com")
    write_segment(api.fakes, people(1))
    assert look_up(api, run_id, "nobody@example.com")["note"] == f"{REST_CONFIRMED.format(another='a')} {told}"


def test_after_a_refresh_the_report_of_a_run_that_resumed_tells_of_the_run_before_too() -> None:
    api = Api(make_fakes(LANES="1", LANE_TIME_BUDGET_S="5"), {})
    api.fakes.activecampaign.request_s = 3.0
    write_segment(api.fakes, ROWS)
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    first = canceled(api, deliveries=2)
    drive(api.fakes, first)
    resumed = api.post(f"/runs/{first}/resume").json["runId"]
    deliver(api.fakes)
    api.post(f"/runs/{resumed}/cancel")
    settle(api.fakes, drive(api.fakes, resumed).run_id)
    settle(api.fakes, first)
    write_segment(api.fakes, people(1))
    for path in list(api.fakes.blobs.names(f"rejects/{first}/")):
        api.fakes.blobs.delete(path)
    carried = look_up(api, resumed, "p1@example.com")
    assert (carried["rows"], carried["note"]) == ([], REST_CONFIRMED.format(another="a"))
    assert look_up(api, first, "p1@example.com")["note"] == UNKNOWN
    (row,) = look_up(api, resumed, "p597@example.com")["rows"]
    assert row["reason"] == "not_sent"


@pytest.mark.parametrize("planned", [False, True])
def test_in_a_run_that_ended_before_anything_was_sent_nobody_is_found(api: Api, *, planned: bool) -> None:
    run_id = start(api)
    if planned:  # the manifest is there, and the run was canceled before its plan was recorded
        with patch.object(plan, "dispatch", lambda *_: None):
            deliver(api.fakes)
    api.post(f"/runs/{run_id}/cancel")
    finish(api.fakes.services, run_id)
    write_segment(api.fakes, people(1))
    answer = api.post(f"/runs/{run_id}/lookup", {"email": "p1@example.com"})
    assert (answer.status, answer.code) == (409, "run_not_planned")
    assert "nobody arrived by it" in answer.json["detail"]


def test_when_the_report_is_gone_the_files_tell_as_long_as_they_are_there(api: Api) -> None:
    run_id = finished(api)
    for path in list(api.fakes.blobs.names("rejects/")):
        api.fakes.blobs.delete(path)
    assert [r["row"] for r in look_up(api, run_id, "no-at-sign")["rows"]] == [603]
    (row,) = look_up(api, run_id, "out@excluded.example")["rows"]
    assert (row["row"], row["bucket"]) == (604, "rejectedByActiveCampaign")
    write_segment(api.fakes, people(1))
    assert look_up(api, run_id, "no-at-sign")["complete"] is False


def test_fields_as_they_were_mapped_when_the_run_was_planned_are_used(api: Api) -> None:
    fields = [{"column": "LastName", "field": "CITY"}]
    changed = EXPORT | {"dataMatching": {"email": "EMail", "fields": fields}}
    api.put("/exports/newsletter", changed, headers={"If-Match": "*"})
    run_id = finished(api)
    api.fakes.account.delete_field(6)
    (row,) = look_up(api, run_id, "p300@example.com")["rows"]
    assert row["bucket"] == "confirmed"


def test_the_address_is_neither_sent_back_nor_kept(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    run_id = finished(api)
    answer = api.post(f"/runs/{run_id}/lookup", {"email": "p300@example.com"})
    assert b"p300@" not in answer.response.body
    kept = {path for path, blob in api.fakes.blobs.stored.items() if b"p300@" in blob.data}
    assert kept == set()
    assert "p300@" not in caplog.text
    refused = api.post(f"/runs/{run_id}/lookup", {"mail": "p300@example.com"})
    assert b"p300@" not in refused.response.body


@pytest.mark.parametrize("email", ["", " ", "x" * 1001])
def test_an_address_has_to_be_given(api: Api, email: str) -> None:
    assert api.post(f"/runs/{finished(api)}/lookup", {"email": email}).code == "invalid_body"


def test_a_lookup_leaves_an_entry_in_the_audit_trail(api: Api) -> None:
    run_id = finished(api)
    look_up(api, run_id, "p300@example.com")
    newest = max(api.fakes.blobs.names(audit.PREFIX))
    assert b'"lookUpInRun"' in api.fakes.blobs.stored[newest].data
