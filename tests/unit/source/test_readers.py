"""What is around the rows: headers, and files that are meant to harm."""

from __future__ import annotations

import contextlib
import io
import tracemalloc
from collections.abc import Callable, Iterator
from typing import BinaryIO

import pyarrow as pa
import pytest

from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source.files import SegmentFile
from exporter.source.heads import read_head
from exporter.source.readers import Partition, read_rows
from tests.unit.source.one_file import OneFile


def read_with_header(data: bytes) -> list[object]:
    partition = Partition(SegmentFile("s.csv", len(data), "e", 0.0), "csv", ("Id", "Name"), has_header=True)
    return list(read_rows(OneFile(data), partition, ["Id", "Name"]))


def test_the_header_row_is_skipped_in_any_case_of_letters() -> None:
    (block,) = read_with_header(b"\n id,NAME \n1,a\n")
    assert getattr(block, "num_rows", 0) == 1


@pytest.mark.parametrize("data", [b"", b"\n\n", b"Id,Name\n", b"Id,Name"])
def test_a_file_without_rows_has_none(data: bytes) -> None:
    assert [block for block in read_with_header(data) if block] == []


def test_a_last_line_counts_where_only_the_end_of_the_file_completes_the_header() -> None:
    """A quote that is not closed may belong to a header of several lines until the file ends."""
    partition = Partition(SegmentFile("s.csv", 9, "e", 0.0), "csv", ('"x', ""), delimiter="|", has_header=True)
    assert list(read_rows(OneFile(b'"x|\r\n1|a\n2|b'), partition, ['"x', ""]))[-1] == [("2", "b")]


def test_a_table_without_columns_has_no_rows() -> None:
    """As Arrow writes an empty table."""
    partition = Partition(SegmentFile("s.parquet", 0, "e", 0.0), "parquet", ())
    assert list(read_rows(OneFile(b""), partition, ["Id"])) == []


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
