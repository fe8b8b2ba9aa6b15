"""A hundred real kills. `python -m tests.e2e.kills` has the details; `make soak` makes a thousand of them."""

from __future__ import annotations

import pytest

from tests.e2e import kills

SEED = 5


@pytest.mark.e2e
@pytest.mark.timeout(3_600)
def test_a_hundred_kills_lose_nothing_and_double_only_what_was_in_doubt() -> None:
    tally = kills.play(100, SEED)
    assert tally.kills >= 100
    assert {"uploading", "storage", "time"} <= tally.steps.keys()
    assert tally.interrupted, "no kill left a request in doubt"
