"""A whole column is made to fit as each of its values is."""

from __future__ import annotations

from random import Random

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.contacts import fitting
from exporter.contacts.fitting import fit_column
from exporter.contacts.values import Kind, Rule, fit
from tests.fuzz.values import RULES, difference, values_for

RANDOMS = st.integers(0, 1 << 32).map(Random)
"""For hundreds of values an example: hypothesis's own random numbers take most of the time."""


@settings(max_examples=40)
@given(st.sampled_from(list(RULES)), RANDOMS, st.integers(0, 400), st.integers(0, 3))
def test_a_column_becomes_what_its_values_become(rule: Rule, random: Random, count: int, skipped: int) -> None:
    assert difference(rule, values_for(rule, random, count), skipped) is None


def check_column(column: pa.StringArray, rule: Rule) -> None:
    assert difference(rule, [value or "" for value in column.to_pylist()]) is None


DAYS = [
    *(f"{year}-{month:02}-{last}" for year in (1901, 1752) for month, last in enumerate(fitting._DAYS[1:13], 1)),
    *(
        "1000-01-01",
        "9999-12-31",
        "1754-01-01",
        "1898-12-31",
        "1900-01-02",
        "1900-02-01",
        "1900-02-28",
        "2000-02-29",
        "2024-02-29",
    ),
]
ZONED = [f"1980-05-03{clock}Z" for clock in ("T08:15:00", " 23:59:59", "T00:00:00.0", "T00:00:00.123456789")]
TIMES = [*ZONED, *(text.removesuffix("Z") for text in ZONED)]
WHOLE_NUMBERS = ["0", "1", "-1", "10", "999999999999999", "-999999999999999"]
NUMBERS = [*WHOLE_NUMBERS, "1.5", "-0.5", "0.05", "-123456789012345.1234567", "0." + "1" * 28]


@pytest.mark.parametrize(
    ("rule", "usual"),
    [
        (Rule(Kind.DATE), [*DAYS, *TIMES]),
        (Rule(Kind.DATETIME), [*DAYS, *TIMES]),
        (Rule(Kind.DATETIME, zone="Asia/Jakarta"), ZONED),
        (Rule(Kind.NUMBER), NUMBERS),
        (Rule(Kind.NUMBER, decimal_mark=","), WHOLE_NUMBERS),
    ],
)
def test_what_is_usual_is_recognised_without_asking_for_each_value(
    rule: Rule, usual: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    expected = [fit(value, rule).text for value in usual]
    monkeypatch.setattr(fitting, "fit", None)
    texts, known = fit_column(pa.array([*usual, None], pa.string()), rule)
    assert known.all()
    assert texts.to_pylist()[:-1] == expected


NO_DAYS = [
    *(f"{year}-{month:02}-{last + 1}" for year in (1901, 1900) for month, last in enumerate(fitting._DAYS[1:13], 1)),
    *(
        "0000-01-01",
        "0999-12-31",
        "1753-01-01",
        "1753-05-03",
        "1899-12-30",
        "1899-12-31",
        "1900-01-01",
        "2023-02-29",
        "2024-02-30",
    ),
    *("2000-00-01", "2000-01-00", "2000-13-01", "2000-99-01", "198x-05-03", "1980-:5-03", "1980-05-0/"),
    *("x980-05-03", "1x80-05-03", "19x0-05-03", "1980-x5-03", "1980-05-x3", "1980-05-0x", "1980/05-03", "1980-05/03"),
]
NO_TIMES = [
    *("T24:00:00", "T23:60:00", "T23:59:60", "T23-59:00", "T23:59-00", "t08:15:00", "x08:15:00", "T08:15:0x"),
    *("Tx8:15:00", "T0x:15:00", "T08:x5:00", "T08:1x:00", "T08:15:x0", "T08:15", "T08:15:00+"),
    *("T08:15:00.", "T08:15:00.Z", "T08:15:00,5", "T08:15:00.x", "T08:15:00.x5", "T08:15:00.5x5", "T08:15:00.5x"),
    *("T08:15:00.5z", "T08:15:00.5xZ", "T08:15:00x5Z", "T08:15:00.1234567890", "T08:15:00.1234567890Z"),
]
NO_NUMBERS = [
    *("-0", "00", "01", "1.", "1.0", "1.50", ".5", "+1", "--1", "1x", "x1", "1.5x", "1,5", "1.5,5", "-0.0", "-0.0x"),
    *("1234567890123456", "123456789012345.12345678", "-123456789012345.12345678", "0." + "1" * 28, "0." + "1" * 29),
]


@pytest.mark.parametrize(
    ("rule", "values"),
    [
        (Rule(Kind.DATE), [*NO_DAYS, *(f"1980-05-03{clock}" for clock in NO_TIMES)]),
        (Rule(Kind.DATETIME), [*NO_DAYS, *(f"1980-05-03{clock}" for clock in NO_TIMES)]),
        (Rule(Kind.DATETIME, zone="Asia/Jakarta"), [*DAYS, *TIMES]),
        (Rule(Kind.NUMBER), NO_NUMBERS),
        (Rule(Kind.NUMBER, decimal_mark=","), [*NUMBERS, *NO_NUMBERS]),
        (Rule(Kind.NUMBER, when_empty="0"), ["7", "x"]),
        (Rule(Kind.DATE, when_empty="2000-01-01"), ["1980-05-03", "x"]),
        (Rule(Kind.OPTION), ["a b", '"', "\\", "\x1f", "\t", "\x7f", " ", "!", "\x80", "X"]),
    ],
)
def test_a_value_that_looks_almost_usual_becomes_what_the_rules_say(rule: Rule, values: list[str]) -> None:
    for column in (values, [None, *values], *([value, "1980-05-03", "1"] for value in values)):
        check_column(pa.array(column, pa.string()), rule)


@pytest.mark.parametrize("values", [[], [None], [None, None]])
@pytest.mark.parametrize("rule", RULES)
def test_a_column_may_hold_nothing(rule: Rule, values: list[None]) -> None:
    texts, known = fit_column(pa.array(values, pa.string()), rule)
    assert texts.to_pylist() == [rule.when_empty] * len(values)
    assert known.all()
    assert known.dtype == np.bool_
