"""How far a run that is not over has come."""

from __future__ import annotations

from exporter.activecampaign.pacing import SINGLE_PER_MINUTE
from exporter.activecampaign.refusals import PROBES
from exporter.delivery.ledger import Lane, Portion
from exporter.delivery.traffic import traffic_of
from exporter.model import to_epoch, to_text
from exporter.runs.run import Problem, Run, RunStatus
from exporter.tally.count import Tally, tally_of


def progress(run: Run, lanes: list[Lane], bulk_requests_per_minute: int, now: float) -> dict[str, object]:
    """Return status, waiting and progress of a planned run that is not over, as JSON members."""
    plan = run.plan
    so_far = tally_of(plan, lanes, gone=run.gone) if plan else Tally()
    waiting_for_import = sum(len(bulk.positions) for lane in lanes for bulk in lane.accepted())
    send_s = _seconds_to_send([portion for lane in lanes for portion in lane.pending()], bulk_requests_per_minute, now)
    confirm_s = max((lane.expect_s for lane in lanes if any(lane.accepted()) or any(lane.pending())), default=0.0)
    contacts = plan.contacts if plan else 0
    known = so_far.confirmed + so_far.rejected_by_active_campaign
    shown: dict[str, object] = {
        "status": run.status,
        "progress": {
            "contacts": contacts,
            "share": round(known / contacts, 4) if contacts else 0.0,
            "sent": known + waiting_for_import,
            "confirmed": so_far.confirmed,
            "rejectedByActiveCampaign": so_far.rejected_by_active_campaign,
            "secondsLeft": round(confirm_s if run.halted else send_s + confirm_s),
        },
        "traffic": traffic_of(lanes),
    }
    open_lanes = [lane for lane in lanes if not lane.done]
    if open_lanes and all(lane.waiting and lane.holder is None for lane in open_lanes):
        waiting = open_lanes[0].waiting or {}
        shown["status"] = RunStatus.CANCELING if run.cancel else RunStatus.WAITING
        shown["waiting"] = {
            **Problem.model_validate(waiting).model_dump(exclude_none=True),
            "since": to_text(open_lanes[0].waiting_since or to_epoch(waiting["at"])),
            "until": waiting["until"],
        }
    return shown


def _seconds_to_send(pending: list[Portion], bulk_requests_per_minute: int, now: float) -> float:
    """Return how long it takes to send what is left, in seconds, as far as can be known.

    A search that has come to contacts alone is counted with those that it sends at least: ActiveCampaign takes only
    `SINGLE_PER_MINUTE` of them. What a failed import left over waits first.
    """
    alone = [portion for portion in pending if len(portion.to_send) == 1]
    singles = sum(PROBES if portion.verdicts else 1 for portion in alone)
    turns_s = (len(pending) - len(alone)) * 60 / bulk_requests_per_minute + singles * 60 / SINGLE_PER_MINUTE
    return max([turns_s, *(portion.not_before - now for portion in pending)])
