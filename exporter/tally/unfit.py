"""values.csv: values that do not fit their fields, for the person who can correct them. As safe as the reject report.

It holds personal data, so it lies beside the reject report and is kept no longer.
"""

from __future__ import annotations

import difflib
import heapq
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from functools import lru_cache
from typing import NamedTuple

from pydantic.alias_generators import to_camel

from exporter.contacts.matching import Target
from exporter.contacts.texts import folded
from exporter.contacts.values import Flaw
from exporter.delivery.plan import ValueCount
from exporter.sentences import Parameter
from exporter.tally.rejects import BYTE_ORDER_MARK, line
from exporter.warned import Warned

MAX_TOLD = 1_000
"""So many values of each column, field and reason are listed: enough to see what is wrong with all of them."""
LONGEST_TOLD = 1_000
"""So many characters of a value are listed: a cell may hold 4 MiB."""
_NEAR, _LIKELY = 0.6, 10  # of difflib's measure, which is 1 for equal texts; options that are compared by it
COLUMNS = ("file", "row", "customerId", "email", "column", "field", "reason", "value", "didYouMean", "explanation")
HEADER = BYTE_ORDER_MARK + line(COLUMNS)


def warned_of(counts: Iterable[ValueCount]) -> tuple[Warned, ...]:
    """Say of each column with values that do not fit how many there are, and why."""
    return tuple(_warned(count) for count in counts if count.unfit)


def _warned(count: ValueCount) -> Warned:
    unfit = sum(count.unfit.values())
    reasons = ", ".join(f"{reason}: {number}" for reason, number in count.unfit.items())
    about: dict[str, Parameter] = {
        "column": count.column,
        "unfit": unfit,
        "values": unfit + count.fit,
        "reasons": reasons,
    }
    if count.field_id is None:
        return Warned.of("values_do_not_fit", case="member", member=str(count.member), **about)
    field = count.title or str(count.field_id)
    return Warned.of("values_do_not_fit", field=field, type=str(count.type), **about)


class UnfitValue(NamedTuple):
    """A value that does not fit where it was to go; `row` is the row's number in its file, from 1."""

    path: str
    row: int
    customer_id: str
    email: str
    target: Target
    flaw: Flaw
    value: str

    @property
    def goal(self) -> tuple[str, str]:
        """The column, and what it was to fill: several fields may have one column."""
        field = self.target.field
        return self.target.column, str(field.id) if field else to_camel(str(self.target.member))

    @property
    def nearest(self) -> str | None:
        """The option of the field that looks most like the value, if one does."""
        options = (self.target.field.options if self.target.field else None) or ()
        return _nearest(folded(self.value[:LONGEST_TOLD]), options)


def _nearest(key: str, options: tuple[str, ...]) -> str | None:
    """Return the option that is nearest to a text, or None. Whole texts are compared with the likeliest options only.

    To compare a text with 500 options takes a third of a second; with those that share most pairs of characters, less
    than a hundredth.
    """
    pairs = _pairs(key)
    shared = {option: len(pairs & theirs) for option, theirs in _pairs_of(options).items()}
    likely = heapq.nlargest(_LIKELY, shared, key=shared.__getitem__)
    by_fold = {folded(option): option for option in likely}
    near = difflib.get_close_matches(key, by_fold, n=1, cutoff=_NEAR)
    return by_fold[near[0]] if near else None


@lru_cache(maxsize=64)
def _pairs_of(options: tuple[str, ...]) -> dict[str, frozenset[str]]:
    return {option: _pairs(folded(option)) for option in options}


def _pairs(text: str) -> frozenset[str]:
    return frozenset(text[at : at + 2] for at in range(max(1, len(text) - 1)))


class UnfitReport:
    """Lists values up to `MAX_TOLD` for each column and reason; of hidden columns, everything but the value."""

    def __init__(self, hides: Callable[[str], bool] = lambda _: False) -> None:
        """`hides`: whether the values of the column with this name are not to be shown."""
        self._hides = hides
        self._nearest: dict[tuple[tuple[str, str], str], str | None] = {}
        self._told: Counter[tuple[tuple[str, str], Flaw]] = Counter()
        self._lines: list[bytes] = []

    def add(self, values: Iterable[UnfitValue]) -> None:
        """Add values."""
        for value in self._wanted(values):
            hidden = self._hides(value.target.column)
            self._lines.append(_line(value, "" if hidden else self._did_you_mean(value), hidden=hidden))

    def _did_you_mean(self, value: UnfitValue) -> str:
        """Return the nearest option; it is looked for once for each value."""
        key = value.goal, value.value[:LONGEST_TOLD]
        if key not in self._nearest:
            self._nearest[key] = value.nearest
        return self._nearest[key] or ""

    def _wanted(self, values: Iterable[UnfitValue]) -> Iterator[UnfitValue]:
        for value in values:
            key = (value.goal, value.flaw)
            self._told[key] += 1
            if self._told[key] <= MAX_TOLD:
                yield value

    @property
    def data(self) -> bytes | None:
        """The report, or None if no value was added."""
        return HEADER + b"".join(self._lines) if self._lines else None


def _line(value: UnfitValue, did_you_mean: str, *, hidden: bool) -> bytes:
    return line(
        (
            value.path,
            str(value.row),
            value.customer_id,
            value.email,
            value.target.column,
            value.target.name,
            value.flaw.value,
            "" if hidden else value.value[:LONGEST_TOLD],
            did_you_mean,
            value.flaw.explanation,
        )
    )
