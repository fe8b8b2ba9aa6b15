from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import bootstrap, triggers
from exporter.errors import Stop, Unavailable
from exporter.model import to_text
from exporter.records.paths import EXPORTS
from exporter.triggers import Junk, decode, occurrence_of
from tests.builders import logged, make_export
from tests.fakes import START, Fakes, make_fakes

RUN_ID = f"newsletter.20261118T000000Z.{'0' * 32}"


def test_a_message_names_a_run_and_a_lane() -> None:
    assert decode(orjson.dumps({"runId": RUN_ID, "lane": 2}), {"runId", "lane"}) == {"runId": RUN_ID, "lane": 2}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\xff\xfe",
        b"[]",
        b'"text"',
        b"{}",
        orjson.dumps({"runId": RUN_ID}),
        orjson.dumps({"runId": RUN_ID, "lane": 1, "url": "https://elsewhere"}),
        orjson.dumps({"runId": "../../secrets", "lane": 1}),
        orjson.dumps({"runId": RUN_ID + "/../x", "lane": 1}),
        orjson.dumps({"runId": RUN_ID + "\n", "lane": 1}),
        orjson.dumps({"runId": RUN_ID, "lane": -1}),
        orjson.dumps({"runId": RUN_ID, "lane": True}),
        orjson.dumps({"runId": RUN_ID, "lane": "1"}),
    ],
)
def test_a_forged_or_damaged_message_is_junk(body: bytes) -> None:
    with pytest.raises(Junk):
        decode(body, {"runId", "lane"})


@pytest.mark.parametrize("lane", [0, 63])
def test_a_lane_is_one_of_64(lane: int) -> None:
    assert decode(orjson.dumps({"runId": RUN_ID, "lane": lane}), {"runId", "lane"})["lane"] == lane
    with pytest.raises(Junk, match="lane"):
        decode(orjson.dumps({"runId": RUN_ID, "lane": 64}), {"runId", "lane"})


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_junk(body: bytes) -> None:
    with pytest.raises(Junk):
        decode(body, {"runId", "lane"})


@pytest.mark.parametrize("late_s", [-1, 0, 1, 3_600])
def test_the_occurrence_is_the_one_that_the_schedule_promised_however_late_it_fires(late_s: float) -> None:
    promised = 1_794_967_200.0  # 2026-11-18T02:00:00Z
    assert occurrence_of({"Next": "2026-11-18T02:00:00Z"}, promised + late_s) == promised


@pytest.mark.parametrize(("now_s", "is_it"), [(-601, False), (-600, True), (86_399, True), (86_400, False)])
def test_an_occurrence_lies_at_most_ten_minutes_ahead_and_less_than_a_day_back(now_s: float, *, is_it: bool) -> None:
    promised = 1_794_967_200.0 + 30  # not a whole minute, so that the two answers differ
    found = occurrence_of({"Next": "2026-11-18T02:00:30Z"}, promised + now_s)
    assert (found == promised) is is_it


@pytest.mark.parametrize("status", [None, {}, {"Next": "nonsense"}, {"Next": "0001-01-01T00:00:00"}])
def test_without_a_stored_schedule_the_minute_is_the_occurrence(status: dict[str, str] | None) -> None:
    assert occurrence_of(status, START + 61) == occurrence_of(status, START + 62)
    assert (START + 61) - occurrence_of(status, START + 61) < 60


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    fakes = make_fakes()
    monkeypatch.setattr(bootstrap, "services", lambda: fakes.services)
    make_export(fakes, scheduled=True)
    return fakes


def storage_is_back_after(fakes: Fakes, tries: int) -> list[float]:
    """Let so many attempts to list the exports fail; returns the times of all attempts."""
    tried: list[float] = []

    def before(operation: str, path: str) -> None:
        if (operation, path) == ("names", EXPORTS):
            tried.append(fakes.clock.now())
            if len(tried) <= tries:
                raise Unavailable("storage_unavailable", "Storage does not answer.")

    fakes.blobs.before = before
    return tried


def test_a_timer_that_meets_an_outage_of_storage_tries_ten_times_in_five_minutes(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    tried = storage_is_back_after(fakes, 9)
    triggers.scheduled_start(None, past_due=False)
    assert [at - START for at in tried] == [30.0 * attempt for attempt in range(10)]
    assert [action for _, action, _ in logged(caplog)] == ["schedule_waits"] * 9 + ["run_started", "schedule_fired"]
    assert len(list(fakes.blobs.names("records/runs/newsletter."))) == 1


def test_a_timer_whose_ten_tries_fail_says_which_occurrence_was_missed(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    tried = storage_is_back_after(fakes, 10)
    triggers.scheduled_start({"Next": to_text(START - 5)}, past_due=True)
    assert len(tried) == 10
    assert logged(caplog)[-1] == ("ERROR", "schedule_missed", {"occurrence": START - 5})
    assert list(fakes.blobs.names("records/runs/")) == []


def test_a_late_timer_says_so(fakes: Fakes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "exporter")
    triggers.scheduled_start(None, past_due=True)
    assert logged(caplog)[-1] == ("INFO", "schedule_fired", {"runs": 1, "pastDue": 1})


@pytest.mark.parametrize(
    ("queue", "message"),
    [("plan-run", {"runId": RUN_ID}), ("upload-lane", {"runId": RUN_ID, "lane": 63})],
)
def test_a_message_that_failed_too_often_is_an_error_that_names_its_run(
    queue: str, message: dict[str, object], caplog: pytest.LogCaptureFixture
) -> None:
    triggers.poisoned(queue, orjson.dumps(message))
    assert logged(caplog) == [("ERROR", "message_poisoned", {"queue": queue, **message})]


@pytest.mark.parametrize(
    ("queue", "message"),
    [("plan-run", {"runId": RUN_ID, "lane": 1}), ("upload-lane", {"runId": RUN_ID}), ("plan-run", "jane@example.com")],
)
def test_a_message_that_is_not_ours_is_an_error_that_tells_its_length_and_not_what_it_says(
    queue: str, message: object, caplog: pytest.LogCaptureFixture
) -> None:
    body = orjson.dumps(message)
    triggers.poisoned(queue, body)
    ((level, action, told),) = logged(caplog)
    assert (level, action, told["queue"], told["bytes"]) == ("ERROR", "junk_message", queue, len(body))
    assert "jane" not in caplog.text


@pytest.mark.parametrize(
    ("error", "told"),
    [
        (Unavailable("storage_unavailable", "Storage is down."), ("WARNING", "step_waits", "storage_unavailable")),
        (Stop("record_unreadable", "A record is damaged."), ("ERROR", "step_stopped", "record_unreadable")),
        (ValueError("jane@example.com"), ("ERROR", "defect", None)),
    ],
)
def test_whatever_a_step_ends_in_is_told_and_burns_no_attempt_of_its_message(
    fakes: Fakes, error: Exception, told: tuple[str, str, str | None], caplog: pytest.LogCaptureFixture
) -> None:
    def fail(operation: str, path: str) -> None:
        raise error

    fakes.blobs.before = fail
    steps: dict[str, Callable[[], None]] = {
        "sweep": triggers.sweep,
        "plan_run": lambda: triggers.plan_run(orjson.dumps({"runId": RUN_ID})),
        "upload_lane": lambda: triggers.upload_lane(orjson.dumps({"runId": RUN_ID, "lane": 0})),
    }
    for call in steps.values():
        call()
    found = [(level, action, fields.get("code"), fields["step"]) for level, action, fields in logged(caplog)]
    assert found == [(*told, step) for step in steps]
    assert "jane" not in caplog.text


def test_the_app_imports_and_indexes_with_an_empty_environment() -> None:
    program = "import function_app; print(sorted(f.get_function_name() for f in function_app.app.get_functions()))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={},
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(
        sorted(
            [
                "scheduled_start",
                "sweep",
                "plan_run",
                "plan_run_poison",
                "upload_lane",
                "upload_lane_poison",
                "run_export",
                "run_status",
                "health",
                "api",
            ]
        )
    )
