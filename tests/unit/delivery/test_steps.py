"""What a worker does next: what is sent, what is asked for and when, what is given up."""

from __future__ import annotations

from exporter.delivery.ledger import ImportStatus
from exporter.delivery.steps import Ask, Finished, GiveUp, Pause, Send, ask_at
from exporter.reasons import Reason
from tests.fakes import START
from tests.ledgers import accept, import_event, lane_of, step


def test_the_lane_is_finished_when_every_import_has_its_outcome() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    lane.apply(import_event(START, "confirmed", lane.imports["i1"], failed={"3": "failed_in_import"}, unmatched=0))
    assert lane.done
    assert lane.imports["i1"].status is ImportStatus.CONFIRMED
    assert lane.imports["i1"].failed == {3: "failed_in_import"}
    assert step(lane) == Finished()


def test_sending_goes_first_and_a_due_question_follows_each_request() -> None:
    lane = lane_of((0, 5), (1, 5))
    accept(lane)
    later = START + 30
    assert step(lane, later) == Send(lane.portions[1, 0])
    assert step(lane, later, after_send=True) == Ask(lane.imports["i1"], in_passing=True)


def test_a_question_holds_up_what_is_to_be_sent_only_once_it_is_half_an_hour_late() -> None:
    lane = lane_of((0, 5), (1, 5))
    accept(lane)
    due = ask_at(lane.imports["i1"], lane.expect_s)
    for late_s, in_passing in ((0.0, True), (1_799.9, True), (1_800.0, False)):
        assert step(lane, due + late_s, after_send=True) == Ask(lane.imports["i1"], in_passing=in_passing)
    accept(lane, due, import_id="i2", batch=1)
    assert step(lane, due, after_send=True) == Ask(lane.imports["i1"]), "nothing is left to send"


def test_where_outcomes_have_to_come_soon_a_question_is_put_off_for_a_quarter_of_that_time() -> None:
    lane = lane_of((0, 5), (1, 5))
    accept(lane)
    due = ask_at(lane.imports["i1"], lane.expect_s)
    for late_s, in_passing in ((24.9, True), (25.0, False)):
        found = step(lane, due + late_s, after_send=True, confirm_within_s=100)
        assert found == Ask(lane.imports["i1"], in_passing=in_passing)


def test_a_lane_that_may_not_send_any_more_still_asks() -> None:
    lane = lane_of((0, 5), (1, 5))
    accept(lane)
    assert step(lane, may_send=False) == Pause(ask_at(lane.imports["i1"], lane.expect_s))
    assert step(lane, START + 30, may_send=False) == Ask(lane.imports["i1"])


def test_an_import_without_a_final_status_is_given_up_in_the_end() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    one = lane.imports["i1"]
    assert step(lane, START + 7_200) == Ask(one)
    assert step(lane, START + 7_201) == GiveUp(one, Reason.NOT_CONFIRMED_IN_TIME)
    lane.apply(import_event(START + 7_201, "gaveUp", one, reason="not_confirmed_in_time"))
    assert (one.status, one.reason) == (ImportStatus.GIVEN_UP, "not_confirmed_in_time")
    assert lane.done


def test_an_import_is_asked_for_at_the_very_time_when_its_question_is_due() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    assert step(lane, START + 4.999) == Pause(START + 5)
    assert step(lane, START + 5) == Ask(lane.imports["i1"])


def test_the_question_that_is_due_first_is_asked_first() -> None:
    lane = lane_of((0, 5), (1, 5))
    accept(lane, START + 3, import_id="later", batch=1)
    accept(lane, START, import_id="sooner", batch=0)
    assert step(lane, START + 60) == Ask(lane.imports["sooner"])
    lane.apply(import_event(START + 60, "asked", lane.imports["sooner"], status="active"))
    assert step(lane, START + 63) == Ask(lane.imports["sooner"])
    lane.apply(import_event(START + 63, "asked", lane.imports["sooner"], status="active"))
    assert step(lane, START + 64) == Ask(lane.imports["later"])


def test_questions_for_an_import_become_rarer_down_to_one_a_minute() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    one, at, gaps = lane.imports["i1"], START + 5, []
    assert ask_at(one, lane.expect_s) == at
    for _ in range(8):
        lane.apply(import_event(at, "asked", one, status="active"))
        gaps.append(ask_at(one, lane.expect_s) - at)
        at += gaps[-1]
    assert gaps == [2, 4, 8, 16, 32, 60, 60, 60]


def test_any_number_of_questions_can_be_asked() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    one = lane.imports["i1"]
    for _ in range(2_000):
        lane.apply(import_event(START + 5, "asked", one, status="active"))
    assert one.asks == 2_000
    assert ask_at(one, lane.expect_s) == START + 5 + 60


def test_what_a_failed_import_left_over_is_sent_at_the_very_time_when_its_wait_is_over() -> None:
    lane = lane_of((0, 4), (1, 4))
    accept(lane)
    lane.apply(import_event(START, "importFailed", lane.imports["i1"]))
    assert step(lane) == Send(lane.portions[1, 0])  # others need not wait
    accept(lane, import_id="i2", batch=1)
    left = lane.portions[0, 1]
    assert step(lane, START) == Pause(ask_at(lane.imports["i2"], lane.expect_s))
    lane.apply(import_event(START + 6, "confirmed", lane.imports["i2"], failed={}))
    assert step(lane, left.not_before - 0.25) == Pause(left.not_before)
    assert step(lane, left.not_before) == Send(left)
    assert step(lane, left.not_before, may_send=False) == Finished()
