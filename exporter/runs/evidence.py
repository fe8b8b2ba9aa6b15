"""Does a look after the end contradict what a run says? What ActiveCampaign confirmed is its word, not a look. No I/O.

A sample cannot correct the tally, so no bucket changes; the run has warnings, is not `successful`, and later runs are
not compared with it. Some minutes lie between the end and the look, in which people leave by themselves, and mail of an
automation bounces. So it takes more than one or two who did.
"""

from __future__ import annotations

from collections.abc import Iterator

from exporter.tally.findings import Sample
from exporter.warned import Warned

SOME_LEFT = 2
"""So many of a sample, or of a list, may have left since. If one in a hundred did, which is a lot for some minutes,
three of a sample of 20 would be found in 1 of 1,000 runs."""
LEFT_SHARE = 0.01
"""And so many of the confirmed people of a large run may have left a list."""


def contradictions(
    confirmed: int, sample: Sample | None, list_active: int | None, *, list_id: int, host: str
) -> Iterator[Warned]:
    """Yield a warning for each look after the end that contradicts a run.

    `confirmed`: how many people the run had confirmed when the look began. `list_active`: how many active contacts the
    list had then; None if nobody knows.
    """
    if sample:
        if missing := sample.not_there + sample.not_on_the_list:  # nobody takes himself off: he unsubscribes
            yield Warned.of(
                "confirmed_not_on_list",
                asked=sample.asked,
                missing=missing,
                notThere=sample.not_there,
                confirmed=sample.confirmed,
                listId=list_id,
                host=host,
            )
        closed = sample.unsubscribed + sample.bounced + sample.unconfirmed
        if closed > SOME_LEFT or closed == sample.asked:
            yield Warned.of(
                "confirmed_get_no_mail",
                asked=sample.asked,
                closed=closed,
                unsubscribed=sample.unsubscribed,
                bounced=sample.bounced,
                unconfirmed=sample.unconfirmed,
                listId=list_id,
                host=host,
            )
    if list_active is not None:
        too_few = confirmed - list_active > max(SOME_LEFT, LEFT_SHARE * confirmed)
        if too_few or (confirmed and not list_active):
            yield Warned.of(
                "list_smaller_than_confirmed", confirmed=confirmed, active=list_active, listId=list_id, host=host
            )
