"""Every few minutes: start what is due, by the times of the exports or by the refreshes of their segments."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property

import orjson

from exporter import log
from exporter.definitions.exports import Export, ExportDefinition, Seen
from exporter.definitions.schedules import AtTimes, WithEveryRefresh
from exporter.errors import ExporterError, NotReady, Stop, Wait
from exporter.model import load
from exporter.pipeline import sources
from exporter.pipeline.resume import check_resumable
from exporter.pipeline.start import connection_of, start_due, start_each
from exporter.ports import Changed
from exporter.records import store
from exporter.records.definitions import is_on_hold, read_connection
from exporter.records.paths import export_path, slot_path, watch_path
from exporter.records.runs import read_manifest, read_run
from exporter.records.slots import Slot, read_slot, run_in, yardstick
from exporter.records.watches import Watch, load_watch
from exporter.runs import due
from exporter.runs.due import Due, Facts
from exporter.runs.run import Problem, Run
from exporter.sentences import Situation
from exporter.services import Services
from exporter.source.files import SegmentFile
from exporter.source.segments import Segments, folder_of, moved

PAGE_FILES = 5_000
"""Files that storage lists in one request: up to so many, to list all of them costs no more than to list a folder.
https://learn.microsoft.com/rest/api/storageservices/list-blobs#uri-parameters"""
LATE_S = 86_400.0
"""A refresh that is not complete for so long is worth an alert: Customer Insights writes one within minutes."""


def run_schedule(services: Services) -> list[Run]:
    """Start every export for which something is due; return the runs.

    A failure of one export is logged and does not keep the others from starting. What could not be looked at is looked
    at again the next time: nothing that is due is forgotten.
    """
    looks = _Looks(services)
    started: list[Run] = []
    for export_id, result in start_each(services, lambda export: _start(services, export, looks)):
        if isinstance(result, Run):
            started.append(result)
        elif isinstance(result, ExporterError) and not isinstance(result, NotReady):  # what is being written is awaited
            level = logging.WARNING if isinstance(result, Wait) else logging.ERROR
            log.event("scheduled_start_failed", level=level, exportId=export_id, code=result.code)
    return started


@dataclass
class _Looks:
    """The looks at segments of one call: they share a listing, which is made when anything has moved."""

    services: Services

    @cached_property
    def listing(self) -> Segments:
        return Segments(self.services.segments, self.services.settings.segment_prefix)

    def whole(self) -> tuple[SegmentFile, ...]:
        """Return all files below the prefix."""
        return self._whole

    @cached_property
    def _whole(self) -> tuple[SegmentFile, ...]:
        return self.services.segments.list(folder_of(self.services.settings.segment_prefix)).files


def _start(services: Services, export: Export, looks: _Looks) -> Run | None:
    blob = services.blobs.read(slot_path(export.id))  # before anything is looked at: see `start_due`
    slot = load(Slot, blob.data) if blob else None
    facts = facts_of(services, export, slot)
    if due.obstacle(facts):
        return None
    what = _due(services, facts, slot, looks)
    if what is None:
        return None
    if what.resumes and not _is_resumable(services, export, what.resumes):
        what = replace(what, resumes=None)
    # To look takes time, and a process may stand still: who saved, detached or paused it meanwhile is heeded.
    if store.get(services.blobs, Export, export_path(export.id)) != export:
        return None
    if due.obstacle(facts_of(services, export, slot)):
        return None
    return start_due(services, export, what, blob)


def facts_of(services: Services, export: Export, slot: Slot | None) -> Facts:
    """Return what is known of an export and its slot. Raises what `store.get` raises.

    Reads the connection, the newest run, and the newest one for everybody if that is another.
    """
    connection = read_connection(services, export.connection_id) if export.connection_id else None
    host = connection.host if connection else None
    run = run_in(services, slot) if slot else None
    newest = run
    if slot and run and slot.newest != run.run_id:
        newest = read_run(services, slot.newest) if slot.newest else None
    return Facts(
        export=export,
        host=host,
        connection_paused=connection.paused if connection else None,
        on_hold=is_on_hold(export, connection),
        going=run if run and not run.end else None,
        newest=newest,
        last=slot.scheduled if slot else None,
        seen_exported=_has_sent_what_is_seen(slot, export, host, newest),
        app_schedule=services.settings.export_schedule,
    )


def _has_sent_what_is_seen(slot: Slot | None, export: Export, host: str | None, newest: Run | None) -> bool:
    """Return whether the last success is of what counts as seen: its run was in progress when that was settled."""
    last, seen = slot.last_success if slot else None, export.seen
    if last is None or seen is None or host is None or (newest and newest.contradicted):
        return False
    data = sources.data_of(last.fingerprint)
    return sources.digest(data) == seen.refresh and last.fingerprint == sources.identity(host, export, data)


def _due(services: Services, facts: Facts, slot: Slot | None, looks: _Looks) -> Due | None:
    now, export = services.clock.now(), facts.export
    if isinstance(export.schedule, AtTimes):
        return due.due_by_time(facts, now)
    watch = _look(services, export, looks, _superseded(facts.newest))
    if watch.problem or watch.fingerprint is None:
        return None
    refresh = sources.digest(watch.fingerprint)
    new = due.is_new(facts, refresh)
    if new and export.skip_unchanged:
        new = not _was_read(services, slot, facts.newest, watch.fingerprint)
    return due.due_by_refresh(facts, now, refresh, new=new)


def _superseded(newest: Run | None) -> str | None:
    """Return the refresh that the newest run did not find any more when it was planned, if that is why it did nothing.

    Its files may have been replaced without anything that a look notices, such as another `model.json`.
    """
    problem = newest.end.problem if newest and newest.end else None
    return newest.refresh if newest and problem and problem.code == "superseded" else None


def _was_read(services: Services, slot: Slot | None, newest: Run | None, fingerprint: str) -> bool:
    """Return whether a run for everybody has read exactly that, whoever started it, and whatever the export was then.

    Whoever changes the list or the data matching afterwards runs nothing by that; what came of the run decides whether
    it is repaired.
    """
    last = yardstick(services, slot, newest)
    if last and sources.data_of(last.fingerprint) == fingerprint:
        return True
    manifest = read_manifest(services, newest.run_id) if newest and newest.plan else None
    return manifest is not None and sources.data_of(manifest.fingerprint) == fingerprint


def _is_exported(services: Services, export: Export, fingerprint: str) -> bool:
    """Return whether the last run that counts has sent exactly that, as the export is now."""
    if export.connection_id is None:
        return False
    last = yardstick(services, read_slot(services, export.id))
    host = connection_of(services, export).host
    return last is not None and last.fingerprint == sources.identity(host, export, fingerprint)


def _is_resumable(services: Services, export: Export, run_id: str) -> bool:
    """Return whether a run can be resumed; if not, everybody is sent."""
    run = read_run(services, run_id)
    try:
        if run and run.plan:
            check_resumable(services, run, connection_of(services, export).host, export)
            return True
    except Stop:
        pass
    return False


def _look(services: Services, export: Export, looks: _Looks, superseded: str | None) -> Watch:
    """Look whether the segments of an export moved, and if so, at what they are now; remember that.

    While there is no complete refresh, or what is known of is `superseded`, everything is looked at each time.
    """
    path, reading = watch_path(export.id), digest_of(services, export)
    blob = services.blobs.read(path)
    known = load_watch(blob.data) if blob else None
    if known and known.reading != reading:
        known = None
    if known and not known.problem and (superseded is None or sources.digest(known.fingerprint or "") != superseded):
        whole = looks.whole if (known.files_found or PAGE_FILES) < PAGE_FILES else None
        if not moved(services.segments, known.marks, whole):
            return known
    watch = _told(services, export, _look_closely(services, export, looks, known))
    if watch != known:
        with suppress(Changed):  # another timer is at it, and saw the same or something newer
            if blob:
                services.blobs.replace(path, watch.to_json(), blob.etag)
            else:
                services.blobs.create(path, watch.to_json())
    return watch


def _look_closely(services: Services, export: Export, looks: _Looks, known: Watch | None) -> Watch:
    now, reading = services.clock.now(), digest_of(services, export)
    try:
        segments = looks.listing
        refreshes = sources.refreshes_of(services, export, segments=segments)
    except (Stop, NotReady) as error:
        return _unread(reading, known, error, now)
    except Changed:
        return _unread(reading, known, NotReady.of("source_changing"), now)
    fingerprint = sources.fingerprint(refreshes)
    return Watch(
        reading=reading,
        marks=dict(map(segments.mark, export.segments)),
        files_found=segments.files_found,
        fingerprint=fingerprint,
        refreshed_utc=max(refresh.refreshed_at for refresh in refreshes),
        since=known.since if known and known.fingerprint == fingerprint else now,
    )


def _unread(reading: str, known: Watch | None, error: Stop | NotReady, now: float) -> Watch:
    problem = Problem.of(error, Situation.WAITING if isinstance(error, NotReady) else Situation.ENDED)
    same = known and known.problem and known.problem.code == problem.code
    since, told = (known.since, known.told) if known and same else (now, False)
    return Watch(reading=reading, problem=problem, since=since, told=told)


def _told(services: Services, export: Export, watch: Watch) -> Watch:
    """Raise an alert, once, for segments that two looks could not read, or that are not complete for `LATE_S`.

    Whoever replaces a folder file by file may have emptied it when the first one came.
    """
    problem = watch.problem
    if problem is None or watch.told:
        return watch
    if services.clock.now() - watch.since <= (LATE_S if problem.situation is Situation.WAITING else 0.0):
        return watch
    log.event("refresh_not_exported", level=logging.ERROR, exportId=export.id, code=problem.code)
    return watch.model_copy(update={"told": True})


def digest_of(services: Services, export: ExportDefinition) -> str:
    """Return a digest of `reading_of`, and of the folder where the app looks for segments, which is a setting."""
    return sources.digest(orjson.dumps([services.settings.segment_folder, reading_of(export)]).decode())


def reading_of(export: ExportDefinition) -> object:
    """Return what decides which files an export reads, and when they are complete."""
    members = {"segments", "files", "ignore", "complete_when", "encoding"}
    return export.model_dump(mode="json", include=members)


def not_exported(export: Export) -> float | None:
    """Return when the refresh was written that counts as seen though nobody has exported it (epoch seconds).

    None if there is none, or the schedule would not have exported it either.
    """
    every_refresh = isinstance(export.schedule, WithEveryRefresh) and export.connection_id is not None
    return export.seen.refreshed_utc if every_refresh and export.seen and not export.seen.exported else None


def seen_now(services: Services, export: Export, segments: Segments | None = None) -> Seen:
    """Return what counts as exported when an export is saved now: the complete refresh that is there, if any.

    `segments`: the listing, if there is one already. Raises `Unavailable` and `Wait`.
    """
    now = services.clock.now()
    try:
        refreshes = sources.refreshes_of(services, export, segments=segments)
    except (Stop, NotReady, Changed):
        return Seen(at=now)
    fingerprint = sources.fingerprint(refreshes)
    exported = _is_exported(services, export, fingerprint)
    refreshed = max(refresh.refreshed_at for refresh in refreshes)
    return Seen(at=now, refresh=sources.digest(fingerprint), refreshed_utc=refreshed, exported=exported)
