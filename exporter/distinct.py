"""One contact an address, over a whole run: a hash table of 64-bit hashes in two arrays.

A Python set or dict of a million addresses takes about 100 MB; this takes 24 bytes for each of its places. Python's
hash of a text is SipHash with a key of the process, so nobody can choose addresses that meet, and among a million
addresses the chance that any two do by accident is 3 in 100 million.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

_FREE = 0


class FirstRows:
    """Remembers for each address the row in which it came first."""

    def __init__(self, places: int = 1 << 17) -> None:
        """`places` is the size to begin with, a power of two; the table grows as needed."""
        self._hashes = np.zeros(places, np.int64)
        self._rows = np.zeros(places, np.uint32)
        self._used = 0

    def add(self, addresses: Sequence[str], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        """Return for each address the row in which it came first, which may be its own; rows ascend."""
        while 2 * (self._used + len(addresses)) > len(self._hashes):
            self._grow()
        hashes = np.fromiter(map(hash, addresses), np.int64, len(addresses))
        hashes[hashes == _FREE] = 1
        return self._insert(hashes, rows)

    def _grow(self) -> None:
        hashes, rows = self._hashes, self._rows
        self._hashes, self._rows = np.zeros(4 * len(hashes), np.int64), np.zeros(4 * len(rows), np.uint32)
        self._used = 0
        taken = np.flatnonzero(hashes)
        for part in np.array_split(taken, max(1, len(taken) >> 16)):  # in parts, so that little memory is needed
            self._insert(hashes[part], rows[part])

    def _insert(self, hashes: npt.NDArray[np.int64], rows: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        first = np.empty(len(hashes), np.int64)
        mask = len(self._hashes) - 1
        pending, places = np.arange(len(hashes)), hashes & mask
        while len(pending):
            found = self._hashes[places]
            free = np.flatnonzero(found == _FREE)
            # Of several that want one place, the first row gets it: it is assigned last.
            backward = free[::-1]
            self._hashes[places[backward]] = hashes[pending[backward]]
            self._rows[places[backward]] = rows[pending[backward]]
            found[free] = self._hashes[places[free]]
            here = found == hashes[pending]
            first[pending[here]] = self._rows[places[here]]
            pending, places = pending[~here], (places[~here] + 1) & mask
        self._used += int(np.count_nonzero(first == rows))
        return first
