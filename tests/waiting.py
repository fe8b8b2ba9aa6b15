"""How tests wait: for a condition, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable

import pytest

LIMIT_S = 120.0
"""After so long it is taken that the condition will never come. A busy machine is slow, but not as slow as that."""


def wait_for[T](look: Callable[[], T | None], limit_s: float = LIMIT_S) -> T:
    """Look again and again until there is something, and return it."""
    deadline = time.monotonic() + limit_s
    while not (found := look()):
        if time.monotonic() > deadline:
            pytest.fail(f"expected something within {limit_s:.0f} s, found {found!r}")
        time.sleep(0.05)
    return found
