"""Rows out of the files of a segment: CSV, plain or gzip, and Parquet. Every row is accounted for.

Rows come in blocks of bounded size. A block is either the wanted columns as Arrow arrays of text (null: empty or
absent), or single rows: a tuple of the wanted texts, or the reason why the row could not be read. What is wrong with a
file as a whole raises `errors.Stop`.
"""

from __future__ import annotations

import codecs
import contextlib
import itertools
import zlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, Literal

from exporter.errors import Stop
from exporter.formats import Row, Rows
from exporter.formats.csv_records import MAX_ROW_BYTES, WINDOW_BYTES, Record, Syntax
from exporter.ports import SegmentFile, SegmentFiles
from exporter.reasons import Reason

if TYPE_CHECKING:
    pass

CHUNK_BYTES = MAX_ROW_BYTES - (1 << 16)  # with what was left over, a block has at most MAX_ROW_BYTES: see csv_blocks
MAX_COLUMNS = 2_000  # Dataverse, with the widest tables that Customer Insights reads, has at most 1,024
MAX_INFLATED_BYTES, MAX_RATIO = 1 << 30, 100  # a gzip file may hold 1 GiB and a hundred times its size
DELIMITERS = ",;\t|"
_GZIP = b"\x1f\x8b"
_GZIP_WBITS = 31  # a gzip header and checksum: https://docs.python.org/3/library/zlib.html#zlib.decompress


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
) -> Iterator[Rows]:
    """Yield the data rows of a file in blocks; a row holds the columns whose positions are in `wanted`.

    Raises `Stop` for a file that is damaged or differs from what the segment says, `ports.Changed` for one that was
    replaced meanwhile.
    """
    with contextlib.closing(files.open(partition.file)) as stream:
        if partition.format == "parquet":
            from exporter.formats import parquet  # noqa: PLC0415 - Arrow takes 0.2 s to import; only reading a segment needs it

            yield from parquet.rows_of(stream, partition.file, [columns[position].name for position in wanted])
        else:
            yield from _csv_rows(stream, partition, columns, wanted)


def rows_at(rows: Rows, positions: Sequence[int], columns: Sequence[int]) -> list[Row]:
    """Return some rows of a block one by one, and of them some columns."""
    if isinstance(rows, list):
        chosen = (rows[position] for position in positions)
        return [row if isinstance(row, Reason) else tuple(row[column] for column in columns) for row in chosen]
    if not positions:
        return []
    texts = [column.to_pylist() for column in rows.select(columns).take(positions).columns]
    return [tuple(text or "" for text in row) for row in zip(*texts, strict=True)]


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
        records = Syntax(candidate, quoted=quoted).records(data, final=True)
        fields = next((record for record, _, _ in records if record), None)
        if isinstance(fields, list):
            with contextlib.suppress(UnicodeDecodeError):
                heads.append(Head(tuple(field.decode().strip() for field in fields), candidate))
    return max(heads, key=lambda head: len(head.names), default=None)


def parquet_columns(files: SegmentFiles, file: SegmentFile) -> tuple[Column, ...]:
    """Return the columns of a Parquet file; one that holds more than single values has the type `nested`."""
    from exporter.formats import parquet  # noqa: PLC0415 - as above

    with contextlib.closing(files.open(file)) as stream:
        return tuple(Column(name, data_type) for name, data_type in parquet.columns_of(stream, file))


def _csv_rows(
    stream: BinaryIO, partition: Partition, columns: Sequence[Column], wanted: Sequence[int]
) -> Iterator[Rows]:
    from exporter.formats import csv_blocks  # noqa: PLC0415 - as above

    syntax = Syntax(partition.delimiter, quoted=partition.quoted)
    header = [column.name.lower() for column in columns] if partition.has_header else None
    data = b""
    for chunk in _text(stream, partition.file):
        data += chunk
        if header is not None:
            head = next((found for found in syntax.records(data, final=not chunk) if found[0] != []), None)
            if head is None:
                continue
            record, _, end = head
            _check_header(record, header, partition.file)
            header, data = None, data[end:]
        blocks, end = csv_blocks.rows_of(data, syntax, len(columns), wanted) or _one_by_one(
            data, syntax, len(columns), wanted, final=not chunk
        )
        yield from blocks
        # What is left is longer than a window only within a line that is too large: the rest of it need not be kept.
        data = data[end : end + WINDOW_BYTES]


def _one_by_one(
    data: bytes, syntax: Syntax, column_count: int, wanted: Sequence[int], *, final: bool
) -> tuple[list[Rows], int]:
    """Return the complete rows of `data`, in one block, and where the last one ends."""
    rows: list[Row] = []
    end = 0
    for record, start, end in syntax.records(data, final=final):
        if record != []:
            rows.append(_row(record, data[start:end], column_count, wanted))
    return [rows], end


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
    most_bytes = MAX_INFLATED_BYTES + MAX_RATIO * file.size_bytes
    inflated_bytes = 0
    member = zlib.decompressobj(wbits=_GZIP_WBITS)
    for chunk in chunks:
        rest = chunk
        while rest or not member.eof:
            if member.eof:
                member = zlib.decompressobj(wbits=_GZIP_WBITS)
            try:
                inflated = member.decompress(rest, CHUNK_BYTES)
            except zlib.error as error:
                message = f"{file.path} is not a sound gzip file. Export the segment again."
                raise Stop("gzip_damaged", message) from error
            yield inflated
            inflated_bytes += len(inflated)
            if inflated_bytes > most_bytes:
                raise Stop(
                    "gzip_too_dense",
                    f"{file.path} has {file.size_bytes} bytes and holds more than {most_bytes}; at most {MAX_RATIO}"
                    " times its size and 1 GiB are read. Export it uncompressed.",
                )
            # Zeros may fill up the space behind a member.
            rest = member.unused_data.lstrip(b"\0") if member.eof else member.unconsumed_tail
            if not rest and len(inflated) < CHUNK_BYTES:
                break
    if not member.eof:
        raise Stop("gzip_truncated", f"{file.path} ends in the middle of its gzip data. Export the segment again.")


def _from_utf16(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # What is no UTF-16 becomes bytes that are no UTF-8, so that it rejects its row.
    decoder = codecs.getincrementaldecoder("utf-16")(errors="surrogatepass")
    for chunk in chunks:
        yield decoder.decode(chunk).encode(errors="surrogatepass")
    if decoder.getstate()[0]:
        yield b"\xff"
