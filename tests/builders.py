"""Connections, exports, segments and whole runs with defaults, so that a test names only what matters to it."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Any

import orjson
import pytest

from exporter.definitions.connections import Connection, Consent
from exporter.definitions.exports import DataMatching, Export
from exporter.definitions.schedules import OnDemand
from exporter.pipeline import start
from exporter.pipeline.plan import plan_run
from exporter.pipeline.schedule import run_schedule
from exporter.pipeline.start import Started, StartRequest
from exporter.pipeline.sweep import sweep
from exporter.pipeline.upload import upload_lane
from exporter.queues import PLAN_QUEUE, UPLOAD_QUEUE
from exporter.records import paths, store
from exporter.records.paths import run_path
from exporter.runs.run import Run, Trigger
from exporter.services import Services
from tests.fakes import START, Fakes

HOST = "acme.api-us1.com"
COLUMNS = ("CustomerId", "FirstName", "LastName", "EMail", "Telephone")
SEGMENT = "people"


def make_connection(fakes: Fakes, **changes: Any) -> Connection:
    """Store a connection."""
    members: dict[str, Any] = {
        "id": "main",
        "display_name": "Main account",
        "host": HOST,
        "secret_name": "connection-main",
        "consent": Consent(agreed_by="ada", agreed_utc=START),
        "created_by": "ada",
        "created_utc": START,
        "updated_by": "ada",
        "updated_utc": START,
    }
    connection = Connection(**(members | changes))
    fakes.blobs.put(paths.connection_path(connection.id), connection.to_json())
    return connection


def make_export(fakes: Fakes, **changes: Any) -> Export:
    """Store an export with its connection."""
    make_connection(fakes)
    members: dict[str, Any] = {
        "id": "newsletter",
        "display_name": "Newsletter",
        "connection_id": "main",
        "list_id": 1,
        "segments": (SEGMENT,),
        "data_matching": DataMatching(email="EMail", first_name="FirstName", last_name="LastName", phone="Telephone"),
        "created_by": "ada",
        "created_utc": START,
        "updated_by": "ada",
        "updated_utc": START,
        **({} if "scheduled" in changes else {"schedule": OnDemand()}),
    }
    export = Export(**(members | changes))
    fakes.blobs.put(paths.export_path(export.id), export.to_json())
    return export


def start_on_demand(services: Services, export: Export, by: str, **options: Any) -> Started:
    """Start a run as a person would."""
    return start.start_on_demand(services, StartRequest(export, Trigger.ON_DEMAND, by, **options))


def start_once(services: Services, export: Export, by: str, key: str, body: bytes) -> Started:
    """Start a run as a person with an idempotency key would."""
    return start.start_once(services, StartRequest(export, Trigger.ON_DEMAND, by), by, key, body)


def people(count: int, first: int = 0) -> list[tuple[str, ...]]:
    """Return rows of people who can all be sent."""
    return [
        (f"id{n}", f"First{n}", f"Last{n}", f"p{n}@example.com", f"+49 30 {n}") for n in range(first, first + count)
    ]


def write_segment(
    fakes: Fakes, rows: Iterable[Sequence[str]], columns: Sequence[str] = COLUMNS, name: str = SEGMENT
) -> None:
    """Store a segment as a folder with one file that has a header row."""
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    lines.writerow(columns)
    lines.writerows(rows)
    fakes.segments.write(f"{name}/{name}_1.csv", text.getvalue().encode())


def read_run(fakes: Fakes, run_id: str) -> Run:
    """Return the record of a run."""
    run = store.get(fakes.blobs, Run, run_path(run_id))
    assert run is not None
    return run


def deliver(fakes: Fakes) -> bool:
    """Deliver one visible message to its step; False when there is none."""
    if message := fakes.messages.take(PLAN_QUEUE):
        plan_run(fakes.services, str(message["runId"]))
        return True
    if message := fakes.messages.take(UPLOAD_QUEUE):
        upload_lane(fakes.services, str(message["runId"]), int(message["lane"]))
        return True
    return False


def drive(fakes: Fakes, run_id: str, limit_s: float = 3_600, step_s: float = 1) -> Run:
    """Deliver messages and sweep every minute until the run is over or `limit_s` of virtual time has passed.

    `step_s`: how long to look away when there is no message; more than a second where days have to pass.
    """
    end = fakes.clock.now() + limit_s
    swept = fakes.clock.now()
    while fakes.clock.now() < end:
        run = read_run(fakes, run_id)
        if run.end:
            return run
        if fakes.clock.now() - swept >= 60:
            swept = fakes.clock.now()
            sweep(fakes.services)
        if not deliver(fakes):
            fakes.clock.sleep(step_s)
    return read_run(fakes, run_id)


def run_export(fakes: Fakes, export: Export, **options: Any) -> Run:
    """Start a run on demand and drive it to its end."""
    started = start_on_demand(fakes.services, export, "ada", **options)
    return drive(fakes, started.run.run_id)


def tomorrow(fakes: Fakes) -> list[Run]:
    """Let the schedule look a day later; return what it starts: each export that goes by the app's times, once."""
    fakes.clock.sleep(86_400)
    return run_schedule(fakes.services)


def settle(fakes: Fakes, run_id: str) -> Run:
    """Sweep every minute until nothing is left to do for a run that is over, and its working copy is gone."""
    while any(fakes.blobs.names(f"working/{run_id}/")):
        fakes.clock.sleep(60)
        sweep(fakes.services)
    return read_run(fakes, run_id)


def rejects_of(fakes: Fakes, run_id: str) -> list[dict[str, str]]:
    """Return the reject report of a run."""
    (path,) = (path for path in fakes.blobs.names(f"rejects/{run_id}/") if not path.endswith(".values.csv"))
    return list(csv.DictReader(io.StringIO(fakes.blobs.stored[path].data.decode("utf-8-sig"))))


def logged(caplog: pytest.LogCaptureFixture) -> list[tuple[str, str, dict[str, Any]]]:
    """Return what was logged: level, action and the other fields of each event."""
    lines = [(record.levelname, orjson.loads(record.getMessage())) for record in caplog.records]
    return [(level, line.pop("action"), line) for level, line in lines]
