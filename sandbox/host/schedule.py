"""NCRONTAB, the schedule expressions of timer triggers, in UTC.

https://learn.microsoft.com/azure/azure-functions/functions-bindings-timer#ncrontab-expressions
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import pairwise
from typing import Self

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

FIELDS: tuple[tuple[str, int, int, tuple[str, ...]], ...] = (
    ("second", 0, 59, ()),
    ("minute", 0, 59, ()),
    ("hour", 0, 23, ()),
    ("day", 1, 31, ()),
    ("month", 1, 12, MONTHS),
    ("day of week", 0, 6, WEEKDAYS),
)
"""Name, smallest and largest value, and names for values counted from the smallest."""

HORIZON_DAYS = 366 * 8 + 1
"""Eight years: the longest gap between two 29ths of February."""


@dataclass(frozen=True)
class Schedule:
    """The moments at which a timer fires. A day must fit day, month and day of week, all three (unlike crontab)."""

    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]

    @classmethod
    def parse(cls, expression: str) -> Self:
        """Read `{second} {minute} {hour} {day} {month} {day of week}`.

        :raises ValueError: it is no such expression.
        """
        parts = expression.split()
        if len(parts) != len(FIELDS):
            raise ValueError(f"schedule {expression!r}: expected 6 fields (second first), found {len(parts)}")
        return cls(*(parse_field(part, *field) for part, field in zip(parts, FIELDS, strict=True)))

    def next_after(self, moment: datetime) -> datetime:
        """Return the first occurrence after `moment`.

        :raises ValueError: there is none within eight years, as for 30 February.
        """
        start = moment.astimezone(UTC).replace(microsecond=0) + timedelta(seconds=1)
        for offset in range(HORIZON_DAYS):
            day = start.date() + timedelta(days=offset)
            if day.day in self.days and day.month in self.months and day.isoweekday() % 7 in self.weekdays:
                earliest = start.time() if offset == 0 else time()
                for at in self._times_from(earliest):
                    return datetime.combine(day, at, UTC)
        raise ValueError(f"the schedule has no occurrence in the {HORIZON_DAYS} days after {moment:%Y-%m-%d}")

    def has_gap_under_a_minute(self, now: datetime) -> bool:
        """Tell whether two of the next five occurrences are less than a minute apart; such timers keep no status."""
        moments = [now]
        for _ in range(5):
            moments.append(self.next_after(moments[-1]))
        return any(later - earlier < timedelta(minutes=1) for earlier, later in pairwise(moments[1:]))

    def _times_from(self, earliest: time) -> Iterator[time]:
        for hour in (hour for hour in self.hours if hour >= earliest.hour):
            for minute in (minute for minute in self.minutes if (hour, minute) >= (earliest.hour, earliest.minute)):
                for second in self.seconds:
                    if time(hour, minute, second) >= earliest:
                        yield time(hour, minute, second)


def parse_field(text: str, name: str, low: int, high: int, names: tuple[str, ...]) -> tuple[int, ...]:
    """Return the values of one field: `*`, `5`, `1-5`, `MON-FRI`, `*/15`, `10-30/5`, and lists of these."""
    try:
        values = {value for item in text.split(",") for value in parse_item(item, low, high, names)}
    except ValueError:
        expected = f"a {name} from {low} to {high} (*, 5, 1-5, */5 or a list of these)"
        raise ValueError(f"schedule: expected {expected}, found {text!r}") from None
    return tuple(sorted(values))


def parse_item(text: str, low: int, high: int, names: tuple[str, ...]) -> range:
    """Return the values of one item of a field's list."""
    span, _, step = text.partition("/")
    if span in {"*", "?"}:
        return range(low, high + 1, int(step or 1))
    first, _, last = span.partition("-")
    start = parse_number(first, low, names)
    end = parse_number(last, low, names) if last else high if step else start
    if not low <= start <= end <= high:
        raise ValueError
    return range(start, end + 1, int(step or 1))


def parse_number(word: str, low: int, names: tuple[str, ...]) -> int:
    """Return the value of a number or a name."""
    return low + names.index(word[:3].lower()) if word[:3].lower() in names else int(word)
