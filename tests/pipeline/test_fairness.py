"""Exports of one account share its turns: nobody is starved, and no turn is left out. All in virtual time."""

from __future__ import annotations

import heapq
from collections import Counter
from dataclasses import dataclass, field

from hypothesis import given, settings
from hypothesis import strategies as st

from bench import fairness
from bench.fairness import Part
from exporter.activecampaign.wire import Kind
from exporter.errors import Throttled
from exporter.pipeline.session import PATIENCE_S, Session
from tests.builders import HOST
from tests.fakes import START, FakeClock, make_fakes

TURN_S = 0.625
REQUEST_S = 1.5
"""Between a turn of a lane and its asking for the next."""
BACK_S = 2.0
"""The most that a lane comes later than it was told to, on its way through a queue."""


@dataclass
class Account:
    """Lanes that always want a turn: each takes the next one when its request is over, or comes back when told to."""

    late_s: list[float]
    """How much later than told lanes come back, in seconds; from the beginning again at the end."""
    fakes_clock: FakeClock = field(default_factory=FakeClock)
    lanes: list[tuple[float, int, str]] = field(default_factory=list)
    turns: list[tuple[float, str]] = field(default_factory=list)
    asked: int = 0

    def __post_init__(self) -> None:
        self.fakes = make_fakes(clock=self.fakes_clock)

    def join(self, run_id: str, lanes: int) -> None:
        for _ in range(lanes):
            self._again(self.fakes_clock.time, run_id)

    def run(self, seconds: float) -> None:
        until = self.fakes_clock.time + seconds
        while self.lanes[0][0] < until:
            self.fakes_clock.time, _, run_id = heapq.heappop(self.lanes)
            try:
                at = Session(self.fakes.services, HOST, "key-1", run_id)._take_turn(Kind.BULK)
            except Throttled as error:
                late_s = self.late_s[self.asked % len(self.late_s)]
                self._again(self.fakes_clock.time + (error.retry_after_s or 0.0) + late_s, run_id)
            else:
                assert at - self.fakes_clock.time <= PATIENCE_S
                self.turns.append((at, run_id))
                self._again(at + REQUEST_S, run_id)
        self.fakes_clock.time = until

    def _again(self, at: float, run_id: str) -> None:
        self.asked += 1
        heapq.heappush(self.lanes, (at, self.asked, run_id))

    def count(self, since: float, until: float) -> Counter[str]:
        return Counter(run_id for at, run_id in self.turns if since <= at < until)


@settings(deadline=None, max_examples=15)
@given(st.integers(7, 16), st.lists(st.floats(0, BACK_S), min_size=1, max_size=20))
def test_runs_that_always_have_work_get_equal_shares_and_use_every_turn(runs: int, late_s: list[float]) -> None:
    account = Account(late_s)
    for number in range(runs):
        account.join(f"run{number}", 6)
    account.run(400)
    counts = account.count(START + 60, START + 360)
    assert sum(counts.values()) >= 0.98 * 300 / TURN_S
    share = 300 / TURN_S / runs
    assert len(counts) == runs
    assert max(counts.values()) <= 1.4 * share
    assert min(counts.values()) >= 0.6 * share


@settings(deadline=None, max_examples=15)
@given(
    st.lists(st.integers(1, 6), min_size=1, max_size=12),
    st.integers(1, 6),
    st.lists(st.floats(0, BACK_S), min_size=1, max_size=20),
)
def test_who_comes_later_with_little_is_served_within_minutes(
    others: list[int], lanes: int, late_s: list[float]
) -> None:
    account = Account(late_s)
    for number, count in enumerate(others):
        account.join(f"run{number}", count)
    account.run(120)
    account.join("small", lanes)
    account.run(200)
    since = START + 120
    assert account.count(since, since + 180)["small"] >= 8


def test_two_runs_of_the_same_size_get_half_each() -> None:
    account = Account([0.0])
    account.join("one", 6)
    account.join("other", 6)
    account.run(300)
    assert account.count(START, START + 300) == {"one": 240, "other": 240}


def test_small_exports_beside_six_large_ones_end_within_minutes_and_every_turn_is_used() -> None:
    found = fairness.play((Part(6, 20_000), Part(5, 2_000, 60.0)))
    assert max(small.took_s for small in found.exports[6:]) <= 180
    assert found.a_minute >= 95
    assert found.violations == 0


def test_ten_small_exports_in_the_middle_of_a_large_one_leave_no_turn_unused() -> None:
    found = fairness.play((Part(1, 60_000), Part(10, 2_000, 60.0)))
    assert max(small.took_s for small in found.exports[1:]) <= 300
    assert found.a_minute >= 95
    assert found.violations == 0


def test_two_large_exports_at_once_get_half_of_the_turns_each() -> None:
    found = fairness.play((Part(2, 20_000),))
    until = found.sent[0][0] + 80
    counts = Counter(of for at, of in found.sent if at < until)
    assert abs(counts[0] - counts[1]) <= 0.1 * counts.total()


def test_a_run_that_leaves_its_turn_to_others_is_not_said_to_wait() -> None:
    found = fairness.play((Part(7, 8_000),))
    assert found.invocations > 2 * 7 * 6, "lanes have come back"
    assert sum(export.waits for export in found.exports) == 0
