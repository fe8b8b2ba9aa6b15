"""One contact per address, over a whole run: a hash table in two arrays.

A Python set or dict of a million addresses takes about 100 MB; this takes 8 bytes per row and 4 bytes per place.
Addresses count as equal when their 64-bit hashes are. Each run has its own secret keys, so nobody can choose addresses
that collide; the chance that any two of a million do by accident is 3 in 100 million.
"""

from __future__ import annotations

import hashlib

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from exporter.source.formats.text_columns import content, lengths

type RowNumbers = npt.NDArray[np.int64]
_FREE = 0  # row numbers begin with 1
_WIDTHS = (64, 256)  # in bytes; an address has at most 254


class FirstRows:
    """Remembers the first row of each address."""

    def __init__(self, secret: str, places: int = 1 << 18) -> None:
        """`secret` is this run's own; `places` is the initial size, a power of two; it grows as needed."""
        self._row_at = np.zeros(places, np.uint32)
        self._hash_of = np.zeros(places, np.uint64)  # by row number
        self._taken = 0
        self._start, multiplier = np.frombuffer(hashlib.blake2b(secret.encode(), digest_size=16).digest(), np.uint64)
        self._multiplier = multiplier | np.uint64(1)

    def add(self, addresses: pa.StringArray, rows: RowNumbers) -> RowNumbers:
        """Return the first row of each address, which may be its own.

        `rows` are the rows of the addresses, ascending, each passed once; rows of an earlier call come first.
        """
        if not len(rows):
            return rows
        while rows[-1] >= len(self._hash_of):
            self._hash_of = np.append(self._hash_of, np.zeros_like(self._hash_of))
        self._hash_of[rows] = self._hashes(addresses)
        while 2 * (self._taken + len(rows)) > len(self._row_at):
            self._grow()
        first = self._insert(rows)
        self._taken += int(np.count_nonzero(first == rows))
        return first

    def _hashes(self, addresses: pa.StringArray) -> npt.NDArray[np.uint64]:
        """Hash eight bytes at a time; two addresses that differ in only eight bytes never collide."""
        sizes = lengths(addresses)
        hashes = np.full(len(addresses), self._start)
        for least, width in zip((-1, *_WIDTHS), _WIDTHS, strict=False):
            chosen = np.flatnonzero((sizes > least) & (sizes <= width))
            if not len(chosen):
                continue
            subset = addresses if len(chosen) == len(addresses) else addresses.take(pa.array(chosen))
            words = content(pc.ascii_rpad(subset, width, "\0")).view(np.uint64).reshape(len(chosen), -1)
            mixed = hashes[chosen]
            for word in words.T:
                mixed ^= word
                mixed *= self._multiplier
                mixed ^= mixed >> np.uint64(32)
            hashes[chosen] = mixed
        return hashes

    def _grow(self) -> None:
        taken = self._row_at[self._row_at != _FREE].astype(np.int64)
        self._row_at = np.zeros(4 * len(self._row_at), np.uint32)
        for part in np.array_split(taken, 1 + len(taken) // 65_536):  # in parts, to save memory
            self._insert(part)

    def _insert(self, rows: RowNumbers) -> RowNumbers:
        first = rows.copy()
        hashes = self._hash_of[rows]
        mask = np.uint64(len(self._row_at) - 1)
        pending, places = np.arange(len(rows)), (hashes & mask).astype(np.int64)
        while len(pending):
            found = self._row_at[places]
            free = np.flatnonzero(found == _FREE)
            # When several rows want the same place, the first one gets it: it is assigned last.
            backward = free[::-1]
            self._row_at[places[backward]] = rows[pending[backward]]
            found[free] = self._row_at[places[free]]
            same = self._hash_of[found] == hashes[pending]
            first[pending[same]] = found[same]
            pending, places = pending[~same], (places[~same] + 1) & (len(self._row_at) - 1)
        return first
