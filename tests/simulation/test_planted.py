"""The simulator bites: every mistake on the list is noticed."""

from __future__ import annotations

import pytest

from tests.simulation.oracle import Broken
from tests.simulation.planted import MISTAKES, Mistake
from tests.simulation.world import World

pytestmark = pytest.mark.slow

MOST_SCHEDULES = 2_000


def first_noticed(mistake: Mistake, most: int = MOST_SCHEDULES, first: int = 0) -> tuple[int, str] | None:
    """Return the number of schedules until the mistake is noticed, and what was noticed."""
    with pytest.MonkeyPatch.context() as patch:
        mistake(patch)
        for seed in range(first, first + most):
            try:
                World(seed).play()
            except Broken as broken:
                return seed - first + 1, str(broken)
    return None


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.__name__)
def test_a_planted_mistake_is_noticed(mistake: Mistake) -> None:
    assert first_noticed(mistake), f"not noticed in {MOST_SCHEDULES} schedules: {mistake.__doc__}"
