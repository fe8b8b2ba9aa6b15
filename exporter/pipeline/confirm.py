"""Ask for the outcomes of imports: during uploads, and after the run for those that had no outcome in time."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from exporter import log
from exporter.activecampaign import bodies, imports, outcomes, wire
from exporter.activecampaign.account import Exclusion
from exporter.delivery import events
from exporter.delivery.events import Event
from exporter.delivery.ledger import BulkImport, ImportStatus, Lane
from exporter.delivery.manifest import Manifest
from exporter.errors import ExporterError
from exporter.pipeline import finish
from exporter.pipeline.questions import exclusions
from exporter.pipeline.session import Session, session_of
from exporter.ports import Changed
from exporter.reasons import Reason
from exporter.records.lanes import append_events, read_lanes
from exporter.records.payload import read_batch
from exporter.records.runs import read_manifest
from exporter.runs.run import Run
from exporter.services import Services

MAX_FAILED_IMPORTS = 3
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
    _exclusions: tuple[Exclusion, ...] | None = field(default=None, init=False, repr=False)

    def ask(self, bulk: BulkImport) -> Event | outcomes.ErrorOutcome:
        """Ask for the outcome of an import once; return the event for the ledger, or why there was no answer.

        Raises `Wait` and `Stop` as `Session.call` and `read_batch` do.
        """
        outcome = imports.import_outcome(self.session.call(wire.import_info(bulk.import_id)))
        now = self.services.clock.now()
        may_repeat = bulk.status is ImportStatus.ACCEPTED and bulk.failed_imports + 1 < MAX_FAILED_IMPORTS
        match outcome:
            case outcomes.NotFinal(status):
                return events.asked(now, bulk.import_id, status)
            case outcomes.Completed(failed_emails):
                failed, unmatched = self._failed(bulk, failed_emails)
                return events.confirmed(now, bulk.import_id, failed, unmatched)
            case outcomes.ImportFailed(status) if may_repeat:
                return events.import_failed(now, bulk.import_id, status)
            case outcomes.ImportFailed():
                return events.gave_up(now, bulk.import_id, Reason.IMPORT_FAILED)
            case outcomes.NotFound():
                return events.asked(now, bulk.import_id, "notFound")
            case _:
                return outcome

    def _failed(self, bulk: BulkImport, failed_emails: tuple[str, ...]) -> tuple[dict[str, str], int]:
        """Return the reason code of each failed contact by position, and how many failed addresses were never sent."""
        if not failed_emails:
            return {}, 0
        body, _ = read_batch(self.services, self.manifest.payload, self.manifest.batches[bulk.batch])
        addresses = bodies.addresses(body)
        indexes, unmatched = bodies.failed_positions(failed_emails, [addresses[p] for p in bulk.positions])
        positions = [bulk.positions[i] for i in indexes]
        return {str(position): self._why_failed(addresses[position]).value for position in positions}, unmatched

    def _why_failed(self, email: str) -> Reason:
        """Return why a contact failed: ActiveCampaign gives no reason, but a readable exclusion list explains some."""
        if self._exclusions is None:
            self._exclusions = exclusions(self.session)
        excluded = any(entry.matches(email) for entry in self._exclusions)
        return Reason.EXCLUDED if excluded else Reason.FAILED_IN_IMPORT


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
    inquiry = Inquiry(services, session, manifest)
    for number, bulk in due:
        outcome = inquiry.ask(bulk)
        if isinstance(outcome, outcomes.RateLimited):
            session.slow_down(outcome.retry_after_s)
            return
        if not isinstance(outcome, dict):
            raise outcomes.as_error(outcome, "the outcome of an import")
        append_events(services, run.run_id, number, lanes[number], outcome)
