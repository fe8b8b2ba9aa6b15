"""Rates as arithmetic over arrival times. No clock: the time of each request comes as an argument, in epoch seconds."""

import math
from collections import deque
from dataclasses import dataclass, field
from typing import Literal

Counting = Literal["sliding", "fixed", "token_bucket"]


@dataclass(slots=True)
class Rate:
    """At most `limit` requests in `window_s` seconds: what arrived, and what was accepted.

    A request is within the limit as counted in one of three ways:

    - `sliding`: in any window of that length, the strictest reading;
    - `fixed`: in each window that begins at a multiple of `window_s`;
    - `token_bucket`: a bucket of `limit` tokens that refills evenly over `window_s`.

    Violations are always counted by sliding windows, over all that arrived, accepted or not.
    """

    limit: int
    window_s: float
    violations: int = 0
    worst: int = 0  # the fullest sliding window so far
    first_violation_at: float | None = None
    _arrived: deque[float] = field(default_factory=deque)
    _accepted: deque[float] = field(default_factory=deque)
    _tokens: float = math.inf
    _tokens_at: float = 0.0

    def arrive(self, now: float) -> bool:
        """Note a request; tell whether it made a sliding window hold more than the limit."""
        _forget(self._arrived, now - self.window_s)
        self._arrived.append(now)
        self.worst = max(self.worst, len(self._arrived))
        if len(self._arrived) <= self.limit:
            return False
        self.violations += 1
        if self.first_violation_at is None:
            self.first_violation_at = now
        return True

    def allows(self, now: float, counting: Counting, other_share: float = 0.0) -> bool:
        """Tell whether one more request fits, beside another integration that uses `other_share` (0 to 1) of the limit.

        Asking and counting (`accept`) are apart, because a request must be within every limit before it counts in one.
        """
        if counting == "token_bucket":
            return self._tokens_left(now, other_share) >= 1
        _forget(self._accepted, now - self.window_s)
        begin = math.floor(now / self.window_s) * self.window_s if counting == "fixed" else -math.inf
        used = sum(at >= begin for at in self._accepted)
        return used + self._used_by_others(now, other_share) < self.limit

    def accept(self, now: float, other_share: float = 0.0) -> None:
        """Count a request as accepted."""
        self._tokens = max(0.0, self._tokens_left(now, other_share) - 1)
        self._tokens_at = now
        self._accepted.append(now)

    def _tokens_left(self, now: float, other_share: float) -> float:
        refilled = (now - self._tokens_at) * (1 - other_share) * self.limit / self.window_s
        return min(self.limit, self._tokens + refilled)

    def _used_by_others(self, now: float, share: float) -> int:
        """Count the evenly spaced requests of the other integration in the window that ends now."""
        per_s = share * self.limit / self.window_s
        return math.floor(now * per_s) - math.floor((now - self.window_s) * per_s)


def _forget(times: deque[float], until: float) -> None:
    """Drop what happened at or before `until`: a window holds its end, not its beginning."""
    while times and times[0] <= until:
        times.popleft()
