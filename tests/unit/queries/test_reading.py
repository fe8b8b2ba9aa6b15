"""Reading while somebody waits: how long at most, and one at a time."""

from __future__ import annotations

from contextlib import nullcontext
from typing import BinaryIO
from unittest.mock import Mock

import pytest

from exporter.activecampaign.bodies import envelope
from exporter.contacts.matching import Mapping
from exporter.errors import Stop
from exporter.queries.reading import look, read_all
from exporter.source.files import SegmentFile
from tests.builders import people, write_segment
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    monkeypatch.setattr("exporter.pipeline.batching.HEARTBEAT_ROWS", 10)
    fakes = make_fakes()
    write_segment(fakes, people(30))
    return fakes


@pytest.mark.parametrize(("takes_s", "in_time"), [(200, True), (200.125, False)])
def test_an_answer_is_waited_for_200_seconds(
    fakes: Fakes, takes_s: float, *, in_time: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    refresh = look(fakes.services, "people")
    original = fakes.segments.open

    def slow(file: SegmentFile, buffer_bytes: int = 0) -> BinaryIO:
        fakes.clock.sleep(takes_s)
        return original(file)

    monkeypatch.setattr(fakes.segments, "open", slow)
    for _ in range(2):  # the second time shows that the first one gave its place back
        with nullcontext() if in_time else pytest.raises(Stop, match="within 200 s") as caught:
            around = envelope(1, run_automations=False)
            read_all(fakes.services, [refresh], Mapping("EMail"), around, Mock())
        if caught:
            assert caught.value.code == "reading_too_slow"
