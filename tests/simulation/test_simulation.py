"""Schedules of faults, each of which follows from its seed: nothing is lost, nothing doubled, every run ends."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.runs import RunStatus
from tests.simulation.oracle import Broken
from tests.simulation.world import World

SCHEDULES = 600
"""As many as fit into half a minute; `make simulate SEEDS=25000` plays more."""
RECOVERY_S = 12 * 60.0


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


def peaceful(trouble: Callable[[World], None]) -> tuple[World, float]:
    """Play one run with some trouble; return the world and how long it took, in seconds, until all was over."""
    world = World(3, peaceful=True)
    trouble(world)
    world.play()
    ends = []
    for run in world.oracle.runs.values():  # two, when whoever asked for the run got no answer and asked again
        assert run.ended_at
        assert run.record["end"]["status"] in (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS)
        ends.append(run.ended_at)
    return world, max(ends) - world.began


def crash_at(call: int) -> Callable[[World], None]:
    """Let the process die right before this call to the outside."""
    return lambda world: world.at_call.update({call: lambda: world.host.current().die()})


def test_a_crash_between_any_two_outside_calls_is_made_good_within_twelve_minutes() -> None:
    clean, clean_s = peaceful(lambda world: None)
    for call in range(1, clean.calls):
        world, took_s = peaceful(crash_at(call))
        assert took_s <= clean_s + RECOVERY_S, f"a crash at call {call} cost {took_s - clean_s:.0f} s"
        assert world.hidden <= 1


def test_a_crash_after_a_crash_is_made_good_as_well() -> None:
    clean, clean_s = peaceful(lambda world: None)

    def twice(first: int) -> Callable[[World], None]:
        return lambda world: (crash_at(first)(world), crash_at(first + 25)(world), None)[-1]

    for call in range(1, clean.calls, 7):
        world, took_s = peaceful(twice(call))
        assert took_s <= clean_s + 2 * RECOVERY_S
        assert world.hidden <= 2
