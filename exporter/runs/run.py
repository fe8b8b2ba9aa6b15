"""The run: its record, its status and its accounting. No I/O.

A run record holds only facts (requested, planned, waiting, cancel asked for, ended); the status is derived from them,
so the two cannot disagree. What happened to the batches is in the ledgers.
"""

from __future__ import annotations

import hashlib
import re
from datetime import UTC, datetime
from enum import StrEnum
from typing import Any, Self

from pydantic import Field, model_validator

from exporter.definitions.exports import ExportDefinition, with_schedule
from exporter.delivery.plan import Plan
from exporter.delivery.traffic import Traffic
from exporter.errors import Culprit, ExporterError
from exporter.model import Record, Time, Value
from exporter.reasons import BY_CODE, Bucket, Reason
from exporter.runs.evidence import contradictions
from exporter.sentences import Parameter, Situation, sentence
from exporter.tally.count import Tally
from exporter.tally.findings import Sample
from exporter.warned import Warned

RUN_ID = re.compile(r"[a-z0-9](-?[a-z0-9]){0,62}\.[0-9]{8}T[0-9]{6}Z\.[0-9a-f]{32}")
"""<export id>.<when, UTC>.<128 bits>: sorts by time within an export, and cannot be guessed."""


GONE = {"list_gone": Reason.LIST_GONE, "field_gone": Reason.FIELD_GONE}
"""Why contacts whose imports completed are not confirmed, by the code of the problem."""


class RunStatus(StrEnum):
    """The status of a run, with the name that Customer Insights uses where it has one."""

    QUEUED = "queued"  # recorded; planning has not begun
    PLANNING = "planning"  # reading the segments and cutting batches; nothing is sent yet
    RUNNING = "running"  # batches are being sent or confirmed
    WAITING = "waiting"  # for something external; `waiting` says for what, since when and until when
    CANCELING = "canceling"  # someone asked to cancel: nothing more is sent, and what was sent is still confirmed
    SUCCESSFUL = "successful"  # every row confirmed, or a duplicate, and no look after the end contradicts it
    COMPLETED_WITH_WARNINGS = "completedWithWarnings"  # over; rows or files left out, or an outcome unknown or in doubt
    FAILED = "failed"  # over: nobody arrived, the list is gone, or it was stopped; `problem` says why
    CANCELED = "canceled"  # over; someone asked for it
    HELD = "held"  # over, and nothing was sent: a person has to say whether `held` is intended
    SKIPPED = "skipped"  # nothing to do, or another run of the export was in progress; `problem` says which


_S = RunStatus
_SENT = frozenset({_S.SUCCESSFUL, _S.COMPLETED_WITH_WARNINGS, _S.FAILED})
STEPS: dict[RunStatus, frozenset[RunStatus]] = {
    _S.QUEUED: frozenset({_S.QUEUED, _S.PLANNING, _S.CANCELING, _S.SKIPPED}),
    _S.PLANNING: frozenset({_S.PLANNING, _S.WAITING, _S.RUNNING, _S.FAILED, _S.CANCELING, _S.HELD, _S.SKIPPED}),
    _S.WAITING: frozenset({_S.WAITING, _S.RUNNING, _S.FAILED, _S.CANCELING, _S.HELD, _S.SKIPPED}),
    _S.RUNNING: frozenset({_S.RUNNING, _S.CANCELING, *_SENT}),
    # Whoever ended the run may not have seen yet that somebody asked to cancel it.
    _S.CANCELING: frozenset({_S.CANCELING, _S.CANCELED, *_SENT}),
    _S.SUCCESSFUL: frozenset({_S.SUCCESSFUL, _S.COMPLETED_WITH_WARNINGS}),  # once a look has contradicted it
    **{end: frozenset({end}) for end in (_S.COMPLETED_WITH_WARNINGS, _S.FAILED, _S.CANCELED, _S.HELD, _S.SKIPPED)},
}
"""Which status may follow which in a run's record; `Run.then` is the only way. A status followed by itself means that
another fact was recorded: a heartbeat, a request to cancel, an amendment. While all lanes of a running run wait, the
API shows it as waiting too."""
TERMINAL = frozenset({*_SENT, _S.CANCELED, _S.HELD, _S.SKIPPED})
"""The statuses of a run that is over: nothing more is sent."""


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
    """When the sentence is read; absent where a former release wrote it."""
    params: dict[str, str | int | float] | None = None
    """What the sentence is made from: numbers, and names of accounts, segments, files, columns, fields, settings."""

    @classmethod
    def of(cls, error: ExporterError, situation: Situation = Situation.ENDED) -> Problem:
        """Return the problem for an error."""
        if error.parameters is None:
            return cls(code=error.code, message=error.message, culprit=error.culprit)
        return cls.said(error.code, error.culprit, situation, **error.parameters)

    @classmethod
    def said(
        cls, code: str, culprit: Culprit, situation: Situation = Situation.ENDED, /, **params: Parameter
    ) -> Problem:
        """Return the problem whose sentence `sentences` makes from the code, the situation and these parameters."""
        message = sentence(code, params, situation)
        return cls(code=code, message=message, culprit=culprit, situation=situation, params=params)

    @property
    def warned(self) -> Warned:
        """The same as a warning: where it stops nothing."""
        return Warned(code=self.code, message=self.message, params=self.params or {})

    def when(self, situation: Situation) -> Problem:
        """Return the same problem as it is read in this situation; what another release wrote stays as it is."""
        try:
            return Problem.said(self.code, self.culprit, situation, **(self.params or {}))
        except KeyError:
            return self


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


class Cause(Value):
    """One thing that holds a run."""

    code: str = Field(max_length=64)
    """As in `problem`, whose sentence explains the first."""
    numbers: dict[str, int] = Field(max_length=8)
    """What the run came to, and what that was measured by."""


class Held(Value):
    """What holds a run. An approval names exactly this."""

    causes: tuple[Cause, ...] = Field(min_length=1, max_length=8)
    membership: str = Field(pattern=r"^[0-9a-f]{64}$")
    """A digest of who is exported whereto: `runs.membership`. If the export has another one by now, nothing is
    approved."""


class Approved(Held):
    """What was approved by whoever requested this run, so that it is not held for it again."""

    run_id: str
    """The run that was held."""


class End(Value):
    """How a run ended."""

    status: RunStatus
    """Of a run that is held, `failed`: a release from before knows no better. `Run.status` tells them apart."""
    at: Time
    tally: Tally
    problem: Problem | None = None
    resends: int = 0
    """Requests sent again because the outcome of the first was unknown (promise P4)."""
    traffic: Traffic | None = None
    """What went to ActiveCampaign, and when; None if nothing did, or where a former release wrote it."""
    instead: str | None = None
    """The run that was in progress when this one was requested; this one then did nothing."""
    held: Held | None = None
    """Of a run that was held: why."""
    refresh: str | None = None
    """Of a run that was held: what it had read, as `sources.digest` names it."""


class Amended(Value):
    """The tally once imports without an outcome at the end have got one, and reasons were found out.

    The status changes only if what was seen contradicts the run (`Run.contradicted`).
    """

    tally: Tally
    sample: Sample | None = None
    """What a look at some of the confirmed people showed."""
    list_active: int | None = None
    """How many active contacts the list had; None: unknown."""
    at: Time


class Doubt(Value):
    """A lane's doubt whether anybody can arrive, since most of a request was refused. The others wait."""

    lane: int
    at: Time
    cleared: bool = False


class Looked(Value):
    """The last look at the destination: when it began, and what is gone."""

    at: Time
    problem: Problem | None = None


class ListSize(Value):
    """How many active contacts the list had before a run sent anything, and after its end; None: unknown.

    Others change the list too: people leave it, and forms and other exports add some.
    """

    before: int | None = None
    after: int | None = None


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
    export: ExportDefinition
    """The export as it was when the run was requested; later edits do not affect a run."""
    host: str
    secret_name: str
    resumes: str | None = None
    """The run of the same export that this one continues: it ended before every contact had its outcome."""
    refresh: str | None = None
    """Of a run that the schedule has started for a refresh: which, as `sources.digest` names it. If planning finds
    another one, the run does nothing, and the schedule starts one for that."""
    attempt: int | None = None
    """Of a run that the schedule has started: the how many-th for this refresh, or for this time."""
    approved: Approved | None = None
    """Of a run that an approval has started: what is intended."""
    only: int | None = None
    """Of a run for a few people: how many were asked for. Their addresses are in the working copy, and in no record."""
    claim: Claim | None = None
    attempts: Attempts | None = None
    plan: Plan | None = None
    waiting: Waiting | None = None
    cancel: Cancel | None = None
    stop: Problem | None = None
    """Why no batch of this run can succeed any longer; what was sent is still confirmed, then the run fails."""
    doubt: Doubt | None = None
    looked: Looked | None = None
    end: End | None = None
    amended: Amended | None = None

    @model_validator(mode="before")
    @classmethod
    def _of_a_former_release(cls, stored: Any) -> Any:  # noqa: ANN401 - any JSON
        if isinstance(stored, dict) and isinstance(stored.get("export"), dict):
            return stored | {"export": with_schedule(stored["export"])}
        return stored

    @property
    def tally(self) -> Tally | None:
        """The latest tally of a run that is over."""
        latest = self.amended or self.end
        return latest.tally if latest else None

    @property
    def list_size(self) -> ListSize | None:
        """How many active contacts the list had before and after; None while nothing of it is known."""
        before = self.plan.list_active if self.plan else None
        after = self.amended.list_active if self.amended else None
        return None if before is after is None else ListSize(before=before, after=after)

    @property
    def sample(self) -> Sample | None:
        """What a look at some of the confirmed people showed, once there was one."""
        return self.amended.sample if self.amended else None

    @property
    def contradicted(self) -> tuple[Warned, ...]:
        """What a look after the end says against the run, if anything."""
        if self.end is None or self.amended is None:
            return ()
        # The look began after the end: whom a late import has confirmed since may not have been there yet.
        confirmed = min(self.end.tally.there, self.amended.tally.there)
        seen = confirmed, self.amended.sample, self.amended.list_active
        return tuple(contradictions(*seen, list_id=self.export.list_id, host=self.host))

    def then(self, **facts: object) -> Self:
        """Return the run with these facts added. Raises `ValueError` for a step that is not in `STEPS`."""
        after = self.model_copy(update=facts)
        if after.status not in STEPS[self.status]:
            raise ValueError(f"a run that is {self.status} cannot become {after.status}")
        return after

    @property
    def gone(self) -> Reason | None:
        """Why none of its contacts is on the list with its values, although imports said so."""
        problems = (self.stop, self.looked.problem if self.looked else None)
        return next((GONE[each.code] for each in problems if each and each.code in GONE), None)

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
            if self.end.status is RunStatus.SUCCESSFUL and self.contradicted:
                return RunStatus.COMPLETED_WITH_WARNINGS
            return RunStatus.HELD if self.end.held else self.end.status
        if self.cancel:
            return RunStatus.CANCELING
        if self.waiting:
            return RunStatus.WAITING
        if self.plan:
            return RunStatus.RUNNING
        return RunStatus.PLANNING if self.claim else RunStatus.QUEUED


def new_run_id(export_id: str, now: float, random_hex: str) -> str:
    """Make the id of a run that someone asked for; `random_hex` holds 32 digits."""
    return f"{export_id}.{id_time(now)}.{random_hex}"


def id_time(at: float) -> str:
    """Write a time (epoch seconds) as ids of runs do; it sorts as text."""
    return f"{datetime.fromtimestamp(at, UTC):%Y%m%dT%H%M%SZ}"


def scheduled_run_id(export_id: str, now: float, *what: object) -> str:
    """Make the id of a run that the schedule starts: its last part derives from `what` it starts."""
    digest = hashlib.sha256("|".join(map(str, (export_id, *what))).encode()).hexdigest()
    return new_run_id(export_id, now, digest[:32])


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


def final_status(result: Tally, problem: Problem | None, *, canceled: bool, doubts: int = 0) -> RunStatus:
    """Decide the terminal status. A run whose tally does not add up never succeeds.

    `doubts`: files that were not read, and a destination that was not looked at again.
    """
    if canceled:
        return RunStatus.CANCELED
    if problem or not result.adds_up:
        return RunStatus.FAILED
    return RunStatus.COMPLETED_WITH_WARNINGS if result.warnings or doubts else RunStatus.SUCCESSFUL
