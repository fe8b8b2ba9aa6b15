"""One planner at a time: the claim on a run."""

from __future__ import annotations

from exporter.records.runs import change_run
from exporter.runs.run import Attempts, Claim, Run
from exporter.services import Services

CLAIM_S = 90.0
"""A planner without a heartbeat for this long counts as dead. It sends one about every 64,000 rows and every 256
files."""


class ClaimLostError(Exception):
    """Another planner took over, or the run was canceled."""


def claim(services: Services, run_id: str, planner: str) -> Attempts | None:
    """Claim the run for this planner; return its attempts so far, or None if another planner is working on it."""
    now = services.clock.now()

    def take(run: Run) -> Run | None:
        if run.end or (run.claim and run.claim.by != planner and now - run.claim.at < CLAIM_S):
            return None
        before = run.attempts or Attempts(since=now)
        attempts = before.model_copy(update={"begun": before.begun + 1})
        return run.then(claim=Claim(by=planner, at=now), attempts=attempts)

    run = change_run(services, run_id, take)
    return run.attempts if run and run.claim and run.claim.by == planner else None


def renew(services: Services, run_id: str, planner: str) -> None:
    """Record a heartbeat. Raises `ClaimLostError` if another planner has taken the run, or it was canceled."""

    def renew(run: Run) -> Run | None:
        return run.then(claim=Claim(by=planner, at=services.clock.now())) if run.claimed_by(planner) else None

    run = change_run(services, run_id, renew)
    if run is None or not run.claimed_by(planner):
        raise ClaimLostError
