"""Who can get no mail of a list is read once a day, some pages at a time, and what was read is not read again."""

from __future__ import annotations

import pytest

from exporter.activecampaign.wire import NotSent, Reply, Request
from exporter.errors import Unavailable
from exporter.pipeline import closed
from exporter.pipeline.closed import read_on
from exporter.pipeline.session import Session
from exporter.pipeline.sweep import sweep
from exporter.reasons import Reason
from exporter.records.closed import Closed
from tests.builders import HOST
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    fakes.account._state.audience.set_status(fakes.account._state.audience.find_or_create("x@example.com", 0), [1], 1)
    for number in range(250):
        fakes.account.unsubscribe(f"p{number}@example.com")
    fakes.account._state.audience.set_status(fakes.account._state.audience.find_or_create("b@example.com", 0), [1], 3)
    return fakes


def reading(fakes: Fakes) -> Closed:
    return read_on(fakes.services, Session(fakes.services, HOST, "key-1"), 1)


def requests(fakes: Fakes) -> int:
    return len(fakes.activecampaign.requests)


def test_everybody_of_both_statuses_is_read_once_a_day(fakes: Fakes) -> None:
    known = reading(fakes)
    assert known.over
    assert [known.why(f"{name}@example.com") for name in ("p0", "p249", "b", "x")] == [
        Reason.UNSUBSCRIBED,
        Reason.UNSUBSCRIBED,
        Reason.BOUNCED,
        None,
    ]
    count = requests(fakes)
    assert count == 6  # three pages and an empty one, then one and an empty one
    assert reading(fakes) == known
    assert requests(fakes) == count
    fakes.clock.sleep(86_400)
    reading(fakes)
    assert requests(fakes) == 2 * count


def test_a_call_reads_some_pages_and_the_next_goes_on(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed, "PAGES_AT_ONCE", 2)
    first = reading(fakes)
    assert (first.over, len(first.unsubscribed), requests(fakes)) == (False, 200, 2)
    assert not reading(fakes).over
    assert reading(fakes).over
    assert requests(fakes) == 6


def test_what_was_read_before_an_outage_is_kept(fakes: Fakes) -> None:
    def fail(request: Request) -> Reply | None:
        return NotSent("dns") if ("id_greater", "101") in request.query else None

    fakes.activecampaign.before = fail
    with pytest.raises(Unavailable):
        reading(fakes)
    fakes.activecampaign.before = lambda request: None
    assert reading(fakes).over
    assert requests(fakes) == 6


def test_two_workers_that_read_at_once_both_have_the_answer(fakes: Fakes) -> None:
    within: list[Closed] = []

    def another(request: Request) -> None:
        if not within:
            within.append(Closed())
            within.append(reading(fakes))

    fakes.activecampaign.after = another
    assert reading(fakes) == within[1]


@pytest.mark.parametrize("switches", [{"contact_filters": "ignored"}, {"includes": "ignored"}])
def test_an_answer_that_is_not_clearly_about_them_ends_the_reading(fakes: Fakes, switches: dict[str, str]) -> None:
    fakes.account.set_switches(**switches)
    known = reading(fakes)
    assert known == Closed(over=True)
    assert reading(fakes).over
    assert requests(fakes) == 1


def test_no_record_of_it_is_kept_for_longer_than_a_working_copy(fakes: Fakes) -> None:
    reading(fakes)
    assert b"@example.com" not in b"".join(each.data for each in fakes.blobs.stored.values())
    assert len(list(fakes.blobs.names("working/"))) == 1
    sweep(fakes.services)
    assert len(list(fakes.blobs.names("working/"))) == 1
    fakes.clock.sleep(86_400)
    sweep(fakes.services)
    assert list(fakes.blobs.names("working/")) == []
