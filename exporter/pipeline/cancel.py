"""Cancel a run."""

from __future__ import annotations

from exporter import log
from exporter.queues import PLAN_QUEUE, send_hint
from exporter.records.runs import change_run
from exporter.runs.run import Cancel, Run
from exporter.services import Services


def cancel_run(services: Services, run_id: str, by: str) -> Run | None:
    """Ask a run to stop; return the run, or None if there is none. A run that is over stays as it is."""
    asked = Cancel(by=by, at=services.clock.now())
    run = change_run(
        services,
        run_id,
        lambda r: None if r.end or r.cancel else r.then(cancel=asked),
    )
    if run and run.cancel == asked:
        log.event("run_cancel_asked", runId=run_id)
        if run.plan is None:
            send_hint(services, PLAN_QUEUE, {"runId": run_id})
    return run
