"""The laws of schedules: what starts by itself, what does not, and what must, whatever people and machines do.

S1  By the schedule, a refresh is completed once, and has one first attempt; a time of day is made up for once. A run
    for a refresh sends that one, whole.
S2  The newest complete refresh that does not count as seen gets its attempts, and so does the newest time of day.
S3  Saving runs nothing: what lies there complete when a schedule, what it reads, the connection or a pause changes is
    not started by the schedule afterwards, nor is a run from before repaired.
S4  Nothing starts by itself in a pause, without a connection or a schedule. Another attempt comes after the pause that
    is due, for people whom the newest run left without an outcome, five in all; not after a cancel, a hold or a user's
    mistake.
S5  A start by the schedule while a run is going leaves no record. A run is superseded only where its segments moved.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

import orjson

from exporter.pipeline import sources
from exporter.source.files import SegmentFile
from exporter.source.segments import Reading, Segments
from tests.builders import SEGMENT

if TYPE_CHECKING:
    from tests.simulation.oracle import Oracle, RunSeen
    from tests.simulation.world import World

PAUSES_S = (90.0, 240.0, 480.0, 900.0)
"""Between attempts; shorter than those of the app, so that five of them fit into a world."""
MOST_ATTEMPTS = 5
APP_MINUTES = 20
"""`EXPORT_SCHEDULE`: every so many minutes."""
READS = ("schedule", "connectionId", "segments", "files", "ignore", "completeWhen", "encoding")
"""The members of an export after whose change the schedule begins anew."""
SURELY_S = 5.0
"""What takes no longer is not judged: ends of pauses, of quiet times."""


@dataclass(slots=True)
class State:
    """What the folder of the segment holds, from when on."""

    since: float
    files: dict[str, tuple[SegmentFile, bytes]]
    digest: str | None
    """As a run names the refresh; None if there is none."""
    complete_at: float
    until: float = float("inf")

    def was_complete(self, begin: float, end: float) -> bool:
        """Whether it was complete at any moment of a time."""
        return self.digest is not None and self.complete_at <= end and begin <= self.until and self.is_complete

    @property
    def is_complete(self) -> bool:
        return self.complete_at < self.until


@dataclass(slots=True)
class Told:
    """What people have said of an export."""

    export: dict[str, Any] = field(default_factory=dict)
    seen: dict[str, float] = field(default_factory=dict)
    """The refreshes that count as seen, and since when."""
    doubtful: set[str] = field(default_factory=set)
    """Refreshes that became complete while somebody saved: they may count as seen or not."""
    began: float = 0.0
    """When it began anew, at last."""
    asked: float = 0.0
    """When whoever wrote that had begun: what was settled then is from a time in between."""
    blocked: list[tuple[float, bool]] = field(default_factory=list)
    """Whether something keeps it from starting by itself, and since when."""
    due: float = 0.0
    """The newest time of day that was started."""

    @property
    def kind(self) -> str:
        """The kind of its schedule."""
        kind: str = (self.export.get("schedule") or {"kind": "none"})["kind"]
        return kind


class Calendar:
    """Watches the schedules of one world."""

    def __init__(self, world: World, oracle: Oracle) -> None:
        self._world = world
        self._oracle = oracle
        self._told: defaultdict[str, Told] = defaultdict(Told)
        self._connection_paused = False
        self.states: list[State] = []
        self._changed_at = 0.0
        """When something happened after which the schedule has to look again."""
        self._looks = 0
        """How often it has looked since."""

    @property
    def _skew_s(self) -> float:
        return 2 * self._world.scenario.skew_s

    def _require(self, holds: object, law: str, text: str) -> None:
        self._oracle.require(holds, law, text)

    def _began(self) -> float:
        """Return when the invocation began that writes; now, if nobody of the app does."""
        host = self._world.host
        return host.current().began if host.is_at_work else self._world.clockwork.now

    # --- the segment ---

    def segment_changed(self) -> None:
        """Note what the folder of the segment holds from now on."""
        now = self._world.clockwork.now
        if self.states:
            self.states[-1].until = now
        files = dict(self._world.segments.files)
        newest = max((file.modified for file, _ in files.values()), default=now)
        self.states.append(State(now, files, self._digest(), newest + self._world.settings.segment_quiet_s))
        self._happened()

    def _digest(self) -> str | None:
        prefix = self._world.settings.segment_prefix
        if not self._world.segments.files:
            return None
        refresh = Segments(self._world.segments, prefix).refresh(SEGMENT, Reading())
        return sources.digest(sources.fingerprint((refresh,)))

    def _of(self, run: RunSeen) -> str | None:
        """Return the refresh that a run has planned."""
        if run.manifest is None:
            return None
        etags = {source.etag for source in run.manifest.sources}
        found = (s.digest for s in self.states if {file.etag for file, _ in s.files.values()} == etags)
        return next(found, None)

    # --- what people say ---

    def export_written(self, export_id: str, after: bytes) -> None:
        """Look at a write of an export."""
        told, now, began = self._told[export_id], self._world.clockwork.now, self._began()
        before, told.export = told.export, orjson.loads(after)
        unpaused = "paused" in before and "paused" not in told.export
        read = [{name: each.get(name) for name in READS} for each in (before, told.export)]
        if read[0] != read[1] or unpaused:
            self._begins_anew(told, began, now)
        self._blocks(export_id)
        self._happened()

    def connection_written(self, after: bytes) -> None:
        """Look at a write of the connection."""
        now, began = self._world.clockwork.now, self._began()
        was, self._connection_paused = self._connection_paused, "paused" in orjson.loads(after)
        for export_id, told in self._told.items():
            if was and not self._connection_paused:
                self._begins_anew(told, began, now)
            self._blocks(export_id)
        self._happened()

    def _begins_anew(self, told: Told, began: float, now: float) -> None:
        told.began, told.asked = now, began
        for state in self.states:
            if state.digest is None or not state.was_complete(began, now):
                continue
            lay_there = state.since <= began and state.complete_at <= began and state.until >= now
            if lay_there:
                told.seen[state.digest] = now
            else:
                told.doubtful.add(state.digest)

    def _blocks(self, export_id: str) -> None:
        told = self._told[export_id]
        export = told.export
        nothing = told.kind == "none" or "connectionId" not in export or "paused" in export
        told.blocked.append((self._world.clockwork.now, nothing or self._connection_paused))

    def _is_blocked(self, told: Told, since: float) -> bool:
        """Whether something kept the export from starting by itself ever since."""
        before = [blocked for at, blocked in told.blocked if at <= since]
        return all([*before[-1:], *(blocked for at, blocked in told.blocked if at > since)])

    # --- what the schedule does ---

    def slot_taken(self, run: dict[str, Any], before: bytes | None, after: dict[str, Any]) -> None:
        """Look at a run that takes the slot of its export."""
        if run["trigger"] != "scheduled":
            return
        told, now, began = self._told[run["exportId"]], self._world.clockwork.now, self._began()
        if self._world.restored:
            return
        self._require(not self._is_blocked(told, began), "S4", "started by itself, though nothing may")
        attempt = run["attempt"]
        self._require(1 <= attempt <= MOST_ATTEMPTS, "S4", f"attempt {attempt}")
        newest = self._newest(before)
        if run["export"]["schedule"]["kind"] == "withEveryRefresh":
            there = [s for s in self.states if s.digest == run.get("refresh") and s.was_complete(began, now)]
            self._require(there, "S1", "started for a refresh that does not lie there complete")
            others = [each for each in self._scheduled(run["exportId"]) if each.record["refresh"] == run["refresh"]]
            if attempt == 1:
                self._first_attempt(told, run, others, began)
            else:
                known = others or run["refresh"] in told.seen or run["refresh"] in told.doubtful
                known = known or any(self._of(each) == run["refresh"] for each in self._runs(run["exportId"]))
                self._require(known, "S2", f"attempt {attempt} at a refresh to which there was none")
        else:
            self._require("refresh" not in run, "S1", "a time of day has no refresh")
            if attempt == 1:
                self._time_of_day(told, run, after["scheduled"]["due"], began, now)
        if attempt > 1:
            self._again(told, run, newest, began, now)

    def _first_attempt(self, told: Told, run: dict[str, Any], others: list[RunSeen], began: float) -> None:
        refresh = run["refresh"]
        self._require(not others, "S1", "a second first attempt at a refresh")
        seen = told.seen.get(refresh)
        self._require(seen is None or seen > began, "S3", "what lay there when somebody saved was started")
        if not run["export"].get("skipUnchanged", True) or self._world.scenario.sabotage:
            return
        sent = [each for each in self._runs(run["exportId"]) if each.counts and "only" not in each.record]
        if sent and (last := max(sent, key=lambda each: each.completed_at or 0)) and self._of(last) == refresh:
            same = all(last.record["export"].get(n) == run["export"].get(n) for n in ("listId", "consentColumn"))
            over = (last.completed_at or 0) < began
            told_so = self._oracle.contradicts(last)
            self._require(not same or not over or told_so, "S1", f"what {last.run_id} has exported is started again")

    def _again(self, told: Told, run: dict[str, Any], newest: RunSeen | None, began: float, now: float) -> None:
        self._require(newest and newest.ended_at is not None, "S4", "another attempt, and none before")
        assert newest
        assert newest.ended_at is not None
        why = self._why_not(newest)
        self._require(not why, "S4", f"another attempt after a run that was {why}")
        over = newest.completed_at is not None and newest.completed_at < began
        self._require(not over, "S4", "another attempt, though everybody has an outcome")
        made = newest.record.get("attempt", 1)
        self._require(run["attempt"] == made + 1, "S4", f"attempt {run['attempt']} after {made}")
        waited_s = now - datetime.fromisoformat(newest.record["end"]["at"]).timestamp()  # it may be written later
        self._require(waited_s >= PAUSES_S[made - 1] - self._skew_s - SURELY_S, "S4", f"again after {waited_s:.0f} s")
        self._require(run.get("resumes") in (None, newest.run_id), "S4", "resumes another run than the newest")
        anew = newest.taken_at < told.began - self._skew_s and told.began < began
        self._require(not anew, "S3", "a run from before the schedule began anew is repaired")

    @staticmethod
    def _why_not(run: RunSeen) -> str | None:
        """Return why a run is not tried again, whoever it left."""
        end = run.record["end"]
        if run.held or end["status"] in ("canceled", "skipped"):
            return "held" if run.held else str(end["status"])
        return "somebody's mistake" if (end.get("problem") or {}).get("culprit") == "user" else None

    def _time_of_day(self, told: Told, run: dict[str, Any], due: str, began: float, now: float) -> None:
        at = datetime.fromisoformat(due).timestamp()
        self._require(at <= now + self._skew_s, "S1", "started before its time")
        self._require(at > told.due, "S1", "a time of day was started twice")
        early = told.began < began and at < told.asked - self._skew_s
        self._require(not early, "S3", "a time from before somebody saved was started")
        self._require(_is_time(run["export"]["schedule"], at), "S1", f"{due} is no time of {run['export']['schedule']}")
        told.due = at

    def run_written(self, run: RunSeen, record: dict[str, Any], known: bool) -> None:  # noqa: FBT001
        """Look at a write of a run's record."""
        if record["trigger"] == "scheduled":
            self._require(known, "S5", "a start by the schedule that did not take the slot has left a record")
            problem = (record.get("end") or {}).get("problem") or {}
            if problem.get("code") == "superseded":
                other = [s for s in self.states if s.digest != record["refresh"] and s.until >= run.taken_at]
                self._require(other, "S5", "superseded, though nothing moved")
        if record.get("end") and run.ended_at == self._world.clockwork.now:
            self._happened()

    def planned(self, run: RunSeen) -> None:
        """Look at what a run is about to send."""
        refresh = run.record.get("refresh")
        sent = self._of(run)
        complete = [s for s in self.states if sent is not None and s.digest == sent and s.is_complete]
        self._require(complete, "S1", "planned what was never complete")
        self._require(refresh in (None, sent), "S1", "sends another refresh than it was started for")

    # --- what must happen ---

    def looked(self, began: float) -> None:
        """Note that the schedule has looked."""
        self._looks += began > max(self._changed_at, self._world.calm_at)

    def _happened(self) -> None:
        self._changed_at, self._looks = self._world.clockwork.now, 0

    @property
    def settled(self) -> bool:
        """Whether the schedule has done what it has to do, or has failed to."""
        now, patience_s = self._world.clockwork.now, self._patience_s
        return self._looks >= 2 and all(now > max(since, self._world.calm_at) + patience_s for _, since in self._owed())

    def check(self) -> None:
        """Judge whether what has to happen has happened."""
        if self._world.restored:
            return
        for what, since in self._owed():
            late_s = self._world.clockwork.now - max(since, self._world.calm_at)
            self._require(late_s <= self._patience_s, "S2", f"{what} for {late_s:.0f} s")

    @property
    def _patience_s(self) -> float:
        return 2 * self._world.people.looks_every_s + self._skew_s + 120

    def _owed(self) -> Iterator[tuple[str, float]]:
        """Yield what has to happen, and since when it could."""
        now = self._world.clockwork.now
        for export_id, told in self._told.items():
            if not told.blocked or told.blocked[-1][1]:
                continue
            runs = self._runs(export_id)
            free = max((now if run.ended_at is None else run.ended_at for run in runs), default=0.0)
            free = max(free, told.blocked[-1][0], told.began)
            state = self.states[-1]
            if told.kind == "withEveryRefresh":
                if not self._is_done(export_id, told, state):
                    yield f"{export_id}: the newest refresh is not exported", max(free, state.complete_at)
            elif (at := _newest_time(told.export["schedule"], now)) > max(told.due, self._times_from(export_id, told)):
                yield f"{export_id}: nothing has started at its time", max(free, at)
            full = [run for run in runs if "only" not in run.record]
            newest = max(full, key=lambda run: run.number, default=None)
            if newest is None or newest.ended_at is None or newest.completed_at or self._why_not(newest):
                continue
            made = newest.record.get("attempt", 1)
            anew = newest.taken_at < told.began + self._skew_s
            if made < MOST_ATTEMPTS and not anew and self._oracle.leaves_people(newest):
                yield f"{export_id}: attempt {made + 1} is owed", max(free, newest.ended_at + PAUSES_S[made - 1])

    def _times_from(self, export_id: str, told: Told) -> float:
        """Return the time after which times count; where a former release saved it, its newest run was for one."""
        runs = [] if "seen" in told.export else self._runs(export_id)
        return max([told.began, *(run.taken_at for run in runs)]) + self._skew_s

    def _is_done(self, export_id: str, told: Told, state: State) -> bool:
        if state.digest is None or state.digest in told.seen or state.digest in told.doubtful:
            return True
        for run in self._runs(export_id):
            end = run.record.get("end") or {}
            problem = end.get("problem") or {}
            if run.held and end.get("refresh") == state.digest:
                return True  # somebody has to say first whether it is intended
            if run.record.get("refresh") == state.digest and problem.get("code") != "superseded":
                return True
            if self._of(run) == state.digest and "only" not in run.record:
                return True
        return False

    # --- runs ---

    def _runs(self, export_id: str) -> list[RunSeen]:
        return [run for run in self._oracle.runs.values() if run.export_id == export_id and run.record]

    def _scheduled(self, export_id: str) -> list[RunSeen]:
        return [
            run for run in self._runs(export_id) if run.record["trigger"] == "scheduled" and "refresh" in run.record
        ]

    def _newest(self, slot: bytes | None) -> RunSeen | None:
        if slot is None:
            return None
        kept = orjson.loads(slot)
        newest = kept.get("attempt") if "only" in kept["run"] else kept["run"]["runId"]
        return self._oracle.runs.get(newest) if newest else None


def _is_time(schedule: dict[str, Any], at: float) -> bool:
    """Whether a schedule of a world names this time. All of them name minutes of every hour."""
    minutes = schedule["cron"].split()[0] if "cron" in schedule else f"*/{APP_MINUTES}"
    local = datetime.fromtimestamp(at, ZoneInfo(schedule.get("timeZone", "UTC")))
    steps = [int(minutes[2:])] if minutes.startswith("*/") else []
    named = range(0, 60, steps[0]) if steps else map(int, minutes.split(","))
    return at % 60 == 0 and local.minute in named


def _newest_time(schedule: dict[str, Any], now: float) -> float:
    at = now - now % 60
    while not _is_time(schedule, at):
        at -= 60
    return at
