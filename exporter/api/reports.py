"""The reports of a run that name people: rows that are not confirmed, and values that do not fit."""

from __future__ import annotations

import zlib
from collections import Counter
from collections.abc import Iterable, Iterator
from itertools import batched, islice
from typing import Annotated, Literal
from urllib.parse import quote, urlencode

from pydantic import Field, WithJsonSchema

from exporter.api.access import Context
from exporter.api.http import NEVER_KEPT, Json, Refusal, Response, unfit
from exporter.api.resources import Page, PageQuery
from exporter.api.runs import find_usable_run
from exporter.model import Value
from exporter.reasons import Reason
from exporter.records.paths import REJECTS
from exporter.records.runs import read_manifest
from exporter.runs.run import Run
from exporter.tally.count import tally_of
from exporter.tally.rejects import HEADER, Counted, Reject, lines, reject_rows, remark

MAX_PLAIN_BYTES = 32 * 1024 * 1024
"""The largest answer, as it is held in memory. Compressed, this is the reject report of about three million rows."""
MAX_PAGE_CHARACTERS = 1_000_000
"""A page ends with the row with which its addresses and ids exceed this: a cell of a file may hold megabytes."""
TOGETHER = 1_000
"""Rows that are written at once."""

OneReason = Annotated[Reason, WithJsonSchema({"type": "string", "enum": [reason.value for reason in Reason]})]


class RejectsQuery(PageQuery):
    """Which rows to return, and how."""

    format: Literal["csv", "json"] = "csv"
    """`csv`: the whole report as a file. `json`: a page of it; only then, `top` and `after` may be given."""
    reason: OneReason | None = None
    """Only the rows with this reason."""
    after: str | None = Field(default=None, pattern=r"^\d{1,12}\.\d{1,15}$")
    """Return the rows after this place; `nextLink` contains it."""


class RejectView(Value):
    """A row that is not confirmed; `row` is its number among the data rows of the file, from 1."""

    file: str
    row: int
    customer_id: str
    """As the file has it; empty where the segment has none or the row cannot be read. So is `email`."""
    email: str
    reason: str
    explanation: str


class RejectPage(Page[RejectView]):
    """A page of the rows that are not confirmed."""

    reasons: dict[str, int]
    """How many rows there are in all, by reason."""
    note: str | None = None
    """Why these are not all rows that are not confirmed: nothing was sent, or the run is in progress. On the last page
    also: the report could not be completed."""


def rejects(context: Context, run_id: str, query: RejectsQuery) -> Json[RejectPage] | Response:
    """Return every row that did not become a confirmed contact, with its reason, as CSV or as pages of JSON.

    The rows of the run's segments without these are those that are confirmed. While the run is in progress, and if it
    ended before anything was sent, only the rows that were set aside before sending; `note` says so, and in CSV the
    last line, of which all columns but `explanation` are empty. `format=json` chooses JSON, whatever `Accept` says. 409
    (`rejects_changed`): outcomes have come since the page before; begin with the first page again.
    """
    run = find_usable_run(context, run_id)
    path = _report_of(context, run)
    pieces = context.services.blobs.stream(path) if path else None
    if path is None or pieces is None:
        raise _no_report("rejects_not_found", context, run)
    if query.format == "json":
        return Json(_page(context, run, path, pieces, query))
    if query.model_fields_set & {"top", "after"}:
        raise unfit(["top, after: expected only with format=json; a CSV file is not paged"], code="invalid_query")
    return _csv(context, f"{run_id}.csv", _file(run, pieces, query.reason))


def values(context: Context, run_id: str) -> Response:
    """Return the values that do not fit their fields, unmasked, as CSV: the first 1,000 of each column and reason.

    They were left out, or are why their rows were rejected (`onBadValue`). `didYouMean` is the option of the field that
    looks most like the value. `GET /runs/{runId}` has the counts of all.
    """
    run = find_usable_run(context, run_id)
    manifest = read_manifest(context.services, run_id) if run.plan else None
    pieces = context.services.blobs.stream(manifest.values) if manifest and manifest.values else None
    if pieces is None:
        if manifest and manifest.values is None:
            raise Refusal.of(404, "values_not_found", case="fit")
        raise _no_report("values_not_found", context, run)
    return _csv(context, f"{run_id}.values.csv", pieces)


def _report_of(context: Context, run: Run) -> str | None:
    """Return the path of the reject report; of a run that was held, it has the rows that its planner had set aside."""
    services = context.services
    if run.plan:
        manifest = read_manifest(services, run.run_id)
        return manifest.rejects if manifest else None
    found = services.blobs.names(f"{REJECTS}{run.run_id}/") if run.end else ()
    reports = [path for path in found if not path.endswith(".values.csv")]
    return reports[0] if len(reports) == 1 else None  # a planner that died may have left another one


def _file(run: Run, pieces: Iterable[bytes], reason: Reason | None) -> Iterator[bytes]:
    counted = Counted(pieces)
    if reason is None:
        yield from counted
    else:
        yield HEADER
        chosen = (row for row in reject_rows(counted) if row.reason is reason)
        for rows in batched(chosen, TOGETHER, strict=False):
            yield lines(rows)
    if note := _note(run, counted.rows):
        yield remark(note)


def _page(context: Context, run: Run, path: str, pieces: Iterable[bytes], query: RejectsQuery) -> RejectPage:
    place, _, version = (query.after or f"0.{_version(run)}").partition(".")
    if int(version) != _version(run):
        raise Refusal.of(409, "rejects_changed")
    shown, next_link, characters = list[RejectView](), None, 0
    seen = last = skipped = int(place)
    for seen, row in enumerate(islice(reject_rows(pieces), skipped, None), skipped + 1):
        if query.reason not in (None, row.reason):
            continue
        if len(shown) == query.top or characters > MAX_PAGE_CHARACTERS:
            asked = query.model_copy(update={"after": f"{last}.{version}"})
            members = asked.model_dump(mode="json", by_alias=True, exclude_none=True)
            next_link = f"/api{quote(context.request.path)}?{urlencode(members)}"
            break
        shown.append(_view(row))
        characters += len(row.customer_id) + len(row.email)
        last = seen
    return RejectPage(
        value=tuple(shown),
        next_link=next_link,
        reasons=_reasons(context, run, path),
        note=_note(run, None if next_link else seen),
    )


def _view(row: Reject) -> RejectView:
    return RejectView(
        file=row.path,
        row=row.row,
        customer_id=row.customer_id,
        email=row.email,
        reason=row.reason,
        explanation=row.explanation,
    )


def _version(run: Run) -> int:
    """Return a number that is another one when the report has changed."""
    latest = run.amended or run.end
    return round(latest.at * 1000) if latest else 0


def _reasons(context: Context, run: Run, path: str) -> dict[str, int]:
    """Return how many rows the report is to have, by reason."""
    if run.plan:
        return (run.tally or tally_of(run.plan, ())).reasons
    rows = reject_rows(context.services.blobs.stream(path) or ())
    return {str(reason): count for reason, count in sorted(Counter(row.reason for row in rows).items())}


def _note(run: Run, rows: int | None) -> str | None:
    """Return why a report with so many rows does not name everybody, if it does not; None: they were not counted."""
    if run.plan is None:
        return f"{_nothing_sent(run)} Listed are the rows that would have been set aside before sending."
    if run.tally is None:
        return (
            "The run is in progress. Listed are the rows that were set aside before sending; when it is over, also"
            " those that were refused, not sent, or whose outcome is not known."
        )
    expected = sum(run.tally.reasons.values())
    if rows is None or rows >= expected:
        return None
    return (
        f"Listed are {rows} of the {expected} rows that are not confirmed. The working copy, which names the others,"
        " was gone or altered when the run ended. GET /runs/{runId} counts all of them by reason (tally)."
    )


def _nothing_sent(run: Run) -> str:
    why = f" {run.end.problem.message}" if run.end and run.end.problem else ""
    return f"Nothing was sent: the run ended before any contact was sent ({run.status}).{why}"


def _no_report(code: str, context: Context, run: Run) -> Refusal:
    """Return the refusal of a report that is not there any more, not yet, or never will be."""
    if run.plan:
        return Refusal.of(404, code, case="deleted", days=context.services.settings.rejects_retention_days)
    if run.end is None:
        return Refusal.of(404, code, case="early")
    refusal = Refusal.of(404, code, case="ended", status=run.status)
    refusal.detail += f" {run.end.problem.message}" if run.end.problem else ""
    return refusal


def _csv(context: Context, name: str, pieces: Iterator[bytes]) -> Response:
    headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}"'}
    if "gzip" in context.request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        pieces = _gzip(pieces)
    return Response(200, {**headers, "Vary": "Accept-Encoding", **NEVER_KEPT}, _joined(pieces))


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _joined(pieces: Iterator[bytes]) -> bytes:
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > MAX_PLAIN_BYTES:
            raise Refusal.of(413, "rejects_too_large", mostBytes=MAX_PLAIN_BYTES)
    return bytes(data)
