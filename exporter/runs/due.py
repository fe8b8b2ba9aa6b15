"""Whether the schedule starts an export now, and if not, why and until when. No I/O.

The schedule makes attempts at a refresh until one leaves nobody without an outcome. What lay there when the export was
saved, or was exported already, is not started again; a newer refresh always is.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from exporter.definitions.exports import Export
from exporter.definitions.resources import Paused
from exporter.definitions.schedules import AtTimes, newest_time, next_time
from exporter.errors import Culprit
from exporter.model import Time, Value, to_text
from exporter.runs.run import Run, RunStatus, Trigger
from exporter.warned import Warned

PAUSES_S = (900.0, 3_600.0, 21_600.0, 86_400.0)
"""How long after an attempt that left people without an outcome the next one comes: 15 minutes, 1 hour, 6 hours, a day.
An outage is over after minutes, or somebody has to be told; each attempt sends only what is left."""
MOST_ATTEMPTS = len(PAUSES_S) + 1


class Attempted(Value):
    """The newest run that the schedule has started."""

    run_id: str
    attempt: int
    """How many runs the schedule has started for this refresh, or for this time."""
    refresh: str | None = None
    """The refresh that it was for, as `sources.digest` names it; None where the schedule goes by times."""
    due: Time
    """When it was due: the time of the schedule, or when the refresh was seen."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """What is known of an export when the schedule looks at it.

    `host`: of the account; None if there is no such connection. `newest`: its newest run for everybody; `last`: the
    newest that the schedule has started; `going`: a run of it that is in progress, be it for a few people.
    `seen_exported`: what counts as seen was exported by a run that was in progress then. `app_schedule`: the setting
    `EXPORT_SCHEDULE`.
    """

    export: Export
    host: str | None = None
    connection_paused: Paused | None = None
    on_hold: bool = False
    going: Run | None = None
    newest: Run | None = None
    last: Attempted | None = None
    seen_exported: bool = False
    app_schedule: str

    @property
    def since(self) -> float:
        """The time, in epoch seconds, after which times of the schedule count."""
        seen = self.export.seen
        began = seen.at if seen else self.export.updated_utc  # without it, a former release saved the export
        if self.newest and (seen is None or (self.last is None and self.newest.trigger is Trigger.SCHEDULED)):
            began = max(began, self.newest.requested_utc)  # which takes slots without saying what was due
        return max(began, self.last.due if self.last else 0.0)

    @property
    def newest_since(self) -> Run | None:
        """The newest run, if it was requested after what counts as exported was settled."""
        seen, run = self.export.seen, self.newest
        return None if run is None or (seen and run.requested_utc < seen.at) else run


@dataclass(frozen=True, slots=True)
class Due:
    """A run to start: the how many-th attempt, for which refresh or time, and which run it resumes if it still can."""

    attempt: int
    due: float
    refresh: str | None = None
    resumes: str | None = None


def obstacle(facts: Facts) -> Warned | None:
    """Return why nothing starts by itself, whatever is due; None if nothing is in the way."""
    export = facts.export
    if export.connection_id is None:
        return Warned.of("waits_no_connection")
    if facts.host is None:
        return Warned.of("waits_connection_missing", connection=export.connection_id)
    if not export.runs_by_itself:
        return Warned.of("waits_on_demand")
    if export.paused:
        return Warned.of("waits_paused", by=export.paused.by, since=to_text(export.paused.since_utc))
    if facts.connection_paused:
        paused = facts.connection_paused
        return Warned.of(
            "waits_connection_paused", connection=export.connection_id, by=paused.by, since=to_text(paused.since_utc)
        )
    if facts.on_hold:
        return Warned.of("waits_on_hold", connection=export.connection_id)
    if facts.going:
        return Warned.of("waits_run", run=facts.going.run_id)
    return None


def repair_at(facts: Facts) -> float | None:
    """Return when people whom the newest run left without an outcome are sent, in epoch seconds; None: never."""
    run = facts.newest_since
    if run is None or run.end is None or run.host != facts.host or not leaves_people(run):
        return None
    made = _made(run)
    return run.end.at + PAUSES_S[made - 1] if made < MOST_ATTEMPTS else None


def _made(run: Run) -> int:
    """Return the how many-th attempt a run was; what a person started was the first, whatever it was for."""
    return run.attempt or 1


def leaves_people(run: Run) -> bool:
    """Return whether a run that is over left people without an outcome, for a cause outside.

    What a person stopped, or has to approve or correct, is not tried again by itself.
    """
    end = run.end
    if end is None or run.status in (RunStatus.CANCELED, RunStatus.HELD, RunStatus.SKIPPED):
        return False
    if end.problem and end.problem.culprit is Culprit.USER:
        return False
    return run.tally is None or run.tally.unconfirmed > 0 or (run.plan is None and end.status is RunStatus.FAILED)


def due_by_time(facts: Facts, now: float) -> Due | None:
    """Return what a schedule of times starts now, if anything."""
    schedule = facts.export.schedule
    if isinstance(schedule, AtTimes) and (at := newest_time(schedule, facts.since, now, facts.app_schedule)):
        return Due(1, at)
    repair = _repair(facts)
    return repair if repair and repair.due <= now else None


def due_by_refresh(facts: Facts, now: float, refresh: str, *, new: bool) -> Due | None:
    """Return what a schedule of refreshes starts now, if anything.

    `refresh`: the newest one, which is complete. `new`: it `is_new`, and no run for everybody has read exactly that;
    with `skip_unchanged` off, only runs of the schedule count.
    """
    if new:
        return Due(1, now, refresh)
    repair = _repair(facts)
    return replace(repair, refresh=refresh) if repair and repair.due <= now else None


def is_new(facts: Facts, refresh: str) -> bool:
    """Return whether the schedule has not made an attempt at a refresh, and it did not lie there at the beginning.

    Nor is it new if it holds the newest run, whoever started that: another one would be held, too, and take its place.
    """
    seen = facts.export.seen.refresh if facts.export.seen else None
    held = facts.newest.end.refresh if facts.newest and facts.newest.end else None
    return refresh not in (seen, held, facts.last.refresh if facts.last else None)


def _repair(facts: Facts) -> Due | None:
    """Return the next attempt for those whom the newest run has left, whenever it is due."""
    at, run = repair_at(facts), facts.newest
    return None if at is None or run is None else Due(_made(run) + 1, at, resumes=run.run_id)


@dataclass(frozen=True, slots=True)
class Outlook:
    """When an export runs next by itself, in epoch seconds, if that is known; and why not now."""

    next_run: float | None
    not_now: Warned


def outlook(facts: Facts, now: float, in_the_way: Warned | None = None) -> Outlook:
    """Return when an export runs next, and why not now. `in_the_way`: what keeps its segments from being read."""
    if stop := obstacle(facts):
        after = _next_time(facts, now) if facts.going else None
        return Outlook(after, stop)
    repair, at = _repair(facts), _next_time(facts, now)
    if repair and (at is None or repair.due < at) and (repair.due > now or in_the_way is None):
        begins = max(repair.due, now)
        return Outlook(
            begins, Warned.of("waits_repair", at=to_text(begins), attempt=repair.attempt, most=MOST_ATTEMPTS)
        )
    if in_the_way:
        return Outlook(at, in_the_way)
    return Outlook(at, _of_the_newest(facts) or _of_the_schedule(facts, at))


def _next_time(facts: Facts, now: float) -> float | None:
    schedule = facts.export.schedule
    if not isinstance(schedule, AtTimes):
        return None
    owed = newest_time(schedule, facts.since, now, facts.app_schedule)
    return now if owed else next_time(schedule, now, facts.app_schedule)


def _of_the_newest(facts: Facts) -> Warned | None:
    """Return what the newest run says against being repeated by itself."""
    run = facts.newest_since
    if run is None or run.end is None:
        return None
    if run.status is RunStatus.HELD:
        return Warned.of("waits_approval", run=run.run_id)
    if run.status is RunStatus.CANCELED and run.cancel:
        return Warned.of("waits_after_cancel", by=run.cancel.by)
    if leaves_people(run) and _made(run) >= MOST_ATTEMPTS:
        return Warned.of("waits_gave_up", attempts=MOST_ATTEMPTS)
    if run.status is RunStatus.FAILED:
        return Warned.of("waits_after_failure", run=run.run_id)
    return None


def _of_the_schedule(facts: Facts, at: float | None) -> Warned:
    if at is not None:
        return Warned.of("waits_time", at=to_text(at))
    seen = facts.export.seen
    exported = facts.seen_exported or (seen is not None and seen.exported)
    if facts.newest_since is None and seen and seen.refreshed_utc is not None and not exported:
        return Warned.of("waits_seen", refreshed=to_text(seen.refreshed_utc))
    return Warned.of("waits_refresh")
