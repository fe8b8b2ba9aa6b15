"""What is told of one and the same problem: while a run waits, once it has ended, and to somebody who calls."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.pipeline.sweep import sweep
from exporter.pipeline.upload import upload_lane
from exporter.records.payload import LAST_CALL_S
from tests.api.client import CONNECTION, EXPORT, Api
from tests.builders import deliver, drive, people, write_segment
from tests.fakes import make_fakes

A_DAY_S = 86_400.0
GOES_ON, START_AGAIN = "Then the run goes on automatically.", "Then start the export again."


@pytest.fixture
def api() -> Api:
    """A connection and an export of 30 people, in one lane."""
    api = Api(make_fakes(LANES="1"), {})
    write_segment(api.fakes, people(30))
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    return api


def started(api: Api) -> str:
    run_id: str = api.post("/exports/newsletter/runs").json["runId"]
    return run_id


def lose_the_key(api: Api) -> None:
    api.fakes.secrets.values.clear()


def told(api: Api, run_id: str, member: str) -> dict[str, Any]:
    """Return the problem that a run shows."""
    found: dict[str, Any] = api.get(f"/runs/{run_id}").json[member]
    assert found["code"] == "secret_not_found"
    assert found["params"]["account"] == "kv.vault.azure.net"
    return found


def test_planning_that_waits_says_that_it_goes_on_and_once_it_has_ended_what_to_do(api: Api) -> None:
    lose_the_key(api)
    run_id = started(api)
    deliver(api.fakes)
    waiting = told(api, run_id, "waiting")
    assert waiting["situation"] == "waiting"
    assert waiting["message"].endswith(GOES_ON)
    api.fakes.clock.sleep(A_DAY_S + 1)
    drive(api.fakes, run_id, limit_s=300)
    problem = told(api, run_id, "problem")
    assert problem["situation"] == "ended"
    assert problem["message"].endswith(START_AGAIN)
    assert problem["params"] == waiting["params"]


@pytest.mark.parametrize("ends", ["after a day of waiting", "with the working copy"])
def test_a_lane_that_waits_says_that_it_goes_on_and_once_it_has_ended_what_to_do(api: Api, ends: str) -> None:
    run_id = started(api)
    deliver(api.fakes)  # planned
    lose_the_key(api)
    upload_lane(api.fakes.services, run_id, 0)
    waiting = told(api, run_id, "waiting")
    assert waiting["situation"] == "waiting"
    assert waiting["message"].endswith(GOES_ON)
    if ends == "with the working copy":
        api.fakes.clock.sleep(LAST_CALL_S + 1)
        sweep(api.fakes.services)
    else:
        api.fakes.clock.sleep(A_DAY_S + 1)
        upload_lane(api.fakes.services, run_id, 0)
    problem = told(api, run_id, "problem")
    assert problem["situation"] == "ended"
    assert problem["message"].endswith(START_AGAIN)
    assert problem["params"] == waiting["params"]


def test_a_caller_is_told_to_try_again_and_from_what_the_sentence_is_made(api: Api) -> None:
    lose_the_key(api)
    refused = api.get("/connections/main/lists")
    assert refused.json["detail"].endswith("Then try again.")
    assert refused.json["params"]["secret"] in refused.json["detail"]


def test_of_several_exports_each_that_could_not_start_says_it_to_the_caller(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT | {"schedule": {"kind": "cron"}}, headers={"If-Match": "*"})
    del api.fakes.blobs.stored["records/connections/main.json"]
    (item,) = api.post("/runs").json["value"]
    assert (item["problem"]["code"], item["problem"]["situation"]) == ("connection_not_found", "answered")
