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
