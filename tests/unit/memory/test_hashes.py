"""Addresses in two columns say what the same 12 bytes in one would."""

from __future__ import annotations

import itertools

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from exporter.memory.hashes import NOWHERE, Addresses
from tests.memories import addresses, numbers

SOME = st.lists(st.integers(0, 20))
FAR = st.tuples(st.integers(0, 2**64 - 1), st.integers(0, 2**32 - 1))


@given(SOME)
def test_order_sorts_by_both_columns_and_keeps_equal_ones_in_order(chosen: list[int]) -> None:
    found = addresses(chosen)

    assert found.order().tolist() == sorted(range(len(chosen)), key=lambda place: chosen[place])
    assert found.is_ascending() == all(a < b for a, b in itertools.pairwise(chosen))


@given(st.sets(st.integers(0, 20)), SOME)
def test_find_says_where_each_is_or_that_it_is_nowhere(known: set[int], wanted: list[int]) -> None:
    places = addresses(sorted(known)).find(addresses(wanted))

    assert places.tolist() == [sorted(known).index(one) if one in known else NOWHERE for one in wanted]


@given(st.lists(FAR, unique=True))
def test_all_bits_count(pairs: list[tuple[int, int]]) -> None:
    heads, tails = [head for head, _ in pairs], [tail for _, tail in pairs]
    found = Addresses(np.array(heads, np.uint64), np.array(tails, np.uint32))

    ordered = found.take(found.order())

    assert list(zip(ordered.heads.tolist(), ordered.tails.tolist(), strict=True)) == sorted(pairs)
    assert ordered.find(found).tolist() == [sorted(pairs).index(pair) for pair in pairs]


@given(st.lists(SOME, max_size=3))
def test_joined_is_one_after_the_other(parts: list[list[int]]) -> None:
    joined = Addresses.joined([addresses(part) for part in parts])

    assert numbers(joined) == list(itertools.chain(*parts))
    assert [str(joined.heads.dtype), str(joined.tails.dtype)] == ["uint64", "uint32"]
