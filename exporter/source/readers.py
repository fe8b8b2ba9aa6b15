"""Read rows from the files of a segment: CSV, plain or gzip, and Parquet. Every row is accounted for.

Rows come in blocks of bounded size. A block is either the wanted columns as Arrow arrays of text (null: empty or
absent), or single rows: a tuple of the wanted texts, or the reason why the row could not be read. What is wrong with a
file as a whole raises `errors.Stop`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Generator, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source.files import SegmentFile, SegmentFiles
from exporter.source.formats.csv_records import WINDOW_BYTES, Syntax
from exporter.source.heads import first_record
from exporter.source.rows import Column, Row, Rows
from exporter.source.text import text_of

ROWS_TOGETHER = 65_536
"""The most rows that are looked at together: a block of 4 MiB may hold 2 million, at 300 bytes each."""


@dataclass(frozen=True, slots=True)
class Partition:
    """A file of a segment and how to read it.

    `columns` are the names of its columns in their order; `keys` are columns that its folders name, with their values.
    `delimiter`, `encoding` (a name that `text.codec_of` knows) and what follows are of CSV: `has_header`, and
    `separator_line` (`sep=;` before it), are rows that hold no data; `quoted` is False where quotes are text
    (`QuoteStyle.None`); `looks_like` is an encoding that would explain why the file is not what `encoding` says.
    """

    file: SegmentFile
    format: Literal["csv", "parquet"]
    columns: tuple[str, ...] = ()
    keys: tuple[tuple[str, str], ...] = ()
    delimiter: str = ","
    encoding: str = "utf-8"
    has_header: bool = False
    separator_line: bool = False
    quoted: bool = True
    looks_like: str | None = None

    def places(self, names: Sequence[str]) -> list[int | None]:
        """Return where columns are in the file, in whatever case; None for one that it lacks.

        Raises `Stop` ("column_ambiguous").
        """
        found: dict[str, list[int]] = {name.lower(): [] for name in names}
        for place, column in enumerate(map(str.lower, self.columns)):
            if column in found:
                found[column].append(place)
        return [self._one_of(found[name.lower()], name) for name in names]

    def _one_of(self, alike: Sequence[int], name: str) -> int | None:
        places = [place for place in alike if self.columns[place] == name] or alike
        if len(places) > 1:
            raise Stop.of("column_ambiguous", case="file", file=self.file.path, count=len(places), column=name)
        return places[0] if places else None

    def key(self, name: str) -> str | None:
        """Return the value of a column that the file's folders name."""
        return next((value for key, value in self.keys if key.lower() == name.lower()), None)


def read_rows(files: SegmentFiles, partition: Partition, wanted: Sequence[str]) -> Iterator[Rows]:
    """Yield the data rows of a file in blocks; a row holds the columns that are `wanted`, empty where it has none.

    Raises `Stop` for a file that is damaged, `ports.Changed` for one that was replaced meanwhile.
    """
    if not partition.columns:
        return  # a table of no columns, as some writers leave for no rows
    places = partition.places(wanted)
    found = [place for place in places if place is not None] or [0]
    with contextlib.closing(files.open(partition.file)) as stream:
        if partition.format == "parquet":
            from exporter.source.formats import parquet  # noqa: PLC0415 - Arrow takes 0.2 s to import; only reading a segment needs it

            rows = parquet.rows_of(stream, partition.file, [partition.columns[place] for place in found])
        else:
            rows = _csv_rows(stream, partition, found)
        if None not in places:
            yield from rows
            return
        constants = [partition.key(name) or "" for name in wanted]
        for block in rows:
            yield _completed(block, places, constants)


def _completed(rows: Rows, places: Sequence[int | None], constants: Sequence[str]) -> Rows:
    """Add the columns that are not in the file; `places` are None for these, and `constants` have their values."""
    import pyarrow as pa  # noqa: PLC0415 - as above

    at, read = [], 0
    for place in places:
        at.append(None if place is None else read)
        read += place is not None
    if isinstance(rows, list):
        return [
            row
            if isinstance(row, Reason)
            else tuple(
                constant if column is None else row[column] for column, constant in zip(at, constants, strict=True)
            )
            for row in rows
        ]
    columns = [
        pa.array([constant or None], pa.string()).take(pa.repeat(pa.scalar(0), rows.num_rows))
        if column is None
        else rows.column(column)
        for column, constant in zip(at, constants, strict=True)
    ]
    return pa.RecordBatch.from_arrays(columns, [str(number) for number in range(len(columns))])


def parquet_columns(files: SegmentFiles, file: SegmentFile) -> tuple[Column, ...]:
    """Return the columns of a Parquet file; `nested` is one that holds neither single values nor lists of them."""
    from exporter.source.formats import parquet  # noqa: PLC0415 - as above

    with contextlib.closing(files.open(file)) as stream:
        return tuple(Column(name, data_type) for name, data_type in parquet.columns_of(stream, file))


def _csv_rows(stream: BinaryIO, partition: Partition, wanted: Sequence[int]) -> Iterator[Rows]:
    from exporter.source.formats import csv_blocks  # noqa: PLC0415 - as above

    syntax = Syntax(partition.delimiter, quoted=partition.quoted)
    column_count = len(partition.columns)
    to_skip = partition.has_header + partition.separator_line
    data = b""
    for chunk in text_of(stream, partition.file, partition.encoding):
        data += chunk
        while to_skip:
            data = data.lstrip(b"\r\n")
            first = first_record(data, syntax, final=not chunk)
            if first is None:
                break
            to_skip, data = to_skip - 1, data[first[1] :]
        if to_skip:
            continue
        fast = csv_blocks.rows_of(data, syntax, column_count, wanted)
        end = 0
        if fast:
            blocks, end = fast
            yield from blocks
        if not fast or not chunk:  # at the end of the file, what follows the last line break is a row, too
            end += yield from _one_by_one(data[end:], syntax, column_count, wanted, final=not chunk)
        # Only a line that is too large leaves more than a window: the rest of it need not be kept.
        data = data[end : end + WINDOW_BYTES]


def _one_by_one(
    data: bytes, syntax: Syntax, column_count: int, wanted: Sequence[int], *, final: bool
) -> Generator[Rows, None, int]:
    """Yield the complete rows of `data`, at most `ROWS_TOGETHER` at a time; return where the last one ends.

    Whoever has had enough after some rows need not wait for the others: a block may hold millions of tiny ones.
    """
    rows: list[Row] = []
    end = 0
    for record, start, end in syntax.records(data, final=final):
        if record != []:
            rows.append(_row(record, data[start:end], column_count, wanted))
            if len(rows) == ROWS_TOGETHER:
                yield rows
                rows = []
    if rows:
        yield rows
    return end


def _row(record: list[bytes] | Reason, raw: bytes, column_count: int, wanted: Sequence[int]) -> Row:
    if isinstance(record, Reason):
        return record
    if not raw.isascii():
        try:
            raw.decode()
        except UnicodeDecodeError:
            return Reason.NOT_UTF8
    if len(record) != column_count:
        return Reason.WRONG_FIELD_COUNT
    return tuple(record[position].decode() for position in wanted)
