"""Why is this person not on the list? The address comes in the body, never in a URL, and is never returned."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from exporter.api.access import Context
from exporter.api.http import Json
from exporter.api.runs import find_usable_run
from exporter.delivery.ledger import ImportStatus
from exporter.model import Value
from exporter.queries import lookup
from exporter.reasons import Bucket

PARTIAL = (
    "Not every row could be checked: the files that the run read are no longer the newest ones, or its reject report"
    " was deleted after its retention. A row that is not shown was confirmed, was not in the segments, or is one of"
    " those that could not be checked."
)

NOBODY = (
    "No row of the segments that the run read has this address. Check the spelling. If it is correct, the person was"
    " not in the segments; the first run after they join one sends them."
)


class LookupBody(Value):
    """Whom to look for."""

    email: str = Field(min_length=1, max_length=1000, pattern=r"\S", repr=False)
    """The address; case and surrounding spaces do not matter."""


class ImportView(Value):
    """ActiveCampaign's answer about the newest import that held the contact; `importId` is its `batchId`."""

    import_id: str
    status: ImportStatus


class RowView(Value):
    """A row with the address; `row` is its number among the data rows of the file, from 1."""

    file: str
    row: int
    bucket: Bucket | Literal["open"]
    """`open`: the run is in progress, and has no answer for this row yet."""
    reason: str | None = None
    explanation: str | None = None
    batch: int | None = None
    """The number of the batch that holds the contact, from 0, as in the ledgers."""
    run_id: str | None = None
    """The run that sent it; it may be one that this run resumes."""
    active_campaign: ImportView | None = None


class LookupView(Value):
    """What happened to a person in a run."""

    rows: tuple[RowView, ...]
    complete: bool
    """Whether every row was checked. If so, an empty result means that the address was not in the segments."""
    note: str | None = None
    """If no row was found or not every row could be checked: what that means and what to do."""


def look_up(context: Context, run_id: str, body: LookupBody) -> Json[LookupView]:
    """Return what happened to a person in a run: source row, bucket, reason, request, and ActiveCampaign's answer.

    Each worker process serves one preview or lookup at a time; 429 means: try again shortly.
    """
    run = find_usable_run(context, run_id)
    found = lookup.look_up(context.services, run, body.email)
    note = (None if found.rows else NOBODY) if found.complete else PARTIAL
    return Json(LookupView(rows=tuple(map(_view, found.rows)), complete=found.complete, note=note))


def _view(row: lookup.FoundRow) -> RowView:
    newest = row.newest
    return RowView(
        file=row.path,
        row=row.row,
        bucket=row.bucket or "open",
        reason=row.reason,
        explanation=row.reason.explanation if row.reason else None,
        batch=row.batch,
        run_id=row.run_id,
        active_campaign=ImportView(import_id=newest.import_id, status=newest.status) if newest else None,
    )
