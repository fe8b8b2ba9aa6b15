"""What the tests of the world share."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

APP = Path(__file__).parent / "apps" / "triggers"
"""The app of these tests: every kind of trigger, nothing else."""

SETTINGS = {"WORK_QUEUE": "upload-lane", "NIGHTLY": "0 0 2 * * *"}
"""Its app settings."""


def wait_for[T](look: Callable[[], T | None], patience_s: float = 20.0) -> T:
    """Look again and again until there is something."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"expected something within {patience_s} s, found nothing")
