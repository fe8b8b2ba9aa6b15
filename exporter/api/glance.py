"""A run at a glance: what lists of runs and exports show of it."""

from __future__ import annotations

from typing import Any

from exporter.model import Time, Value
from exporter.records.lanes import read_lanes
from exporter.runs.progress import progress
from exporter.runs.run import Held, Problem, Run, RunStatus, Trigger, Waiting
from exporter.services import Services
from exporter.tally.count import Tally


class Progress(Value):
    """How far a run has come, in contacts."""

    contacts: int
    share: float
    """The share of them, from 0 to 1, whose outcome is known."""
    sent: int
    confirmed: int
    rejected_by_active_campaign: int
    seconds_left: int
    """An estimate from the rate limit; it does not include waits. Of a run that is canceled or stopped: for what was
    sent."""


class RunGlance(Value):
    """A run at a glance; `GET /runs/{runId}` shows all of it."""

    run_id: str
    trigger: Trigger
    """What started it."""
    requested_by: str
    """Who started it; `schedule` for the schedule."""
    status: RunStatus
    """Its current status."""
    requested_utc: Time
    """When it was requested."""
    ended_utc: Time | None = None
    """When it ended; absent while it is in progress."""
    only: int | None = None
    """Of a run for a few people: how many were asked for."""
    progress: Progress | None = None
    """Once it is planned, while it is in progress."""
    tally: Tally | None = None
    """Present once it is over: every row read is in exactly one bucket."""
    waiting: Waiting | None = None
    """What it waits for, since when and until when."""
    problem: Problem | None = None
    """Why it failed, is held or was skipped."""
    held: Held | None = None
    """Of a run that was held: all causes, with their numbers."""


def is_under_way(run: Run) -> bool:
    """Return whether a run has progress, which is in its ledgers."""
    return run.end is None and run.plan is not None


def under_way(services: Services, run: Run) -> dict[str, Any]:
    """Return status, progress, traffic and what is waited for of a run that `is_under_way`, from its ledgers."""
    pace = services.settings.bulk_requests_per_minute
    return progress(run, [*read_lanes(services, run).values()], pace, services.clock.now())


def at_a_glance(services: Services, run: Run, *, look: bool = True) -> dict[str, Any]:
    """Return the members of `RunGlance`. Only for the progress of a run in progress, ledgers are read: if `look`."""
    shown: dict[str, Any] = {
        "run_id": run.run_id,
        "trigger": run.trigger,
        "requested_by": run.requested_by,
        "status": run.status,
        "requested_utc": run.requested_utc,
        "ended_utc": run.end.at if run.end else None,
        "only": run.only,
        "tally": run.tally,
        "waiting": None if run.end else run.waiting,
        "problem": run.end.problem if run.end else run.stop,
        "held": run.end.held if run.end else None,
    }
    return {**shown, **under_way(services, run)} if look and is_under_way(run) else shown
