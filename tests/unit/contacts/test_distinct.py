"""One contact an address: what a dictionary would say, in little memory."""

from __future__ import annotations

import itertools

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts.distinct import FirstRows

# Lengths around the widths that are hashed differently, and addresses that differ in one place only.
ADDRESSES = st.one_of(
    st.sampled_from(["", "a", "b", "ab", "x" * 63, "x" * 64, "x" * 65, "x" * 254, "x" * 253 + "y", "y" + "x" * 253]),
    st.sampled_from(["x" * 63 + "y", "x" * 256, "x" * 255 + "y", "a "]),
    st.text("ab", max_size=12),
)


def first_rows(blocks: list[list[str]], places: int) -> list[int]:
    rows, found, start = FirstRows("", places), [], 1
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
    rows = FirstRows("", 2)
    found = [rows.add(pa.array(["a", "b"]), np.array([start, start + 70_000])).tolist() for start in (5, 300_000)]
    assert found == [[5, 70_005], [5, 70_005]]


def test_a_part_of_a_larger_column_is_read_as_itself() -> None:
    rows = FirstRows("")
    column = pa.array(["x", "a", "b", "a"])
    assert rows.add(column.slice(1), np.array([1, 2, 3])).tolist() == [1, 2, 1]


@pytest.mark.parametrize("size", [63, 64, 65, 253, 254, 255, 256])
def test_addresses_of_any_length_that_differ_in_one_place_are_two(size: int) -> None:
    addresses = ["x" * size, "x" * (size - 1) + "y", "y" + "x" * (size - 1), "x" * (size - 1) + " "]
    assert first_rows([addresses, addresses], 8) == [1, 2, 3, 4] * 2


def test_the_table_is_half_free_at_least_and_grows_with_addresses_not_with_rows() -> None:
    rows, places = FirstRows("", 8), {}
    for number in range(1, 18):
        rows.add(pa.array([f"{number}@example.com"]), np.array([number]))
        places[number] = len(rows._row_at)
    assert places == dict.fromkeys(range(1, 5), 8) | dict.fromkeys(range(5, 17), 32) | {17: 128}
    for number in range(18, 100):
        rows.add(pa.array(["1@example.com"]), np.array([number]))
    assert len(rows._row_at) == 128


def test_hashes_use_all_of_their_64_bits() -> None:
    """An even multiplier would push bits out with each word."""
    tables = [FirstRows(f"{number}") for number in range(40)]
    assert all(table._multiplier % 2 == 1 for table in tables)
    addresses = pa.array([f"{number}@example.com" for number in range(200)])
    seen = np.bitwise_or.reduce([np.bitwise_or.reduce(table._hashes(addresses)) for table in tables])
    assert int(seen) == 2**64 - 1


def test_nobody_can_know_the_hashes_of_a_run_without_its_secret() -> None:
    addresses = pa.array(["someone@example.com"])
    hashes = {int(FirstRows(secret)._hashes(addresses)[0]) for secret in ("one", "another", "")}
    assert len(hashes) == 3


def test_a_table_with_more_addresses_than_are_moved_at_a_time_grows() -> None:
    count = 140_000
    addresses = [f"{number}@example.com" for number in range(count)]
    assert first_rows([addresses, addresses[::-1]], 1 << 17) == [*range(1, count + 1), *range(count, 0, -1)]


def test_rows_of_an_earlier_call_come_first_wherever_they_are() -> None:
    rows = FirstRows("", 2)
    assert rows.add(pa.array(["a", "b"]), np.array([70, 80])).tolist() == [70, 80]
    assert rows.add(pa.array(["b", "c", "a", "c"]), np.array([1, 2, 3, 4])).tolist() == [80, 2, 70, 2]
