"""Timer triggers.

After `TimerListener` and `StorageScheduleMonitor` of https://github.com/Azure/azure-webjobs-sdk-extensions: the status
handed to the function still has the occurrence being executed in `Next`; it is advanced and written after the
invocation. A host that dies in between finds the occurrence past due when it starts again, and runs it again.
"""

import json
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self

from sandbox.host.schedule import Schedule
from sandbox.host.settings import resolve
from sandbox.host.worker import Function, Message

NEVER = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class ScheduleStatus:
    """What the original keeps for a timer. `last` is `NEVER` before the first invocation."""

    last: datetime
    next: datetime
    last_updated: datetime

    @classmethod
    def after(cls, moment: datetime, schedule: Schedule) -> Self:
        """Return the status once an invocation that started at `moment` has ended."""
        return cls(moment, schedule.next_after(moment), moment)

    @classmethod
    def read(cls, path: Path) -> Self | None:
        """Read a status, or None if there is none."""
        try:
            content = json.loads(path.read_text())
        except FileNotFoundError:
            return None
        return cls(*(datetime.fromisoformat(content[name]) for name in ("Last", "Next", "LastUpdated")))

    def as_json(self) -> dict[str, str]:
        """Return the status under the original's names."""
        return {
            "Last": self.last.isoformat(),
            "Next": self.next.isoformat(),
            "LastUpdated": self.last_updated.isoformat(),
        }


class Timer:
    """Fires one function. `run` runs it and never raises; `state_folder` None keeps the status in memory only."""

    def __init__(
        self,
        function: Function,
        run: Callable[[Function, Message, dict[str, Message]], object],
        state_folder: Path | None,
    ) -> None:
        """Read the schedule.

        :raises ValueError: it is no NCRONTAB expression.
        :raises SettingsError: it names an app setting that is not there.
        """
        self.function = function
        self._run_function = run
        self._schedule = Schedule.parse(resolve(function.trigger["schedule"]))
        wants_monitor = function.trigger.get("useMonitor", True)
        self._monitored = wants_monitor and not self._schedule.has_gap_under_a_minute(datetime.now(UTC))
        self._path = state_folder / f"{function.name}.json" if state_folder and self._monitored else None
        self._status = ScheduleStatus(NEVER, self._schedule.next_after(datetime.now(UTC)), NEVER)

    def start(self) -> None:
        """Begin to fire, at once if an occurrence was missed while the host was down."""
        threading.Thread(target=self._run, name=f"timer-{self.function.name}", daemon=True).start()

    def run_now(self, _input: str = "") -> None:
        """Run the function out of turn, as the admin endpoint does. The schedule stays as it is."""
        self._run_function(self.function, self._trigger_value(past_due=False), {})

    def _run(self) -> None:
        stored = ScheduleStatus.read(self._path) if self._path else None
        status, past_due = take_up(stored, self._schedule, datetime.now(UTC))
        self._write(status)
        if past_due or self.function.trigger.get("runOnStartup", False):
            self._fire(past_due=past_due)
        while True:
            pause_s = (self._status.next - datetime.now(UTC)).total_seconds()
            if pause_s > 0:
                time.sleep(min(pause_s, 3600.0))
            else:
                self._fire()

    def _fire(self, *, past_due: bool = False) -> None:
        moment = datetime.now(UTC)
        self._run_function(self.function, self._trigger_value(past_due=past_due), {})
        self._write(ScheduleStatus.after(moment, self._schedule))

    def _write(self, status: ScheduleStatus) -> None:
        self._status = status
        if self._path:
            temporary = self._path.with_suffix(".new")
            temporary.write_text(json.dumps(status.as_json()))
            temporary.replace(self._path)

    def _trigger_value(self, *, past_due: bool) -> Message:
        value: dict[str, Any] = {"Schedule": {"AdjustForDST": True}, "IsPastDue": past_due}
        if self._monitored:
            value["ScheduleStatus"] = self._status.as_json()
        return Message(json=json.dumps(value))


def take_up(stored: ScheduleStatus | None, schedule: Schedule, now: datetime) -> tuple[ScheduleStatus, bool]:
    """Return the status to go on with when a host starts, and whether an occurrence is past due."""
    if stored is None:
        return ScheduleStatus(NEVER, schedule.next_after(now), now), False
    based_on = stored.last if stored.last != NEVER else stored.last_updated
    expected = schedule.next_after(based_on)
    if stored.next == expected:
        return stored, now > expected
    if expected < now:  # the schedule was changed while no host ran: an occurrence of the new one is not owed
        expected = schedule.next_after(now)
    return ScheduleStatus(NEVER, expected, based_on), False
