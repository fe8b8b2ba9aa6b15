"""A whole column is made to fit as each of its values is."""

from __future__ import annotations

from random import Random

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

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
    texts, known = fit_column(column, rule)
    assert len(texts) == len(known) == len(column)
    for value, text, certain in zip(values[skipped:], texts.to_pylist(), known.tolist(), strict=True):
        found = fit(value, rule)
        escaped = found.text is not None and any(sign in '"\\\x7f' or sign < " " for sign in found.text)
        assert certain is (found.flaw is None and not found.notices and not escaped)
        if certain:
            assert text == found.text


@pytest.mark.parametrize("values", [[], [None], [None, None]])
@pytest.mark.parametrize("rule", RULES)
def test_a_column_may_hold_nothing(rule: Rule, values: list[None]) -> None:
    texts, known = fit_column(pa.array(values, pa.string()), rule)
    assert texts.to_pylist() == [rule.when_empty] * len(values)
    assert known.all()
