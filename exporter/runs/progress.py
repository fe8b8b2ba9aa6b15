"""How far a run that is not over has come."""

from __future__ import annotations

from exporter.delivery.ledger import Lane
from exporter.model import to_epoch, to_text
from exporter.runs.run import Run, RunStatus
from exporter.tally.count import Tally, tally_of


def progress(run: Run, lanes: list[Lane], bulk_requests_per_minute: int) -> dict[str, object]:
    """Return status, waiting and progress of a planned run that is not over, as JSON members."""
    plan = run.plan
    so_far = tally_of(plan, lanes) if plan else Tally()
    waiting_for_import = sum(len(bulk.positions) for lane in lanes for bulk in lane.accepted())
    requests_left = sum(1 for lane in lanes for _ in lane.pending())
    confirm_s = max((lane.expect_s for lane in lanes if any(lane.accepted()) or any(lane.pending())), default=0.0)
    shown: dict[str, object] = {
        "status": run.status,
        "progress": {
            "contacts": plan.contacts if plan else 0,
            "sent": so_far.confirmed + so_far.rejected_by_active_campaign + waiting_for_import,
            "confirmed": so_far.confirmed,
            "rejectedByActiveCampaign": so_far.rejected_by_active_campaign,
            "secondsLeft": round(requests_left * 60 / bulk_requests_per_minute + confirm_s),
        },
    }
    open_lanes = [lane for lane in lanes if not lane.done]
    if open_lanes and all(lane.waiting and lane.holder is None for lane in open_lanes):
        waiting = open_lanes[0].waiting or {}
        shown["status"] = RunStatus.WAITING
        shown["waiting"] = {
            "code": waiting["code"],
            "message": waiting["message"],
            "culprit": waiting["culprit"],
            "since": to_text(open_lanes[0].waiting_since or to_epoch(waiting["at"])),
            "until": waiting["until"],
        }
    return shown
