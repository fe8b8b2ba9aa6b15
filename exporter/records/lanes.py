"""Read and append to the ledgers of a run."""

from __future__ import annotations

from exporter.delivery import ledger
from exporter.delivery.events import Event, encode
from exporter.delivery.ledger import Lane
from exporter.records.paths import lane_path
from exporter.runs.run import Run
from exporter.services import Services


def read_lane(services: Services, run_id: str, number: int) -> Lane | None:
    """Return a lane, folded from its ledger, or None if that is not open yet. Raises what `ledger.fold` raises."""
    blob = services.blobs.read(lane_path(run_id, number))
    return ledger.fold(blob.data, blob.age_s) if blob else None


def read_lanes(services: Services, run: Run) -> dict[int, Lane]:
    """Return the lanes of the run by number; a lane whose ledger is not open yet is omitted."""
    lanes = ((number, read_lane(services, run.run_id, number)) for number in range(run.plan.lanes if run.plan else 0))
    return {number: lane for number, lane in lanes if lane}


def append_events(services: Services, run_id: str, number: int, lane: Lane, *events: Event) -> None:
    """Append events to a lane's ledger and apply them. Raises `Changed` if someone has written since it was read."""
    lane.length = services.blobs.append(lane_path(run_id, number), encode(events), lane.length)
    for event in events:
        lane.apply(event)
