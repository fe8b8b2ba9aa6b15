# ruff: noqa: T201 - a command that prints
"""`python -m tests.fuzz.values --values 1000000 [--first S]`: whole columns come to what each of their values comes to.

For each type of field, so many values as programs write them, some of them damaged, in columns of a thousand.
"""

from __future__ import annotations

import argparse
import sys
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from random import Random

import pyarrow as pa

from exporter.contacts.fitting import fit_column
from exporter.contacts.values import Choices, Kind, Rule, fit

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
    return text + random.choice(
        ("", "", "Z", "Z", "z", "+00:00", "-00:00", "-05:00", "+14:00", " UTC", "+14:30", "+01:60")
    )


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


def values_for(rule: Rule, random: Random, count: int) -> list[str]:
    """Return values for a field of this rule; one in ten is empty."""
    makers = [MAKERS[name] for name in RULES[rule].split()]
    values = [damaged(random.choice(makers)(random), random) for _ in range(count)]
    return [value if random.random() < 0.9 else "" for value in values]


def difference(rule: Rule, values: list[str], skipped: int = 0) -> str | None:
    """Return where a column, without its first values, comes to something else than they do one by one."""
    column = pa.array([value or None for value in values], pa.string()).slice(skipped)
    texts, known = fit_column(column, rule)
    for value, text, certain in zip(values[skipped:], texts.to_pylist(), known.tolist(), strict=True):
        found = fit(value, rule)
        escaped = found.text is not None and any(sign in '"\\\x7f' or sign < " " for sign in found.text)
        if certain is not (found.flaw is None and not found.notices and not escaped):
            return f"{value!r} is {'' if certain else 'not '}certain, and one by one {found}"
        if certain and text != found.text:
            return f"{value!r} becomes {text!r}, and one by one {found.text!r}"
    return None


IN_A_COLUMN = 1_000


def try_seed(rule: Rule, seed: int) -> str | None:
    random = Random(seed)
    return difference(rule, values_for(rule, random, IN_A_COLUMN + 3), random.randrange(4))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--values", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0)
    options = parser.parse_args()
    seeds = range(options.first, options.first + options.values // IN_A_COLUMN)
    failures = 0
    with ProcessPoolExecutor(2) as pool:
        for rule, what in RULES.items():
            found = dict(zip(seeds, pool.map(partial(try_seed, rule), seeds, chunksize=20), strict=True))
            wrong = {seed: why for seed, why in found.items() if why}
            failures += len(wrong)
            print(f"{rule.kind} ({what}): {len(seeds) * IN_A_COLUMN:,} values, {len(wrong)} columns differ")
            for seed, why in list(wrong.items())[:5]:
                print(f"  seed {seed}: {why}")
    sys.exit(bool(failures))


if __name__ == "__main__":
    main()
