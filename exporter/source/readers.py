"""Read rows from the files of a segment: CSV, plain or gzip, and Parquet. Every row is accounted for.

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
from typing import BinaryIO, Literal

from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source.files import SegmentFile, SegmentFiles
from exporter.source.formats.csv_records import MAX_ROW_BYTES, WINDOW_BYTES, CsvRecord, Syntax
from exporter.source.rows import Column, Row, Rows

READ_BYTES = (
    1 << 16
)  # of compressed data at a time, since what follows a gzip member is copied, and a member can be tiny
CHUNK_BYTES = MAX_ROW_BYTES - 2 * READ_BYTES  # with what was left over, most chunks make one block of MAX_ROW_BYTES
MAX_COLUMNS = 2_000  # Dataverse, with the widest tables that Customer Insights reads, has at most 1,024
MAX_INFLATED_BYTES, MAX_RATIO = 1 << 30, 100  # a gzip file may hold 1 GiB plus a hundred times its size
DELIMITERS = ",;\t|"
_GZIP = b"\x1f\x8b"
_GZIP_WBITS = 31  # a gzip header and checksum: https://docs.python.org/3/library/zlib.html#zlib.decompress


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


@dataclass(frozen=True, slots=True)
class Head:
    """The first row of a CSV file and the delimiter that it was read with."""

    names: tuple[str, ...]
    delimiter: str


def read_head(
    files: SegmentFiles, file: SegmentFile, delimiter: str | None = None, *, quoted: bool = True
) -> Head | None:
    """Return the first row of a CSV file, or None when there is none or it cannot be read as text.

    Without a `delimiter`, the one of `,` `;` tab `|` that splits the first row into the most fields is used.
    """
    data = b""
    with contextlib.closing(files.open(file)) as stream:
        for chunk in _text(stream, file):
            data = (data + chunk).lstrip(b"\r\n")
            results = [
                (_first_record(data, Syntax(candidate, quoted=quoted), final=not chunk), candidate)
                for candidate in delimiter or DELIMITERS
            ]
            if all(first for first, _ in results):
                break
    heads = [Head(names, candidate) for first, candidate in results if first and (names := _names(first[0]))]
    return max(heads, key=lambda head: len(head.names), default=None)


def _first_record(data: bytes, syntax: Syntax, *, final: bool) -> tuple[CsvRecord, int] | None:
    """Return the first row and where the next one begins; None when `data` ends earlier, and more may follow."""
    # Only one window is examined, so that a first row without an end cannot fill the memory.
    return syntax.record_at(data, 0, final=final or len(data) > WINDOW_BYTES) if data else None


def _names(record: CsvRecord) -> tuple[str, ...]:
    """Return the fields of a row as column names; none when it cannot be read as text."""
    try:
        return () if isinstance(record, Reason) else tuple(field.decode().strip() for field in record)
    except UnicodeDecodeError:
        return ()


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
    for chunk in _text(stream, partition.file):
        data += chunk
        if header is not None:
            data = data.lstrip(b"\r\n")
            first = _first_record(data, syntax, final=not chunk)
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


def _text(stream: BinaryIO, file: SegmentFile) -> Iterator[bytes]:
    """Yield the text of a file as UTF-8, without byte order mark, in chunks; only the last one is empty."""
    start = stream.read(READ_BYTES)
    compressed = start.startswith(_GZIP)
    pieces = itertools.chain([start], _pieces(stream, READ_BYTES if compressed else CHUNK_BYTES))
    chunks = _joined(_inflate(pieces, file) if compressed else pieces)
    first = next(chunks, b"")
    if compressed and first.startswith(_GZIP):
        raise Stop("gzip_nested", f"{file.path} is a gzip file within a gzip file. Compress it once.")
    if first.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        chunks = _joined(_from_utf16(itertools.chain([first], chunks)))
        first = next(chunks, b"")
    yield from filter(None, itertools.chain([first.removeprefix(codecs.BOM_UTF8)], chunks))
    yield b""


def _pieces(stream: BinaryIO, size_bytes: int) -> Iterator[bytes]:
    while piece := stream.read(size_bytes):
        yield piece


def _joined(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield small pieces together: each chunk costs time, whatever its size."""
    gathered: list[bytes] = []
    size_bytes = 0
    for piece in filter(None, pieces):
        gathered.append(piece)
        size_bytes += len(piece)
        if size_bytes >= CHUNK_BYTES:
            yield b"".join(gathered)
            gathered, size_bytes = [], 0
    if gathered:
        yield b"".join(gathered)


def _inflate(pieces: Iterable[bytes], file: SegmentFile) -> Iterator[bytes]:
    """Yield what the members of a gzip file hold, bounded: https://www.rfc-editor.org/rfc/rfc1952."""
    max_bytes = MAX_INFLATED_BYTES + MAX_RATIO * file.size_bytes
    inflated_bytes = 0
    member = zlib.decompressobj(wbits=_GZIP_WBITS)
    for piece in pieces:
        rest = piece
        while True:
            if member.eof:
                rest = rest.lstrip(b"\0")  # a member may be padded with zeros
                if not rest:
                    break
                member = zlib.decompressobj(wbits=_GZIP_WBITS)
            try:
                inflated = member.decompress(rest, READ_BYTES)
            except zlib.error as error:
                message = f"{file.path} is not a valid gzip file. Export the segment again."
                raise Stop("gzip_damaged", message) from error
            yield inflated
            inflated_bytes += len(inflated)
            if inflated_bytes > max_bytes:
                raise Stop(
                    "gzip_too_dense",
                    f"{file.path} has {file.size_bytes} bytes and expands to more than {max_bytes}; at most 1 GiB plus"
                    f" {MAX_RATIO} times its size are read. Export it uncompressed.",
                )
            rest = member.unused_data if member.eof else member.unconsumed_tail
            if not rest and len(inflated) < READ_BYTES:
                break
    if not member.eof:
        raise Stop("gzip_truncated", f"{file.path} ends in the middle of its gzip data. Export the segment again.")


def _from_utf16(chunks: Iterable[bytes]) -> Iterator[bytes]:
    # Invalid UTF-16 becomes invalid UTF-8, so that its row is rejected.
    decoder = codecs.getincrementaldecoder("utf-16")(errors="surrogatepass")
    for chunk in chunks:
        for start in range(0, len(chunk), READ_BYTES):  # in pieces, since the text may be longer
            yield decoder.decode(chunk[start : start + READ_BYTES]).encode(errors="surrogatepass")
    if decoder.getstate()[0]:
        yield b"\xff"
