"""Why is this person not on the list? The address comes in the body, never in a URL, and is never returned."""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from pydantic import Field

from exporter.api import connections, resources
from exporter.api.access import Context
from exporter.api.http import Json
from exporter.api.runs import find_usable_run
from exporter.definitions.exports import Export
from exporter.delivery.ledger import ImportStatus
from exporter.model import Time, Value, to_text
from exporter.queries import lookup
from exporter.queries.everywhere import Looked, look_everywhere
from exporter.queries.lookup import counting
from exporter.reasons import Bucket
from exporter.records import paths
from exporter.runs.run import Problem, Run
from exporter.sentences import Parameter, Situation, sentence

NOBODY = (
    "No row of the segments that the run read has this address. Check the spelling. If it is correct, the person was"
    " not in the segments; the first run after they join one sends them."
)
REST_CONFIRMED = (
    "The files have changed since the run, so rows that it confirmed cannot be found any more. Its reject report names"
    " all others. So if the segments had {another} row with this address, it was confirmed."
)
UNKNOWN = (
    "Rows that are not shown are unknown: the files have changed since the run, or its reject report was deleted or"
    " does not name everybody. The person may have been confirmed, or never sent. Look in the newest run."
)
OF_A_FEW = (
    "The run was for a few people, and who they were is kept only until it is over. Its reject report names those who"
    " are not confirmed. So if this person was one of them and in the segment, they were confirmed."
)
UNREADABLE = (
    "Whose {unreadable} further rows are is not known, since they cannot be read; they were not sent. The reject report"
    " lists them."
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
    """Whether every row was checked. If so, an empty result means that the address was not in the rows that can be
    read."""
    note: str | None = None
    """If no row was found or not every row could be checked: what that means and what to do. It says whether rows that
    are not shown can only be confirmed, or are unknown."""


class Where(StrEnum):
    """Where a person stands with an export: the code of the sentence that says it."""

    CONFIRMED = "person_confirmed"  # on the list, says the newest run that read the segments
    OPEN = "person_open"  # that run is in progress, and has no answer for this person yet
    SET_ASIDE = "person_set_aside"  # in the segment, and not sent: `reason` says why
    REFUSED = "person_refused"  # ActiveCampaign did not take them: `reason` says why
    UNCONFIRMED = "person_unconfirmed"  # not sent, or it is not known what came of it: `reason` says why
    NOT_IN_SEGMENT = "person_not_in_segment"  # no row that can be read has the address
    CONFIRMED_IF_THERE = "person_confirmed_if_there"  # the files have changed; all others are in the reject report
    UNKNOWN = "person_unknown"  # what could tell is gone
    NO_RUN = "person_no_run"  # the export has not run yet
    NOTHING_SENT = "person_nothing_sent"  # no run has read the segments, or none whose record is still there
    NOT_LOOKED = "person_not_looked"  # there was no time left, or something does not answer: `problem` says what
    HIDDEN = "person_hidden"  # only administrators may use the export's connection


NO_ANSWER = frozenset({Where.UNKNOWN, Where.NOT_LOOKED, Where.HIDDEN})
_OF_BUCKET = {
    Bucket.CONFIRMED: Where.CONFIRMED,
    Bucket.REJECTED: Where.SET_ASIDE,
    Bucket.DUPLICATE: Where.SET_ASIDE,
    Bucket.REJECTED_BY_ACTIVECAMPAIGN: Where.REFUSED,
    Bucket.UNCONFIRMED: Where.UNCONFIRMED,
}


class PersonInExport(Value):
    """Where a person stands with an export."""

    export_id: str
    display_name: str
    list_id: int
    code: Where
    message: str
    """In words; made from `code` and `params`."""
    params: dict[str, Parameter]
    reason: str | None = None
    explanation: str | None = None
    run_id: str | None = None
    """The run that says so."""
    planned_utc: Time | None = None
    """When that run had read the segments."""
    rows: tuple[RowView, ...] = ()
    """All rows with the address, as that run has them."""
    problem: Problem | None = None
    """Why the export could not be looked at."""


class PersonView(Value):
    """Where a person stands with each export."""

    value: tuple[PersonInExport, ...]
    """In the order of the exports' ids."""
    complete: bool
    """Whether each export has an answer. Those that have none say so: `person_unknown`, `person_not_looked`,
    `person_hidden`."""


def find_person(context: Context, body: LookupBody) -> Json[PersonView]:
    """Return where a person stands with each export: on its list since when, or why not.

    The newest run of each export that has read its segments is asked, as `POST /runs/{runId}/lookup` does. No export is
    begun after 60 s, and none takes more than 100 s; those that were not looked at are named. Each worker process
    serves one preview or lookup at a time; 429 means: try again shortly.
    """
    blobs = context.services.blobs
    found = (
        resources.read(blobs, Export, paths.EXPORTS, each) for each in sorted(resources.ids_below(blobs, paths.EXPORTS))
    )

    def may_see(what: Export | Run) -> bool:
        if isinstance(what, Run):
            return connections.may_use_exports_on(context, what.export.connection_id, what.requested_utc)
        return connections.may_use_exports_on(context, what.connection_id)

    looked = look_everywhere(context.services, filter(None, found), body.email, may_see)
    shown = tuple(map(_where, looked))
    return Json(PersonView(value=shown, complete=all(each.code not in NO_ANSWER for each in shown)))


def _where(looked: Looked) -> PersonInExport:
    export, run, found = looked.export, looked.run, looked.found
    rows = found.rows if found else ()
    row = counting(rows)
    code, params = _stand(looked, row)
    return PersonInExport(
        export_id=export.id,
        display_name=export.display_name,
        list_id=run.export.list_id if run else export.list_id,
        code=code,
        message=sentence(code, params, Situation.ANSWERED),
        params=params,
        reason=row.reason if row else None,
        explanation=row.reason.explanation if row and row.reason else None,
        run_id=run.run_id if run else None,
        planned_utc=run.plan.at if run and run.plan else None,
        rows=tuple(map(_view, rows)),
        problem=Problem.of(looked.problem, Situation.ANSWERED) if looked.problem else None,
    )


def _stand(looked: Looked, row: lookup.FoundRow | None) -> tuple[Where, dict[str, Parameter]]:
    """Return where the person stands, and what the sentence is made from."""
    run, found = looked.run, looked.found
    if looked.hidden:
        return Where.HIDDEN, {}
    if looked.problem:
        return Where.NOT_LOOKED, {"case": "failed", "problem": looked.problem.code}
    if looked.late:
        return Where.NOT_LOOKED, {}
    if run is None:
        return Where.NO_RUN, {}
    if found is None or run.plan is None:
        return Where.NOTHING_SENT, {"run": run.run_id, "status": run.status}
    if row:
        return _of_row(run, row)
    if found.complete:
        about: dict[str, Parameter] = {"rowsRead": run.plan.rows_read, "run": run.run_id}
        return Where.NOT_IN_SEGMENT, about | (
            {"case": "unreadable", "unreadable": found.unreadable} if found.unreadable else {}
        )
    return (Where.CONFIRMED_IF_THERE if found.rest_confirmed else Where.UNKNOWN), {"run": run.run_id}


def _of_row(run: Run, row: lookup.FoundRow) -> tuple[Where, dict[str, Parameter]]:
    place: dict[str, Parameter] = {"file": row.path, "row": row.row}
    if row.bucket is None:
        return Where.OPEN, {**place, "run": run.run_id}
    where = _OF_BUCKET[row.bucket]
    if where is Where.CONFIRMED:
        at = row.newest.confirmed_at if row.newest else run.requested_utc
        return where, {**place, "listId": run.export.list_id, "at": to_text(at)}
    return where, {**place, "reason": str(row.reason)}


def look_up(context: Context, run_id: str, body: LookupBody) -> Json[LookupView]:
    """Return what happened to a person in a run: source row, bucket, reason, request, and ActiveCampaign's answer.

    Each worker process serves one preview or lookup at a time; 429 means: try again shortly.
    """
    run = find_usable_run(context, run_id)
    found = lookup.look_up(context.services, run, body.email)
    return Json(LookupView(rows=tuple(map(_view, found.rows)), complete=found.complete, note=_note(run, found)))


def _note(run: Run, found: lookup.Found) -> str | None:
    """Return what it means that no row, or no more, was found."""
    if found.complete and found.rows:
        return None
    if found.complete:
        note = NOBODY
    elif run.only is not None and found.rest_confirmed:
        note = OF_A_FEW
    else:
        note = REST_CONFIRMED.format(another="another" if found.rows else "a") if found.rest_confirmed else UNKNOWN
    return f"{note} {UNREADABLE.format(unreadable=found.unreadable)}" if found.unreadable else note


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
