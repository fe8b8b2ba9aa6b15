"""What a worker does next with its lane."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.delivery.ledger import FASTEST_ASK_S, SLOWEST_ASK_S, BulkImport, Lane, Portion
from exporter.reasons import Reason


@dataclass(frozen=True, slots=True)
class Send:
    """Send the next request of this portion."""

    portion: Portion


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for the outcome of this import."""

    bulk: BulkImport


@dataclass(frozen=True, slots=True)
class GiveUp:
    """Abandon this import: no outcome came in time."""

    bulk: BulkImport
    reason: Reason


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to do before `until` (epoch seconds)."""

    until: float


@dataclass(frozen=True, slots=True)
class Finished:
    """Every contact has its outcome, or may no longer be sent."""


type Step = Send | Ask | GiveUp | Pause | Finished


def ask_at(bulk: BulkImport, expect_s: float) -> float:
    """Return when to ask next (epoch seconds): first when the answer is likely, then at growing intervals."""
    if bulk.asks == 0:
        return bulk.accepted_at + expect_s
    return bulk.asked_at + min(FASTEST_ASK_S * 2.0 ** min(bulk.asks - 1, 10), SLOWEST_ASK_S)


def next_step(lane: Lane, now: float, *, may_send: bool, confirm_within_s: float, after_send: bool) -> Step:
    """Decide what a worker does next with its lane.

    Sending comes before asking, except that after a request (`after_send`) one import that is due is asked for first,
    so that confirmations keep pace with the uploads.
    """
    next_ask = min(lane.accepted(), key=lambda i: ask_at(i, lane.expect_s), default=None)
    if next_ask and now - next_ask.accepted_at > confirm_within_s:
        return GiveUp(next_ask, Reason.NOT_CONFIRMED_IN_TIME)
    due = next_ask is not None and ask_at(next_ask, lane.expect_s) <= now
    if next_ask and due and after_send:
        return Ask(next_ask)
    if may_send and (portion := next(iter(lane.pending()), None)):
        return Send(portion)
    if next_ask:
        return Ask(next_ask) if due else Pause(ask_at(next_ask, lane.expect_s))
    return Finished()
