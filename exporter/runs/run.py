"""The run: its record, its status and its accounting. No I/O.

A run record holds only facts (requested, planned, waiting, cancel asked for, ended); the status is derived from them,
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
from exporter.reasons import BY_CODE, Bucket
from exporter.sentences import Parameter, Situation, sentence
from exporter.tally.count import Tally

RUN_ID = re.compile(r"[a-z0-9](-?[a-z0-9]){0,62}\.[0-9]{8}T[0-9]{6}Z\.[0-9a-f]{32}")
"""<export id>.<when, UTC>.<128 bits>: sorts by time within an export, and cannot be guessed."""


class RunStatus(StrEnum):
    """The status of a run, with the name that Customer Insights uses where it has one."""

    QUEUED = "queued"  # recorded; planning has not begun
    PLANNING = "planning"  # reading the segments and cutting batches; nothing is sent yet
    RUNNING = "running"  # batches are being sent or confirmed
    WAITING = "waiting"  # for something external; `waiting` says for what, since when and until when
    SUCCESSFUL = "successful"  # every row confirmed, or a duplicate
    COMPLETED_WITH_WARNINGS = "completedWithWarnings"  # over; some rows or files were left out, or are unconfirmed
    FAILED = "failed"  # over, and nobody arrived or it was stopped; `problem` says why and who has to act
    CANCELED = "canceled"  # over; someone asked for it
    SKIPPED = "skipped"  # nothing to do, or another run of the export was in progress; `problem` says which


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
another fact was recorded: a heartbeat, a request to cancel, an amendment. While all lanes of a running run wait, the
API shows it as waiting too."""
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
    situation: Situation | None = None
    """When the sentence is read; absent where it is the same in every situation."""
    params: dict[str, str | int | float] | None = None
    """What the sentence is made from: numbers, and names of segments, columns, fields and reasons."""

    @classmethod
    def of(cls, error: ExporterError, situation: Situation = Situation.ENDED) -> Problem:
        """Return the problem for an error."""
        if not error.parameters:
            return cls(code=error.code, message=error.message, culprit=error.culprit)
        return cls.said(error.code, error.culprit, situation, **error.parameters)

    @classmethod
    def said(
        cls, code: str, culprit: Culprit, situation: Situation = Situation.ENDED, /, **params: Parameter
    ) -> Problem:
        """Return the problem whose sentence `sentences` makes from the code, the situation and these parameters."""
        message = sentence(code, params, situation)
        return cls(code=code, message=message, culprit=culprit, situation=situation, params=params)


class Waiting(Problem):
    """What a run waits for."""

    since: Time
    until: Time


class Claim(Value):
    """Who plans a run, and the time of the last heartbeat."""

    by: str
    at: Time


class Attempts(Value):
    """How often in a row planning has begun without reaching a plan or a wait, and since when."""

    begun: int = 0
    errors: int = 0
    """How many of them ended in an unexpected error; the rest died or are still in progress."""
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
    """The run that was in progress when this one was requested; this one then did nothing."""


class Amended(Value):
    """The tally once imports without an outcome at the end have got one. The status does not change."""

    tally: Tally
    at: Time


class Cancel(Value):
    """Someone asked to cancel."""

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
    """The export as it was when the run was requested; later edits do not affect a run."""
    host: str
    secret_name: str
    resumes: str | None = None
    """The run of the same export that this one continues: it ended before every contact had its outcome."""
    claim: Claim | None = None
    attempts: Attempts | None = None
    plan: Plan | None = None
    waiting: Waiting | None = None
    cancel: Cancel | None = None
    stop: Problem | None = None
    """Why no batch of this run can succeed any longer; what was sent is still confirmed, then the run fails."""
    end: End | None = None
    amended: Amended | None = None

    @property
    def tally(self) -> Tally | None:
        """The latest tally of a run that is over."""
        latest = self.amended or self.end
        return latest.tally if latest else None

    def then(self, **facts: object) -> Self:
        """Return the run with these facts added. Raises `ValueError` for a step that is not in `STEPS`."""
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
        """Derive the status from the record alone; `progress.progress` considers waiting lanes too."""
        if self.end:
            return self.end.status
        if self.waiting:
            return RunStatus.WAITING
        if self.plan:
            return RunStatus.RUNNING
        return RunStatus.PLANNING if self.claim else RunStatus.QUEUED


def new_run_id(export_id: str, now: float, random_hex: str) -> str:
    """Make the id of a run that someone asked for; `random_hex` holds 32 digits."""
    return f"{export_id}.{datetime.fromtimestamp(now, UTC):%Y%m%dT%H%M%SZ}.{random_hex}"


def scheduled_run_id(export_id: str, occurrence: float, salt: str) -> str:
    """Make the id of a scheduled run: it depends on the occurrence, so a timer that fires twice starts one run.

    `salt` distinguishes an export from an earlier one of the same id (its creation time).
    """
    digest = hashlib.sha256(f"{export_id}|{occurrence:.0f}|{salt}".encode()).hexdigest()
    return new_run_id(export_id, occurrence, digest[:32])


def nobody_arrived(result: Tally) -> Problem | None:
    """Return why a run that was to bring somebody counts as failed: nobody is known to be there."""
    if result.there or not result.contacts:
        return None
    late = {Bucket.REJECTED_BY_ACTIVECAMPAIGN, Bucket.UNCONFIRMED}
    reasons = {code: count for code, count in result.reasons.items() if BY_CODE[code].group.bucket in late}
    reason = max(reasons, key=reasons.__getitem__, default="")
    return Problem.said(
        "nobody_arrived",
        Culprit.EXTERNAL,
        contacts=result.contacts,
        reason=reason,
        count=reasons.get(reason, 0),
    )


def is_yardstick(status: RunStatus, result: Tally) -> bool:
    """Whether later runs are compared with this one: somebody is there, and of nobody it is unknown."""
    ended_well = status in (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS)
    return ended_well and result.there > 0 and result.unconfirmed == 0


def final_status(result: Tally, problem: Problem | None, *, canceled: bool, files_not_read: int = 0) -> RunStatus:
    """Decide the terminal status. A run whose tally does not add up never succeeds."""
    if canceled:
        return RunStatus.CANCELED
    if problem or not result.adds_up:
        return RunStatus.FAILED
    return RunStatus.COMPLETED_WITH_WARNINGS if result.warnings or files_not_read else RunStatus.SUCCESSFUL
