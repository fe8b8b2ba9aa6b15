"""How far a run is, to the contact and to the second."""

from __future__ import annotations

from typing import Any

from exporter.delivery.events import opened
from exporter.delivery.ledger import Lane
from exporter.delivery.traffic import Traffic, traffic_of
from exporter.errors import Culprit
from exporter.model import to_text
from exporter.runs.progress import progress
from exporter.runs.run import Cancel, Problem, RunStatus
from tests.fakes import START
from tests.ledgers import busy_lane, import_event, lane_event, portion_event
from tests.runs import BUSY_PLAN, QUEUED


def waiting_lane(at: float, code: str = "throttled") -> Lane:
    lane = Lane()
    lane.apply(opened(START, [(0, 4)]))
    for later_s in (0, 30):
        lane.apply(
            lane_event(at + later_s, "waiting", code=code, message="Wait.", culprit="external", until=to_text(at + 90))
        )
    return lane


def test_progress_counts_contacts_and_the_time_that_is_left_to_the_second() -> None:
    run = QUEUED.model_copy(update={"plan": BUSY_PLAN})
    assert progress(run, [busy_lane()], 96, START) == {
        "status": RunStatus.RUNNING,
        "progress": {
            "contacts": 20,
            "share": 0.2,
            "sent": 8,
            "confirmed": 3,
            "rejectedByActiveCampaign": 1,
            "secondsLeft": 6,  # two requests in 1.25 s, and 4.9 s until the last import is first asked for
        },
        "traffic": traffic_of([busy_lane()]),
    }


def test_the_slowest_lane_that_has_something_to_wait_for_says_how_long_the_imports_take() -> None:
    slow, done = busy_lane(), Lane(expect_s=60)
    slow.apply(import_event(START + 20, "asked", slow.imports["i2"]))
    found: Any = progress(QUEUED.model_copy(update={"plan": BUSY_PLAN}), [busy_lane(), slow, done], 30, START)
    assert found["progress"]["secondsLeft"] == 4 * 2 + 25
    found = progress(QUEUED.model_copy(update={"plan": BUSY_PLAN}), [done], 30, START)
    assert found["progress"]["secondsLeft"] == 0


def test_a_lane_that_only_sends_or_only_waits_for_imports_still_takes_its_time() -> None:
    run = QUEUED.model_copy(update={"plan": BUSY_PLAN})
    sends = Lane()
    sends.apply(opened(START, [(0, 4)]))
    found: Any = progress(run, [sends], 60, START)
    assert found["progress"]["secondsLeft"] == 1 + 5
    assert progress(run, [sends] * 30, 10, START)["progress"] == found["progress"] | {"secondsLeft": 180 + 5}
    sends.apply(portion_event(START, "sending", sends.portions[0, 0]))
    sends.apply(portion_event(START, "accepted", sends.portions[0, 0], importId="i"))
    found = progress(run, [sends], 60, START)
    assert (found["progress"]["sent"], found["progress"]["secondsLeft"]) == (4, 5)


def test_a_run_without_a_plan_has_no_progress() -> None:
    assert progress(QUEUED, [], 96, START) == {
        "status": RunStatus.QUEUED,
        "progress": {
            "contacts": 0,
            "share": 0.0,
            "sent": 0,
            "confirmed": 0,
            "rejectedByActiveCampaign": 0,
            "secondsLeft": 0,
        },
        "traffic": Traffic(),
    }


def test_a_canceled_run_sends_nothing_more_and_is_canceling_even_while_its_lanes_wait() -> None:
    run = QUEUED.model_copy(update={"plan": BUSY_PLAN, "cancel": Cancel(by="ada", at=START)})
    shown: Any = progress(run, [busy_lane()], 1, START)
    assert shown["status"] is RunStatus.CANCELING
    assert shown["progress"]["secondsLeft"] == 5, "only the imports are waited for"
    waiting = progress(run, [waiting_lane(START)], 96, START)
    assert waiting["status"] is RunStatus.CANCELING
    assert "waiting" in waiting


def test_a_run_waits_when_all_of_its_open_lanes_do_and_says_what_the_first_one_waits_for() -> None:
    run = QUEUED.model_copy(update={"plan": BUSY_PLAN})
    finished = Lane()
    shown = progress(run, [finished, waiting_lane(START), waiting_lane(START + 5, "credentials_refused")], 96, START)
    assert shown["status"] is RunStatus.WAITING
    assert shown["waiting"] == {
        "code": "throttled",
        "message": "Wait.",
        "culprit": "external",
        "since": "2026-11-18T11:06:40.000Z",
        "until": "2026-11-18T11:08:10.000Z",
    }


def test_a_run_does_not_wait_while_one_of_its_lanes_works() -> None:
    run = QUEUED.model_copy(update={"plan": BUSY_PLAN})
    taken = waiting_lane(START)
    taken.apply(lane_event(START + 90, "claimed", by="w1"))
    for others in ([busy_lane()], [taken]):
        shown = progress(run, [waiting_lane(START), *others], 96, START)
        assert shown["status"] is RunStatus.RUNNING
        assert "waiting" not in shown
    assert "waiting" not in progress(run, [Lane()], 96, START)


def test_contacts_that_are_sent_alone_take_three_seconds_each() -> None:
    lane = Lane()
    lane.apply(opened(START, [(0, 60)]))
    portion = lane.portions[0, 0]
    lane.apply(portion_event(START, "sending", portion))
    lane.apply(portion_event(START, "refused", portion, named=list(range(1, 61)), faults=["email"]))
    found: Any = progress(QUEUED.model_copy(update={"plan": BUSY_PLAN}), [lane], 60, START)
    assert found["progress"]["secondsLeft"] == 3 * 3 + 5


def test_what_a_failed_import_left_over_is_waited_for() -> None:
    lane = busy_lane()
    lane.apply(import_event(START, "importFailed", lane.imports["i2"]))
    found: Any = progress(QUEUED.model_copy(update={"plan": BUSY_PLAN}), [lane], 60, START + 20)
    assert found["progress"]["secondsLeft"] == 40 + 5


def test_a_batch_of_one_contact_takes_three_seconds() -> None:
    lane = Lane()
    lane.apply(opened(START, [*((n, 1) for n in range(60)), (60, 40), (61, 40)]))
    found: Any = progress(QUEUED.model_copy(update={"plan": BUSY_PLAN}), [lane], 60, START)
    assert found["progress"]["secondsLeft"] == 60 * 3 + 2 + 5


def test_where_the_list_is_gone_nobody_is_confirmed_so_far() -> None:
    gone = Problem.said("list_gone", Culprit.USER, listId=1, host="acme.api-us1.com")
    run = QUEUED.model_copy(update={"plan": BUSY_PLAN, "stop": gone})
    found: Any = progress(run, [busy_lane()], 60, START)
    assert (found["progress"]["confirmed"], found["progress"]["rejectedByActiveCampaign"]) == (0, 1)
