"""What columns hold, and what of it is shown."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts.facts import ColumnFacts, Sample, look_at, masked
from exporter.reasons import Reason
from exporter.source.rows import Row, Rows


def block(*rows: tuple[str, ...]) -> pa.RecordBatch:
    columns = [pa.array([text or None for text in column], pa.string()) for column in zip(*rows, strict=True)]
    return pa.record_batch(columns, names=[str(number) for number in range(len(columns))])


def facts(*values: str, max_rows: int = 1_000) -> ColumnFacts:
    (column,) = look_at([[(value,) for value in values]], ["A"], max_rows).columns
    return column


def test_values_addresses_and_distinct_values_are_counted() -> None:
    found = facts("a@example.com", " b@example.com\t", "no", "", " \u00a0", "no ", "a@example.com")
    assert found == ColumnFacts("A", 5, 3, 3, ("a@example.com", "b@example.com", "no"))
    assert found.address_share == 0.6


def test_a_column_without_values_has_no_share_of_addresses() -> None:
    assert facts("", " ") == ColumnFacts("A", 0, 0, 0, ())
    assert facts("").address_share is None


def test_what_is_blank_is_what_the_rules_of_a_contact_say() -> None:
    assert facts("\u2003", "\x0b").filled == 2


def test_an_address_is_valid_by_the_rules_of_addresses() -> None:
    assert facts("a@b", "a@@b.com", "o'neil@example.com", "jos\u00e9@example.com", "A@EXAMPLE.COM").valid_addresses == 1


@pytest.mark.parametrize(("distinct", "told"), [(49, 49), (50, 50), (51, 50)])
def test_distinct_values_are_counted_up_to_fifty(distinct: int, told: int) -> None:
    assert facts(*[f"v{number % distinct}" for number in range(200)]).distinct_values == told


def test_examples_are_the_first_three_distinct_values_cut_to_100_characters() -> None:
    assert facts("b", "a", "b", "d", "c").examples == ("b", "a", "d")
    assert facts("x" * 100, "y" * 101).examples == ("x" * 100, "y" * 99 + "…")


@pytest.mark.parametrize(("max_rows", "filled"), [(1, 1), (3, 3), (4, 4), (9, 5)])
def test_no_more_than_the_first_rows_are_looked_at(max_rows: int, filled: int) -> None:
    blocks: list[Rows] = [[("1",), ("2",), ("3",)], block(("4",), ("5",))]
    found = look_at(blocks, ["A"], max_rows)
    assert (found.rows, found.columns[0].filled) == (filled, filled)


def test_what_several_blocks_hold_is_counted_together() -> None:
    blocks: list[Rows] = [[("a@example.com",), ("b",)], block(("b",), ("c@example.com",)), [("a@example.com",)]]
    (column,) = look_at(blocks, ["A"], 9).columns
    assert column == ColumnFacts("A", 5, 3, 3, ("a@example.com", "b", "c@example.com"))


def test_no_block_is_read_after_the_last_row() -> None:
    def blocks() -> Iterator[Rows]:
        yield [("1",), ("2",)]
        pytest.fail("one block was enough")

    assert look_at(blocks(), ["A"], 2).rows == 2


def test_rows_that_cannot_be_read_are_looked_at_but_fill_nothing() -> None:
    rows: list[Row] = [("a", "b"), Reason.WRONG_FIELD_COUNT, Reason.NOT_UTF8, ("", "c")]
    assert look_at([rows, [Reason.NOT_UTF8]], ["A", "B"], 10) == Sample(
        5, 3, (ColumnFacts("A", 1, 0, 1, ("a",)), ColumnFacts("B", 2, 0, 2, ("b", "c")))
    )


VALUES = st.sampled_from(["", " ", "a", " a", "a@example.com", "A@b", "\u00e9"])


@given(st.lists(st.tuples(VALUES, VALUES), min_size=1), st.integers(1, 9))
def test_columns_tell_what_their_rows_tell(rows: list[tuple[str, str]], max_rows: int) -> None:
    assert look_at([block(*rows)], ["A", "B"], max_rows) == look_at([list(rows)], ["A", "B"], max_rows)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("jane.doe@example.com", "j***.d***@e***.c***"),
        ("+44 1632 960001", "+** 1*** 9*****"),
        ("1980-05-03", "1***-**-**"),
        ("O'Neil, Ada", "*'N***, A***"),
        ("Yes", "Y***"),
        ("No", "**"),
        ("Maximilian", "M***"),
        ("\u738b\u5c0f\u660e", "****"),
        ("\u2e80\u2e81\u2e82", "****"),
        ("\u0928\u092e\u0938\u094d\u0924\u0947", "\u0928***"),
        ("\U0001f469\u200d\U0001f467", "****"),
        ("a b c", "* * *"),
        ("", ""),
        ("- / -", "- / -"),
    ],
)
def test_a_mask_shows_the_shape_and_hides_the_person(text: str, shown: str) -> None:
    assert masked(text) == shown


TEXTS = st.text() | st.text("aZ\u00e91 .-_@*\u738b") | st.emails()


@given(TEXTS)
def test_a_mask_leaves_no_two_characters_of_a_word_and_nothing_of_a_short_one(text: str) -> None:
    words = re.findall(r"[^\s!-/:-@\[-`{-~]+", text)
    left = re.findall(r"[^\s!-/:-@\[-`{-~]+", masked(text))
    assert all(len(word) == 1 for word in left)
    assert left == [word[0] for word in words if len(word) > 2 and word[0] < "\u2e80"]


@given(TEXTS)
def test_a_mask_leaves_blanks_and_punctuation_as_they_are(text: str) -> None:
    def between(of: str) -> list[str]:
        return re.findall(r"[\s!-)+-/:-@\[-`{-~]+", of)

    assert between(masked(text)) == between(text)


@given(st.text("abc", min_size=3), st.text("abc", min_size=3))
def test_names_that_begin_alike_look_alike(one: str, other: str) -> None:
    assert masked("J" + one) == masked("J" + other)
