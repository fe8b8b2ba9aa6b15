from datetime import UTC, datetime, timedelta
from pathlib import Path

from sandbox.host.schedule import Schedule
from sandbox.host.timers import NEVER, ScheduleStatus, Timer, take_up
from sandbox.host.worker import Function, Message

NIGHTLY = Schedule.parse("0 0 2 * * *")
MORNING = datetime(2026, 11, 23, 6, tzinfo=UTC)


def test_a_new_timer_owes_nothing() -> None:
    status, past_due = take_up(None, NIGHTLY, MORNING)
    assert status == ScheduleStatus(NEVER, datetime(2026, 11, 24, 2, tzinfo=UTC), MORNING)
    assert not past_due


def test_an_occurrence_missed_by_a_stopped_host_is_past_due_and_still_in_next() -> None:
    stored = ScheduleStatus.after(MORNING - timedelta(days=2), NIGHTLY)
    status, past_due = take_up(stored, NIGHTLY, MORNING)
    assert past_due
    assert status.next == datetime(2026, 11, 22, 2, tzinfo=UTC)


def test_a_host_that_was_down_between_occurrences_owes_nothing() -> None:
    stored = ScheduleStatus.after(MORNING, NIGHTLY)
    assert take_up(stored, NIGHTLY, MORNING + timedelta(hours=3)) == (stored, False)


def test_a_changed_schedule_owes_no_occurrence_of_the_past() -> None:
    stored = ScheduleStatus.after(MORNING - timedelta(days=2), NIGHTLY)
    status, past_due = take_up(stored, Schedule.parse("0 0 5 * * *"), MORNING)
    assert not past_due
    assert status.next == datetime(2026, 11, 24, 5, tzinfo=UTC)


def test_a_status_survives_a_restart(tmp_path: Path) -> None:
    trigger = {"type": "timerTrigger", "name": "timer", "schedule": "0 0 2 * * *"}
    function = Function("nightly", "id", trigger, ())

    def run(_function: Function, _value: Message, _metadata: dict[str, Message]) -> None: ...

    first, second = Timer(function, run, tmp_path), Timer(function, run, tmp_path)
    first._write(ScheduleStatus.after(MORNING, NIGHTLY))
    assert second._path is not None
    assert ScheduleStatus.read(second._path) == ScheduleStatus.after(MORNING, NIGHTLY)
