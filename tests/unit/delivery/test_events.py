"""A ledger is written line by line, in words that stay."""

from __future__ import annotations

from collections.abc import Callable

import orjson
import pytest

from exporter.delivery import events
from exporter.delivery.events import Event, encode, opened
from exporter.delivery.ledger import Lane, fold
from exporter.errors import NotReady, Throttled
from exporter.sentences import Situation, sentence
from tests.fakes import START
from tests.ledgers import lane_event


def test_a_ledger_is_a_line_an_event_and_its_length_is_known() -> None:
    happened = [opened(START, [(0, 5)]), lane_event(START, "claimed", by="w1")]
    data = encode(happened)
    assert data == encode(happened[:1]) + encode(happened[1:])
    assert data.splitlines(keepends=True) == [encode([event]) for event in happened]
    assert fold(data).length == len(data)
    assert fold(b"") == Lane()
    assert (Lane().length, Lane().waits) == (0, 0)


@pytest.mark.parametrize(
    ("write", "stored"),
    [
        (lambda: opened(START, [(0, 250), (6, 9)]), {"event": "opened", "v": 3, "batches": [[0, 250], [6, 9]]}),
        (lambda: events.claimed(START, "w1"), {"event": "claimed", "by": "w1"}),
        (lambda: events.released(START), {"event": "released"}),
        (
            lambda: events.waiting(START, Throttled("throttled", "Wait."), START + 15),
            {
                "event": "waiting",
                "code": "throttled",
                "message": "Wait.",
                "culprit": "external",
                "until": "2026-11-18T11:06:55.000Z",
            },
        ),
        (
            lambda: events.waiting(START, NotReady.of("source_changing"), START + 15),
            {
                "event": "waiting",
                "code": "source_changing",
                "message": sentence("source_changing", {"retryAfterS": 30}, Situation.WAITING),
                "culprit": "external",
                "situation": "waiting",
                "params": {"retryAfterS": 30},
                "until": "2026-11-18T11:06:55.000Z",
            },
        ),
        (lambda: events.closed(START), {"event": "closed"}),
        (lambda: events.sending(START, 3, 1), {"event": "sending", "batch": 3, "portion": 1}),
        (
            lambda: events.not_queued(START, 3, 1, "RateLimited"),
            {"event": "notQueued", "batch": 3, "portion": 1, "outcome": "RateLimited"},
        ),
        (
            lambda: events.refused(START, 3, 1, [2, 5], ["email"]),
            {"event": "refused", "batch": 3, "portion": 1, "named": [2, 5], "faults": ["email"]},
        ),
        (
            lambda: events.accepted(START, 3, 1, "i1", 249),
            {"event": "accepted", "batch": 3, "portion": 1, "importId": "i1", "queued": 249},
        ),
        (lambda: events.asked(START, "i1", "active"), {"event": "asked", "importId": "i1", "status": "active"}),
        (
            lambda: events.confirmed(START, "i1", {"2": "excluded"}, 1),
            {"event": "confirmed", "importId": "i1", "failed": {"2": "excluded"}, "unmatched": 1},
        ),
        (
            lambda: events.import_failed(START, "i1", "failed"),
            {"event": "importFailed", "importId": "i1", "status": "failed"},
        ),
        (
            lambda: events.gave_up(START, "i1", "import_failed"),
            {"event": "gaveUp", "importId": "i1", "reason": "import_failed"},
        ),
    ],
    ids=lambda value: value["event"] if isinstance(value, dict) else "",
)
def test_an_event_is_stored_in_these_words(write: Callable[[], Event], stored: Event) -> None:
    assert orjson.loads(encode([write()])) == {"at": "2026-11-18T11:06:40.000Z"} | stored
