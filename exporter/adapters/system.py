"""The machine's time and randomness."""

from __future__ import annotations

import secrets as randomness
import time


class SystemClock:
    """`ports.Clock` on the machine's clock."""

    def now(self) -> float:
        """Return the time in seconds since the epoch, UTC."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


class RandomIds:
    """`ports.Ids` on the system's randomness."""

    def new(self) -> str:
        """Return 32 random hexadecimal digits."""
        return randomness.token_hex(16)
