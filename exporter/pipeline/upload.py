"""Work on a lane until its time is up: send its batches, each request in its turn, and ask for the outcomes.

Every request is preceded by an append to the lane's ledger. The append fails for a worker that has lost the lane, so it
sends nothing; and the ledger shows the next worker where to continue.
"""

from __future__ import annotations

import logging
import math
from dataclasses import dataclass, field

from exporter import log
from exporter.activecampaign import bodies, imports, outcomes, wire
from exporter.delivery import events, steps
from exporter.delivery.events import Event
from exporter.delivery.ledger import BulkImport, Lane, Portion
from exporter.delivery.manifest import Manifest
from exporter.delivery.steps import Ask, Finished, GiveUp, Pause, Send
from exporter.delivery.waits import lane_wait_s
from exporter.errors import Culprit, Stop, Unavailable, Wait
from exporter.pipeline import finish
from exporter.pipeline.confirm import Inquiry
from exporter.pipeline.session import CALLED_OFF, Session, session_of
from exporter.ports import Changed
from exporter.queues import UPLOAD_QUEUE, send_hint
from exporter.records.lanes import append_events, read_lane
from exporter.records.payload import LAST_ANSWER_S, read_batch
from exporter.records.runs import change_run, read_manifest, read_run
from exporter.runs.run import Problem, Run
from exporter.services import Services

CHECK_CANCEL_S = 10.0
"""How often a worker checks whether the run was canceled. With a turn of at most 20 s and a request of at most 60 s to
finish, no new request begins later than 60 s after a cancel (promise P8)."""
NAP_S = 10.0
PATIENT_WAITS = 3
"""After this many waits without progress, a refusal of the whole request stops the run."""


def upload_lane(services: Services, run_id: str, number: int) -> None:
    """Work on the lane if it has work and no live worker; then pass it on, or end the run.

    Raises only `errors.Unavailable`, for the app's own storage; the sweep finds the lane again.
    """
    now = services.clock.now()
    run = read_run(services, run_id)
    lane = read_lane(services, run_id, number) if run and not run.end else None
    manifest = read_manifest(services, run_id) if lane else None
    if run is None or lane is None or manifest is None:
        log.event("lane_not_needed", runId=run_id, lane=number)
        return
    match lane.idle_because(now, services.settings.lane_stale_s, halted=run.halted):
        case "done":
            finish.finish(services, run_id)
            return
        case "held":
            log.event("lane_held", runId=run_id, lane=number)
            return
        case "waits":
            log.event("lane_waits", runId=run_id, lane=number)
            return
    worker = _Worker(services, run, now, number, manifest, lane, services.ids.new())
    try:
        worker.work()
    except Changed:
        log.event("lane_lost", runId=run_id, lane=number, by=worker.worker_id)


@dataclass(slots=True)
class _Worker:
    """One invocation's work on one lane."""

    services: Services
    run: Run
    run_read_at: float
    """When `run` was read, in epoch seconds; a cancel since then has not been noticed yet."""
    number: int
    manifest: Manifest
    lane: Lane
    worker_id: str
    _session: Session = field(init=False)
    _inquiry: Inquiry = field(init=False)

    def work(self) -> None:
        """Claim the lane, work until it is over or time is up, then hand over. Raises `Changed` if the lane is lost."""
        clock = self.services.clock
        credentials_before = self.lane.waiting is not None and self.lane.waiting["code"] == "credentials_refused"
        self._append(events.claimed(clock.now(), self.worker_id))
        deadline = clock.now() + self.services.settings.lane_time_budget_s
        try:
            self._session = session_of(self.services, self.run, fresh=credentials_before)
            self._inquiry = Inquiry(self.services, self._session, self.manifest)
            resume_at = self._until(deadline)
        except Stop as error:
            self._stop(error)
            resume_at = clock.now()
        except Wait as error:
            self._wait(error)
            return
        except Changed:
            raise
        except Exception as error:  # noqa: BLE001 - a defect must not be repeated forever; a wait ends after a day
            what = log.defect(error, runId=self.run.run_id, lane=self.number)
            self._wait(
                Wait(
                    "defect",
                    f"Uploading failed with an unexpected error ({what}). Please report it. It will be retried"
                    " automatically.",
                    Culprit.SYSTEM,
                )
            )
            return
        self._append(events.released(clock.now()))
        if resume_at is None:
            finish.finish(self.services, self.run.run_id)
        else:
            self._pass_on(resume_at)

    @property
    def _last_answer_at(self) -> float:
        return self.manifest.plan.at + LAST_ANSWER_S

    def _pass_on(self, resume_at: float) -> None:
        delay_s = max(0, math.ceil(resume_at - self.services.clock.now()))
        send_hint(self.services, UPLOAD_QUEUE, {"runId": self.run.run_id, "lane": self.number}, delay_s)

    def _until(self, deadline: float) -> float | None:
        """Take steps until the deadline; return when to continue (epoch seconds), or None if the lane is over."""
        clock, settings = self.services.clock, self.services.settings
        after_send = False
        while (now := clock.now()) < deadline:
            self._look_for_cancel(now)
            step = steps.next_step(
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
                case Ask(bulk):
                    self._ask(bulk)
                case GiveUp(bulk, reason):
                    self._append(events.gave_up(now, bulk.import_id, reason))
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
        reply = self._session.call(wire.bulk_import(body, count), before=lambda: self._may_send(portion))
        now = self.services.clock.now()
        if reply is CALLED_OFF:
            if not self.run.halted:  # the turn ended after "sending" was recorded
                self._append(events.not_queued(now, *portion.key, CALLED_OFF.reason))
            return
        outcome = imports.bulk_outcome(reply)
        match outcome:
            case outcomes.Accepted(import_id, queued):
                self._append(events.accepted(now, *portion.key, import_id, queued))
            case outcomes.ContactsRefused():
                self._append(events.refused(now, *portion.key, outcome.positions, outcome.reasons))
            case outcomes.Ambiguous(reason, retry_after_s):
                # The portion stays "sending": its outcome is unknown, and sending it again counts as a resend.
                if retry_after_s is not None:
                    self._session.slow_down(retry_after_s)
                raise Unavailable(
                    "activecampaign_unavailable",
                    f"ActiveCampaign's answer to a bulk import did not arrive ({reason}). The request is sent again"
                    " automatically.",
                    retry_after_s=retry_after_s,
                )
            case _:
                self._append(events.not_queued(now, *portion.key, type(outcome).__name__))
                self._react(outcome)

    def _may_send(self, portion: Portion) -> bool:
        """Check for a cancel, then pass the fence: the append fails for a worker that has lost the lane."""
        now = self.services.clock.now()
        self._look_for_cancel(now)
        if self.run.halted:
            return False
        self._append(events.sending(now, *portion.key))
        return True

    def _ask(self, bulk: BulkImport) -> None:
        outcome = self._inquiry.ask(bulk)
        if isinstance(outcome, dict):
            self._append(outcome)
        else:
            self._react(outcome)

    def _react(self, outcome: outcomes.ErrorOutcome) -> None:
        match outcome:
            case outcomes.RateLimited(retry_after_s):
                self._session.slow_down(retry_after_s)
                return
            case outcomes.NoAnswer(retry_after_s=float(retry_after_s)):
                self._session.slow_down(retry_after_s)
            case outcomes.RequestRefused(reason) if self.lane.waits < PATIENT_WAITS:
                # It may be a limit in unfamiliar words, so only a refusal that persists needs a person.
                raise Unavailable(
                    "activecampaign_unavailable",
                    f"ActiveCampaign refused the whole request ({reason}). It is retried a few times.",
                )
        raise outcomes.as_error(outcome, "a bulk import")

    def _body(self, portion: Portion) -> bytes:
        batch = self.manifest.batches[portion.batch]
        body, _ = read_batch(self.services, self.manifest.payload, batch)
        if len(portion.to_send) == batch.count:
            return body
        return bodies.select(body, self.manifest.around, portion.to_send)

    def _append(self, *events: Event) -> None:
        append_events(self.services, self.run.run_id, self.number, self.lane, *events)

    def _look_for_cancel(self, now: float) -> None:
        if now - self.run_read_at >= CHECK_CANCEL_S:
            self.run_read_at = now
            self.run = read_run(self.services, self.run.run_id) or self.run

    def _wait(self, error: Wait) -> None:
        """Record what the lane waits for and until when; a message or the sweep wakes it."""
        now = self.services.clock.now()
        since = self.lane.waiting_since or now
        if now - since > self.services.settings.retry_for_s:
            self._stop(Stop(error.code, error.message, error.culprit))
        until = now + lane_wait_s(error, self.lane.waits)
        self._append(events.waiting(now, error, until))
        log.event("lane_waiting", level=logging.WARNING, runId=self.run.run_id, lane=self.number, code=error.code)
        self._pass_on(until)

    def _stop(self, error: Stop) -> None:
        """Stop the whole run: no further batch can succeed. Every lane sees it in the run's record."""
        problem = Problem.of(error)
        log.event("run_stopped", level=logging.ERROR, runId=self.run.run_id, code=error.code)
        stopped = change_run(
            self.services, self.run.run_id, lambda r: None if r.end or r.stop else r.then(stop=problem)
        )
        self.run = stopped or self.run
