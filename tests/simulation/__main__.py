# ruff: noqa: T201 - a command that prints
"""Play schedules of faults; print speed, faults and how runs ended, and for a failure its seed and its history."""

from __future__ import annotations

import argparse
import sys
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from dataclasses import dataclass, field
from itertools import islice

from tests.simulation import recovery
from tests.simulation.oracle import Broken
from tests.simulation.world import World

PART = 25
"""Schedules that a process plays before it reports."""
PROGRESS_S = 30.0
TOLD_LINES = 60
"""How much of the history of a failure is printed: its end, which is where it shows."""


@dataclass
class Result:
    """What came of some schedules."""

    schedules: int = 0
    calls: int = 0
    hidden: int = 0
    latest_after_cancel_s: float = 0.0
    faults: Counter[str] = field(default_factory=Counter)
    ends: Counter[str] = field(default_factory=Counter)
    failures: dict[int, str] = field(default_factory=dict)

    def add(self, other: Result) -> None:
        self.schedules += other.schedules
        self.calls += other.calls
        self.hidden += other.hidden
        self.latest_after_cancel_s = max(self.latest_after_cancel_s, other.latest_after_cancel_s)
        self.faults.update(other.faults)
        self.ends.update(other.ends)
        self.failures.update(other.failures)


def play(seeds: range) -> Result:
    """Play the schedules of these seeds."""
    result = Result(schedules=len(seeds))
    for seed in seeds:
        world = World(seed)
        try:
            world.play()
        except Broken as broken:
            result.failures[seed] = str(broken)
        except Exception as error:  # noqa: BLE001 - a defect of the simulator is a failure as well
            result.failures[seed] = repr(error)
        result.calls += world.calls
        result.hidden += world.hidden
        result.latest_after_cancel_s = max(result.latest_after_cancel_s, world.oracle.latest_after_cancel_s)
        result.faults.update(world.weather.seen)
        result.ends.update(
            "held" if run.held else run.record.get("end", {}).get("status", "-") for run in world.oracle.runs.values()
        )
    return result


def play_in_parts(seeds: range, jobs: int, within_s: float) -> Iterator[Result]:
    """Play schedules in so many processes; yield the parts as they are done. After `within_s`, no part begins."""
    end = time.monotonic() + within_s
    parts = (seeds[at : at + PART] for at in range(0, len(seeds), PART))
    with ProcessPoolExecutor(jobs) as pool:
        running = {pool.submit(play, part) for part in islice(parts, jobs + 1)}
        while running:
            done, running = wait(running, return_when=FIRST_COMPLETED)
            if time.monotonic() < end:
                running |= {pool.submit(play, part) for part in islice(parts, len(done))}
            yield from (part.result() for part in done)


def history(seed: int) -> list[str]:
    """Return the history of a schedule, line by line."""
    world = World(seed, keep_history=True)
    try:
        world.play()
    except Broken as broken:
        world.note("BROKEN", str(broken))
    assert world.history is not None
    return [repr(world.scenario), *world.history]


def show(total: Result, seconds: float) -> None:
    """Print what came of the schedules."""
    print(
        f"{total.schedules:,} schedules in {seconds:.0f} s: {total.schedules / seconds:.1f} a second, each with"
        f" {total.calls / total.schedules:.0f} calls to the outside and {total.faults.total() / total.schedules:.1f}"
        f" faults; {total.hidden:,} acceptances that nobody heard of"
    )
    print("faults:", *(f"\n  {count:9,} {kind}" for kind, count in total.faults.most_common()), sep="")
    print("runs:", *(f"\n  {count:9,} {status}" for status, count in total.ends.most_common()), sep="")
    print(f"the last contacts sent after a cancel: {total.latest_after_cancel_s:.0f} s after it (promised: 60)")
    if total.failures:
        first = min(total.failures)
        print(f"the end of the history of seed {first}; python -m tests.simulation --tell {first} tells all of it:")
        print(*history(first)[-TOLD_LINES:], sep="\n")
    print(f"{len(total.failures)} failures")


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seeds", type=int, default=1_000, help="how many schedules")
    parser.add_argument("--first", type=int, default=0, help="the seed of the first")
    parser.add_argument("--jobs", type=int, default=2, help="how many processes")
    parser.add_argument("--within-min", type=float, default=float("inf"), help="begin none after so many minutes")
    parser.add_argument("--tell", type=int, metavar="SEED", help="print the history of this one and do nothing else")
    options = parser.parse_args()
    if options.tell is not None:
        return print(*history(options.tell), sep="\n")
    total, began = Result(), time.monotonic()
    shown = began
    seeds = range(options.first, options.first + options.seeds)
    for part in play_in_parts(seeds, options.jobs, options.within_min * 60):
        total.add(part)
        for seed, text in part.failures.items():
            print(f"seed {seed}: {text[:400]}", flush=True)
        if time.monotonic() - shown > PROGRESS_S:
            shown = time.monotonic()
            done = f"{total.schedules:,} of {options.seeds:,} schedules, {len(total.failures)} failures"
            print(f"{shown - began:5.0f} s  {done}", flush=True)
    show(total, time.monotonic() - began)
    if not options.first:  # they do not depend on seeds, and take a minute and a half
        print("work goes on by itself, in virtual time:", *recovery.figures(), sep="\n  ")
    if total.schedules < options.seeds:
        print(f"Stopped after {options.within_min:g} minutes: {options.seeds - total.schedules:,} were not played.")
    sys.exit(bool(total.failures))


if __name__ == "__main__":
    main()
