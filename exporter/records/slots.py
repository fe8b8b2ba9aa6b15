"""The slot of an export: its newest run, and what the next one compares with."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.model import Record, Time, Value
from exporter.records import store
from exporter.records.paths import SLOTS, run_path, slot_path
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


class Slot(Record):
    """The place of an export's run, one per export. Writing a run into it is the commit point of a start."""

    run: Run
    last_success: LastSuccess | None = None


def read_slot(services: Services, export_id: str) -> Slot | None:
    """Return the slot of an export, or None if it has never run. Raises what `store.get` raises."""
    return store.get(services.blobs, Slot, slot_path(export_id))


def active_run(services: Services, slot: Slot) -> Run | None:
    """Return the run in the slot if it is in progress; create its record if whoever took the slot did not get to it.

    A run without a record that was requested longer ago than `UNRECORDED_S` is over: its record was deleted when its
    time had come.
    """
    path = run_path(slot.run.run_id)
    run = store.get(services.blobs, Run, path)
    if run is None:
        if services.clock.now() - slot.run.requested_utc > UNRECORDED_S:
            return None
        run = store.create_or_get(services.blobs, path, slot.run)
    return None if run.end else run


def current_runs(services: Services) -> Iterator[Run]:
    """Yield the runs in progress, at most one per export."""
    for slot in store.get_all(services.blobs, Slot, SLOTS):
        if run := active_run(services, slot):
            yield run
