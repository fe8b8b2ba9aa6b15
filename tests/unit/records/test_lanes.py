"""The ledgers of a run: read with their age, and appended to by whoever has read them last."""

from __future__ import annotations

import pytest

from exporter.delivery.events import encode, opened
from exporter.ports import Changed
from exporter.records.lanes import append_events, read_lanes
from exporter.records.paths import lane_path
from tests.fakes import START, Fakes, make_fakes
from tests.ledgers import lane_event, lane_of
from tests.runs import BUSY_PLAN, QUEUED

RUN = QUEUED.model_copy(update={"plan": BUSY_PLAN.model_copy(update={"lanes": 3})})


@pytest.fixture
def fakes() -> Fakes:
    """Storage with the first and the last of three ledgers."""
    fakes = make_fakes()
    for number in (0, 2):
        fakes.blobs.append(lane_path(RUN.run_id, number), encode([opened(START, [(number, 4)])]), 0)
    return fakes


def test_lanes_come_by_their_numbers_and_one_that_is_not_open_is_left_out(fakes: Fakes) -> None:
    fakes.clock.sleep(30)
    lanes = read_lanes(fakes.services, RUN)
    assert {number: (list(lane.portions), lane.age_s) for number, lane in lanes.items()} == {
        0: ([(0, 0)], 30),
        2: ([(2, 0)], 30),
    }


def test_a_run_without_a_plan_has_no_lanes(fakes: Fakes) -> None:
    assert read_lanes(fakes.services, QUEUED) == {}


def test_what_is_appended_is_taken_in(fakes: Fakes) -> None:
    lane = read_lanes(fakes.services, RUN)[0]
    append_events(fakes.services, RUN.run_id, 0, lane, lane_event(START, "claimed", by="w1"))
    assert lane.holder == "w1"
    assert read_lanes(fakes.services, RUN)[0] == lane


def test_an_event_of_somebody_who_has_read_less_is_neither_written_nor_taken_in(fakes: Fakes) -> None:
    stale = lane_of((0, 4))
    with pytest.raises(Changed):
        append_events(fakes.services, RUN.run_id, 0, stale, lane_event(START, "claimed", by="w1"))
    assert stale == lane_of((0, 4))
