"""Rows out of files: CSV (RFC 4180, plain or gzip) and Parquet; one row at a time, every row accounted for.

A row is a tuple of the wanted columns' texts (an absent value is empty), or the reason why it could not be read. Memory
is bounded whatever the file holds. What is wrong with a file as a whole raises `errors.Stop`.

Reading CSV, beyond RFC 4180 (https://www.rfc-editor.org/rfc/rfc4180):
- a line ends with LF, CRLF or CR; a line without any character is no row;
- a quote inside an unquoted field is text, as long as the row ends on the same line;
- a row whose quotes do not come out right costs its first line only: reading goes on at the next line, so that a
  forgotten quote cannot swallow the rows that follow.
"""

from __future__ import annotations

import codecs
import contextlib
import itertools
import re
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, time
from decimal import Decimal
from typing import TYPE_CHECKING, BinaryIO, Literal

from exporter.errors import Stop
from exporter.ports import SegmentFile, SegmentFiles
from exporter.reasons import Reason

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

CHUNK_BYTES = 1 << 20  # larger blocks only cost memory: measured, 8 MiB doubles the peak
MAX_ROW_BYTES = 1 << 20  # a contact has at most 399,999 bytes; the rest is room for columns that are not sent
PARQUET_ROWS = 4_096
MAX_COLUMNS = (
    2_000  # a table of Dataverse has at most 1,024: https://learn.microsoft.com/power-apps/maker/data-platform/
)
MAX_RATIO = 100  # a gzip file may hold 1 GiB and a hundred times its size; real exports hold five to twenty times
DELIMITERS = ",;\t|"

_WINDOW_BYTES = MAX_ROW_BYTES + 2  # a row and the first byte of what follows it
_GZIP = b"\x1f\x8b"
_GZIP_WBITS = 31  # a gzip header and checks: https://docs.python.org/3/library/zlib.html#zlib.decompress
_QUOTE = ord('"')
_LINE_END = re.compile(rb"[\r\n]")

Record = list[bytes] | Reason  # the fields of a row as bytes; a line without any character has none
Row = tuple[str, ...] | Reason


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a segment: its name and its type in the words of the Common Data Model."""

    name: str
    data_type: str


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
) -> Iterator[list[Row]]:
    """Yield the data rows of a file in blocks; a row holds the columns whose positions are in `wanted`.

    Raises `Stop` for a file that is damaged or differs from what the segment says, `ports.Changed` for one that was
    replaced meanwhile.
    """
    with contextlib.closing(files.open(partition.file)) as stream:
        if partition.format == "parquet":
            yield from _parquet_rows(stream, partition, [columns[position].name for position in wanted])
        else:
            yield from _csv_rows(stream, partition, columns, wanted)


@dataclass(frozen=True, slots=True)
class Head:
    """The first row of a CSV file and the delimiter that it was read with."""

    names: tuple[str, ...]
    delimiter: str


def read_head(
    files: SegmentFiles, file: SegmentFile, delimiter: str | None = None, *, quoted: bool = True
) -> Head | None:
    """Return the first row of a CSV file, or None when there is none or it cannot be read as text.

    Without a `delimiter`, it is the one of `,` `;` tab `|` that splits the first row into the most fields.
    """
    with contextlib.closing(files.open(file)) as stream:
        data = next(_text(stream, file))
    heads = []
    for candidate in delimiter or DELIMITERS:
        found = Syntax(candidate, quoted=quoted).record_at(data, 0, final=True)
        if found is not None and isinstance(fields := found[0], list):
            with contextlib.suppress(UnicodeDecodeError):
                heads.append(Head(tuple(field.decode().strip() for field in fields), candidate))
    return max(heads, key=lambda head: len(head.names), default=None)


def parquet_columns(files: SegmentFiles, file: SegmentFile) -> tuple[Column, ...]:
    """Return the columns of a Parquet file; a nested one has the type `nested`."""
    with contextlib.closing(files.open(file)) as stream:
        schema = _parquet_file(stream, file).schema_arrow
    return tuple(Column(field.name, _data_type(field.type)) for field in schema)


class Syntax:
    """How the records and fields of a CSV file are told apart."""

    def __init__(self, delimiter: str, *, quoted: bool) -> None:
        """`quoted`: whether a quote at the beginning of a field has a meaning."""
        self.delimiter = delimiter.encode()
        self.quoted = quoted
        self._quoted_field = re.compile(rb'"([^"]*+(?:""[^"]*+)*+)"')
        self._plain_field = re.compile(rb"[^\r\n" + re.escape(self.delimiter) + rb"]*+")

    def record_at(self, data: bytes, start: int, *, final: bool) -> tuple[Record, int] | None:
        """Return the record that begins at `start`, or why it is none, and where the next one begins.

        None: `data` ends before the record does, and more may follow (`final` is False).
        """
        newline = data.find(b"\n", start, start + _WINDOW_BYTES)
        if newline >= 0:
            line = data[start:newline].removesuffix(b"\r")
            if b"\r" not in line and len(line) <= MAX_ROW_BYTES and not (self.quoted and b'"' in line):
                return line.split(self.delimiter) if line else [], newline + 1
        limit = min(len(data), start + _WINDOW_BYTES)
        record, end = self._parse(data, start, limit)
        if end == limit < start + _WINDOW_BYTES and not final:
            return None
        if end - start > MAX_ROW_BYTES:
            record = Reason.ROW_TOO_LARGE
        if isinstance(record, Reason):
            return _first_line(data, start, record, final=final)
        return record, min(end + 1, len(data))

    def _parse(self, data: bytes, start: int, limit: int) -> tuple[Record, int]:
        """Return the record that begins at `start` and where its last field ends; `limit` when that came first."""
        fields: list[bytes] = []
        position = start
        quote_in_text = False
        while True:
            quoted = self.quoted and position < limit and data[position] == _QUOTE
            field = (self._quoted_field if quoted else self._plain_field).match(data, position, limit)
            if field is None:
                return Reason.UNCLOSED_QUOTE, limit
            fields.append(field[1].replace(b'""', b'"') if quoted else field[0])
            quote_in_text |= self.quoted and not quoted and b'"' in field[0]
            position = field.end()
            following = data[position:limit][:1] if position < limit else b""
            if following != self.delimiter:
                break
            position += 1
        if following not in (b"", b"\r", b"\n") or (quote_in_text and _LINE_END.search(data, start, position)):
            return Reason.MALFORMED_QUOTES, position
        return fields if position > start else [], position


def _first_line(data: bytes, start: int, reason: Reason, *, final: bool) -> tuple[Record, int] | None:
    """Return `reason` for the line that begins at `start`, and where the next line begins; None as for `record_at`."""
    line_end = _LINE_END.search(data, start, start + _WINDOW_BYTES)
    if line_end is None and len(data) >= start + _WINDOW_BYTES:
        reason = Reason.ROW_TOO_LARGE
        line_end = _LINE_END.search(data, start + _WINDOW_BYTES)
    if line_end is None:
        return (reason, len(data)) if final else None
    return reason, line_end.end()


def _csv_rows(
    stream: BinaryIO, partition: Partition, columns: Sequence[Column], wanted: Sequence[int]
) -> Iterator[list[Row]]:
    syntax = Syntax(partition.delimiter, quoted=partition.quoted)
    header = [column.name.lower() for column in columns] if partition.has_header else None
    data = b""
    for chunk in _text(stream, partition.file):
        data += chunk
        rows: list[Row] = []
        consumed = 0
        while consumed < len(data) and (found := syntax.record_at(data, consumed, final=not chunk)) is not None:
            record, end = found
            if header is not None and record != []:
                _check_header(record, header, partition.file)
                header = None
            elif record != []:
                rows.append(_row(record, data[consumed:end], len(columns), wanted))
            consumed = end
        # What is left is longer than a window only within a line that is too large: its rest need not be kept.
        data = data[consumed : consumed + _WINDOW_BYTES]
        yield rows


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


def _check_header(record: Record, header: list[str], file: SegmentFile) -> None:
    found = [] if isinstance(record, Reason) else [field.decode(errors="replace").strip().lower() for field in record]
    if found != header:
        # What was found is not shown: it may be a person.
        raise Stop(
            "header_differs",
            f"The first row of {file.path} was expected to hold the segment's {len(header)} column names in their"
            " order, and does not. Export the segment again, or correct columnHeaders in model.json.",
        )


def _text(stream: BinaryIO, file: SegmentFile) -> Iterator[bytes]:
    """Yield the text of a file as UTF-8, without byte order mark, in chunks; the last one is empty, and only that."""
    chunks = _chunks(stream)
    first = next(chunks, b"")
    if first.startswith(_GZIP):
        chunks = _inflate(itertools.chain([first], chunks), file)
        first = next(chunks, b"")
        if first.startswith(_GZIP):
            raise Stop("gzip_nested", f"{file.path} is a gzip file within a gzip file. Compress it once.")
    chunks = itertools.chain([first], chunks)
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        chunks = _from_utf16(chunks)
    elif first.startswith(codecs.BOM_UTF8):
        chunks = itertools.chain([first.removeprefix(codecs.BOM_UTF8)], itertools.islice(chunks, 1, None))
    yield from filter(None, chunks)
    yield b""


def _chunks(stream: BinaryIO) -> Iterator[bytes]:
    while chunk := stream.read(CHUNK_BYTES):
        yield chunk


def _inflate(chunks: Iterable[bytes], file: SegmentFile) -> Iterator[bytes]:
    """Yield what the members of a gzip file hold, bounded: https://www.rfc-editor.org/rfc/rfc1952."""
    most_bytes = (1 << 30) + MAX_RATIO * file.size_bytes
    inflated_bytes = 0
    member = zlib.decompressobj(wbits=_GZIP_WBITS)
    for chunk in chunks:
        rest = chunk
        while rest:
            if member.eof:
                member = zlib.decompressobj(wbits=_GZIP_WBITS)
            try:
                inflated = member.decompress(rest, CHUNK_BYTES)
            except zlib.error as error:
                raise Stop(
                    "gzip_damaged", f"{file.path} is not a sound gzip file. Export the segment again."
                ) from error
            rest = member.unused_data if member.eof else member.unconsumed_tail
            inflated_bytes += len(inflated)
            if inflated_bytes > most_bytes:
                raise Stop(
                    "gzip_too_dense",
                    f"{file.path} has {file.size_bytes} bytes and holds more than {most_bytes}. Export it uncompressed.",
                )
            yield inflated
    if not member.eof:
        raise Stop("gzip_truncated", f"{file.path} ends in the middle of its gzip data. Export the segment again.")


def _from_utf16(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # What is no UTF-16 becomes bytes that are no UTF-8, so that it rejects its row.
    decoder = codecs.getincrementaldecoder("utf-16")(errors="surrogatepass")
    for chunk in chunks:
        yield decoder.decode(chunk).encode(errors="surrogatepass")
    if decoder.getstate()[0]:
        yield b"\xff"


def _parquet_rows(stream: BinaryIO, partition: Partition, names: Sequence[str]) -> Iterator[list[Row]]:
    import pyarrow as pa  # noqa: PLC0415  # 0.2 s, which only a run that reads Parquet shall pay

    file = _parquet_file(stream, partition.file)
    types = {field.name: _data_type(field.type) for field in file.schema_arrow}
    for name in names:
        if types.get(name, _NESTED) == _NESTED:
            raise Stop(
                "column_unreadable",
                f"The column {name} of {partition.file.path} was expected to hold texts, numbers, dates or true/false,"
                " and is missing or nested. Map another column, or export the segment again.",
            )
    try:
        for batch in file.iter_batches(batch_size=PARQUET_ROWS, columns=list(names), use_threads=False):
            columns = [_texts(batch.column(name)) for name in names]
            yield [_checked(row) for row in zip(*columns, strict=True)]
    except (pa.ArrowException, OSError) as error:
        raise _parquet_damaged(partition.file) from error


def _checked(row: tuple[str | None, ...]) -> Row:
    return tuple(text for text in row if text is not None) if None not in row else Reason.NOT_UTF8


def _parquet_file(stream: BinaryIO, file: SegmentFile) -> pq.ParquetFile:
    import pyarrow as pa  # noqa: PLC0415  # as above
    import pyarrow.parquet as pq  # noqa: PLC0415

    try:
        # Without pre-buffering and with a buffer, a row group of a million rows is read in pieces.
        return pq.ParquetFile(stream, pre_buffer=False, buffer_size=CHUNK_BYTES)
    except (pa.ArrowException, OSError) as error:
        raise _parquet_damaged(file) from error


def _parquet_damaged(file: SegmentFile) -> Stop:
    return Stop("parquet_damaged", f"{file.path} is not a sound Parquet file. Export the segment again.")


_NESTED = "nested"


def _data_type(arrow: pa.DataType) -> str:
    """Return the Common Data Model's word for an Arrow type; `nested` for what is no single value."""
    import pyarrow.types as is_  # noqa: PLC0415  # as above

    if is_.is_dictionary(arrow):
        return _data_type(arrow.value_type)
    for name, matches in (
        ("string", (is_.is_string, is_.is_large_string, is_.is_string_view, is_.is_null)),
        ("string", (is_.is_binary, is_.is_large_binary, is_.is_binary_view, is_.is_fixed_size_binary)),
        ("boolean", (is_.is_boolean,)),
        ("int64", (is_.is_integer,)),
        ("double", (is_.is_floating,)),
        ("decimal", (is_.is_decimal,)),
        ("date", (is_.is_date,)),
        ("time", (is_.is_time,)),
        ("dateTime", (is_.is_timestamp,)),
    ):
        if any(match(arrow) for match in matches):
            return name
    return _NESTED


def _texts(values: pa.Array) -> list[str | None]:
    """Return the values as text: ISO 8601 for dates and times, empty for absent; None for what is not UTF-8."""
    import pyarrow as pa  # noqa: PLC0415  # as above

    if pa.types.is_dictionary(values.type):
        values = values.dictionary_decode()
    if pa.types.is_timestamp(values.type):
        # Python's times have microseconds and, in UTC, need no time zone database.
        values = values.cast(pa.timestamp("us", "UTC" if values.type.tz else None), safe=False)
    elif _data_type(values.type) == "string":
        values = values.cast(pa.large_binary())
    return [_text_of(value) for value in values.to_pylist()]


def _text_of(value: object) -> str | None:
    match value:
        case None:
            return ""
        case bytes():
            try:
                return value.decode()
            except UnicodeDecodeError:
                return None
        case bool():
            return "true" if value else "false"
        case float():
            return "" if value != value else repr(value)  # noqa: PLR0124  # only NaN differs from itself
        case Decimal():
            return format(value, "f")
        case date() | time():
            return value.isoformat().replace("+00:00", "Z")
        case _:
            return str(value)
