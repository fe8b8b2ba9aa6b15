"""One contact an address: what a dictionary would say, in little memory."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
from hypothesis import given
from hypothesis import strategies as st

from exporter.distinct import FirstRows

# Lengths around the widths that are hashed differently, and addresses that differ in one place only.
ADDRESSES = st.one_of(
    st.sampled_from(["", "a", "b", "ab", "x" * 63, "x" * 64, "x" * 65, "x" * 254, "x" * 253 + "y", "y" + "x" * 253]),
    st.text("ab", max_size=12),
)


def first_rows(blocks: list[list[str]], places: int) -> list[int]:
    rows, found, start = FirstRows(places), [], 1
    for block in blocks:
        numbers = np.arange(start, start + len(block))
        found += rows.add(pa.array(block, pa.string()), numbers).tolist()
        start += len(block)
    return found


@given(st.lists(st.lists(ADDRESSES, max_size=30), max_size=6), st.sampled_from([2, 8, 1 << 10]))
def test_the_first_row_of_an_address_is_what_a_dictionary_says(blocks: list[list[str]], places: int) -> None:
    seen: dict[str, int] = {}
    expected = [seen.setdefault(text, number) for number, text in enumerate(itertools.chain(*blocks), 1)]
    assert first_rows(blocks, places) == expected


def test_a_hundred_thousand_rows_with_one_address_have_one_first_row() -> None:
    assert set(first_rows([["someone@example.com"] * 10_000] * 10, 8)) == {1}


def test_row_numbers_may_have_gaps() -> None:
    rows = FirstRows(2)
    found = [rows.add(pa.array(["a", "b"]), np.array([start, start + 70_000])).tolist() for start in (5, 300_000)]
    assert found == [[5, 70_005], [5, 70_005]]


def test_a_part_of_a_larger_column_is_read_as_itself() -> None:
    rows = FirstRows()
    column = pa.array(["x", "a", "b", "a"])
    assert rows.add(column.slice(1), np.array([1, 2, 3])).tolist() == [1, 2, 1]
