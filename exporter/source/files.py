"""The port to the container where segments land: its files, read only."""

from __future__ import annotations

from dataclasses import dataclass
from typing import BinaryIO, Protocol

BUFFER_BYTES = 4 << 20
"""How much is read ahead of a file that is read whole."""


@dataclass(frozen=True, slots=True)
class SegmentFile:
    """A file where segments land: `path` within the container, size in bytes, ETag, last write in epoch seconds.

    `archived`: it is in the archive tier, and nobody can read it until somebody has moved it out:
    https://learn.microsoft.com/azure/storage/blobs/access-tiers-overview#archive-access-tier
    """

    path: str
    size_bytes: int
    etag: str
    modified: float
    archived: bool = False


@dataclass(frozen=True, slots=True)
class Listing:
    """What was there, in alphabetical order; directories are no files.

    `at`: when the listing began, in epoch seconds by the clock of the storage service, as `SegmentFile.modified` is.
    """

    files: tuple[SegmentFile, ...]
    at: float


class SegmentFiles(Protocol):
    """The container where segments land; read only. Raises `errors.Unavailable` when storage does not answer."""

    @property
    def container(self) -> str:
        """The name of the container."""

    def list(self, prefix: str) -> Listing:
        """Return the files whose path begins with `prefix`."""

    def etag(self, path: str) -> str | None:
        """Return the ETag of a file, or None when there is none: the cheapest look at whether it was written again."""

    def read(self, path: str) -> tuple[SegmentFile, bytes] | None:
        """Return a small file (at most 64 MiB, else `Stop`) and its properties, or None when there is none."""

    def open(self, file: SegmentFile, buffer_bytes: int = BUFFER_BYTES) -> BinaryIO:
        """Open exactly this version for seekable reading, `buffer_bytes` at a time.

        A read raises `Changed` if the file was replaced.
        """
