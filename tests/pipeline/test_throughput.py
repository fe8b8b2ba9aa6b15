"""`bench.throughput` in small: requests in virtual minutes, and what the documentation says of them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench import throughput

pytestmark = pytest.mark.slow
ROOT = Path(__file__).parents[2]
REQUESTS_OF_A_MILLION = 1_000_000 / 250


def documented(page: str, pattern: str) -> tuple[float, ...]:
    """Return the numbers in a sentence or a row of a page."""
    found = re.search(pattern, (ROOT / page).read_text("utf-8"))
    assert found, f"{page} is expected to say: {pattern}"
    return tuple(map(float, found.groups()))


def test_six_workers_are_as_fast_as_the_documentation_says_and_never_over_the_limit() -> None:
    found = throughput.ours(40_000, 6, 0.0)
    assert (found.requests, found.refused, found.violations) == (160, 0, 0)
    for page, pattern in (
        ("README.md", r"A million profiles take (\d+) minutes at (\d+) % of ActiveCampaign's limit"),
        ("docs/explanation/throughput.md", r"6 workers \(the default\) \| ([\d.]+) \| [\d.]+ \| (\d+) %"),
    ):
        minutes, share = documented(page, pattern)
        assert found.a_minute == pytest.approx(share, abs=1)
        assert REQUESTS_OF_A_MILLION / found.a_minute == pytest.approx(minutes, abs=0.5)


def test_one_worker_takes_as_long_as_the_documentation_says() -> None:
    found = throughput.ours(50_000, 1, 0.0)
    minutes, share = documented("docs/explanation/throughput.md", r"1 worker \| ([\d.]+) \| [\d.]+ \| (\d+) %")
    assert found.a_minute == pytest.approx(share, abs=2)
    assert REQUESTS_OF_A_MILLION / found.a_minute == pytest.approx(minutes, rel=0.05)


def test_beside_another_integration_the_rate_drops_and_nobody_is_lost() -> None:
    found = throughput.ours(50_000, 6, 0.4)
    assert found.requests == 200
    assert found.refused > 0
    assert 30 < found.a_minute < 60
    assert found.violations == 0


def test_a_sender_that_takes_each_refusal_for_bad_data_loses_half_of_the_people() -> None:
    found = throughput.naive(300_000)
    assert found.lost + 250 * found.requests == 300_000
    assert found.lost > 300_000 / 2
