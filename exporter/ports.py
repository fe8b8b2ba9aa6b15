"""What the steps of the pipeline need from outside, and nothing else.

Each port has one real adapter (storage/, secrets.py, activecampaign/client.py) and one in-memory fake in
tests/fakes.py; one contract suite in tests/contracts runs on both.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Protocol

from exporter.activecampaign.wire import Reply, Request


class Changed(Exception):
    """A conditional write found something else than expected: somebody was faster. Read again and decide anew."""


@dataclass(frozen=True, slots=True)
class Blob:
    """A blob as read: its bytes, its ETag, and its age in seconds by the clock of the storage service."""

    data: bytes
    etag: str
    age_s: float


class BlobWriter(Protocol):
    """Writes a block blob in pieces; nothing is visible before `commit`. Memory stays bounded."""

    def write(self, data: bytes) -> None:
        """Append bytes."""

    def commit(self) -> None:
        """Make all bytes visible at once, replacing what was there."""


class Blobs(Protocol):
    """The app's own blobs. A path is `<container>/<name>`.

    Every method raises `errors.Unavailable` when storage does not answer. A write whose answer was lost is settled by
    reading back: what is stored equals what was to be written, so it succeeded.
    """

    def read(self, path: str) -> Blob | None:
        """Return the whole blob, or None when there is none."""

    def read_range(self, path: str, offset: int, length: int) -> bytes | None:
        """Return up to `length` bytes from `offset` on, as many as there are; None when there is no such blob."""

    def create(self, path: str, data: bytes) -> str:
        """Create a blob and return its ETag; `Changed` when one with other content exists."""

    def replace(self, path: str, data: bytes, etag: str) -> str:
        """Replace the blob of that ETag and return the new one; `Changed` when it is another by now."""

    def append(self, path: str, data: bytes, at: int) -> int:
        """Append to a log of `at` bytes (0: create it) and return its new length; `Changed` when it has another."""

    def delete(self, path: str) -> None:
        """Delete the blob; fine when there is none."""

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the paths that begin with `prefix`, in alphabetical order."""

    def writer(self, path: str) -> BlobWriter:
        """Begin a block blob."""

    def stream(self, path: str) -> Iterator[bytes] | None:
        """Yield the bytes of a large blob in pieces, or None when there is none."""

    def extension(self, path: str) -> BlobWriter | None:
        """Begin anew what stands after the first commit of a `writer` blob; None when there is no such blob.

        The commit raises `Changed` when the blob has changed since this call: the newer of two extensions stays.
        """


class Messages(Protocol):
    """The queues. A message is a hint: it may come late, twice or not at all."""

    def send(self, queue: str, body: dict[str, str | int], delay_s: int = 0) -> None:
        """Send a small JSON object, visible after `delay_s` seconds. Raises `errors.Unavailable`."""


class Secrets(Protocol):
    """Key Vault."""

    def get(self, name: str, *, fresh: bool = False) -> str:
        """Return the secret; `fresh` skips the cache. Raises `errors.Unavailable`, also when there is none."""

    def set(self, name: str, value: str) -> None:
        """Store a new version. Raises `errors.Unavailable`."""


class ActiveCampaign(Protocol):
    """HTTPS to one ActiveCampaign account at a time. Never raises for what the other side or the network does."""

    def call(self, host: str, api_key: str, request: Request) -> Reply:
        """Send one request and return what came back, or what is known of the failure."""


class Clock(Protocol):
    """Time, so that tests and simulations can make it pass."""

    def now(self) -> float:
        """Return the time in seconds since the epoch, UTC."""

    def sleep(self, seconds: float) -> None:
        """Let time pass."""


class Ids(Protocol):
    """Randomness, so that simulations can repeat it."""

    def new(self) -> str:
        """Return 32 random hexadecimal digits (128 bits)."""
