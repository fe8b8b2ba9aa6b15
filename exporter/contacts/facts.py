"""What the columns of a segment hold: how many values, how many addresses, how many distinct ones, and examples.

A person who matches columns has to know what is in them; they do not have to know who. So examples are masked unless
somebody asks for them as they are.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from exporter.contacts.addresses import email_flaw
from exporter.contacts.texts import BLANKS
from exporter.reasons import Reason
from exporter.source.rows import Rows, rows_at

MAX_DISTINCT = 50
"""Enough to tell a choice (countries, tiers) from free text, and few enough to keep for each column."""
MAX_EXAMPLES = 3
MAX_EXAMPLE_CHARACTERS = 100
_WORD = re.compile(r"[^\s!-/:-@\[-`{-~]+")  # all but blanks and the punctuation of ASCII
_LEAST_SHOWN = 3
_EAST_ASIAN = "\u2e80"  # the first of them; from there on, a character may be a whole family name


@dataclass(frozen=True, slots=True)
class ColumnFacts:
    """What a column holds in the rows that were looked at.

    `filled` counts the values that are not blank, `valid_addresses` those that could be sent as an address.
    `distinct_values`, without outer blanks, is counted up to `MAX_DISTINCT`, which means that many or more. `examples`
    are the first `MAX_EXAMPLES` of them, not masked.
    """

    name: str
    filled: int
    valid_addresses: int
    distinct_values: int
    examples: tuple[str, ...]

    @property
    def address_share(self) -> float | None:
        """The share of valid addresses among the values, 0 to 1; None when there is no value."""
        return self.valid_addresses / self.filled if self.filled else None


@dataclass(frozen=True, slots=True)
class Sample:
    """The first rows of a segment. `rows` were looked at; of these, `unreadable_rows` could not be read."""

    rows: int
    unreadable_rows: int
    columns: tuple[ColumnFacts, ...]


def look_at(blocks: Iterable[Rows], names: Sequence[str], max_rows: int) -> Sample:
    """Look at the first `max_rows` rows of some blocks whose rows hold the columns `names`, in that order.

    No block is asked for after the last row that is looked at.
    """
    columns = [_Column(name) for name in names]
    count = unreadable = 0
    for block in blocks:
        taken = min(len(block), max_rows - count)
        rows = rows_at(block, list(range(taken)), list(range(len(names))))
        readable = [row for row in rows if not isinstance(row, Reason)]
        for column, *values in zip(columns, *readable, strict=True):
            column.add(values)
        count += taken
        unreadable += taken - len(readable)
        if count == max_rows:
            break
    return Sample(count, unreadable, tuple(column.facts() for column in columns))


class _Column:
    """What a column held so far."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._filled = 0
        self._addresses = 0
        self._distinct: list[str] = []  # in the order of the rows

    def add(self, values: Sequence[str]) -> None:
        filled = [text for value in values if (text := value.strip(BLANKS))]
        self._filled += len(filled)
        self._addresses += sum("@" in text and email_flaw(text) is None for text in filled)
        self._distinct = list(dict.fromkeys([*self._distinct, *filled]))[:MAX_DISTINCT]

    def facts(self) -> ColumnFacts:
        examples = tuple(map(cut, self._distinct[:MAX_EXAMPLES]))
        return ColumnFacts(self._name, self._filled, self._addresses, len(self._distinct), examples)


def cut(value: str) -> str:
    """Return a value as an example shows it: of a long one, the beginning."""
    return value if len(value) <= MAX_EXAMPLE_CHARACTERS else f"{value[: MAX_EXAMPLE_CHARACTERS - 1]}…"


def masked(text: str) -> str:
    """Return the shape of a text without who it is about: `j***.d***@e***.c***`, `+** 1*** 9*****`, `1***-**-**`.

    Of a word (what is between blanks and punctuation), at most the first character stays. Only numbers keep their
    length: the length of a name is part of the name, that of a number tells a date from a phone number.
    """
    return _WORD.sub(lambda word: _masked_word(word[0]), text)


def _masked_word(word: str) -> str:
    if len(word) < _LEAST_SHOWN:
        return "*" * len(word)
    hidden = "*" * (len(word) - 1) if word.isdigit() else "***"
    return (word[0] if word[0] < _EAST_ASIAN else "*") + hidden
