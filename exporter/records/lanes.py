"""The ledgers of a run, read and appended to."""

from __future__ import annotations

from exporter.delivery import ledger
from exporter.delivery.events import Event, encode
from exporter.delivery.ledger import Lane
from exporter.records.paths import lane_path
from exporter.runs.run import Run
from exporter.services import Services


def read_lanes(services: Services, run: Run) -> list[tuple[Lane, float]]:
    """Return every lane of the run, folded, with the seconds since its last event; an unopened ledger is left out."""
    blobs = (services.blobs.read(lane_path(run.run_id, n)) for n in range(run.plan.lanes if run.plan else 0))
    return [(ledger.fold(blob.data), blob.age_s) for blob in blobs if blob]


def append_events(services: Services, run_id: str, number: int, lane: Lane, *events: Event) -> None:
    """Append to a lane's ledger, and take it in. Raises `Changed` when somebody else has written since it was read."""
    lane.length = services.blobs.append(lane_path(run_id, number), encode(events), lane.length)
    for event in events:
        lane.apply(event)
