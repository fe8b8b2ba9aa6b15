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
from exporter.contacts.values import Choices, Kind, Rule, fit

RANDOMS = st.integers(0, 1 << 32).map(Random)
"""For hundreds of values an example: hypothesis's own random numbers take most of the time."""
YEARS = (0, 1, 999, 1000, 1753, 1899, 1900, 2000, 2023, 2024, 2100, 9999)
TIERS = Choices(("Gold", "Silver", 'say "hi"', "Gr\u00fcn"))
DRINKS = Choices(("Coffee", "Tea", "Gold"), ("true", "1"))
RULES = {
    Rule(Kind.DATE): "dates times numbers",
    Rule(Kind.DATE, date_order="dmy"): "dates times",
    Rule(Kind.DATE, when_empty="2000-01-01"): "dates",
    Rule(Kind.DATETIME): "dates times",
    Rule(Kind.DATETIME, zone="Asia/Jakarta"): "dates times",
    Rule(Kind.NUMBER): "numbers",
    Rule(Kind.NUMBER, decimal_mark=","): "numbers",
    Rule(Kind.NUMBER, no_values=False): "numbers",
    Rule(Kind.OPTION, TIERS): "choices",
    Rule(Kind.OPTIONS, DRINKS): "choices",
    Rule(Kind.OPTIONS, when_empty="||x||"): "choices",
}


def dates(random: Random) -> str:
    day = random.choice((0, 1, 2, 12, 28, 29, 30, 31, 32))
    return f"{random.choice(YEARS):04}-{random.randint(0, 13):02}-{day:02}"


def times(random: Random) -> str:
    clock = [f"{random.choice(values):02}" for values in ((0, 8, 23, 24), (0, 59, 60), (0, 59, 60))]
    text = dates(random) + random.choice("TTT t_") + ":".join(clock[: random.choice((3, 3, 3, 2))])
    if random.random() < 0.5:
        text += "." + "".join(random.choices("0123456789", k=random.choice((0, 1, 3, 7, 7, 9, 10))))
    return text + random.choice(("", "", "Z", "Z", "z", "+00:00", "-05:00", " UTC", "+15:00"))


def numbers(random: Random) -> str:
    whole = random.choice(("0", "00", "1", "12", "123", "1234567", str(random.randint(0, 10**18))))
    end = random.choice(("", ".0", ".5", ".50", ".00", ",5", ".", ",123", ".123", "e3", ".1234567"))
    return random.choice(("", "-", "+")) + whole + end


def choices(random: Random) -> str:
    return random.choice(
        [
            *(
                "Gold",
                "gold",
                "Gold ",
                "SILVER",
                "n/a",
                "NULL",
                "true",
                "1",
                "0",
                "no",
                "Platinum",
                "Coffee;Tea",
                "||Tea||",
            ),
            *('say "hi"', "gr\u00fcn", "coffee; tea", "Coffee;Wine", "a||b", "a\x00b", "back\\slash", "tab\there"),
        ]
    )


MAKERS = {"dates": dates, "times": times, "numbers": numbers, "choices": choices}


def damaged(text: str, random: Random) -> str:
    if random.random() < 0.75:
        return text
    at = random.randrange(len(text) + 1)
    piece = random.choice(("", "0", "9", " ", "-", ":", ".", "T", "\u00e9", "\x00", "/", "\n", '"', "\u0661"))
    return text[:at] + piece + text[at + random.choice((0, 1)) :]


@settings(max_examples=40)
@given(st.sampled_from(list(RULES)), RANDOMS, st.integers(0, 400), st.integers(0, 3))
def test_a_column_becomes_what_its_values_become(rule: Rule, random: Random, count: int, skipped: int) -> None:
    makers = [MAKERS[name] for name in RULES[rule].split()]
    values = [damaged(random.choice(makers)(random), random) for _ in range(count)]
    values = [value if random.random() < 0.9 else "" for value in values]
    column = pa.array([value or None for value in values], pa.string()).slice(skipped)
    check_column(column, rule)


def check_column(column: pa.StringArray, rule: Rule) -> None:
    texts, known = fit_column(column, rule)
    assert len(texts) == len(known) == len(column)
    for value, text, certain in zip(column.to_pylist(), texts.to_pylist(), known.tolist(), strict=True):
        found = fit(value or "", rule)
        escaped = found.text is not None and any(sign in '"\\\x7f' or sign < " " for sign in found.text)
        assert certain is (found.flaw is None and not found.notices and not escaped), value
        if certain:
            assert text == found.text, value


DAYS = [
    *(f"{year}-{month:02}-{last}" for year in (1901, 1752) for month, last in enumerate(fitting._DAYS[1:13], 1)),
    *("1000-01-01", "9999-12-31", "1754-01-01", "1898-12-31", "1900-01-01", "1900-02-28", "2000-02-29", "2024-02-29"),
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
    *("0000-01-01", "0999-12-31", "1753-01-01", "1753-05-03", "1899-12-30", "1899-12-31", "2023-02-29", "2024-02-30"),
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
