"""What went to ActiveCampaign for a run, and when."""

from __future__ import annotations

from collections.abc import Iterable

from exporter.delivery.ledger import Lane
from exporter.model import Time, Value


class Traffic(Value):
    """What went to ActiveCampaign for a run, over all of its lanes. A time is None if nothing of the kind happened."""

    requests: int = 0
    """Requests with contacts; those that were sent again count each time."""
    waits: int = 0
    """How often a lane had to wait for something outside."""
    first_sent: Time | None = None
    last_sent: Time | None = None
    last_confirmed: Time | None = None
    """When the last import so far was found to be completed."""


def traffic_of(lanes: Iterable[Lane]) -> Traffic:
    """Add up the traffic of a run from its lanes."""
    lanes = list(lanes)
    sent = [at for lane in lanes for at in (lane.first_sent_at, lane.last_sent_at) if at is not None]
    confirmed = [bulk.confirmed_at for lane in lanes for bulk in lane.imports.values() if bulk.confirmed_at]
    return Traffic(
        requests=sum(lane.requests for lane in lanes),
        waits=sum(lane.all_waits for lane in lanes),
        first_sent=min(sent, default=None),
        last_sent=max(sent, default=None),
        last_confirmed=max(confirmed, default=None),
    )
