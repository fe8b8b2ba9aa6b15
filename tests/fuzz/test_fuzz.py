"""Damaged files of every format, each of which follows from its seed: no crash, no hang, every row in one place."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.fuzz.cases import Failed, case_of, try_case

CASES = 120
"""As many as fit into some seconds; `make fuzz MINUTES=10` tries more."""


@pytest.mark.slow
def test_no_damaged_file_crashes_hangs_or_loses_a_row() -> None:
    ends: Counter[str] = Counter()
    for seed in range(CASES):
        try:
            ends[try_case(case_of(seed)).stop] += 1
        except Failed as failed:
            pytest.fail(f"seed {seed}: {failed}; `python -m tests.fuzz --seed {seed}` shows the file")
    assert {"", "gzip_damaged", "parquet_damaged"} <= ends.keys()


def test_the_same_seed_makes_the_same_file() -> None:
    assert case_of(11) == case_of(11)
