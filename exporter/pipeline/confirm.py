"""Ask for the outcomes of imports: during uploads, and after the run for those that had no outcome in time."""

from __future__ import annotations

import logging
from contextlib import suppress
from dataclasses import dataclass, field

from exporter import log
from exporter.activecampaign import bodies, imports, outcomes, wire
from exporter.activecampaign.account import Exclusion
from exporter.delivery import events
from exporter.delivery.events import Event
from exporter.delivery.ledger import REPEAT_AFTER_S, BulkImport, ImportStatus, Lane
from exporter.delivery.manifest import Manifest
from exporter.errors import ExporterError, Wait
from exporter.pipeline import closed, finish
from exporter.pipeline.questions import exclusions
from exporter.pipeline.session import Session, session_of
from exporter.ports import Changed
from exporter.reasons import Reason
from exporter.records.closed import Closed
from exporter.records.lanes import append_events, read_lanes
from exporter.records.payload import read_batch
from exporter.records.runs import read_manifest
from exporter.runs.run import Run
from exporter.services import Services

MAX_FAILED_IMPORTS = 1 + len(REPEAT_AFTER_S)
"""So many imports of the same contacts may fail."""
PATIENT_ASKS = 10
"""So often, in about five minutes, an import that lacks people waits for lists that do not answer."""
ASK_LATE_EVERY_S = 900.0
"""How often a late import is checked."""
LATE_QUESTIONS = 20
"""Late imports that one sweep checks: with one turn each, it is done well before the next sweep."""


@dataclass(slots=True)
class Inquiry:
    """Questions about the imports of a run."""

    services: Services
    session: Session
    manifest: Manifest
    list_id: int
    _exclusions: tuple[Exclusion, ...] | None = field(default=None, init=False, repr=False)

    def ask(self, bulk: BulkImport, *, soon: bool = False) -> Event | outcomes.ErrorOutcome:
        """Ask for the outcome of an import once; return the event for the ledger, or why there was no answer.

        Raises `Wait` and `Stop` as `Session.call` and `read_batch` do.
        """
        reply = self.session.call(wire.import_info(bulk.import_id), soon=soon)
        outcome = imports.import_outcome(reply)
        now = self.services.clock.now()
        may_repeat = bulk.status is ImportStatus.ACCEPTED and bulk.failed_imports + 1 < MAX_FAILED_IMPORTS
        match outcome:
            case outcomes.NotFinal(status):
                return events.asked(now, bulk.import_id, status)
            case outcomes.Completed(failed_emails):
                return self._completed(bulk, failed_emails)
            case outcomes.ImportFailed(status) if may_repeat:
                return events.import_failed(now, bulk.import_id, status)
            case outcomes.ImportFailed():
                return events.gave_up(now, bulk.import_id, Reason.IMPORT_FAILED)
            case outcomes.NotFound():
                return events.asked(now, bulk.import_id, "notFound")
            case _:
                return outcome

    def _completed(self, bulk: BulkImport, failed_emails: tuple[str, ...]) -> Event:
        """Return the event for an import that is final: everybody in it is confirmed, but for those who are named.

        ActiveCampaign names failures, and queues fewer contacts than it was sent where it left some out. Documentation
        does not say that who was left out is among the failures, so they are matched by address: with the exclusion
        list and, if that names too few, with those who have unsubscribed from the list or bounced. If somebody is still
        unnamed, nobody of the request is confirmed.
        """
        now = self.services.clock.now()
        missing = 0 if bulk.queued is None else len(bulk.positions) - bulk.queued
        if not failed_emails and missing <= 0:
            return events.confirmed(now, bulk.import_id, {}, 0)
        body, _ = read_batch(self.services, self.manifest.payload, self.manifest.batches[bulk.batch])
        everybody = bodies.addresses(body)
        sent = {position: everybody[position] for position in bulk.positions}
        indexes, unmatched = bodies.failed_positions(failed_emails, [*sent.values()])
        failed = dict.fromkeys([bulk.positions[index] for index in indexes], Reason.FAILED_IN_IMPORT)
        entries = self._known_exclusions()
        looked_at = sent if missing > 0 else {position: sent[position] for position in failed}
        excluded = dict.fromkeys(
            (p for p, email in looked_at.items() if any(entry.matches(email) for entry in entries or ())),
            Reason.EXCLUDED,
        )
        why = failed | excluded
        if len(excluded) < missing:
            if entries is None and bulk.asks < PATIENT_ASKS:
                return events.asked(now, bulk.import_id, "completed")
            members = self._closed()
            if (members is None and bulk.asks < PATIENT_ASKS) or (members and not members.over):
                return events.asked(now, bulk.import_id, "completed")
            told = {p: reason for p, email in sent.items() if members and (reason := members.why(email))}
            why = failed | told | excluded
            if len(why) < missing:
                return events.gave_up(now, bulk.import_id, Reason.QUEUED_FEWER)
        codes = {str(position): reason.value for position, reason in sorted(why.items())}
        return events.confirmed(now, bulk.import_id, codes, unmatched)

    def _closed(self) -> Closed | None:
        """Return who of the list has unsubscribed or bounced, as far as it is read; None if there is no answer now."""
        with suppress(Wait):
            return closed.read_on(self.services, self.session, self.list_id)
        return None

    def _known_exclusions(self) -> tuple[Exclusion, ...] | None:
        """Return the exclusion list, which explains some failures; None if there is no answer now: ask again."""
        if self._exclusions is None:
            with suppress(Wait):
                self._exclusions = exclusions(self.session, self.list_id)
        return self._exclusions


def ask_late(services: Services, run: Run) -> None:
    """Ask for the late imports of a run that is over, and update its tally with their outcomes.

    The working copy shows whose addresses failed; once it is deleted, asking stops. Raises `Unavailable` for the app's
    own storage.
    """
    manifest = read_manifest(services, run.run_id) if run.plan else None
    if manifest is None:
        finish.after_end(services, run)
        return
    lanes = read_lanes(services, run)
    late = [(number, bulk) for number, lane in lanes.items() for bulk in lane.late()]
    now = services.clock.now()
    due = [(number, bulk) for number, bulk in late if now - bulk.asked_at >= ASK_LATE_EVERY_S][:LATE_QUESTIONS]
    try:
        if due:
            _ask_each(services, run, manifest, lanes, due)
    except ExporterError as error:
        log.event("late_imports_unanswered", level=logging.WARNING, runId=run.run_id, code=error.code)
    except Changed:
        pass  # another sweep asks
    finish.amend(services, run.run_id)


def _ask_each(
    services: Services, run: Run, manifest: Manifest, lanes: dict[int, Lane], due: list[tuple[int, BulkImport]]
) -> None:
    session = session_of(services, run, fresh=True)  # questions are rare, and must not miss a new key for minutes
    inquiry = Inquiry(services, session, manifest, run.export.list_id)
    for number, bulk in due:
        outcome = inquiry.ask(bulk)
        if isinstance(outcome, outcomes.RateLimited):
            session.slow_down(outcome.retry_after_s)
            return
        if not isinstance(outcome, dict):
            raise outcomes.as_error(outcome, "import", run.host)
        append_events(services, run.run_id, number, lanes[number], outcome)
