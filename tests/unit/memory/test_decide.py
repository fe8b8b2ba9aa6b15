"""Who is sent: each rule by name, and all of them against a plain table."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.memory.decide import Asked, Decision, Kind, decide, due
from exporter.memory.hashes import NOWHERE, Addresses
from exporter.memory.lack import Lack
from exporter.memory.people import State
from tests.memories import HEADS, Known, people, planned

TODAY = 20_784
ASKED = Asked(TODAY)


def kinds(known: dict[int, Known], values: dict[int, int], asked: Asked = ASKED) -> dict[int, Kind]:
    found = decide(people(known), planned(values), asked)
    return dict(zip(values, map(Kind, found.kinds.tolist()), strict=True))


CONFIRMED = Known(State.CONFIRMED, 5)
REFUSED = Known(State.REFUSED, 5, next_try=TODAY + 1, refusals=1)


@pytest.mark.parametrize(
    ("known", "asked", "kind", "sent"),
    [
        (None, ASKED, Kind.NEW, True),
        (CONFIRMED, ASKED, Kind.UNCHANGED, False),
        (replace(CONFIRMED, value=6), ASKED, Kind.CHANGED, True),
        (CONFIRMED, Asked(TODAY, everybody=True), Kind.AGAIN, True),
        (replace(CONFIRMED, since=TODAY - 1), ASKED, Kind.UNCHANGED, False),  # absent once, and no mark yet
        (Known(State.IN_DOUBT), ASKED, Kind.IN_DOUBT, True),
        (Known(State.OVERTAKEN), ASKED, Kind.IN_DOUBT, True),
        (Known(State.LEAVING, 5, since=TODAY - 2), ASKED, Kind.RETURNED, True),
        (Known(State.LEAVING, since=TODAY - 2), ASKED, Kind.RETURNED, True),
        (REFUSED, ASKED, Kind.POSTPONED, False),
        (replace(REFUSED, next_try=TODAY), ASKED, Kind.RETRIED, True),
        (replace(REFUSED, value=6), ASKED, Kind.CHANGED, True),
        (REFUSED, Asked(TODAY, everybody=True), Kind.RETRIED, True),
    ],
)
def test_one_person(known: Known | None, asked: Asked, kind: Kind, sent: bool) -> None:  # noqa: FBT001
    decision = decide(people({4: known} if known else {}), planned({4: 5}), asked)

    assert (Kind(decision.kinds[0]), bool(decision.sent[0])) == (kind, sent)
    assert decision.counts() == {each: int(each == kind) for each in Kind}


@pytest.mark.parametrize("lack", Lack)
def test_without_a_memory_everybody_is_new_and_the_decision_says_why_there_is_none(lack: Lack) -> None:
    decision = decide(lack, planned({3: 1, 1: 2}), ASKED)

    assert (decision.kinds.tolist(), decision.places.tolist(), decision.lack) == ([Kind.NEW] * 2, [NOWHERE] * 2, lack)
    assert decision.sent.all()
    assert decide(people({}), planned({3: 1}), ASKED).lack is None


def test_a_decision_says_where_each_is_in_the_memory() -> None:
    decision: Decision = decide(people({1: CONFIRMED, 4: CONFIRMED, 9: CONFIRMED}), planned({9: 5, 2: 5, 1: 5}), ASKED)

    assert decision.places.tolist() == [2, NOWHERE, 0]


STATES = st.builds(
    Known,
    st.sampled_from(State),
    st.integers(1, 3),
    next_try=st.integers(TODAY - 2, TODAY + 2),
)
SOMEBODY = st.dictionaries(st.integers(0, 12), STATES)
VALUES = st.dictionaries(st.integers(0, 12), st.integers(1, 3))
DEMANDS = st.builds(
    Asked, st.just(TODAY), st.booleans(), repeat_every_days=st.integers(0, 4), days_since_repeat=st.integers(-1, 5)
)


def is_due(tail: int, asked: Asked) -> bool:
    """Walk through the days since the last repeat, as a calendar would."""
    days = range(asked.day - asked.days_since_repeat + 1, asked.day + 1)
    return asked.repeat_every_days > 0 and any(
        day % asked.repeat_every_days == tail % asked.repeat_every_days for day in days
    )


@given(st.integers(0, 2**32 - 1), DEMANDS, st.integers(-9, 9))
def test_a_part_is_due_on_the_days_that_a_calendar_says(tail: int, asked: Asked, later: int) -> None:
    asked = replace(asked, day=asked.day + later)
    person = Addresses(np.zeros(1, np.uint64), np.array([tail], np.uint32))

    assert due(person, asked).tolist() == [is_due(tail, asked)]


def expected(known: Known | None, number: int, value: int, asked: Asked) -> Kind:
    if known is None:
        return Kind.NEW
    if known.state in {State.IN_DOUBT, State.OVERTAKEN}:
        return Kind.IN_DOUBT
    if known.state == State.LEAVING:
        return Kind.RETURNED
    if known.value != value:
        return Kind.CHANGED
    if known.state == State.REFUSED:
        return Kind.POSTPONED if asked.day < known.next_try and not asked.everybody else Kind.RETRIED
    if asked.everybody:
        return Kind.AGAIN
    return Kind.REPEATED if is_due(number % HEADS, asked) else Kind.UNCHANGED


@given(SOMEBODY, VALUES, DEMANDS)
def test_everybody_gets_what_a_table_says(known: dict[int, Known], values: dict[int, int], asked: Asked) -> None:
    assert kinds(known, values, asked) == {
        number: expected(known.get(number), number, value, asked) for number, value in values.items()
    }


@given(SOMEBODY, VALUES, DEMANDS)
def test_nobody_is_left_out_whose_values_differ_or_who_is_not_known(
    known: dict[int, Known], values: dict[int, int], asked: Asked
) -> None:
    decision = decide(people(known), planned(values), asked)

    for number, sent in zip(values, decision.sent.tolist(), strict=True):
        if not sent:
            assert known[number].value == values[number]
            assert known[number].state in {State.CONFIRMED, State.REFUSED}
            assert not asked.everybody
    assert sum(decision.counts().values()) == len(values)


MANY = Addresses(np.arange(500, dtype=np.uint64), np.arange(500, dtype=np.uint32) * np.uint32(7_919))


@given(st.integers(1, 40), st.integers(1, 60_000))
def test_over_as_many_days_as_there_are_parts_everybody_is_due_exactly_once(parts: int, first: int) -> None:
    times: Counter[int] = Counter()
    for day in range(first, first + parts):
        times.update(np.flatnonzero(due(MANY, Asked(day, repeat_every_days=parts, days_since_repeat=1))).tolist())

    assert times == Counter(range(500))


@given(st.integers(1, 12), st.integers(100, 60_000), st.lists(st.integers(0, 5), max_size=20))
def test_nobody_is_passed_over_when_days_go_without_a_run(parts: int, first: int, pauses: list[int]) -> None:
    day, times = first, Counter[int]()
    for pause in pauses:
        day += pause
        times.update(np.flatnonzero(due(MANY, Asked(day, repeat_every_days=parts, days_since_repeat=pause))).tolist())
    whole, rest = divmod(day - first, parts)

    fewest = 0 if any(pause > parts for pause in pauses) else whole  # parts that are due twice go once
    assert all(fewest <= times[person] <= whole + bool(rest) for person in range(500))
    if day - first >= parts:
        assert all(times[person] for person in range(500))


def test_all_at_once_only_after_as_many_days_as_there_are_parts_and_never_backwards() -> None:
    assert due(MANY, Asked(TODAY, repeat_every_days=7, days_since_repeat=7)).all()
    assert not due(MANY, Asked(TODAY, repeat_every_days=7, days_since_repeat=6)).all()
    for since, parts in ((0, 7), (-3, 7), (5, 0), (1, -1)):
        assert not due(MANY, Asked(TODAY, repeat_every_days=parts, days_since_repeat=since)).any()


def test_parts_are_about_equal() -> None:
    tails = np.random.default_rng(1).integers(0, 2**32, 70_000, dtype=np.uint32)
    some = Addresses(np.zeros(70_000, np.uint64), tails)

    counts = [
        np.count_nonzero(due(some, Asked(TODAY + day, repeat_every_days=7, days_since_repeat=1))) for day in range(7)
    ]

    assert all(9_500 < count < 10_500 for count in counts)
