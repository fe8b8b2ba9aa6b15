"""Queued bulk imports: how their status moves with time, and what import/info tells of them."""

from array import array
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from sandbox.activecampaign.audience import Audience, Refusal
from sandbox.activecampaign.contacts import SentContact
from sandbox.activecampaign.switches import Switches

Outcome = Literal["completed", "failed", "interrupted", "stuck"]

_KEPT_DAYS: Final = 7


@dataclass(slots=True)
class Import:
    """A queued import. Times in epoch seconds; `id` is what ActiveCampaign calls batchId."""

    id: str
    contacts: list[SentContact]  # without the excluded; emptied when processed
    excluded: list[str]
    submitted_at: float
    done_at: float
    queued: int = 0  # what is told of it
    outcome: Outcome = "completed"
    runs_automations: bool = True
    finished: bool = False
    forgotten: bool = False
    size: int = 0
    created: array[int] = field(default_factory=lambda: array("Q"))  # contact ids
    updated: array[int] = field(default_factory=lambda: array("Q"))
    failures: list[tuple[str, Refusal]] = field(default_factory=list)  # e-mail address as sent, why

    def __post_init__(self) -> None:
        """Remember the size: the contacts go when they are processed."""
        self.size = len(self.contacts)

    def process(self, audience: Audience, switches: Switches) -> None:
        """Bring the contacts into `audience`. Of a failed import none arrive, of an interrupted one the first half."""
        arriving = {"completed": self.size, "interrupted": self.size // 2}.get(self.outcome, 0)
        self.failures = [(email, "excluded") for email in self.excluded]
        for sent in self.contacts[:arriving]:
            if refusal := audience.refusal(sent, switches):
                self.failures.append((sent["email"], refusal))
                continue
            known = len(audience)
            contact = audience.find_or_create(sent["email"], self.done_at)
            (self.created if len(audience) > known else self.updated).append(contact.id)
            audience.write(contact, sent, self.done_at, switches)
            if self.runs_automations and not _has_own_word(sent, switches):
                audience.run_automations(contact)
        self.contacts = []
        self.finished = True

    def status(self, now: float, switches: Switches) -> str | bool:
        """Return `False` at first, then one of the six documented words."""
        age_s = now - self.submitted_at
        if age_s < switches.status_delay_s:
            return False
        if self.finished:
            return self.outcome
        share = age_s / max(self.done_at - self.submitted_at, age_s)
        return "waiting" if share < 1 / 3 else "claimed" if share < 1 / 2 else "active"

    def info(self, now: float, switches: Switches) -> dict[str, Any]:
        """Return the answer of import/info."""
        status = self.status(now, switches)
        if status is False:
            return {"status": False}
        if not self.finished:
            return {"status": status, "success": [], "failure": []}
        updated = self.updated if switches.success_lists == "created_and_updated" else ()
        silent = {"unsubscribed"} if switches.unsubscribed in ("silent", "not_queued") else set()
        silent |= {"excluded"} if switches.excluded == "silent" else set()
        emails = [email for email, refusal in self.failures if refusal not in silent]
        return {
            "status": status,
            "success": [str(each) for each in (*self.created, *updated)],
            "failure": [email.lower() for email in emails] if switches.failure_case == "lower" else emails,
        }


def daily_totals(imports: Iterable[Import], now: float) -> dict[str, list[dict[str, str]]]:
    """Return the answer of the bulk import status list: totals by day, those of completed imports for seven days."""
    totals: dict[str, dict[str, Counter[str]]] = {"outstanding": {}, "recentlyCompleted": {}}
    for each in imports:
        if not each.finished:
            _add(totals["outstanding"], each.submitted_at, each.size)
        elif each.outcome == "completed" and each.done_at > now - _KEPT_DAYS * 86_400:
            _add(totals["recentlyCompleted"], each.done_at, each.size)
    return {
        name: [
            {"forDate": day, "batches": str(days[day]["batches"]), "contacts": str(days[day]["contacts"])}
            for day in sorted(days)
        ]
        for name, days in totals.items()
    }


def _add(days: dict[str, Counter[str]], at: float, contacts: int) -> None:
    day = datetime.fromtimestamp(at, UTC).date().isoformat()
    days.setdefault(day, Counter()).update(batches=1, contacts=contacts)


def _has_own_word(sent: Mapping[str, object], switches: Switches) -> bool:
    return switches.exclude_automations_at != "top" and sent.get("exclude_automations") is True
