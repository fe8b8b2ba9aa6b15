"""A whole column is made to fit as each of its values is."""

from __future__ import annotations

from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.contacts.fitting import fit_column
from exporter.contacts.values import Rule
from tests.fuzz.values import RULES, difference, values_for

RANDOMS = st.integers(0, 1 << 32).map(Random)
"""For hundreds of values an example: hypothesis's own random numbers take most of the time."""


@settings(max_examples=40)
@given(st.sampled_from(list(RULES)), RANDOMS, st.integers(0, 400), st.integers(0, 3))
def test_a_column_becomes_what_its_values_become(rule: Rule, random: Random, count: int, skipped: int) -> None:
    assert difference(rule, values_for(rule, random, count), skipped) is None


@pytest.mark.parametrize("values", [[], [None], [None, None]])
@pytest.mark.parametrize("rule", RULES)
def test_a_column_may_hold_nothing(rule: Rule, values: list[None]) -> None:
    texts, known = fit_column(pa.array(values, pa.string()), rule)
    assert texts.to_pylist() == [rule.when_empty] * len(values)
    assert known.all()
