"""The tally of a run (promise P1): how many rows are in which bucket."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Mapping

from pydantic import Field

from exporter.delivery.ledger import Lane
from exporter.delivery.plan import Carried, Plan
from exporter.model import Value
from exporter.reasons import Bucket, Reason
from exporter.tally.fates import Fate, Place, fates


class Tally(Value):
    """The tally of a run (promise P1): every row read is in exactly one bucket."""

    rows_read: int = 0
    confirmed: int = 0
    duplicates: int = 0
    rejected: int = 0
    """Rejected here, before anything was sent."""
    rejected_by_active_campaign: int = 0
    unconfirmed: int = 0
    reasons: dict[str, int] = Field(default_factory=dict)
    """Rows by reason code, over the three buckets that need one."""

    @property
    def adds_up(self) -> bool:
        """Whether the buckets add up to the rows read."""
        return sum(map(self.rows_in, Bucket)) == self.rows_read

    @property
    def warnings(self) -> int:
        """The rows that keep a run from being successful."""
        return sum(self.rows_in(bucket) for bucket in Bucket if bucket.warns)

    @property
    def contacts(self) -> int:
        """The rows that were to become contacts."""
        return self.confirmed + self.rejected_by_active_campaign + self.unconfirmed

    @property
    def there(self) -> int:
        """The people who are known to be on the list."""
        return self.confirmed

    def rows_in(self, bucket: Bucket) -> int:
        """Return the rows in a bucket."""
        rows: int = getattr(self, bucket.member)
        return rows


def tally_of(
    plan: Plan, lanes: Iterable[Lane], found: Mapping[Place, Reason] | None = None, gone: Reason | None = None
) -> Tally:
    """Add up the run from its plan, its ledgers, and what was found after its end; as in `fates`."""
    reasons = Counter(plan.rejected_by_reason)
    reasons[Reason.DUPLICATE_EMAIL] += plan.duplicates
    rows = Counter({Bucket.DUPLICATE: plan.duplicates, Bucket.REJECTED: sum(plan.rejected_by_reason.values())})
    if plan.carried:
        rows[gone.group.bucket if gone else Bucket.CONFIRMED] = plan.carried.confirmed
        reasons.update({gone: plan.carried.confirmed} if gone else {})
        rows[Bucket.REJECTED_BY_ACTIVECAMPAIGN] = plan.carried.rejected_by_active_campaign
        reasons.update(plan.carried.reasons)
    _count(fates(lanes, found, gone), rows, reasons)
    return Tally(
        rows_read=plan.rows_read,
        **{bucket.member: rows[bucket] for bucket in Bucket},
        reasons={str(reason): count for reason, count in sorted(reasons.items()) if count},
    )


def _count(found: Iterable[Fate], rows: Counter[Bucket], reasons: Counter[str]) -> None:
    for fate in found:
        rows[fate.bucket] += len(fate.positions)
        if fate.reason:
            reasons[fate.reason] += len(fate.positions)


def carry_over(run_id: str, before: Carried | None, found: Collection[Fate]) -> tuple[frozenset[int], Carried]:
    """Divide a run that ended too early: the batches that have contacts without an outcome, and the tally of the rest.

    `before`: what that run itself carried over; `found`: all its fates.
    """
    left = frozenset(fate.batch for fate in found if fate.bucket is Bucket.UNCONFIRMED)
    rows, reasons = Counter[Bucket](), Counter(before.reasons if before else {})
    _count((fate for fate in found if fate.batch not in left), rows, reasons)
    return left, Carried(
        run_id=run_id,
        confirmed=rows[Bucket.CONFIRMED] + (before.confirmed if before else 0),
        rejected_by_active_campaign=rows[Bucket.REJECTED_BY_ACTIVECAMPAIGN]
        + (before.rejected_by_active_campaign if before else 0),
        reasons={str(reason): count for reason, count in sorted(reasons.items())},
    )


def resends(lanes: Iterable[Lane]) -> int:
    """Count the requests that were sent again because the outcome of the first was unknown."""
    return sum(portion.resends for lane in lanes for portion in lane.portions.values())
