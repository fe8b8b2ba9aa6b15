"""Addresses as hashes of 12 bytes, in two columns: sorted by both, found in each other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

import numpy as np
import numpy.typing as npt

type Heads = npt.NDArray[np.uint64]
type Tails = npt.NDArray[np.uint32]
type Hashes = npt.NDArray[np.uint64]
"""Keyed hashes of 8 bytes, of values or customer ids; `NONE` where there is none."""
type Places = npt.NDArray[np.int64]
type Flags = npt.NDArray[np.bool_]
NONE = np.uint64(0)
NOWHERE = -1


@dataclass(frozen=True, slots=True, eq=False)
class Addresses:
    """Keyed hashes of addresses: the first eight bytes of each and the next four, as numbers, columns of one length."""

    heads: Heads
    tails: Tails

    @classmethod
    def none(cls) -> Self:
        """Return no address."""
        return cls(np.empty(0, np.uint64), np.empty(0, np.uint32))

    @classmethod
    def joined(cls, parts: Sequence[Addresses]) -> Self:
        """Return the addresses of the parts, one part after the other."""
        none = cls.none()
        heads = np.concatenate([none.heads, *(part.heads for part in parts)])
        return cls(heads, np.concatenate([none.tails, *(part.tails for part in parts)]))

    def __len__(self) -> int:
        """Return how many there are."""
        return len(self.heads)

    def take(self, chosen: Places | Flags) -> Addresses:
        """Return those at some places, or those that are flagged."""
        return Addresses(self.heads[chosen], self.tails[chosen])

    def order(self) -> Places:
        """Return the places of all in ascending order: by head, then by tail; of equal ones, the first one first."""
        order: Places = np.argsort(self.heads)
        heads = self.heads[order]
        if (heads[1:] == heads[:-1]).any():  # two of a million with one head: 3 in 100 million memories
            order = np.lexsort((self.tails, self.heads))
        return order

    def is_ascending(self) -> bool:
        """Return whether each is larger than the one before it, so that none is there twice."""
        before, after = self.heads[:-1], self.heads[1:]
        equal = before == after
        if not equal.any():
            return bool((before < after).all())
        return bool(((before < after) | (equal & (self.tails[:-1] < self.tails[1:]))).all())

    def find(self, wanted: Addresses) -> Places:
        """Return for each wanted address its place here, or `NOWHERE`; these here must be ascending."""
        if not len(self):
            return np.full(len(wanted), NOWHERE, np.int64)
        if not wanted.is_ascending():  # in ascending order, neighbours are found close to each other: in half the time
            order = wanted.order()
            places = np.empty(len(wanted), np.int64)
            places[order] = self._find(wanted.take(order))
            return places
        return self._find(wanted)

    def _find(self, wanted: Addresses) -> Places:
        last = len(self) - 1
        places: Places = np.searchsorted(self.heads, wanted.heads)
        while True:
            here = np.minimum(places, last)
            same = (self.heads[here] == wanted.heads) & (places <= last)
            further = same & (self.tails[here] < wanted.tails)
            if not further.any():
                return np.where(same & (self.tails[here] == wanted.tails), places, NOWHERE)
            places = places + further
