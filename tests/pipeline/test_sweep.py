"""What the sweep wakes, what it tells and what it deletes: each limit at both of its sides."""

from __future__ import annotations

import logging
from typing import Any

import pytest

from exporter.errors import Culprit
from exporter.model import to_text
from exporter.pipeline.sweep import sweep
from exporter.queues import PLAN_QUEUE, UPLOAD_QUEUE
from exporter.records import lanes, store
from exporter.records.paths import run_path
from exporter.runs.run import Claim, Run, Waiting
from tests.builders import deliver, logged, make_export, people, read_run, start_on_demand, write_segment
from tests.fakes import START, Fakes, make_fakes
from tests.ledgers import lane_event


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(30))
    return fakes


@pytest.fixture
def started(fakes: Fakes) -> str:
    """Start a run whose message is lost; return its id."""
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    fakes.messages.queues.clear()
    return run_id


@pytest.fixture
def planned(fakes: Fakes) -> str:
    """Plan a run of one lane whose message is lost; return its id."""
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    fakes.messages.queues.clear()
    return run_id


def hints(fakes: Fakes) -> dict[str, int]:
    """Sweep; return how many messages each queue has then, and take them away."""
    sweep(fakes.services)
    found = {queue: len(messages) for queue, messages in fakes.messages.queues.items() if messages}
    fakes.messages.queues.clear()
    return found


def record(fakes: Fakes, run_id: str, **facts: object) -> None:
    store.change(fakes.blobs, Run, run_path(run_id), lambda run: run.then(**facts))


def note(fakes: Fakes, run_id: str, name: str, **data: object) -> None:
    """Append an event to the run's only lane, now."""
    (lane,) = lanes.read_lanes(fakes.services, read_run(fakes, run_id)).values()
    lanes.append_events(fakes.services, run_id, 0, lane, lane_event(fakes.clock.now(), name, **data))


def told(caplog: pytest.LogCaptureFixture, action: str) -> list[dict[str, Any]]:
    return [fields for _, found, fields in logged(caplog) if found == action]


def test_a_message_to_plan_has_30_seconds_to_arrive_before_another_is_sent(fakes: Fakes, started: str) -> None:
    fakes.clock.sleep(29.875)
    assert hints(fakes) == {}
    fakes.clock.sleep(0.125)
    assert hints(fakes) == {PLAN_QUEUE: 1}


def test_a_planner_has_90_seconds_for_a_sign_of_life(fakes: Fakes, started: str) -> None:
    record(fakes, started, claim=Claim(by="a planner", at=START))
    fakes.clock.sleep(89.875)
    assert hints(fakes) == {}
    fakes.clock.sleep(0.125)
    assert hints(fakes) == {PLAN_QUEUE: 1}


def test_a_run_that_waits_is_planned_again_when_its_time_has_come(fakes: Fakes, started: str) -> None:
    record(fakes, started, claim=Claim(by="a planner", at=START))
    waiting = Waiting(code="x", message="x", culprit=Culprit.EXTERNAL, since=START, until=START + 45)
    record(fakes, started, waiting=waiting, claim=None)
    fakes.clock.sleep(44.875)
    assert hints(fakes) == {}
    fakes.clock.sleep(0.125)
    assert hints(fakes) == {PLAN_QUEUE: 1}


def test_a_message_to_upload_has_30_seconds_to_arrive_before_another_is_sent(fakes: Fakes, planned: str) -> None:
    fakes.clock.sleep(29.875)
    assert hints(fakes) == {}
    fakes.clock.sleep(0.125)
    assert hints(fakes) == {UPLOAD_QUEUE: 1}


def test_a_worker_has_150_seconds_for_a_sign_of_life(fakes: Fakes, planned: str) -> None:
    note(fakes, planned, "claimed", by="a worker")
    fakes.clock.sleep(149.875)
    assert hints(fakes) == {}
    fakes.clock.sleep(0.125)
    assert hints(fakes) == {UPLOAD_QUEUE: 1}


def test_a_lane_that_waits_is_woken_when_its_time_has_come_without_any_grace(fakes: Fakes, planned: str) -> None:
    until = fakes.clock.now() + 15
    note(fakes, planned, "waiting", code="x", message="x", culprit="external", until=to_text(until))
    fakes.clock.sleep(until - fakes.clock.now() - 0.125)
    assert hints(fakes) == {}
    fakes.clock.sleep(0.25)
    assert hints(fakes) == {UPLOAD_QUEUE: 1}


def test_a_lane_that_is_silent_for_more_than_15_minutes_is_worth_an_alert(
    fakes: Fakes, planned: str, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.clock.sleep(900)
    sweep(fakes.services)
    assert told(caplog, "run_silent") == []
    fakes.clock.sleep(0.125)
    sweep(fakes.services)
    assert logged(caplog)[-1] == ("WARNING", "run_silent", {"runId": planned, "lane": 0, "silentS": 900})


def test_a_lane_whose_waiting_time_is_not_over_is_not_silent(
    fakes: Fakes, planned: str, caplog: pytest.LogCaptureFixture
) -> None:
    until = to_text(fakes.clock.now() + 2_000)
    note(fakes, planned, "waiting", code="x", message="x", culprit="external", until=until)
    fakes.clock.sleep(1_000)
    sweep(fakes.services)
    assert told(caplog, "run_silent") == []


def test_a_lane_whose_waiting_time_is_over_and_that_nobody_takes_is_silent(
    fakes: Fakes, planned: str, caplog: pytest.LogCaptureFixture
) -> None:
    until = fakes.clock.now() + 240
    note(fakes, planned, "waiting", code="x", message="x", culprit="external", until=to_text(until))
    fakes.clock.sleep(until + 899 - fakes.clock.now())
    sweep(fakes.services)
    assert told(caplog, "run_silent") == []
    fakes.clock.sleep(2)
    sweep(fakes.services)
    assert [line["silentS"] for line in told(caplog, "run_silent")] == [901]


def test_a_worker_that_died_leaves_its_lane_silent(
    fakes: Fakes, planned: str, caplog: pytest.LogCaptureFixture
) -> None:
    note(fakes, planned, "claimed", by="a worker that dies")
    fakes.clock.sleep(901)
    sweep(fakes.services)
    assert [line["silentS"] for line in told(caplog, "run_silent")] == [901]


@pytest.mark.parametrize(("age_s", "stops"), [(82_800, False), (82_800.125, True)])
def test_a_run_is_stopped_23_hours_after_its_plan_and_not_before(
    fakes: Fakes, planned: str, age_s: float, *, stops: bool
) -> None:
    plan = read_run(fakes, planned).plan
    assert plan
    fakes.clock.sleep(plan.at + age_s - fakes.clock.now())
    sweep(fakes.services)
    run = read_run(fakes, planned)
    assert (run.stop.code if run.stop else None) == ("run_too_long" if stops else None)


def test_a_working_copy_is_kept_for_a_day_and_not_longer_whatever_became_of_its_run(
    fakes: Fakes, planned: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    (copy,) = fakes.blobs.names("working/")
    note(fakes, planned, "sending", batch=0, portion=0)
    note(fakes, planned, "accepted", batch=0, portion=0, importId="1", queued=30)  # nobody asks what became of it
    plan = read_run(fakes, planned).plan
    assert plan
    fakes.clock.sleep(plan.at + 86_400 - fakes.clock.now())
    sweep(fakes.services)
    assert list(fakes.blobs.names("working/")) == [copy]
    fakes.clock.sleep(0.125)
    sweep(fakes.services)
    assert list(fakes.blobs.names("working/")) == []
    assert told(caplog, "expired") == [{"runId": planned, "kind": "working"}]
    assert read_run(fakes, planned).end is None


def test_what_is_no_run_of_ours_is_left_where_it_is(fakes: Fakes) -> None:
    fakes.blobs.put("working/somebody/elses.txt", b"")
    fakes.clock.sleep(1_000 * 86_400)
    sweep(fakes.services)
    assert list(fakes.blobs.names("working/")) == ["working/somebody/elses.txt"]
