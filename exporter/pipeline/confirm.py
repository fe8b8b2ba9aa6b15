"""Ask what became of imports: beside the uploads, and after the run for those that had no outcome in time."""

from __future__ import annotations

import logging
from dataclasses import dataclass, field

from exporter import log, store
from exporter.activecampaign import answers, wire
from exporter.errors import ExporterError
from exporter.ledger import Import, ImportStatus, Json, Lane, import_event
from exporter.pipeline import finish, preflight
from exporter.pipeline.account import AccountCalls, calls_of
from exporter.pipeline.manifest import Manifest, manifest_path
from exporter.pipeline.working import read_batch
from exporter.ports import Changed, Services
from exporter.reasons import Reason
from exporter.runs import Run

MAX_FAILED_IMPORTS = 3
ASK_LATE_EVERY_S = 900.0
"""How often a late import is asked for."""
LATE_QUESTIONS = 20
"""Late imports that one sweep asks for: with a turn each, it is back well before the next one."""


@dataclass(slots=True)
class Inquiry:
    """Questions about the imports of a run."""

    services: Services
    account: AccountCalls
    manifest: Manifest
    _exclusions: tuple[answers.Exclusion, ...] | None = field(default=None, init=False, repr=False)

    def ask(self, one: Import) -> Json | answers.ErrorOutcome:
        """Ask for an import once; return the event to append to the ledger, or why there was no answer.

        Raises `Wait` and `Stop` as `AccountCalls.call` and `read_batch` do.
        """
        outcome = answers.import_outcome(self.account.call(wire.import_info(one.import_id)))
        now = self.services.clock.now()
        may_repeat = one.status is ImportStatus.ACCEPTED and one.failed_imports + 1 < MAX_FAILED_IMPORTS
        match outcome:
            case answers.Pending(status):
                return import_event(now, "asked", one, status=status)
            case answers.Completed(failed_emails):
                failed, unmatched = self._failed(one, failed_emails)
                return import_event(now, "confirmed", one, failed=failed, unmatched=unmatched)
            case answers.ImportFailed(status) if may_repeat:
                return import_event(now, "importFailed", one, status=status)
            case answers.ImportFailed():
                return import_event(now, "gaveUp", one, reason=Reason.IMPORT_FAILED)
            case answers.NotFound():
                return import_event(now, "asked", one, status="notFound")
            case _:
                return outcome

    def _failed(self, one: Import, failed_emails: tuple[str, ...]) -> tuple[dict[str, str], int]:
        """Return the reason code by position of those who failed, and how many failed addresses were not sent."""
        if not failed_emails:
            return {}, 0
        body, _ = read_batch(self.services, self.manifest.payload, self.manifest.batches[one.batch])
        everybody = wire.addresses(body)
        found, unmatched = wire.failed_positions(failed_emails, [everybody[p] for p in one.positions])
        positions = [one.positions[i] for i in found]
        return {str(position): self._why_failed(everybody[position]).value for position in positions}, unmatched

    def _why_failed(self, email: str) -> Reason:
        """ActiveCampaign gives no reason for a failure; the exclusion list, where it may be read, tells some."""
        if self._exclusions is None:
            self._exclusions = preflight.exclusions(self.account)
        excluded = any(entry.matches(email) for entry in self._exclusions)
        return Reason.EXCLUDED if excluded else Reason.FAILED_IN_IMPORT


def ask_late(services: Services, run: Run) -> None:
    """Ask for the late imports of a run that is over, and bring its account up to date with what they came to.

    The working copy says whose addresses failed; when it is deleted, nobody asks any more. Raises `Unavailable` of the
    app's own storage.
    """
    manifest = store.get(services.blobs, Manifest, manifest_path(run.run_id)) if run.plan else None
    if manifest is None:
        return finish.settle(services, run)
    lanes = [lane for lane, _ in finish.lanes(services, run)]
    late = [(number, one) for number, lane in enumerate(lanes) for one in lane.late()]
    now = services.clock.now()
    due = [(number, one) for number, one in late if now - one.asked_at >= ASK_LATE_EVERY_S][:LATE_QUESTIONS]
    try:
        if due:
            _ask_each(services, run, manifest, lanes, due)
    except ExporterError as error:
        log.event("late_imports_unanswered", level=logging.WARNING, runId=run.run_id, code=error.code)
    except Changed:
        pass  # another sweep asks
    return finish.amend(services, run.run_id)


def _ask_each(
    services: Services, run: Run, manifest: Manifest, lanes: list[Lane], due: list[tuple[int, Import]]
) -> None:
    account = calls_of(services, run, fresh=True)  # it is asked seldom, and must not miss a new key for minutes
    inquiry = Inquiry(services, account, manifest)
    for number, one in due:
        outcome = inquiry.ask(one)
        if isinstance(outcome, answers.Throttled):
            return account.slow_down(outcome.retry_after_s)
        if not isinstance(outcome, dict):
            raise answers.as_error(outcome, "the outcome of an import")
        finish.append(services, run.run_id, number, lanes[number], outcome)
    return None
