"""The text of a file as UTF-8, in chunks: decompressed and decoded, whatever it was stored as."""

from __future__ import annotations

import codecs
import itertools
import zlib
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from exporter.errors import Stop
from exporter.source.files import SegmentFile
from exporter.source.formats.csv_records import MAX_ROW_BYTES

READ_BYTES = (
    1 << 16
)  # of compressed data at a time, since what follows a gzip member is copied, and a member can be tiny
CHUNK_BYTES = MAX_ROW_BYTES - 2 * READ_BYTES  # with what was left over, most chunks make one block of MAX_ROW_BYTES
MAX_INFLATED_BYTES, MAX_RATIO = 1 << 30, 100  # a gzip file may hold 1 GiB plus a hundred times its size
_GZIP = b"\x1f\x8b"
_GZIP_WBITS = 31  # a gzip header and checksum: https://docs.python.org/3/library/zlib.html#zlib.decompress


def text_of(stream: BinaryIO, file: SegmentFile) -> Iterator[bytes]:
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
