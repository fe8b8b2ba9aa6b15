"""What is around the rows: compression, encodings, headers, and files that are meant to harm."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import tracemalloc
import zlib
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa
import pytest

from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source import text as source_text
from exporter.source.files import SegmentFile
from exporter.source.heads import read_head
from exporter.source.readers import Partition, read_rows
from tests.unit.source.one_file import OneFile, rows

TABLE = b"1,J\xc3\xbcrgen\n2,Zo\xc3\xab\n"
READ = [("1", "J\u00fcrgen"), ("2", "Zo\u00eb")]


def read_with_header(data: bytes) -> list[object]:
    partition = Partition(SegmentFile("s.csv", len(data), "e", 0.0), "csv", ("Id", "Name"), has_header=True)
    return list(read_rows(OneFile(data), partition, ["Id", "Name"]))


@pytest.mark.parametrize(
    "data",
    [
        TABLE,
        codecs.BOM_UTF8 + TABLE,
        TABLE.decode().encode("utf-16"),
        codecs.BOM_UTF16_BE + TABLE.decode().encode("utf-16-be"),
        gzip.compress(TABLE),
        gzip.compress(codecs.BOM_UTF8 + TABLE),
        gzip.compress(TABLE[:9]) + gzip.compress(TABLE[9:]) + b"\0" * 7,
    ],
    ids=["plain", "bom", "utf-16-le", "utf-16-be", "gzip", "gzip with bom", "gzip members and padding"],
)
@pytest.mark.parametrize("read_bytes", [4, 1 << 16])
def test_compression_and_encoding_do_not_change_what_is_read(
    data: bytes, read_bytes: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_text, "READ_BYTES", read_bytes)
    assert rows(data, 2) == READ


def test_half_a_utf16_character_rejects_its_row() -> None:
    damaged = "1,a\n2,".encode("utf-16") + b"\x00\xd8"
    assert rows(damaged, 2) == [("1", "a"), Reason.NOT_UTF8]


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (gzip.compress(TABLE)[:-9], "gzip_truncated"),
        (gzip.compress(TABLE)[:-4] + b"\1\2\3\4", "gzip_damaged"),
        (gzip.compress(TABLE) + b"garbage", "gzip_damaged"),
        (gzip.compress(gzip.compress(TABLE)), "gzip_nested"),
    ],
    ids=["cut", "other checksum", "more behind it", "twice"],
)
def test_a_damaged_gzip_file_is_refused(data: bytes, code: str) -> None:
    with pytest.raises(Stop) as caught:
        rows(data, 2)
    assert caught.value.code == code


def test_a_gzip_bomb_is_refused_while_it_is_inflated(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_text, "MAX_INFLATED_BYTES", 1 << 20)
    inflate = zlib.compressobj(9, wbits=31)
    bomb = inflate.compress(b"\n" * (64 << 20)) + inflate.flush()
    with pytest.raises(Stop) as caught:
        rows(bomb, 2)
    assert caught.value.code == "gzip_too_dense"


@pytest.mark.parametrize(("spare_bytes", "fits"), [(0, True), (-1, False)])
def test_a_gzip_file_holds_at_most_1_gib_and_a_hundred_times_its_size(
    spare_bytes: int, *, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert (source_text.MAX_INFLATED_BYTES, source_text.MAX_RATIO) == (1_073_741_824, 100)
    text = b"\n" * (1 << 20)
    packed = gzip.compress(text)
    monkeypatch.setattr(source_text, "MAX_INFLATED_BYTES", len(text) - 100 * len(packed) + spare_bytes)
    with contextlib.nullcontext() if fits else pytest.raises(Stop, match="at most 1 GiB plus 100 times its size"):
        assert rows(packed, 1) == []


def test_output_that_fills_a_piece_exactly_is_not_taken_for_a_truncated_file(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(source_text, "READ_BYTES", 1_024)
    data = b"a,b\n" * 256 * 3
    assert len(rows(gzip.compress(data), 2)) == 768


def test_the_header_row_is_skipped_in_any_case_of_letters() -> None:
    (block,) = read_with_header(b"\n id,NAME \n1,a\n")
    assert getattr(block, "num_rows", 0) == 1


@pytest.mark.parametrize("data", [b"", b"\n\n", b"Id,Name\n", b"Id,Name"])
def test_a_file_without_rows_has_none(data: bytes) -> None:
    assert [block for block in read_with_header(data) if block] == []


@pytest.mark.parametrize(
    ("data", "names", "delimiter"),
    [
        (b"Id,Name;x\n", ("Id", "Name;x"), ","),
        (b"Id;Name\n", ("Id", "Name"), ";"),
        (b"Id\tName\n", ("Id", "Name"), "\t"),
        (b'"Id, or";"Name, first";Phone\n', ("Id, or", "Name, first", "Phone"), ";"),
        (b"\n\nId\n", ("Id",), ","),
    ],
)
def test_the_delimiter_is_the_one_that_splits_the_header(data: bytes, names: tuple[str, ...], delimiter: str) -> None:
    head = read_head(OneFile(data), SegmentFile("s", len(data), "e", 0.0))
    assert head is not None
    assert (head.names, head.delimiter) == (names, delimiter)


SEGMENT_BYTES = 96 << 20
LINE = b"a" * 1_000 + b"\n"
POOLS: list[pa.MemoryPool] = []
"""Those that count what Arrow takes. A pool has to outlive what was taken from it, so they are kept."""


class Endless(OneFile):
    """A large file that is the same text again and again."""

    def __init__(self, text: bytes) -> None:
        self._text = text

    def open(self, file: SegmentFile, buffer_bytes: int = 0) -> BinaryIO:
        class Stream(io.BytesIO):
            left = SEGMENT_BYTES

            def read(stream, size: int | None = -1, /) -> bytes:  # noqa: N805 - `self` is the file
                size = min(size or 0, stream.left)
                stream.left -= size
                return (self._text * (size // len(self._text) + 1))[:size]

        return Stream()


@pytest.fixture
def peak_memory() -> Iterator[Callable[[], int]]:
    """Return what was allocated at most, in bytes: by Python and numpy, and by Arrow, which has memory of its own."""
    usual = pa.default_memory_pool()
    POOLS.append(counted := pa.proxy_memory_pool(usual))
    pa.set_memory_pool(counted)
    tracemalloc.start()
    yield lambda: tracemalloc.get_traced_memory()[1] + counted.max_memory()
    tracemalloc.stop()
    pa.set_memory_pool(usual)


@pytest.mark.slow  # each reads 96 MB
@pytest.mark.parametrize("has_header", [False, True])
@pytest.mark.parametrize(
    "text", [LINE, LINE + b",\n", b"x", b'"', b"\n", b"\r", b"\0", b",", b'"",'], ids=lambda text: ascii(text[-4:])
)
def test_memory_stays_bounded_whatever_a_file_holds(
    *, text: bytes, has_header: bool, peak_memory: Callable[[], int]
) -> None:
    file = SegmentFile("s.csv", SEGMENT_BYTES, "e", 0.0)
    partition = Partition(file, "csv", ("a",), has_header=has_header)
    with contextlib.suppress(Stop):
        for _ in read_rows(Endless(text), partition, ["a"]):
            pass
    read_head(Endless(text), file)
    assert peak_memory() < 32 << 20


def test_a_line_that_never_ends_is_one_row_that_is_too_large() -> None:
    partition = Partition(SegmentFile("s.csv", SEGMENT_BYTES, "e", 0.0), "csv", ("a",))
    blocks = read_rows(Endless(b"x"), partition, ["a"])
    assert [row for block in blocks for row in block] == [Reason.ROW_TOO_LARGE]
