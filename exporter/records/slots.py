"""The slot of an export: its newest run, and what the next one compares with."""

from __future__ import annotations

from collections.abc import Iterator

from exporter.model import Record, Time, Value
from exporter.records import store
from exporter.records.paths import SLOTS, run_path, slot_path
from exporter.runs.run import Run
from exporter.services import Services


class LastSuccess(Value):
    """What the newest run that sent its contacts had read: to notice an unchanged segment, or one of odd size."""

    run_id: str
    fingerprint: str
    rows_read: int
    at: Time
    host: str = ""
    confirmed: int = 0

    def known_to(self, host: str) -> int:
        """Return how many contacts of the export the account at `host` has already, as far as this run tells."""
        return self.confirmed if self.host == host else 0


class Slot(Record):
    """The place of an export's run. Writing a run into it is the commit point of a start; there is one an export."""

    run: Run
    last_success: LastSuccess | None = None


def read_slot(services: Services, export_id: str) -> Slot | None:
    """Return the slot of an export, or None when it never ran. Raises what `store.get` raises."""
    return store.get(services.blobs, Slot, slot_path(export_id))


def active_run(services: Services, slot: Slot) -> Run | None:
    """Return the run in the slot if it is going on; makes its record if whoever took the slot could not do so."""
    path = run_path(slot.run.run_id)
    run = store.get(services.blobs, Run, path) or store.create_or_get(services.blobs, path, slot.run)
    return None if run.end else run


class IdempotencyKey(Record):
    """What was asked for under an idempotency key."""

    run_id: str
    request_sha256: str


def current_runs(services: Services) -> Iterator[Run]:
    """Yield the runs that are going on, at most one an export."""
    for slot in store.get_all(services.blobs, Slot, SLOTS):
        if run := active_run(services, slot):
            yield run
