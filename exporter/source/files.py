"""The port to the container where segments land: its files, read only."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, Protocol


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A file where segments land: `path` within the container, size in bytes, ETag, last write in epoch seconds."""

    path: str
    size_bytes: int
    etag: str
    modified: float


class SegmentFiles(Protocol):
    """The container where segments land; read only. Raises `errors.Unavailable` when storage does not answer."""

    def list(self, prefix: str) -> Iterator[SegmentFile]:
        """Yield the files whose path begins with `prefix`, in alphabetical order."""

    def read(self, path: str) -> tuple[SegmentFile, bytes] | None:
        """Return a small file (at most 64 MiB, else `Stop`) and its properties, or None when there is none."""

    def open(self, file: SegmentFile) -> BinaryIO:
        """Open exactly this version for buffered, seekable reading; a read raises `Changed` if it was replaced."""
