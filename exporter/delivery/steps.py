"""What a worker does next with its lane."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.delivery.ledger import FASTEST_ASK_S, SLOWEST_ASK_S, BulkImport, Lane, Portion
from exporter.reasons import Reason

PUT_OFF_S = 1_800.0
"""For so long, and for a quarter of the time in which outcomes have to come, questions do not hold up what is to be
sent: imports at full speed need all the turns for questions, and whoever looks at lists or people takes some of them.
"""


@dataclass(frozen=True, slots=True)
class Send:
    """Send the next request of this portion."""

    portion: Portion


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for the outcome of this import."""

    bulk: BulkImport
    in_passing: bool = False
    """Only if the next turn for a question is free, as there is something to send."""


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
    so that confirmations keep pace with the uploads, as long as that does not hold up the uploads themselves.
    """
    next_ask = min(lane.accepted(), key=lambda i: ask_at(i, lane.expect_s), default=None)
    if next_ask and now - next_ask.accepted_at > confirm_within_s:
        return GiveUp(next_ask, Reason.NOT_CONFIRMED_IN_TIME)
    due = next_ask is not None and ask_at(next_ask, lane.expect_s) <= now
    pending = list(lane.pending()) if may_send else []
    portion = next((portion for portion in pending if portion.not_before <= now), None)
    if next_ask and due and after_send:
        late_s = now - ask_at(next_ask, lane.expect_s)
        return Ask(next_ask, in_passing=portion is not None and late_s < min(PUT_OFF_S, confirm_within_s / 4))
    if portion:
        return Send(portion)
    if next_ask and due:
        return Ask(next_ask)
    times = [portion.not_before for portion in pending] + ([ask_at(next_ask, lane.expect_s)] if next_ask else [])
    return Pause(min(times)) if times else Finished()
