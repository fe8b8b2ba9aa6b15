from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import Stop, Wait
from exporter.ledger import (
    IMPORT_EVENTS,
    PORTION_EVENTS,
    Ask,
    Finished,
    GiveUp,
    ImportStatus,
    Json,
    Lane,
    Pause,
    PortionStatus,
    Send,
    ask_at,
    encode,
    fold,
    import_event,
    lane_event,
    next_step,
    opened,
    portion_event,
)
from tests.fakes import START


def lane_of(*batches: tuple[int, int]) -> Lane:
    lane = Lane()
    lane.apply(opened(START, batches))
    return lane


def accept(lane: Lane, at: float = START, import_id: str = "i1", batch: int = 0) -> None:
    portion = lane.portions[batch, 0]
    lane.apply(portion_event(at, "sending", portion))
    lane.apply(portion_event(at, "accepted", portion, importId=import_id, queued=len(portion.to_send)))


def step(lane: Lane, now: float = START, *, may_send: bool = True, after_send: bool = False) -> object:
    return next_step(lane, now, may_send=may_send, confirm_within_s=7_200, after_send=after_send)


def test_an_accepted_request_is_not_delivered_yet() -> None:
    lane = lane_of((0, 250))
    accept(lane)
    assert lane.portions[0, 0].status is PortionStatus.SENT
    assert lane.imports["i1"].status is ImportStatus.ACCEPTED
    assert not lane.finished


def test_sending_twice_without_an_outcome_counts_as_a_repeat() -> None:
    lane = lane_of((0, 250))
    portion = lane.portions[0, 0]
    lane.apply(portion_event(START, "sending", portion))
    lane.apply(portion_event(START, "notQueued", portion))
    lane.apply(portion_event(START, "sending", portion))
    assert portion.resends == 0
    lane.apply(portion_event(START, "sending", portion))
    assert portion.resends == 1


def test_refused_contacts_leave_the_request_and_the_others_are_sent_again() -> None:
    lane = lane_of((0, 5))
    portion = lane.portions[0, 0]
    lane.apply(portion_event(START, "sending", portion))
    lane.apply(portion_event(START, "refused", portion, named=[2], faults=["email"]))
    assert list(portion.to_send) == [0, 2, 3, 4]
    accept(lane)
    assert portion.refused == (1,)
    assert portion.open == 0
    assert lane.imports["i1"].positions == (0, 2, 3, 4)


def test_contacts_of_a_failed_import_become_a_portion_of_their_own() -> None:
    lane = lane_of((0, 5), (7, 3))
    accept(lane)
    lane.apply(import_event(START, "importFailed", lane.imports["i1"], status="failed"))
    again = lane.portions[0, 1]
    assert (list(again.positions), again.failed_imports) == ([0, 1, 2, 3, 4], 1)
    assert step(lane) == Send(lane.portions[7, 0])


def test_the_lane_is_finished_when_every_import_has_its_outcome() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    lane.apply(import_event(START, "confirmed", lane.imports["i1"], failed={"3": "failed_in_import"}, unmatched=0))
    assert lane.finished
    assert lane.imports["i1"].rejected == {3: "failed_in_import"}
    assert step(lane) == Finished()


def test_sending_goes_first_and_a_due_question_follows_each_request() -> None:
    lane = lane_of((0, 5), (1, 5))
    accept(lane)
    later = START + 30
    assert step(lane, later) == Send(lane.portions[1, 0])
    assert step(lane, later, after_send=True) == Ask(lane.imports["i1"])


def test_a_lane_that_may_not_send_any_more_still_asks() -> None:
    lane = lane_of((0, 5), (1, 5))
    accept(lane)
    assert step(lane, may_send=False) == Pause(ask_at(lane.imports["i1"], lane.expect_s))
    assert step(lane, START + 30, may_send=False) == Ask(lane.imports["i1"])


def test_an_import_without_a_final_status_is_given_up_in_the_end() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    found = step(lane, START + 7_201)
    assert isinstance(found, GiveUp)
    lane.apply(import_event(START + 7_201, "gaveUp", lane.imports["i1"], reason=found.reason))
    assert lane.finished


def test_a_question_that_came_too_early_makes_the_next_ones_later() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    lane.apply(import_event(START + 8, "asked", lane.imports["i1"], status="active"))
    assert lane.expect_s == pytest.approx(10)


def test_a_lane_is_held_only_by_a_worker_that_shows_life() -> None:
    lane = lane_of((0, 5))
    assert not lane.held(0, 150)
    lane.apply(lane_event(START, "claimed", by="w1"))
    assert lane.held(149, 150)
    assert not lane.held(151, 150)
    lane.apply(lane_event(START, "released"))
    assert not lane.held(0, 150)


def test_progress_ends_a_wait_and_waits_in_a_row_are_counted() -> None:
    lane = lane_of((0, 5))
    for second in range(3):
        lane.apply(
            lane_event(
                START + second, "waiting", code="x", message="", culprit="external", until="2026-11-18T00:00:00Z"
            )
        )
    assert (lane.waits, lane.waiting_since) == (3, START)
    accept(lane)
    assert (lane.waits, lane.waiting_since, lane.waiting) == (0, None, None)


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        encode([lane_event(START, "invented")]),
        encode([{"at": "2026-11-18T00:00:00Z", "event": "opened", "v": 2, "batches": []}]),
        encode([{"at": "2026-11-18T00:00:00Z", "event": "accepted", "batch": 0, "portion": 0, "importId": "i"}]),
    ],
)
def test_a_ledger_of_another_making_is_refused(line: bytes) -> None:
    with pytest.raises((Stop, Wait), match="left as it is"):
        fold(line)


@given(
    st.lists(st.sampled_from([*PORTION_EVENTS, *IMPORT_EVENTS, "claimed", "released"]), max_size=30), st.integers(1, 6)
)
def test_no_contact_is_lost_or_doubled_whatever_happens(names: list[str], count: int) -> None:
    """Conservation: each contact of a batch is open, refused, or in exactly one import that still counts."""
    lane = lane_of((0, count))
    for number, name in enumerate(names):
        event = _any_event(lane, name, number)
        if event:
            lane.apply(event)
    in_portions = sum(portion.open + len(portion.refused) for portion in lane.portions.values())
    in_imports = sum(len(i.positions) for i in lane.imports.values() if i.status is not ImportStatus.FAILED)
    assert in_portions + in_imports == count
    assert fold(encode([opened(START, [(0, count)])])).portions[0, 0].open == count


def _any_event(lane: Lane, name: str, number: int) -> Json | None:
    """Make an event of this name if some portion or import may meet it."""
    if name in PORTION_EVENTS:
        for portion in lane.portions.values():
            if portion.status in PORTION_EVENTS[name]:
                named = [number % len(portion.to_send) + 1] if portion.to_send else []
                return portion_event(START, name, portion, importId=f"i{number}", queued=0, named=named, faults=[])
    elif name in IMPORT_EVENTS:
        for one in lane.imports.values():
            if one.status in IMPORT_EVENTS[name]:
                return import_event(START, name, one, failed={}, unmatched=0, status="x", reason="import_failed")
    else:
        return lane_event(START, name, by="w")
    return None
