"""Work on a lane until its time is up: send its batches, each request in its turn, and ask for the outcomes.

Every request is preceded by an append to the lane's ledger. The append fails for a worker that has lost the lane, so it
sends nothing; and the ledger shows the next worker where to continue.
"""

from __future__ import annotations

import logging
import math
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Final

from exporter import log
from exporter.activecampaign import account, answers, bodies, imports, outcomes, refusals, wire
from exporter.delivery import events, steps
from exporter.delivery.events import Event
from exporter.delivery.ledger import BulkImport, ImportStatus, Lane, Portion
from exporter.delivery.manifest import Manifest
from exporter.delivery.steps import Ask, Finished, GiveUp, Pause, Send
from exporter.delivery.waits import lane_wait_s
from exporter.errors import CredentialsRefused, Culprit, ExporterError, OthersFirst, Stop, Throttled, Unavailable, Wait
from exporter.pipeline import destination, finish
from exporter.pipeline.confirm import Inquiry
from exporter.pipeline.questions import ask
from exporter.pipeline.session import CALLED_OFF, Session, session_of
from exporter.ports import Changed
from exporter.queues import UPLOAD_QUEUE, send_hint
from exporter.reasons import Reason
from exporter.records.lanes import append_events, read_lane
from exporter.records.payload import LAST_ANSWER_S, read_batch
from exporter.records.runs import change_run, read_manifest, read_run
from exporter.runs.run import Doubt, Problem, Run
from exporter.sentences import Parameters
from exporter.services import Services

CHECK_CANCEL_S = 10.0
"""How often a worker checks whether the run was canceled. With a turn of at most 20 s and a request of at most 60 s to
finish, no new request begins later than 60 s after a cancel (promise P8)."""
NAP_S = 10.0
DOUBT_S = 120.0
"""So long, lanes wait for the verdict of one that doubts: by then it is there, or the lane's worker is gone."""
LOOKED_S = 20.0
"""When a refusal names most of a request, follows several others or is about the whole of it, a look that began at most
this long before is recent enough; another follows if three contacts alone, or the whole request again, are refused."""
FAILED_LOOKED_S = 30.0
"""When most contacts of an import failed, a look that began at most this long before is recent enough."""
PATIENT_WAITS = 3
"""After this many waits without progress, a refusal of the whole request stops the run."""
CANCELED_WAITS_S = 60.0
"""For so long, a canceled run that cannot ask for its open imports waits for a key that works, or an answer. Then it
ends without their outcomes, and the sweep asks for them as for any late import."""
LONG_PAUSE_S = 90.0
"""A longer pause is recorded, so that nobody tries in vain: what a failed import left over is sent again later."""


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
            finish.finish(services, run_id, try_again=True)
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


_PATIENCE: Final[dict[type, int]] = {
    outcomes.RequestRefused: PATIENT_WAITS,
    outcomes.KeyRefused: PATIENT_WAITS,  # for a key that works
    outcomes.PaymentDue: 1,
}
"""How many waits without progress an outcome is given before it stops the run."""


def _words(outcome: object) -> str:
    """Return why a whole request was refused: one of `sentences.WORDS["outcome"]`, or a status."""
    match outcome:
        case outcomes.RequestRefused(reason):
            return reason
        case outcomes.PaymentDue():
            return "payment_due"
    return "permission_refused"  # the key was tried by then, and works


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
            self._inquiry = Inquiry(self.services, self._session, self.manifest, self.run.export.list_id)
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
            self._wait(Wait.of("defect", Culprit.SYSTEM, case="uploading", place=what))
            return
        if resume_at is not None and resume_at - clock.now() > LONG_PAUSE_S:
            self._append(events.waiting(clock.now(), Wait.of("imports_repeated", host=self.run.host), resume_at))
        else:
            self._append(events.released(clock.now()))
        if resume_at is None:
            finish.finish(self.services, self.run.run_id, try_again=True)
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
            if self.lane.common and not self.run.halted:
                self._look(self.lane.refused_at)
                where: Parameters = {"host": self.run.host, "listId": self.run.export.list_id}
                raise Stop.of("contacts_refused", Culprit.EXTERNAL, faults=", ".join(self.lane.faults), **where)
            self._settle_doubt()
            step = steps.next_step(
                self.lane,
                now,
                may_send=not self.run.halted and not self._others_doubt,
                confirm_within_s=settings.confirm_within_s if now < self._last_answer_at else 0.0,
                after_send=after_send,
            )
            after_send = False
            match step:
                case Send(portion):
                    try:
                        self._send(portion)
                    except OthersFirst as error:
                        wait_s = error.retry_after_s or 0.0
                        if wait_s > LONG_PAUSE_S:
                            raise
                        return clock.now() + wait_s
                    after_send = True
                case Ask(bulk, in_passing):
                    self._ask(bulk, in_passing=in_passing)
                case GiveUp(bulk, reason):
                    self._append(events.gave_up(now, bulk.import_id, reason))
                case Pause(until) if until >= deadline:
                    return until
                case Pause(until):
                    clock.sleep(min(until - now, NAP_S))
                case Finished() if self._others_doubt and not self.run.halted and any(self.lane.pending()):
                    clock.sleep(NAP_S)
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
                in_a_row = None not in portion.verdicts and len(portion.verdicts) > refusals.HINTS
                if count >= refusals.FEWEST and (in_a_row or 2 * len(outcome.positions) > count):
                    self._doubt(now)
                    self._look(now - LOOKED_S)
            case outcomes.TooLarge() if count > 1:
                self._append(events.too_large(now, *portion.key))
            case outcomes.Ambiguous(reason, retry_after_s):
                # The portion stays "sending": its outcome is unknown, and sending it again counts as a resend.
                if retry_after_s is not None:
                    self._session.slow_down(retry_after_s)
                lost = {"case": "lost", "host": self.run.host, "reason": reason}
                raise Unavailable.of("activecampaign_unavailable", Culprit.EXTERNAL, retry_after_s, **lost)
            case outcomes.WebPage():
                # Only if the key does not work is it certain that nothing was queued.
                try:
                    self._react(outcome)
                except CredentialsRefused:
                    self._append(events.not_queued(now, *portion.key, type(outcome).__name__))
                    raise
            case _:
                self._append(events.not_queued(now, *portion.key, type(outcome).__name__))
                if isinstance(outcome, outcomes.RequestRefused | outcomes.NotFound):
                    self._look(now - LOOKED_S)  # what is gone may be the reason, in words that nobody knows
                self._react(outcome)

    def _may_send(self, portion: Portion) -> bool:
        """Check for a cancel, then pass the fence: the append fails for a worker that has lost the lane."""
        now = self.services.clock.now()
        self._look_for_cancel(now)
        if self.run.halted:
            return False
        self._append(events.sending(now, *portion.key))
        return True

    def _ask(self, bulk: BulkImport, *, in_passing: bool) -> None:
        try:
            outcome = self._inquiry.ask(bulk, soon=in_passing)
        except Throttled:
            if in_passing:
                return
            raise
        if not isinstance(outcome, dict):
            self._react(outcome, "import")
            return
        self._append(outcome)
        if self.run.halted:
            return
        if bulk.status is ImportStatus.FAILED:
            # Its contacts are sent again in a minute. What was seen before it was accepted does not tell why it failed.
            self._look(bulk.accepted_at)
        elif len(bulk.positions) >= refusals.FEWEST and bulk.mostly_failed:
            # Where most people have unsubscribed, every import looks like this: one look in half a minute is enough.
            self._look(min(bulk.accepted_at, self.services.clock.now() - FAILED_LOOKED_S))

    def _react(self, outcome: outcomes.ErrorOutcome | outcomes.TooLarge, asked: str = "bulk_import") -> None:
        """Raise what an outcome that decides nothing means for the lane; slow down where ActiveCampaign asks for it."""
        key_works = False
        match outcome:
            case outcomes.RateLimited(retry_after_s):
                self._session.slow_down(retry_after_s)
                return
            case outcomes.NoAnswer(retry_after_s=float(retry_after_s)):
                self._session.slow_down(retry_after_s)
            case outcomes.KeyRefused() | outcomes.WebPage():
                ask(self._session, wire.who_am_i(), account.read_user, "user")
                key_works = True
            case outcomes.TooLarge():
                outcome = outcomes.RequestRefused(answers.TOO_LARGE)
            case outcomes.NotFound():
                outcome = outcomes.RequestRefused("status_404")
        host = self.run.host
        if self.lane.waits < _PATIENCE.get(type(outcome), 0):
            # It may be a limit in unfamiliar words, or pass like one: only a refusal that persists needs a person.
            raise Unavailable.of("activecampaign_refuses", host=host, outcome=_words(outcome))
        raise outcomes.as_error(outcome, asked, host, key_works=key_works)

    def _body(self, portion: Portion) -> bytes:
        batch = self.manifest.batches[portion.batch]
        body, _ = read_batch(self.services, self.manifest.payload, batch)
        if len(portion.to_send) == batch.count:
            return body
        return bodies.select(body, self.manifest.around, portion.to_send)

    def _look(self, since: float) -> None:
        """Look whether the destination is still there. Raises the `Stop` that says what is gone, and `Wait`."""
        seen = destination.look(self._session, since)
        gone = destination.what_is_gone(self._session, seen, self.run.export.list_id, self.manifest.fields)
        if not self.run.export.allow_over_contact_limit:
            gone = gone or destination.account_full(self._session, seen)
        if gone:
            raise gone

    def _doubt(self, now: float) -> None:
        """Keep the other lanes from sending until it is clear whether anybody can arrive."""
        doubt = Doubt(lane=self.number, at=now)
        self._change_run(lambda r: None if r.doubt or r.end else r.then(doubt=doubt))

    def _settle_doubt(self) -> None:
        """Let the other lanes go on once this lane's doubt has proved wrong."""
        doubt = self.run.doubt
        if doubt and doubt.lane == self.number and not doubt.cleared and not self.lane.in_doubt:
            cleared = doubt.model_copy(update={"cleared": True})
            self._change_run(lambda r: None if r.end or r.doubt != doubt else r.then(doubt=cleared))

    def _change_run(self, update: Callable[[Run], Run | None]) -> None:
        self.run = change_run(self.services, self.run.run_id, update) or self.run

    @property
    def _others_doubt(self) -> bool:
        doubt, now = self.run.doubt, self.services.clock.now()
        return doubt is not None and doubt.lane != self.number and not doubt.cleared and now - doubt.at < DOUBT_S

    def _append(self, *events: Event) -> None:
        append_events(self.services, self.run.run_id, self.number, self.lane, *events)

    def _look_for_cancel(self, now: float) -> None:
        if now - self.run_read_at >= CHECK_CANCEL_S:
            self.run_read_at = now
            self.run = read_run(self.services, self.run.run_id) or self.run

    def _wait(self, error: Wait) -> None:
        """Record what the lane waits for and until when; a message or the sweep wakes it.

        A canceled run does not wait for long: it ends without the outcomes that nobody can tell it now.
        """
        now = self.services.clock.now()
        since = self.lane.waiting_since or now
        canceled_s = now - max(since, self.run.cancel.at) if self.run.cancel else 0.0
        if canceled_s > CANCELED_WAITS_S and isinstance(error, CredentialsRefused | Unavailable):
            late = [bulk.import_id for bulk in self.lane.accepted()]
            gave_up = (events.gave_up(now, import_id, Reason.NOT_CONFIRMED_IN_TIME) for import_id in late)
            self._append(*gave_up, events.released(now))
            finish.finish(self.services, self.run.run_id)
            return
        if now - since > self.services.settings.retry_for_s:
            self._stop(error)
        until = now + lane_wait_s(error, self.lane.waits)
        self._append(events.waiting(now, error, until))
        log.event("lane_waiting", level=logging.WARNING, runId=self.run.run_id, lane=self.number, code=error.code)
        self._pass_on(until)

    def _stop(self, error: ExporterError) -> None:
        """Stop the whole run: no further batch can succeed. Every lane sees it in the run's record."""
        problem = Problem.of(error)
        log.event("run_stopped", level=logging.ERROR, runId=self.run.run_id, code=error.code)
        stopped = change_run(
            self.services, self.run.run_id, lambda r: None if r.end or r.stop else r.then(stop=problem)
        )
        self.run = stopped or self.run
