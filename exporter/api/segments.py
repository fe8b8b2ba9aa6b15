"""Segments: what is in storage, ready to be exported."""

from __future__ import annotations

from exporter.api import resources
from exporter.api.access import Context
from exporter.api.http import Json
from exporter.api.resources import Page, PageQuery
from exporter.contacts.suggestion import suggest_matching
from exporter.model import Time, Value
from exporter.queries.reading import look, one_of_few_listers
from exporter.source.segments import Segments


class ColumnView(Value):
    """A column of a segment, with its type from model.json."""

    name: str
    data_type: str


class MatchingSuggestion(Value):
    """The columns that look like members of a contact. Customer Insights prescribes no column names: check them."""

    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None


class SegmentView(Value):
    """A segment in storage."""

    name: str
    refreshed_utc: Time | None = None
    files: int
    size_bytes: int
    columns: tuple[ColumnView, ...]


class SegmentDetails(SegmentView):
    """The newest complete refresh of a segment."""

    suggestion: MatchingSuggestion
    warnings: tuple[str, ...]


def list_all(context: Context, query: PageQuery) -> Json[Page[SegmentView]]:
    """List the segments in storage, each with its newest refresh.

    Each worker process serves at most four callers at a time; 429 means: try again shortly.
    """
    services = context.services
    with one_of_few_listers():
        segments = Segments(services.segments, services.settings.segment_prefix)

        def show(name: str) -> SegmentView:
            s = segments.info(name)
            return SegmentView(
                name=s.name,
                refreshed_utc=s.refreshed_at,
                files=s.files,
                size_bytes=s.size_bytes,
                columns=tuple(ColumnView(name=c.name, data_type=c.data_type) for c in s.columns),
            )

        return Json(resources.page(context, segments.names(), query, show))


def get(context: Context, name: str) -> Json[SegmentDetails]:
    """Show a segment's newest complete refresh, with a suggestion for the data matching.

    Each worker process serves at most four callers at a time; 429 means: try again shortly.
    """
    with one_of_few_listers():
        refresh = look(context.services, name)
    return Json(
        SegmentDetails(
            name=refresh.segment,
            refreshed_utc=refresh.refreshed_at,
            files=len(refresh.partitions),
            size_bytes=sum(p.file.size_bytes for p in refresh.partitions),
            columns=tuple(ColumnView(name=c.name, data_type=c.data_type) for c in refresh.columns),
            suggestion=MatchingSuggestion.model_validate(suggest_matching(refresh.columns)),
            warnings=refresh.warnings,
        )
    )
