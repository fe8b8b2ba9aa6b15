"""What nobody foresaw is told, is not repeated for ever, and stays with the run that it befell."""

from __future__ import annotations

import pytest

from exporter.errors import Unavailable
from exporter.pipeline import destination, plan, upload
from exporter.pipeline.sweep import sweep
from exporter.records import lanes
from exporter.records.paths import EXPORTS, run_path
from exporter.runs.run import Problem, Run, RunStatus
from tests.builders import (
    drive,
    logged,
    make_export,
    people,
    read_run,
    settle,
    start_on_demand,
    tomorrow,
    write_segment,
)
from tests.fakes import Fakes, make_fakes

A_DAY_S = 86_400.0
NEWER = b'{"schemaVersion": 3}'


class Defect(Exception):
    """What nobody foresaw; its text holds data."""

    def __init__(self) -> None:
        super().__init__("jane@example.com")


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(600))
    return fakes


def fail_planning(monkeypatch: pytest.MonkeyPatch, *errors: BaseException) -> list[BaseException]:
    """Let planning fail with these, one after the other, and then work; returns what is left of them."""
    left, original = list(errors), destination.look

    def check(*arguments: object) -> object:
        if left:
            raise left.pop(0)
        return original(*arguments)  # type: ignore[arg-type]  # whatever it is called with

    monkeypatch.setattr(destination, "look", check)
    return left


def problem_of(run: Run) -> Problem:
    assert run.end
    assert run.end.problem
    return run.end.problem


def test_planning_that_fails_for_an_unforeseen_reason_each_time_ends_the_run(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    left = fail_planning(monkeypatch, *[Defect()] * 100)
    run = drive(fakes, start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id)
    problem = problem_of(run)
    assert (run.status, problem.code, problem.culprit) == (RunStatus.FAILED, "defect", "system")
    assert "Defect at " in problem.message
    assert "jane" not in caplog.text + fakes.blobs.stored[run_path(run.run_id)].data.decode()
    assert len(left) == 100 - plan.PLANNING_TRIES
    assert fakes.activecampaign.requests == []


def test_planning_that_fails_for_an_unforeseen_reason_now_and_then_is_repeated(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_planning(monkeypatch, *[Defect()] * (plan.PLANNING_TRIES - 1))
    run = drive(fakes, start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id)
    assert run.status is RunStatus.SUCCESSFUL


def test_what_is_amiss_outside_does_not_count(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    errors = [Defect(), Unavailable("segments_unavailable", "Storage does not answer.")]
    fail_planning(monkeypatch, *errors * 2 * plan.PLANNING_TRIES)
    run = drive(fakes, start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id)
    assert run.status is RunStatus.SUCCESSFUL


class Died(BaseException):
    """The process ended."""


def plan_until_it_ends(fakes: Fakes, run_id: str) -> int:
    """Plan a run each time when its planner counts as dead; return how many planners died."""
    died = 0
    while not read_run(fakes, run_id).halted and read_run(fakes, run_id).plan is None:
        fakes.clock.sleep(90)
        try:
            plan.plan_run(fakes.services, run_id)
        except Died:
            died += 1
    return died


def test_a_planner_that_dies_each_time_ends_the_run_after_the_third_time(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    fail_planning(monkeypatch, *[Died()] * 100)
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    assert plan_until_it_ends(fakes, run_id) == 3
    assert problem_of(read_run(fakes, run_id)).code == "planning_died"
    assert fakes.activecampaign.requests == []


def test_deaths_before_and_after_a_wait_are_not_added_up(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    down = Unavailable("activecampaign_unavailable", "It does not answer.")
    fail_planning(monkeypatch, Died(), Died(), down, Died(), Died())
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    assert plan_until_it_ends(fakes, run_id) == 4
    assert read_run(fakes, run_id).plan


def test_uploading_that_fails_for_an_unforeseen_reason_waits_and_ends_after_a_day(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def fail(*_: object) -> None:
        raise Defect

    monkeypatch.setattr(upload, "read_batch", fail)
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    drive(fakes, run_id, limit_s=600)
    fakes.clock.sleep(A_DAY_S / 2)
    run = drive(fakes, run_id, limit_s=600)
    (lane,) = lanes.read_lanes(fakes.services, run).values()
    assert run.end is None
    assert lane.waiting
    assert lane.waiting["code"] == "defect"
    fakes.clock.sleep(A_DAY_S / 2)
    run = drive(fakes, run_id, limit_s=600)
    assert (run.status, problem_of(run).code) == (RunStatus.FAILED, "defect")
    assert run.end
    assert run.end.tally.reasons == {"not_sent": 600}
    assert "jane" not in caplog.text


def test_an_export_that_cannot_be_read_does_not_keep_the_others_from_starting(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    make_export(fakes, id="vip", scheduled=True)
    fakes.blobs.put(f"{EXPORTS}broken.json", NEWER)
    tomorrow(fakes)
    assert ("WARNING", "scheduled_start_failed") in [(level, action) for level, action, _ in logged(caplog)]
    assert [path for path in fakes.blobs.names("records/runs/vip.") if path.endswith("run.json")]


def test_a_run_that_cannot_be_looked_after_does_not_keep_the_others_from_it(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = start_on_demand(fakes.services, make_export(fakes, id="a"), "ada").run
    second = start_on_demand(fakes.services, make_export(fakes, id="b"), "ada").run
    fakes.messages.queues.clear()
    fakes.blobs.put(run_path(first.run_id), b'{"schemaVersion": 2}')
    fakes.blobs.put(f"working/{first.run_id}/x.batches", b"")
    fakes.clock.sleep(60)
    sweep(fakes.services)
    assert drive(fakes, second.run_id).status is RunStatus.SUCCESSFUL
    settle(fakes, second.run_id)
    assert list(fakes.blobs.names(f"working/{second.run_id}/")) == []
