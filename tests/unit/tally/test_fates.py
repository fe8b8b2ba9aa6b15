"""What became of each contact of a batch, in every state that it can be in."""

from __future__ import annotations

from exporter.delivery.events import opened
from exporter.delivery.ledger import Lane
from exporter.reasons import Bucket, Reason
from exporter.tally.fates import Fate, fates
from tests.fakes import START
from tests.ledgers import import_event, portion_event


def lane_after(*names: str, count: int = 4, **data: object) -> Lane:
    """A lane with one batch, to whose whole portion these things happened."""
    lane = Lane()
    lane.apply(opened(START, [(7, count)]))
    for name in names:
        lane.apply(portion_event(START, name, lane.portions[7, 0], importId="i1", named=data.get("named", [])))
    return lane


def after_import(name: str, **data: object) -> Lane:
    lane = lane_after("sending", "accepted")
    lane.apply(import_event(START, name, lane.imports["i1"], **data))
    return lane


def told(lane: Lane) -> list[tuple[list[int], Reason | None, bool]]:
    found = list(fates([lane]))
    assert {fate.batch for fate in found} <= {7}
    return [(list(fate.positions), fate.reason, fate.open) for fate in found]


def test_what_is_still_to_be_sent_was_not_sent_if_the_run_ends_now() -> None:
    assert told(lane_after()) == [([0, 1, 2, 3], Reason.NOT_SENT, True)]
    assert told(lane_after("sending", "notQueued")) == [([0, 1, 2, 3], Reason.NOT_SENT, True)]


def test_what_left_without_an_answer_may_have_arrived() -> None:
    assert told(lane_after("sending")) == [([0, 1, 2, 3], Reason.OUTCOME_UNKNOWN, True)]


def test_of_a_batch_in_the_middle_of_a_search_everybody_has_a_fate_of_their_own() -> None:
    lane = lane_after("sending", "refused", "sending", "accepted", "sending")
    assert told(lane) == [
        ([2], Reason.OUTCOME_UNKNOWN, True),
        ([3], Reason.NOT_SENT, True),
        ([0, 1], Reason.OUTCOME_UNKNOWN, True),
    ]
    assert [fate.newest for fate in fates([lane])] == [None, None, lane.imports["i1"]]


def test_whom_activecampaign_refused_is_not_heard_of_again() -> None:
    lane = lane_after("sending", "refused", "sending", "accepted", named=[2])
    assert told(lane) == [
        ([1], Reason.REFUSED_BY_ACTIVECAMPAIGN, False),
        ([0, 2, 3], Reason.OUTCOME_UNKNOWN, True),
    ]


def test_a_confirmed_import_confirms_everybody_whom_it_does_not_name() -> None:
    lane = after_import("confirmed", failed={})
    assert list(fates([lane])) == [Fate(7, range(4), None, newest=lane.imports["i1"])]
    lane = after_import("confirmed", failed={"1": "excluded", "0": "failed_in_import", "3": "excluded"})
    assert told(lane) == [
        ([2], None, False),
        ([1, 3], Reason.EXCLUDED, False),
        ([0], Reason.FAILED_IN_IMPORT, False),
    ]
    assert all(fate.newest is lane.imports["i1"] and fate.batch == 7 for fate in fates([lane]))


def test_an_import_that_was_given_up_has_the_reason_that_was_noted() -> None:
    lane = after_import("gaveUp", reason="not_confirmed_in_time")
    assert list(fates([lane])) == [Fate(7, range(4), Reason.NOT_CONFIRMED_IN_TIME, newest=lane.imports["i1"])]
    assert told(after_import("gaveUp", reason=None)) == [([0, 1, 2, 3], Reason.OUTCOME_UNKNOWN, False)]


def test_the_contacts_of_a_failed_import_are_open_again_and_remember_it() -> None:
    lane = after_import("importFailed")
    assert list(fates([lane])) == [
        Fate(7, range(4), Reason.IMPORT_FAILED, open=True, newest=lane.imports["i1"]),
    ]
    lane.apply(portion_event(START, "sending", lane.portions[7, 1]))
    assert [fate.reason for fate in fates([lane])] == [Reason.OUTCOME_UNKNOWN]
    for name in ("refused", "sending", "accepted"):
        lane.apply(portion_event(START, name, lane.portions[7, 1], importId="i2", named=[2]))
    assert [(list(fate.positions), fate.newest) for fate in fates([lane])] == [
        ([1], lane.imports["i1"]),
        ([0, 2, 3], lane.imports["i2"]),
    ]


def test_the_fates_of_all_lanes_are_told() -> None:
    assert [fate.batch for fate in fates([lane_after(), lane_after("sending")])] == [7, 7]


def test_each_fate_counts_in_the_bucket_of_its_reason() -> None:
    buckets = {reason: Fate(0, (0,), reason).bucket for reason in Reason}
    assert buckets[Reason.NOT_UTF8] is buckets[Reason.NO_CONSENT] is Bucket.REJECTED
    assert buckets[Reason.DUPLICATE_EMAIL] is Bucket.DUPLICATE
    assert buckets[Reason.EXCLUDED] is Bucket.REJECTED_BY_ACTIVECAMPAIGN
    assert buckets[Reason.NOT_SENT] is Bucket.UNCONFIRMED
    assert Fate(0, (0,), None).bucket is Bucket.CONFIRMED
    assert not Fate(0, (0,), None).open


def test_what_was_found_out_replaces_only_reasons_that_do_not_say_why() -> None:
    lane = after_import("confirmed", failed={"0": "failed_in_import", "1": "failed_in_import", "3": "excluded"})
    newest = lane.imports["i1"]
    found = {(7, 0): Reason.UNSUBSCRIBED, (7, 2): Reason.BOUNCED, (7, 3): Reason.BOUNCED, (8, 1): Reason.BOUNCED}
    assert list(fates([lane], found)) == [
        Fate(7, [2], None, newest=newest),
        Fate(7, [0], Reason.UNSUBSCRIBED, newest=newest),
        Fate(7, [1], Reason.FAILED_IN_IMPORT, newest=newest),
        Fate(7, [3], Reason.EXCLUDED, newest=newest),
    ]
    assert list(fates([lane], {})) == list(fates([lane]))


def test_where_the_list_is_gone_nobody_is_confirmed_and_the_others_keep_their_reasons() -> None:
    lane = after_import("confirmed", failed={"1": "excluded"})
    newest = lane.imports["i1"]
    assert list(fates([lane], gone=Reason.LIST_GONE)) == [
        Fate(7, [0, 2, 3], Reason.LIST_GONE, newest=newest),
        Fate(7, [1], Reason.EXCLUDED, newest=newest),
    ]
    assert told(lane_after()) == [
        (list(fate.positions), fate.reason, fate.open) for fate in fates([lane_after()], gone=Reason.LIST_GONE)
    ]


def test_who_was_set_aside_in_a_search_is_unconfirmed_for_that() -> None:
    everybody = list(range(1, 21))
    lane = lane_after(*("sending", "refused") * 4, count=20, named=everybody)
    kept = [fate for fate in fates([lane]) if fate.reason is Reason.REFUSED_WITH_OTHERS]
    assert kept == [Fate(7, tuple(p for p in range(20) if p not in (0, 9, 19)), Reason.REFUSED_WITH_OTHERS)]
    assert told(lane)[0] == ([0, 9, 19], Reason.REFUSED_BY_ACTIVECAMPAIGN, False)
    lane = after_import("importFailed")
    again = lane.portions[7, 1]
    again.left = (1, 2)
    (left,) = (fate for fate in fates([lane]) if fate.reason is Reason.REFUSED_WITH_OTHERS)
    assert (left.positions, left.newest) == ((1, 2), lane.imports["i1"])
