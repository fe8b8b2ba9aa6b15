"""Exports: which segments go to which list. Saving one runs nothing."""

from __future__ import annotations

from dataclasses import replace
from enum import StrEnum
from functools import partial
from itertools import chain
from typing import Any

from pydantic import Field

from exporter import log
from exporter.api import connections, resources
from exporter.api.access import Context, Role
from exporter.api.glance import RunGlance, at_a_glance
from exporter.api.http import Json, Refusal, Response
from exporter.api.resources import History, MatchHeaders, Page, PageQuery, SeenHeaders, Switch
from exporter.contacts.matching import mapping_of
from exporter.definitions.connections import Connection
from exporter.definitions.exports import Export, ExportDefinition, Seen
from exporter.definitions.resources import ID_PATTERN, DisplayName, Paused
from exporter.definitions.schedules import OnDemand, WithEveryRefresh
from exporter.model import Time, Value, to_text
from exporter.pipeline import preflight, schedule
from exporter.queries.fit import check_fit
from exporter.queries.reading import one_of_few_listers, refreshes_now
from exporter.records import paths, store
from exporter.records.definitions import is_on_hold, read_connection
from exporter.records.slots import Slot, read_slot, yardstick
from exporter.records.watches import read_watch
from exporter.runs.due import Facts, outlook
from exporter.runs.run import Run
from exporter.services import Services
from exporter.warned import Warned


class State(StrEnum):
    """Whether an export runs automatically."""

    ACTIVE = "active"  # it runs on its schedule
    INACTIVE = "inactive"  # it runs only on demand
    PAUSED = "paused"  # it, or its connection, is paused: it runs only on demand until somebody unpauses it
    ON_HOLD = "onHold"  # the schedule waits for an administrator: its connection is not shared any more
    NO_CONNECTION = "noConnection"  # it does not run until it has a connection again


class LastSuccessView(Value):
    """The newest run that left nobody unconfirmed and brought somebody; later ones are compared with it."""

    run_id: str
    ended_utc: Time
    rows_read: int
    confirmed: int


class ExportView(History, ExportDefinition):
    """An export as returned."""

    id: str
    """As in the path."""
    state: State
    """Whether it runs on its schedule (`active`), only on demand (`inactive`; `paused`, until somebody unpauses it or
    its connection), or not at all (`noConnection`). `onHold` means that a contributor saved it last, with a schedule,
    and that its connection is not shared any more: the schedule passes over it until an administrator saves or unpauses
    it, or shares the connection again. Ignored when sent back, as `lastRun`."""
    paused: Paused | None = None
    """Who has paused it, and when. Only `pause` and `unpause` change it."""
    next_run_utc: Time | None = None
    """When it runs next by itself, if that is known: with every refresh, it is not. Ignored when sent back."""
    not_now: Warned | None = None
    """Why it does not run now, in a sentence. Ignored when sent back."""
    last_run: RunGlance | None = None
    """Its newest run for everybody, at a glance: as in `GET /runs`. It changes independently, so it is ignored when
    sent back."""
    last_success: LastSuccessView | None = None
    """The newest run that later ones are compared with: its `runId`, `endedUtc`, `rowsRead` and `confirmed`. Ignored
    when sent back, as `lastRun`."""
    warnings: tuple[Warned, ...] | None = None
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


def list_all(context: Context, query: PageQuery, headers: SeenHeaders) -> Json[Page[ExportView]] | Response:
    """List exports with their state and newest run.

    Reads of each export on the page its definition, its slot, its newest run, its connection, and what the schedule saw
    of its segments; the last success, if that is another run, and the one before it if a look contradicts that; and the
    ledgers of the newest run while it is in progress.
    """
    blobs = context.services.blobs

    def show(export_id: str) -> ExportView | None:
        export = resources.read(blobs, Export, paths.EXPORTS, export_id)
        return _view_with_run(context, export) if export else None

    page = resources.page(context, resources.ids_below(blobs, paths.EXPORTS), query, show)
    return resources.unless_seen(Json(page), headers)


def get(context: Context, export_id: str) -> Json[ExportView]:
    """Show an export."""
    return _answer(context, find(context, export_id))


def put(
    context: Context, export_id: str, body: ExportDefinition, query: SaveQuery, headers: MatchHeaders
) -> Json[ExportView]:
    """Create or change an export, after checking it against its segments and ActiveCampaign. Starts no run.

    What lies there complete when it is created, or when its schedule, its connection or what it reads is changed,
    counts as seen: the schedule begins with the next refresh, and `warnings` names the one that is not exported.
    Each worker process lists segments for at most four callers at a time; 429 means: try again shortly.
    """
    resources.check_id(export_id)
    existing = resources.read(context.services.blobs, Export, paths.EXPORTS, export_id)
    if existing:
        check_usable(context, existing)
    resources.check_match(headers, existing, required=True)
    # If nothing is stored, only the id is compared, so that a removed export can be restored from what GET once showed.
    shown = _view(existing) if existing else ExportView.model_construct(id=export_id)
    resources.check_read_only(body, ExportDefinition, shown)
    if body.connection_id is not None:
        connections.find(context, body.connection_id)
    warnings = check(context, body) if query.validated else ()
    now = context.services.clock.now()
    definition = {name: getattr(body, name) for name in ExportDefinition.model_fields}
    definition["schedule"] = body.schedule or (existing.schedule if existing else WithEveryRefresh())
    export = Export(
        id=export_id,
        **definition,
        **resources.next_history(existing, context.caller, now),
        paused=existing.paused if existing else None,
        seen=_seen_before(context.services, existing) if existing else None,
    )
    if existing is None or _begins_anew(existing, export) or _takes_over(context, existing):
        export = _beginning_now(context.services, export)
        warnings = (*warnings, *_not_exported(export))
    resources.save(context.services.blobs, paths.export_path(export_id), export, existing)
    log.event("export_saved", exportId=export_id)
    answer = _answer(context, export, 200 if existing else 201)
    return replace(answer, value=answer.value.model_copy(update={"warnings": warnings or None}))


def _seen_before(services: Services, export: Export) -> Seen:
    """Return what counts as exported so far: of what a former release has stored, all before its last save or run."""
    return export.seen or Seen(at=schedule.facts_of(services, export, read_slot(services, export.id)).since)


def _begins_anew(before: Export, after: Export) -> bool:
    """Return whether what lies there now counts as seen."""
    changed = before.schedule != after.schedule or before.connection_id != after.connection_id
    return changed or schedule.reading_of(before) != schedule.reading_of(after)


def _beginning_now(services: Services, export: Export) -> Export:
    with one_of_few_listers():
        return export.model_copy(update={"seen": schedule.seen_now(services, export)})


def _not_exported(export: Export) -> tuple[Warned, ...]:
    """Name the refresh that counts as seen, where the schedule would have exported it."""
    refreshed = schedule.not_exported(export)
    return () if refreshed is None else (Warned.of("refresh_not_exported", refreshed=to_text(refreshed)),)


def check(context: Context, export: ExportDefinition) -> tuple[Warned, ...]:
    """Check that the export's list and fields exist, and that each of its segments has its columns and addresses.

    Returns what does not keep it from being saved, but a person should know.
    """
    if export.connection_id is None:
        raise Refusal.of(422, "connection_missing")
    connection = connections.find(context, export.connection_id)
    fields = preflight.check(connections.account_calls(context, connection), export, saving=True)
    with one_of_few_listers():
        refreshes = refreshes_now(context.services, export, settled=False)
    mapping = mapping_of(export, fields.mapped)
    noticed = [check_fit(context.services, refresh, mapping) for refresh in refreshes]
    return (*fields.warned, *chain.from_iterable(noticed))


def delete(context: Context, export_id: str, headers: MatchHeaders) -> Response:
    """Remove an export. Its runs and their records are kept; a run in progress continues normally."""
    export = find_usable(context, export_id)
    resources.check_match(headers, export)
    context.services.blobs.delete(paths.export_path(export_id))
    context.services.blobs.delete(paths.watch_path(export_id))
    log.event("export_deleted", exportId=export_id)
    return Response(204, {}, b"")


def duplicate(context: Context, export_id: str, body: DuplicateBody) -> Json[ExportView]:
    """Copy an export under a new id. The copy has no schedule."""
    original = find_usable(context, export_id)
    suffix = " (copy)"
    name = body.display_name or original.display_name[: 200 - len(suffix)] + suffix
    now = context.services.clock.now()
    changes = {"id": body.id, "display_name": name, "schedule": OnDemand(), "paused": None, "seen": None}
    copy = original.model_copy(update=changes | resources.next_history(None, context.caller, now))
    if resources.read(context.services.blobs, Export, paths.EXPORTS, body.id):
        raise Refusal.of(409, "exists_already", case="export", export=body.id)
    resources.save(context.services.blobs, paths.export_path(copy.id), copy, None)
    log.event("export_saved", exportId=copy.id)
    answer = _answer(context, copy, 201)
    return Json(answer.value, 201, {**answer.headers, "Location": f"/api/exports/{copy.id}"})


def detach(context: Context, export_id: str) -> Json[ExportView]:
    """Remove the connection from an export. It keeps its definition and does not run until it has a connection."""
    find_usable(context, export_id)
    return _changed(context, connections.detach(context, export_id))


def pause(context: Context, export_id: str) -> Json[ExportView]:
    """Let nothing start the export but a person, until it is unpaused. A run in progress continues normally."""
    find_usable(context, export_id)
    now, path = context.services.clock.now(), paths.export_path(export_id)
    pause = partial(resources.paused, by=context.caller, now=now)
    return _changed(context, store.change(context.services.blobs, Export, path, pause))


def unpause(context: Context, export_id: str) -> Json[ExportView]:
    """Let the schedule start the export again, with what comes after this: what lies there complete counts as seen.

    An administrator who unpauses what is on hold takes it over, likewise.
    """
    export = find_usable(context, export_id)
    before = export
    begins = export.paused or _takes_over(context, export)
    seen = _beginning_now(context.services, export).seen if begins else export.seen
    now = context.services.clock.now()

    def unpaused(export: Export) -> Export | None:
        ends = export.paused is not None and export.paused == before.paused  # a pause that began meanwhile goes on
        if not ends and not _takes_over(context, export):
            return None
        # Whoever has saved the export meanwhile has said what counts as seen.
        saved = export.seen != before.seen
        changes: dict[str, object] = {"seen": export.seen if saved else seen}
        changes |= {"paused": None} if ends else {}
        return export.model_copy(update=changes | resources.next_history(export, context.caller, now))

    changed = store.change(context.services.blobs, Export, paths.export_path(export_id), unpaused)
    answer = _changed(context, changed)
    warnings = _not_exported(changed) if changed and begins else ()
    return replace(answer, value=answer.value.model_copy(update={"warnings": warnings or None}))


def _takes_over(context: Context, export: Export) -> bool:
    """Return whether the caller ends, by saving the export, that it is on hold."""
    return context.caller.role is Role.ADMIN and is_on_hold(export, _connection(context, export))


def _connection(context: Context, export: Export) -> Connection | None:
    return read_connection(context.services, export.connection_id) if export.connection_id else None


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
        raise Refusal.of(403, "connection_not_shared")


def _no_export() -> Refusal:
    return Refusal.of(404, "export_not_found")


def _changed(context: Context, export: Export | None) -> Json[ExportView]:
    if export is None:
        raise _no_export()
    log.event("export_saved", exportId=export.id)
    return _answer(context, export)


def _answer(context: Context, export: Export, status: int = 200) -> Json[ExportView]:
    return Json(_view_with_run(context, export), status, {"ETag": resources.etag(export)})


def _view_with_run(context: Context, export: Export) -> ExportView:
    services = context.services
    slot = read_slot(services, export.id)
    facts = schedule.facts_of(services, export, slot)
    # Nobody looks at the segments of an export that goes by times: what is kept of them is of a former schedule.
    by_refresh = isinstance(export.schedule, WithEveryRefresh)
    watch = read_watch(services, export.id) if by_refresh else None
    problem = watch.problem if watch and watch.reading == schedule.digest_of(services, export) else None
    next_ = outlook(facts, services.clock.now(), problem.warned if problem else None)
    after = {"state": _state(facts), "next_run_utc": next_.next_run, "not_now": next_.not_now}
    return _view(export).model_copy(update=after | _last_runs(services, slot, facts.newest))


def _view(export: Export) -> ExportView:
    """Return what of an export changes with its definition only."""
    return ExportView.model_construct(id=export.id, **_members(export))


def _state(facts: Facts) -> State:
    export = facts.export
    if facts.host is None:
        return State.NO_CONNECTION
    if not export.runs_by_itself:
        return State.INACTIVE
    if export.paused or facts.connection_paused:
        return State.PAUSED
    return State.ON_HOLD if facts.on_hold else State.ACTIVE


def _members(export: Export) -> dict[str, Any]:
    names = {*ExportDefinition.model_fields, *History.model_fields, "paused"}
    return {name: getattr(export, name) for name in names}


def _last_runs(services: Services, slot: Slot | None, newest: Run | None) -> dict[str, Any]:
    if slot is None:
        return {}
    run = newest or (slot.run if slot.newest else None)
    last = yardstick(services, slot, run)
    return {
        "last_run": RunGlance.model_validate(at_a_glance(services, run)) if run else None,
        "last_success": LastSuccessView(
            run_id=last.run_id, ended_utc=last.at, rows_read=last.rows_read, confirmed=last.confirmed
        )
        if last
        else None,
    }
