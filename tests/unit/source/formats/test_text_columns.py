"""Columns of text as numpy sees them, also when they are parts of larger ones."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.source.formats.text_columns import bounds, content, lengths, without_empty

TEXTS = ["ab", None, "", "\u00e9", "", "c"]


def column(start: int = 0) -> pa.StringArray:
    return pa.array(TEXTS, pa.string()).slice(start)


def test_bounds_say_where_each_text_is_in_the_content() -> None:
    found, data = column(), content(column()).tobytes()
    ends = bounds(found).tolist()
    assert ends == [0, 2, 2, 2, 4, 4, 5]
    assert [data[start:end].decode() for start, end in itertools.pairwise(ends)] == [t or "" for t in TEXTS]
    assert bounds(column(3)).tolist() == [2, 4, 4, 5]


def test_a_column_without_any_bytes_has_no_content() -> None:
    for empty in ([], [None], [""]):
        assert content(pa.array(empty, pa.string())).tolist() == []


def test_lengths_are_in_bytes() -> None:
    assert lengths(column()).tolist() == [2, 0, 0, 2, 0, 1]
    assert lengths(column(3)).tolist() == [2, 0, 1]


@pytest.mark.parametrize("start", range(7))
def test_an_empty_text_becomes_null(start: int) -> None:
    found = without_empty(column(start))
    found.validate(full=True)
    assert found.to_pylist() == [text or None for text in TEXTS[start:]]
    assert found.null_count == sum(not text for text in TEXTS[start:])


def test_a_column_without_empty_texts_stays_the_same_object() -> None:
    for texts in (["a", None], ["a"], [None]):
        same = pa.array(texts, pa.string())
        assert without_empty(same) is same


@given(st.lists(st.sampled_from(["", "a", "bc", "\U0001f600"]) | st.none(), max_size=40), st.integers(0, 40))
def test_nothing_but_empty_texts_changes(texts: list[str | None], start: int) -> None:
    part = pa.array(texts, pa.string()).slice(min(start, len(texts)))
    found = without_empty(part)
    found.validate(full=True)
    assert found.to_pylist() == [text or None for text in part.to_pylist()]
    assert lengths(found).tolist() == lengths(part).tolist()
