"""What the tests of the source share."""

from __future__ import annotations

import pytest

from tests.unit.source.landing import Landing


@pytest.fixture
def landing() -> Landing:
    return Landing()
