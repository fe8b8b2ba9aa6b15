"""values.csv: values that do not fit their fields, for the person who can correct them. As safe as the reject report.

It holds personal data, so it lies beside the reject report and is kept no longer.
"""

from __future__ import annotations

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from exporter.contacts.matching import Target
from exporter.contacts.texts import folded
from exporter.contacts.values import Flaw
from exporter.delivery.plan import ValueCount
from exporter.sentences import sentence
from exporter.tally.rejects import BYTE_ORDER_MARK, line

MAX_TOLD = 1_000
"""So many values of each column and reason are listed: enough to see what is wrong with all of them."""
COLUMNS = ("file", "row", "customerId", "email", "column", "field", "reason", "value", "didYouMean", "explanation")
HEADER = BYTE_ORDER_MARK + line(COLUMNS)


def sentences(counts: Iterable[ValueCount]) -> tuple[str, ...]:
    """Say of each column with values that do not fit how many there are, and why."""
    return tuple(_sentence(count) for count in counts if count.unfit)


def _sentence(count: ValueCount) -> str:
    unfit = sum(count.unfit.values())
    return sentence(
        "values_do_not_fit",
        {
            "column": count.column,
            "field": f"the field {count.title} ({count.type})" if count.title else f"{count.member or count.field_id}",
            "unfit": unfit,
            "values": unfit + count.fit,
            "reasons": ", ".join(f"{reason}: {number}" for reason, number in count.unfit.items()),
        },
    )


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
    def nearest(self) -> str | None:
        """The option of the field that looks most like the value, if one does."""
        options = (self.target.field.options if self.target.field else None) or ()
        by_fold = {folded(option): option for option in options}
        near = difflib.get_close_matches(folded(self.value), by_fold)
        return by_fold[near[0]] if near else None


class UnfitReport:
    """Lists values up to `MAX_TOLD` for each column and reason; of hidden columns, everything but the value."""

    def __init__(self, hides: Callable[[str], bool] = lambda _: False) -> None:
        """`hides`: whether the values of the column with this name are not to be shown."""
        self._hides = hides
        self._told: Counter[tuple[str, Flaw]] = Counter()
        self._lines: list[bytes] = []

    def add(self, values: Iterable[UnfitValue]) -> None:
        """Add values."""
        self._lines += (_line(value, hidden=self._hides(value.target.column)) for value in self._wanted(values))

    def _wanted(self, values: Iterable[UnfitValue]) -> Iterator[UnfitValue]:
        for value in values:
            key = (value.target.column, value.flaw)
            self._told[key] += 1
            if self._told[key] <= MAX_TOLD:
                yield value

    @property
    def data(self) -> bytes | None:
        """The report, or None if no value was added."""
        return HEADER + b"".join(self._lines) if self._lines else None


def _line(value: UnfitValue, *, hidden: bool) -> bytes:
    return line(
        (
            value.path,
            str(value.row),
            value.customer_id,
            value.email,
            value.target.column,
            value.target.name,
            value.flaw.value,
            "" if hidden else value.value,
            "" if hidden else value.nearest or "",
            value.flaw.explanation,
        )
    )
