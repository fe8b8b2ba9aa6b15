"""Damaged footers of Parquet files of every writer: a refusal or rows, never the death of the process."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.fuzz.footers import damaged, try_seeds
from tests.parquet_files import write_all

CHANGES = 600
"""As many as fit into some seconds; `make fuzz MINUTES=10` tries more."""


@pytest.mark.slow
def test_no_damaged_footer_ends_the_process_or_raises_anything_but_a_refusal(tmp_path: Path) -> None:
    write_all(tmp_path)
    found = try_seeds(tmp_path, 0, CHANGES)
    assert found.failures == []
    assert found.ends.total() == CHANGES
    assert {"read", "parquet_damaged"} <= found.ends.keys()


def test_the_same_seed_makes_the_same_change() -> None:
    files = {"a": bytes(90) + b"\x32\0\0\0PAR1", "b": bytes(200) + b"\x32\0\0\0PAR1"}
    assert damaged(files, 7) == damaged(files, 7)
    assert {damaged(files, seed)[0] for seed in range(20)} == {"a", "b"}
