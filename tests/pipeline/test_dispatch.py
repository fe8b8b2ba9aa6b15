"""How many lanes are opened."""

from __future__ import annotations

import pytest

from exporter.pipeline.dispatch import lanes_for


@pytest.mark.parametrize(
    ("batches", "most", "lanes"),
    [(0, 6, 0), (1, 6, 1), (5, 6, 1), (6, 6, 2), (25, 6, 5), (26, 6, 6), (31, 6, 6), (4_000, 6, 6), (6, 1, 1)],
)
def test_a_lane_has_work_for_five_batches(batches: int, most: int, lanes: int) -> None:
    assert lanes_for(batches, most) == lanes
