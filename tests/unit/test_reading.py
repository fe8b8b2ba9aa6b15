"""Reading while somebody waits: how long at most, one at a time, and a report from bytes that come in any pieces."""

from __future__ import annotations

from contextlib import nullcontext
from typing import BinaryIO
from unittest.mock import Mock

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.activecampaign.bodies import envelope
from exporter.contacts.matching import Mapping
from exporter.errors import Stop
from exporter.queries.reading import newest, read_all
from exporter.reasons import Reason
from exporter.source.files import SegmentFile
from exporter.tally.rejects import HEADER, Reject, RejectRow, lines, reject_rows
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
    refresh = newest(fakes.services, "people")
    original = fakes.segments.open

    def slow(file: SegmentFile) -> BinaryIO:
        fakes.clock.sleep(takes_s)
        return original(file)

    monkeypatch.setattr(fakes.segments, "open", slow)
    for _ in range(2):  # the second time shows that the first one gave its place back
        with nullcontext() if in_time else pytest.raises(Stop, match="within 200 s") as caught:
            around = envelope(1, run_automations=False)
            read_all(fakes.services, [refresh], Mapping("EMail"), around, Mock())
        if caught:
            assert caught.value.code == "reading_too_slow"


TEXTS = st.text(st.characters(codec="utf-8", exclude_characters="\x00"), max_size=6)
REJECTS = st.builds(
    Reject,
    TEXTS,
    st.integers(1, 10**9),
    TEXTS,
    TEXTS,
    st.sampled_from([Reason.MISSING_EMAIL, Reason.DUPLICATE_EMAIL]),
    st.sampled_from(["A sentence.", 'Row 1 of "a,\nb" is \u00e4\U0001f600.']),
)


@given(st.lists(REJECTS, max_size=4), st.lists(st.integers(0, 400), max_size=5))
def test_a_report_reads_the_same_in_whatever_pieces_it_comes(rejects: list[Reject], cuts: list[int]) -> None:
    data = HEADER + lines(rejects)
    ends = sorted({*(cut for cut in cuts if cut < len(data)), len(data)})
    pieces = [data[start:end] for start, end in zip([0, *ends], ends, strict=False)]
    found = list(reject_rows(pieces))
    assert found == list(reject_rows([data]))
    assert [(row.row, row.reason) for row in found] == [(reject.row, reject.reason) for reject in rejects]


def test_some_lines_of_a_report_can_be_read_without_its_header() -> None:
    reject = Reject("people.csv", 7, "id", "two\nlines", Reason.INVALID_EMAIL_NO_AT, "No @.")
    assert list(reject_rows([lines([reject])])) == [
        RejectRow("people.csv", 7, "two\nlines", Reason.INVALID_EMAIL_NO_AT)
    ]
