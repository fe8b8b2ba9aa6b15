"""A person, not a row: what all rows with one address say together.

One row that says no holds back all of them; else one of them counts, and what it lacks may come from the others. That
is known only when the last row was read. So an export that asks for any of this has its rows read before they become
contacts: `looks` says what to do with them. An export that does not is read once: the first row of an address counts.

Rows are referred to by their running number, from 1, in the order of reading, which is the same each time.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from exporter.contacts.addresses import key_of
from exporter.contacts.blocks import Checked, Flags, Positions, agreeing, check
from exporter.contacts.distinct import FirstRows, RowNumbers
from exporter.contacts.matching import Mapping, Matched, match_columns
from exporter.contacts.ranks import NEITHER, RANK, Ranks, ranks_of
from exporter.contacts.rules import Contact, agrees, contact_of
from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source.rows import Column, Row, Rows, rows_at
from exporter.warned import Warned

MOST_FILLED, MOST_FILLED_CHARACTERS = 200_000, 64 << 20
"""The most values, and characters of theirs, that are filled in: they are kept while the segments are read again."""
_NOBODY = 0
_PARTS = 16  # of the addresses, which are compared one part after the other, to save memory
_ADDRESS = match_columns(Mapping(""), [Column("", "string")])
"""For rows that hold nothing but an address."""
_ROOM_BYTES = 1_000  # more than an address takes

type Look = Callable[[Rows, Matched, int], None]
"""Takes a block of rows, how its columns are matched, and the number of its first row."""


class People:
    """Which row counts for each address, and what is filled in.

    `mapping` names the columns that the looks need. `counts`: rows seen so far that will be set aside, as far as known.
    """

    def __init__(
        self,
        mapping: Mapping,
        secret: str,
        contact_tail: bytes,
        max_text_bytes: int,
        only: frozenset[str] | None = None,
    ) -> None:
        """`secret` is that of `distinct.FirstRows`; the next two are those of `blocks.check`.

        `only`: the addresses that are asked for, as `addresses.key_of` returns them; rows with others are passed over.
        """
        self._compares = mapping.winner is not None or mapping.fill_empty
        self._fills = mapping.fill_empty
        self._winner = mapping.winner
        self._asks = mapping.consent is not None
        needed = mapping if self._compares else Mapping(mapping.email, consent=mapping.consent)
        self.mapping = replace(needed, customer_id=None, previous_customer_id=None)
        self.counts: Counter[Reason] = Counter()
        self.warnings: tuple[Warned, ...] = ()
        self._contact_tail, self._max_text_bytes = contact_tail, max_text_bytes
        self._only = only
        self._first_rows = FirstRows(secret)
        self._refusing_numbers: list[RowNumbers] = []  # of rows that say no and have an address
        # By row number, of which there is no 0, block by block, as arrays that grow would take twice the memory:
        self._first_blocks = [np.zeros(1, np.uint32)]  # the first row with its address; 0: cannot be sent, says nothing
        self._rank_blocks = [np.zeros(1, RANK)]
        # By row number:
        self._refusing = _flags([])  # says no
        self._counting: npt.NDArray[np.uint32] | None = None
        self._several: Flags  # one of several that can be sent and share an address without a no
        self._lacking: npt.NDArray[np.uint64]  # which of the values to send are empty in a row that counts, as bits
        self._filled: dict[int, dict[int, str]] = {}
        self._filled_rows: list[int] = []
        self._filled_count = self._filled_characters = 0

    def looks(self) -> Iterator[Look]:
        """Yield what to do with the rows, before they become contacts: with all of them, from the first to the last.

        Each look begins after the one before has seen every row.
        """
        if self._compares:
            yield self._see
            self._compare()
        elif self._asks:
            yield self._see_refusals
            self._refusing = _flags(self._refusing_numbers)
        if self._fills and self._several.any():
            self._lacking = np.zeros(len(self._several), np.uint64)
            yield self._see_what_is_lacking
            yield self._see_what_is_there
            self._filled_rows = sorted(self._filled)
            del self._lacking

    def check(self, rows: Rows, matched: Matched, first_row: int) -> Checked:
        """Check the rows of a block as `blocks.check` does, with what is filled in.

        A row that could not be sent with that, because it gets too large, goes as it is.
        """
        filled, positions = self._fill(rows, matched, first_row)
        checked = self._check(filled, matched, first_row)
        refused = [position for position in positions if position in checked.refused]
        for position in refused:
            del self._filled[first_row + position]
        return self.check(rows, matched, first_row) if refused else checked

    def counting(self, addresses: pa.StringArray, rows: RowNumbers) -> RowNumbers:
        """Return for rows that can be sent the row that counts for their address, or one that says no (`refuses`)."""
        if self._counting is None:
            return self._first_rows.add(addresses, rows)
        return self._counting[rows].astype(np.int64)

    def refuses(self, row: int) -> bool:
        """Return whether a row says no."""
        return row < len(self._refusing) and bool(self._refusing[row])

    def _check(self, rows: Rows, matched: Matched, first_row: int) -> Checked:
        if self._only is None:
            return check(rows, matched, self._contact_tail, self._max_text_bytes, first_row)
        wanted = self._wanted(rows, matched.email, self._only)
        if not wanted.any():  # as in nearly all blocks: nothing in it has to be looked at
            nobody = rows[:0] if isinstance(rows, list) else rows.slice(0, 0)
            checked = check(nobody, matched, self._contact_tail, self._max_text_bytes, first_row)
            return replace(checked, passed_over=len(rows))
        return check(rows, matched, self._contact_tail, self._max_text_bytes, first_row).among(wanted)

    @staticmethod
    def _wanted(rows: Rows, column: int, only: frozenset[str]) -> Flags:
        """Return the rows whose address, as a run reads it, is among those that are asked for; `column` holds it."""
        everybody = np.arange(len(rows))
        checked = _check_addresses(rows, column, everybody)
        wanted: Flags = np.zeros(len(rows), np.bool_)
        found = pc.is_in(checked.addresses, value_set=pa.array(sorted(only), pa.string()))
        wanted[checked.positions] = found.to_numpy(zero_copy_only=False)
        refused = sorted(checked.refused)
        for position, row in zip(refused, rows_at(rows, refused, [column]), strict=True):
            wanted[position] = not isinstance(row, Reason) and key_of(row[0]) in only
        return wanted

    def _see_refusals(self, rows: Rows, matched: Matched, first_row: int) -> None:
        """Remember the addresses of rows that say no, and the first of these rows for each."""
        positions = _saying_no(rows, matched)
        if self._only is not None:
            positions = positions[self._wanted(rows, matched.email, self._only)[positions]]
        self._refuse(rows, matched, first_row, positions)

    def _refuse(
        self, rows: Rows, matched: Matched, first_row: int, positions: Positions
    ) -> tuple[Positions, Positions]:
        """Remember rows that say no; return the positions of those that have an address, and the first row with it."""
        self.counts[Reason.NO_CONSENT] += len(positions)
        if not len(positions):
            return positions, positions
        checked = _check_addresses(rows, matched.email, positions)
        addressed = positions[checked.positions]
        self._refusing_numbers.append(addressed + first_row)
        return addressed, self._first_rows.add(checked.addresses, addressed + first_row)

    def _see(self, rows: Rows, matched: Matched, first_row: int) -> None:
        """Remember which rows can be sent or say no, and what is compared."""
        checked = self._check(rows, matched, first_row)
        numbers = checked.positions + first_row
        first = np.zeros(len(rows), np.uint32)
        first[checked.positions] = self._first_rows.add(checked.addresses, numbers)
        self.counts[Reason.DUPLICATE_EMAIL] += int(np.count_nonzero(first[checked.positions] != numbers))
        saying_no = [position for position, reason in checked.refused.items() if reason is Reason.NO_CONSENT]
        addressed, first_of_addressed = self._refuse(rows, matched, first_row, np.array(saying_no, np.int64))
        first[addressed] = first_of_addressed
        self._first_blocks.append(first)
        if matched.winner is not None:
            ranks = np.zeros(len(rows), RANK)
            ranks[checked.positions] = _ranks(rows, matched.winner, checked.positions)
            self._rank_blocks.append(ranks)
        self.counts.update(reason for reason in checked.refused.values() if reason is not Reason.NO_CONSENT)

    def _compare(self) -> None:
        """Find out which row counts for each address."""
        del self._first_rows  # its memory is needed here
        first = _joined(self._first_blocks)
        self._refusing = _flags(self._refusing_numbers)
        refusing = np.flatnonzero(self._refusing)
        refused_by = np.zeros_like(first)  # by the first row with an address
        refused_by[first[refusing[::-1]]] = refusing[::-1]  # the first that says no is assigned last
        counting = np.where(refused_by[first] != _NOBODY, refused_by[first], first)
        again = np.flatnonzero((first != np.arange(len(first), dtype=np.uint32)) & (first != _NOBODY))
        again = again[refused_by[first[again]] == _NOBODY]
        self._several = np.zeros(len(first), np.bool_)
        self._several[again] = self._several[first[again]] = True
        several = np.flatnonzero(self._several)
        if self._winner is not None and len(several):
            ranks = _joined(self._rank_blocks)
            for part in range(_PARTS):
                chosen = several[first[several] % _PARTS == part]
                values = ranks[chosen]
                order = np.lexsort((-chosen, values["rest"], values["value"], values["kind"], first[chosen]))
                ordered = chosen[order]
                largest = np.flatnonzero(np.diff(first[ordered].astype(np.int64), append=-1))  # the last of an address
                counting[ordered] = np.repeat(ordered[largest], np.diff(largest, prepend=-1))
            self._warn(int(np.count_nonzero(ranks["kind"][several] == NEITHER)), len(several))
        self._counting = counting

    def _warn(self, neither: int, count: int) -> None:
        if neither:
            about = {"rows": neither, "rowsSharing": count}
            self.warnings = (Warned.of("winner_not_comparable", column=str(self._winner), **about),)

    def _see_what_is_lacking(self, rows: Rows, matched: Matched, first_row: int) -> None:
        """Remember what the rows that count have no value for; the rules leave out more than empty texts."""
        matched = _as_it_is(matched)
        columns = Counter(target.position for target in matched.targets)
        alone = _bits(columns[target.position] == 1 for target in matched.targets)  # a cell has one value for all
        for number, _, row in self._rows_of_several(rows, first_row, matched, counting=True):
            contact = contact_of(row, matched)
            if isinstance(contact, Contact):
                self._lacking[number] = _bits(contact.empty) & alone  # what does not fit, or says no, is not replaced

    def _see_what_is_there(self, rows: Rows, matched: Matched, first_row: int) -> None:
        """Keep what a row that counts lacks, from the first other one that has it."""
        matched = _as_it_is(matched)
        for _, counting, row in self._rows_of_several(rows, first_row, matched, counting=False):
            contact = contact_of(row, matched)
            if isinstance(contact, Reason) or not (wanted := int(self._lacking[counting]) & _bits(contact.filled)):
                continue
            self._lacking[counting] ^= np.uint64(wanted)
            values = {at: row[target.position] for at, target in enumerate(matched.targets) if wanted >> at & 1}
            self._filled.setdefault(counting, {}).update(values)
            self._filled_count += len(values)
            self._filled_characters += sum(map(len, values.values()))
            if self._filled_count > MOST_FILLED or self._filled_characters > MOST_FILLED_CHARACTERS:
                raise Stop.of(
                    "too_many_filled",
                    mostFilled=MOST_FILLED,
                    mostCharacters=MOST_FILLED_CHARACTERS,
                    filled=self._filled_count,
                    characters=self._filled_characters,
                )

    def _rows_of_several(
        self, rows: Rows, first_row: int, matched: Matched, *, counting: bool
    ) -> Iterator[tuple[int, int, tuple[str, ...]]]:
        """Yield rows that share their address with others, of these either those that count or those that do not.

        Each comes with its number, and that of the row that counts.
        """
        assert self._counting is not None  # noqa: S101 - `_compare` was there before
        part = slice(first_row, first_row + len(rows))
        own = np.arange(part.start, part.stop)
        chosen = self._several[part] & ((self._counting[part] == own) == counting)
        positions = np.flatnonzero(chosen)
        found = rows_at(rows, positions.tolist(), range(len(matched.wanted)))
        for number, row in zip((positions + first_row).tolist(), found, strict=True):
            if not isinstance(row, Reason):
                yield number, int(self._counting[number]), row

    def _fill(self, rows: Rows, matched: Matched, first_row: int) -> tuple[Rows, list[int]]:
        """Return the rows with what is filled in, and the positions of those that got something."""
        start, end = (bisect_left(self._filled_rows, row) for row in (first_row, first_row + len(rows)))
        numbers = [number for number in self._filled_rows[start:end] if number in self._filled]
        cells: dict[int, dict[int, str]] = {}  # by column and position
        for number in numbers:
            for at, value in self._filled[number].items():
                cells.setdefault(matched.targets[at].position, {})[number - first_row] = value
        return _with_cells(rows, cells), [number - first_row for number in numbers]


def _joined[T: np.generic](blocks: list[npt.NDArray[T]]) -> npt.NDArray[T]:
    """Return the blocks as one array; the list is empty then, so that each is there twice for a moment only."""
    whole = np.empty(sum(map(len, blocks)), blocks[0].dtype)
    end = len(whole)
    while blocks:
        block = blocks.pop()
        whole[end - len(block) : end] = block
        end -= len(block)
    return whole


def _flags(numbers: list[RowNumbers]) -> Flags:
    """Return flags by row number, which are set at these."""
    flags = np.zeros(1 + max((int(some[-1]) for some in numbers if len(some)), default=0), np.bool_)
    for some in numbers:
        flags[some] = True
    return flags


def _check_addresses(rows: Rows, column: int, positions: Positions) -> Checked:
    """Check nothing but the addresses, in this column, of the rows at these positions."""
    emails: Rows
    if isinstance(rows, list):
        emails = rows_at(rows, positions.tolist(), [column])
    else:
        emails = rows.select([column]).take(pa.array(positions))
    return check(emails, _ADDRESS, b"", _ROOM_BYTES, 1)


def _saying_no(rows: Rows, matched: Matched) -> Positions:
    """Return the positions of rows that say no."""
    consent = matched.consent
    assert consent is not None  # noqa: S101 - or nothing is looked at
    if not isinstance(rows, list):
        return np.flatnonzero(~agreeing(rows, consent))
    cells = (row if isinstance(row, Reason) else row[consent[0]] for row in rows)
    no = (at for at, cell in enumerate(cells) if not isinstance(cell, Reason) and not agrees(cell, consent))
    return np.fromiter(no, np.int64)


def _ranks(rows: Rows, column: int, positions: Positions) -> Ranks:
    if isinstance(rows, list):
        found: list[Row] = rows_at(rows, positions.tolist(), [column])
        return ranks_of(pa.array([row[0] for row in found], pa.string()))
    return ranks_of(rows.column(column).take(pa.array(positions)))


def _bits(flags: Iterable[bool]) -> int:
    """Return flags, by target of the mapping, as bits."""
    return sum(1 << at for at, flag in enumerate(flags) if flag)


def _as_it_is(matched: Matched) -> Matched:
    """Return the same without what is sent where a column holds nothing."""
    return replace(
        matched,
        targets=tuple(replace(target, rule=replace(target.rule, when_empty=None)) for target in matched.targets),
    )


def _with_cells(rows: Rows, cells: dict[int, dict[int, str]]) -> Rows:
    """Return a block with other values in some cells, by column and position."""
    if isinstance(rows, list):
        changed = rows.copy()
        for column, values in cells.items():
            for position, value in values.items():
                row = changed[position]
                changed[position] = (*row[:column], value, *row[column + 1 :])
        return changed
    columns = rows.columns
    for column, values in cells.items():
        mask: Flags = np.zeros(len(rows), np.bool_)
        mask[list(values)] = True
        new = pa.array([values[position] for position in sorted(values)], pa.string())
        columns[column] = pc.replace_with_mask(columns[column], pa.array(mask), new)
    return pa.RecordBatch.from_arrays(columns, rows.schema.names)
