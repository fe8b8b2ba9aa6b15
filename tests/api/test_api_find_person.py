"""POST /lookup: where a person stands with each export, in bounded time, and in no log or record."""

from __future__ import annotations

from functools import partial
from itertools import pairwise
from typing import Any

import pytest

from exporter.api.lookup import Where
from exporter.pipeline.plan import plan_run
from exporter.queries import everywhere, lookup
from exporter.queries.lookup import look_up_within
from exporter.queries.reading import one_reader
from exporter.records import audit, store
from exporter.records.paths import run_path
from exporter.runs.run import Run
from tests.api.client import CONNECTION, EXPORT, Api, signed_in
from tests.builders import drive, people, settle, write_segment

ROWS = [
    *people(300),
    ("d1", "Dup", "", "P299@example.com", ""),
    ("b1", "Bad", "", "no-at-sign", ""),
    ("x1", "Out", "", "out@excluded.example", ""),
]


@pytest.fixture
def api() -> Api:
    api = signed_in("Admin")
    write_segment(api.fakes, ROWS)
    write_segment(api.fakes, people(2), name="few")
    api.put("/connections/main", CONNECTION | {"usableBy": "contributors"})
    api.put("/exports/a", EXPORT | {"displayName": "A"})
    api.put("/exports/b", EXPORT | {"displayName": "B", "segments": ["few"], "listId": 2})
    api.fakes.account.exclude("excluded.example", "end")
    return api


def run(api: Api, export_id: str) -> str:
    run_id: str = api.post(f"/exports/{export_id}/runs").json["runId"]
    drive(api.fakes, run_id)
    settle(api.fakes, run_id)
    return run_id


def found(api: Api, email: str) -> dict[str, Any]:
    answer = api.post("/lookup", {"email": email})
    assert answer.status == 200, answer.json
    return {one["exportId"]: one for one in answer.json["value"]} | {"complete": answer.json["complete"]}


def test_each_export_says_where_the_person_stands(api: Api) -> None:
    run_id, other = run(api, "a"), run(api, "b")
    one = found(api, " P200@Example.com")
    assert one["complete"] is True
    assert (one["a"]["code"], one["a"]["displayName"], one["a"]["listId"]) == (Where.CONFIRMED, "A", 1)
    assert (one["a"]["params"]["row"], one["a"]["params"]["listId"]) == (201, 1)
    assert one["a"]["params"]["at"] == api.get(f"/runs/{run_id}").json["timeline"]["lastConfirmedUtc"]
    assert one["a"]["message"].startswith("On list 1, confirmed at 2026-11-18T")
    assert (one["a"]["runId"], one["b"]["runId"]) == (run_id, other)
    assert one["a"]["rows"][0]["activeCampaign"]["importId"]
    assert (one["b"]["code"], one["b"]["params"]) == (Where.NOT_IN_SEGMENT, {"rowsRead": 2, "run": other})


@pytest.mark.parametrize(
    ("email", "code", "reason"),
    [
        ("p299@example.com", Where.CONFIRMED, None),
        ("no-at-sign", Where.SET_ASIDE, "invalid_email_no_at"),
        ("out@excluded.example", Where.REFUSED, "excluded"),
    ],
)
def test_what_became_of_a_person_is_said_with_the_reason(api: Api, email: str, code: Where, reason: str | None) -> None:
    run(api, "a")
    one = found(api, email)["a"]
    assert (one["code"], one.get("reason")) == (code, reason)
    assert bool(one.get("explanation")) is bool(reason)


def test_an_export_that_has_not_run_or_read_nothing_says_so(api: Api) -> None:
    api.put("/exports/b", EXPORT | {"segments": ["few"]}, headers={"If-Match": "*"})
    write_segment(api.fakes, [], name="few")
    held = run(api, "b")
    one = found(api, "p0@example.com")
    assert one["a"]["code"] == Where.NO_RUN
    assert (one["b"]["code"], one["b"]["params"]) == (Where.NOTHING_SENT, {"run": held, "status": "held"})


def test_after_a_run_that_sent_nothing_the_last_success_counts(api: Api) -> None:
    success = run(api, "b")
    write_segment(api.fakes, [], name="few")
    held = run(api, "b")
    assert success != held
    one = found(api, "p0@example.com")["b"]
    assert (one["runId"], one["code"]) == (success, Where.CONFIRMED_IF_THERE)


def test_a_run_in_progress_says_that_it_has_no_answer_yet_and_one_that_was_canceled_that_nobody_knows(api: Api) -> None:
    run_id = api.post("/exports/b/runs").json["runId"]
    assert found(api, "p0@example.com")["b"]["code"] == Where.NOTHING_SENT
    api.fakes.activecampaign.before = lambda request: pytest.fail("nothing is sent") if request.body else None
    while not (planned := api.get(f"/runs/{run_id}").json.get("plan")):
        drive_a_step(api)
    assert planned["contacts"] == 2
    assert found(api, "p0@example.com")["b"]["code"] == Where.OPEN
    api.fakes.activecampaign.before = lambda request: None
    api.post(f"/runs/{run_id}/cancel")
    drive(api.fakes, run_id)
    one = found(api, "p0@example.com")["b"]
    assert (one["code"], one["reason"]) == (Where.UNCONFIRMED, "not_sent")


def drive_a_step(api: Api) -> None:
    message = api.fakes.messages.take("plan-run")
    assert message
    plan_run(api.fakes.services, str(message["runId"]))


def test_when_what_could_tell_is_gone_nobody_can_tell(api: Api) -> None:
    run_id = run(api, "b")
    write_segment(api.fakes, people(5), name="few")
    for path in list(api.fakes.blobs.names(f"rejects/{run_id}/")):
        api.fakes.blobs.delete(path)
    one = found(api, "p0@example.com")
    assert (one["b"]["code"], one["complete"]) == (Where.UNKNOWN, False)


def test_time_is_bounded_and_who_was_not_looked_at_is_named(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    run(api, "a")
    run(api, "b")
    look = look_up_within
    within: list[float] = []

    def slowly(services: Any, run: Any, address: str, within_s: float) -> Any:
        within.append(within_s)
        api.fakes.clock.sleep(61)
        return look(services, run, address, within_s)

    monkeypatch.setattr(everywhere, "look_up_within", slowly)
    one = found(api, "p0@example.com")
    assert (one["a"]["code"], one["b"]["code"], one["complete"]) == (Where.CONFIRMED, Where.NOT_LOOKED, False)
    assert within == [everywhere.EACH_WITHIN_S]
    assert everywhere.BEGIN_WITHIN_S + everywhere.EACH_WITHIN_S < 230 - 30


def resuming(before: str, run: Run) -> Run:
    return run.model_copy(update={"resumes": before})


def test_the_time_of_an_export_is_for_all_runs_that_its_newest_resumes(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    ids = [run(api, "b") for _ in range(3)]
    for before, after in pairwise(ids):
        store.change(api.fakes.blobs, Run, run_path(after), partial(resuming, before))
    within: list[float] = []

    def slowly(services: Any, run: Any, manifest: Any, sink: Any, within_s: float) -> None:
        within.append(within_s)
        api.fakes.clock.sleep(60)

    monkeypatch.setattr(lookup, "read_again", slowly)
    found(api, "p0@example.com")
    assert within == [100, 40, 0]
    within.clear()
    api.post(f"/runs/{ids[-1]}/lookup", {"email": "p0@example.com"})
    assert within == [200, 140, 80]


def test_an_export_that_cannot_be_looked_at_does_not_hide_the_others(api: Api) -> None:
    broken = run(api, "a")
    run(api, "b")
    api.fakes.blobs.put(run_path(broken, "manifest.json"), b"{}")
    one = found(api, "p0@example.com")
    assert (one["a"]["code"], one["a"]["problem"]["code"]) == (Where.NOT_LOOKED, "record_unreadable")
    assert (one["b"]["code"], one["complete"]) == (Where.CONFIRMED, False)


def test_who_may_not_use_a_connection_does_not_see_its_people(api: Api) -> None:
    run(api, "a")
    api.put("/connections/other", CONNECTION | {"host": "acme.api-us1.com"})
    api.put("/exports/b", EXPORT | {"segments": ["few"], "connectionId": "other"}, headers={"If-Match": "*"})
    run(api, "b")
    one = found(api.as_user("Contributor"), "p0@example.com")
    assert one["a"]["code"] == Where.CONFIRMED
    assert (one["b"]["code"], one["complete"]) == (Where.HIDDEN, False)
    assert not {"rows", "runId", "reason"} & {name for name, value in one["b"].items() if value}


def test_who_moved_an_export_to_a_shared_connection_does_not_see_whom_its_runs_on_the_other_reached(api: Api) -> None:
    api.put("/connections/other", CONNECTION | {"host": "acme.api-us1.com"})
    api.put("/exports/b", EXPORT | {"segments": ["few"], "connectionId": "other"}, headers={"If-Match": "*"})
    run(api, "b")
    api.put("/exports/b", EXPORT | {"segments": ["few"]}, headers={"If-Match": "*"})
    assert found(api.as_user("Contributor"), "p0@example.com")["b"]["code"] == Where.HIDDEN


def test_one_caller_at_a_time_reads(api: Api) -> None:
    with one_reader():
        refused = api.post("/lookup", {"email": "p0@example.com"})
    assert (refused.status, refused.code, refused.headers["Retry-After"]) == (429, "reading_busy", "10")


def test_the_call_is_in_the_audit_trail_and_the_address_in_no_log_record_or_answer(
    api: Api, caplog: pytest.LogCaptureFixture
) -> None:
    run(api, "a")
    caplog.set_level("DEBUG")
    before = {path: one.data for path, one in api.fakes.blobs.stored.items()}
    answer = api.post("/lookup", {"email": "nobody-at-all@example.com"})
    new = {path: one.data for path, one in api.fakes.blobs.stored.items() if before.get(path) != one.data}
    (entry,) = new
    assert entry.startswith(audit.PREFIX)
    assert b'"findPerson"' in new[entry]
    assert b"/lookup" in new[entry]
    assert "nobody-at-all" not in caplog.text + str(new) + str(answer.json)
    refused = api.post("/lookup", {"email": ["nobody-at-all@example.com"]})
    assert "nobody-at-all" not in str(refused.json) + caplog.text
