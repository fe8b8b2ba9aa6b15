"""How long work that cannot go on waits before it is tried again."""

from __future__ import annotations

from exporter.errors import Wait

CREDENTIALS_WAIT_S = 45.0
"""A refused key is tried again so often: with the sweep's minute, a new key works within two (promise P7)."""
FIRST_WAIT_S, LONGEST_WAIT_S = 15.0, 240.0
"""Waits in an outage grow from one to the other, so that work goes on within five minutes of its end."""


def lane_wait_s(error: Wait, waits: int) -> float:
    """Return how long a lane waits, in seconds, after `waits` waits in a row without progress."""
    if error.code == "credentials_refused":
        return CREDENTIALS_WAIT_S
    grown = min(FIRST_WAIT_S * 2.0 ** min(waits, 10), LONGEST_WAIT_S)
    return max(grown, min(error.retry_after_s or 0.0, 900.0))
