# ruff: noqa: T201 - a command that prints
"""`python -m tests.simulation --seeds N [--first S] [--jobs 2]`: play schedules; print speed, faults and failures."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field

from tests.simulation.oracle import Broken
from tests.simulation.world import World


@dataclass
class Result:
    """What came of some schedules."""

    schedules: int = 0
    calls: int = 0
    hidden: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, other: Result) -> None:
        self.schedules += other.schedules
        self.calls += other.calls
        self.hidden += other.hidden
        self.faults.update(other.faults)
        self.ends.update(other.ends)
        self.failures.update(other.failures)


def play(first: int, count: int) -> Result:
    """Play the schedules of these seeds."""
    result = Result(schedules=count)
    for seed in range(first, first + count):
        world = World(seed)
        try:
            world.play()
        except Broken as broken:
            result.failures[seed] = str(broken)
        except Exception as error:  # noqa: BLE001
            result.failures[seed] = repr(error)
        result.calls += world.calls
        result.hidden += world.hidden
        result.faults.update(world.weather.seen)
        result.ends.update(run.record.get("end", {}).get("status", "-") for run in world.oracle.runs.values())
    return result


def tell(seed: int) -> None:
    """Print the history of a schedule."""
    world = World(seed, keep_history=True)
    try:
        world.play()
    except Broken as broken:
        world.note("BROKEN", str(broken))
    assert world.history is not None
    print(world.scenario)
    print("\n".join(world.history))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=500)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=1)
    parser.add_argument("--tell", type=int, help="print the history of this seed")
    options = parser.parse_args()
    if options.tell is not None:
        return tell(options.tell)
    began = time.perf_counter()
    total = Result()
    if options.jobs == 1:
        total = play(options.first, options.seeds)
    else:
        size = 50
        with ProcessPoolExecutor(options.jobs) as pool:
            starts = range(options.first, options.first + options.seeds, size)
            for part in pool.map(play, starts, [size] * len(starts)):
                total.add(part)
    seconds = time.perf_counter() - began
    print(
        f"{total.schedules} schedules in {seconds:.1f} s: {total.schedules / seconds:.1f} a second,"
        f" {total.calls / total.schedules:.0f} outside calls and"
        f" {total.faults.total() / total.schedules:.1f} faults each; {total.hidden} hidden acceptances"
    )
    print("faults:", dict(total.faults.most_common()))
    print("ends:", dict(total.ends.most_common()))
    kinds = Counter(text[:45] for text in total.failures.values())
    for kind, count in kinds.most_common():
        seed, text = next((seed, text) for seed, text in sorted(total.failures.items()) if text[:45] == kind)
        print(f"{count} like seed {seed}: {text[:400]}")
    print(len(total.failures), "failures")
    sys.exit(bool(total.failures))


if __name__ == "__main__":
    main()
