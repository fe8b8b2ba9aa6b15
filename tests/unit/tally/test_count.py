"""The tally of a run: every row is in one bucket."""

from __future__ import annotations

import pytest

from exporter.delivery.ledger import Lane
from exporter.delivery.plan import Carried, Plan
from exporter.reasons import Bucket, Reason
from exporter.tally.count import Tally, carry_over, resends, tally_of
from exporter.tally.fates import fates
from tests.fakes import START
from tests.ledgers import busy_lane
from tests.runs import BUSY_PLAN, QUEUED

CARRIED = Carried(
    run_id="r0", confirmed=40, rejected_by_active_campaign=2, reasons={"excluded": 1, "failed_in_import": 1}
)


def test_every_row_of_a_run_is_in_one_bucket() -> None:
    found = tally_of(BUSY_PLAN, [busy_lane()])
    assert found == Tally(
        rows_read=30,
        confirmed=3,
        duplicates=3,
        rejected=7,
        rejected_by_active_campaign=1,
        unconfirmed=16,
        reasons={
            "duplicate_email": 3,
            "excluded": 1,
            "missing_email": 5,
            "no_consent": 2,
            "not_confirmed_in_time": 4,
            "not_sent": 4,
            "outcome_unknown": 8,
        },
    )
    assert found.adds_up
    assert list(found.reasons) == sorted(found.reasons)


def test_a_run_without_rows_has_an_empty_account() -> None:
    plan = Plan(rows_read=0, contacts=0, duplicates=0, rejected_by_reason={}, batches=0, lanes=0, at=START)
    assert tally_of(plan, []) == Tally()
    assert (plan.warnings, plan.carried) == ((), None)


def test_a_run_that_resumes_another_counts_what_that_one_has_delivered() -> None:
    found = tally_of(BUSY_PLAN.model_copy(update={"carried": CARRIED, "rows_read": 72}), [busy_lane()])
    assert (found.confirmed, found.rejected_by_active_campaign, found.unconfirmed) == (43, 3, 16)
    assert (found.reasons["excluded"], found.reasons["failed_in_import"]) == (2, 1)
    assert found.adds_up


def test_where_the_list_is_gone_nobody_counts_as_confirmed_not_even_from_an_earlier_run() -> None:
    plan = BUSY_PLAN.model_copy(update={"carried": CARRIED, "rows_read": 72})
    before, found = tally_of(plan, [busy_lane()]), tally_of(plan, [busy_lane()], gone=Reason.LIST_GONE)
    assert (found.confirmed, found.unconfirmed) == (0, before.unconfirmed + 43)
    assert found.reasons == {**before.reasons, "list_gone": 43}
    assert found.adds_up


@pytest.mark.parametrize(
    "bucket", ["rows_read", "confirmed", "duplicates", "rejected", "rejected_by_active_campaign", "unconfirmed"]
)
def test_an_account_adds_up_or_not(bucket: str) -> None:
    balanced = Tally(rows_read=31, confirmed=1, duplicates=2, rejected=4, rejected_by_active_campaign=8, unconfirmed=16)
    assert balanced.adds_up
    assert not balanced.model_copy(update={bucket: 0}).adds_up


def test_a_resumed_run_sends_the_batches_again_that_have_contacts_without_an_outcome() -> None:
    left, carried = carry_over(QUEUED.run_id, None, list(fates([busy_lane()])))
    assert left == {1, 2, 3, 4}
    assert carried == Carried(run_id=QUEUED.run_id, confirmed=3, rejected_by_active_campaign=1, reasons={"excluded": 1})


def test_what_was_carried_over_once_is_carried_over_again() -> None:
    left, carried = carry_over(QUEUED.run_id, CARRIED, list(fates([busy_lane()])))
    assert left == {1, 2, 3, 4}
    assert (carried.confirmed, carried.rejected_by_active_campaign) == (43, 3)
    assert carried.reasons == {"excluded": 2, "failed_in_import": 1}
    assert carry_over(QUEUED.run_id, None, []) == (
        frozenset(),
        Carried(run_id=QUEUED.run_id, confirmed=0, rejected_by_active_campaign=0, reasons={}),
    )


def test_requests_that_were_sent_again_are_counted_over_all_lanes() -> None:
    assert resends([busy_lane(), busy_lane(), Lane()]) == 2


def test_the_tally_counts_every_bucket() -> None:
    assert {bucket.member for bucket in Bucket} == Tally.model_fields.keys() - {"rows_read", "reasons"}
    counted = Tally(rows_read=31, confirmed=1, duplicates=2, rejected=4, rejected_by_active_campaign=8, unconfirmed=16)
    assert [counted.rows_in(bucket) for bucket in Bucket] == [1, 2, 4, 8, 16]
    assert (counted.adds_up, counted.warnings) == (True, 28)
