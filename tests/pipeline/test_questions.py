"""What is asked of an account: at most so many questions, and nothing waits for what only explains."""

from __future__ import annotations

import pytest

from exporter.activecampaign.wire import Answer, NotSent, Reply, Request
from exporter.pipeline import questions
from exporter.pipeline.session import Session
from tests.builders import HOST, make_export, people, run_export, write_segment
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


def test_a_list_is_counted_with_one_small_question(fakes: Fakes, calls: Session) -> None:
    write_segment(fakes, people(3))
    run_export(fakes, make_export(fakes))
    fakes.activecampaign.requests.clear()
    assert (questions.list_size(calls, 1), questions.list_size(calls, 2)) == (3, 0)
    assert [request.query for request in fakes.activecampaign.requests] == [
        (("listid", number), ("status", "-1"), ("limit", "1")) for number in ("1", "2")
    ]


@pytest.mark.parametrize(
    ("status", "body", "size"),
    [
        (200, b'{"contacts": [], "meta": {"total": "40"}}', 40),
        (200, b'{"contacts": [], "meta": {"total": 40}}', 40),
        (200, b'{"contacts": []}', None),
        (403, b"{}", None),
        (404, b"{}", None),
    ],
)
def test_a_list_that_cannot_be_counted_is_not_waited_for(
    fakes: Fakes, calls: Session, status: int, body: bytes, size: int | None
) -> None:
    fakes.activecampaign.before = lambda request: Answer(status, {}, body) if "contacts" in request.path else None
    assert questions.list_size(calls, 1) == size
