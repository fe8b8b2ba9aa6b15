"""The columns of a memory, and what the values in them mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, fields
from datetime import UTC, date, datetime
from enum import IntEnum
from typing import Any, Final, Self

import numpy as np
import numpy.typing as npt

from exporter.errors import Culprit, Wait
from exporter.memory.hashes import NONE, Addresses, Flags, Hashes, Places
from exporter.reasons import Reason

type Small = npt.NDArray[np.uint8]
type Days = npt.NDArray[np.uint16]
"""Days since 1 January 1970 in UTC; `NO_DAY` where there is none."""
NO_DAY: Final = 0
LAST_DAY: Final = 65_535
"""A day in the year 2149."""
LISTS: Final = 16
"""How many lists of an export a person can be known to have left: one bit each, in the order of the export."""


class State(IntEnum):
    """What is known of a person. Numbers are stored, so none is ever given to another meaning."""

    CONFIRMED = 1
    """ActiveCampaign has confirmed the values of the value hash."""
    IN_DOUBT = 2
    """Was in a request whose outcome is not known, so has no value hash; a late outcome may still tell it."""
    OVERTAKEN = 3
    """Was in a request while an import of an earlier run was open, which may have overwritten newer values.

    In doubt whatever comes later of either: is sent once more. So is who comes back while leaving, as a mark
    may be there.
    """
    REFUSED = 4
    """ActiveCampaign has not taken the values of the value hash."""
    LEAVING = 5
    """Was confirmed, is not in the segment any more, and is to be marked; without value hash once a mark was sent."""


DOUBTED: Final = (State.IN_DOUBT, State.OVERTAKEN)
NOT_TAKEN: Final = "not_taken"
_NO_REASON: Final = 0
_REASONS: Final[tuple[str, ...]] = (
    "",
    Reason.REFUSED_BY_ACTIVECAMPAIGN,
    Reason.FAILED_IN_IMPORT,
    Reason.UNSUBSCRIBED,
    Reason.BOUNCED,
    Reason.ACCOUNT_FULL,
    Reason.ADDRESS_NOT_TAKEN,
    Reason.EXCLUDED,
    NOT_TAKEN,
)
"""By the number that is stored: new ones are added at the end."""


def number_of(reason: str) -> int:
    """Return the number of a reason's code, for the column. Raises `ValueError` for one that refuses nobody."""
    if reason not in _REASONS:
        raise ValueError(f"expected a reason for which ActiveCampaign does not take people, found {reason}")
    return _REASONS.index(reason)


def reason_at(number: int) -> str | None:
    """Return the code of a number. Raises `Wait` ("newer_release") for one that this release does not know."""
    if number >= len(_REASONS):
        raise Wait.of("newer_release", Culprit.SYSTEM, case="reason", reason=str(number))
    return str(_REASONS[number]) or None


def day_of(epoch_s: float) -> int:
    """Return the day of a time, in UTC. Raises `ValueError` for one before 1970-01-02 or after the year 2149."""
    day = int(epoch_s // 86_400)
    if not NO_DAY < day <= LAST_DAY:
        raise ValueError(f"expected a time between 1970-01-02 and 2149-06-06, found {day} days since 1970")
    return day


def date_of(day: int) -> date:
    """Return the date of a day."""
    return datetime.fromtimestamp(day * 86_400, UTC).date()


@dataclass(frozen=True, slots=True, eq=False)
class People:
    """Columns of one length, by ascending address, each address once."""

    heads: npt.NDArray[np.uint64]
    """The first eight bytes of the address hash."""
    values: Hashes
    """Of what was confirmed or refused; `NONE`: not known."""
    customer_ids: Hashes
    """`NONE`: the segment has none."""
    tails: npt.NDArray[np.uint32]
    """The next four bytes of the address hash."""
    refused_lists: npt.NDArray[np.uint16]
    """The lists of the export that a person has left, a bit each; the first list is the lowest."""
    next_tries: Days
    """Of people who were refused: the day from which the same values are sent again."""
    since: Days
    """The day of the first refresh without them; `NO_DAY`: the newest one had them."""
    states: Small
    """`State`."""
    refusals: Small
    """How often they were refused since they were last confirmed, up to 255."""
    reasons: Small
    """Why, the last time, as far as it was found out: `reason_at`."""

    @classmethod
    def new(cls, addresses: Addresses) -> People:
        """Return people of whom nothing is known, in doubt."""
        count = len(addresses)
        rest = {name: np.zeros(count, kind) for name, kind in COLUMNS.items() if name not in {"heads", "tails"}}
        rest["states"][:] = State.IN_DOUBT
        return cls(heads=addresses.heads.copy(), tails=addresses.tails.copy(), **rest)

    @classmethod
    def of(cls, columns: Iterable[npt.NDArray[Any]]) -> Self:
        """Return people with these columns, in the order and of the types of `COLUMNS`."""
        return cls(*columns)

    @property
    def addresses(self) -> Addresses:
        """Their address hashes."""
        return Addresses(self.heads, self.tails)

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.heads)

    def columns(self) -> Iterator[npt.NDArray[Any]]:
        """Yield the columns in the order in which they are stored."""
        return (getattr(self, name) for name in COLUMNS)

    def take(self, chosen: Places | Flags) -> People:
        """Return a copy of those at some places, or of those that are flagged."""
        return People.of(column[chosen] for column in self.columns())

    def copy(self) -> People:
        """Return columns that can be written into."""
        return People.of(column.copy() for column in self.columns())

    def doubt(self, places: Places, state: State = State.IN_DOUBT) -> None:
        """Note that nobody knows what ActiveCampaign has of these; how often they were refused, and why, stays."""
        self.states[places] = state
        self.values[places] = NONE
        self.next_tries[places] = NO_DAY


COLUMNS: Final[dict[str, np.dtype[np.generic]]] = {
    "heads": np.dtype("<u8"),
    "values": np.dtype("<u8"),
    "customer_ids": np.dtype("<u8"),
    "tails": np.dtype("<u4"),
    "refused_lists": np.dtype("<u2"),
    "next_tries": np.dtype("<u2"),
    "since": np.dtype("<u2"),
    "states": np.dtype("u1"),
    "refusals": np.dtype("u1"),
    "reasons": np.dtype("u1"),
}
"""Name and type of each column, the widest first, so that each begins at a multiple of its width."""
assert list(COLUMNS) == [field.name for field in fields(People)]  # noqa: S101 - `People` is made from them in order
PERSON_BYTES: Final = sum(kind.itemsize for kind in COLUMNS.values())
"""37 bytes a person."""
