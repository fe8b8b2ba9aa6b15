"""Who can get no mail of a list: read in parts, once a day, for imports of which ActiveCampaign left out somebody.

Addresses are kept as short hashes, with the working copies and no longer than they: `paths.closed_path`.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Final

from exporter.activecampaign.bodies import address_key
from exporter.activecampaign.people import STATUS_BOUNCED, STATUS_UNSUBSCRIBED
from exporter.model import Record
from exporter.reasons import Reason
from exporter.records.paths import closed_path

STATUSES: Final = (STATUS_UNSUBSCRIBED, STATUS_BOUNCED)
"""What is read, in this order."""
MOST_CLOSED: Final = 50_000
"""So many people are read, at most: 500 requests. Of a list that has more, the others stay unnamed."""
_HASH_DIGITS: Final = 20  # 80 bits: of 50,000 people and a request, two are mistaken for each other once in 10^17


class Closed(Record):
    """Who of a list has unsubscribed or bounced, as far as it was read."""

    unsubscribed: frozenset[str] = frozenset()
    bounced: frozenset[str] = frozenset()
    status: int = STATUSES[0]
    """The status that is read now."""
    after_id: int = 0
    """The contact after which reading goes on."""
    over: bool = False
    """Whether all that can be read was."""

    def why(self, email: str) -> Reason | None:
        """Return why an address gets no mail of the list, if it is among these people."""
        digest = _hash(email)
        if digest in self.unsubscribed:
            return Reason.UNSUBSCRIBED
        return Reason.BOUNCED if digest in self.bounced else None

    def with_page(self, addresses: Sequence[str], next_after: int | None) -> Closed:
        """Return the record with a page of those who have `status`, and where to go on; None: with the next status."""
        name = "unsubscribed" if self.status == STATUS_UNSUBSCRIBED else "bounced"
        people = getattr(self, name) | set(map(_hash, addresses))
        update: dict[str, object] = {name: people, "after_id": next_after or 0}
        total = len(self.unsubscribed) + len(self.bounced) + len(addresses)
        if total >= MOST_CLOSED or (next_after is None and self.status == STATUSES[-1]):
            update["over"] = True
        elif next_after is None:
            update["status"] = STATUSES[-1]
        return self.model_copy(update=update)


def path_on(host: str, list_id: int, now: float) -> str:
    """Return where the record of the day of `now` (UTC) is."""
    return closed_path(host, list_id, f"{datetime.fromtimestamp(now, UTC):%Y%m%d}")


def _hash(email: str) -> str:
    return hashlib.sha256(address_key(email).encode()).hexdigest()[:_HASH_DIGITS]
