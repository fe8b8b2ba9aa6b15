"""The ledgers of a run, read and appended to."""

from __future__ import annotations

from exporter.delivery import ledger
from exporter.delivery.events import Event, encode
from exporter.delivery.ledger import Lane
from exporter.records.paths import lane_path
from exporter.runs.run import Run
from exporter.services import Services


def read_lane(services: Services, run_id: str, number: int) -> Lane | None:
    """Return a lane as its ledger tells, or None when that is not open. Raises what `ledger.fold` raises."""
    blob = services.blobs.read(lane_path(run_id, number))
    return ledger.fold(blob.data, blob.age_s) if blob else None


def read_lanes(services: Services, run: Run) -> dict[int, Lane]:
    """Return the lanes of the run by their numbers; one whose ledger is not open is left out."""
    found = ((number, read_lane(services, run.run_id, number)) for number in range(run.plan.lanes if run.plan else 0))
    return {number: lane for number, lane in found if lane}


def append_events(services: Services, run_id: str, number: int, lane: Lane, *events: Event) -> None:
    """Append to a lane's ledger, and take it in. Raises `Changed` when somebody else has written since it was read."""
    lane.length = services.blobs.append(lane_path(run_id, number), encode(events), lane.length)
    for event in events:
        lane.apply(event)
