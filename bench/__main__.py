"""`make bench`: every benchmark, or those that are named: `python -m bench imports plan`."""

from __future__ import annotations

import importlib
import sys

BENCHMARKS = ("imports", "plan", "memory", "memory_format", "throughput", "fairness", "cost", "idle")


def main() -> None:
    """Run them one after the other."""
    for name in sys.argv[1:] or BENCHMARKS:
        print(f"\n== {name} ==")
        importlib.import_module(f"bench.{name}").main()


if __name__ == "__main__":
    main()
