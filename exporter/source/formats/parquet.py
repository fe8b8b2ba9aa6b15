"""Turn Parquet files into columns of text. Only what is wanted is read, in pieces of bounded size."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date, time
from decimal import Decimal
from typing import BinaryIO
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

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
TAIL_BYTES = 64 << 10  # what Arrow reads first, too; the second time, it comes from the stream's buffer
SEPARATOR = ";"  # of the values in a list, as fields of several values take them
LIST_VALUE_BYTES = 64  # of a value in a list, beside its text, while lists are joined
EXACT_INTEGERS = 2**53  # below, a double holds every whole number
INT96_UNIT = "us"  # nanoseconds, which are Arrow's own choice, end in the year 2262
NESTED = "nested"
_DAMAGE = (pa.ArrowException, OSError, UnicodeDecodeError)  # the last one: in a column name


def _is_guid(arrow: pa.DataType) -> bool:
    return isinstance(arrow, pa.UuidType)


def _is_list(arrow: pa.DataType) -> bool:
    return isinstance(arrow, pa.ListType | pa.LargeListType | pa.FixedSizeListType)


# Arrow's types in the terms of the Common Data Model; any other type is nested.
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
    ("guid", (_is_guid,)),
)


def columns_of(stream: BinaryIO, file: SegmentFile) -> list[tuple[str, str]]:
    """Return name and type of each column; `nested` for one that holds neither single values nor lists of them.

    Raises `Stop`: `parquet_damaged`, `parquet_encrypted`.
    """
    return _columns(_open(stream, file), file)


def rows_of(stream: BinaryIO, file: SegmentFile, names: Sequence[str]) -> Iterator[pa.RecordBatch | list[Row]]:
    """Yield the wanted columns as text (empty and absent values are null), or single rows where some cannot be read.

    A list is its values with `;` between them. A value that holds a `;` stays as it is, so that a field of several
    values takes it for two, as it does in a CSV file.

    Raises `Stop`: `parquet_damaged`, `parquet_encrypted`, `column_unreadable`, `texts_too_large`.
    """
    parquet = _open(stream, file)
    columns = _columns(parquet, file)
    for name in names:
        types = [data_type for column, data_type in columns if column == name]
        if len(types) != 1 or types == [NESTED]:
            raise Stop.of("column_unreadable", column=name, file=file.path)
    try:
        probe = _with_dictionaries(parquet, stream, names)
        rows = 0
        for group in range(parquet.num_row_groups):
            size = _rows_at_once(parquet, probe, file, group, names)
            for batch in parquet.iter_batches(size, row_groups=[group], columns=list(names), use_threads=False):
                rows += batch.num_rows
                yield from _texts([batch.column(name) for name in names])
    except _DAMAGE as error:
        raise _unreadable(parquet, file, names) from error
    if rows != parquet.metadata.num_rows:
        raise _damaged(file)


def _columns(parquet: pq.ParquetFile, file: SegmentFile) -> list[tuple[str, str]]:
    try:
        return [(field.name, _data_type(field.type)) for field in parquet.schema_arrow]
    except _DAMAGE as error:
        raise _damaged(file) from error


def _open(stream: BinaryIO, file: SegmentFile) -> pq.ParquetFile:
    """Open a file and read its footer: https://parquet.apache.org/docs/file-format/.

    Of the metadata of a row group, never ask for those of a column, alone or in a dictionary of everything: Arrow ends
    the process where the column is encrypted or its description is damaged.
    """
    stream.seek(max(0, stream.seek(0, 2) - TAIL_BYTES))
    tail = stream.read(TAIL_BYTES)
    if tail.endswith(b"PARE"):
        raise Stop.of("parquet_encrypted", file=file.path)
    try:
        return pq.ParquetFile(
            stream,
            pre_buffer=False,
            buffer_size=BUFFER_BYTES,
            coerce_int96_timestamp_unit=INT96_UNIT,
            # Arrow makes room for as many structures as the footer says that a list has; each takes 8 bytes there.
            thrift_container_size_limit=max(1_000, int.from_bytes(tail[-8:-4], "little") // 8),
        )
    except _DAMAGE as error:
        raise _damaged(file) from error


def _with_dictionaries(parquet: pq.ParquetFile, stream: BinaryIO, names: Sequence[str]) -> pq.ParquetFile:
    """Return the same file, opened so that texts come with their dictionaries. Raises `_DAMAGE`."""
    paths = [parquet.schema.column(number).path for number in range(len(parquet.schema))]
    wanted = [path for path in paths if any(path == name or path.startswith(f"{name}.") for name in names)]
    return pq.ParquetFile(
        stream,
        metadata=parquet.metadata,
        read_dictionary=wanted,
        pre_buffer=False,
        buffer_size=BUFFER_BYTES,
        coerce_int96_timestamp_unit=INT96_UNIT,
    )


def _damaged(file: SegmentFile) -> Stop:
    return Stop.of("parquet_damaged", file=file.path)


def _unreadable(parquet: pq.ParquetFile, file: SegmentFile, names: Sequence[str]) -> Stop:
    """Return why wanted columns cannot be read: one is encrypted, or the file is damaged."""
    for name in names:
        try:
            for group in range(parquet.num_row_groups):
                _first(parquet, group, name)
        except _DAMAGE as error:
            if "crypt" in str(error):  # such as: cannot decrypt, noted as encrypted
                return Stop.of("parquet_encrypted", case="column", column=name, file=file.path)
    return _damaged(file)


def _data_type(arrow: pa.DataType) -> str:
    if isinstance(arrow, pa.BaseExtensionType) and not _is_guid(arrow):
        return _data_type(arrow.storage_type)
    if is_.is_dictionary(arrow):
        return _data_type(arrow.value_type)
    if _is_list(arrow):
        return NESTED if _is_list(arrow.value_type) or _data_type(arrow.value_type) == NESTED else "string"
    return next((name for name, matches in _TYPES if any(match(arrow) for match in matches)), NESTED)


def _rows_at_once(
    parquet: pq.ParquetFile, probe: pq.ParquetFile, file: SegmentFile, group: int, names: Sequence[str]
) -> int:
    """Return how many rows of a row group may be decoded at once. Raises `Stop` and `_DAMAGE`.

    A dictionary can hold one text of 10 MB that a million rows refer to: the memory that decoding takes depends on the
    longest texts of the dictionaries, which are complete with the first row.
    """
    metadata = parquet.metadata.row_group(group)
    rows: int = metadata.num_rows
    size_bytes: int = metadata.total_byte_size  # of all columns; Arrow cannot be asked for those of one, see `_open`
    if rows < 0 or size_bytes < 0:
        raise _damaged(file)
    try:
        longest = _longest(_first(probe, group, *names))
    except _DAMAGE:  # Arrow makes no dictionary of delta-encoded texts
        longest = sum(_longest_of(parquet, probe, group, name) for name in names)
    if longest > MAX_ROW_BYTES and longest * rows > MOST_DECODED_BYTES:
        raise Stop.of("texts_too_large", file=file.path, textBytes=longest, rows=rows)
    average = min(size_bytes // max(1, rows), MAX_ROW_BYTES)  # more says something about other columns only
    return max(1, min(ROWS_AT_ONCE, BYTES_AT_ONCE // max(1, average, longest)))


def _first(parquet: pq.ParquetFile, group: int, *names: str) -> pa.RecordBatch | None:
    """Return the first row of a row group, None where it has none."""
    return next(parquet.iter_batches(1, row_groups=[group], columns=list(names), use_threads=False), None)


def _longest_of(parquet: pq.ParquetFile, probe: pq.ParquetFile, group: int, name: str) -> int:
    try:
        return _longest(_first(probe, group, name))
    except _DAMAGE:
        return _longest(_first(parquet, group, name))


def _longest(first: pa.RecordBatch | None) -> int:
    """Return how many bytes a row can have, as far as a first row and its dictionaries tell."""
    return sum(_longest_text(column) for column in first.columns) if first else 0


def _longest_text(column: pa.Array) -> int:
    column = _storage(column)
    if _is_list(column.type):
        values = column.flatten()
        return max(1, len(values)) * (_longest_text(values) + LIST_VALUE_BYTES)
    if _data_type(column.type) != "string":
        return 0
    texts = column.dictionary if is_.is_dictionary(column.type) else column.cast(pa.large_binary())
    longest: int | None = pc.max(pc.binary_length(texts)).as_py()
    return longest or 0


def _texts(columns: list[pa.Array]) -> Iterator[pa.RecordBatch | list[Row]]:
    """Yield rows as columns of text in pieces of bounded size or, if one cannot be sent unchanged, row by row."""
    try:
        texts = [_text(column) for column in columns]
    except (ValueError, OverflowError):  # Arrow's errors are ValueErrors, too
        texts = []
    ends = np.cumsum(np.sum([lengths(text) for text in texts], axis=0)) if texts else np.empty(0)
    if not texts or np.diff(ends, prepend=0).max(initial=0) > MAX_ROW_BYTES:
        yield [_row(cells) for cells in zip(*[_cells(column) for column in columns], strict=True)]
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
    column = _storage(column)
    if _is_list(column.type):
        lists = _lists(column, _text(column.flatten()).to_pylist())
        text = pa.array([SEPARATOR.join(filter(None, values)) for values in lists], pa.string())
    elif is_.is_string(column.type):
        text = column
    elif _data_type(column.type) in {"string", "boolean", "int64"}:
        text = _raw(column).cast(pa.string())
    else:
        text = pa.array([_text_of(value) for value in _raw(column).to_pylist()], pa.string())
    text.validate(full=True)
    return without_empty(text)


def _storage(column: pa.Array) -> pa.Array:
    """Return what an extension type stores, such as JSON its text, except where Python has a type of its own."""
    return column.storage if isinstance(column.type, pa.BaseExtensionType) and not _is_guid(column.type) else column


def _raw(column: pa.Array) -> pa.Array:
    """Return a column with types that Python can read: bytes for texts, times without nanoseconds."""
    if is_.is_dictionary(column.type):
        column = column.dictionary_decode()
    if is_.is_timestamp(column.type):
        # Other units stay, as they reach further than microseconds. A time keeps its zone, which says what day it is.
        unit = "us" if column.type.unit == "ns" else column.type.unit
        return column.cast(pa.timestamp(unit, _known_zone(column.type.tz)), safe=False)
    if is_.is_time64(column.type):
        return column.cast(pa.time64("us"), safe=False)  # nanoseconds take pandas
    if is_.is_float32(column.type) or is_.is_float16(column.type):
        return column.cast(pa.string()).cast(pa.float64())  # 0.1 is stored as 0.100000001490116
    return column.cast(pa.large_binary()) if _data_type(column.type) == "string" else column


def _known_zone(name: str | None) -> str | None:
    """Return the zone of a column, or UTC for one that nobody knows: the moments are the same."""
    if name is None or re.fullmatch(r"[+-]\d\d:\d\d", name):
        return name
    try:
        ZoneInfo(name)
    except (ValueError, OSError, ZoneInfoNotFoundError):
        return "UTC"
    return name


def _lists[T](column: pa.Array, values: Iterable[T]) -> Iterator[list[T]]:
    """Divide the values of all lists of a column by list; an absent list has none."""
    left = iter(values)
    for length in pc.fill_null(pc.list_value_length(column), 0).to_pylist():
        yield list(itertools.islice(left, length))


def _cells(column: pa.Array) -> list[bytes | None]:
    """Return the texts of a column, whether or not they are UTF-8; None for dates and times that Python cannot hold."""
    column = _storage(column)
    if _is_list(column.type):
        lists = _lists(column, _cells(column.flatten()))
        return [_list_cell(values) for values in lists]
    return [_cell(scalar) for scalar in _raw(column)]


def _list_cell(values: list[bytes | None]) -> bytes | None:
    return None if None in values else SEPARATOR.encode().join(filter(None, values))


def _cell(scalar: pa.Scalar) -> bytes | None:
    try:
        value = scalar.as_py()
    except (ValueError, OverflowError):
        return None
    return value if isinstance(value, bytes) else (_text_of(value) or "").encode()


def _row(cells: tuple[bytes | None, ...]) -> Row:
    found = [cell for cell in cells if cell is not None]
    if len(found) < len(cells):
        return Reason.DATE_OUT_OF_RANGE
    if sum(map(len, found)) > MAX_ROW_BYTES:
        return Reason.ROW_TOO_LARGE
    try:
        return tuple(cell.decode() for cell in found)
    except UnicodeDecodeError:
        return Reason.NOT_UTF8


def _text_of(value: object) -> str | None:
    """Return a number, date or Boolean as text: ISO 8601 for dates and times, in UTC with a Z."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return None
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < EXACT_INTEGERS:
        return str(int(value))  # pandas keeps whole numbers, such as phone numbers, as doubles where some are absent
    if isinstance(value, Decimal):
        return format(value, "f")
    if isinstance(value, date | time):
        return value.isoformat().replace("+00:00", "Z")
    return str(value)
