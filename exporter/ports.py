"""What the steps of the pipeline need from outside, and nothing else.

Each port has a real adapter in exporter/adapters and an in-memory fake in tests/fakes.py; the contract tests in
tests/contracts run on both.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Protocol

from exporter.activecampaign.wire import Reply, Request


class Changed(Exception):
    """A conditional write found something unexpected, because another writer was faster. Read and decide again."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob as read: its bytes, its ETag, and its age in seconds by the storage service's clock."""

    data: bytes
    etag: str
    age_s: float


class BlobWriter(Protocol):
    """Writes a block blob in pieces, with bounded memory; nothing is visible before `commit`."""

    def write(self, data: bytes) -> None:
        """Append bytes."""

    def commit(self) -> None:
        """Make all bytes visible at once, replacing what was there."""


class Blobs(Protocol):
    """The app's own blobs. A path is `<container>/<name>`.

    Every method raises `errors.Unavailable` if storage does not answer. A write whose answer was lost is settled by
    reading back: it succeeded if what is stored equals what was to be written.
    """

    def read(self, path: str) -> Blob | None:
        """Return the whole blob, or None if there is none."""

    def read_range(self, path: str, offset: int, length: int) -> bytes | None:
        """Return up to `length` bytes starting at `offset`, or None if there is no such blob."""

    def create(self, path: str, data: bytes) -> str:
        """Create a blob and return its ETag. Raises `Changed` if one with different content exists."""

    def replace(self, path: str, data: bytes, etag: str) -> str:
        """Replace the blob that has this ETag and return its new ETag. Raises `Changed` if it has changed since."""

    def append(self, path: str, data: bytes, at: int) -> int:
        """Append to a log of `at` bytes (0: create it); return its new length. Raises `Changed` at any other length."""

    def delete(self, path: str) -> None:
        """Delete the blob, if there is one."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the paths that start with `prefix`, in alphabetical order."""

    def etags(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield what `names` does, each with its ETag, written as `Blob.etag` is: if both are equal, so is the content.

        It costs as many requests as `names` does, one for each 5,000 blobs, but more memory: 10 kB a blob for a while.
        """

    def writer(self, path: str) -> BlobWriter:
        """Begin a block blob."""

    def stream(self, path: str) -> Iterator[bytes] | None:
        """Return the bytes of a large blob in pieces, or None if there is none."""

    def extension(self, path: str) -> BlobWriter | None:
        """Begin to replace what follows the first commit of a `writer` blob; None if there is no such blob.

        The commit raises `Changed` if the blob has changed since this call, so the first extension to commit wins.
        """


class Messages(Protocol):
    """The queues. A message is a hint: it may arrive late, twice or not at all."""

    def send(self, queue: str, body: dict[str, str | int], delay_s: int = 0) -> None:
        """Send a small JSON object, visible after `delay_s` seconds. Raises `errors.Unavailable`."""


class Secrets(Protocol):
    """Key Vault."""

    def get(self, name: str, *, fresh: bool = False) -> str:
        """Return the secret; `fresh` skips the cache. Raises `errors.Unavailable`, also if there is none."""

    def set(self, name: str, value: str) -> None:
        """Store a new version. Raises `errors.Unavailable`."""


class ActiveCampaign(Protocol):
    """HTTPS to one ActiveCampaign account at a time. Never raises for a failure of the other side or the network."""

    def call(self, host: str, api_key: str, request: Request) -> Reply:
        """Send one request and return the answer, or what is known about the failure."""


class OwnAddress(Protocol):
    """The app's own address, as callers from outside reach it."""

    def get(self, host: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes] | None:
        """Return status and body (64 KiB at most) of GET https://<host><path>, or None without an answer.

        The path is sent as it is written, dots and all, and no redirect is followed. Never raises for a failure of the
        other side or the network.
        """


class Clock(Protocol):
    """Time, which tests and simulations control."""

    def now(self) -> float:
        """Return the time in seconds since the epoch, UTC."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class Ids(Protocol):
    """Randomness, which simulations can repeat."""

    def new(self) -> str:
        """Return 32 random hexadecimal digits (128 bits)."""
