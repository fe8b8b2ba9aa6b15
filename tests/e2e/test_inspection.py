"""What the inspection of a world's log finds when the world ends."""

from __future__ import annotations

import pytest

from exporter import log
from sandbox.world import API_KEY
from tests.e2e.app import SEGMENT, inspect, rows

IN_ORDER = '12:00:00 INFO exporter: {"action":"run_ended","runId":"newsletter.1"}\n'


def test_a_log_in_order_passes() -> None:
    inspect(IN_ORDER, SEGMENT)


def test_a_defect_fails_the_world(caplog: pytest.LogCaptureFixture) -> None:
    log.defect(KeyError("x-ms-date"), path="runs/newsletter.1/run.json")
    with pytest.raises(AssertionError, match="KeyError"):
        inspect(IN_ORDER + caplog.text, SEGMENT)


@pytest.mark.parametrize(
    "found", ["", IN_ORDER + API_KEY, IN_ORDER + "to ada@example.com:", IN_ORDER + "<b.c@d.co.uk>"]
)
def test_an_empty_log_a_key_and_an_address_fail_the_world(found: str) -> None:
    with pytest.raises(AssertionError):
        inspect(found, SEGMENT)


@pytest.mark.parametrize("column", ["EMail", "Telephone"])
def test_what_a_row_of_the_segment_says_fails_the_world(column: str) -> None:
    value = next(row[column] for row in rows(SEGMENT) if len(row[column]) > 5)
    with pytest.raises(AssertionError):
        inspect(IN_ORDER + value, SEGMENT)
