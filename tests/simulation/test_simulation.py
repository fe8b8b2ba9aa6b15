"""Schedules of faults, each of which follows from its seed: nothing is lost, nothing doubled, every run ends."""

from __future__ import annotations

import pytest

from tests.simulation import recovery
from tests.simulation.oracle import Broken
from tests.simulation.world import World

pytestmark = pytest.mark.slow

SCHEDULES = 600
"""As many as fit into two minutes of computing; `make simulate SEEDS=25000` plays more."""


@pytest.mark.parametrize("part", range(6))
def test_no_schedule_breaks_an_invariant(part: int) -> None:
    for seed in range(part * SCHEDULES // 6, (part + 1) * SCHEDULES // 6):
        try:
            World(seed).play()
        except Broken as broken:
            pytest.fail(f"seed {seed}: {broken}; `python -m tests.simulation --tell {seed}` tells the history")


def test_the_same_seed_gives_the_same_history() -> None:
    histories = []
    for _ in range(2):
        world = World(7, keep_history=True)
        world.play()
        histories.append(world.history)
    assert histories[0] == histories[1]
    assert histories[0]


def test_work_goes_on_in_time_after_a_crash_a_new_key_and_a_night_without_any_of_the_others() -> None:
    for figure in recovery.figures():
        assert len(figure.seconds) >= 3, f"measured too little: {figure}"
        assert max(figure.seconds) <= figure.limit_s, str(figure)


def test_a_crash_after_a_crash_is_made_good_as_well() -> None:
    clean, clean_s = recovery.play(lambda world: None)
    for call in range(1, clean.calls, 7):
        world, took_s = recovery.play(recovery.crash_at(call, call + 25))
        assert took_s <= clean_s + 2 * 720
        assert world.hidden <= 2
