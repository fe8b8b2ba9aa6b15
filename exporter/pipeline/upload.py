"""Work on a lane: send its batches, one request at its turn, and ask for the outcomes, until the time is used up.

Every request is preceded by an append to the lane's ledger. The append fails for a worker that lost the lane, so that
it sends nothing; and what it recorded tells the next worker where to go on.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field

from exporter import ledger, log, store
from exporter.activecampaign import answers, wire
from exporter.errors import Culprit, Stop, Unavailable, Wait
from exporter.ledger import (
    Ask,
    Finished,
    GiveUp,
    Import,
    Json,
    Lane,
    Pause,
    Portion,
    Send,
    import_event,
    lane_event,
    portion_event,
)
from exporter.pipeline import finish
from exporter.pipeline.account import CALLED_OFF, AccountCalls, calls_of
from exporter.pipeline.confirm import Inquiry
from exporter.pipeline.manifest import Manifest, manifest_path
from exporter.pipeline.start import UPLOAD_QUEUE, send_quietly
from exporter.pipeline.working import LAST_ANSWER_S, read_batch
from exporter.ports import Changed, Services
from exporter.records import to_epoch, to_text
from exporter.runs import Problem, Run, lane_path, run_path

CHECK_CANCEL_S = 10.0
"""How often a worker looks whether the run was canceled. With a turn of at most 20 s and a request of at most 60 s to
finish, no new request begins later than 60 s after a cancel (promise P8)."""
NAP_S = 10.0
CREDENTIALS_WAIT_S = 45.0
"""A refused key is tried again so often: with the sweep's minute, a new key works within two (promise P7)."""
FIRST_WAIT_S, LONGEST_WAIT_S = 15.0, 240.0
"""Waits in an outage grow from one to the other, so that work goes on within five minutes of its end."""
PATIENT_WAITS = 3
"""How many waits without progress a refusal of the request as such is given before the run stops."""


def upload_lane(services: Services, run_id: str, number: int) -> None:
    """Work on the lane if it has work and no living worker; then pass it on, or end the run.

    Only `errors.Unavailable` of the app's own storage is raised; the sweep finds the lane again.
    """
    now = services.clock.now()
    run = store.get(services.blobs, Run, run_path(run_id))
    blob = services.blobs.read(lane_path(run_id, number)) if run and not run.end else None
    manifest = store.get(services.blobs, Manifest, manifest_path(run_id)) if blob else None
    if run is None or blob is None or manifest is None:
        return log.event("lane_not_needed", runId=run_id, lane=number)
    lane = ledger.fold(blob.data)
    if lane.finished:
        return finish.finish(services, run_id)
    if lane.held(blob.age_s, services.settings.lane_stale_s):
        return log.event("lane_held", runId=run_id, lane=number)
    if lane.waiting and to_epoch(lane.waiting["until"]) > now and not run.halted:
        return log.event("lane_waits", runId=run_id, lane=number)
    worker = _Worker(services, run, now, number, manifest, lane, services.ids.new())
    try:
        worker.work()
    except Changed:
        log.event("lane_lost", runId=run_id, lane=number, by=worker.me)
    return None


@dataclass(slots=True)
class _Worker:
    """One invocation's work on one lane."""

    services: Services
    run: Run
    run_read_at: float
    """When `run` was read, in epoch seconds; cancels since then are not known yet."""
    number: int
    manifest: Manifest
    lane: Lane
    me: str
    _account: AccountCalls = field(init=False)
    _inquiry: Inquiry = field(init=False)

    def work(self) -> None:
        """Claim the lane, work until its end or the end of the time, hand over. Raises `Changed` when it is lost."""
        clock = self.services.clock
        credentials_before = self.lane.waiting is not None and self.lane.waiting["code"] == "credentials_refused"
        self._append(lane_event(clock.now(), "claimed", by=self.me))
        deadline = clock.now() + self.services.settings.lane_time_budget_s
        try:
            self._account = calls_of(self.services, self.run, fresh=credentials_before)
            self._inquiry = Inquiry(self.services, self._account, self.manifest)
            resume_at = self._until(deadline)
        except Stop as error:
            self._stop(error)
            resume_at = clock.now()
        except Wait as error:
            return self._wait(error)
        except Changed:
            raise
        except Exception as error:  # noqa: BLE001 - a defect must not be repeated for ever; a wait ends after a day
            what = log.defect(error, runId=self.run.run_id, lane=self.number)
            return self._wait(
                Wait(
                    "defect",
                    f"Uploading failed with an unexpected error ({what}). Please report it. It will be retried"
                    " automatically.",
                    Culprit.SYSTEM,
                )
            )
        self._append(lane_event(clock.now(), "released"))
        if resume_at is None:
            finish.finish(self.services, self.run.run_id)
        else:
            self._pass_on(resume_at)
        return None

    @property
    def _last_answer_at(self) -> float:
        return self.manifest.plan.at + LAST_ANSWER_S

    def _pass_on(self, resume_at: float) -> None:
        delay_s = max(0, math.ceil(resume_at - self.services.clock.now()))
        send_quietly(self.services, UPLOAD_QUEUE, {"runId": self.run.run_id, "lane": self.number}, delay_s)

    def _until(self, deadline: float) -> float | None:
        """Take steps until the deadline; return when to go on (epoch seconds), or None when the lane is over."""
        clock, settings = self.services.clock, self.services.settings
        after_send = False
        while (now := clock.now()) < deadline:
            self._look_for_cancel(now)
            step = ledger.next_step(
                self.lane,
                now,
                may_send=not self.run.halted,
                confirm_within_s=settings.confirm_within_s if now < self._last_answer_at else 0.0,
                after_send=after_send,
            )
            after_send = False
            match step:
                case Send(portion):
                    self._send(portion)
                    after_send = True
                case Ask(one):
                    self._ask(one)
                case GiveUp(one, reason):
                    self._append(import_event(now, "gaveUp", one, reason=reason))
                case Pause(until) if until >= deadline:
                    return until
                case Pause(until):
                    clock.sleep(min(until - now, NAP_S))
                case Finished():
                    return None
        return deadline

    def _send(self, portion: Portion) -> None:
        body = self._body(portion)
        count = len(portion.to_send)
        reply = self._account.call(wire.bulk_import(body, count), before=lambda: self._may_send(portion))
        now = self.services.clock.now()
        if reply is CALLED_OFF:
            if not self.run.halted:  # recorded, and then the turn was over
                self._append(portion_event(now, "notQueued", portion, outcome=CALLED_OFF.reason))
            return
        outcome = answers.bulk_outcome(reply)
        match outcome:
            case answers.Accepted(import_id, queued):
                self._append(portion_event(now, "accepted", portion, importId=import_id, queued=queued))
            case answers.ContactsRefused():
                named, faults = outcome.positions, outcome.reasons
                self._append(portion_event(now, "refused", portion, named=named, faults=faults))
            case answers.Ambiguous(reason, retry_after_s):
                # The portion stays "sending": its outcome is unknown, and sending it again will count as a repeat.
                if retry_after_s is not None:
                    self._account.slow_down(retry_after_s)
                raise Unavailable(
                    "activecampaign_unavailable",
                    f"ActiveCampaign's answer to a bulk import did not arrive ({reason}). It is sent again by itself.",
                    retry_after_s=retry_after_s,
                )
            case _:
                self._append(portion_event(now, "notQueued", portion, outcome=type(outcome).__name__))
                self._react(outcome)

    def _may_send(self, portion: Portion) -> bool:
        """Look for a cancel, then pass the fence: the append fails for a worker that lost the lane."""
        now = self.services.clock.now()
        self._look_for_cancel(now)
        if self.run.halted:
            return False
        self._append(portion_event(now, "sending", portion))
        return True

    def _ask(self, one: Import) -> None:
        outcome = self._inquiry.ask(one)
        if isinstance(outcome, dict):
            self._append(outcome)
        else:
            self._react(outcome)

    def _react(self, outcome: answers.ErrorOutcome) -> None:
        match outcome:
            case answers.Throttled(retry_after_s):
                return self._account.slow_down(retry_after_s)
            case answers.Unavailable(retry_after_s=float(retry_after_s)):
                self._account.slow_down(retry_after_s)
            case answers.Refused(reason) if self.lane.waits < PATIENT_WAITS:
                # A limit may be worded in a new way: only a refusal that stays is one that a person has to look at.
                raise Unavailable(
                    "activecampaign_unavailable",
                    f"ActiveCampaign rejected the whole request ({reason}). It will be retried a few times.",
                )
        raise answers.as_error(outcome, "a bulk import")

    def _body(self, portion: Portion) -> bytes:
        batch = self.manifest.batches[portion.batch]
        body, _ = read_batch(self.services, self.manifest.payload, batch)
        if len(portion.to_send) == batch.count:
            return body
        return wire.select(body, self.manifest.around, portion.to_send)

    def _append(self, *events: Json) -> None:
        finish.append(self.services, self.run.run_id, self.number, self.lane, *events)

    def _look_for_cancel(self, now: float) -> None:
        if now - self.run_read_at >= CHECK_CANCEL_S:
            self.run_read_at = now
            self.run = store.get(self.services.blobs, Run, run_path(self.run.run_id)) or self.run

    def _wait(self, error: Wait) -> None:
        """Record what the lane waits for and until when. A message wakes it, or else the sweep; no attempt is burnt."""
        now = self.services.clock.now()
        since = self.lane.waiting_since or now
        if now - since > self.services.settings.retry_for_s:
            self._stop(Stop(error.code, error.message, error.culprit))
        until = now + wait_s(error, self.lane.waits)
        self._append(
            lane_event(
                now, "waiting", code=error.code, message=error.message, culprit=error.culprit, until=to_text(until)
            )
        )
        log.event("lane_waiting", level=logging.WARNING, runId=self.run.run_id, lane=self.number, code=error.code)
        self._pass_on(until)

    def _stop(self, error: Stop) -> None:
        """Record that no batch of this run can work any more; every lane sees it."""
        problem = Problem.of(error)
        log.event("run_stopped", level=logging.ERROR, runId=self.run.run_id, code=error.code)
        stopped = store.change(
            self.services.blobs,
            Run,
            run_path(self.run.run_id),
            lambda r: None if r.end or r.stop else r.then(stop=problem),
        )
        self.run = stopped or self.run


def wait_s(error: Wait, waits: int) -> float:
    """Return how long a lane waits, in seconds, after `waits` waits in a row without progress."""
    if error.code == "credentials_refused":
        return CREDENTIALS_WAIT_S
    grown = min(FIRST_WAIT_S * 2.0 ** min(waits, 10), LONGEST_WAIT_S)
    return max(grown, min(error.retry_after_s or 0.0, 900.0))
