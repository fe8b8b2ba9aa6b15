"""The audit trail: who requested what, when, from where, and the result. It holds no personal data of customers.

Each call with a method other than GET, HEAD or OPTIONS, and each GET that shows personal data, gets an append blob of
its own: one line before the call, one after it. A blob with one line is a call during which the app died. The container
has an immutability policy: until it expires, nobody, including this app, can overwrite or delete an entry;
docs/decisions/0005-audit-trail.md says why.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import groupby, takewhile

from exporter import log
from exporter.errors import Unavailable
from exporter.model import Record, Time, to_text
from exporter.ports import Blobs, Changed

PREFIX = "audit/"
_ENTRY = re.compile(PREFIX + r"\d{4}-\d\d-\d\d/")


class Asked(Record):
    """Who requested what. Written before anything is done; if that fails, nothing is done."""

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
    """The result of a call."""

    at: Time
    status: int
    """The status of the HTTP answer."""
    code: str | None = None
    """The problem code, if the answer was a problem."""
    location: str | None = None
    """The location of what was created, such as a run, or shown unmasked, such as a segment."""


@dataclass(frozen=True, slots=True)
class Trail:
    """An entry that waits for its outcome."""

    blobs: Blobs
    path: str
    length: int

    def close(self, done: Done) -> None:
        """Record the outcome. If that fails, the call is not undone, and the entry shows only the request."""
        try:
            self.blobs.append(self.path, done.to_json() + b"\n", self.length)
        except (Unavailable, Changed):
            log.event("audit_outcome_missing", level=logging.ERROR, path=self.path)


def open_trail(blobs: Blobs, asked: Asked, random_hex: str) -> Trail:
    """Record a request, before it is carried out. Raises `errors.Unavailable`."""
    text = to_text(asked.at)
    path = f"{PREFIX}{text[:10]}/{text[11:].replace(':', '')}-{random_hex}.jsonl"
    return Trail(blobs, path, blobs.append(path, asked.to_json() + b"\n", 0))


def expire(blobs: Blobs, now: float, retention_days: int) -> None:
    """Delete the entries of all days that are past their time, the oldest day first.

    What cannot be deleted does not keep other days from it. Raises `errors.Unavailable`, also while storage still
    protects an entry.

    Azure's lifecycle rules do not delete in a container with an immutability policy
    (https://learn.microsoft.com/azure/storage/blobs/lifecycle-management-overview#known-issues-and-limitations).
    Names sort by day, so a look that finds nothing is one list operation, whatever is kept.
    """
    # One day more than the policy keeps, because an entry's outcome may have been appended after midnight.
    newest = f"{datetime.fromtimestamp(now, UTC) - timedelta(days=retention_days + 2):%Y-%m-%d}"
    over = list(takewhile(lambda path: _day(path) <= newest, blobs.names(PREFIX)))
    failure: Unavailable | None = None
    for _, entries in groupby(filter(_ENTRY.match, over), _day):
        try:
            for path in entries:
                blobs.delete(path)
        except Unavailable as error:
            failure = failure or error
    if failure:
        raise failure


def _day(path: str) -> str:
    """Return the day in the path of an entry; what is no entry has some other text there."""
    return path.removeprefix(PREFIX)[:10]
