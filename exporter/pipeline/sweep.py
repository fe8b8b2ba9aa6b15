"""Every minute: compare the records with what should happen, and make it happen. Two sweeps at once change nothing."""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from exporter import audit, ledger, log, store
from exporter.errors import ExporterError
from exporter.pipeline import confirm, finish
from exporter.pipeline.manifest import Manifest, manifest_path
from exporter.pipeline.plan import CLAIM_S, dispatch
from exporter.pipeline.start import PLAN_QUEUE, SLOT_PREFIX, UPLOAD_QUEUE, Slot, active_run, send_quietly
from exporter.ports import Services
from exporter.records import to_epoch
from exporter.runs import Run, lane_path, run_path

GRACE_S = 30.0
"""A message that was just sent gets this long to arrive before another is sent."""
SILENT_S = 900.0
"""A lane that should work and has been silent for so long is worth an alert; the sweep has tried to wake it by then."""
WORKING_COPY_S = 86_400.0
"""A working copy holds personal data and is deleted after a day at most, whatever became of its run."""
_RUN_TIME = re.compile(r"\.(\d{8}T\d{6})Z\.")


def sweep(services: Services) -> None:
    """Wake what waits, re-seed what stopped, end what is over, delete what is past its time.

    One export's trouble is logged and does not keep the others from being swept.
    """
    for path in list(services.blobs.names(SLOT_PREFIX)):
        with _alone(path):
            slot = store.get(services.blobs, Slot, path)
            run = active_run(services, slot) if slot else None
            if run:
                _drive(services, run)
    _expire(services)


@contextmanager
def _alone(path: str) -> Iterator[None]:
    """Keep the trouble with one thing from the others."""
    try:
        yield
    except ExporterError as error:
        log.event("sweep_failed", level=logging.ERROR, path=path, code=error.code)
    except Exception as error:  # noqa: BLE001 - as above, also when nobody foresaw it
        log.defect(error, path=path)


def _drive(services: Services, run: Run) -> None:
    now = services.clock.now()
    if run.plan is None:
        if run.halted:
            return finish.finish(services, run.run_id)
        asked_recently = run.claim is None and run.waiting is None and now - run.requested_utc < GRACE_S
        planning = run.claim is not None and now - run.claim.at < CLAIM_S
        waits = run.waiting is not None and now < run.waiting.until
        if not (asked_recently or planning or waits):
            send_quietly(services, PLAN_QUEUE, {"runId": run.run_id})
        return None
    for number in range(run.plan.lanes):
        blob = services.blobs.read(lane_path(run.run_id, number))
        if blob is None:
            if manifest := store.get(services.blobs, Manifest, manifest_path(run.run_id)):
                dispatch(services, run.run_id, manifest)
            return None
        lane = ledger.fold(blob.data)
        waits = lane.waiting is not None and to_epoch(lane.waiting["until"]) > now and not run.halted
        if lane.finished or waits or lane.held(blob.age_s, services.settings.lane_stale_s):
            continue
        if not lane.waiting and blob.age_s > SILENT_S:
            log.event("run_silent", level=logging.WARNING, runId=run.run_id, lane=number, silentS=round(blob.age_s))
        if blob.age_s >= GRACE_S or lane.waiting:
            send_quietly(services, UPLOAD_QUEUE, {"runId": run.run_id, "lane": number})
    return finish.finish(services, run.run_id)


def _expire(services: Services) -> None:
    now = services.clock.now()
    keep_rejects_s = services.settings.rejects_retention_days * 86_400.0
    for prefix, keep_s in (("working/", WORKING_COPY_S), ("rejects/", keep_rejects_s)):
        for path in list(services.blobs.names(prefix)):
            requested = _RUN_TIME.search(path)
            if requested is None:
                continue
            run_id = path.split("/")[1]
            if now - _epoch(requested.group(1)) > keep_s:
                services.blobs.delete(path)
                log.event("expired", runId=run_id, kind=prefix.rstrip("/"))
            elif prefix == "working/":
                with _alone(path):
                    run = store.get(services.blobs, Run, run_path(run_id))
                    if run and run.end:
                        confirm.ask_late(services, run)
    with _alone(audit.PREFIX):
        audit.expire(services.blobs, now, services.settings.audit_retention_days)


def _epoch(compact: str) -> float:
    return datetime.strptime(compact, "%Y%m%dT%H%M%S").replace(tzinfo=UTC).timestamp()
