"""When somebody may look at an account: nobody twice at a time, three in a row, then one every 20 seconds."""

from __future__ import annotations

import pytest

from exporter.records.looks import Look, Seen
from tests.fakes import START

SEEN = Seen(began=START, lists=(), fields=(), limits=None)


def looked(*times: float) -> Look:
    record = Look()
    for at in times:
        record = record.begin(at).end(SEEN)
    return record


@pytest.mark.parametrize(
    ("times", "next_at"),
    [
        ((), START),
        ((START,), START),
        ((START, START), START),
        ((START, START, START), START + 20),
        ((START, START, START, START + 20), START + 40),
        ((START - 60, START - 60, START - 60), START),
        ((START - 25, START - 25, START - 25), START),
        ((START - 15, START - 15, START - 15), START + 5),
    ],
)
def test_three_looks_may_follow_each_other(times: tuple[float, ...], next_at: float) -> None:
    assert looked(*times).may_begin_at(START) == next_at


def test_while_somebody_looks_nobody_else_does_for_a_minute() -> None:
    looking = Look().begin(START)
    assert looking.may_begin_at(START + 1) == START + 60
    assert looking.may_begin_at(START + 61) == START + 61
    assert looking.end(None).may_begin_at(START + 1) == START + 1


def test_looks_that_come_to_nothing_are_not_paid_for() -> None:
    record = Look()
    for _ in range(9):
        record = record.begin(START).end(None)
    assert record.may_begin_at(START) == START


def test_who_saw_nothing_leaves_what_was_seen_before() -> None:
    assert looked(START).begin(START + 5).end(None).seen == SEEN
