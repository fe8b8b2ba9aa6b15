"""What is remembered after runs: against a plain table, and against an account whose imports end when they like."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from random import Random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.memory.blob import Memory, OpenRun, read, write
from exporter.memory.decide import Asked, Kind, decide
from exporter.memory.lack import Lack
from exporter.memory.merge import Fate, amend, fold, merge, merge_few, missing, pause_days
from exporter.memory.people import LAST_DAY, State, number_of
from exporter.reasons import Reason
from tests.memories import (
    KEY,
    Known,
    Sent,
    addresses,
    header,
    memory,
    merged,
    planned,
    requested,
    segment,
    table,
    told,
)

TODAY = 20_784
PEOPLE = st.integers(0, 8)
CUSTOMERS = st.dictionaries(PEOPLE, st.integers(0, 3))
SENT = st.dictionaries(
    PEOPLE,
    st.builds(Sent, st.integers(1, 3), st.sampled_from(Fate), st.integers(0, 3), st.integers(1, 7), st.integers(0, 3)),
)
KNOWN = st.dictionaries(
    PEOPLE,
    st.builds(
        Known,
        st.sampled_from(State),
        st.integers(1, 3),
        st.integers(0, 3),
        st.integers(0, 3),
        st.sampled_from([0, TODAY]),
        st.sampled_from([0, TODAY - 3]),
        st.sampled_from([0, 1, 2, 3, 4, 5, 6, 7, 254, 255]),
        st.integers(0, 7),
    ),
)
CONFIRMED = Known(State.CONFIRMED, 1)


@given(KNOWN, CUSTOMERS, SENT, st.sets(PEOPLE), st.booleans(), st.sampled_from([TODAY, LAST_DAY - 5]))
def test_a_run_leaves_what_a_plain_table_says(
    known: dict[int, Known],
    customers: dict[int, int],
    sent: dict[int, Sent],
    overtaking: set[int],
    leavers: bool,  # noqa: FBT001
    day: int,
) -> None:
    after = merge(
        memory(known),
        header("next"),
        segment(customers),
        requested(sent),
        day,
        overtaking=addresses(overtaking),
        leavers=leavers,
    )

    assert table(after.people) == merged(known, customers, sent, day, overtaking, leavers=leavers)
    assert table(read(write(after), KEY).people) == table(after.people)


@given(KNOWN, SENT, st.sets(PEOPLE))
def test_a_run_for_a_few_people_says_nothing_of_others(
    known: dict[int, Known], sent: dict[int, Sent], overtaking: set[int]
) -> None:
    before = memory(known, open=(OpenRun(run="older", imports=("a",)),))
    opened = OpenRun(run="few", imports=("b",))
    after = merge_few(before, opened, requested(sent), TODAY, overtaking=addresses(overtaking))

    assert table(after.people) == merged(known, None, sent, TODAY, overtaking, leavers=True)
    assert after.header == before.header.model_copy(update={"open": (*before.header.open, opened)})
    assert merge_few(before, None, requested({}), TODAY).header == before.header


@given(KNOWN, st.booleans())
def test_merging_nothing_changes_nothing(known: dict[int, Known], leavers: bool) -> None:  # noqa: FBT001
    known = {number: replace(row, since=0) for number, row in known.items() if row.state != State.LEAVING}
    customers = {number: row.customer for number, row in known.items()}
    before = memory(known)

    after = merge(before, header("next"), segment(customers), requested({}), TODAY, leavers=leavers)

    assert table(after.people) == table(before.people) == dict(sorted(known.items()))


@given(SENT, CUSTOMERS)
def test_without_a_memory_only_who_was_in_a_request_is_remembered(
    sent: dict[int, Sent], customers: dict[int, int]
) -> None:
    after = merge(None, header(), segment(customers), requested(sent), TODAY)

    assert table(after.people).keys() == sent.keys()
    assert after.header == header()


@given(KNOWN, CUSTOMERS, SENT, st.sets(PEOPLE))
def test_who_is_not_confirmed_is_not_remembered_as_confirmed_and_is_sent_again(
    known: dict[int, Known], customers: dict[int, int], sent: dict[int, Sent], overtaking: set[int]
) -> None:
    after = merge(memory(known), header(), segment(customers), requested(sent), TODAY, overtaking=addresses(overtaking))
    decision = decide(after.people, planned({number: row.value for number, row in sent.items()}), Asked(TODAY))

    for (number, row), kind in zip(sent.items(), decision.kinds.tolist(), strict=True):
        remembered = table(after.people)[number]
        sure = row.fate == Fate.CONFIRMED and number not in overtaking
        assert (remembered.state == State.CONFIRMED) == sure == (kind == Kind.UNCHANGED)
        assert remembered.state in {State.CONFIRMED, State.REFUSED} or remembered.value == 0


def test_the_old_memory_is_left_as_it_was() -> None:
    before = read(write(memory({1: CONFIRMED, 2: Known(State.LEAVING, 1)})), KEY)  # its columns cannot be written into
    merge(before, header(), segment({1: 7, 2: 7}), requested({1: Sent(2, Fate.REFUSED)}), TODAY)
    merge_few(before, None, requested({1: Sent(2, Fate.REFUSED)}), TODAY)

    assert table(before.people) == {1: CONFIRMED, 2: Known(State.LEAVING, 1)}


def test_nobody_is_requested_twice() -> None:
    twice = requested({1: Sent(1, Fate.CONFIRMED), 2: Sent(1, Fate.CONFIRMED)}).take(np.array([0, 1, 0]))

    with pytest.raises(ValueError, match="each person was requested once, found somebody twice"):
        merge(None, header(), segment({}), twice, TODAY)


def test_pauses_grow_to_four_weeks_and_end_with_a_confirmation() -> None:
    assert pause_days(np.arange(1, 9)).tolist() == [1, 2, 4, 8, 16, 28, 28, 28]
    known: Memory | None = None
    pauses = []
    for _ in range(4):
        sent = requested({1: Sent(1, Fate.REFUSED, reason=number_of(Reason.BOUNCED))})
        known = merge(known, header(), segment({1: 0}), sent, TODAY)
        pauses.append(table(known.people)[1].next_try - TODAY)
    known = merge(known, header(), segment({1: 0}), requested({1: Sent(1, Fate.WITHOUT_OUTCOME)}), TODAY)
    assert table(known.people)[1] == Known(State.IN_DOUBT, refusals=4, reason=number_of(Reason.BOUNCED))
    known = merge(known, header(), segment({1: 0}), requested({1: Sent(1, Fate.CONFIRMED)}), TODAY)

    assert pauses == [1, 2, 4, 8]
    assert table(known.people)[1] == Known(State.CONFIRMED, 1)


def test_who_left_stays_with_the_first_day_without_them_until_they_are_back() -> None:
    known = memory({1: CONFIRMED, 2: CONFIRMED})
    seen = []
    for day, customers in ((TODAY, {2: 0}), (TODAY + 1, {2: 0}), (TODAY + 2, {1: 0, 2: 0})):
        known = merge(known, header(), segment(customers), requested({}), day, leavers=True)
        seen.append(table(known.people)[1].since)

    assert seen == [TODAY, TODAY, 0]
    assert missing(known.people, addresses([2, 7])).tolist() == [True, False]


def test_the_header_keeps_open_runs_and_the_last_day_of_repeats() -> None:
    older, own = OpenRun(run="1", imports=("a",)), OpenRun(run="2", imports=("b",))
    before = memory({}, "1", open=(older,), repeated_on=TODAY)

    after = merge(before, header("2", open=(own,), refresh="r"), segment({}), requested({}), TODAY + 1)
    later = merge(after, header("3", repeated_on=TODAY + 2), segment({}), requested({}), TODAY + 2)

    assert after.header == header("2", open=(older, own), refresh="r", repeated_on=TODAY)
    assert later.header == header("3", open=(older, own), repeated_on=TODAY + 2)


LATE = st.dictionaries(st.sampled_from(["a", "b", "c"]), SENT)


@given(KNOWN, LATE, st.sets(st.sampled_from(["a", "b"])))
def test_late_outcomes_of_imports_that_are_open_reach_who_is_in_doubt_once(
    known: dict[int, Known], late: dict[str, dict[int, Sent]], names: set[str]
) -> None:
    others = OpenRun(run="2", imports=("a",))
    before = memory(known, open=(OpenRun(run="1", imports=tuple(sorted(names))), others))
    ended = {name: requested(sent) for name, sent in late.items()}
    expected = dict(sorted(known.items()))
    for fate in (Fate.CONFIRMED, Fate.REFUSED):
        for name in sorted(names & late.keys()):
            for number, sent in late[name].items():
                if sent.fate == fate and number in known and expected[number].state == State.IN_DOUBT:
                    expected[number] = told(expected[number], sent, TODAY)

    after = fold(before, "1", ended, TODAY)

    left = tuple(sorted(names - late.keys()))
    assert table(after.people) == expected
    expected_open = (*([OpenRun(run="1", imports=left)] if left or not names else []), others)
    assert after.header.open == (expected_open if names & late.keys() else before.header.open)
    assert fold(after, "1", ended, TODAY) is after
    assert fold(before, "3", ended, TODAY) is before
    assert table(before.people) == dict(sorted(known.items()))


def test_who_is_in_two_late_imports_is_confirmed_if_one_of_them_confirms() -> None:
    before = memory({1: Known(State.IN_DOUBT)}, open=(OpenRun(run="1", imports=("a", "b")),))
    ended = {"a": requested({1: Sent(1, Fate.REFUSED)}), "b": requested({1: Sent(1, Fate.CONFIRMED)})}

    assert table(fold(before, "1", ended, TODAY).people)[1].state == State.CONFIRMED


def test_look_ups_take_back_confirmations_and_give_reasons() -> None:
    bounced, unknown = number_of(Reason.BOUNCED), number_of(Reason.FAILED_IN_IMPORT)
    refused = Known(State.REFUSED, 1, next_try=TODAY + 1, refusals=1, reason=unknown)
    before = memory({1: CONFIRMED, 2: refused, 3: CONFIRMED, 4: Known(State.OVERTAKEN)})
    found = (addresses([4, 2, 1, 8]), np.array([bounced] * 4, np.uint8))

    after = amend(before, "run", *found)

    assert table(after.people) == {
        1: Known(State.IN_DOUBT),
        2: replace(refused, reason=bounced),
        3: CONFIRMED,
        4: Known(State.OVERTAKEN),
    }
    assert amend(before, "another", *found) is before
    assert amend(before, "run", addresses([8]), np.array([bounced], np.uint8)) is before


@dataclass
class Import:
    """An import that is open: what it brings, and whether ActiveCampaign has processed it."""

    run: str
    name: str
    brings: Mapping[int, int]
    fates: Mapping[int, Fate]
    over: bool = False


@dataclass
class World:
    """An account, an export with a memory, and imports that end in any order.

    Nobody edits by hand; an import that was given up does nothing any more.
    """

    account: dict[int, int] = field(default_factory=dict)
    imports: list[Import] = field(default_factory=list)
    memory: Memory | None = None
    runs: int = 0

    def finish(self, bulk: Import) -> None:
        """Let an import bring its people."""
        bulk.over = True
        self.account |= {number: value for number, value in bulk.brings.items() if bulk.fates[number] == Fate.CONFIRMED}

    def ask(self, *, give_up: bool) -> None:
        """Fold what has ended, as a plan does; those that are given up end without outcome."""
        for bulk in [bulk for bulk in self.imports if bulk.over or give_up]:
            fates = bulk.fates if bulk.over else dict.fromkeys(bulk.fates, Fate.WITHOUT_OUTCOME)
            ended = {bulk.name: requested({n: Sent(v, fates[n]) for n, v in bulk.brings.items()})}
            if self.memory:
                self.memory = fold(self.memory, bulk.run, ended, TODAY)
            self.imports.remove(bulk)

    def check(self) -> None:
        """Who is remembered as confirmed is there with these values, and nothing that is open can change that."""
        coming = {number for bulk in self.imports for number in bulk.brings}
        for number, row in (table(self.memory.people) if self.memory else {}).items():
            if row.state == State.CONFIRMED:
                assert self.account.get(number) == row.value
                assert number not in coming or all(bulk.over for bulk in self.imports if number in bulk.brings)


@pytest.mark.parametrize("seed", range(4))
def test_after_any_sequence_of_runs_whoever_is_left_out_is_there_with_the_values_of_the_segment(seed: int) -> None:
    chance = Random(seed)
    for _ in range(40):
        world = World()
        for _ in range(chance.randint(2, 8)):
            one_run(world, chance)
            some_end(world, chance)
            world.check()
        everything_settles(world, some_values(chance))


HALF, SELDOM = 0.5, 0.2


def some_values(chance: Random) -> dict[int, int]:
    return {number: chance.randint(1, 2) for number in range(3) if chance.random() > SELDOM}


def some_end(world: World, chance: Random) -> None:
    for bulk in world.imports:
        if not bulk.over and chance.random() < SELDOM:
            world.finish(bulk)


def everything_settles(world: World, values: dict[int, int]) -> None:
    """When nothing is open any more, one run that is confirmed suffices: nobody is sent for ever."""
    for bulk in world.imports:
        world.finish(bulk)
    world.ask(give_up=False)
    sent = requested({number: Sent(value, Fate.CONFIRMED) for number, value in values.items()})
    after = merge(world.memory, header("last"), segment(dict.fromkeys(values, 0)), sent, TODAY)

    assert after.header.open == ()
    assert set(decide(after.people, planned(values), Asked(TODAY)).kinds.tolist()) <= {Kind.UNCHANGED}


def one_run(world: World, chance: Random) -> None:
    """Plan, send to some, note what became of them; what is open may end meanwhile."""
    world.runs += 1
    run = f"run {world.runs}"
    world.ask(give_up=chance.random() < SELDOM / 2)
    world.check()
    overtaking = addresses(sorted({number for bulk in world.imports for number in bulk.brings}))
    few = world.memory is not None and chance.random() < SELDOM
    values = some_values(chance)
    known = world.memory.people if world.memory else Lack.FIRST_RUN
    asked = Asked(TODAY, few or chance.random() < HALF)
    decision = decide(known, planned(values), asked)
    for (number, value), kind in zip(values.items(), decision.kinds.tolist(), strict=True):
        assert kind != Kind.UNCHANGED or world.account.get(number) == value
    chosen = [number for number, sent in zip(values, decision.sent.tolist(), strict=True) if sent]
    in_requests = [number for number in chosen if chance.random() > SELDOM]
    some_end(world, chance)  # after the plan, and before anything is sent
    sent: dict[int, Sent] = {}
    late: dict[int, Fate] = {}
    for number in in_requests:
        fate = chance.choice([*Fate, Fate.OPEN])
        sent[number] = Sent(values[number], fate)
        if fate == Fate.CONFIRMED or (fate == Fate.WITHOUT_OUTCOME and chance.random() < HALF):
            world.account[number] = values[number]
        elif fate == Fate.OPEN:
            late[number] = Fate.REFUSED if chance.random() < SELDOM else Fate.CONFIRMED
    some_end(world, chance)
    opened = [Import(run, f"of {run}", {number: values[number] for number in late}, late)] if late else []
    names = tuple(OpenRun(run=run, imports=(bulk.name,)) for bulk in opened)
    if world.memory and few:
        own = names[0] if names else None
        world.memory = merge_few(world.memory, own, requested(sent), TODAY, overtaking=overtaking)
    else:
        world.memory = merge(
            world.memory,
            header(run, open=names),
            segment(dict.fromkeys(values, 0)),
            requested(sent),
            TODAY,
            overtaking=overtaking,
            leavers=chance.random() < HALF,
        )
    world.imports += opened
