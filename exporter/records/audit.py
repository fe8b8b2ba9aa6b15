"""The audit trail: who asked for what, when, from where, and what came of it. No personal data of customers.

Each call with another method than GET, HEAD or OPTIONS, and each GET that shows personal data, has an append blob of
its own: one line before the call, one after it. A blob with one line is a call during which the app died. The container
has an immutability policy, so that until its time is over nobody, this app included, can overwrite or delete an entry;
docs/decisions/0005 says why.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from exporter import log
from exporter.errors import Unavailable
from exporter.model import Record, Time, to_text
from exporter.ports import Blobs, Changed

PREFIX = "audit/"
_DAY_S = 86_400


class Asked(Record):
    """Who asked for what. Written before anything is done; where that fails, nothing is done."""

    at: Time
    action: str
    """The name of the operation, as in the OpenAPI document."""
    resource: str
    """The path, such as /connections/main."""
    by: str
    by_id: str | None = None
    """The Microsoft Entra object id; None for a function key."""
    role: str
    from_address: str | None = None


class Done(Record):
    """What came of it."""

    at: Time
    status: int
    """Of the HTTP answer."""
    code: str | None = None
    """Of the problem, if the answer was one."""
    location: str | None = None
    """Of what came into being, such as a run."""


@dataclass(frozen=True, slots=True)
class Trail:
    """An entry that waits for its outcome."""

    blobs: Blobs
    path: str
    length: int

    def close(self, done: Done) -> None:
        """Record the outcome. What was done stays done when this fails; the entry then says only what was asked for."""
        try:
            self.blobs.append(self.path, done.to_json() + b"\n", self.length)
        except (Unavailable, Changed):
            log.event("audit_outcome_missing", level=logging.ERROR, path=self.path)


def open_trail(blobs: Blobs, asked: Asked, random_hex: str) -> Trail:
    """Record that something was asked for. Raises `errors.Unavailable`."""
    text = to_text(asked.at)
    path = f"{PREFIX}{text[:10]}/{text[11:].replace(':', '')}-{random_hex}.jsonl"
    return Trail(blobs, path, blobs.append(path, asked.to_json() + b"\n", 0))


def expire(blobs: Blobs, now: float, retention_days: int) -> None:
    """Delete the entries of one day past its time. Raises `errors.Unavailable`, also while storage still protects them.

    Azure's lifecycle rules do not delete in a container with an immutability policy
    (https://learn.microsoft.com/azure/storage/blobs/lifecycle-management-overview#known-issues-and-limitations).
    Each minute of a day looks at another day of the past, so a day of sweeps goes back four years, for one list
    operation each.
    """
    minute_of_day = int(now % _DAY_S // 60)
    # One day more than the policy keeps: an entry's outcome may have been appended after midnight.
    day = datetime.fromtimestamp(now, UTC) - timedelta(days=retention_days + 2 + minute_of_day)
    for path in list(blobs.names(f"{PREFIX}{day:%Y-%m-%d}/")):
        blobs.delete(path)
