"""The events of a ledger, one JSON line each; `ledger` folds them.

`unmatched`, `status` and `outcome` change nothing: they show people who read a ledger what ActiveCampaign said.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import orjson

from exporter.errors import Wait
from exporter.model import to_text
from exporter.sentences import Situation

type Event = dict[str, Any]
VERSION = 3
"""The version of every ledger that this release begins, and the newest that it reads. Since 3, searches for refused
contacts have bounds (`refusals.search`), a request that is too large is halved, and what a failed import leaves over is
sent again after a while."""


def encode(events: Iterable[Event]) -> bytes:
    """Write events as lines."""
    return b"".join(orjson.dumps(event) + b"\n" for event in events)


# --- about the lane ---


def opened(at: float, batches: Iterable[tuple[int, int]]) -> Event:
    """Begin a ledger: the lane's batches as (number, contacts)."""
    return _event(at, "opened", v=VERSION, batches=[list(batch) for batch in batches])


def claimed(at: float, by: str) -> Event:
    """Record that a worker takes the lane."""
    return _event(at, "claimed", by=by)


def released(at: float) -> Event:
    """Record that the worker hands the lane over."""
    return _event(at, "released")


def waiting(at: float, wait: Wait, until: float) -> Event:
    """Record that nothing can be done before `until`, and why."""
    said = {"code": wait.code, "message": wait.message, "culprit": wait.culprit}
    made_from = {} if wait.parameters is None else {"situation": Situation.WAITING, "params": wait.parameters}
    return _event(at, "waiting", **said, **made_from, until=to_text(until))


def closed(at: float) -> Event:
    """Record that the run ends: nothing more is sent."""
    return _event(at, "closed")


# --- about a portion, which is named by its batch and its number ---


def sending(at: float, batch: int, portion: int) -> Event:
    """Record that a request is about to leave."""
    return _event(at, "sending", batch=batch, portion=portion)


def not_queued(at: float, batch: int, portion: int, outcome: str) -> Event:
    """Record that the whole request was refused, but not for its contacts; `outcome` is the name of its class."""
    return _event(at, "notQueued", batch=batch, portion=portion, outcome=outcome)


def refused(at: float, batch: int, portion: int, named: Sequence[int], faults: Sequence[str]) -> Event:
    """Record that some contacts were refused, and with them the whole request; `named` as the server counts."""
    return _event(at, "refused", batch=batch, portion=portion, named=named, faults=faults)


def too_large(at: float, batch: int, portion: int) -> Event:
    """Record that the request was too large for the server: its contacts become two portions."""
    return _event(at, "tooLarge", batch=batch, portion=portion)


def accepted(at: float, batch: int, portion: int, import_id: str, queued: int) -> Event:
    """Record that the request became an import, of which ActiveCampaign queued `queued` contacts."""
    return _event(at, "accepted", batch=batch, portion=portion, importId=import_id, queued=queued)


# --- about an import ---


def asked(at: float, import_id: str, status: str) -> Event:
    """Record that there is no final status yet."""
    return _event(at, "asked", importId=import_id, status=status)


def confirmed(at: float, import_id: str, failed: Mapping[str, str], unmatched: int) -> Event:
    """Record that the import completed.

    `failed`: reason code by position; `unmatched`: how many failed addresses were not sent.
    """
    return _event(at, "confirmed", importId=import_id, failed=failed, unmatched=unmatched)


def import_failed(at: float, import_id: str, status: str) -> Event:
    """Record that ActiveCampaign ended the import without completing it; its contacts are sent again."""
    return _event(at, "importFailed", importId=import_id, status=status)


def gave_up(at: float, import_id: str, reason: str) -> Event:
    """Record that the import is abandoned: it has no outcome, or failed once too often."""
    return _event(at, "gaveUp", importId=import_id, reason=reason)


def _event(at: float, name: str, **data: object) -> Event:
    return {"at": to_text(at), "event": name, **data}
