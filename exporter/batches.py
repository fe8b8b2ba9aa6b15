"""Contacts become batches: distinct over the whole run, cut by count and by bytes, written as one payload.

The payload is, batch after batch, the exact body of the request, directly followed by a JSON array with an entry for
each contact in their order: `[row, customer id or null]`, and the previous customer ids as a third item where there
are any. `row` is the running number of the data row over all files of the run, from 1.
"""

from __future__ import annotations

import hashlib
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Self

from exporter.activecampaign.wire import Envelope
from exporter.contacts import Mapping, Matched, Notice, match_columns
from exporter.errors import Stop
from exporter.formats import Rows
from exporter.ports import BlobWriter, SegmentFile, SegmentFiles
from exporter.readers import read_rows, rows_at
from exporter.reasons import Reason
from exporter.rejects import HEADER as REJECTS_HEADER
from exporter.rejects import Reject
from exporter.rejects import lines as reject_lines
from exporter.segments import Refresh

if TYPE_CHECKING:
    import pyarrow as pa

    from exporter.contact_blocks import Checked, Contacts
    from exporter.distinct import FirstRows

HEARTBEAT_ROWS = 65_536
MIN_CONTACTS = 10  # the least that ActiveCampaign suggests for a bulk import; see Limits


@dataclass(frozen=True, slots=True)
class Limits:
    """ActiveCampaign's limits of a request: https://developers.activecampaign.com/reference/bulk-import-contacts."""

    max_contacts: int = 250
    max_bytes: int = 399_999


@dataclass(frozen=True, slots=True)
class Batch:
    """Where a batch lies in the payload: `length` bytes of body from `offset` on, then `rows_length` bytes of rows.

    `count` is its number of contacts, `sha256` that of the body in hexadecimal digits.
    """

    offset: int
    length: int
    rows_length: int
    count: int
    sha256: str


@dataclass(frozen=True, slots=True)
class SourceCount:
    """A file that was read, its version, and how many data rows it had."""

    path: str
    etag: str
    size_bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Planned:
    """What was read and what is to be sent: `rows_read` = `contacts` + `duplicates` + the sum of `rejected`."""

    sources: tuple[SourceCount, ...]
    rows_read: int
    contacts: int
    duplicates: int
    rejected: dict[str, int]
    batches: tuple[Batch, ...]
    warnings: tuple[str, ...]


def plan_batches(
    refreshes: Sequence[Refresh],
    files: SegmentFiles,
    mapping: Mapping,
    envelope: Envelope,
    limits: Limits,
    payload: BlobWriter,
    rejects: BlobWriter,
    max_contacts_in_run: int,
    heartbeat: Callable[[], None],
) -> Planned:
    """Read every row of the refreshes; write batches of contacts to `payload` and all other rows to `rejects`.

    Nothing is committed here. The first row of an address wins. `heartbeat` is called about every 65,536 rows; what it
    raises ends the plan. The same files and mapping give the same bytes.

    Raises `Stop` for a mapping or a file that cannot be used and for more than `max_contacts_in_run` contacts
    (`too_many_profiles`), `ports.Changed` when a file was replaced meanwhile.
    """
    # Arrow and numpy take 0.3 s to import; of all steps, only this one needs them.
    from exporter.contact_blocks import check  # noqa: PLC0415
    from exporter.distinct import FirstRows  # noqa: PLC0415

    _keep_freed_memory()
    plan = _Plan(_Cutter(envelope, limits, payload), rejects, FirstRows(), max_contacts_in_run)
    max_text_bytes = limits.max_bytes - len(envelope.prefix) - len(envelope.suffix)
    filled = [refresh for refresh in refreshes if refresh.partitions]
    matches = [match_columns(mapping, refresh.columns) for refresh in filled]
    beats = 0
    for refresh, matched in zip(filled, matches, strict=True):
        plan.warn(*refresh.warnings, *matched.warnings)
        for partition in refresh.partitions:
            plan.begin(partition.file)
            for rows in read_rows(files, partition, refresh.columns, matched.wanted):
                checked = check(rows, matched, envelope.contact_tail, max_text_bytes, plan.rows_read + 1)
                plan.add(rows, checked, matched)
                if plan.rows_read // HEARTBEAT_ROWS > beats:
                    beats = plan.rows_read // HEARTBEAT_ROWS
                    heartbeat()
    return plan.finish()


def _keep_freed_memory() -> None:
    """Have glibc keep up to 62 MiB of freed memory for the next block of rows; with other allocators, nothing happens.

    By default it returns the megabytes of each block to the system, which hands them out again page by page: a seventh
    of the plan's time. Its thresholds rise when a larger block is freed: M_MMAP_THRESHOLD in
    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    bytearray(31 << 20)  # below the 32 MiB up to which they rise; it is not touched, so it takes no memory


def check_size(rows_read: int, last_rows_read: int | None, max_factor: float) -> None:
    """Hold a run whose size is implausible; not called for a run that is forced.

    `last_rows_read`: of the last successful run, None when there was none. `max_factor`: how many times more or fewer
    rows are plausible.

    Raises `Stop`: `segment_empty`, `size_changed`.
    """
    if rows_read == 0:
        raise Stop(
            "segment_empty",
            "Expected rows, found none: the segment is empty. Check the segment; nothing was sent, and nobody was"
            " removed from the list. To let an empty run succeed, start it with force.",
        )
    if last_rows_read and not last_rows_read / max_factor <= rows_read <= last_rows_read * max_factor:
        raise Stop(
            "size_changed",
            f"The segments hold {rows_read} rows; the last successful run read {last_rows_read}. Expected a change by a"
            f" factor of {max_factor:g} at most. Nothing was sent. If this is intended, start the run with force.",
        )


class _Plan:
    """The state of a plan while rows come in."""

    def __init__(self, cutter: _Cutter, rejects: BlobWriter, first_rows: FirstRows, max_contacts: int) -> None:
        self.rows_read = 0
        self._cutter = cutter
        self._rejects = rejects
        self._rejects.write(REJECTS_HEADER)
        self._first_rows = first_rows
        self._max_contacts = max_contacts
        self._contacts = 0
        self._files: list[SegmentFile] = []
        self._starts: list[int] = []
        self._counts: Counter[Reason] = Counter()
        self._notices: Counter[Notice] = Counter()
        self._warnings: dict[str, None] = {}

    def warn(self, *warnings: str) -> None:
        """Report each of these once."""
        self._warnings.update(dict.fromkeys(warnings))

    def begin(self, file: SegmentFile) -> None:
        """Take the rows that follow as rows of this file."""
        self._files.append(file)
        self._starts.append(self.rows_read)

    def add(self, rows: Rows, checked: Checked, matched: Matched) -> None:
        """Take a block of rows."""
        own_rows = checked.positions + (self.rows_read + 1)
        first_rows = self._first_rows.add(checked.addresses, own_rows)
        again = first_rows != own_rows
        duplicates = dict(zip(checked.positions[again].tolist(), first_rows[again].tolist(), strict=True))
        self._contacts += len(again) - len(duplicates)
        if self._contacts <= self._max_contacts:  # beyond it, they are only counted
            self._cutter.add(_Block.of(checked.contacts(~again)))
        for position, notices in checked.notices.items():
            self._notices.update(notices if position not in duplicates else ())
        self._set_aside(rows, matched, checked.refused, duplicates)
        self.rows_read += len(rows) if isinstance(rows, list) else rows.num_rows

    def _set_aside(self, rows: Rows, matched: Matched, refused: dict[int, Reason], duplicates: dict[int, int]) -> None:
        """Report rows of a block by their positions: why they were refused, or the rows that they repeat."""
        positions = sorted((*refused, *duplicates))
        labels = [matched.email, *([] if matched.customer_id is None else [matched.customer_id])]
        found = []
        for position, row in zip(positions, rows_at(rows, positions, labels), strict=True):
            email, customer_id, *_ = ("", "") if isinstance(row, Reason) else (*row, "")
            reason = refused.get(position, Reason.DUPLICATE_EMAIL)
            explanation = reason.explanation
            if position in duplicates:
                explanation = "Row {1} of {0} has the same e-mail address.".format(*self._place(duplicates[position]))
            path, number = self._place(self.rows_read + 1 + position)
            found.append(Reject(path, number, customer_id, email, reason, explanation))
            self._counts[reason] += 1
        if found:
            self._rejects.write(reject_lines(found))

    def _place(self, row: int) -> tuple[str, int]:
        """Return the file of a row and its number in that file."""
        source = bisect_left(self._starts, row) - 1
        return self._files[source].path, row - self._starts[source]

    def finish(self) -> Planned:
        """Write what is left and return the totals."""
        if self._contacts > self._max_contacts:
            raise Stop(
                "too_many_profiles",
                f"The segments hold {self._contacts} contacts; at most {self._max_contacts} were expected. Raise the"
                " maximum of the export, or distribute the segments over several exports.",
            )
        batches = self._cutter.finish()
        duplicates = self._counts.pop(Reason.DUPLICATE_EMAIL, 0)
        ends = [*self._starts[1:], self.rows_read]
        return Planned(
            sources=tuple(
                SourceCount(file.path, file.etag, file.size_bytes, end - start)
                for file, start, end in zip(self._files, self._starts, ends, strict=False)
            ),
            rows_read=self.rows_read,
            contacts=self._contacts,
            duplicates=duplicates,
            rejected={reason.value: count for reason, count in sorted(self._counts.items())},
            batches=batches,
            warnings=(*self._warnings, *(f"{count} {notice}." for notice, count in sorted(self._notices.items()))),
        )


@dataclass(frozen=True, slots=True)
class _Block:
    """Texts of contacts, each with the comma that follows it, and their references likewise.

    `text_ends[n]` is where the text of contact n - 1 ends and that of contact n begins.
    """

    texts: memoryview
    text_ends: Sequence[int]
    references: memoryview
    reference_ends: Sequence[int]

    @classmethod
    def of(cls, contacts: Contacts) -> Self:
        """Look into the columns; nothing is copied."""
        return cls(*_bytes_of(contacts.texts), *_bytes_of(contacts.references))


def _bytes_of(values: pa.StringArray) -> tuple[memoryview, memoryview]:
    """Return the bytes of a column without offset, and where each value begins, with the end of the last one."""
    _, offsets, data = values.buffers()
    return memoryview(data or b""), memoryview(offsets).cast("B").cast("i")[: len(values) + 1]


@dataclass(slots=True)
class _Draft:
    """A batch in the making: contacts `start` to `end` of some blocks."""

    pieces: list[tuple[_Block, int, int]] = field(default_factory=list)
    count: int = 0
    size_bytes: int = 0  # with a comma after each contact


class _Cutter:
    """Cuts contacts into batches; holds one back, so that a small batch can take contacts from the one before."""

    def __init__(self, envelope: Envelope, limits: Limits, payload: BlobWriter) -> None:
        self._envelope = envelope
        self._max_contacts = limits.max_contacts
        self._max_size_bytes = limits.max_bytes - len(envelope.prefix) - len(envelope.suffix) + 1  # no last comma
        self._payload = payload
        self._offset = 0
        self._batches: list[Batch] = []
        self._held = _Draft()
        self._draft = _Draft()

    def add(self, block: _Block) -> None:
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
        self._payload.write(body)
        self._payload.write(references)
        digest = hashlib.sha256(body).hexdigest()
        self._batches.append(Batch(self._offset, len(body), len(references), draft.count, digest))
        self._offset += len(body) + len(references)


def _append(draft: _Draft, block: _Block, start: int, end: int) -> None:
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
