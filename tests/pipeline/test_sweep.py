"""What the sweep wakes, what it tells and what it deletes: each limit at both of its sides."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import pytest

from exporter.errors import Culprit, Unavailable
from exporter.model import to_text
from exporter.pipeline.sweep import sweep
from exporter.queues import PLAN_QUEUE, UPLOAD_QUEUE
from exporter.records import lanes, store
from exporter.records.paths import closed_path, run_path, slot_path
from exporter.runs.run import Claim, Run, Waiting
from exporter.services import Memory, Services
from tests.builders import (
    deliver,
    logged,
    make_export,
    people,
    read_run,
    run_export,
    settle,
    start_on_demand,
    write_segment,
)
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


def hints(fakes: Fakes, services: Services | None = None) -> dict[str, int]:
    """Sweep; return how many messages each queue has then, and take them away. `services`: another process's."""
    sweep(services or fakes.services)
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


# --- what a sweep costs, and what it does not forget for that ---


class Counted:
    """What storage is asked: lists, reads, and anything else."""

    def __init__(self, fakes: Fakes) -> None:
        self.operations: list[tuple[str, str]] = []
        fakes.blobs.before = lambda operation, path: self.operations.append((operation, path))

    def take(self) -> dict[str, int]:
        found = {"lists": 0, "reads": 0, "others": 0}
        for operation, _ in self.operations:
            kind = "lists" if operation in ("names", "etags") else "reads" if operation == "read" else "others"
            found[kind] += 1
        self.operations.clear()
        return found


EXPORTS = 10


def exports_that_have_run(fakes: Fakes, count: int = EXPORTS) -> list[str]:
    """Run so many exports; return their runs, of which nothing is left to do."""
    fakes.account.set_switches(processing_base_s=0.0)
    run_ids = [run_export(fakes, make_export(fakes, id=f"export-{number}")).run_id for number in range(count)]
    for run_id in run_ids:
        settle(fakes, run_id)
    return run_ids


def another_process(fakes: Fakes) -> Services:
    """Return the services of a process that has just started."""
    return replace(fakes.services, memory=Memory())


def test_a_sweep_with_nothing_due_lists_twice_and_reads_one_run_however_many_exports_there_are(fakes: Fakes) -> None:
    exports_that_have_run(fakes)
    counted = Counted(fakes)
    services = another_process(fakes)
    costs = []
    for _ in range(121):
        fakes.clock.sleep(60)
        sweep(services)
        costs.append(counted.take())
    nothing, hourly = {"lists": 2, "reads": 1, "others": 0}, {"lists": 4, "reads": 1, "others": 0}
    cold = {"lists": 4, "reads": 2 * EXPORTS, "others": 0}
    assert costs == [cold, *[nothing] * 59, hourly, *[nothing] * 59, hourly]


def test_each_run_that_is_over_is_looked_at_again_in_as_many_sweeps_as_there_are_exports(fakes: Fakes) -> None:
    run_ids = exports_that_have_run(fakes)
    sweep(fakes.services)
    counted = Counted(fakes)
    for _ in range(EXPORTS):
        fakes.clock.sleep(60)
        sweep(fakes.services)
    read = [path for operation, path in counted.operations if operation == "read"]
    assert sorted(read) == sorted(run_path(run_id) for run_id in run_ids)


def test_who_may_get_no_mail_costs_no_reading_of_a_run_that_is_none(fakes: Fakes) -> None:
    fakes.blobs.put(closed_path("acme.api-us1.com", 1, to_text(START)[:10].replace("-", "")), b"{}")
    counted = Counted(fakes)
    sweep(fakes.services)
    assert counted.take()["reads"] == 0


def test_the_next_run_of_an_export_is_looked_after_by_a_process_that_knows_the_one_before_to_be_over(
    fakes: Fakes,
) -> None:
    exports_that_have_run(fakes, 2)
    sweep(fakes.services)
    write_segment(fakes, people(31))
    for number in range(2):
        start_on_demand(another_process(fakes), make_export(fakes, id=f"export-{number}"), "ada")
    fakes.messages.queues.clear()
    fakes.clock.sleep(30)
    assert hints(fakes) == {PLAN_QUEUE: 2}


def test_a_run_is_looked_after_in_each_sweep_until_it_is_over(fakes: Fakes) -> None:
    """However often its slot was seen: that does not change meanwhile, and the run does."""
    exports_that_have_run(fakes, 2)
    start_on_demand(fakes.services, make_export(fakes), "ada")
    fakes.messages.queues.clear()
    for _ in range(5):
        fakes.clock.sleep(30)
        assert hints(fakes) == {PLAN_QUEUE: 1}


def test_a_process_that_has_just_started_does_what_one_does_that_remembers(fakes: Fakes, planned: str) -> None:
    sweep(fakes.services)
    fakes.messages.queues.clear()
    fakes.clock.sleep(60)
    for services in (fakes.services, another_process(fakes)):
        assert hints(fakes, services) == {UPLOAD_QUEUE: 1}


def test_two_sweeps_at_once_remember_what_is_so(fakes: Fakes) -> None:
    """The second begins in the middle of the first, as two threads of a process may."""
    run_ids = exports_that_have_run(fakes)
    fakes.services.memory.over.clear()
    fakes.services.memory.records.clear()
    inside = False

    def before(operation: str, path: str) -> None:
        nonlocal inside
        if not inside and path == run_path(run_ids[EXPORTS // 2]):
            inside = True
            sweep(fakes.services)

    fakes.blobs.before = before
    sweep(fakes.services)
    assert inside
    assert sorted(fakes.services.memory.over) == sorted(run_ids)


def test_a_run_that_no_slot_has_any_more_is_forgotten(fakes: Fakes) -> None:
    (first,) = exports_that_have_run(fakes, 1)
    sweep(fakes.services)
    assert list(fakes.services.memory.over) == [first]
    write_segment(fakes, people(31))
    second = run_export(fakes, make_export(fakes, id="export-0")).run_id
    sweep(fakes.services)
    assert list(fakes.services.memory.over) == [second]
    fakes.blobs.delete(slot_path("export-0"))
    sweep(fakes.services)
    assert (fakes.services.memory.over, fakes.services.memory.records) == ({}, {})


def test_a_record_that_cannot_be_read_any_more_is_told_each_minute_and_the_others_are_looked_at(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    run_ids = exports_that_have_run(fakes, 3)
    sweep(fakes.services)
    fakes.blobs.put(run_path(run_ids[1]), b"{}")
    seen = dict(fakes.services.memory.over)
    for _ in range(6):
        fakes.clock.sleep(60)
        sweep(fakes.services)
    told_of = [line["path"] for line in told(caplog, "sweep_failed")]
    assert told_of[-3:] == [slot_path("export-1")] * 3
    assert all(at > seen[run_id] for run_id, at in fakes.services.memory.over.items())
    assert sorted(fakes.services.memory.over) == sorted({*run_ids} - {run_ids[1]})


def test_what_is_kept_for_days_is_looked_through_once_an_hour(fakes: Fakes) -> None:
    def looks() -> bool:
        counted = Counted(fakes)
        sweep(fakes.services)
        listed = [path for operation, path in counted.operations if operation == "names"]
        assert listed in (["working/"], ["working/", "rejects/", "audit/"])
        return "rejects/" in listed

    assert looks(), "the first sweep of a process"
    fakes.clock.sleep(3_599.875)
    assert not looks()
    fakes.clock.sleep(0.125)
    assert looks()
    assert not looks()
    fakes.clock.sleep(-7_200)
    assert looks(), "the clock was put back"
    assert not looks()


def test_a_look_that_was_cut_off_is_made_up_for_by_the_next_sweep(fakes: Fakes) -> None:
    def fail(operation: str, path: str) -> None:
        if (operation, path) == ("names", "rejects/"):
            raise Unavailable.of("storage_contention", times=1)

    entry = "audit/2020-01-01/000000.000Z-0.jsonl"
    fakes.blobs.put(entry, b"")
    fakes.blobs.before = fail
    with pytest.raises(Unavailable):
        sweep(fakes.services)
    assert entry in fakes.blobs.stored
    fakes.blobs.before = lambda operation, path: None
    sweep(fakes.services)
    assert entry not in fakes.blobs.stored
