# ruff: noqa: T201 - a command that prints
"""`python -m tests.fuzz --minutes N [--first S] [--jobs 2]`: damage files and read them; `--seed S` tries one."""

from __future__ import annotations

import argparse
import itertools
import resource
import sys
import time
from collections import Counter
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

from tests import parquet_files
from tests.fuzz import footers
from tests.fuzz.cases import Failed, case_of, try_case

AT_ONCE = 250
MOST_MEMORY_BYTES = 4 << 30
"""For a process; a damaged file that asks for more is refused by the system, at once."""


def limit_memory() -> None:
    """Let no case take the machine's memory."""
    resource.setrlimit(resource.RLIMIT_AS, (MOST_MEMORY_BYTES, MOST_MEMORY_BYTES))


def try_seeds(first: int, count: int) -> tuple[Counter[str], dict[int, str]]:
    """Return how the cases of these seeds ended, and why some failed."""
    ends: Counter[str] = Counter()
    failures: dict[int, str] = {}
    for seed in range(first, first + count):
        try:
            ends[try_case(case_of(seed)).stop or "planned"] += 1
        except Failed as failed:
            failures[seed] = str(failed)
        except Exception as error:  # noqa: BLE001 - whatever is not a Stop is what we look for
            failures[seed] = repr(error)[:300]
    return ends, failures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=1)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--seed", type=int, help="try one seed, and show what it reads")
    options = parser.parse_args()
    if options.seed is not None:
        case = case_of(options.seed)
        print(case)
        print(try_case(case))
        return
    end = time.monotonic() + 60 * options.minutes
    ends: Counter[str] = Counter()
    failures: dict[int, str] = {}
    deaths: list[str] = []
    # A process that dies, as Arrow might on damaged Parquet, ends the whole with the seeds that were under way.
    with ProcessPoolExecutor(options.jobs, initializer=limit_memory) as pool, TemporaryDirectory() as folder:
        parquet_files.write_all(Path(folder))
        for start in itertools.count(options.first, AT_ONCE * options.jobs):
            starts = range(start, start + AT_ONCE * options.jobs, AT_ONCE)
            try:
                results = list(pool.map(try_seeds, starts, [AT_ONCE] * len(starts)))
            except Exception as error:  # noqa: BLE001 - said below
                failures[start] = f"within {AT_ONCE * options.jobs} seeds: {error!r}"
                break
            for found, failed in results:
                ends += found
                failures |= failed
            footer = footers.try_seeds(Path(folder), start, AT_ONCE)
            ends += footer.ends
            deaths += footer.failures
            if time.monotonic() > end or len(failures) + len(deaths) > AT_ONCE:
                break
    print(f"{ends.total()} files:", dict(ends.most_common()))
    for seed, failure in sorted(failures.items())[:20]:
        print(f"seed {seed}: {failure}")
    for death in deaths[:20]:
        print(f"Parquet footer, {death}")
    print(len(failures) + len(deaths), "failures")
    sys.exit(bool(failures or deaths))


if __name__ == "__main__":
    main()
