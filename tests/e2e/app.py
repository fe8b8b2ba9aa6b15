"""How the end-to-end tests call the app."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from typing import Any

import requests

from sandbox.demo import EXPORT, TERMINAL
from sandbox.segment import Segment
from sandbox.world import World

SEGMENT = Segment(datetime(2026, 11, 20, 4, 15, tzinfo=UTC), 1_000, 3)
QUICK = {"SWEEP_SCHEDULE": "*/2 * * * * *", "REQUEST_DEADLINE_S": "2", "LANE_STALE_S": "5"}
"""Settings that an operator could choose as well; they make a recovery a matter of seconds."""


class App:
    """The app's HTTP interface."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.session = requests.Session()
        self.session.headers["x-functions-key"] = world.function_key

    def call(self, method: str, path: str, body: object = None, **options: Any) -> requests.Response:
        return self.session.request(method, f"{self.world.url}/api{path}", json=body, timeout=60, **options)

    def export(self, export_id: str, **changes: object) -> str:
        """Save an export and return its id."""
        answer = self.call("PUT", f"/exports/{export_id}", EXPORT | {"scheduled": False} | changes)
        assert answer.status_code in {200, 201}, answer.text
        return export_id

    def start(self, export_id: str) -> str:
        answer = self.call("POST", f"/exports/{export_id}/runs")
        assert answer.status_code == 202, answer.text
        run_id: str = answer.json()["runId"]
        return run_id

    def run(self, run_id: str) -> dict[str, Any]:
        answer: dict[str, Any] = self.call("GET", f"/runs/{run_id}").json()
        return answer

    def wait_for(self, run_id: str, *statuses: str, limit_s: float = 120) -> dict[str, Any]:
        """Wait until the run has one of the statuses (default: is over)."""
        deadline = time.monotonic() + limit_s
        while (run := self.run(run_id))["status"] not in (statuses or TERMINAL):
            assert time.monotonic() < deadline, run
            time.sleep(0.3)
        return run
