"""Who can get no mail of a list: read page by page and status by status, kept as hashes for a day."""

from __future__ import annotations

import pytest

from exporter.model import load
from exporter.pipeline.sweep import _requested_at
from exporter.reasons import Reason
from exporter.records import closed
from exporter.records.closed import Closed, path_on
from tests.fakes import START


def test_pages_are_added_until_both_statuses_are_read() -> None:
    known = Closed().with_page(["a@x.org"], 7)
    assert (known.status, known.after_id, known.over) == (2, 7, False)
    known = known.with_page([], None)
    assert (known.status, known.after_id, known.over) == (3, 0, False)
    known = known.with_page(["b@x.org"], 9).with_page([], None)
    assert known.over
    assert [known.why(email) for email in (" A@x.org", "B@X.ORG", "c@x.org")] == [
        Reason.UNSUBSCRIBED,
        Reason.BOUNCED,
        None,
    ]


def test_no_address_is_stored_and_everything_is_read_back() -> None:
    known = Closed().with_page(["jane@example.com"], 7)
    assert b"jane" not in known.to_json()
    assert load(Closed, known.to_json()) == known


def test_so_many_are_read_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(closed, "MOST_CLOSED", 3)
    known = Closed().with_page(["a@x.org", "b@x.org"], 7)
    assert not known.over
    assert known.with_page(["c@x.org"], 8).over


def test_a_day_has_a_record_of_its_own_which_goes_a_day_after_its_beginning() -> None:
    path = path_on("acme.api-us1.com", 5, START)
    assert path == "working/acme.api-us1.com.20261118T000000Z.list-5/closed.json"
    assert path_on("acme.api-us1.com", 5, START + 86_400) != path
    assert 0 <= START - _requested_at(path) < 86_400
