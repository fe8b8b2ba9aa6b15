"""Who is sent, and who is not: what an export remembers against what a run has planned."""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

import numpy as np

from exporter.memory.hashes import NOWHERE, Addresses, Flags, Hashes, Places
from exporter.memory.lack import Lack
from exporter.memory.people import DOUBTED, People, Small, State


class Kind(IntEnum):
    """Why somebody is sent, or is not."""

    NEW = 0
    """Is not remembered."""
    CHANGED = 1
    """ActiveCampaign has confirmed, or refused, other values."""
    IN_DOUBT = 2
    """Nobody knows what ActiveCampaign has: the last outcome is not known, or may have been overwritten."""
    RETURNED = 3
    """Was on the way out, so may have a mark."""
    RETRIED = 4
    """Was refused with the same values; the pause is over, or everybody is asked for."""
    AGAIN = 5
    """Is confirmed with the same values, and everybody is asked for."""
    REPEATED = 6
    """Is confirmed with the same values, and in a part that fell due: heals what was edited by hand."""
    UNCHANGED = 7
    """Is confirmed with the same values: not sent."""
    POSTPONED = 8
    """Was refused with the same values not long ago: not sent."""


NOT_SENT: Final = (Kind.UNCHANGED, Kind.POSTPONED)


@dataclass(frozen=True, slots=True, eq=False)
class Planned:
    """Contacts of a run as columns of one length, in any order, each address once."""

    addresses: Addresses
    values: Hashes


@dataclass(frozen=True, slots=True)
class Asked:
    """What a run is to do."""

    day: int
    """Today, as `people.day_of` returns it."""
    everybody: bool = False
    """Whether those are sent, too, of whom nothing has changed."""
    repeat_every_days: int = 0
    """In how many days everybody is repeated once; 0: never, as while automations run and something is held."""
    days_since_repeat: int = 0
    """Days since the last run that repeated, or that sent everybody; 0: that was today."""


@dataclass(frozen=True, slots=True, eq=False)
class Decision:
    """What was decided of each planned contact, in their order."""

    kinds: Small
    places: Places
    """Where each is in the memory; `NOWHERE`: is not."""
    lack: Lack | None = None
    """Why nobody is remembered."""

    @property
    def sent(self) -> Flags:
        """Who is sent."""
        return ~np.isin(self.kinds, NOT_SENT)

    def counts(self) -> dict[Kind, int]:
        """Return how many there are of each kind."""
        return {Kind(kind): count for kind, count in enumerate(np.bincount(self.kinds, minlength=len(Kind)).tolist())}


def decide(known: People | Lack, planned: Planned, asked: Asked) -> Decision:
    """Decide who of the planned contacts is sent. `known`: who is remembered, or why nobody is."""
    if isinstance(known, Lack) or not len(known):
        nobody = np.full(len(planned.addresses), NOWHERE, np.int64)
        lack = known if isinstance(known, Lack) else None
        return Decision(np.full(len(nobody), Kind.NEW, np.uint8), nobody, lack)
    places = known.addresses.find(planned.addresses)
    at = np.maximum(places, 0)  # of who is not there, anything will do
    states = known.states[at]
    refused = states == State.REFUSED
    kinds = np.select(
        [
            places == NOWHERE,
            np.isin(states, DOUBTED),
            states == State.LEAVING,
            known.values[at] != planned.values,
            refused & (asked.everybody | (known.next_tries[at] <= asked.day)),
            refused,
            np.full(len(at), asked.everybody),
            due(planned.addresses, asked),
        ],
        _KINDS,
        np.uint8(Kind.UNCHANGED),
    )
    return Decision(kinds, places)


_KINDS: Final = [
    np.uint8(kind)
    for kind in (
        Kind.NEW,
        Kind.IN_DOUBT,
        Kind.RETURNED,
        Kind.CHANGED,
        Kind.RETRIED,
        Kind.POSTPONED,
        Kind.AGAIN,
        Kind.REPEATED,
    )
]
"""In the order of the conditions."""


def due(addresses: Addresses, asked: Asked) -> Flags:
    """Return whose part fell due on one of the last `days_since_repeat` days, today included.

    Part p of n is due on the days whose number leaves p when divided by n; the hash of an address says which part it
    is in.
    """
    parts = asked.repeat_every_days
    if parts < 1 or asked.days_since_repeat < 1:
        return np.zeros(len(addresses), np.bool_)
    days_ago = (asked.day - addresses.tails.astype(np.int64) % parts) % parts
    return days_ago < asked.days_since_repeat
