"""The slot of an export: its newest run, and what the next one compares with."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from exporter.model import Record, Time, Value
from exporter.records import store
from exporter.records.paths import SLOTS, run_path, slot_path
from exporter.runs.due import Attempted
from exporter.runs.run import Run
from exporter.services import Services

UNRECORDED_S = 7 * 86_400.0
"""Whoever takes a slot creates the run's record at once; if they die, the next sweep does, once storage answers.
Storage deletes records after a year or more (infra/modules/export-storage.bicep)."""


class LastSuccess(Value):
    """What the last successful run read, for the next one to detect unchanged segments or an implausible size.

    Successful here means that it counts: `runs.run.is_yardstick`.
    """

    run_id: str
    fingerprint: str
    rows_read: int
    at: Time
    host: str = ""
    confirmed: int = 0

    def known_to(self, host: str) -> int:
        """Return how many of the export's contacts the account at `host` already has, according to this run."""
        return self.confirmed if self.host == host else 0


class Cleared(Value):
    """The custom fields of an account, by id, that an empty text erases: a run for a few people has shown it."""

    host: str
    fields: tuple[int, ...]


class Slot(Record):
    """The place of an export's run, one per export. Writing a run into it is the commit point of a start."""

    run: Run
    last_success: LastSuccess | None = None
    """The newest run that counts, unless a look after its end has contradicted it since: read it with `yardstick`."""
    success_before: LastSuccess | None = None
    """The one before it, which counts if the newest does not."""
    cleared: Cleared | None = None
    attempt: str | None = None
    """Where `run` is for a few people only: the newest run before it that was for everybody, if there was one."""
    scheduled: Attempted | None = None

    @property
    def newest(self) -> str | None:
        """The newest run for everybody, which is the one that can be resumed or approved."""
        return self.run.run_id if self.run.only is None else self.attempt


def read_slot(services: Services, export_id: str) -> Slot | None:
    """Return the slot of an export, or None if it has never run. Raises what `store.get` raises."""
    return store.get(services.blobs, Slot, slot_path(export_id))


def yardstick(services: Services, slot: Slot | None, known: Run | None = None) -> LastSuccess | None:
    """Return what the next run is compared with: the last success that no look after its end contradicts.

    `known`: a run that was just read, if there is one; it is not read again. The record of a run says whether one does;
    if it was deleted, which is after a year, none did. Where the newer one has sent the same, the one before it has no
    fingerprint: whom it brought is not there any more, so nobody may take the segments for exported. Raises what
    `store.get` raises.
    """
    contradicted: str | None = None
    for success in (slot.last_success, slot.success_before) if slot else ():
        if success:
            is_known = known is not None and known.run_id == success.run_id
            run = known if is_known else store.get(services.blobs, Run, run_path(success.run_id))
            if run is None or not run.contradicted:
                same = success.fingerprint == contradicted
                return success.model_copy(update={"fingerprint": ""}) if same else success
            contradicted = success.fingerprint
    return None


def cleared_at(slot: Slot | None, host: str) -> tuple[int, ...]:
    """Return the ids of the fields of which it is known that an empty text erases them in the account at `host`."""
    return slot.cleared.fields if slot and slot.cleared and slot.cleared.host == host else ()


def remember_cleared(services: Services, export_id: str, host: str, fields: Iterable[int]) -> None:
    """Add fields to those that an empty text erases."""

    def add(slot: Slot) -> Slot | None:
        known = cleared_at(slot, host)
        cleared = Cleared(host=host, fields=tuple(sorted({*known, *fields})))
        return None if cleared.fields == known else slot.model_copy(update={"cleared": cleared})

    store.change(services.blobs, Slot, slot_path(export_id), add)


def run_in(services: Services, slot: Slot) -> Run | None:
    """Return the run in the slot; create its record if whoever took the slot did not get to it.

    A run without a record that was requested longer ago than `UNRECORDED_S` is over, and None: its record was deleted
    when its time had come.
    """
    path = run_path(slot.run.run_id)
    run = store.get(services.blobs, Run, path)
    if run is None and services.clock.now() - slot.run.requested_utc <= UNRECORDED_S:
        return store.create_or_get(services.blobs, path, slot.run)
    return run


def active_run(services: Services, slot: Slot) -> Run | None:
    """Return the run in the slot, as `run_in` does, if it is in progress."""
    run = run_in(services, slot)
    return None if run is None or run.end else run


def current_runs(services: Services) -> Iterator[Run]:
    """Yield the runs in progress, at most one per export."""
    for slot in store.get_all(services.blobs, Slot, SLOTS):
        if run := active_run(services, slot):
            yield run
