"""Read rows from the files of a segment: CSV, plain or gzip, and Parquet. Every row is accounted for.

Rows come in blocks of bounded size. A block is either the wanted columns as Arrow arrays of text (null: empty or
absent), or single rows: a tuple of the wanted texts, or the reason why the row could not be read. What is wrong with a
file as a whole raises `errors.Stop`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO, Literal

from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source.files import SegmentFile, SegmentFiles
from exporter.source.formats.csv_records import WINDOW_BYTES, CsvRecord, Syntax
from exporter.source.heads import first_record
from exporter.source.rows import Column, Row, Rows
from exporter.source.text import text_of

MAX_COLUMNS = 2_000  # Dataverse, with the widest tables that Customer Insights reads, has at most 1,024


@dataclass(frozen=True, slots=True)
class Partition:
    """A file of a segment and how to read it; `quoted` is False where quotes are text (`QuoteStyle.None`)."""

    file: SegmentFile
    format: Literal["csv", "parquet"]
    delimiter: str = ","
    has_header: bool = False
    quoted: bool = True


def read_rows(
    files: SegmentFiles, partition: Partition, columns: Sequence[Column], wanted: Sequence[int]
) -> Iterator[Rows]:
    """Yield the data rows of a file in blocks; a row holds the columns whose positions are in `wanted`.

    Raises `Stop` for a file that is damaged or does not match the segment, `ports.Changed` for one that was replaced
    meanwhile.
    """
    with contextlib.closing(files.open(partition.file)) as stream:
        if partition.format == "parquet":
            from exporter.source.formats import parquet  # noqa: PLC0415 - Arrow takes 0.2 s to import; only reading a segment needs it

            yield from parquet.rows_of(stream, partition.file, [columns[position].name for position in wanted])
        else:
            yield from _csv_rows(stream, partition, columns, wanted)


def parquet_columns(files: SegmentFiles, file: SegmentFile) -> tuple[Column, ...]:
    """Return the columns of a Parquet file; one that does not hold single values has the type `nested`."""
    from exporter.source.formats import parquet  # noqa: PLC0415 - as above

    with contextlib.closing(files.open(file)) as stream:
        return tuple(Column(name, data_type) for name, data_type in parquet.columns_of(stream, file))


def _csv_rows(
    stream: BinaryIO, partition: Partition, columns: Sequence[Column], wanted: Sequence[int]
) -> Iterator[Rows]:
    from exporter.source.formats import csv_blocks  # noqa: PLC0415 - as above

    syntax = Syntax(partition.delimiter, quoted=partition.quoted)
    header = [column.name.lower() for column in columns] if partition.has_header else None
    data = b""
    for chunk in text_of(stream, partition.file):
        data += chunk
        if header is not None:
            data = data.lstrip(b"\r\n")
            first = first_record(data, syntax, final=not chunk)
            if first is None:
                continue
            record, end = first
            _check_header(record, header, partition.file)
            header, data = None, data[end:]
        blocks, end = csv_blocks.rows_of(data, syntax, len(columns), wanted) or _one_by_one(
            data, syntax, len(columns), wanted, final=not chunk
        )
        yield from blocks
        # Only a line that is too large leaves more than a window: the rest of it need not be kept.
        data = data[end : end + WINDOW_BYTES]


def _one_by_one(
    data: bytes, syntax: Syntax, column_count: int, wanted: Sequence[int], *, final: bool
) -> tuple[list[Rows], int]:
    """Return the complete rows of `data`, in at most one block, and where the last one ends."""
    rows: list[Row] = []
    end = 0
    for record, start, end in syntax.records(data, final=final):
        if record != []:
            rows.append(_row(record, data[start:end], column_count, wanted))
    return [rows] if rows else [], end


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


def _check_header(record: CsvRecord, header: list[str], file: SegmentFile) -> None:
    found = [] if isinstance(record, Reason) else [field.decode(errors="replace").strip().lower() for field in record]
    if found != header:
        # What was found is not shown: it may be personal data.
        raise Stop(
            "header_differs",
            f"Expected the first row of {file.path} to hold the segment's {len(header)} column names in their order; it"
            " does not. Export the segment again, or correct columnHeaders in model.json.",
        )
