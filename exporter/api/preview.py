"""A dry run of an export: what it would send, what it would set aside, and what would stop it."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from pydantic import Field

from exporter.api import connections
from exporter.api.access import Context
from exporter.api.connections import ContactRoom
from exporter.api.exports import find_usable
from exporter.api.http import Json, Refusal
from exporter.contacts.facts import cut, masked
from exporter.contacts.values import Flaw
from exporter.definitions.exports import ExportDefinition
from exporter.definitions.resources import ID_PATTERN
from exporter.delivery.plan import SegmentRead, ValueCount
from exporter.errors import Stop
from exporter.model import Value
from exporter.pipeline.sources import segment_read
from exporter.queries import preview
from exporter.runs.run import Problem
from exporter.tally.unfit import UnfitValue
from exporter.warned import Warned


class RowPlace(Value):
    """A row; `row` is its number among the data rows of the file, from 1."""

    file: str
    row: int


class ReasonExamples(Value):
    """The first rows that would be set aside for a reason."""

    reason: str
    explanation: str
    rows: tuple[RowPlace, ...]


class UnfitExample(RowPlace):
    """A value that does not fit."""

    value: str | None = None
    """Its shape: of a word, at most the first character is shown. Absent where the deployment hides the column."""
    did_you_mean: str | None = None
    """The option of the field that looks most like it."""


class UnfitView(Value):
    """Values of a column that do not fit, for one reason."""

    reason: str
    explanation: str
    contacts: int
    """Rows that are rejected for such a value are not among them."""
    examples: tuple[UnfitExample, ...]


class ValuesView(ValueCount):
    """How the values of a column fit what they fill."""

    keep: int
    """Contacts for which nothing is sent, so that those who are in ActiveCampaign keep the value that they have."""
    examples: tuple[UnfitView, ...]
    """By reason, what does not fit."""


class PreviewProblem(Problem):
    """Something that needs a person."""

    stops_run: bool
    """Whether a run would end before anything is sent: held until somebody approves it, or failed."""


class PreviewView(Value):
    """What a run would do; nothing was sent."""

    segments: tuple[SegmentRead, ...]
    rows_read: int
    contacts: int
    """How many would be sent. Contacts, duplicates and rejected rows add up to the rows read."""
    duplicates: int
    rejected_by_reason: dict[str, int]
    """Rows by reason code."""
    examples: tuple[ReasonExamples, ...]
    requests: int
    seconds_needed: int
    """At the rate limit, if nothing else is sent to the account."""
    contact_room: ContactRoom | None = None
    """Absent if the API key is not an administrator's: the contact limit cannot be checked then."""
    values: tuple[ValuesView, ...]
    """How the values of each matched column fit."""
    problems: tuple[PreviewProblem, ...]
    """What would stop a run before anything is sent, and what keeps values from being seen in ActiveCampaign."""
    warnings: tuple[Warned, ...]
    """What a person should know, and what stops nothing."""


class PreviewQuery(Value):
    """What to compare with."""

    export_id: str | None = Field(default=None, pattern=ID_PATTERN)
    """The export that is being edited: sizes are compared with its last successful run, and fields that it may clear
    are known. Without it, the definition is looked at as that of a new export."""


def preview_export(context: Context, export_id: str) -> Json[PreviewView]:
    """Read and check everything that a run would, and send nothing.

    Takes 10 to 30 s for a million rows. Each worker process serves one preview or lookup at a time; 429 means: try
    again shortly.
    """
    export = find_usable(context, export_id)
    if export.connection_id is None:
        raise Stop.of("no_connection", export=export_id)
    return _preview(context, export_id, export, export.connection_id)


def preview_definition(context: Context, body: ExportDefinition, query: PreviewQuery) -> Json[PreviewView]:
    """Read and check everything that a run of the export in the body would; save nothing, and send nothing.

    As the preview of a saved export, which it takes as long as.
    """
    if query.export_id is not None:
        find_usable(context, query.export_id)
    if body.connection_id is None:
        raise Refusal.of(422, "connection_missing", case="preview")
    return _preview(context, query.export_id, body, body.connection_id)


def _preview(
    context: Context, export_id: str | None, export: ExportDefinition, connection_id: str
) -> Json[PreviewView]:
    calls = connections.account_calls(context, connections.find(context, connection_id))
    found = preview.preview(context.services, export_id, export, calls)
    planned = found.planned
    return Json(
        PreviewView(
            segments=tuple(map(segment_read, found.refreshes)),
            rows_read=planned.rows_read,
            contacts=planned.contacts,
            duplicates=planned.duplicates,
            rejected_by_reason=planned.rejected_by_reason,
            examples=tuple(
                ReasonExamples(
                    reason=reason,
                    explanation=reason.explanation,
                    rows=tuple(RowPlace(file=path, row=row) for path, row in rows),
                )
                for reason, rows in found.examples.items()
            ),
            requests=len(planned.batches),
            seconds_needed=found.seconds,
            contact_room=connections.room(found.limits),
            values=tuple(_values(count, found.unfit, context.services.settings.hides) for count in planned.values),
            problems=(
                *(PreviewProblem(**problem.model_dump(), stops_run=True) for problem in found.problems),
                *(PreviewProblem(**problem.model_dump(), stops_run=False) for problem in found.value_problems),
            ),
            warnings=found.warnings,
        )
    )


def _values(
    count: ValueCount, unfit: Mapping[tuple[tuple[str, str], Flaw], Sequence[UnfitValue]], hides: Callable[[str], bool]
) -> ValuesView:
    return ValuesView(
        **count.model_dump(),
        keep=count.empty + sum(count.unfit.values()),
        examples=tuple(
            UnfitView(
                reason=flaw.value,
                explanation=flaw.explanation,
                contacts=count.unfit.get(flaw.value, 0),
                examples=tuple(_example(one, hidden=hides(count.column)) for one in examples),
            )
            for (goal, flaw), examples in unfit.items()
            if goal == count.goal
        ),
    )


def _example(one: UnfitValue, *, hidden: bool) -> UnfitExample:
    if hidden:
        return UnfitExample(file=one.path, row=one.row)
    return UnfitExample(file=one.path, row=one.row, value=masked(cut(one.value)), did_you_mean=one.nearest)
