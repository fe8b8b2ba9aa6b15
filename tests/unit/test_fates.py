"""One fold says what became of each contact; the count, the reject report and the lookup read it."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import ledger, runs
from exporter.fates import BUCKETS, Bucket, fates
from exporter.ledger import (
    IMPORT_EVENTS,
    PORTION_EVENTS,
    Import,
    Lane,
    Portion,
    import_event,
    lane_event,
    portion_event,
)
from exporter.pipeline.lookup import fate_of
from exporter.reasons import Group, Reason
from tests.fakes import START

PLAN = runs.Plan(rows_read=0, contacts=0, duplicates=0, rejected={}, batches=0, lanes=1, at=START)


def lane_of(*batches: tuple[int, int]) -> Lane:
    lane = Lane()
    lane.apply(ledger.opened(START, batches))
    return lane


def send(lane: Lane, portion: Portion) -> None:
    lane.apply(portion_event(START, "sending", portion))


def accept(lane: Lane, portion: Portion, import_id: str = "i1") -> Import:
    send(lane, portion)
    lane.apply(portion_event(START, "accepted", portion, importId=import_id, queued=0))
    return lane.imports[import_id]


def told(lane: Lane) -> dict[int, tuple[str | None, bool, str | None]]:
    """Return for each position of batch 0 its reason, whether it is open, and its newest import."""
    return {
        position: (fate.reason, fate.open, fate.newest.import_id if fate.newest else None)
        for fate in fates([lane])
        for position in fate.positions
    }


def test_nothing_was_sent_of_a_batch_that_is_pending() -> None:
    assert told(lane_of((0, 2))) == dict.fromkeys(range(2), ("not_sent", True, None))


def test_the_outcome_of_a_request_without_an_answer_is_unknown() -> None:
    lane = lane_of((0, 2))
    send(lane, lane.portions[0, 0])
    assert told(lane) == dict.fromkeys(range(2), ("outcome_unknown", True, None))


def test_a_request_that_was_called_off_was_not_sent() -> None:
    lane = lane_of((0, 2))
    send(lane, lane.portions[0, 0])
    lane.apply(portion_event(START, "notQueued", lane.portions[0, 0]))
    assert told(lane) == dict.fromkeys(range(2), ("not_sent", True, None))


def test_in_the_middle_of_a_search_each_contact_is_told_apart() -> None:
    lane = lane_of((0, 8))
    portion = lane.portions[0, 0]
    for _ in range(2):
        send(lane, portion)
        lane.apply(portion_event(START, "refused", portion, named=[], faults=[]))
    assert list(portion.to_send) == [0, 1]  # halved twice
    accept(lane, portion)
    send(lane, portion)
    assert list(portion.to_send) == [2]
    assert told(lane) == {
        0: ("outcome_unknown", True, "i1"),
        1: ("outcome_unknown", True, "i1"),
        2: ("outcome_unknown", True, None),
        **dict.fromkeys((3, 4, 5, 6, 7), ("not_sent", True, None)),
    }


def test_a_confirmed_import_confirms_all_but_its_failures() -> None:
    lane = lane_of((0, 3))
    one = accept(lane, lane.portions[0, 0])
    lane.apply(import_event(START, "confirmed", one, failed={"1": "excluded"}, unmatched=0))
    assert told(lane) == {0: (None, False, "i1"), 1: ("excluded", False, "i1"), 2: (None, False, "i1")}


def test_what_a_failed_import_left_over_may_have_arrived_all_the_same() -> None:
    lane = lane_of((0, 2))
    one = accept(lane, lane.portions[0, 0])
    lane.apply(import_event(START, "importFailed", one, status="failed"))
    assert told(lane) == dict.fromkeys(range(2), ("outcome_unknown", True, "i1"))
    accept(lane, lane.portions[0, 1], "i2")
    assert told(lane) == dict.fromkeys(range(2), ("outcome_unknown", True, "i2"))


@pytest.mark.parametrize("reason", [Reason.NOT_CONFIRMED_IN_TIME, Reason.IMPORT_FAILED])
def test_an_import_that_was_given_up_leaves_its_contacts_unconfirmed(reason: Reason) -> None:
    lane = lane_of((0, 2))
    one = accept(lane, lane.portions[0, 0])
    lane.apply(import_event(START, "gaveUp", one, reason=reason))
    assert told(lane) == dict.fromkeys(range(2), (reason, False, "i1"))


def test_where_no_ledger_knows_a_batch_nothing_of_it_was_sent() -> None:
    fate = fate_of([], 3, 1)
    assert (fate.reason, fate.open, list(fate.positions)) == (Reason.NOT_SENT, True, [1])


def test_every_group_of_reasons_has_its_bucket() -> None:
    assert set(BUCKETS) == set(Group)
    assert {*BUCKETS.values(), Bucket.CONFIRMED, Bucket.OPEN} == set(Bucket)


steps = st.tuples(st.sampled_from([*PORTION_EVENTS, *IMPORT_EVENTS, "claimed", "released"]), st.integers(0, 9))


@given(st.lists(steps, max_size=40), st.lists(st.integers(1, 6), min_size=1, max_size=3))
def test_each_contact_has_one_fate_and_the_three_readers_agree(steps: list[tuple[str, int]], sizes: list[int]) -> None:
    lane = lane_of(*enumerate(sizes))
    for number, (name, which) in enumerate(steps):
        if event := any_event(lane, name, which, number):
            lane.apply(event)
    found = list(fates([lane]))
    everybody = sorted((batch, position) for batch, size in enumerate(sizes) for position in range(size))
    assert sorted((fate.batch, position) for fate in found for position in fate.positions) == everybody

    account = runs.account(PLAN, [lane])
    looked_up = [fate_of([lane], batch, position) for batch, position in everybody]
    assert account.confirmed == sum(fate.bucket is Bucket.CONFIRMED for fate in looked_up)
    assert account.rejected_by_active_campaign == sum(f.bucket is Bucket.REJECTED_BY_ACTIVECAMPAIGN for f in looked_up)
    assert account.unconfirmed == sum(fate.bucket is Bucket.UNCONFIRMED for fate in looked_up)
    assert account.reasons == Counter(fate.reason for fate in looked_up if fate.reason)
    if lane.finished:
        assert not any(fate.open for fate in found)


def any_event(lane: Lane, name: str, which: int, number: int) -> dict[str, Any] | None:
    """Make an event of this name about one of those whom it may meet, if there is any."""
    if name in PORTION_EVENTS:
        portions = [p for p in lane.portions.values() if p.status in PORTION_EVENTS[name]]
        if portions:
            portion = portions[which % len(portions)]
            named = [which % len(portion.to_send) + 1] if portion.to_send and which % 3 else []
            return portion_event(START, name, portion, importId=f"i{number}", queued=0, named=named, faults=[])
        return None
    if name in IMPORT_EVENTS:
        imports = [one for one in lane.imports.values() if one.status in IMPORT_EVENTS[name]]
        if imports:
            one = imports[which % len(imports)]
            failed = {str(one.positions[which % len(one.positions)]): "excluded"} if which % 2 else {}
            return import_event(START, name, one, failed=failed, unmatched=0, status="x", reason="import_failed")
        return None
    return lane_event(START, name, by="w")
