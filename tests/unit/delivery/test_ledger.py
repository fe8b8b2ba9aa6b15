"""What happened to each batch: no contact is lost or doubled, whatever the events."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.activecampaign.refusals import SINGLES_A_BATCH, SINGLES_A_LANE
from exporter.delivery.events import VERSION, Event, encode, opened
from exporter.delivery.ledger import IMPORT_EVENTS, PORTION_EVENTS, ImportStatus, Lane, Portion, PortionStatus, fold
from exporter.delivery.steps import Pause, Send
from exporter.errors import Culprit, Stop, Wait
from exporter.model import to_text
from tests.fakes import START
from tests.ledgers import accept, import_event, lane_event, lane_of, portion_event, step


def test_an_accepted_request_is_not_delivered_yet() -> None:
    lane = lane_of((0, 250))
    accept(lane)
    assert lane.portions[0, 0].status is PortionStatus.SENT
    one = lane.imports["i1"]
    assert (one.status, one.failed, one.reason) == (ImportStatus.ACCEPTED, {}, None)
    assert (one.accepted_at, one.asked_at, one.asks) == (START, START, 0)
    assert (one.confirmed_at, lane.refused_at, lane.faults, lane.version) == (0, 0, (), VERSION)
    assert not lane.done


def test_a_lane_that_has_met_nothing_is_in_no_doubt() -> None:
    lane = lane_of((0, 250))
    assert (lane.in_doubt, lane.common, lane.version, lane.refused_at, lane.faults) == (False, False, VERSION, 0, ())


def test_an_import_knows_how_many_of_its_contacts_were_queued() -> None:
    lane = lane_of((0, 5), (1, 5))
    for batch, said in ((0, {"queued": 4}), (1, {})):
        portion = lane.portions[batch, 0]
        lane.apply(portion_event(START, "sending", portion))
        lane.apply(portion_event(START, "accepted", portion, importId=f"i{batch}", **said))
    assert (lane.imports["i0"].queued, lane.imports["i1"].queued) == (4, None)


def test_each_request_without_an_outcome_is_sent_again_and_counted() -> None:
    lane = lane_of((0, 250))
    portion = lane.portions[0, 0]
    lane.apply(portion_event(START, "sending", portion))
    lane.apply(portion_event(START, "notQueued", portion))
    lane.apply(portion_event(START, "sending", portion))
    assert portion.resends == 0
    for count in (1, 2):
        lane.apply(portion_event(START, "sending", portion))
        assert portion.resends == count


def open_positions(portion: Portion) -> tuple[list[int], list[int]]:
    """Those that may have reached ActiveCampaign, and those that certainly did not."""
    assert portion.open == len(portion.unknown) + len(portion.unsent)
    return list(portion.unknown), list(portion.unsent)


def test_only_contacts_that_left_without_an_answer_may_have_reached_activecampaign() -> None:
    lane = lane_of((0, 3))
    portion = lane.portions[0, 0]
    assert open_positions(portion) == ([], [0, 1, 2])
    lane.apply(portion_event(START, "sending", portion))
    assert open_positions(portion) == ([0, 1, 2], [])
    lane.apply(portion_event(START, "notQueued", portion))
    assert open_positions(portion) == ([], [0, 1, 2])


def test_a_definite_no_says_nothing_about_the_request_before_it() -> None:
    lane = lane_of((0, 3))
    portion = lane.portions[0, 0]
    for name in ("sending", "sending", "notQueued"):
        lane.apply(portion_event(START, name, portion))
    assert portion.status is PortionStatus.PENDING
    assert open_positions(portion) == ([0, 1, 2], [])


def test_a_refusal_does_not_end_the_doubt_about_the_request_before_it() -> None:
    """The list may have been deleted since the first request was queued."""
    lane = lane_of((0, 6))
    portion = lane.portions[0, 0]
    for name in ("sending", "sending", "refused"):
        lane.apply(portion_event(START, name, portion, named=[]))
    assert portion.status is PortionStatus.PENDING
    assert open_positions(portion) == ([0, 1, 2, 3, 4, 5], [])
    for name in ("sending", "accepted", "sending", "refused"):
        lane.apply(portion_event(START, name, portion, importId="i1", named=[]))
    assert open_positions(portion) == ([3, 4, 5], [])


def test_an_acceptance_ends_the_doubt_about_earlier_requests() -> None:
    lane = lane_of((0, 5))
    portion = lane.portions[0, 0]
    for name in ("sending", "refused", "sending", "sending", "accepted"):
        lane.apply(portion_event(START, name, portion, importId="i1", named=[]))
    assert portion.status is PortionStatus.PENDING
    assert open_positions(portion) == ([], [3, 4])


def test_of_a_batch_in_the_middle_of_a_search_only_the_last_request_is_in_doubt() -> None:
    lane = lane_of((0, 6))
    portion = lane.portions[0, 0]
    for name in ("sending", "refused", "sending", "accepted", "sending", "refused", "sending"):
        lane.apply(portion_event(START, name, portion, importId="i1", named=[]))
    assert open_positions(portion) == ([3], [4, 5])


def test_all_open_contacts_of_a_failed_import_may_have_reached_activecampaign() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    lane.apply(import_event(START, "importFailed", lane.imports["i1"], status="failed"))
    again = lane.portions[0, 1]
    assert again.status is PortionStatus.PENDING
    assert open_positions(again) == ([0, 1, 2, 3, 4], [])
    for name in ("sending", "refused", "sending", "accepted"):
        lane.apply(portion_event(START, name, again, importId="i2", named=[]))
    assert open_positions(again) == ([3, 4], [])


def test_a_portion_with_nothing_open_has_nobody_to_report() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    assert open_positions(lane.portions[0, 0]) == ([], [])


def test_a_batch_may_reach_activecampaign_in_several_imports() -> None:
    lane = lane_of((0, 5))
    portion = lane.portions[0, 0]
    for name, open_after in (("refused", 5), ("accepted", 2), ("accepted", 0)):
        lane.apply(portion_event(START, "sending", portion))
        lane.apply(portion_event(START, name, portion, importId=f"i{open_after}", named=[]))
        assert portion.open == open_after
    assert [one.positions for one in lane.imports.values()] == [(0, 1, 2), (3,)]
    assert (portion.status, portion.refused) == (PortionStatus.SENT, (4,))


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
    assert lane.imports["i1"].status is ImportStatus.FAILED
    assert again.left_by is lane.imports["i1"]
    assert step(lane) == Send(lane.portions[7, 0])


def test_the_portions_of_a_batch_are_numbered_by_themselves() -> None:
    lane = lane_of((0, 5), (7, 3))
    accept(lane)
    accept(lane, batch=7, import_id="i7")
    for number, import_id in enumerate(("i1", "i2"), 1):
        lane.apply(import_event(START, "importFailed", lane.imports[import_id], status="failed"))
        again = lane.portions[0, number]
        assert (again.number, again.failed_imports, again.left_by) == (number, number, lane.imports[import_id])
        lane.apply(portion_event(START, "sending", again))
        lane.apply(portion_event(START, "accepted", again, importId=f"i{number + 1}"))
    assert lane.portions.keys() == {(0, 0), (0, 1), (0, 2), (7, 0)}


def test_an_outcome_may_come_late_when_only_the_time_was_up() -> None:
    lane = lane_of((0, 5), (1, 5), (2, 5))
    for number, reason in ((0, "not_confirmed_in_time"), (1, "import_failed")):
        accept(lane, batch=number, import_id=f"i{number}")
        lane.apply(import_event(START, "gaveUp", lane.imports[f"i{number}"], reason=reason))
    accept(lane, batch=2, import_id="i2")
    assert list(lane.late()) == [lane.imports["i0"]]
    lane.apply(import_event(START, "confirmed", lane.imports["i0"], failed={}))
    assert list(lane.late()) == []


def test_a_question_that_came_too_early_makes_the_next_first_ones_later_within_bounds() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    assert lane.expect_s == 5
    for asked_after_s, expected_s in ((8, 10), (6, 10), (47, 58.75), (1_000, 60)):
        lane.apply(import_event(START + asked_after_s, "asked", lane.imports["i1"], status="active"))
        assert lane.expect_s == expected_s


def test_each_import_that_is_confirmed_makes_the_next_questions_a_little_earlier_within_bounds() -> None:
    lane = lane_of(*((number, 5) for number in range(60)))
    learnt = []
    for number in range(60):
        accept(lane, import_id=f"i{number}", batch=number)
        lane.apply(import_event(START + 5, "confirmed", lane.imports[f"i{number}"], failed={}))
        learnt.append(lane.expect_s)
    assert learnt[:2] == pytest.approx([4.9, 4.802])
    assert learnt[44:46] == pytest.approx([5 * 0.98**45, 2])
    assert learnt[-1] == 2


def test_a_lane_is_held_only_by_a_worker_that_shows_life() -> None:
    lane = lane_of((0, 5))
    lane.age_s = 0
    assert not lane.held(150)
    lane.apply(lane_event(START, "claimed", by="w1"))
    lane.age_s = 149
    assert lane.held(150)
    lane.age_s = 150
    assert not lane.held(150)
    lane.apply(lane_event(START, "released"))
    lane.age_s = 0
    assert not lane.held(150)


def test_nobody_has_to_work_on_a_lane_that_is_done_held_or_waits() -> None:
    def idle_at(after_s: float, *, halted: bool = False) -> str | None:
        return lane.idle_because(START + after_s, 150, halted=halted)

    lane = lane_of((0, 5))
    assert idle_at(0) is None
    lane.apply(lane_event(START, "waiting", code="x", message="", culprit="external", until=to_text(START + 15)))
    assert (idle_at(14.875), idle_at(15)) == ("waits", None)
    assert idle_at(14.875, halted=True) is None, "what is to end waits for nothing"
    lane.apply(lane_event(START, "claimed", by="w1"))
    lane.age_s = 149
    assert idle_at(0, halted=True) == "held"
    lane.apply(lane_event(START, "closed"))
    assert idle_at(0) == "done"


def waits(lane: Lane, at: float) -> None:
    lane.apply(lane_event(at, "waiting", code="x", message="", culprit="external", until="2026-11-18T00:00:00Z"))


@pytest.mark.parametrize("name", ["accepted", "refused", "tooLarge", *IMPORT_EVENTS])
def test_progress_ends_a_wait_and_waits_in_a_row_are_counted(name: str) -> None:
    lane = lane_of((0, 5), (1, 5))
    accept(lane, batch=1)
    lane.apply(portion_event(START, "sending", lane.portions[0, 0]))
    for second in range(3):
        waits(lane, START + second)
    assert (lane.waits, lane.waiting_since) == (3, START)
    if name in IMPORT_EVENTS:
        lane.apply(import_event(START, name, lane.imports["i1"], failed={}, reason="import_failed"))
    else:
        lane.apply(portion_event(START, name, lane.portions[0, 0], importId="i0", named=[]))
    assert (lane.waits, lane.waiting_since, lane.waiting) == (0, None, None)


def test_a_closed_lane_sends_nothing_and_still_takes_in_outcomes() -> None:
    lane = lane_of((0, 5), (1, 5))
    accept(lane)
    lane.apply(lane_event(START, "claimed", by="w1"))
    assert not lane.done
    lane.apply(lane_event(START, "closed"))
    assert (lane.done, lane.holder) == (True, None)
    for event in (lane_event(START, "claimed", by="w2"), portion_event(START, "sending", lane.portions[1, 0])):
        with pytest.raises(Stop, match="after its end"):
            lane.apply(event)
    lane.apply(import_event(START, "confirmed", lane.imports["i1"], failed={}))
    assert lane.imports["i1"].status is ImportStatus.CONFIRMED


def test_an_import_has_one_outcome() -> None:
    lane = lane_of((0, 5))
    accept(lane)
    one = lane.imports["i1"]
    lane.apply(import_event(START, "confirmed", one, failed={}))
    for event in (
        import_event(START, "confirmed", one, failed={}),
        import_event(START, "asked", one, status="active") | {"importId": "i2"},
    ):
        with pytest.raises(Stop, match="where it cannot happen, in import i"):
            lane.apply(event)


def test_a_ledger_of_a_newer_release_is_left_to_that_release() -> None:
    with pytest.raises(Wait, match="Expected a ledger of schema version 3 or lower, found 4"):
        fold(encode([opened(START, []) | {"v": VERSION + 1}]))


@pytest.mark.parametrize(
    "line",
    [
        b"{",
        encode([lane_event(START, "invented")]),
        encode([{"at": "2026-11-18T00:00:00Z", "event": "accepted", "batch": 0, "portion": 0, "importId": "i"}]),
    ],
)
def test_a_ledger_of_another_making_is_refused(line: bytes) -> None:
    with pytest.raises(Stop, match="left unchanged") as caught:
        fold(line)
    assert (caught.value.code, caught.value.culprit) == ("ledger_unreadable", Culprit.SYSTEM)


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
    for portion in lane.portions.values():
        assert len(portion.open_positions()) == portion.open
    in_portions = sum(portion.open + len(portion.refused) for portion in lane.portions.values())
    in_imports = sum(len(i.positions) for i in lane.imports.values() if i.status is not ImportStatus.FAILED)
    assert in_portions + in_imports == count
    assert fold(encode([opened(START, [(0, count)])])).portions[0, 0].open == count


def _any_event(lane: Lane, name: str, number: int) -> Event | None:
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


# --- since version 3 ---


def refuse(lane: Lane, portion: Portion, *named: int, at: float = START) -> None:
    lane.apply(portion_event(at, "sending", portion))
    lane.apply(portion_event(at, "refused", portion, named=list(named), faults=["email"]))


def test_a_request_that_is_too_large_becomes_two_portions() -> None:
    lane = lane_of((0, 5))
    portion = lane.portions[0, 0]
    lane.apply(portion_event(START, "sending", portion))
    lane.apply(portion_event(START, "tooLarge", portion))
    assert (portion.status, portion.open, list(portion.unknown), portion.unsent) == (PortionStatus.SENT, 0, [], [])
    halves = list(lane.pending())
    assert [(half.number, list(half.positions)) for half in halves] == [(1, [0, 1, 2]), (2, [3, 4])]
    assert [list(half.unsent) for half in halves] == [[0, 1, 2], [3, 4]]


def test_what_was_decided_before_a_request_was_too_large_stays_so() -> None:
    lane = lane_of((0, 8))
    portion = lane.portions[0, 0]
    refuse(lane, portion, 3, at=START + 9)
    assert (lane.refused_at, lane.faults) == (START + 9, ("email",))
    lane.apply(portion_event(START, "sending", portion))
    lane.apply(portion_event(START, "accepted", portion, importId="i1", queued=7))
    assert portion.refused == (2,)
    lane = lane_of((0, 8))
    portion = lane.portions[0, 0]
    refuse(lane, portion)  # names nobody: the first half is next
    lane.apply(portion_event(START, "sending", portion))
    lane.apply(portion_event(START, "accepted", portion, importId="i1", queued=4))
    lane.apply(portion_event(START, "sending", portion))
    lane.apply(portion_event(START, "tooLarge", portion))
    assert list(lane.imports["i1"].positions) == [0, 1, 2, 3]
    assert [list(half.positions) for half in lane.pending()] == [[4, 5], [6, 7]]
    assert portion.open == 0


def test_the_halves_of_what_an_import_left_over_know_where_they_come_from() -> None:
    lane = lane_of((0, 3), (4, 5))
    accept(lane, batch=4)
    lane.apply(import_event(START, "importFailed", lane.imports["i1"]))
    lane.apply(portion_event(START, "sending", lane.portions[4, 1]))
    lane.apply(portion_event(START, "tooLarge", lane.portions[4, 1]))
    halves = [lane.portions[4, 2], lane.portions[4, 3]]
    assert [half.key for half in halves] == [(4, 2), (4, 3)]
    assert [(half.failed_imports, half.left_by) for half in halves] == [(1, lane.imports["i1"])] * 2


def test_a_resend_that_is_too_large_leaves_in_doubt_what_may_have_been_queued() -> None:
    lane = lane_of((0, 4))
    portion = lane.portions[0, 0]
    lane.apply(portion_event(START, "sending", portion))
    lane.apply(portion_event(START, "sending", portion))
    lane.apply(portion_event(START, "tooLarge", portion))
    assert [list(half.unknown) for half in lane.pending()] == [[0, 1], [2, 3]]


@pytest.mark.parametrize(("failed_before", "wait_s"), [(0, 60), (1, 300), (2, 1_800), (3, 1_800)])
def test_what_a_failed_import_left_over_waits_before_it_is_sent_again(failed_before: int, wait_s: float) -> None:
    lane = lane_of((0, 4))
    accept(lane)
    lane.imports["i1"].failed_imports = failed_before
    lane.apply(import_event(START + 7, "importFailed", lane.imports["i1"]))
    (portion,) = lane.pending()
    assert portion.not_before == START + 7 + wait_s
    assert step(lane, START + 8) == Pause(portion.not_before)
    assert step(lane, portion.not_before) == Send(portion)


def test_a_ledger_of_a_former_release_is_folded_as_it_was_written() -> None:
    lane = Lane()
    lane.apply(opened(START, [(0, 60), (1, 60)]) | {"v": 2})
    portion = lane.portions[0, 0]
    everybody = list(range(1, 61))
    refuse(lane, portion, *everybody)
    for _ in range(30):
        refuse(lane, portion, 1)
    assert (len(portion.refused), portion.common, portion.left) == (30, False, ())
    accept(lane, batch=1)
    lane.apply(import_event(START, "importFailed", lane.imports["i1"]))
    assert [each.not_before for each in lane.pending()] == [0.0, 0.0]


def test_three_that_are_refused_alone_end_the_search_and_the_rest_is_set_aside() -> None:
    lane = lane_of((0, 60))
    portion = lane.portions[0, 0]
    refuse(lane, portion, *range(1, 61))
    assert lane.in_doubt
    for _ in range(3):
        assert len(portion.to_send) == 1
        assert not lane.common
        refuse(lane, portion, 1)
    assert (lane.common, lane.in_doubt, lane.done) == (True, False, True)
    assert (len(portion.refused), len(portion.left), portion.open) == (3, 57, 0)
    assert lane.singles == 3


def test_the_searches_of_a_lane_share_what_may_be_sent_alone() -> None:
    lane = lane_of(*((number, 40) for number in range(8)))
    for number in range(8):
        portion = lane.portions[number, 0]
        while portion.status is not PortionStatus.SENT:  # every second contact is bad, and nobody is named
            assert len(portion.open_positions()) == portion.open
            if any(position % 2 for position in portion.to_send):
                refuse(lane, portion)
            else:
                lane.apply(portion_event(START, "sending", portion))
                import_id = f"i{number}.{len(portion.verdicts)}"
                lane.apply(portion_event(START, "accepted", portion, importId=import_id, queued=1))
    assert lane.singles <= SINGLES_A_LANE
    assert lane.portions[0, 0].alone == SINGLES_A_BATCH
    assert lane.portions[7, 0].alone == 0
    for portion in lane.portions.values():
        assert portion.open == 0
        assert not {*portion.left} & {*portion.refused}


def test_a_single_batch_of_one_contact_takes_nothing_from_what_may_be_sent_alone() -> None:
    lane = lane_of((0, 1))
    accept(lane)
    assert lane.singles == 0


def test_what_an_import_brought_tells_when_it_was_confirmed_and_whether_most_failed() -> None:
    lane = lane_of((0, 4), (1, 4))
    accept(lane, import_id="i1")
    accept(lane, import_id="i2", batch=1)
    one, two = lane.imports["i1"], lane.imports["i2"]
    lane.apply(import_event(START + 9, "confirmed", one, failed={"0": "excluded", "1": "excluded"}))
    lane.apply(import_event(START + 9, "confirmed", two, failed=dict.fromkeys("012", "excluded")))
    assert (one.confirmed_at, one.mostly_failed, two.mostly_failed) == (START + 9, False, True)
    accept(lane := lane_of((0, 4)))
    lane.apply(import_event(START, "importFailed", lane.imports["i1"]))
    assert lane.imports["i1"].mostly_failed
