"""How long a worker stays with a lane, looks away and waits: each limit at both of its sides."""

from __future__ import annotations

import itertools
from dataclasses import dataclass, field

import orjson
import pytest

from exporter.delivery import steps
from exporter.model import to_text
from exporter.pipeline.upload import upload_lane
from exporter.queues import UPLOAD_QUEUE
from exporter.records import lanes
from exporter.records.paths import lane_path, run_path
from tests.builders import deliver, drive, make_export, people, read_run, start_on_demand, write_segment
from tests.fakes import FakeClock, Fakes, make_fakes
from tests.ledgers import lane_event


@dataclass
class Watched(FakeClock):
    """Remembers for how long somebody slept."""

    naps: list[float] = field(default_factory=list)

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        super().sleep(seconds)


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes(clock=Watched(), LANES="1")


def planned(fakes: Fakes, count: int) -> str:
    """Plan a run of one lane whose message is lost; return its id."""
    write_segment(fakes, people(count))
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    fakes.messages.queues.clear()
    return run_id


def wait(fakes: Fakes, run_id: str, wait_s: float) -> None:
    """Record that the lane waits from now on."""
    (lane,) = lanes.read_lanes(fakes.services, read_run(fakes, run_id)).values()
    until = to_text(fakes.clock.now() + wait_s)
    event = lane_event(fakes.clock.now(), "waiting", code="x", message="x", culprit="external", until=until)
    lanes.append_events(fakes.services, run_id, 0, lane, event)


def events(fakes: Fakes, run_id: str) -> list[str]:
    """Return what happened in the lane."""
    lines = fakes.blobs.stored[lane_path(run_id, 0)].data.splitlines()
    return [orjson.loads(line)["event"] for line in lines]


@pytest.mark.parametrize(("waited_s", "stops"), [(86_400, False), (86_400.125, True)])
def test_what_a_lane_waits_for_is_waited_for_a_day_and_not_longer(
    fakes: Fakes, waited_s: float, *, stops: bool
) -> None:
    run_id = planned(fakes, 30)
    fakes.clock.sleep(1 - fakes.clock.now() % 1)  # records hold milliseconds
    wait(fakes, run_id, 15)
    fakes.clock.sleep(waited_s)
    fakes.secrets.values.clear()
    upload_lane(fakes.services, run_id, 0)
    run = read_run(fakes, run_id)
    assert events(fakes, run_id)[-2:] == ["claimed", "waiting"]
    assert (run.stop.code if run.stop else None) == ("secret_not_found" if stops else None)


def test_a_message_that_comes_before_its_time_wakes_nobody(fakes: Fakes) -> None:
    run_id = planned(fakes, 30)
    wait(fakes, run_id, 15)
    before = events(fakes, run_id)
    fakes.clock.sleep(14.875)
    upload_lane(fakes.services, run_id, 0)
    assert events(fakes, run_id) == before
    fakes.clock.sleep(0.25)
    upload_lane(fakes.services, run_id, 0)
    assert events(fakes, run_id)[len(before)] == "claimed"


def test_a_worker_looks_for_a_cancel_every_ten_seconds(fakes: Fakes) -> None:
    run_id = planned(fakes, 250 * 60)
    looks: list[float] = []

    def watch(operation: str, path: str) -> None:
        if (operation, path) == ("read", run_path(run_id)):
            looks.append(fakes.clock.now())

    fakes.blobs.before = watch
    upload_lane(fakes.services, run_id, 0)
    fakes.blobs.before = lambda operation, path: None
    last = max(r.at for r in fakes.account.requests() if r.path.endswith("bulk_import"))
    gaps = [after - before for before, after in itertools.pairwise(looks) if after <= last]
    assert len(gaps) == 3
    assert 10 <= min(gaps) < 11


def test_a_worker_naps_ten_seconds_at_a_time_while_it_waits_for_an_outcome(fakes: Fakes) -> None:
    run_id = planned(fakes, 30)
    fakes.account.end_next_imports("stuck", 1)
    assert isinstance(fakes.clock, Watched)
    fakes.clock.naps.clear()
    upload_lane(fakes.services, run_id, 0)
    assert max(fakes.clock.naps) == 10.0


def test_a_worker_passes_its_lane_on_when_its_time_is_used_up() -> None:
    fakes = make_fakes(LANES="1", LANE_TIME_BUDGET_S="20")
    run_id = planned(fakes, 250 * 60)
    began = fakes.clock.now()
    upload_lane(fakes.services, run_id, 0)
    assert 20 <= fakes.clock.now() - began < 22
    assert events(fakes, run_id)[-1] == "released"
    ((visible_at, message),) = fakes.messages.queues[UPLOAD_QUEUE]
    assert message == {"runId": run_id, "lane": 0}
    assert visible_at == fakes.clock.now()


def test_a_lane_that_only_waits_for_outcomes_is_passed_on_to_the_next_question(fakes: Fakes) -> None:
    run_id = planned(fakes, 30)
    fakes.account.end_next_imports("stuck", 1)
    upload_lane(fakes.services, run_id, 0)
    (lane,) = lanes.read_lanes(fakes.services, read_run(fakes, run_id)).values()
    (one,) = lane.accepted()
    ((visible_at, _),) = fakes.messages.queues[UPLOAD_QUEUE]
    assert 0 <= visible_at - steps.ask_at(one, lane.expect_s) < 1, "whole seconds, and not before"
    assert drive(fakes, run_id, limit_s=3 * 3_600).end
