"""Open the ledgers of a planned run, and send a message for each lane."""

from __future__ import annotations

from exporter.delivery import events
from exporter.delivery.manifest import Manifest
from exporter.pipeline import finish
from exporter.ports import Changed
from exporter.queues import UPLOAD_QUEUE, send_hint
from exporter.records.paths import lane_path
from exporter.records.runs import change_run
from exporter.runs.run import Run
from exporter.services import Services

BATCHES_A_LANE = 5
"""A lane gets at least about this many batches; smaller runs need fewer lanes."""


def lanes_for(batches: int, max_lanes: int) -> int:
    """Return how many lanes a run with this many batches gets."""
    return min(max_lanes, -(-batches // BATCHES_A_LANE))


def dispatch(services: Services, run_id: str, manifest: Manifest) -> None:
    """Open the ledgers, record the plan, and send a message for each lane, skipping what is already done."""
    plan = manifest.plan
    now = services.clock.now()
    for lane in range(plan.lanes):
        counts = [(n, manifest.batches[n].count) for n in range(lane, plan.batches, plan.lanes)]
        path = lane_path(run_id, lane)
        try:
            services.blobs.append(path, events.encode([events.opened(now, counts)]), 0)
        except Changed:
            continue

    def planned(run: Run) -> Run | None:
        if run.end or run.plan:
            return None
        resumes = run.resumes if plan.carried else None  # it may have come to nothing by now: see `what_is_left`
        return run.then(plan=plan, resumes=resumes, waiting=None, attempts=None)

    change_run(services, run_id, planned)
    if not plan.lanes:
        finish.finish(services, run_id)
    for lane in range(plan.lanes):
        send_hint(services, UPLOAD_QUEUE, {"runId": run_id, "lane": lane})
