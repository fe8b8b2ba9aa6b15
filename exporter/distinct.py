"""One contact an address, over a whole run: a hash table in two arrays.

A Python set or dict of a million addresses takes about 100 MB; this takes 8 bytes a row and 4 bytes a place. Addresses
count as equal when their 64-bit hashes are: Python hashes a text with SipHash and a key of the process, so nobody can
choose addresses that meet, and the chance that any two of a million do by accident is 3 in 100 million.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt

type RowNumbers = npt.NDArray[np.int64]

_FREE = 0  # row numbers begin with 1


class FirstRows:
    """Remembers for each address the row in which it came first."""

    def __init__(self, places: int = 1 << 18) -> None:
        """`places` is the size to begin with, a power of two; it grows as needed."""
        self._row_at = np.zeros(places, np.uint32)
        self._hash_of = np.zeros(places, np.int64)  # by row number
        self._taken = 0

    def add(self, addresses: Sequence[str], rows: RowNumbers) -> RowNumbers:
        """Return for each address the row in which it came first, which may be its own.

        `rows` are the rows of the addresses, ascending from call to call.
        """
        if not addresses:
            return rows
        while rows[-1] >= len(self._hash_of):
            self._hash_of = np.append(self._hash_of, np.zeros_like(self._hash_of))
        self._hash_of[rows] = np.fromiter(map(hash, addresses), np.int64, len(addresses))
        while 2 * (self._taken + len(addresses)) > len(self._row_at):
            self._grow()
        first = self._insert(rows)
        self._taken += int(np.count_nonzero(first == rows))
        return first

    def _grow(self) -> None:
        taken = self._row_at[self._row_at != _FREE].astype(np.int64)
        self._row_at = np.zeros(4 * len(self._row_at), np.uint32)
        for part in np.array_split(taken, 1 + len(taken) // 65_536):  # in parts, so that little memory is needed
            self._insert(part)

    def _insert(self, rows: RowNumbers) -> RowNumbers:
        first = rows.copy()
        hashes = self._hash_of[rows]
        pending, places = np.arange(len(rows)), hashes & (len(self._row_at) - 1)
        while len(pending):
            found = self._row_at[places]
            free = np.flatnonzero(found == _FREE)
            # Of several that want one place, the first row gets it: it is assigned last.
            backward = free[::-1]
            self._row_at[places[backward]] = rows[pending[backward]]
            found[free] = self._row_at[places[free]]
            here = self._hash_of[found] == hashes[pending]
            first[pending[here]] = found[here]
            pending, places = pending[~here], (places[~here] + 1) & (len(self._row_at) - 1)
        return first
