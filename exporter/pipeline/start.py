"""Start a run: at most one at a time per export, however often and from wherever it is requested."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from enum import StrEnum

from exporter import log
from exporter.definitions.connections import Connection
from exporter.definitions.exports import Export, ExportDefinition
from exporter.errors import Culprit, ExporterError, NotReady, Stop, Unavailable
from exporter.model import Record, load
from exporter.ports import Blob, Changed
from exporter.queues import PLAN_QUEUE, send_hint
from exporter.records import remembered, store
from exporter.records.definitions import read_connection
from exporter.records.few import Few
from exporter.records.paths import EXPORTS, few_path, key_path, run_path, slot_path
from exporter.records.recent import announce_run
from exporter.records.runs import read_run
from exporter.records.slots import Slot, active_run
from exporter.runs.due import Attempted, Due
from exporter.runs.membership import membership
from exporter.runs.run import Approved, End, Problem, Run, RunStatus, Trigger, new_run_id, scheduled_run_id
from exporter.services import Services
from exporter.tally.count import Tally

FEW_ARE_TRIED_S = 30.0
"""When whoever wants to send everybody may come back, while a run for a few people is in progress."""


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

    `resumes`: only the contacts for which that run has no outcome. `approved`: what held the export's newest run.
    `only`: the addresses of the few people to send, as `addresses.key_of` returns them. `refresh` and `attempt`: as in
    `Run`, of what the schedule starts.
    """

    export: Export
    trigger: Trigger
    by: str
    resumes: str | None = None
    approved: Approved | None = None
    only: frozenset[str] | None = field(default=None, repr=False)
    refresh: str | None = None
    attempt: int | None = None


def start(services: Services, request: StartRequest, run_id: str) -> Started:
    """Start a run of the export under `run_id`, or find the one that makes it unnecessary.

    Raises `Stop` ("no_connection", "connection_not_found", "run_is_going"; for an approval also "newer_run",
    "membership_changed"), `NotReady` ("few_are_tried") and `Unavailable`.
    """
    export, approved = request.export, request.approved
    for _ in range(store.MAX_TRIES):
        if known := read_run(services, run_id):
            return _known(services, known)
        blob = services.blobs.read(slot_path(export.id))
        slot = load(Slot, blob.data) if blob else None
        if slot and (current := active_run(services, slot)):
            if current.run_id == run_id:
                return Started(current, Outcome.KNOWN)
            _check_joins(request, current)
            return Started(current, Outcome.JOINED)
        newest = slot.newest if slot else None
        if approved and newest and newest != approved.run_id:
            raise Stop.of("newer_run", case="approval", run=newest)
        if run := _take(services, request, run_id, blob):
            return Started(run, Outcome.STARTED)
    raise Unavailable.of("storage_contention", case="start", export=export.id)


def start_due(services: Services, export: Export, due: Due, blob: Blob | None) -> Run | None:
    """Start what is due by the schedule; None if the export's slot is not as in `blob` any more.

    Whoever decided what is due read the slot before, so that whatever happened meanwhile is decided anew: two timers at
    once, or one that was suspended, start a run once. Raises `Stop` ("connection_not_found") and `Unavailable`.
    """
    request = StartRequest(
        export, Trigger.SCHEDULED, "schedule", resumes=due.resumes, refresh=due.refresh, attempt=due.attempt
    )
    who = membership(services.settings.segment_folder, connection_of(services, export).host, export)
    what = (export.created_utc, who, due.refresh or due.due, due.attempt)
    run_id = scheduled_run_id(export.id, services.clock.now(), *what)
    attempted = Attempted(run_id=run_id, attempt=due.attempt, refresh=due.refresh, due=due.due)
    return _take(services, request, run_id, blob, attempted)


def _take(
    services: Services, request: StartRequest, run_id: str, blob: Blob | None, attempted: Attempted | None = None
) -> Run | None:
    """Write a new run into the slot that was read as `blob`; None if it has changed since."""
    slot = load(Slot, blob.data) if blob else None
    run = _new_run(services, request, run_id)
    path = slot_path(request.export.id)
    if request.only is not None:
        # If the start fails, it is left to the sweep: a request with the same key may have started the run by now.
        store.create_or_get(services.blobs, few_path(run_id), Few(addresses=tuple(sorted(request.only))))
    announce_run(services, run_id)
    taken = Slot(
        run=run,
        last_success=slot.last_success if slot else None,
        success_before=slot.success_before if slot else None,
        cleared=slot.cleared if slot else None,
        attempt=slot.newest if slot and request.only is not None else None,
        scheduled=attempted or (slot.scheduled if slot else None),
    ).to_json()
    try:
        if blob:
            services.blobs.replace(path, taken, blob.etag)
        else:
            services.blobs.create(path, taken)
        services.blobs.create(run_path(run_id), run.to_json())
    except Changed:
        return None
    log.event("run_started", runId=run_id, exportId=request.export.id, trigger=request.trigger)
    send_hint(services, PLAN_QUEUE, {"runId": run_id})
    return run


def _check_joins(request: StartRequest, current: Run) -> None:
    """Check that a run in progress may be the answer to a request: not where either of them is for a few people.

    Nor where it is being canceled: it sends nothing more.

    Raises `Stop` ("run_is_going") and `NotReady` ("few_are_tried").
    """
    if request.approved:
        raise Stop.of("run_is_going", case="approval", run=current.run_id)
    if request.only is not None:
        raise Stop.of("run_is_going", case="few", run=current.run_id)
    if current.cancel:
        raise Stop.of("run_is_going", case="canceling", run=current.run_id)
    if current.only is not None:
        raise NotReady.of("few_are_tried", Culprit.SYSTEM, FEW_ARE_TRIED_S, run=current.run_id)


def _known(services: Services, run: Run) -> Started:
    """Return the run that answers a repeated request."""
    instead = read_run(services, run.end.instead) if run.end and run.end.instead else None
    return Started(instead, Outcome.JOINED) if instead else Started(run, Outcome.KNOWN)


def _new_run(services: Services, request: StartRequest, run_id: str) -> Run:
    export, connection = request.export, connection_of(services, request.export)
    who = membership(services.settings.segment_folder, connection.host, export)
    if request.approved and request.approved.membership != who:
        raise Stop.of("membership_changed")
    return Run(
        run_id=run_id,
        export_id=export.id,
        trigger=request.trigger,
        requested_by=request.by,
        requested_utc=services.clock.now(),
        export=ExportDefinition.model_validate(export.model_dump(include=set(ExportDefinition.model_fields))),
        host=connection.host,
        secret_name=connection.secret_name,
        resumes=request.resumes,
        refresh=request.refresh,
        attempt=request.attempt,
        approved=request.approved,
        only=None if request.only is None else len(request.only),
    )


def connection_of(services: Services, export: Export) -> Connection:
    """Return the connection of an export. Raises `Stop` ("no_connection", "connection_not_found")."""
    if export.connection_id is None:
        raise Stop.of("no_connection", export=export.id)
    connection = read_connection(services, export.connection_id)
    if connection is None:
        raise Stop.of("connection_not_found", export=export.id, connection=export.connection_id)
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
        raise Stop.of("idempotency_key_reused")
    started = start(services, request, kept.run_id)
    if started.outcome is Outcome.JOINED:
        # A repeated request may come after that run is over. It gets the same answer and does not start another.
        return _known(services, _stand_aside(services, request, kept.run_id, started.run))
    return started


def start_each[T](services: Services, begin: Callable[[Export], T]) -> Iterator[tuple[str, T | ExporterError]]:
    """Call `begin` for every export with a schedule, a connection and no pause; yield its id and the result or error.

    A failure of one export, even an unexpected one, does not keep the others from starting.
    """
    for path, etag in remembered.listed(services, EXPORTS):
        export_id = path.removeprefix(EXPORTS).removesuffix(".json")
        try:
            export = remembered.get(services, Export, path, etag)
            if export is None or not export.runs_by_itself or export.connection_id is None or export.paused:
                continue
            result: T | ExporterError = begin(export)
        except ExporterError as error:
            result = error
        except Exception as error:  # noqa: BLE001 - as the docstring says
            what = log.defect(error, path=path)
            result = Stop.of("defect", Culprit.SYSTEM, place=what)
        yield export_id, result


def _stand_aside(services: Services, request: StartRequest, run_id: str, previous: Run) -> Run:
    """Record a run that does nothing because another is in progress; return the record of `run_id`, whoever made it."""
    problem = Problem.said("previous_run_active", Culprit.SYSTEM, run=previous.run_id)
    now = services.clock.now()
    end = End(status=RunStatus.SKIPPED, at=now, tally=Tally(), problem=problem, instead=previous.run_id)
    run = _new_run(services, request, run_id).then(end=end)
    announce_run(services, run_id)
    kept = store.create_or_get(services.blobs, run_path(run_id), run)
    if kept == run:
        log.event("run_skipped", runId=run_id, exportId=request.export.id, code=problem.code)
    return kept


class IdempotencyKey(Record):
    """The request that came with an idempotency key, and the run that it started."""

    run_id: str
    request_sha256: str
