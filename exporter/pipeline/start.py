"""Start a run: at most one at a time for an export, however often and from wherever it is asked for."""

from __future__ import annotations

import hashlib
import logging
from dataclasses import dataclass
from enum import StrEnum

from exporter import log
from exporter.definitions.connections import Connection
from exporter.definitions.exports import Export, ExportDefinition
from exporter.errors import Culprit, ExporterError, Stop, Unavailable, Wait
from exporter.model import load
from exporter.ports import Changed
from exporter.queues import PLAN_QUEUE, send_hint
from exporter.records import paths, store
from exporter.records.definitions import read_connection
from exporter.records.paths import run_path, slot_path
from exporter.records.runs import read_run
from exporter.records.slots import IdempotencyKey, Slot, active_run
from exporter.runs.run import End, Problem, Run, RunStatus, Trigger, new_run_id, scheduled_run_id
from exporter.services import Services
from exporter.tally.count import Tally


class Outcome(StrEnum):
    """What became of a request to start."""

    STARTED = "started"
    JOINED = "joined"  # another run of the export is going; that one is returned
    KNOWN = "known"  # this very run had been started before


@dataclass(frozen=True, slots=True)
class Started:
    """The run that answers the request, and how it came about."""

    run: Run
    outcome: Outcome


def start(
    services: Services,
    export: Export,
    trigger: Trigger,
    by: str,
    run_id: str,
    *,
    force: bool = False,
    resumes: str | None = None,
) -> Started:
    """Start a run of the export under `run_id`, or find the one that makes it unnecessary.

    `force`: whatever the size of the segments; `resumes`: only for the contacts of which that run has no outcome.
    Raises `Stop` ("no_connection", "connection_not_found") and `Unavailable`.
    """
    for _ in range(store.MAX_TRIES):
        if known := read_run(services, run_id):
            return _known(services, known)
        blob = services.blobs.read(slot_path(export.id))
        slot = load(Slot, blob.data) if blob else None
        if slot and (current := active_run(services, slot)):
            return Started(current, Outcome.KNOWN if current.run_id == run_id else Outcome.JOINED)
        run = _new_run(services, export, trigger, by, run_id, force=force, resumes=resumes)
        taken = Slot(run=run, last_success=slot.last_success if slot else None).to_json()
        try:
            if blob:
                services.blobs.replace(slot_path(export.id), taken, blob.etag)
            else:
                services.blobs.create(slot_path(export.id), taken)
            services.blobs.create(run_path(run_id), run.to_json())
        except Changed:
            continue
        log.event("run_started", runId=run_id, exportId=export.id, trigger=trigger)
        send_hint(services, PLAN_QUEUE, {"runId": run_id})
        return Started(run, Outcome.STARTED)
    raise Unavailable("storage_contention", "Too many requests to start this export at once. Try again.")


def _known(services: Services, run: Run) -> Started:
    """Return the run that answers a request which was seen before."""
    instead = read_run(services, run.end.instead) if run.end and run.end.instead else None
    return Started(instead, Outcome.JOINED) if instead else Started(run, Outcome.KNOWN)


def _new_run(
    services: Services,
    export: Export,
    trigger: Trigger,
    by: str,
    run_id: str,
    *,
    force: bool = False,
    resumes: str | None = None,
) -> Run:
    connection = connection_of(services, export)
    return Run(
        run_id=run_id,
        export_id=export.id,
        trigger=trigger,
        requested_by=by,
        requested_utc=services.clock.now(),
        force=force,
        export=ExportDefinition.model_validate(export.model_dump(include=set(ExportDefinition.model_fields))),
        host=connection.host,
        secret_name=connection.secret_name,
        resumes=resumes,
    )


def connection_of(services: Services, export: Export) -> Connection:
    """Return the connection of an export. Raises `Stop` ("no_connection", "connection_not_found")."""
    if export.connection_id is None:
        raise Stop(
            "no_connection", f"The export {export.id!r} has no connection. Give it one with PUT /exports/{export.id}."
        )
    connection = read_connection(services, export.connection_id)
    if connection is None:
        raise Stop(
            "connection_not_found",
            f"The export {export.id!r} uses the connection {export.connection_id!r}, which does not exist. Give it"
            " another.",
        )
    return connection


def start_on_demand(
    services: Services,
    export: Export,
    by: str,
    *,
    trigger: Trigger = Trigger.ON_DEMAND,
    force: bool = False,
    resumes: str | None = None,
) -> Started:
    """Start a run that a person asked for; the run that is going on, if there is one, answers the request too."""
    run_id = new_run_id(export.id, services.clock.now(), services.ids.new())
    return start(services, export, trigger, by, run_id, force=force, resumes=resumes)


def start_once(
    services: Services,
    export: Export,
    by: str,
    key: str,
    request: bytes,
    *,
    trigger: Trigger = Trigger.ON_DEMAND,
    force: bool = False,
) -> Started:
    """Start a run at most once for an idempotency key; a repetition gets the same run, finished or not.

    Raises `Stop` ("idempotency_key_reused") when the key came with another request before.
    """
    path = f"records/idempotency/{export.id}/{hashlib.sha256(key.encode()).hexdigest()}.json"
    digest = hashlib.sha256(request).hexdigest()
    run_id = new_run_id(export.id, services.clock.now(), services.ids.new())
    try:
        services.blobs.create(path, IdempotencyKey(run_id=run_id, request_sha256=digest).to_json())
    except Changed:
        known = store.get(services.blobs, IdempotencyKey, path)
        if known is None or known.request_sha256 != digest:
            raise Stop(
                "idempotency_key_reused",
                "This Idempotency-Key came with a different request before. Use a new key for a new request.",
            ) from None
        run_id = known.run_id
    started = start(services, export, trigger, by, run_id, force=force)
    if started.outcome is Outcome.JOINED:
        # A repetition may come when that run is over: it gets the same answer, and does not start another.
        return _known(services, _stand_aside(services, export, trigger, by, run_id, started.run))
    return started


def start_scheduled(services: Services, occurrence: float) -> list[Started]:
    """Start every export with an active schedule for the occurrence of the timer at `occurrence` (epoch seconds).

    An export whose previous run is still going gets the record of a skipped run. One export's trouble is logged and
    does not keep the others from starting. Raises the last `Wait` when all have been tried: the same call may start
    the others later.
    """
    started: list[Started] = []
    wait: Wait | None = None
    for path in list(services.blobs.names(paths.EXPORTS)):
        try:
            export = store.get(services.blobs, Export, path)
            if export is None or not export.scheduled or export.connection_id is None:
                continue
            run_id = scheduled_run_id(export.id, occurrence, f"{export.created_utc}")
            result = start(services, export, Trigger.SCHEDULED, "schedule", run_id)
            if result.outcome is Outcome.JOINED:
                aside = _stand_aside(services, export, Trigger.SCHEDULED, "schedule", run_id, result.run)
                result = Started(aside, Outcome.KNOWN)
            started.append(result)
        except ExporterError as error:
            log.event("scheduled_start_failed", level=logging.ERROR, path=path, code=error.code)
            wait = error if isinstance(error, Wait) else wait
        except Exception as error:  # noqa: BLE001 - the others start, whatever is wrong with this one
            log.defect(error, path=path)
    if wait:
        raise wait
    return started


def _stand_aside(services: Services, export: Export, trigger: Trigger, by: str, run_id: str, previous: Run) -> Run:
    """Record a run that does nothing because another one is going; return the record of `run_id`, whoever made it."""
    run = _new_run(services, export, trigger, by, run_id, force=False)
    problem = Problem(
        code="previous_run_active",
        message=f"The run {previous.run_id} of this export was still going. The next request or occurrence starts one.",
        culprit=Culprit.SYSTEM,
    )
    end = End(
        status=RunStatus.SKIPPED,
        at=services.clock.now(),
        tally=Tally(),
        problem=problem,
        instead=previous.run_id,
    )
    run = run.then(end=end)
    try:
        services.blobs.create(run_path(run_id), run.to_json())
    except Changed:
        return read_run(services, run_id) or run
    log.event("run_skipped", runId=run_id, exportId=export.id, code=problem.code)
    return run
