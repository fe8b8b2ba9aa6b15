"""The record of a run: its steps go by the table only, and its name says of what it is and since when."""

from __future__ import annotations

import itertools
from typing import Any

import pytest
from pydantic import ValidationError

from exporter.delivery.plan import Plan
from exporter.errors import Culprit, Stop
from exporter.model import load
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
    is_yardstick,
    new_run_id,
    nobody_arrived,
    scheduled_run_id,
)
from exporter.tally.count import Tally
from exporter.tally.findings import Sample
from tests.fakes import START
from tests.runs import QUEUED

WAITING = Waiting(code="throttled", message="", culprit=Culprit.EXTERNAL, since=START, until=START)
PLAN = Plan(rows_read=1, contacts=1, duplicates=0, rejected_by_reason={}, batches=1, lanes=1, at=START)
NOTHING = dict.fromkeys(("claim", "plan", "waiting", "cancel", "end"))
FACTS: dict[RunStatus, dict[str, Any]] = {
    RunStatus.QUEUED: NOTHING,
    RunStatus.PLANNING: NOTHING | {"claim": Claim(by="a", at=START)},
    RunStatus.WAITING: NOTHING | {"waiting": WAITING},
    RunStatus.RUNNING: NOTHING | {"plan": PLAN},
    RunStatus.CANCELING: NOTHING | {"cancel": Cancel(by="ada", at=START)},
    **{status: {"end": End(status=status, at=START, tally=Tally())} for status in TERMINAL},
}


@pytest.mark.parametrize(("before", "after"), list(itertools.product(RunStatus, RunStatus)))
def test_a_run_takes_the_steps_of_the_table_and_no_others(before: RunStatus, after: RunStatus) -> None:
    run = QUEUED.model_copy(update=FACTS[before])
    assert run.status is before
    if (before, after) == (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS):
        seen = Amended(tally=Tally(), sample=Sample(confirmed=9, asked=9, not_there=1), at=START)
        assert run.then(amended=seen).status is after
    elif after in STEPS[before]:
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
    assert {status for status in RunStatus if STEPS[status] <= TERMINAL} == TERMINAL


def test_the_table_of_steps() -> None:
    assert {status.value: " ".join(sorted(following)) for status, following in STEPS.items()} == {
        "queued": "canceling planning queued skipped",
        "planning": "canceling failed held planning running skipped waiting",
        "waiting": "canceling failed held running skipped waiting",
        "running": "canceling completedWithWarnings failed running successful",
        "canceling": "canceled canceling completedWithWarnings failed successful",
        "successful": "completedWithWarnings successful",
        "completedWithWarnings": "completedWithWarnings",
        "failed": "failed",
        "canceled": "canceled",
        "held": "held",
        "skipped": "skipped",
    }
    assert [trigger.value for trigger in Trigger] == ["scheduled", "onDemand", "runAll"]


def test_a_run_that_was_just_asked_for_has_no_facts_yet() -> None:
    assert (QUEUED.approved, QUEUED.resumes, QUEUED.attempts, QUEUED.tally) == (None, None, None, None)
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


def test_the_last_part_of_a_scheduled_run_id_derives_from_what_it_is_for() -> None:
    what = ("2026-01-01", "membership", "refresh", 1)
    run_id = scheduled_run_id("newsletter", START, *what)
    assert RUN_ID.fullmatch(run_id)
    last = run_id.rpartition(".")[2]
    assert scheduled_run_id("newsletter", START + 60, *what).rpartition(".")[2] == last
    others = [scheduled_run_id("other", START, *what), scheduled_run_id("newsletter", START, *what[:-1], 2)]
    assert last not in {other.rpartition(".")[2] for other in others}
    assert len(set(others)) == 2


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


@pytest.mark.parametrize(
    ("buckets", "reasons", "told"),
    [
        ({"confirmed": 1, "unconfirmed": 9}, {"not_sent": 9}, None),
        ({"rejected": 10}, {"missing_email": 10}, None),
        ({}, {}, None),
        ({"unconfirmed": 10}, {"import_failed": 3, "not_sent": 7}, (10, "not_sent", 7)),
        ({"rejected": 8, "rejected_by_active_campaign": 2}, {"missing_email": 8, "excluded": 2}, (2, "excluded", 2)),
    ],
)
def test_a_run_has_failed_if_somebody_was_to_arrive_and_nobody_did(
    buckets: dict[str, int], reasons: dict[str, int], told: tuple[int, str, int] | None
) -> None:
    problem = nobody_arrived(Tally.model_validate(buckets | {"reasons": reasons}))
    if told is None:
        assert problem is None
    else:
        assert problem
        assert problem.code == "nobody_arrived"
        assert problem.params == dict(zip(("contacts", "reason", "count"), told, strict=True))


@pytest.mark.parametrize(
    ("status", "buckets", "counts"),
    [
        (RunStatus.SUCCESSFUL, {"confirmed": 1}, True),
        (RunStatus.COMPLETED_WITH_WARNINGS, {"confirmed": 1, "rejected": 9, "rejected_by_active_campaign": 9}, True),
        (RunStatus.COMPLETED_WITH_WARNINGS, {"confirmed": 9, "unconfirmed": 1}, False),
        (RunStatus.SUCCESSFUL, {}, False),
        (RunStatus.FAILED, {"confirmed": 9}, False),
        (RunStatus.CANCELED, {"confirmed": 9}, False),
    ],
)
def test_later_runs_are_compared_with_one_that_left_nobody_unknown(
    status: RunStatus, buckets: dict[str, int], *, counts: bool
) -> None:
    assert is_yardstick(status, Tally.model_validate(buckets)) is counts
