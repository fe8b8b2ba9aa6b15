"""Exports: which segments go to which list. Saving one runs nothing."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from itertools import chain
from typing import Any

from pydantic import Field

from exporter import log
from exporter.api import connections, resources
from exporter.api.access import Context, Role
from exporter.api.http import Json, Refusal, Response
from exporter.api.resources import History, MatchHeaders, Page, PageQuery, Switch
from exporter.contacts.matching import mapping_of
from exporter.definitions.exports import Export, ExportDefinition
from exporter.definitions.resources import ID_PATTERN, DisplayName
from exporter.model import Time, Value
from exporter.pipeline import preflight
from exporter.queries.fit import check_fit
from exporter.queries.reading import one_of_few_listers, refreshes_now
from exporter.records import paths, store
from exporter.records.definitions import is_on_hold
from exporter.records.runs import read_run
from exporter.records.slots import read_slot
from exporter.runs.run import RunStatus, Trigger


class State(StrEnum):
    """Whether an export runs automatically."""

    ACTIVE = "active"  # it runs on the schedule
    INACTIVE = "inactive"  # it runs only on demand
    ON_HOLD = "onHold"  # the schedule waits for an administrator: its connection is not shared any more
    NO_CONNECTION = "noConnection"  # it does not run until it has a connection again


class LastRun(Value):
    """The newest run of an export."""

    run_id: str
    """`GET /runs/{runId}` shows it."""
    trigger: Trigger
    """What started it."""
    status: RunStatus
    """Its current status."""
    requested_utc: Time
    """When it was requested."""
    ended_utc: Time | None = None
    """When it ended; absent while it is in progress."""


class ExportView(History, ExportDefinition):
    """An export as returned."""

    id: str
    """As in the path."""
    state: State
    """Whether it runs on the schedule (`active`), only on demand (`inactive`), or not at all (`noConnection`). `onHold`
    means that a contributor saved it last, with an active schedule, and that its connection is not shared any more: the
    schedule passes over it until an administrator saves or activates it, or shares the connection again."""
    last_run: LastRun | None = None
    """Its newest run. It changes independently, so it is ignored when sent back."""
    warnings: tuple[str, ...] | None = None
    """What was noticed when it was checked, in the answer that says that it was saved; ignored when sent back."""


class SaveQuery(Value):
    """How to save an export."""

    validated: Switch = Field(default=True, alias="validate")
    """False: save without checking segments and ActiveCampaign, to define an export ahead of time."""


class DuplicateBody(Value):
    """Id and name for the copy of an export."""

    id: str = Field(pattern=ID_PATTERN)
    display_name: DisplayName | None = None
    """Defaults to the original's name followed by "(copy)"."""


def list_all(context: Context, query: PageQuery) -> Json[Page[ExportView]]:
    """List exports with their state and newest run."""
    blobs = context.services.blobs

    def show(export_id: str) -> ExportView | None:
        export = resources.read(blobs, Export, paths.EXPORTS, export_id)
        return _view_with_run(context, export) if export else None

    return Json(resources.page(context, resources.ids_below(blobs, paths.EXPORTS), query, show))


def get(context: Context, export_id: str) -> Json[ExportView]:
    """Show an export."""
    return _answer(context, find(context, export_id))


def put(
    context: Context, export_id: str, body: ExportDefinition, query: SaveQuery, headers: MatchHeaders
) -> Json[ExportView]:
    """Create or change an export, after checking it against its segments and ActiveCampaign. Starts no run.

    Each worker process lists segments for at most four callers at a time; 429 means: try again shortly.
    """
    resources.check_id(export_id)
    existing = resources.read(context.services.blobs, Export, paths.EXPORTS, export_id)
    if existing:
        check_usable(context, existing)
    resources.check_match(headers, existing, required=True)
    # If nothing is stored, only the id is compared, so that a removed export can be restored from what GET once showed.
    shown = _view(context, existing) if existing else ExportView.model_construct(id=export_id)
    resources.check_read_only(body, ExportDefinition, shown)
    if body.connection_id is not None:
        connections.find(context, body.connection_id)
    warnings = check(context, body) if query.validated else ()
    now = context.services.clock.now()
    definition = body.model_dump(include=set(ExportDefinition.model_fields))
    export = Export(id=export_id, **definition, **resources.next_history(existing, context.caller, now))
    resources.save(context.services.blobs, paths.export_path(export_id), export, existing)
    log.event("export_saved", exportId=export_id)
    answer = _answer(context, export, 200 if existing else 201)
    return replace(answer, value=answer.value.model_copy(update={"warnings": warnings or None}))


def check(context: Context, export: ExportDefinition) -> tuple[str, ...]:
    """Check that the export's list and fields exist, and that each of its segments has its columns and addresses.

    Returns what does not keep it from being saved, but a person should know.
    """
    if export.connection_id is None:
        raise Refusal(
            422,
            "connection_missing",
            "Expected connectionId; GET /connections lists those that you may use. To define the export without one,"
            " repeat with ?validate=false.",
        )
    connection = connections.find(context, export.connection_id)
    fields = preflight.check(connections.account_calls(context, connection), export, saving=True)
    with one_of_few_listers():
        refreshes = refreshes_now(context.services, export, settled=False)
    mapping = mapping_of(export, fields.mapped)
    noticed = [check_fit(context.services, refresh, mapping) for refresh in refreshes]
    return (*(problem.message for problem in fields.problems), *chain.from_iterable(noticed))


def delete(context: Context, export_id: str, headers: MatchHeaders) -> Response:
    """Remove an export. Its runs and their records are kept; a run in progress continues normally."""
    export = find_usable(context, export_id)
    resources.check_match(headers, export)
    context.services.blobs.delete(paths.export_path(export_id))
    log.event("export_deleted", exportId=export_id)
    return Response(204, {}, b"")


def duplicate(context: Context, export_id: str, body: DuplicateBody) -> Json[ExportView]:
    """Copy an export under a new id. The copy's schedule is not active."""
    original = find_usable(context, export_id)
    suffix = " (copy)"
    name = body.display_name or original.display_name[: 200 - len(suffix)] + suffix
    now = context.services.clock.now()
    changes = {"id": body.id, "display_name": name, "scheduled": False}
    copy = original.model_copy(update=changes | resources.next_history(None, context.caller, now))
    if resources.read(context.services.blobs, Export, paths.EXPORTS, body.id):
        raise Refusal(409, "exists_already", f"An export {body.id!r} already exists. Choose another id.")
    resources.save(context.services.blobs, paths.export_path(copy.id), copy, None)
    log.event("export_saved", exportId=copy.id)
    answer = _answer(context, copy, 201)
    return Json(answer.value, 201, {**answer.headers, "Location": f"/api/exports/{copy.id}"})


def detach(context: Context, export_id: str) -> Json[ExportView]:
    """Remove the connection from an export. It keeps its definition and does not run until it has a connection."""
    find_usable(context, export_id)
    return _changed(context, connections.detach(context, export_id))


def activate(context: Context, export_id: str) -> Json[ExportView]:
    """Let the schedule start the export."""
    if find_usable(context, export_id).connection_id is None:
        raise no_connection()
    return _schedule(context, export_id, scheduled=True)


def deactivate(context: Context, export_id: str) -> Json[ExportView]:
    """Let the export run only on demand. A run in progress continues normally."""
    find_usable(context, export_id)
    return _schedule(context, export_id, scheduled=False)


def _schedule(context: Context, export_id: str, *, scheduled: bool) -> Json[ExportView]:
    now = context.services.clock.now()

    def with_schedule(export: Export) -> Export | None:
        # An administrator who activates what is on hold takes it over.
        takes_over = scheduled and context.caller.role is Role.ADMIN and is_on_hold(context.services, export)
        if export.scheduled is scheduled and not takes_over:
            return None
        return export.model_copy(update={"scheduled": scheduled, **resources.next_history(export, context.caller, now)})

    return _changed(context, store.change(context.services.blobs, Export, paths.export_path(export_id), with_schedule))


def find(context: Context, export_id: str) -> Export:
    """Return an export. Raises `Refusal` ("export_not_found")."""
    export = resources.read(context.services.blobs, Export, paths.EXPORTS, export_id)
    if export is None:
        raise _no_export()
    return export


def find_usable(context: Context, export_id: str) -> Export:
    """Return an export that the caller may change and run. Raises what `find` and `check_usable` raise."""
    export = find(context, export_id)
    check_usable(context, export)
    return export


def check_usable(context: Context, export: ExportDefinition, at: float | None = None) -> None:
    """Refuse a caller who may not change or run exports on this connection, or see the people of a run requested `at`.

    Raises `Refusal` ("connection_not_shared").
    """
    if not connections.may_use_exports_on(context, export.connection_id, at):
        raise Refusal(
            403,
            "connection_not_shared",
            "Only administrators may use the export's connection. Ask one of them to do this, or to share the"
            " connection.",
        )


def no_connection() -> Refusal:
    """Return the refusal of an operation that needs a connection."""
    return Refusal(
        409, "no_connection", "The export has no connection, so it cannot run. Give it one with PUT /exports/{id}."
    )


def _no_export() -> Refusal:
    return Refusal(404, "export_not_found", "There is no export with this id. GET /exports lists them.")


def _changed(context: Context, export: Export | None) -> Json[ExportView]:
    if export is None:
        raise _no_export()
    log.event("export_saved", exportId=export.id)
    return _answer(context, export)


def _answer(context: Context, export: Export, status: int = 200) -> Json[ExportView]:
    return Json(_view_with_run(context, export), status, {"ETag": resources.etag(export)})


def _view_with_run(context: Context, export: Export) -> ExportView:
    return _view(context, export).model_copy(update={"last_run": _last_run(context, export.id)})


def _view(context: Context, export: Export) -> ExportView:
    return ExportView(id=export.id, state=_state(context, export), **_members(export))


def _state(context: Context, export: Export) -> State:
    if export.connection_id is None:
        return State.NO_CONNECTION
    if not export.scheduled:
        return State.INACTIVE
    return State.ON_HOLD if is_on_hold(context.services, export) else State.ACTIVE


def _members(export: Export) -> dict[str, Any]:
    names = {*ExportDefinition.model_fields, *History.model_fields}
    return {name: getattr(export, name) for name in names}


def _last_run(context: Context, export_id: str) -> LastRun | None:
    slot = read_slot(context.services, export_id)
    if slot is None:
        return None
    run = read_run(context.services, slot.run.run_id) or slot.run
    return LastRun(
        run_id=run.run_id,
        trigger=run.trigger,
        status=run.status,
        requested_utc=run.requested_utc,
        ended_utc=run.end.at if run.end else None,
    )
