"""The rates of the ActiveCampaign stand-in."""

from email.utils import parsedate_to_datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.activecampaign.limits import Counting, Rate
from tests.sandbox.activecampaign_client import Client, client_with, emails, failure_reasons, value_of


@pytest.fixture
def client() -> Client:
    return client_with()


def unhurried(client: Client, count: int, contacts: int) -> list[int]:
    """Import `count` times, slowly enough for the rate per second; the statuses."""
    statuses = []
    for _ in range(count):
        statuses.append(client.bulk(*emails(contacts)).status)
        client.wait(0.21)
    return statuses


@pytest.mark.parametrize(("contacts", "limit"), [(2, 100), (250, 100), (1, 20)])
def test_imports_over_the_rate_per_minute_get_400_with_reasons_as_text(contacts: int, limit: int) -> None:
    client = client_with()
    begin = client.clock.now
    assert unhurried(client, limit, contacts) == [200] * limit
    answer = client.bulk(*emails(contacts))
    assert value_of(answer)["message"] == "Rate limit exceeded."
    assert f"Up to {limit} " in failure_reasons(answer)[0]
    client.clock.now = begin + 59.9
    assert client.bulk(*emails(contacts)).status == 400
    client.clock.now = begin + 60
    assert client.bulk(*emails(contacts)).status == 200


def test_single_contact_imports_use_up_the_rate_of_all_imports_too(client: Client) -> None:
    assert unhurried(client, 20, 1) == [200] * 20
    assert unhurried(client, 81, 2) == [200] * 80 + [400]


def test_an_import_refused_for_its_contacts_uses_up_the_rate(client: Client) -> None:
    for _ in range(100):
        client.bulk({"email": "bad"}, {"email": "worse"})
        client.wait(0.21)
    assert value_of(client.bulk(*emails(2)))["message"] == "Rate limit exceeded."


def test_the_sixth_request_within_a_second_gets_429(client: Client) -> None:
    assert [client.get("users/me").status for _ in range(6)] == [200] * 5 + [429]
    client.wait(0.99)
    assert client.get("users/me").status == 429
    client.wait(0.01)
    assert client.get("users/me").status == 200


def test_imports_count_in_the_rate_per_second_unless_switched_off() -> None:
    assert [client.bulk(*emails(2)).status for client in [client_with()] for _ in range(6)] == [200] * 5 + [429]
    apart = client_with(imports_count_as_requests=False)
    assert [apart.bulk(*emails(2)).status for _ in range(6)] == [200] * 6
    assert [apart.get("users/me").status for _ in range(6)] == [200] * 5 + [429]


@pytest.mark.parametrize(
    ("switch", "expected"), [("seconds", "30"), ("absent", None), ("absurd", "31536000"), ("negative", "-1")]
)
def test_a_429_says_how_long_to_wait_in_several_ways(switch: Any, expected: str | None) -> None:
    client = client_with(requests_per_second=0, retry_after=switch)
    assert client.get("users/me").headers.get("Retry-After") == expected


def test_a_429_may_say_when_as_a_date() -> None:
    client = client_with(requests_per_second=0, retry_after="http_date", retry_after_s=90)
    date = client.get("users/me").headers["Retry-After"]
    assert parsedate_to_datetime(date).timestamp() == client.clock.now + 90


def test_a_fixed_minute_begins_on_the_minute() -> None:
    client = client_with(counting="fixed", requests_per_second=1_000)
    minute = client.clock.now - client.clock.now % 60

    def send(second: int, count: int) -> list[int]:
        client.clock.now = minute + second
        return [client.bulk(*emails(2)).status for _ in range(count)]

    assert send(0, 1) == [200]
    assert send(59, 100) == [200] * 99 + [400]
    assert send(60, 101) == [200] * 100 + [400]


def test_a_token_bucket_refills_evenly() -> None:
    client = client_with(counting="token_bucket", requests_per_second=1_000)
    assert [client.bulk(*emails(2)).status for _ in range(101)] == [200] * 100 + [400]
    client.wait(1.3)  # 100 in 60 s: a token in 0.6 s
    assert [client.bulk(*emails(2)).status for _ in range(3)] == [200, 200, 400]


def test_another_integration_uses_its_share_of_every_rate() -> None:
    client = client_with(other_share=0.4, requests_per_second=1_000)
    statuses = [client.bulk(*emails(2)).status for _ in range(100)]
    assert statuses.count(200) == 60


times = st.lists(st.floats(min_value=0, max_value=20, allow_nan=False), max_size=200).map(sorted)


def accepted(rate: Rate, moments: list[float], counting: Counting, other_share: float) -> list[float]:
    taken = []
    for now in moments:
        if rate.allows(now, counting, other_share):
            rate.accept(now, other_share)
            taken.append(now)
    return taken


@given(times, st.integers(0, 8), st.sampled_from([0.0, 0.3, 1.0]))
def test_no_sliding_window_accepts_more_than_the_limit(moments: list[float], limit: int, other_share: float) -> None:
    taken = accepted(Rate(limit, 3.0), moments, "sliding", other_share)
    assert all(sum(end - 3.0 < at <= end for at in taken) <= limit for end in taken)


@given(times, st.integers(0, 8))
def test_no_fixed_window_accepts_more_than_the_limit(moments: list[float], limit: int) -> None:
    taken = accepted(Rate(limit, 3.0), moments, "fixed", 0.0)
    assert all(sum(at // 3.0 == window for at in taken) <= limit for window in range(7))


@given(times, st.integers(0, 8))
def test_a_token_bucket_accepts_a_bucket_and_its_refill_at_most(moments: list[float], limit: int) -> None:
    taken = accepted(Rate(limit, 3.0), moments, "token_bucket", 0.0)
    for first, begin in enumerate(taken):
        for last, end in enumerate(taken[first:], first):
            assert last - first + 1 <= limit + (end - begin) * limit / 3.0 + 1e-6


@given(times, st.integers(1, 8))
def test_a_request_that_arrives_within_the_sliding_limit_is_accepted(moments: list[float], limit: int) -> None:
    rate = Rate(limit, 3.0)
    for now in moments:
        over = rate.arrive(now)
        allowed = rate.allows(now, "sliding")
        assert allowed or over
        if allowed:
            rate.accept(now)


@given(times, st.integers(0, 8))
def test_violations_are_counted_over_all_that_arrived(moments: list[float], limit: int) -> None:
    rate = Rate(limit, 3.0)
    over = [rate.arrive(now) for now in moments]
    windows = [sum(now - 3.0 < at <= now for at in moments[: number + 1]) for number, now in enumerate(moments)]
    assert over == [each > limit for each in windows]
    assert (rate.violations, rate.worst) == (sum(over), max(windows, default=0))


def test_violations_are_noted_with_the_rate_the_worst_window_and_the_first_time(client: Client) -> None:
    for _ in range(7):
        client.get("users/me")
    assert client.account.violations()["requests"] == {
        "limit": 5,
        "window_s": 1.0,
        "violations": 2,
        "worst": 7,
        "first_at": client.clock.now,
    }
    assert client.account.violations()["imports"]["violations"] == 0
    assert [each.over_limit for each in client.account.requests()] == [False] * 5 + [True] * 2
