"""Turn every row of the segments into a contact in a batch, or a reject."""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
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

if TYPE_CHECKING:
    from exporter.contacts.blocks import Checked, Flags
    from exporter.contacts.distinct import FirstRows

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

    `rows_read` = `contacts` + `duplicates` + the sum of `rejected_by_reason`.
    """

    sources: tuple[SourceCount, ...]
    rows_read: int
    contacts: int
    duplicates: int
    rejected_by_reason: dict[str, int]
    batches: tuple[Batch, ...]
    values: tuple[ValueCount, ...]
    notices: dict[str, int]
    warnings: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Task:
    """What to read, and how rows become batches. Planning fails with more than `max_contacts` contacts.

    `secret` is new for each task, so that nobody can choose addresses that would be mistaken for duplicates.
    """

    refreshes: Sequence[Refresh]
    mapping: Mapping
    envelope: Envelope
    secret: str
    size: RequestSize
    max_contacts: int | None = None


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

    The first row with an address wins. `heartbeat` is called about every 65,536 rows and every 256 files; anything it
    raises ends planning. The same files and mapping produce the same bytes.

    Raises `Stop` for an unusable mapping or file, for more than `max_contacts` ("too_many_contacts"), and for more
    rejects than a file can plausibly have ("too_many_rejects"); `ports.Changed` if a file was replaced in the meantime.
    """
    # Arrow and numpy take 0.4 s to import, and are needed only where rows are read.
    from exporter.contacts.blocks import check  # noqa: PLC0415
    from exporter.contacts.distinct import FirstRows  # noqa: PLC0415

    _keep_freed_memory()
    envelope, size = task.envelope, task.size
    planner = _Planner(Cutter(envelope, size, sink.add_batch), sink, FirstRows(task.secret), task.max_contacts)
    max_text_bytes = size.max_bytes - len(envelope.prefix) - len(envelope.suffix)
    filled = [refresh for refresh in task.refreshes if refresh.partitions]
    matches = [match_columns(task.mapping, refresh.columns) for refresh in filled]
    beats = 0
    planner.warn(*(warning for refresh in task.refreshes for warning in refresh.warnings))
    for refresh, matched in zip(filled, matches, strict=True):
        refresh.check_columns(matched.needed)
        planner.warn(*matched.warnings)
        for number, partition in enumerate(refresh.partitions, 1):
            planner.begin(partition)
            for rows in _pieces(read_rows(files, partition, matched.wanted)):
                checked = check(rows, matched, envelope.contact_tail, max_text_bytes, planner.rows_read + 1)
                planner.add(rows, checked, matched)
                if planner.rows_read // HEARTBEAT_ROWS > beats:
                    beats = planner.rows_read // HEARTBEAT_ROWS
                    heartbeat()
            planner.end(partition)
            if number % HEARTBEAT_FILES == 0:
                heartbeat()
    return planner.finish()


def _pieces(blocks: Iterable[Rows]) -> Iterator[Rows]:
    """Yield the rows of the blocks, at most `ROWS_TOGETHER` at a time."""
    for block in blocks:
        for start in range(0, _count(block), ROWS_TOGETHER):
            if isinstance(block, list):
                yield block[start : start + ROWS_TOGETHER]
            else:
                yield block.slice(start, ROWS_TOGETHER)


def _count(rows: Rows) -> int:
    return len(rows) if isinstance(rows, list) else rows.num_rows


def _keep_freed_memory() -> None:
    """Make glibc keep up to 62 MiB of freed memory for the next block of rows; other allocators are unaffected.

    By default, it returns the megabytes of each block to the system and gets them back page by page, which takes a
    seventh of the planning time. Its thresholds rise when a larger block is freed: M_MMAP_THRESHOLD in
    https://man7.org/linux/man-pages/man3/mallopt.3.html
    """
    bytearray(31 << 20)  # the thresholds rise up to 32 MiB; untouched, this takes no memory


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

    def __init__(self, cutter: Cutter, sink: Sink, first_rows: FirstRows, max_contacts: int | None) -> None:
        self.rows_read = 0
        self._cutter = cutter
        self._sink = sink
        self._first_rows = first_rows
        self._max_contacts = max_contacts
        self._contacts = 0
        self._files: list[SegmentFile] = []
        self._starts: list[int] = []
        self._not_text_before = 0
        self._reject_bytes = 0
        self._counts: Counter[Reason] = Counter()
        self._notices: Counter[Notice] = Counter()
        self._values: list[_Values] = []
        self._warnings: dict[str, None] = {}

    def warn(self, *warnings: str) -> None:
        """Add these warnings, each once."""
        self._warnings.update(dict.fromkeys(warnings))

    def begin(self, partition: Partition) -> None:
        """Count the following rows as rows of this file."""
        self._files.append(partition.file)
        self._starts.append(self.rows_read)
        self._not_text_before = self._counts[Reason.NOT_UTF8]

    def end(self, partition: Partition) -> None:
        """Say of a file as a whole that its text is of another encoding."""
        rows, flawed = self.rows_read - self._starts[-1], self._counts[Reason.NOT_UTF8] - self._not_text_before
        if flawed:
            guess = f"; it looks like {partition.looks_like}" if partition.looks_like else ""
            self.warn(
                f"{flawed} of {rows} rows of {partition.file.path} are not {partition.encoding.upper()}{guess}: set"
                " encoding of the export."
            )

    def add(self, rows: Rows, checked: Checked, matched: Matched) -> None:
        """Add a block of rows."""
        own_rows = checked.positions + (self.rows_read + 1)
        first_rows = self._first_rows.add(checked.addresses, own_rows)
        again = first_rows != own_rows
        duplicates = dict(zip(checked.positions[again].tolist(), first_rows[again].tolist(), strict=True))
        self._contacts += len(again) - len(duplicates)
        if self._max_contacts is None or self._contacts <= self._max_contacts:  # beyond that, they are only counted
            self._cutter.add(Block.of(checked.contacts(~again)))
        for position, notices in checked.notices.items():
            self._notices.update(notices if position not in duplicates else ())
        self._count_values(checked, ~again, matched)
        self._tell_unfit(rows, checked, duplicates, matched)
        self._set_aside(rows, matched, checked.refused, duplicates)
        self.rows_read += _count(rows)

    def _count_values(self, checked: Checked, sent: Flags, matched: Matched) -> None:
        """Count the values of the contacts that are sent."""
        if not self._values:
            self._values = [_Values(target) for target in matched.targets]
        for values, filled in zip(self._values, checked.filled, strict=True):
            values.fit += int((filled & sent).sum())

    def _tell_unfit(self, rows: Rows, checked: Checked, duplicates: dict[int, int], matched: Matched) -> None:
        """Count and pass on the values that do not fit, of all rows but duplicates."""
        positions = sorted(checked.unfit.keys() - duplicates.keys())
        if not positions:
            return
        labels = [matched.email, *([] if matched.customer_id is None else [matched.customer_id])]
        told = []
        for position, row in zip(positions, rows_at(rows, positions, labels), strict=True):
            email, customer_id, *_ = ("", "") if isinstance(row, Reason) else (*row, "")
            path, number = self._place(self.rows_read + 1 + position)
            for unfit in checked.unfit[position]:
                target = matched.targets[unfit.target]
                if position not in checked.refused:
                    self._values[unfit.target].unfit[unfit.flaw] += 1
                told.append(UnfitValue(path, number, customer_id, email, target, unfit.flaw, unfit.value))
        self._sink.add_unfit(told)

    def _set_aside(self, rows: Rows, matched: Matched, refused: dict[int, Reason], duplicates: dict[int, int]) -> None:
        """Report rows of a block by position: the reason why each was refused, or the row that it repeats."""
        positions = sorted((*refused, *duplicates))
        labels = [matched.email, *([] if matched.customer_id is None else [matched.customer_id])]
        rejects = []
        for position, row in zip(positions, rows_at(rows, positions, labels), strict=True):
            email, customer_id, *_ = ("", "") if isinstance(row, Reason) else (*row, "")
            reason = refused.get(position, Reason.DUPLICATE_EMAIL)
            explanation = reason.explanation
            if position in duplicates:
                explanation = "Row {1} of {0} has the same e-mail address.".format(*self._place(duplicates[position]))
            path, number = self._place(self.rows_read + 1 + position)
            rejects.append(Reject(path, number, customer_id, email, reason, explanation))
            self._counts[reason] += 1
        if rejects:
            self._check_rejects(rejects)
            self._sink.add_rejects(rejects)

    def _check_rejects(self, rejects: Sequence[Reject]) -> None:
        """Count the lines of these rejects. Raises `Stop` ("too_many_rejects")."""
        self._reject_bytes += max(len(lines(rejects)), LEAST_LINE_BYTES * len(rejects))
        size_bytes = sum(file.size_bytes for file in self._files)
        if self._reject_bytes <= max(MOST_REJECT_BYTES, MOST_REJECT_RATIO * size_bytes):
            return
        (reason, count), *_ = self._counts.most_common(1)
        raise Stop(
            "too_many_rejects",
            f"Expected a reject report of at most {MOST_REJECT_BYTES >> 20} MiB, or {MOST_REJECT_RATIO} times the size"
            f" of the files ({size_bytes} bytes); {self._counts.total()} rejects are more, {count} of them as"
            f" {reason.value}. Nothing was sent. Check the data matching, and whether {self._files[-1].path} repeats"
            " its rows. If it is as it should be, export it uncompressed.",
        )

    def _place(self, row: int) -> tuple[str, int]:
        """Return the path of a row's file, and the row's number in that file."""
        source = bisect_left(self._starts, row) - 1
        return self._files[source].path, row - self._starts[source]

    def finish(self) -> Planned:
        """Write what is left and return the totals. Raises `Stop` ("too_many_contacts")."""
        if self._max_contacts is not None:
            check_contacts(self._contacts, self._max_contacts)
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
            rejected_by_reason={reason.value: count for reason, count in sorted(self._counts.items())},
            batches=batches,
            values=tuple(values.count(self._contacts) for values in self._values),
            notices={notice.value: count for notice, count in sorted(self._notices.items())},
            warnings=(
                *self._warnings,
                *(f"{count} {notice.words}." for notice, count in sorted(self._notices.items())),
            ),
        )
