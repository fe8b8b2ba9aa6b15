"""Turn every row of the segments into a contact in a batch, or a reject."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from pydantic.alias_generators import to_camel

from exporter.activecampaign.bodies import Envelope
from exporter.contacts.matching import Mapping, Matched, Target, match_columns
from exporter.contacts.texts import Notice
from exporter.contacts.values import Flaw
from exporter.delivery.batches import Batch, Block, Cutter, RequestSize
from exporter.delivery.plan import ValueCount
from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source.files import SegmentFile, SegmentFiles
from exporter.source.readers import ROWS_TOGETHER, Partition, read_rows
from exporter.source.rows import Rows, rows_at
from exporter.source.segments import HEARTBEAT_FILES, Refresh
from exporter.tally.rejects import Reject, lines
from exporter.tally.unfit import UnfitValue
from exporter.warned import Warned

if TYPE_CHECKING:
    from exporter.contacts.blocks import Checked, Flags
    from exporter.contacts.people import People

HEARTBEAT_ROWS = 65_536  # and `HEARTBEAT_FILES`: to open a file takes as long as to read thousands of rows
MOST_REJECT_BYTES, MOST_REJECT_RATIO = 64 << 20, 8
"""The most that the reject report may hold: 64 MiB, or eight times the size of the files if that is more.

Compression hides repetition: 16 million equal rows are 1 MB of gzip, and would be 2.2 GiB of lines and take 150 s of
CPU time; they are refused after 6 s. A line for a duplicate takes about 280 bytes where the path has 75 characters, so
a million rows of which half are duplicates make 134 MiB. As id, address and first name, they are 28 MB of gzip, so that
216 MiB are allowed; only a file of nothing but addresses, at 6 bytes a row, would have to come uncompressed.
"""
LEAST_LINE_BYTES = 160
"""As how much a line counts at least, since a row takes time however short its line is: 64 MiB are 419,430 rows."""


@dataclass(frozen=True, slots=True)
class SourceCount:
    """A file that was read, its version, and its number of data rows."""

    path: str
    etag: str
    size_bytes: int
    rows: int


@dataclass(frozen=True, slots=True)
class Planned:
    """What was read, and the batches to send.

    `rows_read` = `contacts` + `duplicates` + the sum of `rejected_by_reason`. Where only some people are asked for, it
    is their rows that are counted, except in `sources`.
    """

    sources: tuple[SourceCount, ...]
    rows_read: int
    contacts: int
    duplicates: int
    rejected_by_reason: dict[str, int]
    batches: tuple[Batch, ...]
    values: tuple[ValueCount, ...]
    notices: dict[str, int]
    warnings: tuple[Warned, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to read, and how rows become batches. Planning fails with more than `max_contacts` contacts.

    `secret` is new for each task, so that nobody can choose addresses that would be mistaken for duplicates. `only`:
    the addresses of those who are asked for, as `addresses.key_of` returns them; None: everybody.
    """

    refreshes: Sequence[Refresh]
    mapping: Mapping
    envelope: Envelope
    secret: str
    size: RequestSize
    max_contacts: int | None = None
    only: frozenset[str] | None = field(default=None, repr=False)


def check_contacts(contacts: int, max_contacts: int) -> None:
    """Refuse more contacts than the export allows. Raises `Stop` ("too_many_contacts")."""
    if contacts > max_contacts:
        raise Stop.of("too_many_contacts", contacts=contacts, maxContacts=max_contacts)


class Sink(Protocol):
    """Receives what the rows become, in order."""

    def add_batch(self, body: bytes, references: bytes) -> None:
        """Receive the next batch: its request body, and a JSON array with one reference per contact."""

    def add_rejects(self, rejects: Sequence[Reject]) -> None:
        """Receive rows that are in no batch."""

    def add_unfit(self, values: Sequence[UnfitValue]) -> None:
        """Receive values that do not fit their fields: left out, or the reason why their rows are rejected."""


def plan_batches(task: Task, files: SegmentFiles, sink: Sink, heartbeat: Callable[[], None]) -> Planned:
    """Read every row of the refreshes; pass batches of contacts, and all other rows, to the sink.

    The first row with an address wins, unless the mapping says otherwise: for that, and where consent is asked for, the
    rows are read several times (`people.People`). `heartbeat` is called about every 65,536 rows and every 256 files;
    anything it raises ends planning. The same files and mapping produce the same bytes.

    Raises `Stop` for an unusable mapping or file, for more than `max_contacts` ("too_many_contacts"), for more rejects
    than a file can plausibly have ("too_many_rejects"), and for too many values to fill in ("too_many_filled");
    `ports.Changed` if a file was replaced in the meantime.
    """
    # Arrow and numpy take 0.4 s to import, and are needed only where rows are read.
    from exporter.contacts.people import People  # noqa: PLC0415

    _keep_freed_memory()
    envelope, size = task.envelope, task.size
    max_text_bytes = size.max_bytes - len(envelope.prefix) - len(envelope.suffix)
    people = People(task.mapping, task.secret, envelope.contact_tail, max_text_bytes, task.only)
    filled = [refresh for refresh in task.refreshes if refresh.partitions]
    matches = [match_columns(task.mapping, refresh.columns) for refresh in filled]
    for refresh, matched in zip(filled, matches, strict=True):
        refresh.check_columns(matched.needed)
    places = _look(people, filled, files, heartbeat)
    planner = _Planner(Cutter(envelope, size, sink.add_batch), sink, people, places, task.max_contacts)
    planner.warn(*(warning for refresh in task.refreshes for warning in refresh.warnings))
    planner.warn(*people.warnings)
    for partition, matched, blocks in _partitions(filled, matches, files, heartbeat):
        planner.warn(*matched.warnings)
        planner.begin(partition)
        for rows in blocks:
            planner.add(rows, people.check(rows, matched, planner.rows_read + 1), matched)
        planner.end(partition)
    return planner.finish()


def _look(
    people: People, refreshes: Sequence[Refresh], files: SegmentFiles, heartbeat: Callable[[], None]
) -> _Places | None:
    """Read all rows as often as it takes to tell who counts; return where they are, or None where once is enough.

    Raises `Stop` ("too_many_rejects") as soon as there are more than even the shortest lines can tell of.
    """
    matches = [match_columns(people.mapping, refresh.columns) for refresh in refreshes]
    places = None
    for look in people.looks():
        places, rows_read = _Places(), 0
        for partition, matched, blocks in _partitions(refreshes, matches, files, heartbeat):
            places.begin(partition.file, rows_read)
            for rows in blocks:
                look(rows, matched, rows_read + 1)
                rows_read += len(rows)
                _check_report(LEAST_LINE_BYTES * people.counts.total(), people.counts, places.files)
    return places


def _partitions(
    refreshes: Sequence[Refresh], matches: Sequence[Matched], files: SegmentFiles, heartbeat: Callable[[], None]
) -> Iterator[tuple[Partition, Matched, Iterator[Rows]]]:
    """Yield each file with its rows, in the order in which they count; take all of them before the next file."""
    rows_read = beats = 0

    def blocks(partition: Partition, matched: Matched) -> Iterator[Rows]:
        nonlocal rows_read, beats
        for rows in _pieces(read_rows(files, partition, matched.wanted)):
            yield rows
            rows_read += len(rows)
            if rows_read // HEARTBEAT_ROWS > beats:
                beats = rows_read // HEARTBEAT_ROWS
                heartbeat()

    for refresh, matched in zip(refreshes, matches, strict=True):
        for number, partition in enumerate(refresh.partitions, 1):
            yield partition, matched, blocks(partition, matched)
            if number % HEARTBEAT_FILES == 0:
                heartbeat()


def _pieces(blocks: Iterable[Rows]) -> Iterator[Rows]:
    """Yield the rows of the blocks, at most `ROWS_TOGETHER` at a time."""
    for block in blocks:
        for start in range(0, len(block), ROWS_TOGETHER):
            if isinstance(block, list):
                yield block[start : start + ROWS_TOGETHER]
            else:
                yield block.slice(start, ROWS_TOGETHER)


def _keep_freed_memory() -> None:
    """Make glibc keep up to 62 MiB of freed memory for the next block of rows; other allocators are unaffected.

    By default, it returns the megabytes of each block to the system and gets them back page by page, which takes a
    seventh of the planning time. Its thresholds rise when a larger block is freed: M_MMAP_THRESHOLD in
    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    bytearray(31 << 20)  # the thresholds rise up to 32 MiB; untouched, this takes no memory


class _Places:
    """Where the rows are: the files, and how many rows come before those of each."""

    def __init__(self) -> None:
        self.files: list[SegmentFile] = []
        self.starts: list[int] = []

    def begin(self, file: SegmentFile, rows_read: int) -> None:
        """Count the following rows as rows of this file."""
        self.files.append(file)
        self.starts.append(rows_read)

    def of(self, row: int) -> tuple[str, int]:
        """Return the path of a row's file, and the row's number in that file."""
        source = bisect_left(self.starts, row) - 1
        return self.files[source].path, row - self.starts[source]


class _Values:
    """How the values of a target fit, so far."""

    def __init__(self, target: Target) -> None:
        self.target = target
        self.fit = 0
        self.unfit: Counter[Flaw] = Counter()

    def count(self, contacts: int) -> ValueCount:
        """Return the count, of so many contacts in all."""
        field, member = self.target.field, self.target.member
        return ValueCount(
            column=self.target.column,
            member=to_camel(member) if member else None,
            field_id=field.id if field else None,
            title=field.title if field else None,
            type=field.type if field else None,
            fit=self.fit,
            empty=contacts - self.fit - self.unfit.total(),
            unfit={flaw.value: count for flaw, count in sorted(self.unfit.items(), key=lambda item: item[0].value)},
        )


class _Planner:
    """The state of planning while rows come in."""

    def __init__(
        self, cutter: Cutter, sink: Sink, people: People, places: _Places | None, max_contacts: int | None
    ) -> None:
        self.rows_read = 0
        self._cutter = cutter
        self._sink = sink
        self._people = people
        self._max_contacts = max_contacts
        self._contacts = self._passed_over = 0
        self._read = _Places()
        self._places = places or self._read  # the row that counts may be in a file that comes later
        self._not_text_before = 0
        self._reject_bytes = 0
        self._counts: Counter[Reason] = Counter()
        self._notices: Counter[Notice] = Counter()
        self._values: list[_Values] = []
        self._warnings: dict[Warned, None] = {}

    def warn(self, *warnings: Warned) -> None:
        """Add these warnings, each once."""
        self._warnings.update(dict.fromkeys(warnings))

    def begin(self, partition: Partition) -> None:
        """Count the following rows as rows of this file."""
        self._read.begin(partition.file, self.rows_read)
        self._not_text_before = self._counts[Reason.NOT_UTF8]

    def end(self, partition: Partition) -> None:
        """Say of a file as a whole that its text is of another encoding."""
        rows, flawed = self.rows_read - self._read.starts[-1], self._counts[Reason.NOT_UTF8] - self._not_text_before
        if flawed:
            likely = {"case": "likely", "likely": partition.looks_like} if partition.looks_like else {}
            about = {"file": partition.file.path, "encoding": partition.encoding.upper(), **likely}
            self.warn(Warned.of("rows_not_decoded", unreadable=flawed, rows=rows, **about))

    def add(self, rows: Rows, checked: Checked, matched: Matched) -> None:
        """Add a block of rows."""
        self._passed_over += checked.passed_over
        own_rows = checked.positions + (self.rows_read + 1)
        counting = self._people.counting(checked.addresses, own_rows)
        again = counting != own_rows
        others = dict(zip(checked.positions[again].tolist(), counting[again].tolist(), strict=True))
        self._contacts += len(again) - len(others)
        if self._max_contacts is None or self._contacts <= self._max_contacts:  # beyond that, they are only counted
            self._cutter.add(Block.of(checked.contacts(~again)))
        for position, notices in checked.notices.items():
            self._notices.update(notices if position not in others else ())
        self._count_values(checked, ~again, matched)
        self._tell_unfit(rows, checked, others, matched)
        self._set_aside(rows, matched, checked.refused, others)
        self.rows_read += len(rows)

    def _count_values(self, checked: Checked, sent: Flags, matched: Matched) -> None:
        """Count the values of the contacts that are sent."""
        if not self._values:
            self._values = [_Values(target) for target in matched.targets]
        for values, filled in zip(self._values, checked.filled, strict=True):
            values.fit += int((filled & sent).sum())

    def _tell_unfit(self, rows: Rows, checked: Checked, others: dict[int, int], matched: Matched) -> None:
        """Count and pass on the values that do not fit, of all rows on which no other row decides."""
        positions = sorted(checked.unfit.keys() - others.keys())
        if not positions:
            return
        labels = [matched.email, *([] if matched.customer_id is None else [matched.customer_id])]
        told = []
        for position, row in zip(positions, rows_at(rows, positions, labels), strict=True):
            email, customer_id, *_ = ("", "") if isinstance(row, Reason) else (*row, "")
            path, number = self._read.of(self.rows_read + 1 + position)
            for unfit in checked.unfit[position]:
                target = matched.targets[unfit.target]
                if position not in checked.refused:
                    self._values[unfit.target].unfit[unfit.flaw] += 1
                told.append(UnfitValue(path, number, customer_id, email, target, unfit.flaw, unfit.value))
        self._sink.add_unfit(told)

    def _set_aside(self, rows: Rows, matched: Matched, refused: dict[int, Reason], others: dict[int, int]) -> None:
        """Report rows of a block by position: the reason why each was refused, or the other row that decides on it."""
        positions = sorted((*refused, *others))
        labels = [matched.email, *([] if matched.customer_id is None else [matched.customer_id])]
        rejects = []
        for position, row in zip(positions, rows_at(rows, positions, labels), strict=True):
            email, customer_id, *_ = ("", "") if isinstance(row, Reason) else (*row, "")
            if position in refused:
                reason = refused[position]
                explanation = reason.explanation
            else:
                says_no = self._people.refuses(others[position])
                reason = Reason.NO_CONSENT if says_no else Reason.DUPLICATE_EMAIL
                rest = ", and its consent column does not allow sending." if says_no else "."
                other_path, other_row = self._places.of(others[position])
                explanation = f"Row {other_row} of {other_path} has the same e-mail address{rest}"
            path, number = self._read.of(self.rows_read + 1 + position)
            rejects.append(Reject(path, number, customer_id, email, reason, explanation))
            self._counts[reason] += 1
        if rejects:
            self._check_rejects(rejects)
            self._sink.add_rejects(rejects)

    def _check_rejects(self, rejects: Sequence[Reject]) -> None:
        """Count the lines of these rejects. Raises `Stop` ("too_many_rejects")."""
        self._reject_bytes += max(len(lines(rejects)), LEAST_LINE_BYTES * len(rejects))
        _check_report(self._reject_bytes, self._counts, self._read.files)

    def finish(self) -> Planned:
        """Write what is left and return the totals. Raises `Stop` ("too_many_contacts")."""
        if self._max_contacts is not None:
            check_contacts(self._contacts, self._max_contacts)
        batches = self._cutter.finish()
        duplicates = self._counts.pop(Reason.DUPLICATE_EMAIL, 0)
        ends = [*self._read.starts[1:], self.rows_read]
        return Planned(
            sources=tuple(
                SourceCount(file.path, file.etag, file.size_bytes, end - start)
                for file, start, end in zip(self._read.files, self._read.starts, ends, strict=False)
            ),
            rows_read=self.rows_read - self._passed_over,
            contacts=self._contacts,
            duplicates=duplicates,
            rejected_by_reason={reason.value: count for reason, count in sorted(self._counts.items())},
            batches=batches,
            values=tuple(values.count(self._contacts) for values in self._values),
            notices={notice.value: count for notice, count in sorted(self._notices.items())},
            warnings=(
                *self._warnings,
                *(Warned.of(notice.value, contacts=count) for notice, count in sorted(self._notices.items())),
            ),
        )


def _check_report(reject_bytes: int, counts: Counter[Reason], files: Sequence[SegmentFile]) -> None:
    """Check the size of the reject report of these files. Raises `Stop` ("too_many_rejects")."""
    if reject_bytes <= MOST_REJECT_BYTES:
        return
    size_bytes = sum(file.size_bytes for file in files)
    if reject_bytes <= MOST_REJECT_RATIO * size_bytes:
        return
    (reason, count), *_ = counts.most_common(1)
    raise Stop.of(
        "too_many_rejects",
        reportMiB=MOST_REJECT_BYTES >> 20,
        ratio=MOST_REJECT_RATIO,
        sizeBytes=size_bytes,
        rejects=counts.total(),
        count=count,
        reason=reason.value,
        file=files[-1].path,
    )
