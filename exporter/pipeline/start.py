"""Start a run: at most one at a time per export, however often and from wherever it is requested."""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

from exporter import log
from exporter.definitions.connections import Connection
from exporter.definitions.exports import Export, ExportDefinition
from exporter.errors import Culprit, ExporterError, Stop, Unavailable, Wait
from exporter.model import Record, load
from exporter.ports import Changed
from exporter.queues import PLAN_QUEUE, send_hint
from exporter.records import store
from exporter.records.definitions import is_on_hold, read_connection
from exporter.records.paths import EXPORTS, key_path, run_path, slot_path
from exporter.records.runs import read_run
from exporter.records.slots import Slot, active_run
from exporter.runs.run import End, Problem, Run, RunStatus, Trigger, new_run_id, scheduled_run_id
from exporter.services import Services
from exporter.tally.count import Tally


class Outcome(StrEnum):
    """The result of a request to start."""

    STARTED = "started"
    JOINED = "joined"  # another run of the export is in progress; that one is returned
    KNOWN = "known"  # this run was started before


@dataclass(frozen=True, slots=True)
class Started:
    """The run that answers the request, and whether the request started it."""

    run: Run
    outcome: Outcome


@dataclass(frozen=True, slots=True)
class StartRequest:
    """What to start.

    `force`: whatever the size of the segments. `resumes`: only the contacts for which that run has no outcome.
    """

    export: Export
    trigger: Trigger
    by: str
    force: bool = False
    resumes: str | None = None


def start(services: Services, request: StartRequest, run_id: str) -> Started:
    """Start a run of the export under `run_id`, or find the one that makes it unnecessary.

    Raises `Stop` ("no_connection", "connection_not_found") and `Unavailable`.
    """
    export = request.export
    for _ in range(store.MAX_TRIES):
        if known := read_run(services, run_id):
            return _known(services, known)
        blob = services.blobs.read(slot_path(export.id))
        slot = load(Slot, blob.data) if blob else None
        if slot and (current := active_run(services, slot)):
            return Started(current, Outcome.KNOWN if current.run_id == run_id else Outcome.JOINED)
        run = _new_run(services, request, run_id)
        taken = Slot(run=run, last_success=slot.last_success if slot else None).to_json()
        try:
            if blob:
                services.blobs.replace(slot_path(export.id), taken, blob.etag)
            else:
                services.blobs.create(slot_path(export.id), taken)
            services.blobs.create(run_path(run_id), run.to_json())
        except Changed:
            continue
        log.event("run_started", runId=run_id, exportId=export.id, trigger=request.trigger)
        send_hint(services, PLAN_QUEUE, {"runId": run_id})
        return Started(run, Outcome.STARTED)
    raise Unavailable("storage_contention", "Too many requests to start this export at once. Try again.")


def _known(services: Services, run: Run) -> Started:
    """Return the run that answers a repeated request."""
    instead = read_run(services, run.end.instead) if run.end and run.end.instead else None
    return Started(instead, Outcome.JOINED) if instead else Started(run, Outcome.KNOWN)


def _new_run(services: Services, request: StartRequest, run_id: str) -> Run:
    export, connection = request.export, connection_of(services, request.export)
    return Run(
        run_id=run_id,
        export_id=export.id,
        trigger=request.trigger,
        requested_by=request.by,
        requested_utc=services.clock.now(),
        force=request.force,
        export=ExportDefinition.model_validate(export.model_dump(include=set(ExportDefinition.model_fields))),
        host=connection.host,
        secret_name=connection.secret_name,
        resumes=request.resumes,
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
            f" another with PUT /exports/{export.id}.",
        )
    return connection


def start_on_demand(services: Services, request: StartRequest) -> Started:
    """Start a run that a person requested; if a run is already in progress, return that one. Raises as `start` does."""
    return start(services, request, new_run_id(request.export.id, services.clock.now(), services.ids.new()))


def start_once(services: Services, request: StartRequest, caller: str, key: str, body: bytes) -> Started:
    """Start a run at most once per idempotency key of a caller; a repeated request gets the same run, finished or not.

    Nobody else's key matters, so that nobody can use up another caller's.

    Raises `Stop` ("idempotency_key_reused") if the key came with another `body` before, and what `start` raises.
    """
    export_id = request.export.id
    path, digest = key_path(export_id, caller, key), hashlib.sha256(body).hexdigest()
    run_id = new_run_id(export_id, services.clock.now(), services.ids.new())
    kept = store.create_or_get(services.blobs, path, IdempotencyKey(run_id=run_id, request_sha256=digest))
    if kept.request_sha256 != digest:
        raise Stop(
            "idempotency_key_reused",
            "Expected the request that this Idempotency-Key first came with, found another. Use a new key for a new"
            " request.",
        )
    started = start(services, request, kept.run_id)
    if started.outcome is Outcome.JOINED:
        # A repeated request may come after that run is over. It gets the same answer and does not start another.
        return _known(services, _stand_aside(services, request, kept.run_id, started.run))
    return started


def start_each[T](services: Services, begin: Callable[[Export], T]) -> Iterator[tuple[str, T | ExporterError]]:
    """Call `begin` for every export that has an active schedule; yield the export's id and the result or error.

    A failure of one export, even an unexpected one, does not keep the others from starting.
    """
    for path in list(services.blobs.names(EXPORTS)):
        export_id = path.removeprefix(EXPORTS).removesuffix(".json")
        try:
            export = store.get(services.blobs, Export, path)
            if export is None or not export.scheduled or export.connection_id is None:
                continue
            result: T | ExporterError = begin(export)
        except ExporterError as error:
            result = error
        except Exception as error:  # noqa: BLE001 - as the docstring says
            what = log.defect(error, path=path)
            result = Stop("defect", f"An unexpected error ({what}). Please report it.", Culprit.SYSTEM)
        yield export_id, result


def start_scheduled(services: Services, occurrence: float) -> list[Started]:
    """Start every export with an active schedule for the timer's occurrence at `occurrence` (epoch seconds).

    An export whose previous run is still in progress gets the record of a skipped run; one that is on hold gets none.
    Raises the last `Wait` after all exports have been tried: the same call may start the rest later.
    """

    def begin(export: Export) -> Started | None:
        if is_on_hold(services, export):
            log.event("schedule_held", exportId=export.id)
            return None
        run_id = scheduled_run_id(export.id, occurrence, f"{export.created_utc}")
        request = StartRequest(export, Trigger.SCHEDULED, "schedule")
        result = start(services, request, run_id)
        if result.outcome is Outcome.JOINED:
            return Started(_stand_aside(services, request, run_id, result.run), Outcome.KNOWN)
        return result

    started: list[Started] = []
    wait: Wait | None = None
    for export_id, result in start_each(services, begin):
        if not isinstance(result, ExporterError):
            started += [result] if result else []
            continue
        log.event("scheduled_start_failed", level=logging.ERROR, exportId=export_id, code=result.code)
        wait = result if isinstance(result, Wait) else wait
    if wait:
        raise wait
    return started


def _stand_aside(services: Services, request: StartRequest, run_id: str, previous: Run) -> Run:
    """Record a run that does nothing because another is in progress; return the record of `run_id`, whoever made it."""
    problem = Problem(
        code="previous_run_active",
        message=f"The run {previous.run_id} of this export was still in progress. The next request or occurrence starts"
        " one.",
        culprit=Culprit.SYSTEM,
    )
    now = services.clock.now()
    end = End(status=RunStatus.SKIPPED, at=now, tally=Tally(), problem=problem, instead=previous.run_id)
    run = _new_run(services, replace(request, force=False), run_id).then(end=end)
    kept = store.create_or_get(services.blobs, run_path(run_id), run)
    if kept == run:
        log.event("run_skipped", runId=run_id, exportId=request.export.id, code=problem.code)
    return kept


class IdempotencyKey(Record):
    """The request that came with an idempotency key, and the run that it started."""

    run_id: str
    request_sha256: str
