from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.triggers import Junk, decode, occurrence_of
from tests.fakes import START

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


@given(st.binary(max_size=200))
def test_any_bytes_are_a_message_or_junk(body: bytes) -> None:
    with pytest.raises(Junk):
        decode(body, {"runId", "lane"})


@pytest.mark.parametrize("late_s", [-1, 0, 1, 3_600])
def test_the_occurrence_is_the_one_that_the_schedule_promised_however_late_it_fires(late_s: float) -> None:
    promised = 1_794_967_200.0  # 2026-11-18T02:00:00Z
    assert occurrence_of({"Next": "2026-11-18T02:00:00Z"}, promised + late_s) == promised


@pytest.mark.parametrize("status", [None, {}, {"Next": "nonsense"}, {"Next": "0001-01-01T00:00:00"}])
def test_without_a_stored_schedule_the_minute_is_the_occurrence(status: dict[str, str] | None) -> None:
    assert occurrence_of(status, START + 61) == occurrence_of(status, START + 62)
    assert (START + 61) - occurrence_of(status, START + 61) < 60


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
                "scheduled_refresh",
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
