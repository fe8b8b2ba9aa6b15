"""Every minute: compare the records with what should happen, and make it happen. Two sweeps at once change nothing."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from math import inf

from exporter import log
from exporter.errors import Culprit, ExporterError
from exporter.model import to_epoch
from exporter.pipeline import confirm, finish
from exporter.pipeline.claim import CLAIM_S
from exporter.pipeline.dispatch import dispatch
from exporter.queues import PLAN_QUEUE, UPLOAD_QUEUE, send_hint
from exporter.records import audit, store
from exporter.records.lanes import read_lane, read_lanes
from exporter.records.paths import SLOTS
from exporter.records.payload import LAST_CALL_S, WORKING_COPY_S
from exporter.records.runs import change_run, read_manifest, read_run
from exporter.records.slots import Slot, active_run
from exporter.runs.run import Problem, Run
from exporter.services import Services

GRACE_S = 30.0
"""How long a message that was just sent has to arrive before another is sent."""
SILENT_S = 900.0
"""A lane that has work but is silent for this long is worth an alert; the sweep has tried to wake it by then."""
_RUN_TIME = re.compile(r"\.(\d{8}T\d{6})Z\.")


def sweep(services: Services) -> None:
    """Wake what waits, restart what has stopped, end what is over, delete what has expired.

    A failure of one export is logged and does not keep the others from being swept.
    """
    for path in list(services.blobs.names(SLOTS)):
        with _isolated(path):
            slot = store.get(services.blobs, Slot, path)
            run = active_run(services, slot) if slot else None
            if run:
                _drive(services, run)
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
        problem = Problem(code=waiting["code"], message=waiting["message"], culprit=waiting["culprit"])
    else:
        problem = Problem(
            code="run_too_long",
            message=f"Expected all contacts to be sent within {LAST_CALL_S / 3_600:.0f} hours, because the working copy"
            " with their data is deleted after a day; some are left. Resume the run, or start the export again. If this"
            " keeps happening, check whether other exports or integrations are using up the account's rate limit.",
            culprit=Culprit.EXTERNAL,
        )
    log.event("run_stopped", level=logging.ERROR, runId=run.run_id, code=problem.code)
    stopped = change_run(services, run.run_id, lambda r: None if r.halted else r.then(stop=problem))
    return stopped or run


def _expire(services: Services) -> None:
    now = services.clock.now()
    keep_rejects_s = services.settings.rejects_retention_days * 86_400.0
    for path in list(services.blobs.names("rejects/")):
        if now - _requested_at(path) > keep_rejects_s:
            _delete(services, path)
    for path in list(services.blobs.names("working/")):
        with _isolated(path):
            run = read_run(services, path.split("/")[1])
            if now - (_copied_at(run) if run else _requested_at(path)) > WORKING_COPY_S:
                _delete(services, path)
            elif run and run.end:
                confirm.ask_late(services, run)
    with _isolated(audit.PREFIX):
        audit.expire(services.blobs, now, services.settings.audit_retention_days)


def _copied_at(run: Run) -> float:
    """Return when the run's working copy was written, or the latest time when it may have been."""
    return run.plan.at if run.plan else run.claim.at if run.claim else run.requested_utc


def _delete(services: Services, path: str) -> None:
    services.blobs.delete(path)
    kind, run_id, _ = path.split("/")
    log.event("expired", runId=run_id, kind=kind)


def _requested_at(path: str) -> float:
    """Return when the run of a blob was requested, in epoch seconds; infinity for a blob that belongs to no run."""
    requested = _RUN_TIME.search(path)
    return datetime.strptime(requested.group(1), "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp() if requested else inf
