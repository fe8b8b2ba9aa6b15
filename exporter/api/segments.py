"""Segments: what is in storage, ready to be exported."""

from __future__ import annotations

from typing import Annotated, Literal
from urllib.parse import quote

from pydantic import Field

from exporter.api import resources
from exporter.api.access import Context
from exporter.api.http import Json
from exporter.api.inputs import REPEATED
from exporter.api.resources import Page, PageQuery, Switch
from exporter.contacts.facts import masked
from exporter.definitions.resources import CellText
from exporter.model import Time, Value
from exporter.queries import columns as queries
from exporter.queries.columns import Look
from exporter.queries.reading import one_of_few_listers
from exporter.runs.run import Problem
from exporter.sentences import Situation
from exporter.source.readers import Partition
from exporter.source.segments import Layout, SegmentInfo, Segments
from exporter.warned import Warned

MAX_COLUMNS = 20
"""A person looks at a few columns at a time; their values have to fit into an answer that comes within seconds."""
MAX_FILES = 100
"""A folder can hold thousands of files, all read in the same way."""


class ColumnView(Value):
    """A column of a segment, with its type from model.json."""

    name: str
    data_type: str


class MatchingSuggestion(Value):
    """The columns that look like members of a contact. Nothing prescribes their names: check them."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None


class SegmentView(Value):
    """A segment in storage."""

    name: str
    layout: Layout | None = None
    """What makes it one segment: a table of a model.json, a folder (of key=value folders), a file. Absent: unknown."""
    refreshed_utc: Time | None = None
    """When it was refreshed; absent if that is not known."""
    files: int
    """How many files are read."""
    size_bytes: int
    columns: tuple[ColumnView, ...]
    problem: Problem | None = None
    """Why it cannot be read now; absent if it can."""


class FileView(Value):
    """A file that is read, and how. Parquet says the rest itself."""

    path: str
    """Where it is in the container."""
    size_bytes: int
    format: str
    delimiter: str | None = None
    encoding: str | None = None
    header: bool | None = None
    """Whether its first row holds the names of the columns."""


class FileNotReadView(Value):
    """A file that is seen but not read."""

    path: str
    code: str
    """Why not, as a stable code: `empty`, `ignored`, `older`, `otherFormat`, `subfolder` or `unlisted`."""
    why: str
    """The same in words."""


class ColumnFactsView(Value):
    """What a column holds in the rows that were looked at: the first 10,000."""

    name: str
    hidden: bool = False
    """Whether a setting hides what it holds; if so, nothing else is told."""
    rows_looked_at: int | None = None
    """Rows that cannot be read count as rows without a value."""
    filled: int | None = None
    """How many of these rows have a value that is not blank."""
    valid_addresses: int | None = None
    """How many of these values can be sent as an e-mail address."""
    distinct_values: int | None = None
    """How many different values there are; 50 means 50 or more."""
    examples: tuple[str, ...] | None = None
    """The first three different values, each at most 100 characters, masked unless asked for otherwise."""


class SegmentDetails(SegmentView):
    """The newest refresh of a segment, and how it is understood."""

    files_read: tuple[FileView, ...]
    """The first 100 of the files that are read."""
    files_not_read_count: int
    """How many files beside them are seen and not read."""
    files_not_read: tuple[FileNotReadView, ...]
    """The first 100 of those."""
    rows_looked_at: int
    """How many of its first rows were looked at."""
    unreadable_rows: int
    """How many of these cannot be read, such as those with too many values."""
    column_facts: tuple[ColumnFactsView, ...]
    """What the columns that were asked for hold."""
    suggestion: MatchingSuggestion
    suggested_by: Literal["names", "namesAndValues"]
    """`names`: no values were looked at. There are none, they cannot be read, or rows were being read for others."""
    warnings: tuple[Warned, ...]
    """What a person should know about its files."""


class SegmentQuery(Value):
    """What of a segment to show."""

    column: Annotated[tuple[CellText, ...], Field(max_length=MAX_COLUMNS), REPEATED] = ()
    """The name of a column whose content to describe; may be given 20 times."""
    unmasked: Switch = False
    """Whether to show examples as they are: personal data. Only for administrators, and recorded in the audit trail."""


def list_all(context: Context, query: PageQuery) -> Json[Page[SegmentView]]:
    """List the segments in storage, each with its newest refresh, or why it cannot be read now.

    Each worker process serves at most four callers at a time; 429 means: try again shortly.
    """
    services = context.services
    with one_of_few_listers():
        segments = Segments(services.segments, services.settings.segment_prefix)
        return Json(resources.page(context, segments.names(), query, lambda name: _listed(segments.info(name))))


def _listed(segment: SegmentInfo) -> SegmentView:
    return SegmentView(
        name=segment.name,
        layout=segment.layout,
        refreshed_utc=segment.refreshed_at,
        files=segment.files,
        size_bytes=segment.size_bytes,
        columns=tuple(ColumnView(name=c.name, data_type=c.data_type) for c in segment.columns),
        problem=Problem.of(segment.problem, Situation.ANSWERED) if segment.problem else None,
    )


def get(context: Context, name: str, query: SegmentQuery) -> Json[SegmentDetails]:
    """Show a segment's newest refresh, how it is understood, and what the columns asked for hold.

    Examples are masked. `unmasked=true` takes the role Admin and is recorded in the audit trail.

    Each worker process serves one caller at a time who asks for columns, and at most four of the others; 429 means: try
    again shortly.
    """
    look = queries.look(context.services, name, query.column)
    # The audit trail records this: the name is one that is in storage, whatever the caller called it.
    headers = {"Content-Location": f"/api/segments/{quote(look.refresh.segment)}"} if query.unmasked else {}
    return Json(_details(look, unmasked=query.unmasked), headers=headers)


def _details(look: Look, *, unmasked: bool) -> SegmentDetails:
    refresh = look.refresh
    return SegmentDetails(
        name=refresh.segment,
        layout=refresh.layout,
        refreshed_utc=refresh.refreshed_at,
        files=len(refresh.partitions),
        size_bytes=sum(p.file.size_bytes for p in refresh.partitions),
        columns=tuple(ColumnView(name=c.name, data_type=c.data_type) for c in refresh.columns),
        problem=Problem.of(look.problem, Situation.ANSWERED) if look.problem else None,
        files_read=tuple(map(_file, refresh.partitions[:MAX_FILES])),
        files_not_read_count=len(refresh.left_out),
        files_not_read=tuple(
            FileNotReadView(path=f.path, code=f.why.value, why=f.why.words) for f in refresh.left_out[:MAX_FILES]
        ),
        rows_looked_at=look.rows,
        unreadable_rows=look.unreadable_rows,
        column_facts=_facts(look, unmasked=unmasked),
        suggestion=MatchingSuggestion.model_validate(look.suggestion),
        suggested_by="namesAndValues" if look.values_known else "names",
        warnings=refresh.warnings,
    )


def _file(partition: Partition) -> FileView:
    text = partition.format == "csv"
    return FileView(
        path=partition.file.path,
        size_bytes=partition.file.size_bytes,
        format=partition.format,
        delimiter=partition.delimiter if text else None,
        encoding=partition.encoding if text else None,
        header=partition.has_header if text else None,
    )


def _facts(look: Look, *, unmasked: bool) -> tuple[ColumnFactsView, ...]:
    known = [
        ColumnFactsView(
            name=facts.name,
            rows_looked_at=look.sample.rows,
            filled=facts.filled,
            valid_addresses=facts.valid_addresses,
            distinct_values=facts.distinct_values,
            examples=facts.examples if unmasked else tuple(map(masked, facts.examples)),
        )
        for facts in look.sample.columns
    ]
    return (*known, *(ColumnFactsView(name=name, hidden=True) for name in look.hidden))
