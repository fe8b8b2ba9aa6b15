"""The record of a run: its steps go by the table only, its account adds up, its progress is true."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from pydantic import ValidationError

from exporter.definitions.exports import DataMatching, ExportDefinition
from exporter.delivery.events import opened
from exporter.delivery.ledger import Lane
from exporter.delivery.plan import Carried, Plan
from exporter.errors import Culprit, Stop
from exporter.model import load, to_text
from exporter.records.paths import lane_path, run_path
from exporter.runs.progress import progress
from exporter.runs.run import (
    RUN_ID,
    STEPS,
    TERMINAL,
    Amended,
    Attempts,
    Cancel,
    Claim,
    End,
    Problem,
    Run,
    RunStatus,
    Trigger,
    Waiting,
    final_status,
    new_run_id,
    scheduled_run_id,
)
from exporter.tally.count import Tally, carry_over, resends, tally_of
from exporter.tally.fates import fates
from tests.fakes import START
from tests.ledgers import import_event, lane_event, portion_event

WAITING = Waiting(code="throttled", message="", culprit=Culprit.EXTERNAL, since=START, until=START)
PLAN = Plan(rows_read=1, contacts=1, duplicates=0, rejected_by_reason={}, batches=1, lanes=1, at=START)
NOTHING = dict.fromkeys(("claim", "plan", "waiting", "end"))
FACTS: dict[RunStatus, dict[str, Any]] = {
    RunStatus.QUEUED: NOTHING,
    RunStatus.PLANNING: NOTHING | {"claim": Claim(by="a", at=START)},
    RunStatus.WAITING: NOTHING | {"waiting": WAITING},
    RunStatus.RUNNING: NOTHING | {"plan": PLAN},
    **{status: {"end": End(status=status, at=START, tally=Tally())} for status in TERMINAL},
}
QUEUED = Run(
    run_id="newsletter.20261118T110640Z." + "0" * 32,
    export_id="newsletter",
    trigger=Trigger.ON_DEMAND,
    requested_by="ada",
    requested_utc=START,
    export=ExportDefinition(
        display_name="Newsletter", list_id=1, segments=("people",), data_matching=DataMatching(email="EMail")
    ),
    host="acme.api-us1.com",
    secret_name="connection-main",
)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(RunStatus, RunStatus)))
def test_a_run_takes_the_steps_of_the_table_and_no_others(before: RunStatus, after: RunStatus) -> None:
    run = QUEUED.model_copy(update=FACTS[before])
    assert run.status is before
    if after in STEPS[before]:
        assert run.then(**FACTS[after]).status is after
    else:
        with pytest.raises(ValueError, match=f"{before} cannot become {after}"):
            run.then(**FACTS[after])


def test_every_run_can_come_to_an_end_and_none_goes_on_after_it() -> None:
    assert set(STEPS) == set(RunStatus)
    reached = set(TERMINAL)
    for _ in RunStatus:
        reached |= {status for status, following in STEPS.items() if following & reached}
    assert reached == set(RunStatus)
    assert {status for status in RunStatus if STEPS[status] == {status}} == TERMINAL


def test_the_table_of_steps() -> None:
    assert {status.value: " ".join(sorted(following)) for status, following in STEPS.items()} == {
        "queued": "canceled planning queued skipped",
        "planning": "canceled failed planning running skipped waiting",
        "waiting": "canceled failed running skipped waiting",
        "running": "canceled completedWithWarnings failed running successful",
        "successful": "successful",
        "completedWithWarnings": "completedWithWarnings",
        "failed": "failed",
        "canceled": "canceled",
        "skipped": "skipped",
    }
    assert [trigger.value for trigger in Trigger] == ["scheduled", "onDemand", "runAll"]


def test_a_run_that_was_just_asked_for_has_no_facts_yet() -> None:
    assert (QUEUED.force, QUEUED.resumes, QUEUED.attempts, QUEUED.tally) == (False, None, None, None)
    assert not QUEUED.halted
    assert load(Run, QUEUED.to_json()) == QUEUED
    attempts = Attempts(since=START)
    assert (attempts.begun, attempts.errors) == (0, 0)
    assert End(status=RunStatus.SKIPPED, at=START, tally=Tally()).resends == 0


# --- Who may do what ---

PROBLEM = Problem(code="x", message="", culprit=Culprit.USER)
END = End(status=RunStatus.FAILED, at=START, tally=Tally(rows_read=1, unconfirmed=1))


@pytest.mark.parametrize("fact", [{"cancel": Cancel(by="ada", at=START)}, {"stop": PROBLEM}, {"end": END}])
def test_nothing_is_sent_for_a_run_that_is_canceled_stopped_or_over(fact: dict[str, Any]) -> None:
    run = QUEUED.model_copy(update={"claim": Claim(by="p1", at=START)} | fact)
    assert run.halted
    assert not run.claimed_by("p1")


def test_a_run_is_planned_by_the_planner_who_claimed_it_and_once() -> None:
    claimed = QUEUED.model_copy(update={"claim": Claim(by="p1", at=START)})
    assert not QUEUED.claimed_by("p1")
    assert claimed.claimed_by("p1")
    assert not claimed.claimed_by("p2")
    assert not claimed.model_copy(update={"plan": PLAN}).claimed_by("p1")


def test_the_account_is_the_one_that_is_known_today() -> None:
    over = QUEUED.model_copy(update={"end": END})
    assert over.tally == END.tally
    amended = Amended(tally=Tally(rows_read=1, confirmed=1), at=START)
    assert over.model_copy(update={"amended": amended}).tally == amended.tally


def test_a_problem_is_what_the_error_says() -> None:
    assert Problem.of(Stop("list_missing", "No list.")) == Problem(
        code="list_missing", message="No list.", culprit=Culprit.USER
    )


# --- Names ---


@pytest.mark.parametrize(
    "run_id",
    [
        "n.20261118T110640Z." + "0" * 32,
        "0" * 63 + ".20261118T110640Z." + "f" * 32,
        "a-1-b.20261118T110640Z." + "9a" * 16,
    ],
)
def test_a_run_id_says_of_what_and_when(run_id: str) -> None:
    assert RUN_ID.fullmatch(run_id)
    assert QUEUED.model_validate(QUEUED.model_dump() | {"run_id": run_id}).run_id == run_id


@pytest.mark.parametrize(
    "run_id",
    [
        "0" * 64 + ".20261118T110640Z." + "0" * 32,
        "-n.20261118T110640Z." + "0" * 32,
        "n-.20261118T110640Z." + "0" * 32,
        "n--n.20261118T110640Z." + "0" * 32,
        "N.20261118T110640Z." + "0" * 32,
        "n/../x.20261118T110640Z." + "0" * 32,
        "n.20261118T110640Z." + "0" * 31,
        "n.20261118T110640Z." + "0" * 33,
        "n.20261118T110640Z." + "F" * 32,
        "n.2026118T110640Z." + "0" * 32,
        "n.20261118T10640Z." + "0" * 32,
        "n.20261118t110640z." + "0" * 32,
        "n_20261118T110640Z." + "0" * 32,
        "n.20261118T110640Z_" + "0" * 32,
        "",
    ],
)
def test_nothing_else_is_a_run_id(run_id: str) -> None:
    assert not RUN_ID.fullmatch(run_id)


@pytest.mark.parametrize("run_id", ["", "n", None])
def test_no_run_is_recorded_under_another_name(run_id: str | None) -> None:
    with pytest.raises(ValidationError):
        Run.model_validate(QUEUED.model_dump() | {"run_id": run_id})
    with pytest.raises(ValidationError):
        Run.model_validate({name: value for name, value in QUEUED.model_dump().items() if name != "run_id"})


def test_run_ids_are_made_of_export_time_and_chance() -> None:
    assert new_run_id("newsletter", START, "0f" * 16) == "newsletter.20261118T110640Z." + "0f" * 16


def test_an_occurrence_of_the_schedule_has_one_run_id() -> None:
    run_id = scheduled_run_id("newsletter", START, "2026-01-01")
    assert run_id == "newsletter.20261118T110640Z.fc72e8540031cf9bbfece711803d7811"
    assert scheduled_run_id("newsletter", START + 0.4, "2026-01-01") == run_id
    others = [
        scheduled_run_id("other", START, "2026-01-01"),
        scheduled_run_id("newsletter", START + 60, "2026-01-01"),
        scheduled_run_id("newsletter", START, "2026-01-02"),
    ]
    assert len({run_id.rpartition(".")[2], *(other.rpartition(".")[2] for other in others)}) == 4


def test_the_records_of_a_run_are_kept_together() -> None:
    assert run_path("r") == "records/runs/r/run.json"
    assert run_path("r", "report.json") == "records/runs/r/report.json"
    assert lane_path("r", 3) == "records/runs/r/lanes/3.jsonl"


# --- The account ---


def busy_lane() -> Lane:
    """Five batches of four: confirmed but for one, given up, on its way, being sent again, not sent yet."""
    lane = Lane()
    lane.apply(opened(START, [(number, 4) for number in range(5)]))
    for number in range(3):
        lane.apply(portion_event(START, "sending", lane.portions[number, 0]))
        lane.apply(portion_event(START, "accepted", lane.portions[number, 0], importId=f"i{number}"))
    lane.apply(import_event(START, "confirmed", lane.imports["i0"], failed={"2": "excluded"}))
    lane.apply(import_event(START, "gaveUp", lane.imports["i1"], reason="not_confirmed_in_time"))
    for _ in range(2):
        lane.apply(portion_event(START, "sending", lane.portions[3, 0]))
    return lane


BUSY_PLAN = Plan(
    rows_read=30,
    contacts=20,
    duplicates=3,
    rejected_by_reason={"missing_email": 5, "no_consent": 2},
    batches=5,
    lanes=1,
    at=START,
)
CARRIED = Carried(
    run_id="r0", confirmed=40, rejected_by_active_campaign=2, reasons={"excluded": 1, "failed_in_import": 1}
)


def test_every_row_of_a_run_is_in_one_bucket() -> None:
    found = tally_of(BUSY_PLAN, [busy_lane()])
    assert found == Tally(
        rows_read=30,
        confirmed=3,
        duplicates=3,
        rejected=7,
        rejected_by_active_campaign=1,
        unconfirmed=16,
        reasons={
            "duplicate_email": 3,
            "excluded": 1,
            "missing_email": 5,
            "no_consent": 2,
            "not_confirmed_in_time": 4,
            "not_sent": 4,
            "outcome_unknown": 8,
        },
    )
    assert found.adds_up
    assert list(found.reasons) == sorted(found.reasons)


def test_a_run_without_rows_has_an_empty_account() -> None:
    plan = Plan(rows_read=0, contacts=0, duplicates=0, rejected_by_reason={}, batches=0, lanes=0, at=START)
    assert tally_of(plan, []) == Tally()
    assert (plan.warnings, plan.carried) == ((), None)


def test_a_run_that_resumes_another_counts_what_that_one_has_delivered() -> None:
    found = tally_of(BUSY_PLAN.model_copy(update={"carried": CARRIED, "rows_read": 72}), [busy_lane()])
    assert (found.confirmed, found.rejected_by_active_campaign, found.unconfirmed) == (43, 3, 16)
    assert (found.reasons["excluded"], found.reasons["failed_in_import"]) == (2, 1)
    assert found.adds_up


@pytest.mark.parametrize(
    "bucket", ["rows_read", "confirmed", "duplicates", "rejected", "rejected_by_active_campaign", "unconfirmed"]
)
def test_an_account_adds_up_or_not(bucket: str) -> None:
    balanced = Tally(rows_read=31, confirmed=1, duplicates=2, rejected=4, rejected_by_active_campaign=8, unconfirmed=16)
    assert balanced.adds_up
    assert not balanced.model_copy(update={bucket: 0}).adds_up


def test_a_resumed_run_sends_the_batches_again_that_have_contacts_without_an_outcome() -> None:
    left, carried = carry_over(QUEUED.run_id, None, list(fates([busy_lane()])))
    assert left == {1, 2, 3, 4}
    assert carried == Carried(run_id=QUEUED.run_id, confirmed=3, rejected_by_active_campaign=1, reasons={"excluded": 1})


def test_what_was_carried_over_once_is_carried_over_again() -> None:
    left, carried = carry_over(QUEUED.run_id, CARRIED, list(fates([busy_lane()])))
    assert left == {1, 2, 3, 4}
    assert (carried.confirmed, carried.rejected_by_active_campaign) == (43, 3)
    assert carried.reasons == {"excluded": 2, "failed_in_import": 1}
    assert carry_over(QUEUED.run_id, None, []) == (
        frozenset(),
        Carried(run_id=QUEUED.run_id, confirmed=0, rejected_by_active_campaign=0, reasons={}),
    )


def test_requests_that_were_sent_again_are_counted_over_all_lanes() -> None:
    assert resends([busy_lane(), busy_lane(), Lane()]) == 2


@pytest.mark.parametrize(
    ("buckets", "problem", "canceled", "status"),
    [
        ({"confirmed": 9, "duplicates": 1}, None, False, RunStatus.SUCCESSFUL),
        ({"confirmed": 9, "rejected": 1}, None, False, RunStatus.COMPLETED_WITH_WARNINGS),
        ({"confirmed": 9, "rejected_by_active_campaign": 1}, None, False, RunStatus.COMPLETED_WITH_WARNINGS),
        ({"confirmed": 9, "unconfirmed": 1}, None, False, RunStatus.COMPLETED_WITH_WARNINGS),
        ({"rejected": 5, "rejected_by_active_campaign": 5}, None, False, RunStatus.COMPLETED_WITH_WARNINGS),
        ({"rejected": 5, "unconfirmed": 5}, None, False, RunStatus.COMPLETED_WITH_WARNINGS),
        ({"confirmed": 10}, PROBLEM, False, RunStatus.FAILED),
        ({"confirmed": 9}, None, False, RunStatus.FAILED),
        ({"confirmed": 11}, None, False, RunStatus.FAILED),
        ({"confirmed": 10}, None, True, RunStatus.CANCELED),
        ({"confirmed": 9}, PROBLEM, True, RunStatus.CANCELED),
    ],
)
def test_how_a_run_ends(buckets: dict[str, int], problem: Problem | None, canceled: bool, status: RunStatus) -> None:  # noqa: FBT001
    assert final_status(Tally.model_validate({"rows_read": 10} | buckets), problem, canceled=canceled) is status


# --- Progress ---


def waiting_lane(at: float, code: str = "throttled") -> Lane:
    lane = Lane()
    lane.apply(opened(START, [(0, 4)]))
    for later_s in (0, 30):
        lane.apply(
            lane_event(at + later_s, "waiting", code=code, message="Wait.", culprit="external", until=to_text(at + 90))
        )
    return lane


def test_progress_counts_contacts_and_the_time_that_is_left_to_the_second() -> None:
    run = QUEUED.model_copy(update={"plan": BUSY_PLAN})
    assert progress(run, [busy_lane()], 96) == {
        "status": RunStatus.RUNNING,
        "progress": {
            "contacts": 20,
            "sent": 8,
            "confirmed": 3,
            "rejectedByActiveCampaign": 1,
            "secondsLeft": 6,  # two requests in 1.25 s, and 4.9 s until the last import is first asked for
        },
    }


def test_the_slowest_lane_that_has_something_to_wait_for_says_how_long_the_imports_take() -> None:
    slow, done = busy_lane(), Lane(expect_s=60)
    slow.apply(import_event(START + 20, "asked", slow.imports["i2"]))
    found: Any = progress(QUEUED.model_copy(update={"plan": BUSY_PLAN}), [busy_lane(), slow, done], 30)
    assert found["progress"]["secondsLeft"] == 4 * 2 + 25
    found = progress(QUEUED.model_copy(update={"plan": BUSY_PLAN}), [done], 30)
    assert found["progress"]["secondsLeft"] == 0


def test_a_lane_that_only_sends_or_only_waits_for_imports_still_takes_its_time() -> None:
    run = QUEUED.model_copy(update={"plan": BUSY_PLAN})
    sends = Lane()
    sends.apply(opened(START, [(0, 4)]))
    found: Any = progress(run, [sends], 60)
    assert found["progress"]["secondsLeft"] == 1 + 5
    assert progress(run, [sends] * 30, 10)["progress"] == found["progress"] | {"secondsLeft": 180 + 5}
    sends.apply(portion_event(START, "sending", sends.portions[0, 0]))
    sends.apply(portion_event(START, "accepted", sends.portions[0, 0], importId="i"))
    found = progress(run, [sends], 60)
    assert (found["progress"]["sent"], found["progress"]["secondsLeft"]) == (4, 5)


def test_a_run_without_a_plan_has_no_progress() -> None:
    assert progress(QUEUED, [], 96) == {
        "status": RunStatus.QUEUED,
        "progress": {"contacts": 0, "sent": 0, "confirmed": 0, "rejectedByActiveCampaign": 0, "secondsLeft": 0},
    }


def test_a_run_waits_when_all_of_its_open_lanes_do_and_says_what_the_first_one_waits_for() -> None:
    run = QUEUED.model_copy(update={"plan": BUSY_PLAN})
    finished = Lane()
    shown = progress(run, [finished, waiting_lane(START), waiting_lane(START + 5, "credentials_refused")], 96)
    assert shown["status"] is RunStatus.WAITING
    assert shown["waiting"] == {
        "code": "throttled",
        "message": "Wait.",
        "culprit": "external",
        "since": "2026-11-18T11:06:40.000Z",
        "until": "2026-11-18T11:08:10.000Z",
    }


def test_a_run_does_not_wait_while_one_of_its_lanes_works() -> None:
    run = QUEUED.model_copy(update={"plan": BUSY_PLAN})
    taken = waiting_lane(START)
    taken.apply(lane_event(START + 90, "claimed", by="w1"))
    for others in ([busy_lane()], [taken]):
        shown = progress(run, [waiting_lane(START), *others], 96)
        assert shown["status"] is RunStatus.RUNNING
        assert "waiting" not in shown
    assert "waiting" not in progress(run, [Lane()], 96)
