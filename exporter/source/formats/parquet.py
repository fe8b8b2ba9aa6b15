"""Turn Parquet files into columns of text. Only what is wanted is read, in pieces of bounded size."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from datetime import date, time
from decimal import Decimal
from typing import BinaryIO

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyarrow.types as is_

from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source.files import SegmentFile
from exporter.source.formats.csv_records import MAX_ROW_BYTES
from exporter.source.formats.text_columns import lengths, without_empty
from exporter.source.rows import Row

ROWS_AT_ONCE = 8_192
BYTES_AT_ONCE = 32 << 20
MOST_DECODED_BYTES = 4 << 30  # of a row group whose texts are too large to be sent
PIECE_BYTES = 1 << 20
BUFFER_BYTES = 1 << 20  # for each column; a row group of a million rows is read in pieces of this size
NESTED = "nested"
_DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)  # the last one: in a column name

# Arrow's types in the terms of the Common Data Model; any other type does not hold single values.
_TYPES: tuple[tuple[str, tuple[Callable[[pa.DataType], bool], ...]], ...] = (
    ("string", (is_.is_string, is_.is_large_string, is_.is_string_view, is_.is_null)),
    ("string", (is_.is_binary, is_.is_large_binary, is_.is_binary_view, is_.is_fixed_size_binary)),
    ("boolean", (is_.is_boolean,)),
    ("int64", (is_.is_integer,)),
    ("double", (is_.is_floating,)),
    ("decimal", (is_.is_decimal,)),
    ("date", (is_.is_date,)),
    ("time", (is_.is_time,)),
    ("dateTime", (is_.is_timestamp,)),
)


def columns_of(stream: BinaryIO, file: SegmentFile) -> list[tuple[str, str]]:
    """Return name and type of each column; `nested` for one that does not hold single values.

    Raises `Stop` (`parquet_damaged`).
    """
    return _columns(_open(stream, file), file)


def rows_of(stream: BinaryIO, file: SegmentFile, names: Sequence[str]) -> Iterator[pa.RecordBatch | list[Row]]:
    """Yield the wanted columns as text (empty and absent values are null), or single rows where some cannot be read.

    Raises `Stop`: `parquet_damaged`, `column_unreadable`, `texts_too_large`.
    """
    parquet = _open(stream, file)
    types = dict(_columns(parquet, file))
    for name in names:
        if types.get(name, NESTED) == NESTED:
            raise Stop(
                "column_unreadable",
                f"Expected the column {name} of {file.path} to hold texts, numbers, dates or true/false; it is missing"
                " or nested. Map another column, or export the segment again.",
            )
    try:
        for group in range(parquet.num_row_groups):
            size = _rows_at_once(parquet, stream, file, group, names)
            for batch in parquet.iter_batches(size, row_groups=[group], columns=list(names), use_threads=False):
                yield from _texts([batch.column(name) for name in names])
    except _DAMAGE as error:
        raise _damaged(file) from error


def _columns(parquet: pq.ParquetFile, file: SegmentFile) -> list[tuple[str, str]]:
    try:
        return [(field.name, _data_type(field.type)) for field in parquet.schema_arrow]
    except _DAMAGE as error:
        raise _damaged(file) from error


def _open(
    stream: BinaryIO, file: SegmentFile, metadata: pq.FileMetaData | None = None, as_dictionary: Sequence[str] = ()
) -> pq.ParquetFile:
    try:
        return pq.ParquetFile(
            stream, metadata=metadata, read_dictionary=list(as_dictionary), pre_buffer=False, buffer_size=BUFFER_BYTES
        )
    except _DAMAGE as error:
        raise _damaged(file) from error


def _damaged(file: SegmentFile) -> Stop:
    return Stop("parquet_damaged", f"{file.path} is not a valid Parquet file. Export the segment again.")


def _data_type(arrow: pa.DataType) -> str:
    if is_.is_dictionary(arrow):
        return _data_type(arrow.value_type)
    return next((name for name, matches in _TYPES if any(match(arrow) for match in matches)), NESTED)


def _rows_at_once(
    parquet: pq.ParquetFile, stream: BinaryIO, file: SegmentFile, group: int, names: Sequence[str]
) -> int:
    """Return how many rows of a row group may be decoded at once.

    A dictionary can hold one text of 10 MB that a million rows refer to: the memory that decoding takes depends on the
    longest texts of the dictionaries, which are complete with the first row.
    """
    metadata = parquet.metadata.row_group(group)
    chunks = [metadata.column(number) for number in range(metadata.num_columns)]
    sizes = [chunk.total_uncompressed_size for chunk in chunks if chunk.path_in_schema in names]
    row_bytes: int = sum(sizes) // max(1, metadata.num_rows)
    if max(sizes) * ROWS_AT_ONCE > BYTES_AT_ONCE:
        probe = _open(stream, file, parquet.metadata, names)
        first = next(probe.iter_batches(1, row_groups=[group], columns=list(names), use_threads=False))
        dictionaries = [column.dictionary for column in first.columns if is_.is_dictionary(column.type)]
        longest = sum(pc.max(pc.binary_length(texts)).as_py() or 0 for texts in dictionaries)
        if longest > MAX_ROW_BYTES and longest * metadata.num_rows > MOST_DECODED_BYTES:
            raise Stop(
                "texts_too_large",
                f"The mapped columns of {file.path} hold texts of {longest} bytes for {metadata.num_rows} rows, but a"
                " contact has at most 399,999 bytes. Map other columns.",
            )
        row_bytes = max(row_bytes, longest)
    return max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // max(1, row_bytes)))


def _texts(columns: list[pa.Array]) -> Iterator[pa.RecordBatch | list[Row]]:
    """Yield rows as columns of text in pieces of bounded size or, if one cannot be sent unchanged, row by row."""
    try:
        texts = [_text(column) for column in columns]
    except (ValueError, OverflowError):  # Arrow's errors are ValueErrors, too
        texts = []
    ends = np.cumsum(np.sum([lengths(text) for text in texts], axis=0)) if texts else np.empty(0)
    if not texts or np.diff(ends, prepend=0).max(initial=0) > MAX_ROW_BYTES:
        yield [_row(values) for values in zip(*[_values(column) for column in columns], strict=True)]
        return
    batch = pa.RecordBatch.from_arrays(texts, [str(number) for number in range(len(texts))])
    start = 0
    while start < len(ends):
        size_before = ends[start - 1] if start else 0
        end = max(start + 1, int(np.searchsorted(ends, size_before + PIECE_BYTES, side="right")))
        yield batch.slice(start, end - start)
        start = end


def _text(column: pa.Array) -> pa.StringArray:
    """Return a column as valid UTF-8, null where it is empty or absent. Raises `ValueError` and `OverflowError`."""
    if is_.is_string(column.type):
        text = column
    elif _data_type(column.type) in {"string", "boolean", "int64"}:
        text = _raw(column).cast(pa.string())
    else:
        text = pa.array([_text_of(value) for value in _raw(column).to_pylist()], pa.string())
    text.validate(full=True)
    return without_empty(text)


def _raw(column: pa.Array) -> pa.Array:
    """Return a column with types that Python can read: bytes for texts, times without nanoseconds."""
    if is_.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_.is_timestamp(column.type):
        # In UTC, Python needs no time zone database. Other units stay, as they reach further than microseconds.
        unit = "us" if column.type.unit == "ns" else column.type.unit
        return column.cast(pa.timestamp(unit, "UTC" if column.type.tz else None), safe=False)
    return column.cast(pa.large_binary()) if _data_type(column.type) == "string" else column


def _values(column: pa.Array) -> list[object]:
    """Return the values of a column; `_OUT_OF_RANGE` for dates and times that Python cannot hold."""
    return [_value(scalar) for scalar in _raw(column)]


def _value(scalar: pa.Scalar) -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        return _OUT_OF_RANGE


_OUT_OF_RANGE = object()


def _row(values: tuple[object, ...]) -> Row:
    if _OUT_OF_RANGE in values:
        return Reason.DATE_OUT_OF_RANGE
    if sum(len(value) for value in values if isinstance(value, bytes)) > MAX_ROW_BYTES:
        return Reason.ROW_TOO_LARGE
    try:
        return tuple(value.decode() if isinstance(value, bytes) else _text_of(value) or "" for value in values)
    except UnicodeDecodeError:
        return Reason.NOT_UTF8


def _text_of(value: object) -> str | None:
    """Return a number, date or Boolean as text: ISO 8601 for dates and times, in UTC with a Z."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | time):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)
