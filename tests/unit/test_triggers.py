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
from exporter.triggers import Junk, decode
from tests.builders import logged, make_export
from tests.fakes import Fakes, make_fakes

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


@pytest.fixture
def fakes(monkeypatch: pytest.MonkeyPatch) -> Fakes:
    fakes = make_fakes()
    monkeypatch.setattr(bootstrap, "services", lambda: fakes.services)
    make_export(fakes, scheduled=True)
    return fakes


def test_the_timer_says_how_many_runs_it_has_started(fakes: Fakes, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "exporter")
    fakes.clock.sleep(86_400)
    triggers.scheduled_start()
    triggers.scheduled_start()
    looked = [fields for _, action, fields in logged(caplog) if action == "schedule_looked"]
    assert looked == [{"runs": 1}, {"runs": 0}]


def test_a_timer_that_meets_an_outage_of_storage_leaves_what_is_due_to_the_next(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    fakes.clock.sleep(86_400)

    def down(operation: str, path: str) -> None:
        raise Unavailable("storage_unavailable", "Storage does not answer.")

    fakes.blobs.before = down
    triggers.scheduled_start()
    assert [(level, action) for level, action, _ in logged(caplog)] == [("WARNING", "step_waits")]
    fakes.blobs.before = lambda operation, path: None
    triggers.scheduled_start()
    assert len(list(fakes.blobs.names("records/runs/newsletter."))) == 1


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
        "scheduled_start": triggers.scheduled_start,
        "plan_run": lambda: triggers.plan_run(orjson.dumps({"runId": RUN_ID})),
        "upload_lane": lambda: triggers.upload_lane(orjson.dumps({"runId": RUN_ID, "lane": 0})),
    }
    for call in steps.values():
        call()
    found = [(level, action, fields.get("code"), fields["step"]) for level, action, fields in logged(caplog)]
    assert found == [(*told, step) for step in steps]
    assert "jane" not in caplog.text


TIMERS_AND_QUEUES = {"scheduled_start", "sweep", "plan_run", "plan_run_poison", "upload_lane", "upload_lane_poison"}
ASK_FOR_A_KEY = {"run_export", "run_status", "api"}
ASK_FOR_NOTHING = {"console", "health"}


def indexed(**environment: str) -> dict[str, str | None]:
    """Return the functions that the host finds in this environment, each with what it asks of HTTP callers."""
    program = """
import json, function_app
triggers = {f.get_function_name(): f.get_trigger().get_dict_repr() for f in function_app.app.get_functions()}
print(json.dumps({name: trigger.get("authLevel") for name, trigger in triggers.items()}, default=str))
"""
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=environment,
        cwd=Path(__file__).parents[2],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    found: dict[str, str | None] = orjson.loads(done.stdout)
    return found


def test_the_app_imports_and_indexes_with_an_empty_environment() -> None:
    assert set(indexed()) == TIMERS_AND_QUEUES | ASK_FOR_A_KEY | ASK_FOR_NOTHING


@pytest.mark.parametrize("value", ["", "key", "Entra", "entra ", "none"])
def test_without_sign_in_the_host_asks_for_a_key(value: str) -> None:
    levels = indexed(SIGN_IN=value)
    assert {name for name, level in levels.items() if level == "FUNCTION"} == ASK_FOR_A_KEY
    assert {name for name, level in levels.items() if level == "ANONYMOUS"} == ASK_FOR_NOTHING


def test_with_sign_in_the_host_asks_for_nothing_since_a_browser_has_no_key() -> None:
    levels = indexed(SIGN_IN="entra")
    assert {name for name, level in levels.items() if level == "ANONYMOUS"} == ASK_FOR_A_KEY | ASK_FOR_NOTHING
    assert {name for name, level in levels.items() if level is None} == TIMERS_AND_QUEUES | {"check_door"}
