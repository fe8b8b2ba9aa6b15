"""Every minute: compare the records with what should happen, and make it happen. Two sweeps at once change nothing.

Most of the time nothing is to be done, so that costs as little as possible, however many exports there are: two
listings, and the record of one run. What a process remembers for that is in `services.Memory`; the results follow from
the records alone.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf

from exporter import log
from exporter.errors import Culprit, ExporterError
from exporter.model import to_epoch
from exporter.pipeline import confirm, finish, lookups
from exporter.pipeline.claim import CLAIM_S
from exporter.pipeline.dispatch import dispatch
from exporter.queues import PLAN_QUEUE, UPLOAD_QUEUE, send_hint
from exporter.records import audit, remembered
from exporter.records.lanes import read_lane, read_lanes
from exporter.records.paths import REJECTS, SLOTS, WORKING
from exporter.records.payload import LAST_CALL_S, WORKING_COPY_S
from exporter.records.runs import change_run, read_manifest, read_run
from exporter.records.slots import Slot, active_run
from exporter.runs.run import RUN_ID, Problem, Run
from exporter.sentences import Situation
from exporter.services import Services

GRACE_S = 30.0
"""How long a message that was just sent has to arrive before another is sent."""
SILENT_S = 900.0
"""A lane that has work but is silent for this long is worth an alert; the sweep has tried to wake it by then."""
RETENTION_EVERY_S = 3_600.0
"""How often reject reports and the audit trail, which are kept for days, are looked through."""
_RUN_TIME = re.compile(r"\.(\d{8}T\d{6})Z\.")


def sweep(services: Services) -> None:
    """Wake what waits, restart what has stopped, end what is over, delete what has expired.

    A failure of one export is logged and does not keep the others from being swept.
    """
    over = services.memory.over
    again = min(list(over), key=lambda run_id: over.get(run_id, 0.0), default=None)
    newest = set()
    for path, etag in remembered.listed(services, SLOTS):
        with _isolated(path):
            slot = remembered.get(services, Slot, path, etag)
            if slot is None:
                continue
            run_id = slot.run.run_id
            newest.add(run_id)
            if run_id in over and run_id != again:
                continue
            over.pop(run_id, None)
            if run := active_run(services, slot):
                _drive(services, run)
            else:
                over[run_id] = services.clock.now()
    for run_id in set(over) - newest:
        over.pop(run_id, None)
    _see_to_working_copies(services)
    _expire(services)


@contextmanager
def _isolated(path: str) -> Iterator[None]:
    """Log a failure, so that it does not affect the rest of the sweep."""
    try:
        yield
    except ExporterError as error:
        log.event("sweep_failed", level=logging.ERROR, path=path, code=error.code)
    except Exception as error:  # noqa: BLE001 - an unexpected failure must not affect the rest either
        log.defect(error, path=path)


def _drive(services: Services, run: Run) -> None:
    now = services.clock.now()
    if run.plan is None:
        if run.halted:
            finish.finish(services, run.run_id)
            return
        asked_recently = run.claim is None and run.waiting is None and now - run.requested_utc < GRACE_S
        planning = run.claim is not None and now - run.claim.at < CLAIM_S
        waits = run.waiting is not None and now < run.waiting.until
        if not (asked_recently or planning or waits):
            send_hint(services, PLAN_QUEUE, {"runId": run.run_id})
        return
    lanes = run.plan.lanes
    if now - run.plan.at > LAST_CALL_S and not run.halted:
        run = _stop(services, run)
    for number in range(lanes):
        lane = read_lane(services, run.run_id, number)
        if lane is None:
            if manifest := read_manifest(services, run.run_id):
                dispatch(services, run.run_id, manifest)
            return
        if lane.idle_because(now, services.settings.lane_stale_s, halted=run.halted):
            continue
        silent_s = now - to_epoch(lane.waiting["until"]) if lane.waiting else lane.age_s
        if silent_s > SILENT_S:
            log.event("run_silent", level=logging.WARNING, runId=run.run_id, lane=number, silentS=round(silent_s))
        if lane.age_s >= GRACE_S or lane.waiting:
            send_hint(services, UPLOAD_QUEUE, {"runId": run.run_id, "lane": number})
    finish.finish(services, run.run_id)


def _stop(services: Services, run: Run) -> Run:
    """Stop a run that has contacts left to send; the problem is what it waits for, if anything."""
    left = [lane for lane in read_lanes(services, run).values() if any(lane.pending())]
    if not left:
        return run
    if waiting := next((lane.waiting for lane in left if lane.waiting), None):
        problem = Problem.model_validate(waiting).when(Situation.ENDED)
    else:
        problem = Problem.said("run_too_long", Culprit.EXTERNAL, hours=LAST_CALL_S / 3_600, host=run.host)
    log.event("run_stopped", level=logging.ERROR, runId=run.run_id, code=problem.code)
    stopped = change_run(services, run.run_id, lambda r: None if r.halted else r.then(stop=problem))
    return stopped or run


def _see_to_working_copies(services: Services) -> None:
    """Delete the working copies whose time is over, and do what is left of runs that are over and still have one."""
    now = services.clock.now()
    over: dict[str, Run] = {}
    for path in list(services.blobs.names(WORKING)):
        with _isolated(path):
            run_id = path.split("/")[1]
            run = read_run(services, run_id) if RUN_ID.fullmatch(run_id) else None
            if now - (_copied_at(run) if run else _requested_at(path)) > WORKING_COPY_S:
                _delete(services, path)
            elif run and run.end:
                over[run.run_id] = run
    _follow_up(services, in_turn([*over.values()], now))


def _expire(services: Services) -> None:
    """Once an hour, delete what was kept for days and is past its time.

    A process that has just started looks at once, so that it is done however short processes live. The hour begins
    when a look has come to its end; one that was cut off is made up for by the next sweep.
    """
    now, memory = services.clock.now(), services.memory
    if memory.retention_at is not None and 0 <= now - memory.retention_at < RETENTION_EVERY_S:
        return
    keep_rejects_s = services.settings.rejects_retention_days * 86_400.0
    for path in list(services.blobs.names(REJECTS)):
        with _isolated(path):
            if now - _requested_at(path) > keep_rejects_s:
                run = read_run(services, path.split("/")[1])
                if run is None or now - _copied_at(run) > keep_rejects_s:  # it may have waited before it was planned
                    _delete(services, path)
    with _isolated(audit.PREFIX):
        audit.expire(services.blobs, now, services.settings.audit_retention_days)
    memory.retention_at = now


def in_turn[T](each: Sequence[T], now: float) -> list[T]:
    """Return the same in the same order, but from another one on in each minute, as a sweep may have no time for all.

    Whoever is first in one minute is last in the next, so that each is first once in as many minutes as there are.
    """
    first = int(now // 60) % len(each) if each else 0
    return [*each[first:], *each[:first]]


def _follow_up(services: Services, over: Sequence[Run]) -> None:
    """Look people up and ask for late imports, of runs that are over.

    Samples come first: there are few of them, and what they find says something of a whole run.
    """
    until = services.clock.now() + lookups.LOOK_UP_S
    asked: dict[str, int | None] = {}
    for run in over:
        with _isolated(f"{WORKING}{run.run_id}"):
            asked[run.run_id] = lookups.look_up(services, run, until, samples_only=True)
    for run in over:
        with _isolated(f"{WORKING}{run.run_id}"):
            found = asked.get(run.run_id)
            if found is not None:
                lookups.look_up(services, run, until, at_most=lookups.AT_ONCE - found)
            confirm.ask_late(services, run)


def _copied_at(run: Run) -> float:
    """Return when the run's working copy and its report were written, or the latest time when they may have been."""
    return run.plan.at if run.plan else run.claim.at if run.claim else run.requested_utc


def _delete(services: Services, path: str) -> None:
    services.blobs.delete(path)
    kind, run_id, _ = path.split("/")
    log.event("expired", runId=run_id, kind=kind)


def _requested_at(path: str) -> float:
    """Return when the run of a blob was requested, in epoch seconds; infinity for a blob that belongs to no run."""
    requested = _RUN_TIME.search(path)
    return datetime.strptime(requested.group(1), "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp() if requested else inf
