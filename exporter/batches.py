"""Contacts become batches: distinct over the whole run, cut by count and by bytes, written as one payload.

The payload is, batch after batch, the exact body of the request, directly followed by a JSON array with an entry for
each contact in their order: `[row, customer id or null]`, and the previous customer ids as a third item where there
are any. `row` is the running number of the data row over all files of the run, from 1.
"""

from __future__ import annotations

import csv
import hashlib
import io
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from itertools import accumulate

import orjson

from exporter.activecampaign.wire import Envelope
from exporter.contacts import Contact, Mapping, Matched, contact_of, match_columns
from exporter.errors import Stop
from exporter.ports import BlobWriter, SegmentFile, SegmentFiles
from exporter.readers import Row, read_rows
from exporter.reasons import Reason
from exporter.segments import Refresh

HEARTBEAT_ROWS = 65_536
MIN_CONTACTS = (
    10  # below that ActiveCampaign suggests another call: developers.activecampaign.com/reference/bulk-import-contacts
)


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


def plan_batches(  # noqa: PLR0913  # what a plan needs, by name
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
    matches = [match_columns(mapping, refresh.columns) if refresh.partitions else None for refresh in refreshes]
    plan = _Plan(envelope, limits, payload, rejects, max_contacts_in_run, heartbeat)
    for refresh, matched in zip(refreshes, matches, strict=True):
        plan.warnings.update(dict.fromkeys((*refresh.warnings, *(matched.warnings if matched else ()))))
        for partition in refresh.partitions:
            assert matched is not None  # noqa: S101  # there are partitions
            plan.begin(partition.file)
            for rows in read_rows(files, partition, refresh.columns, matched.wanted):
                plan.add(rows, matched)
    return plan.finish()


def check_size(rows_read: int, last_rows_read: int | None, max_factor: float) -> None:
    """Hold a run whose size is implausible; not called for a run that is forced.

    `last_rows_read`: of the last successful run, None when there was none. `max_factor`: how many times more or fewer
    rows are plausible.

    Raises `Stop`: `segment_empty`, `size_changed`.
    """
    if rows_read == 0:
        raise Stop(
            "segment_empty",
            "Expected rows, found none: the segment is empty. Check the segment; nothing was sent, and nobody was removed"
            " from the list. To let an empty run succeed, start it with force.",
        )
    if last_rows_read and not last_rows_read / max_factor <= rows_read <= last_rows_read * max_factor:
        raise Stop(
            "size_changed",
            f"The segments hold {rows_read} rows; the last successful run read {last_rows_read}. Expected: at most"
            f" {max_factor:g} times more or fewer. Nothing was sent. If this is meant, start the run with force.",
        )


class _Plan:
    """The state of a plan while rows come in."""

    def __init__(
        self,
        envelope: Envelope,
        limits: Limits,
        payload: BlobWriter,
        rejects: BlobWriter,
        max_contacts: int,
        heartbeat: Callable[[], None],
    ) -> None:
        self.warnings: dict[str, None] = {}
        self._tail = envelope.contact_tail
        self._max_text_bytes = limits.max_bytes - len(envelope.prefix) - len(envelope.suffix)
        self._cutter = _Cutter(envelope, limits, payload)
        self._rejects = _RejectsFile(rejects)
        self._max_contacts = max_contacts
        self._heartbeat = heartbeat
        self._files: list[SegmentFile] = []
        self._starts: list[int] = []
        self._rows = 0
        self._contacts = 0
        self._row_of: dict[str, int] = {}
        self._counts: Counter[Reason] = Counter()
        self._notices: Counter[str] = Counter()

    def begin(self, file: SegmentFile) -> None:
        """The rows that follow are of this file."""
        self._files.append(file)
        self._starts.append(self._rows)

    def add(self, rows: list[Row], matched: Matched) -> None:
        """Take a block of rows."""
        if (self._rows + len(rows)) // HEARTBEAT_ROWS > self._rows // HEARTBEAT_ROWS:
            self._heartbeat()
        texts, references = [], []
        for row in rows:
            self._rows += 1
            contact = self._checked(row, matched)
            if isinstance(contact, Reason):
                self._reject(row, matched, contact, contact.explanation)
                continue
            winner = self._row_of.setdefault(contact.key, self._rows)
            if winner != self._rows:
                self._reject(row, matched, Reason.DUPLICATE_EMAIL, self._duplicate_of(winner))
                continue
            self._contacts += 1
            self._notices.update(contact.notices)
            texts.append(contact.text + self._tail)
            references.append(_reference(self._rows, row, matched))
        self._rejects.flush()
        if self._contacts <= self._max_contacts:  # beyond it, they are only counted
            self._cutter.add(_block(texts, references))

    def _checked(self, row: Row, matched: Matched) -> Contact | Reason:
        if isinstance(row, Reason):
            return row
        contact = contact_of(row, matched)
        if isinstance(contact, Contact) and len(contact.text) + len(self._tail) > self._max_text_bytes:
            return Reason.CONTACT_TOO_LARGE
        return contact

    def _reject(self, row: Row, matched: Matched, reason: Reason, explanation: str) -> None:
        self._counts[reason] += 1
        email = customer_id = ""
        if not isinstance(row, Reason):
            email = row[matched.email]
            customer_id = row[matched.customer_id] if matched.customer_id is not None else ""
        path, number = self._place(self._rows)
        self._rejects.add(path, number, customer_id, email, reason, explanation)

    def _place(self, row: int) -> tuple[str, int]:
        """Return the file of a row and its number in that file."""
        source = bisect_right(self._starts, row - 1) - 1
        return self._files[source].path, row - self._starts[source]

    def _duplicate_of(self, winner: int) -> str:
        path, number = self._place(winner)
        return f"Duplicate of row {number} of {path}."

    def finish(self) -> Planned:
        """Write what is left and return the totals."""
        if self._contacts > self._max_contacts:
            raise Stop(
                "too_many_profiles",
                f"The segments hold {self._contacts} contacts; at most {self._max_contacts} were expected. Raise the"
                " maximum of the export, or distribute the segments over several exports.",
            )
        batches = self._cutter.finish()
        self._rejects.flush()
        duplicates = self._counts.pop(Reason.DUPLICATE_EMAIL, 0)
        ends = [*self._starts[1:], self._rows]
        return Planned(
            sources=tuple(
                SourceCount(file.path, file.etag, file.size_bytes, end - start)
                for file, start, end in zip(self._files, self._starts, ends, strict=True)
            ),
            rows_read=self._rows,
            contacts=self._contacts,
            duplicates=duplicates,
            rejected={reason.value: count for reason, count in sorted(self._counts.items())},
            batches=batches,
            warnings=(*self.warnings, *(f"{count} {notice}." for notice, count in sorted(self._notices.items()))),
        )


def _reference(number: int, row: Row, matched: Matched) -> bytes:
    def value(position: int | None) -> str | None:
        return None if position is None else row[position] or None

    previous = value(matched.previous_customer_id)
    return orjson.dumps([number, value(matched.customer_id), *([previous] if previous else [])])


@dataclass(frozen=True, slots=True)
class _Block:
    """Texts of contacts, each with the comma that follows it, and their references likewise.

    `text_ends[n]` is where the text of contact n - 1 ends and that of contact n begins.
    """

    texts: memoryview
    text_ends: Sequence[int]
    references: memoryview
    reference_ends: Sequence[int]


def _block(texts: list[bytes], references: list[bytes]) -> _Block:
    def joined(parts: list[bytes]) -> tuple[memoryview, list[int]]:
        ends = list(accumulate((len(part) + 1 for part in parts), initial=0))
        return memoryview(b",".join([*parts, b""])), ends

    return _Block(*joined(texts), *joined(references))


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
        start, count = 0, len(block.text_ends) - 1
        while start < count:
            room = block.text_ends[start] + self._max_size_bytes - self._draft.size_bytes
            end = min(start + self._max_contacts - self._draft.count, bisect_right(block.text_ends, room) - 1)
            _append(self._draft, block, start, end)
            if end < count:
                self._close()
            start = end

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
        texts = b"".join([b.texts[b.text_ends[start] : b.text_ends[end]] for b, start, end in draft.pieces])
        rows = b"".join(
            [b.references[b.reference_ends[start] : b.reference_ends[end]] for b, start, end in draft.pieces]
        )
        body = b"".join((self._envelope.prefix, memoryview(texts)[:-1], self._envelope.suffix))
        entry = b"".join((b"[", memoryview(rows)[:-1], b"]"))
        self._payload.write(body)
        self._payload.write(entry)
        self._batches.append(Batch(self._offset, len(body), len(entry), draft.count, hashlib.sha256(body).hexdigest()))
        self._offset += len(body) + len(entry)


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


class _RejectsFile:
    """Writes rejects.csv: RFC 4180, and safe to open in a spreadsheet.

    It begins with a byte order mark: without it, Excel does not read UTF-8
    (https://support.microsoft.com/office/8a935af5-3416-4edd-ba7e-3dfd2bc4a032).
    """

    def __init__(self, blob: BlobWriter) -> None:
        self._blob = blob
        self._text = io.StringIO("\ufeff", newline="")
        self._text.seek(0, io.SEEK_END)
        self._csv = csv.writer(self._text)
        self._csv.writerow(("file", "row", "customerId", "email", "reason", "explanation"))

    def add(self, *values: str | int) -> None:
        self._csv.writerow([_harmless(value) for value in values])

    def flush(self) -> None:
        """Hand over what has come in; called after each block, so that memory stays bounded."""
        if data := self._text.getvalue().encode():
            self._blob.write(data)
            self._text.seek(0)
            self._text.truncate()


def _harmless(value: str | int) -> str | int:
    """Put an apostrophe before what a spreadsheet would run: https://owasp.org/www-community/attacks/CSV_Injection."""
    return f"'{value}" if isinstance(value, str) and value.startswith(("=", "+", "-", "@", "\t", "\r")) else value


def reject_lines(rejects: Iterable[tuple[tuple[str, int], str | None, str, Reason]]) -> bytes:
    """Return lines for rejects.csv, each from ((file, row in that file), customer id, e-mail, reason)."""
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    for (path, row), customer_id, email, reason in rejects:
        lines.writerow([_harmless(v) for v in (path, row, customer_id or "", email, reason, reason.explanation)])
    return text.getvalue().encode()
