"""A segment of one CSV file, read as the service does."""

from __future__ import annotations

import io
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import BinaryIO

import pytest

from exporter.source import heads, readers, text
from exporter.source.files import Listing, SegmentFile
from exporter.source.formats import csv_blocks, csv_records
from exporter.source.readers import Partition, read_rows
from exporter.source.rows import Row, rows_at

SMALL_ROW_BYTES = 200


class OneFile:
    """Segment files of which there is one."""

    container = "segments"

    def __init__(self, data: bytes) -> None:
        self._data = data

    def list(self, prefix: str) -> Listing:
        raise NotImplementedError

    def etag(self, path: str) -> str | None:
        raise NotImplementedError

    def read(self, path: str) -> tuple[SegmentFile, bytes] | None:
        raise NotImplementedError

    def open(self, file: SegmentFile, buffer_bytes: int = 0) -> BinaryIO:
        return io.BytesIO(self._data)


def rows(
    data: bytes, column_count: int, *, delimiter: str = ",", quoted: bool = True, wanted: Sequence[int] | None = None
) -> list[Row]:
    """Read a file as the service does, and return its rows one by one."""
    names = tuple(str(number) for number in range(column_count))
    partition = Partition(SegmentFile("s.csv", len(data), "e", 0.0), "csv", names, delimiter=delimiter, quoted=quoted)
    found: list[Row] = []
    chosen = list(range(column_count)) if wanted is None else wanted
    for block in read_rows(OneFile(data), partition, [names[place] for place in chosen]):
        count = len(block) if isinstance(block, list) else block.num_rows
        found += rows_at(block, list(range(count)), list(range(len(chosen))))
    return found


@contextmanager
def small_limits(row_bytes: int = SMALL_ROW_BYTES, chunk_bytes: int = 64, read_bytes: int = 16) -> Iterator[None]:
    """Make all limits so small that a short text meets them."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (csv_records, csv_blocks):
            patch.setattr(module, "MAX_ROW_BYTES", row_bytes)
        for module in (heads, readers, csv_records):
            patch.setattr(module, "WINDOW_BYTES", row_bytes + 2)
        patch.setattr(text, "CHUNK_BYTES", chunk_bytes)
        patch.setattr(text, "READ_BYTES", read_bytes)
        yield
