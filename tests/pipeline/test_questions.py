"""What is asked of an account: at most so many questions, and nothing waits for what only explains."""

from __future__ import annotations

import pytest

from exporter.activecampaign.wire import NotSent, Reply, Request
from exporter.pipeline import questions
from exporter.pipeline.session import Session
from tests.builders import HOST
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


@pytest.fixture
def calls(fakes: Fakes) -> Session:
    return Session(fakes.services, HOST, "key-1")


def exclude(fakes: Fakes, count: int) -> None:
    for number in range(1, count + 1):
        fakes.account.exclude(f"p{number}@example.com")


@pytest.mark.parametrize(
    ("listed", "read", "requests"), [(0, 0, 1), (99, 99, 1), (101, 101, 2), (1_000, 1_000, 10), (1_001, 1_000, 10)]
)
def test_a_thousand_exclusions_are_read_with_ten_requests_and_not_more(
    fakes: Fakes, calls: Session, listed: int, read: int, requests: int
) -> None:
    exclude(fakes, listed)
    found = questions.exclusions(calls)
    assert [entry.phrase for entry in found] == [f"p{number}@example.com" for number in range(1, read + 1)]
    assert len(fakes.activecampaign.requests) == requests


def test_nothing_waits_for_exclusions_that_cannot_be_read(fakes: Fakes, calls: Session) -> None:
    exclude(fakes, 101)

    def no_second_page(request: Request) -> Reply | None:
        return NotSent("dns") if ("offset", "100") in request.query else None

    fakes.activecampaign.before = no_second_page
    assert questions.exclusions(calls) == ()
