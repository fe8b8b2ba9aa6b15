"""Time and randomness of the machine."""

from __future__ import annotations

import secrets as randomness
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    pass


class SystemClock:
    """`ports.Clock` on the machine's clock."""

    def now(self) -> float:
        """Return the time in seconds since the epoch."""
        return time.time()

    def sleep(self, seconds: float) -> None:
        """Let time pass."""
        time.sleep(seconds)


class RandomIds:
    """`ports.Ids` on the system's randomness."""

    def new(self) -> str:
        """Return 32 random hexadecimal digits."""
        return randomness.token_hex(16)
