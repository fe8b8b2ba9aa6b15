"""What the log tells of an event, and of a defect: never what data says."""

from __future__ import annotations

import logging

import pytest

from exporter import log
from tests.builders import logged


def test_an_event_is_a_line_of_json_with_a_stable_name(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "exporter")
    log.event("run_started", runId="x", count=3)
    log.event("lane_silent", level=logging.WARNING)
    assert logged(caplog) == [("INFO", "run_started", {"runId": "x", "count": 3}), ("WARNING", "lane_silent", {})]


def test_a_defect_is_told_by_its_kind_and_its_place_and_not_by_its_text(caplog: pytest.LogCaptureFixture) -> None:
    def read() -> None:
        raise KeyError("jane@example.com")

    line = read.__code__.co_firstlineno + 1
    with pytest.raises(KeyError) as caught:
        read()
    told = log.defect(caught.value, runId="x")
    where = f"{read.__qualname__}:{line}"
    assert told == f"KeyError at {where}"
    assert logged(caplog) == [("ERROR", "defect", {"kind": "KeyError", "where": where, "runId": "x"})]


def test_a_defect_that_was_never_raised_has_no_place(caplog: pytest.LogCaptureFixture) -> None:
    assert log.defect(ValueError("jane@example.com")) == "ValueError at unknown"
