"""What the columns of a segment hold, from its first rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.contacts.facts import Sample, look_at
from exporter.contacts.matching import find_columns
from exporter.contacts.suggestion import suggest_matching
from exporter.errors import Stop
from exporter.queries import reading
from exporter.services import Services
from exporter.source.readers import read_rows
from exporter.source.rows import Rows
from exporter.source.segments import Refresh

SAMPLE_ROWS = 10_000
"""Of the columns asked for: enough for a share to be right within 1 %, and read in about a second."""
SUGGESTION_VALUES = 100_000
"""Of all columns together, however many there are; that takes a tenth of a second."""
SUGGESTION_ROWS = 1_000
SAMPLE_S = 20.0
"""After this, what was looked at by then is the sample: rows may be wide, and storage slow."""
_NESTED = "nested"
_NOTHING = Sample(0, 0, ())


@dataclass(frozen=True, slots=True)
class Look:
    """The newest refresh of a segment, and what its first rows hold.

    `rows` were looked at; of these, `unreadable_rows` could not be read.
    `sample` holds the columns asked for except the hidden ones, whose names are in `hidden`. `values_known`: whether
    the suggestion rests on values, not on names alone. `problem`: why no row could be read.
    """

    refresh: Refresh
    rows: int
    unreadable_rows: int
    sample: Sample
    hidden: tuple[str, ...]
    suggestion: dict[str, str]
    values_known: bool
    problem: Stop | None = None


def look(services: Services, segment: str, names: Sequence[str]) -> Look:
    """Look at a segment and at those of its columns that have these names.

    Without names, the answer comes even while rows are read for another caller: the suggestion then rests on the names
    of the columns. Raises what `reading.look` raises; `Unavailable` ("reading_busy") where there are names; `Stop`
    ("column_missing", "column_ambiguous"); `NotReady` ("source_changing").
    """
    if names:
        with reading.one_reader():
            return _look(services, reading.look(services, segment, names), names, may_read=True)
    with reading.one_of_few_listers():
        refresh = reading.look(services, segment)
    with reading.one_reader_if_free() as free:
        return _look(services, refresh, names, may_read=free)


def _look(services: Services, refresh: Refresh, names: Sequence[str], *, may_read: bool) -> Look:
    columns = refresh.columns
    asked = [column.name for column in find_columns(names, columns)]
    hides = services.settings.hides
    shown = [name for name in asked if not hides(name)]
    times = Counter(column.name.lower() for column in columns)
    values = [
        column.name
        for column in columns
        if column.data_type != _NESTED and times[column.name.lower()] == 1 and not hides(column.name)
    ]
    few, sample, problem = _NOTHING, _NOTHING, None
    if may_read:
        try:
            rows = min(SUGGESTION_ROWS, SUGGESTION_VALUES // max(1, len(values)))
            few = _sample(services, refresh, values, rows)
            sample = _sample(services, refresh, shown, SAMPLE_ROWS)
        except Stop as error:
            problem = error
    shares = {facts.name: facts.address_share for facts in few.columns if facts.address_share is not None}
    most = max(few, sample, key=lambda one: one.rows)
    return Look(
        refresh=refresh,
        rows=most.rows,
        unreadable_rows=most.unreadable_rows,
        sample=sample,
        hidden=tuple(name for name in asked if hides(name)),
        suggestion=suggest_matching(columns, shares),
        values_known=few.rows > 0,
        problem=problem,
    )


def _sample(services: Services, refresh: Refresh, names: Sequence[str], rows: int) -> Sample:
    if not names:
        return _NOTHING
    return reading.in_the_reading_thread(lambda: look_at(_blocks(services, refresh, names), names, rows))


def _blocks(services: Services, refresh: Refresh, names: Sequence[str]) -> Iterator[Rows]:
    """Yield the rows of the refresh until it takes too long."""
    end = services.clock.now() + SAMPLE_S
    for partition in refresh.partitions:
        for block in read_rows(services.segments, partition, names):
            yield block
            if services.clock.now() > end:
                return
        if services.clock.now() > end:  # thousands of files may have no rows
            return
