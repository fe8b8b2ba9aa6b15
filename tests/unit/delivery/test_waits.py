"""How long a lane waits, and a run that is not planned yet."""

from __future__ import annotations

import pytest

from exporter.delivery.waits import lane_wait_s, plan_wait_s
from exporter.errors import CredentialsRefused, Throttled, Unavailable


@pytest.mark.parametrize(
    ("waits", "expected_s"), [(0, 15), (1, 30), (2, 60), (3, 120), (4, 240), (5, 240), (11, 240), (100_000, 240)]
)
def test_waits_double_from_15_seconds_to_four_minutes(waits: int, expected_s: float) -> None:
    assert lane_wait_s(Unavailable("activecampaign_unavailable", "It is down."), waits) == expected_s


@pytest.mark.parametrize(
    ("retry_after_s", "expected_s"), [(None, 15), (0, 15), (15, 15), (16, 16), (900, 900), (901, 900), (86_400, 900)]
)
def test_activecampaigns_own_wish_counts_up_to_a_quarter_of_an_hour(
    retry_after_s: float | None, expected_s: float
) -> None:
    error = Unavailable("activecampaign_unavailable", "It is down.", retry_after_s=retry_after_s)
    assert lane_wait_s(error, 0) == expected_s


def test_a_wish_does_not_shorten_a_wait_that_has_grown() -> None:
    assert lane_wait_s(Unavailable("activecampaign_unavailable", "It is down.", retry_after_s=100), 3) == 120


@pytest.mark.parametrize("waits", [0, 5])
@pytest.mark.parametrize("turn_in_s", [20.5, 30, 1_000])
def test_a_turn_is_waited_for_exactly(turn_in_s: float, waits: int) -> None:
    error = Throttled("throttled", "Wait.", retry_after_s=turn_in_s)
    assert lane_wait_s(error, waits) == plan_wait_s(error) == turn_in_s


def test_a_turn_that_nobody_can_tell_is_waited_for_as_anything_else() -> None:
    error = Throttled("throttled", "Wait.")
    assert (lane_wait_s(error, 0), plan_wait_s(error)) == (15, 45)


@pytest.mark.parametrize("waits", [0, 1, 50])
def test_a_refused_key_is_tried_again_every_45_seconds(waits: int) -> None:
    error = CredentialsRefused("credentials_refused", "The key does not work.", retry_after_s=900)
    assert lane_wait_s(error, waits) == 45


@pytest.mark.parametrize(("retry_after_s", "expected_s"), [(None, 45), (45, 45), (46, 46), (900, 900), (901, 900)])
def test_planning_is_tried_again_after_45_seconds_or_as_it_was_asked(
    retry_after_s: float | None, expected_s: float
) -> None:
    assert (
        plan_wait_s(Unavailable("activecampaign_unavailable", "It is down.", retry_after_s=retry_after_s)) == expected_s
    )
