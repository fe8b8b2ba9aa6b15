"""The run: its record, its status and its accounting. No I/O.

A run record holds facts only (requested, planned, waiting, cancel asked for, ended); the status is derived from them,
so the two cannot disagree. What happened to the batches is in the ledgers.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Self

from pydantic import Field

from exporter.definitions.exports import ExportDefinition
from exporter.delivery.plan import Plan
from exporter.errors import Culprit, ExporterError
from exporter.model import Record, Time, Value
from exporter.tally.count import Tally

RUN_ID = re.compile(r"[a-z0-9](-?[a-z0-9]){0,62}\.[0-9]{8}T[0-9]{6}Z\.[0-9a-f]{32}")
"""<export id>.<when, UTC>.<128 bits>: sorts by time within an export, and cannot be guessed."""


class RunStatus(StrEnum):
    """Where a run is; named as Customer Insights names it where it has a name."""

    QUEUED = "queued"  # recorded; planning has not begun
    PLANNING = "planning"  # reading the segments and cutting batches; nothing is sent yet
    RUNNING = "running"  # batches are being sent or confirmed
    WAITING = "waiting"  # for something outside; `waiting` says for what, since when and until when
    SUCCESSFUL = "successful"  # every row confirmed, or a duplicate
    COMPLETED_WITH_WARNINGS = "completedWithWarnings"  # over; some rows were rejected or are unconfirmed
    FAILED = "failed"  # over; `problem` says why and who has to act
    CANCELED = "canceled"  # over; somebody asked for it
    SKIPPED = "skipped"  # nothing to do, or another run of the export was going; `problem` says which


_S = RunStatus
STEPS: dict[RunStatus, frozenset[RunStatus]] = {
    _S.QUEUED: frozenset({_S.QUEUED, _S.PLANNING, _S.CANCELED, _S.SKIPPED}),
    _S.PLANNING: frozenset({_S.PLANNING, _S.WAITING, _S.RUNNING, _S.FAILED, _S.CANCELED, _S.SKIPPED}),
    _S.WAITING: frozenset({_S.WAITING, _S.RUNNING, _S.FAILED, _S.CANCELED, _S.SKIPPED}),
    _S.RUNNING: frozenset({_S.RUNNING, _S.SUCCESSFUL, _S.COMPLETED_WITH_WARNINGS, _S.FAILED, _S.CANCELED}),
    **{
        end: frozenset({end}) for end in (_S.SUCCESSFUL, _S.COMPLETED_WITH_WARNINGS, _S.FAILED, _S.CANCELED, _S.SKIPPED)
    },
}
"""Which status may follow which in a run's record; `Run.then` is the only way. A status followed by itself means that
another fact was recorded: a sign of life, a request to cancel, an amendment. While all lanes of a run wait, the API
shows a running one as waiting too."""
TERMINAL = frozenset(status for status, following in STEPS.items() if following == {status})


class Trigger(StrEnum):
    """What started a run."""

    SCHEDULED = "scheduled"
    ON_DEMAND = "onDemand"
    RUN_ALL = "runAll"


class Problem(Value):
    """Why something waits or failed: a stable code, a sentence, and who has to act."""

    code: str
    message: str
    culprit: Culprit

    @classmethod
    def of(cls, error: ExporterError) -> Problem:
        """Describe an error."""
        return cls(code=error.code, message=error.message, culprit=error.culprit)


class Waiting(Problem):
    """What a run waits for."""

    since: Time
    until: Time


class Claim(Value):
    """Who plans a run, and the last sign of life."""

    by: str
    at: Time


class Attempts(Value):
    """How often in a row planning has begun and come neither to a plan nor to a wait, and since when."""

    begun: int = 0
    errors: int = 0
    """How many of them ended in an error that nobody foresaw; the others died, or are going on."""
    since: Time


class End(Value):
    """How a run ended."""

    status: RunStatus
    at: Time
    tally: Tally
    problem: Problem | None = None
    resends: int = 0
    """Requests sent again because the outcome of the first was unknown (promise P4)."""
    instead: str | None = None
    """The run that was going on when this one was asked for; then this one did nothing."""


class Amended(Value):
    """What imports that had no outcome at the end came to afterwards. The status stays what it was."""

    tally: Tally
    at: Time


class Cancel(Value):
    """Somebody asked to cancel."""

    by: str
    at: Time


class Run(Record):
    """The record of a run."""

    run_id: str = Field(pattern=RUN_ID.pattern)
    export_id: str
    trigger: Trigger
    requested_by: str
    requested_utc: Time
    force: bool = False
    export: ExportDefinition
    """The export as it was when the run was requested; later edits do not touch a run."""
    host: str
    secret_name: str
    resumes: str | None = None
    """The run of the same export that ended before every contact had its outcome, and that this one goes on with."""
    claim: Claim | None = None
    attempts: Attempts | None = None
    plan: Plan | None = None
    waiting: Waiting | None = None
    cancel: Cancel | None = None
    stop: Problem | None = None
    """Why no batch of this run can work any more; what is on its way is still confirmed, then the run fails."""
    end: End | None = None
    amended: Amended | None = None

    @property
    def tally(self) -> Tally | None:
        """The tally of a run that is over, as it is known today."""
        known = self.amended or self.end
        return known.tally if known else None

    def then(self, **facts: object) -> Self:
        """Return the run with these facts recorded as well. Raises `ValueError` for a step that is not in `STEPS`."""
        after = self.model_copy(update=facts)
        if after.status not in STEPS[self.status]:
            raise ValueError(f"a run that is {self.status} cannot become {after.status}")
        return after

    @property
    def halted(self) -> bool:
        """Whether nothing more may be sent."""
        return bool(self.end or self.cancel or self.stop)

    def claimed_by(self, planner: str) -> bool:
        """Whether this planner, and no other, may still plan the run or end it without a plan."""
        return not self.halted and self.plan is None and self.claim is not None and self.claim.by == planner

    @property
    def status(self) -> RunStatus:
        """Derive the status as far as the record alone tells; `describe` knows about waiting lanes too."""
        if self.end:
            return self.end.status
        if self.waiting:
            return RunStatus.WAITING
        if self.plan:
            return RunStatus.RUNNING
        return RunStatus.PLANNING if self.claim else RunStatus.QUEUED


def new_run_id(export_id: str, now: float, random_hex: str) -> str:
    """Make the id of a run that somebody asked for; `random_hex` holds 32 digits."""
    return f"{export_id}.{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}.{random_hex}"


def scheduled_run_id(export_id: str, occurrence: float, salt: str) -> str:
    """Make the id of a scheduled run: the same occurrence gives the same id, so that a doubled timer starts one run.

    `salt` distinguishes an export from an earlier one of the same id (its creation time).
    """
    digest = hashlib.sha256(f"{export_id}|{occurrence:.0f}|{salt}".encode()).hexdigest()
    return new_run_id(export_id, occurrence, digest[:32])


def final_status(result: Tally, problem: Problem | None, *, canceled: bool) -> RunStatus:
    """Decide the terminal status. A run whose tally does not add up never succeeds."""
    if canceled:
        return RunStatus.CANCELED
    if problem or not result.adds_up:
        return RunStatus.FAILED
    warnings = result.unconfirmed + result.rejected + result.rejected_by_active_campaign
    return RunStatus.COMPLETED_WITH_WARNINGS if warnings else RunStatus.SUCCESSFUL
