"""Cut contacts into batches, by count and by bytes."""

from __future__ import annotations

import hashlib
from bisect import bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from exporter.activecampaign.bodies import Envelope

if TYPE_CHECKING:
    import pyarrow as pa

    from exporter.contacts.blocks import Contacts


MIN_CONTACTS = 10  # the least that ActiveCampaign suggests for a bulk import; see RequestSize


@dataclass(frozen=True, slots=True)
class RequestSize:
    """ActiveCampaign's limits for a request: https://developers.activecampaign.com/reference/bulk-import-contacts."""

    max_contacts: int = 250
    max_bytes: int = 399_999


@dataclass(frozen=True, slots=True)
class Batch:
    """Where a batch is in the payload: `body_bytes` of body from `offset_bytes` on, then `references_bytes`.

    `count` is its number of contacts, `sha256` that of the body in hexadecimal digits.
    """

    offset_bytes: int
    body_bytes: int
    references_bytes: int
    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Block:
    """Texts of contacts, each followed by a comma, and their references likewise.

    `text_ends[n]` is where the text of contact n - 1 ends and that of contact n begins.
    """

    texts: memoryview
    text_ends: Sequence[int]
    references: memoryview
    reference_ends: Sequence[int]

    @classmethod
    def of(cls, contacts: Contacts) -> Self:
        """Return a view of the columns; nothing is copied."""
        return cls(*_bytes_of(contacts.texts), *_bytes_of(contacts.references))


def _bytes_of(values: pa.StringArray) -> tuple[memoryview, memoryview]:
    """Return the bytes of a column without offset, and where each value begins, with the end of the last one."""
    _, offsets, data = values.buffers()
    return memoryview(data or b""), memoryview(offsets).cast("B").cast("i")[: len(values) + 1]


@dataclass(slots=True)
class _Draft:
    """A batch in the making: contacts `start` to `end` of some blocks."""

    pieces: list[tuple[Block, int, int]] = field(default_factory=list)
    count: int = 0
    size_bytes: int = 0  # with a comma after each contact


class Cutter:
    """Cuts contacts into batches. One is held back, so that a small batch can take contacts from the one before."""

    def __init__(self, envelope: Envelope, limits: RequestSize, write: Callable[[bytes, bytes], None]) -> None:
        """`write` takes each batch: its body, and the references of its contacts."""
        self._envelope = envelope
        self._max_contacts = limits.max_contacts
        self._max_size_bytes = limits.max_bytes - len(envelope.prefix) - len(envelope.suffix) + 1  # no last comma
        self._write_batch = write
        self._offset = 0
        self._batches: list[Batch] = []
        self._held = _Draft()
        self._draft = _Draft()

    def add(self, block: Block) -> None:
        """Take the contacts of a block in their order; each fits into a batch."""
        start, end = 0, len(block.text_ends) - 1
        while start < end:
            room = block.text_ends[start] + self._max_size_bytes - self._draft.size_bytes
            fitting = bisect_right(block.text_ends, room, start) - 1
            stop = min(start + self._max_contacts - self._draft.count, fitting)
            if stop == start and not self._draft.count:
                raise ValueError("a contact that no request can hold was not set aside")
            _append(self._draft, block, start, stop)
            if stop < end:
                self._close()
            start = stop

    def finish(self) -> tuple[Batch, ...]:
        """Write what is left and return all batches."""
        self._close()
        self._write(self._held)
        return tuple(self._batches)

    def _close(self) -> None:
        contacts = min(MIN_CONTACTS - self._draft.count, (self._held.count - self._draft.count) // 2)
        for _ in range(contacts if self._draft.count else 0):
            if not _move_last(self._held, self._draft, self._max_size_bytes):
                break
        self._write(self._held)
        self._held, self._draft = self._draft, _Draft()

    def _write(self, draft: _Draft) -> None:
        if not draft.count:
            return
        texts = [b.texts[b.text_ends[start] : b.text_ends[end]] for b, start, end in draft.pieces]
        rows = [b.references[b.reference_ends[start] : b.reference_ends[end]] for b, start, end in draft.pieces]
        texts[-1], rows[-1] = texts[-1][:-1], rows[-1][:-1]  # no comma after the last one
        body = b"".join((self._envelope.prefix, *texts, self._envelope.suffix))
        references = b"".join((b"[", *rows, b"]"))
        self._write_batch(body, references)
        digest = hashlib.sha256(body).hexdigest()
        self._batches.append(Batch(self._offset, len(body), len(references), draft.count, digest))
        self._offset += len(body) + len(references)


def _append(draft: _Draft, block: Block, start: int, end: int) -> None:
    if end > start:
        draft.pieces.append((block, start, end))
        draft.count += end - start
        draft.size_bytes += block.text_ends[end] - block.text_ends[start]


def _move_last(source: _Draft, target: _Draft, max_size_bytes: int) -> bool:
    """Move the last contact of one draft to the beginning of the other; False when it does not fit."""
    block, start, end = source.pieces[-1]
    size_bytes = block.text_ends[end] - block.text_ends[end - 1]
    if target.size_bytes + size_bytes > max_size_bytes:
        return False
    source.pieces[-1:] = [(block, start, end - 1)] if end - 1 > start else []
    target.pieces.insert(0, (block, end - 1, end))
    for draft, sign in ((source, -1), (target, 1)):
        draft.count += sign
        draft.size_bytes += sign * size_bytes
    return True
