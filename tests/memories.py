"""Memories in tests: columns from tables, and the rules a second time, in plain Python over a dictionary.

A person is named by a small number; heads of their hashes are shared by three people each, so that tails matter.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from exporter.memory.blob import Header, Memory
from exporter.memory.decide import Planned
from exporter.memory.hashes import Addresses
from exporter.memory.keys import PeopleKey
from exporter.memory.merge import Fate, Requested, Segment
from exporter.memory.people import People, State

KEY = PeopleKey(bytes(range(32)))
HEADS = 3


@dataclass(frozen=True)
class Known:
    """What is remembered of a person; 0: nothing."""

    state: State
    value: int = 0
    customer: int = 0
    lists: int = 0
    next_try: int = 0
    since: int = 0
    refusals: int = 0
    reason: int = 0


@dataclass(frozen=True)
class Sent:
    """What was sent of a person, and what became of it."""

    value: int
    fate: Fate
    customer: int = 0
    reason: int = 0
    lists: int = 0


type Everybody = Mapping[int, Known]


def addresses(numbers: Iterable[int]) -> Addresses:
    chosen = np.array(list(numbers), np.int64)
    return Addresses((chosen // HEADS).astype(np.uint64), (chosen % HEADS).astype(np.uint32))


def numbers(found: Addresses) -> list[int]:
    return [int(head) * HEADS + int(tail) for head, tail in zip(found.heads, found.tails, strict=True)]


def planned(values: Mapping[int, int]) -> Planned:
    return Planned(addresses(values), np.array(list(values.values()), np.uint64))


def segment(customers: Mapping[int, int]) -> Segment:
    return Segment(addresses(customers), np.array(list(customers.values()), np.uint64))


def requested(sent: Mapping[int, Sent]) -> Requested:
    rows = sent.values()
    return Requested(
        addresses(sent),
        np.array([row.value for row in rows], np.uint64),
        np.array([row.customer for row in rows], np.uint64),
        np.array([row.fate for row in rows], np.uint8),
        np.array([row.reason for row in rows], np.uint8),
        np.array([row.lists for row in rows], np.uint16),
    )


def people(known: Everybody) -> People:
    ordered = {number: known[number] for number in sorted(known)}
    rows = ordered.values()
    where = addresses(ordered)
    return People(
        heads=where.heads,
        values=np.array([row.value for row in rows], np.uint64),
        customer_ids=np.array([row.customer for row in rows], np.uint64),
        tails=where.tails,
        refused_lists=np.array([row.lists for row in rows], np.uint16),
        next_tries=np.array([row.next_try for row in rows], np.uint16),
        since=np.array([row.since for row in rows], np.uint16),
        states=np.array([row.state for row in rows], np.uint8),
        refusals=np.array([row.refusals for row in rows], np.uint8),
        reasons=np.array([row.reason for row in rows], np.uint8),
    )


def table(found: People) -> dict[int, Known]:
    columns = (
        *(found.states, found.values, found.customer_ids, found.refused_lists),
        *(found.next_tries, found.since, found.refusals, found.reasons),
    )
    rows = zip(*(column.tolist() for column in columns), strict=True)
    return {
        number: Known(State(state), *rest)
        for number, (state, *rest) in zip(numbers(found.addresses), rows, strict=True)
    }


def header(run: str = "run", **others: object) -> Header:
    facts = {"key_check": KEY.check, "generation": 1, "membership": "m", "values": "v", "run": run, **others}
    return Header.model_validate(facts)


def memory(known: Everybody, run: str = "run", **others: object) -> Memory:
    return Memory(header(run, **others), people(known))


def merged(
    old: Everybody,
    customers: Mapping[int, int] | None,
    sent: Mapping[int, Sent],
    day: int,
    overtaking: Collection[int],
    *,
    leavers: bool,
) -> dict[int, Known]:
    """Say for each person what is remembered after a run; `customers` is the segment, None for a few people's run."""
    after: dict[int, Known] = {}
    for number in sorted({*old, *sent}):
        before = old.get(number)
        if number in sent:
            after[number] = _after_request(before, sent[number], day, overtaken=number in overtaking)
        elif before and customers is None:
            after[number] = before
        elif before and customers is not None and number in customers:
            after[number] = replace(before, since=0, customer=customers[number])
            if before.state == State.LEAVING:
                after[number] = replace(after[number], state=State.OVERTAKEN, value=0, next_try=0)
        elif before and leavers:
            after[number] = replace(before, since=before.since or day)
    return after


def _after_request(before: Known | None, sent: Sent, day: int, *, overtaken: bool) -> Known:
    refusals, reason, lists = (before.refusals, before.reason, before.lists) if before else (0, 0, 0)
    doubt = Known(State.IN_DOUBT, customer=sent.customer, refusals=refusals, reason=reason, lists=lists)
    return replace(doubt, state=State.OVERTAKEN) if overtaken else told(doubt, sent, day)


def told(doubted: Known, sent: Sent, day: int) -> Known:
    """Say what is remembered of somebody in doubt when an outcome is known."""
    if sent.fate == Fate.CONFIRMED:
        return replace(
            doubted, state=State.CONFIRMED, value=sent.value, lists=sent.lists, refusals=0, reason=0, next_try=0
        )
    if sent.fate == Fate.REFUSED:
        refusals = min(doubted.refusals + 1, 255)
        pause = 28 if refusals > 5 else 2 ** (refusals - 1)
        return replace(
            doubted,
            state=State.REFUSED,
            value=sent.value,
            lists=sent.lists,
            refusals=refusals,
            reason=sent.reason,
            next_try=min(day + pause, 65_535),
        )
    return doubted
