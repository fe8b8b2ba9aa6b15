"""The world of the end-to-end tests, and how they call the app."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import islice, pairwise
from typing import Any

import requests
from azure.core.exceptions import ResourceNotFoundError

from exporter.model import to_epoch
from sandbox.activecampaign import Account
from sandbox.demo import EXPORT, TERMINAL
from sandbox.segment import Segment
from sandbox.world import API_KEY, World

SEGMENT = Segment(datetime(2026, 11, 20, 4, 15, tzinfo=UTC), 1_000, 3)
BATCHES = 4
"""What the segment makes: 250 contacts at most in each."""
QUICK = {"SWEEP_SCHEDULE": "*/2 * * * * *", "REQUEST_DEADLINE_S": "2", "LANE_STALE_S": "5"}
"""Settings that an operator could choose as well; they make a recovery a matter of seconds."""
LIMIT_S = 600.0
"""A run that is not over after so long will never be, however busy the machine is."""


@contextmanager
def inspected_world(segment: Segment, **options: Any) -> Iterator[World]:
    """A world with a segment, whose log has to be in order when all is over."""
    with World(**options) as world:
        world.upload_files(segment.files())
        yield world
        inspect(world.host_log.read_text(), segment)


def inspect(log: str, segment: Segment) -> None:
    """Check what must not be in any log: a defect, a key, personal data."""
    assert log, "the host has logged nothing"
    defects = [line for line in log.splitlines() if '"action":"defect"' in line]
    assert not defects, "\n".join(defects)
    assert API_KEY not in log
    assert not re.findall(r"[^\s\"'<>/]+@[a-zA-Z][\w-]*\.\w+", log)
    columns = ("EMail", "Telephone")
    people = islice(rows(segment), 200)
    data = {row[column] for row in people for column in columns if len(row.get(column) or "") > 5}
    assert data
    assert not {value for value in data if value in log}


def rows(segment: Segment) -> Iterator[dict[str, str]]:
    """Yield the rows of a generated segment by the names of its columns."""
    *parts, (_, model) = [(path, b"".join(chunks)) for path, chunks in segment.files()]
    names = [attribute["name"] for attribute in json.loads(model)["entities"][0]["attributes"]]
    for _, content in parts:
        yield from csv.DictReader(io.StringIO(content.decode()), names)


@contextmanager
def no_import_is_done(account: Account) -> Iterator[None]:
    """Let ActiveCampaign accept imports and process none, so that no run can end, until the end of the block."""
    account.end_next_imports("stuck", 1_000)
    try:
        yield
    finally:
        with account._lock:
            account._state.next_outcomes.clear()
            for import_id, one in account._state.imports.items():
                if one.outcome == "stuck":
                    account.end_import(import_id, "completed")


def read(world: World, path: str) -> bytes:
    """Return a blob of the app's records, or nothing."""
    try:
        return world.records.get_blob_client("records", path).download_blob().readall()
    except ResourceNotFoundError:
        return b""


def requests_in_doubt(world: World, run_id: str) -> tuple[list[tuple[float, float]], list[float]]:
    """Return the requests of a run whose outcome was not noted.

    First those whose worker died, as the times when the request left and when another worker took over the lane; then
    those whose answer did not come in time, as the time when they left.
    """
    interrupted: list[tuple[float, float]] = []
    late: list[float] = []
    for number in range(json.loads(read(world, f"runs/{run_id}/run.json"))["plan"]["lanes"]):
        events = [json.loads(line) for line in read(world, f"runs/{run_id}/lanes/{number}.jsonl").splitlines()]
        for event, after in pairwise(events):
            if event["event"] == "sending" and after["event"] in ("claimed", "closed"):
                interrupted.append((to_epoch(event["at"]), to_epoch(after["at"])))
            elif event["event"] == "sending" and after["event"] == "waiting":
                late.append(to_epoch(event["at"]))
    return interrupted, late


def bulk_requests(world: World) -> list[object]:
    assert world.account is not None
    return [r for r in world.account.requests() if r.path.endswith("bulk_import")]


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
        answer = self.call("PUT", f"/exports/{export_id}", EXPORT | {"schedule": {"kind": "none"}} | changes)
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

    def wait_for(self, run_id: str, *statuses: str) -> dict[str, Any]:
        """Wait until the run has one of the statuses (default: is over)."""
        deadline = time.monotonic() + LIMIT_S
        while (run := self.run(run_id))["status"] not in (statuses or TERMINAL):
            assert time.monotonic() < deadline, run
            time.sleep(0.3)
        return run
