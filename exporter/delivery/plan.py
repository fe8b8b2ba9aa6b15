"""What planning found: how many rows, contacts, batches and lanes. The batches themselves are in the manifest."""

from __future__ import annotations

from exporter.model import Time, Value


class Carried(Value):
    """Contacts with an outcome from an earlier run: the one that this run resumes, or one that it resumed."""

    run_id: str
    confirmed: int
    rejected_by_active_campaign: int
    reasons: dict[str, int]


class Plan(Value):
    """What planning found; the batches themselves are in the manifest."""

    rows_read: int
    contacts: int
    duplicates: int
    rejected_by_reason: dict[str, int]
    batches: int
    lanes: int
    warnings: tuple[str, ...] = ()
    files_not_read: int = 0
    """Files beside those of the segments that nobody asked to leave out; a warning names the first."""
    carried: Carried | None = None
    """In a run that resumes another: the contacts that are not sent again."""
    at: Time
