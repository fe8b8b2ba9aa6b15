"""A hint is sent where the queue takes it, and nothing fails where it does not."""

from __future__ import annotations

import pytest

from exporter.errors import Unavailable
from exporter.queues import PLAN_QUEUE, send_hint
from tests.builders import logged
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


def test_a_hint_arrives_after_its_delay(fakes: Fakes) -> None:
    send_hint(fakes.services, PLAN_QUEUE, {"runId": "x"}, 60)
    assert fakes.messages.take(PLAN_QUEUE) is None
    fakes.clock.sleep(60)
    assert fakes.messages.take(PLAN_QUEUE) == {"runId": "x"}


def test_a_hint_that_cannot_be_sent_is_told_and_left_to_the_sweep(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    def send(*_: object) -> None:
        raise Unavailable("queue_unavailable", "It is down.")

    monkeypatch.setattr(fakes.messages, "send", send)
    send_hint(fakes.services, PLAN_QUEUE, {"runId": "x"})
    assert logged(caplog) == [("WARNING", "message_not_sent", {"queue": PLAN_QUEUE, "code": "queue_unavailable"})]
