"""Calls to an account: each at its turn, and a turn that is too far away, too late or too hotly contested is told."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.activecampaign import pacing, wire
from exporter.activecampaign.wire import Kind
from exporter.errors import OthersFirst, Throttled, Unavailable
from exporter.pipeline.session import CALLED_OFF, Session
from tests.builders import HOST
from tests.fakes import START, FakeClock, Fakes, make_fakes

BUDGET = f"records/accounts/{HOST}/budget.json"
IMPORT = wire.bulk_import(b"{}", 250)
ON_THE_GRID = 1_794_999_960.0
"""A minute of the clock: a tick for bulk imports, whatever the pace."""


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


@pytest.fixture
def calls(fakes: Fakes) -> Session:
    return Session(fakes.services, HOST, "key-1")


def set_clock(fakes: Fakes, time: float) -> None:
    fakes.clock.sleep(time - fakes.clock.now())


def paused_until(fakes: Fakes, time: float) -> None:
    fakes.blobs.put(BUDGET, pacing.Budget(resume_at=time).to_json())


@pytest.mark.parametrize("pause_s", [0, 20])
def test_a_turn_within_20_seconds_is_waited_for(fakes: Fakes, calls: Session, pause_s: float) -> None:
    set_clock(fakes, ON_THE_GRID - pause_s)
    paused_until(fakes, ON_THE_GRID)
    fakes.activecampaign.request_s = 0
    calls.call(IMPORT)
    assert fakes.clock.now() == ON_THE_GRID
    assert fakes.activecampaign.requests == [IMPORT]


def test_a_turn_that_is_further_away_is_handed_back_with_the_time_until_it(fakes: Fakes, calls: Session) -> None:
    before = ON_THE_GRID - 20.125
    set_clock(fakes, before)
    paused_until(fakes, ON_THE_GRID)
    with pytest.raises(Throttled) as caught:
        calls.call(IMPORT)
    assert (caught.value.code, caught.value.retry_after_s) == ("throttled", 20.125)
    assert fakes.clock.now() == before
    assert fakes.activecampaign.requests == []
    left = pacing.Budget.from_json(fakes.blobs.stored[BUDGET].data)
    assert left.bulk == (), "a turn that is not waited for is not taken from others"


def late_by(fakes: Fakes, *seconds: float) -> Callable[[], bool]:
    """Return what takes so long, one call after the other, before a request leaves."""
    left = list(seconds)

    def before() -> bool:
        fakes.clock.sleep(left.pop(0) if left else 0)
        return True

    return before


def test_a_turn_may_be_used_half_a_second_late_and_not_later(fakes: Fakes, calls: Session) -> None:
    set_clock(fakes, ON_THE_GRID)
    assert calls.call(IMPORT, late_by(fakes, 0.5)) is not CALLED_OFF
    set_clock(fakes, ON_THE_GRID + 60)
    assert calls.call(IMPORT, late_by(fakes, 0.501)) is CALLED_OFF
    assert len(fakes.activecampaign.requests) == 1


class Oversleeping(FakeClock):
    """The machine stands still for half a minute during the first nap."""

    def sleep(self, seconds: float) -> None:
        super().sleep(seconds + (30 if self.time == ON_THE_GRID - 1 else 0))


def test_a_turn_that_was_slept_through_is_followed_by_another() -> None:
    fakes = make_fakes(clock=Oversleeping(ON_THE_GRID - 1))
    paused_until(fakes, ON_THE_GRID)
    Session(fakes.services, HOST, "key-1").call(IMPORT)
    (sent,) = fakes.account.requests()
    assert sent.at >= ON_THE_GRID + 30
    turns = pacing.Budget.from_json(fakes.blobs.stored[BUDGET].data).bulk
    assert [tick * 0.15625 for tick in turns] == [ON_THE_GRID, sent.at]


def test_a_request_that_is_called_off_does_not_leave(fakes: Fakes, calls: Session) -> None:
    assert calls.call(IMPORT, lambda: False) is CALLED_OFF
    assert fakes.activecampaign.requests == []


def others_are_faster(fakes: Fakes, times: int) -> list[str]:
    """Let another worker take a turn right before each of so many replacements; returns the attempts."""
    attempts: list[str] = []

    def before(operation: str, path: str) -> None:
        if operation == "replace":
            attempts.append(path)
            if len(attempts) <= times:
                fakes.blobs.put(path, pacing.Budget(resume_at=START + len(attempts) / 1_000).to_json())

    fakes.blobs.before = before
    return attempts


@pytest.mark.parametrize(("lost", "taken"), [(199, True), (200, False)])
def test_a_turn_is_tried_for_200_times_against_other_workers(
    fakes: Fakes, calls: Session, lost: int, *, taken: bool
) -> None:
    attempts = others_are_faster(fakes, lost)
    if taken:
        assert calls._take_turn(Kind.BULK) >= START
    else:
        with pytest.raises(Unavailable) as caught:
            calls._take_turn(Kind.BULK)
        assert caught.value.code == "storage_contention"
    assert len(attempts) == 200


def test_a_worker_that_is_alone_reads_the_budget_once(fakes: Fakes, calls: Session) -> None:
    reads: list[str] = []
    fakes.blobs.before = lambda operation, path: reads.append(path) if operation == "read" else None
    for _ in range(3):
        calls.call(IMPORT)
    assert reads == [BUDGET]


def test_a_turn_is_lost_when_somebody_is_asked_to_pause_while_it_is_waited_for() -> None:
    class Interrupted(FakeClock):
        def sleep(self, seconds: float) -> None:
            super().sleep(seconds)
            if self.time == ON_THE_GRID:  # another worker was refused in the meantime
                world.blobs.put(BUDGET, pacing.Budget(resume_at=ON_THE_GRID + 15).to_json())

    world = make_fakes(clock=Interrupted(ON_THE_GRID - 10))
    paused_until(world, ON_THE_GRID)
    Session(world.services, HOST, "key-1").call(IMPORT)
    (sent,) = world.account.requests()
    assert sent.at >= ON_THE_GRID + 15


def test_a_pause_that_activecampaign_asked_for_holds_for_every_worker(fakes: Fakes, calls: Session) -> None:
    other = Session(fakes.services, HOST, "key-1")
    set_clock(fakes, ON_THE_GRID)
    other.call(IMPORT)
    calls.slow_down(15.0)
    resumed = fakes.clock.now() + 15.0
    other.call(IMPORT)
    assert fakes.account.requests()[-1].at >= resumed


# --- Runs that share an account ---


def reserved(fakes: Fakes, calls: Session, turns: int) -> None:
    """Let another worker take so many turns from ON_THE_GRID on, the first of which is now."""
    set_clock(fakes, ON_THE_GRID)
    for _ in range(turns):
        calls._take_turn(Kind.BULK)


def of_run(fakes: Fakes, run_id: str) -> Session:
    return Session(fakes.services, HOST, "key-1", run_id)


def test_a_run_that_had_more_turns_than_others_leaves_those_after_ten_seconds_to_them(fakes: Fakes) -> None:
    large, small = of_run(fakes, "large"), of_run(fakes, "small")
    set_clock(fakes, ON_THE_GRID)
    assert small._take_turn(Kind.BULK) == ON_THE_GRID
    for n in range(1, 17):
        assert large._take_turn(Kind.BULK) == ON_THE_GRID + n * 0.625
    with pytest.raises(OthersFirst) as caught:
        large._take_turn(Kind.BULK)
    assert caught.value.retry_after_s == 17 * 0.625
    assert small._take_turn(Kind.BULK) == ON_THE_GRID + 17 * 0.625
    assert of_run(fakes, "new")._take_turn(Kind.BULK) == ON_THE_GRID + 18 * 0.625
    set_clock(fakes, ON_THE_GRID + 2)
    assert large._take_turn(Kind.BULK) == ON_THE_GRID + 19 * 0.625


def test_turns_for_one_contact_are_far_apart_for_everybody(fakes: Fakes) -> None:
    large, small = of_run(fakes, "large"), of_run(fakes, "small")
    set_clock(fakes, ON_THE_GRID)
    small._take_turn(Kind.BULK)
    assert [large._take_turn(Kind.SINGLE) - ON_THE_GRID for _ in range(5)] == [0.625 + n * 3.125 for n in range(5)]


def test_a_run_that_is_alone_waits_for_each_turn_within_20_seconds(fakes: Fakes) -> None:
    alone = of_run(fakes, "alone")
    reserved(fakes, alone, 33)
    with pytest.raises(OthersFirst) as caught:
        alone._take_turn(Kind.BULK)
    assert (caught.value.code, caught.value.retry_after_s) == ("others_first", 33 * 0.625)


def test_a_pause_is_not_taken_for_the_turns_of_others(fakes: Fakes) -> None:
    set_clock(fakes, ON_THE_GRID)
    paused_until(fakes, ON_THE_GRID + 30)
    with pytest.raises(Throttled) as caught:
        of_run(fakes, "one")._take_turn(Kind.BULK)
    assert type(caught.value) is Throttled


@pytest.mark.parametrize(("pace", "distance_s"), [("96", 0.625), ("6", 10.0)])
def test_a_question_in_passing_takes_the_next_turn_or_none(pace: str, distance_s: float) -> None:
    fakes = make_fakes(BULK_REQUESTS_PER_MINUTE=pace)
    session = of_run(fakes, "one")
    reserved(fakes, session, 1)
    assert session._take_turn(Kind.GENERAL, soon=True) == ON_THE_GRID + distance_s / 2
    with pytest.raises(Throttled):
        session._take_turn(Kind.GENERAL, soon=True)
    set_clock(fakes, ON_THE_GRID + distance_s / 2)
    assert session._take_turn(Kind.GENERAL, soon=True) == ON_THE_GRID + 1.5 * distance_s
