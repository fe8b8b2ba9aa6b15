"""How long blocked work waits before it is retried."""

from __future__ import annotations

from exporter.activecampaign.answers import MAX_WAIT_S
from exporter.errors import Throttled, Wait

PLAN_WAIT_S = 45.0
"""Before anything was sent: a new key or a finished refresh is noticed within two minutes."""
CREDENTIALS_WAIT_S = 45.0
"""The interval at which a refused key is retried: together with the minute until the next sweep, a new key is used
within two minutes (promise P7)."""
FIRST_WAIT_S, LONGEST_WAIT_S = 15.0, 240.0
"""Waits in an outage grow from the first to the second, so that work resumes within five minutes of its end,
or when ActiveCampaign asked to be called again."""


def plan_wait_s(error: Wait) -> float:
    """Return how long a run that is not planned yet waits, in seconds."""
    return _turn_s(error) or max(PLAN_WAIT_S, _asked_s(error))


def lane_wait_s(error: Wait, waits: int) -> float:
    """Return how long a lane waits, in seconds, after `waits` waits in a row without progress."""
    if error.code == "credentials_refused":
        return CREDENTIALS_WAIT_S
    if turn_s := _turn_s(error):
        return turn_s
    return max(min(FIRST_WAIT_S * 2.0 ** min(waits, 10), LONGEST_WAIT_S), _asked_s(error))


def _turn_s(error: Wait) -> float:
    """Return how far away the next turn is, in seconds, where that is what the work waits for; else 0."""
    return (error.retry_after_s or 0.0) if isinstance(error, Throttled) else 0.0


def _asked_s(error: Wait) -> float:
    """Return how long the other side asked to wait, in seconds, up to MAX_WAIT_S."""
    return min(error.retry_after_s or 0.0, MAX_WAIT_S)
