"""The rate budget: no window ever holds more than ActiveCampaign allows, and little of the limit is left unused."""

import itertools
import math
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import replace

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.activecampaign.pacing import (
    GAP,
    MAX_GAP_S,
    MAX_SPREAD,
    SPREAD,
    VALID_S,
    Budget,
    Pace,
    is_ahead,
    penalise,
    spread_at,
    take,
)
from exporter.activecampaign.wire import Kind
from exporter.errors import Wait
from exporter.model import VERSION

START = 1_795_000_000.0
JUST_LATE = VALID_S * 0.999


def most(times: Sequence[float], window_s: float) -> int:
    """The most that any window holds, both ends included."""
    ordered = sorted(times)
    return max((bisect_right(ordered, t + window_s) - i for i, t in enumerate(ordered)), default=0)


def assert_limits(sent: Sequence[tuple[Kind, float]]) -> None:
    """https://developers.activecampaign.com/reference/bulk-import-contacts and /rate-limits."""
    assert most([at for _, at in sent], 1) <= 5
    assert most([at for kind, at in sent if kind is not Kind.GENERAL], 60) <= 100
    assert most([at for kind, at in sent if kind is Kind.SINGLE], 60) <= 20


def take_many(budget: Budget, kinds: Sequence[Kind], now: float = START) -> tuple[Budget, list[float]]:
    turns = []
    for kind in kinds:
        budget, at = take(budget, kind, now)
        turns.append(at)
    return budget, turns


@st.composite
def takers(draw: st.DrawFn) -> list[tuple[Kind, float, float, float]]:
    """Who takes turns: kind, seconds since the last one took, how late it sends, how long it is refused (0: not)."""
    kind = st.sampled_from(draw(st.sampled_from([[Kind.BULK], list(Kind), [Kind.SINGLE, Kind.GENERAL]])))
    gap_s = st.sampled_from([0.0, 0.0, 0.0, 0.625, 3.0, 61.0]) | st.floats(0, 2)
    late_s = st.sampled_from([0.0, JUST_LATE]) | st.floats(0, JUST_LATE)
    refused_s = st.sampled_from(draw(st.sampled_from([[0.0], [0.0, 0.0, 0.0, 0.0, 1.0], [0.0, 0.0, 7.3, 60.0]])))
    size = draw(st.sampled_from([10, 250]))
    return draw(st.lists(st.tuples(kind, gap_s, late_s, refused_s), min_size=1, max_size=size))


@settings(deadline=None, max_examples=50)
@given(takers(), st.floats(0, 1))
def test_no_window_holds_more_than_the_limits_however_the_takers_interleave(
    everybody: list[tuple[Kind, float, float, float]], start_s: float
) -> None:
    budget, now = Budget(), START + start_s
    sent: list[tuple[Kind, float]] = []
    for kind, gap_s, late_s, refused_s in everybody:
        now += gap_s
        if refused_s:
            budget = penalise(budget, now, refused_s)
        budget, at = take(budget, kind, now)
        assert at >= now
        sent.append((kind, at + late_s))
    assert_limits(sent)


@settings(deadline=None, max_examples=50)
@given(takers(), st.lists(st.floats(-25, 25), min_size=250, max_size=250))
def test_turns_keep_their_distance_even_when_clocks_differ(
    everybody: list[tuple[Kind, float, float, float]], differences_s: list[float]
) -> None:
    budget, now, tick_s = Budget(), START, Pace().tick_s
    turns: dict[Kind, list[float]] = {kind: [] for kind in Kind}
    for (kind, gap_s, _, refused_s), difference_s in zip(everybody, differences_s, strict=False):
        now += gap_s
        if refused_s:
            budget = penalise(budget, now + difference_s, refused_s)
        budget, at = take(budget, kind, now + difference_s)
        turns[kind].append(at)
    single, bulk = turns[Kind.SINGLE], turns[Kind.BULK] + turns[Kind.SINGLE]
    assert closest(bulk + turns[Kind.GENERAL]) >= GAP * tick_s
    assert closest(bulk) >= SPREAD * tick_s
    assert closest(single) >= 3.125


def closest(times: Sequence[float]) -> float:
    return min((b - a for a, b in itertools.pairwise(sorted(times))), default=math.inf)


@settings(deadline=None, max_examples=20)
@given(
    st.sampled_from([1.0, 17.0, 48.0, 90.0, 96.0, 99.0]),
    st.lists(st.sampled_from(list(Kind)), min_size=60, max_size=200),
)
def test_every_pace_that_is_accepted_keeps_the_limits(bulk_per_minute: float, kinds: list[Kind]) -> None:
    budget, pace = Budget(), Pace(bulk_per_minute)
    sent = []
    for number, kind in enumerate(kinds):
        budget, at = take(budget, kind, START, pace)
        sent.append((kind, at + (JUST_LATE if number % 3 == 0 else 0.0)))
    assert_limits(sent)


def test_the_fastest_pace_leaves_room_for_requests_that_are_half_a_second_late() -> None:
    assert Pace(99.1).tick_s == pytest.approx(60 / 4 / 99.1)
    assert Pace(0.5).tick_s == 30
    with pytest.raises(ValueError, match=r"even when each request is up to 0\.5 s late, found 99\.2;"):
        Pace(99.2)


@pytest.mark.parametrize(("bulk_per_minute", "ticks"), [(96, 20), (99, 20), (60, 16), (48, 12), (16, 4), (4, 4)])
def test_bulk_imports_of_one_contact_are_as_far_apart_as_twenty_a_minute_need(
    bulk_per_minute: float, ticks: int
) -> None:
    assert Pace(bulk_per_minute).single_ticks == ticks


@pytest.mark.parametrize("bulk_per_minute", [0.0, -1.0, 99.2, 99.5, 100.0, 120.0, float("nan"), float("inf")])
def test_a_pace_that_could_break_a_limit_is_refused(bulk_per_minute: float) -> None:
    with pytest.raises(ValueError, match="use 96 or less"):
        Pace(bulk_per_minute)


def test_bulk_imports_and_the_other_requests_take_turns_of_their_own() -> None:
    """START is a turn of bulk imports; they are 0.625 s apart, and the other requests stand halfway between."""
    budget, turns = take_many(Budget(), [Kind.BULK] * 3)
    assert [at - START for at in turns] == [0, 0.625, 1.25]
    assert (budget.bulk, budget.single, budget.general) == ((11488000000, 11488000004, 11488000008), (), ())
    budget, turns = take_many(budget, [Kind.GENERAL] * 3)
    assert [at - START for at in turns] == [0.3125, 0.9375, 1.5625]
    assert (budget.single, budget.general) == ((), (11488000002, 11488000006, 11488000010))
    budget, at = take(budget, Kind.SINGLE, START)
    assert (at - START, budget.single, budget.bulk[-1]) == (1.875, (11488000012,), 11488000012)


@pytest.mark.parametrize(("later_s", "turns_s"), [(5.0, [5.3125, 5.9375]), (5.0625, [5.3125, 5.625])])
def test_the_other_requests_take_every_turn_when_no_bulk_import_went_for_five_seconds(
    later_s: float, turns_s: list[float]
) -> None:
    budget, _ = take(Budget(), Kind.BULK, START)
    _, turns = take_many(budget, [Kind.GENERAL] * 2, START + later_s)
    assert [at - START for at in turns] == turns_s


def test_without_any_bulk_import_the_other_requests_take_every_turn() -> None:
    _, turns = take_many(Budget(), [Kind.GENERAL] * 3)
    assert [at - START for at in turns] == [0, 0.3125, 0.625]


def test_turns_are_remembered_for_a_minute() -> None:
    budget, _ = take_many(Budget(), [Kind.BULK, Kind.GENERAL, Kind.SINGLE])
    first = (budget.bulk[0], budget.single[0], budget.general[0])
    for later_s, remembered in ((60.0, first), (60.0625, (first[0], *first[1:]))):
        after, _ = take(budget, Kind.BULK, START + later_s)
        assert (after.bulk[0], after.single[0], after.general[0]) == remembered
    after, _ = take(budget, Kind.BULK, START + 60.2)
    assert after.bulk[0] == first[1]
    after, _ = take(budget, Kind.BULK, START + 62)
    assert (len(after.bulk), after.single, after.general) == (1, (), ())


@pytest.mark.parametrize("start_s", [0.0, 0.2, 0.4, 0.6])
@pytest.mark.parametrize("first", [Kind.BULK, Kind.GENERAL])
def test_96_of_100_bulk_imports_a_minute_go_out_while_as_many_other_requests_do(first: Kind, start_s: float) -> None:
    kinds = [first, *[Kind.GENERAL, Kind.BULK] * 480]
    _, turns = take_many(Budget(), kinds, START + start_s)
    bulk = [at for at, kind in zip(turns, kinds, strict=True) if kind is Kind.BULK]
    assert bulk[-1] - bulk[0] == 0.625 * (len(bulk) - 1)
    assert max(turns) - START <= 0.625 * (len(bulk) + 2)


def test_the_other_requests_go_twice_as_fast_when_no_bulk_imports_are_left() -> None:
    budget, _ = take_many(Budget(), [Kind.BULK] * 10)
    _, turns = take_many(budget, [Kind.GENERAL] * 192, START + 60)
    assert max(turns) - min(turns) <= 60


def test_a_taker_who_reserves_a_minute_does_not_keep_the_other_kind_waiting() -> None:
    budget, _ = take_many(Budget(), [Kind.BULK] * 96)
    _, at = take(budget, Kind.GENERAL, START)
    assert at - START <= 0.625
    budget, _ = take_many(Budget(), [Kind.BULK, *[Kind.GENERAL] * 96])
    _, at = take(budget, Kind.BULK, START)
    assert at - START <= 0.625


def test_a_bulk_import_of_one_contact_leaves_the_turns_before_it_to_others() -> None:
    budget, (first, second) = take_many(Budget(), [Kind.SINGLE, Kind.SINGLE])
    assert second - first == 3.125
    _, between = take_many(budget, [Kind.BULK] * 5)
    assert sum(first < at < second for at in between) == 4


@given(st.lists(st.sampled_from(list(Kind)), max_size=30))
def test_turns_of_one_kind_advance(kinds: list[Kind]) -> None:
    _, turns = take_many(Budget(), kinds)
    for kind in Kind:
        mine = [at for at, k in zip(turns, kinds, strict=True) if k is kind]
        assert mine == sorted(set(mine))


def test_turns_that_nobody_used_do_not_delay_those_who_come_later() -> None:
    budget, _ = take_many(Budget(), [Kind.BULK] * 50)
    _, at = take(budget, Kind.BULK, START + 3600)
    assert at - (START + 3600) <= 0.625


# --- When ActiveCampaign asks to wait ---


@given(
    st.lists(st.sampled_from(list(Kind)), max_size=20),
    st.floats(1, 900),
    st.sampled_from(list(Kind)),
    st.floats(0, 900),
)
def test_nobody_sends_during_a_pause(kinds: list[Kind], wait_s: float, kind: Kind, later_s: float) -> None:
    budget, _ = take_many(Budget(), kinds)
    budget = penalise(budget, START, wait_s)
    _, at = take(budget, kind, START + later_s)
    assert at >= START + wait_s


@given(st.lists(st.tuples(st.floats(0, 1000), st.floats(1, 900)), min_size=1, max_size=12))
def test_a_refusal_never_makes_anybody_faster(refusals: list[tuple[float, float]]) -> None:
    budget, now = Budget(), START
    for gap_s, wait_s in refusals:
        now += gap_s
        after = penalise(budget, now, wait_s)
        assert after.resume_at >= budget.resume_at
        assert spread_at(after, now) >= spread_at(budget, now)
        assert SPREAD <= after.spread <= MAX_SPREAD
        budget = after


def test_each_pause_makes_the_distance_grow_by_a_quarter_up_to_eight_times_the_usual_one() -> None:
    budget, spreads = Budget(), []
    for _ in range(12):
        budget = penalise(budget, budget.resume_at, 30)
        spreads.append(budget.spread)
    assert spreads == [5, 6, 7, 8, 10, 12, 15, 18, 22, 27, 32, 32]


def test_patience_doubles_when_a_refusal_comes_within_half_an_hour_up_to_sixteen_minutes() -> None:
    budget = penalise(Budget(), START, 60)
    assert (budget.resume_at, budget.calm_s) == (START + 60, 60)
    patience = []
    for _ in range(6):
        budget = penalise(budget, budget.resume_at + 1_799, 60)
        patience.append(budget.calm_s)
    assert patience == [120, 240, 480, 960, 960, 960]
    assert penalise(budget, budget.resume_at + 1_800, 60).calm_s == 60


def test_the_distance_shrinks_by_a_tick_after_the_patience_and_then_by_one_each_minute() -> None:
    budget = Budget(resume_at=START, spread=8, calm_s=240)
    after = {s: spread_at(budget, START + s) for s in (0, 239, 240, 299, 300, 359, 360, 419, 420, 9_999)}
    assert after == {0: 8, 239: 8, 240: 7, 299: 7, 300: 6, 359: 6, 360: 5, 419: 5, 420: 4, 9_999: 4}


def test_a_refusal_during_a_pause_makes_it_longer_and_never_shorter() -> None:
    budget = penalise(Budget(), START, 60)
    assert penalise(budget, START + 30, 10) == budget
    assert penalise(budget, START + 30, 31).resume_at == START + 61
    assert penalise(budget, START + 60, 1).spread == 6


@pytest.mark.parametrize(
    ("kind", "turns_s"),
    [(Kind.BULK, [0, 1.25, 2.5]), (Kind.SINGLE, [0, 6.25, 12.5]), (Kind.GENERAL, [0, 0.625, 1.25])],
)
def test_at_twice_the_distance_every_kind_goes_half_as_fast(kind: Kind, turns_s: list[float]) -> None:
    _, turns = take_many(Budget(resume_at=START, spread=8), [kind] * 3)
    assert [at - START for at in turns] == turns_s


def test_a_distance_that_is_not_the_usual_one_leaves_the_grid_of_four() -> None:
    budget, turns = take_many(Budget(resume_at=START, spread=5), [Kind.BULK] * 3)
    assert [at - START for at in turns] == [0, 0.78125, 1.5625]
    _, turns = take_many(budget, [Kind.GENERAL] * 2)
    assert [at - START for at in turns] == [0.3125, 2.1875]


def test_refusals_that_arrive_during_a_pause_slow_down_only_once() -> None:
    once = penalise(Budget(), START, 30)
    again = once
    for n in range(20):
        again = penalise(again, START + n / 10, 30)
    assert spread_at(again, START) == spread_at(once, START)
    assert again.resume_at == START + 1.9 + 30


def test_the_rate_falls_with_each_pause_to_an_eighth_and_recovers_by_itself() -> None:
    budget = Budget()
    for _ in range(30):
        budget = penalise(budget, budget.resume_at + 1, 30)
    assert spread_at(budget, budget.resume_at) == MAX_SPREAD == 8 * SPREAD
    rates = [SPREAD / spread_at(budget, budget.resume_at + minutes * 60) for minutes in range(121)]
    assert rates == sorted(rates)
    assert rates[-1] == 1


def test_it_is_patient_beside_another_integration_and_quick_once_that_is_gone() -> None:
    budget = Budget()
    for _ in range(6):
        budget = penalise(budget, budget.resume_at + 1, 60)
    spread, patience_s = spread_at(budget, budget.resume_at), 960
    assert spread > SPREAD + 1
    assert spread_at(budget, budget.resume_at + patience_s - 1) == spread
    assert spread_at(budget, budget.resume_at + patience_s) == spread - 1
    assert spread_at(budget, budget.resume_at + patience_s + (spread - SPREAD - 1) * 60) == SPREAD


@pytest.mark.parametrize("kind", [Kind.BULK, Kind.SINGLE, Kind.GENERAL])
def test_a_refusal_slows_down_every_kind_of_request(kind: Kind) -> None:
    _, before = take_many(Budget(), [Kind.BULK, *[kind] * 20])
    budget = Budget()
    for _ in range(5):
        budget = penalise(budget, budget.resume_at + 1, 30)
    _, after = take_many(budget, [Kind.BULK, *[kind] * 20], budget.resume_at)
    assert after[-1] - after[0] >= 1.9 * (before[-1] - before[0])


@pytest.mark.parametrize("bulk_per_minute", [6, 12, 24, 48, 96])
def test_refusals_drive_what_waits_for_several_turns_no_further_apart_than_five_seconds(bulk_per_minute: int) -> None:
    budget, pace, turns = Budget(resume_at=START, spread=MAX_SPREAD), Pace(bulk_per_minute), [START]
    for _ in range(8):
        budget, at = take(budget, Kind.GENERAL, START, pace)
        turns.append(at)
    assert all(after - before <= MAX_GAP_S for before, after in itertools.pairwise(turns))
    assert turns[-1] - turns[1] >= 7 * 16 * Pace().tick_s, "at the usual pace: an eighth of the rate"


@given(st.lists(st.sampled_from(list(Kind)), max_size=40), st.lists(st.sampled_from([-3.0, 0.0, 3.0]), min_size=40))
def test_after_a_pause_bulk_imports_keep_the_larger_distance(kinds: list[Kind], differences_s: list[float]) -> None:
    budget = penalise(Budget(), START - 30, 30)
    turns = []
    for kind, difference_s in zip(kinds, differences_s, strict=False):
        budget, at = take(budget, kind, START + 10 + difference_s)
        if kind is not Kind.GENERAL:
            turns.append(at)
    assert closest(turns) >= spread_at(budget, START + 10) * Pace().tick_s == 5 * 0.15625


def test_after_one_pause_the_full_rate_is_back_within_a_minute() -> None:
    budget = penalise(Budget(), START, 60)
    _, turns = take_many(budget, [Kind.BULK] * 97, START + 121)
    assert turns[-1] - turns[0] == 60


@pytest.mark.parametrize(("others", "at_least"), [(0, 0.95), (20, 0.8), (40, 0.8), (60, 0.8)])
def test_beside_another_integration_most_of_what_it_leaves_is_used(others: int, at_least: float) -> None:
    """Both in one sliding minute of 100; refused for a minute when it is full."""
    budget, now = Budget(), START
    accepted: list[float] = []  # everybody's
    ours = refused = other_at = 0
    while now < START + 3600:
        budget, now = take(budget, Kind.BULK, now)
        while others and START + other_at * 60 / others <= now:
            at = START + other_at * 60 / others
            other_at += 1
            if len(accepted) - bisect_right(accepted, at - 60) < 100:
                accepted.append(at)
        if len(accepted) - bisect_right(accepted, now - 60) < 100:
            accepted.append(now)
            ours += 1
        else:
            budget = penalise(budget, now, 60)
            refused += 1
    assert ours >= at_least * 60 * (100 - others)
    assert refused <= 8


# --- The record ---


@given(st.lists(st.sampled_from(list(Kind)), max_size=30), st.lists(st.floats(1, 900), max_size=3))
def test_a_budget_survives_storage(kinds: list[Kind], waits: list[float]) -> None:
    budget, _ = take_many(Budget(), kinds)
    for wait_s in waits:
        budget = penalise(budget, START, wait_s)
    assert Budget.from_json(budget.to_json()) == budget


def test_a_budget_is_stored_in_this_form() -> None:
    budget = Budget(bulk=(1, 5), single=(5,), general=(3,), runs={"r": (5,)}, resume_at=7.5, spread=6, calm_s=120.0)
    assert orjson.loads(budget.to_json()) == {
        "schemaVersion": VERSION,
        "bulk": [1, 5],
        "single": [5],
        "general": [3],
        "runs": [{"runId": "r", "turns": [5]}],
        "resumeAt": 7.5,
        "spread": 6,
        "calmS": 120.0,
    }
    assert Budget.from_json(budget.to_json()) == budget
    assert Budget() == Budget((), (), (), {}, 0.0, 4, 60.0)


def test_a_budget_of_an_unknown_version_is_refused() -> None:
    record = orjson.loads(Budget().to_json()) | {"schemaVersion": VERSION + 1}
    with pytest.raises(Wait, match="Expected a rate budget of schema version 2 or lower, found 3"):
        Budget.from_json(orjson.dumps(record))


def test_a_budget_stays_small() -> None:
    budget = Budget()
    for second in range(300):
        for kind in (Kind.BULK, Kind.GENERAL):
            budget, _ = take(budget, kind, START + second, run_id=f"newsletter.20261118T110645Z.{second % 20:032x}")
    assert len(budget.to_json()) < 8000


# --- Runs that share an account ---

RUNS = st.sampled_from(["", "a", "b", "c", "d"])


@given(st.lists(st.tuples(st.sampled_from(list(Kind)), RUNS, st.floats(0, 5)), max_size=60))
def test_whose_a_turn_is_does_not_change_when_it_is(takers: list[tuple[Kind, str, float]]) -> None:
    """Nothing about the limits can depend on it."""
    noted, plain, now = Budget(), Budget(), START
    for kind, run_id, gap_s in takers:
        now += gap_s
        noted, at = take(noted, kind, now, run_id=run_id)
        plain, same = take(plain, kind, now)
        assert at == same
        assert replace(noted, runs={}) == plain


@given(st.lists(st.tuples(st.sampled_from(list(Kind)), RUNS, st.floats(0, 20)), max_size=60))
def test_a_run_is_noted_with_the_imports_that_it_sends_for_as_long_as_turns_are_remembered(
    takers: list[tuple[Kind, str, float]],
) -> None:
    budget, now, expected = Budget(), START, dict[str, set[int]]()
    for kind, run_id, gap_s in takers:
        now += gap_s
        before = set(budget.bulk)
        budget, _ = take(budget, kind, now, run_id=run_id)
        if run_id:
            expected.setdefault(run_id, set()).update(set(budget.bulk) - before)
    kept = {run_id: turns & set(budget.bulk) for run_id, turns in expected.items()}
    assert {run_id: set(turns) for run_id, turns in budget.runs.items()} == {r: t for r, t in kept.items() if t}


def shares(*turns: int) -> Budget:
    return Budget(runs={str(number): tuple(range(count)) for number, count in enumerate(turns)})


@pytest.mark.parametrize(
    ("turns", "ahead"),
    [
        ((), ()),
        ((100,), ()),
        ((3, 1), ()),
        ((4, 1), ("0",)),
        ((3, 3, 3), ()),
        ((100, 1, 1), ("0",)),
        ((100, 100, 1), ("0", "1")),
        ((2, *[1] * 40), ()),
        ((3, *[1] * 40), ("0",)),
    ],
)
def test_a_run_is_ahead_with_over_one_turn_more_than_the_average(
    turns: tuple[int, ...], ahead: tuple[str, ...]
) -> None:
    budget = shares(*turns)
    assert tuple(run_id for run_id in budget.runs if is_ahead(budget, run_id)) == ahead
    assert not is_ahead(budget, "who comes now")


@given(st.lists(st.integers(1, 130), min_size=1, max_size=50))
def test_somebody_is_never_ahead(turns: list[int]) -> None:
    """Else, turns would be left out while all wait for each other."""
    budget = shares(*turns)
    assert not all(is_ahead(budget, run_id) for run_id in budget.runs)


def test_a_record_says_whose_turns_are_whose_and_one_of_an_earlier_release_does_not() -> None:
    budget, _ = take(Budget(), Kind.BULK, START, run_id="export.1")
    record = orjson.loads(budget.to_json())
    assert record["runs"] == [{"runId": "export.1", "turns": [11488000000]}]
    assert Budget.from_json(budget.to_json()) == budget
    del record["runs"]
    assert Budget.from_json(orjson.dumps(record)) == replace(budget, runs={})
