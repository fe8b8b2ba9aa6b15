"""The reject report names every row that is not confirmed, however the run ended; what it names is what is counted."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.sweep import sweep
from exporter.records import payload
from exporter.records.payload import LAST_ANSWER_S, LAST_CALL_S, WORKING_COPY_S
from exporter.runs.run import Run, RunStatus
from tests.api.client import CONNECTION, EXPORT, Api
from tests.builders import (
    deliver,
    drive,
    make_export,
    people,
    read_run,
    rejects_of,
    run_export,
    start_on_demand,
    write_segment,
)
from tests.fakes import NOT_SENT, Fakes, make_fakes

NOT_SENDABLE = [("d", "Dup", "", "P0@example.com", ""), ("b", "Bad", "", "no-at-sign", "")]
DAY_S = 86_400.0


@pytest.fixture
def fakes() -> Fakes:
    """Four batches, one every two seconds; whoever works on the lane hands it over after two of them."""
    fakes = make_fakes(LANES="1", LANE_TIME_BUDGET_S="5", CONFIRM_WITHIN_S="600", RETRY_FOR_S="3600")
    fakes.activecampaign.request_s = 2.5
    write_segment(fakes, [*people(1_000), *NOT_SENDABLE])
    return fakes


def begun(fakes: Fakes) -> str:
    """Start a run, and let it send two of its four batches."""
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    deliver(fakes)
    assert sum(request.path.endswith("bulk_import") for request in fakes.activecampaign.requests) == 2
    return run_id


def named(fakes: Fakes, run: Run) -> dict[str, list[str]]:
    """Return the addresses of the report by reason; what is named has to be what is counted."""
    rows = rejects_of(fakes, run.run_id)
    assert run.tally
    assert Counter(row["reason"] for row in rows) == run.tally.reasons
    found: dict[str, list[str]] = {}
    for row in rows:
        found.setdefault(row["reason"], []).append(row["email"])
    return found


def addresses(first: int, last: int) -> list[str]:
    return [f"p{n}@example.com" for n in range(first, last)]


def test_the_report_of_a_canceled_run_names_who_was_not_sent(fakes: Fakes) -> None:
    run_id = begun(fakes)
    cancel_run(fakes.services, run_id, "ada")
    run = drive(fakes, run_id)
    assert run.status is RunStatus.CANCELED
    assert named(fakes, run) == {
        "duplicate_email": ["P0@example.com"],
        "invalid_email_no_at": ["no-at-sign"],
        "not_sent": addresses(500, 1_000),
    }
    row = next(row for row in rejects_of(fakes, run_id) if row["email"] == "p700@example.com")
    assert (row["file"], row["row"], row["customerId"]) == ("people/people_1.csv", "701", "id700")
    assert row["explanation"] == "The run ended before the contact was sent."


def test_the_report_of_a_run_that_failed_names_who_is_in_doubt_and_who_was_not_sent(fakes: Fakes) -> None:
    fakes.account.set_switches(processing_base_s=10 * DAY_S)
    run_id = begun(fakes)  # two imports that never end
    fakes.account.set_key("key-2")
    run = drive(fakes, run_id, limit_s=DAY_S, step_s=30)
    assert run.status is RunStatus.FAILED
    assert run.end
    assert run.end.problem
    assert run.end.problem.code == "credentials_refused", "the cause, and not what followed from it"
    found = named(fakes, run)
    assert found["not_confirmed_in_time"] == addresses(0, 500)
    assert found["not_sent"] == addresses(500, 1_000)


def test_a_run_does_not_end_before_its_report_is_whole(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    run_id = begun(fakes)
    original = payload._read
    stumbles = iter([ZeroDivisionError])

    def stumble(*arguments: Any) -> Any:
        if error := next(stumbles, None):
            raise error
        return original(*arguments)

    monkeypatch.setattr(payload, "_read", stumble)
    cancel_run(fakes.services, run_id, "ada")
    with pytest.raises(ZeroDivisionError):
        drive(fakes, run_id)
    assert read_run(fakes, run_id).end is None
    assert named(fakes, drive(fakes, run_id))["not_sent"] == addresses(500, 1_000)
    assert next(stumbles, None) is None


def test_a_run_that_waits_for_longer_than_its_working_copy_lives_is_stopped_in_time_to_name_everybody() -> None:
    fakes = make_fakes(LANES="1", RETRY_FOR_S=f"{7 * DAY_S:.0f}")
    write_segment(fakes, people(300))
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    fakes.activecampaign.before = lambda request: NOT_SENT
    planned = fakes.clock.now()
    drive(fakes, run_id, limit_s=900)
    fakes.clock.sleep(planned + LAST_CALL_S - 300 - fakes.clock.now())
    run = drive(fakes, run_id, limit_s=280)
    assert run.end is None
    run = drive(fakes, run_id, limit_s=600)
    assert run.end
    assert run.end.problem
    assert (run.status, run.end.problem.code) == (RunStatus.FAILED, "activecampaign_unavailable")
    assert LAST_CALL_S < run.end.at - planned < WORKING_COPY_S
    assert named(fakes, run) == {"not_sent": addresses(0, 300)}


def test_a_run_that_is_too_slow_says_so_and_names_who_is_left() -> None:
    fakes = make_fakes(LANES="1", BULK_REQUESTS_PER_MINUTE="6")
    write_segment(fakes, people(600))
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    fakes.messages.queues.clear()
    fakes.clock.sleep(LAST_CALL_S + 1)
    sweep(fakes.services)
    run = drive(fakes, run_id, limit_s=600)
    assert run.end
    assert run.end.problem
    assert run.end.problem.code == "run_too_long"
    assert named(fakes, run) == {"not_sent": addresses(0, 600)}


def test_an_import_that_never_ends_is_given_up_while_its_contacts_can_be_named() -> None:
    fakes = make_fakes(LANES="1", CONFIRM_WITHIN_S="86400")
    fakes.account.set_switches(processing_base_s=10 * DAY_S)
    write_segment(fakes, people(300))
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    planned = fakes.clock.now()
    drive(fakes, run_id, limit_s=300)
    fakes.clock.sleep(planned + LAST_CALL_S + 600 - fakes.clock.now())
    run = drive(fakes, run_id, limit_s=600)
    assert (run.end, run.stop) == (None, None), "everything was sent: there is nothing to stop"
    run = drive(fakes, run_id, limit_s=1_200)
    assert run.end
    assert LAST_ANSWER_S < run.end.at - planned < WORKING_COPY_S
    assert run.status is RunStatus.FAILED
    assert named(fakes, run) == {"not_confirmed_in_time": addresses(0, 300)}


def test_a_working_copy_is_kept_for_a_day_from_its_making_even_if_the_run_had_waited_before() -> None:
    fakes = make_fakes(LANES="1", RETRY_FOR_S=f"{7 * DAY_S:.0f}")
    write_segment(fakes, people(300))
    fakes.activecampaign.before = lambda request: NOT_SENT
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    for _ in range(3):
        fakes.clock.sleep(DAY_S)
        assert drive(fakes, run_id, limit_s=300).plan is None
    fakes.activecampaign.before = lambda request: None
    assert drive(fakes, run_id).status is RunStatus.SUCCESSFUL


def test_a_report_whose_time_was_over_before_its_run_is_whole_at_the_end() -> None:
    fakes = make_fakes(LANES="1", RETRY_FOR_S=f"{7 * DAY_S:.0f}", REJECTS_RETENTION_DAYS="1")
    write_segment(fakes, [*people(300), *NOT_SENDABLE])
    fakes.activecampaign.before = lambda request: NOT_SENT
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    fakes.clock.sleep(2 * DAY_S)
    fakes.activecampaign.before = lambda request: None
    sweep(fakes.services)
    deliver(fakes)
    fakes.activecampaign.before = lambda request: NOT_SENT
    assert drive(fakes, run_id, limit_s=600).plan
    cancel_run(fakes.services, run_id, "ada")
    assert len(named(fakes, drive(fakes, run_id))["not_sent"]) == 300
    fakes.clock.sleep(DAY_S)
    sweep(fakes.services)
    assert not list(fakes.blobs.names("rejects/"))


def test_the_report_of_a_run_that_resumes_names_those_whom_the_run_before_could_not_deliver(fakes: Fakes) -> None:
    fakes.account.unsubscribe("p3@example.com")
    first = begun(fakes)
    cancel_run(fakes.services, first, "ada")
    assert named(fakes, drive(fakes, first))["failed_in_import"] == ["p3@example.com"]
    second = run_export(fakes, make_export(fakes), resumes=first)
    assert second.plan
    assert second.plan.batches == 2
    assert named(fakes, second) == {
        "duplicate_email": ["P0@example.com"],
        "invalid_email_no_at": ["no-at-sign"],
        "failed_in_import": ["p3@example.com"],
    }


def test_of_a_run_that_ended_before_it_was_planned_a_sentence_says_why_there_is_no_report(fakes: Fakes) -> None:
    api = Api(fakes, {})
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    early = api.get(f"/runs/{run_id}/rejects")
    assert (early.status, early.code) == (404, "rejects_not_found")
    assert "has not read its segments" in early.json["detail"]
    api.post(f"/runs/{run_id}/cancel")
    assert drive(fakes, run_id).status is RunStatus.CANCELED
    answer = api.get(f"/runs/{run_id}/rejects")
    assert (answer.status, answer.code) == (404, "rejects_not_found")
    assert "the run ended before any contact was sent (canceled)." in answer.json["detail"]


def test_of_a_run_that_was_held_the_rows_that_were_rejected_are_listed_and_nobody_else_is_kept(fakes: Fakes) -> None:
    export = make_export(fakes)
    run_export(fakes, export)
    write_segment(fakes, [*people(5), *NOT_SENDABLE])
    run = run_export(fakes, export)
    assert run.status is RunStatus.HELD
    assert run.end
    assert run.end.problem
    assert run.end.problem.code == "size_changed"
    assert [row["email"] for row in rejects_of(fakes, run.run_id)] == ["P0@example.com", "no-at-sign"]
    assert not list(fakes.blobs.names(f"working/{run.run_id}/"))
