"""A ledger is written line by line."""

from __future__ import annotations

from exporter.delivery.events import encode, opened
from exporter.delivery.ledger import Lane, fold
from tests.fakes import START
from tests.ledgers import lane_event


def test_a_ledger_is_a_line_an_event_and_its_length_is_known() -> None:
    events = [opened(START, [(0, 5)]), lane_event(START, "claimed", by="w1")]
    data = encode(events)
    assert data == encode(events[:1]) + encode(events[1:])
    assert data.splitlines(keepends=True) == [encode([event]) for event in events]
    assert fold(data).length == len(data)
    assert fold(b"") == Lane()
    assert (Lane().length, Lane().waits) == (0, 0)
