"""One planner at a time: when it counts as dead, and what becomes of one that was overtaken."""

from __future__ import annotations

import logging
from typing import BinaryIO

import pytest

from exporter.delivery.manifest import Manifest
from exporter.pipeline import claim
from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.plan import plan_run
from exporter.records import store
from exporter.records.paths import manifest_path, run_path
from exporter.runs.run import Claim, Run
from exporter.source.files import SegmentFile
from tests.builders import (
    COLUMNS,
    SEGMENT,
    logged,
    make_export,
    people,
    read_run,
    start_on_demand,
    write_segment,
)
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(30))
    return fakes


@pytest.fixture
def run_id(fakes: Fakes) -> str:
    """Start a run that nobody has planned yet; return its id."""
    return start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [action for _, action, _ in logged(caplog)]


def test_a_planner_counts_as_dead_after_90_silent_seconds_and_not_before(
    fakes: Fakes, run_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    taken = Claim(by="another", at=fakes.clock.now())
    store.change(fakes.blobs, Run, run_path(run_id), lambda run: run.then(claim=taken))
    fakes.clock.sleep(89.875)
    plan_run(fakes.services, run_id)
    assert actions(caplog)[-1] == "plan_claimed_by_another"
    assert read_run(fakes, run_id).plan is None
    fakes.clock.sleep(0.125)
    plan_run(fakes.services, run_id)
    assert read_run(fakes, run_id).plan


def while_files_are_opened(fakes: Fakes, monkeypatch: pytest.MonkeyPatch, happens: object) -> None:
    """Let something happen each time a file is opened for its rows; a sign of life comes with every ten rows."""
    monkeypatch.setattr("exporter.pipeline.batching.HEARTBEAT_ROWS", 10)
    for part in range(4):
        text = "\n".join(",".join(row) for row in (COLUMNS, *people(10, 10 * part)))
        fakes.segments.write(f"{SEGMENT}/{part}.csv", text.encode())
    del fakes.segments.files[f"{SEGMENT}/{SEGMENT}_1.csv"]
    original = fakes.segments.open

    def open_file(file: SegmentFile, *buffer_bytes: int) -> BinaryIO:
        happens()  # type: ignore[operator]  # the test's own
        return original(file, *buffer_bytes)

    monkeypatch.setattr(fakes.segments, "open", open_file)


def test_a_planner_that_gives_signs_of_life_is_left_alone_however_long_it_takes(
    fakes: Fakes, run_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    opened: list[float] = []

    def a_minute_passes() -> None:
        opened.append(fakes.clock.now())
        if len(opened) > 4:  # the first four are for the headers
            fakes.clock.sleep(60)
            plan_run(fakes.services, run_id)

    while_files_are_opened(fakes, monkeypatch, a_minute_passes)
    plan_run(fakes.services, run_id)
    assert actions(caplog).count("plan_claimed_by_another") == 4
    planned = read_run(fakes, run_id).plan
    assert planned
    assert planned.contacts == 40


def test_a_run_that_is_canceled_while_it_is_planned_is_not_read_to_its_end(
    fakes: Fakes, run_id: str, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    opened: list[float] = []

    def somebody_cancels() -> None:
        opened.append(fakes.clock.now())
        if len(opened) == 6:  # the second file's rows
            cancel_run(fakes.services, run_id, "ada")

    while_files_are_opened(fakes, monkeypatch, somebody_cancels)
    plan_run(fakes.services, run_id)
    assert actions(caplog)[-1] == "plan_claim_lost"
    assert len(opened) == 6
    assert store.get(fakes.blobs, Manifest, manifest_path(run_id)) is None


def test_a_planner_that_was_overtaken_leaves_no_copy_behind(fakes: Fakes, run_id: str) -> None:
    """It stood still before its manifest; another one has planned the run meanwhile."""

    def overtake(operation: str, path: str) -> None:
        if operation == "create" and path == manifest_path(run_id):
            fakes.blobs.before = lambda operation, path: None
            fakes.clock.sleep(claim.CLAIM_S)
            plan_run(fakes.services, run_id)

    fakes.blobs.before = overtake
    plan_run(fakes.services, run_id)
    manifest = store.get(fakes.blobs, Manifest, manifest_path(run_id))
    assert manifest
    assert list(fakes.blobs.names("working/")) == [manifest.payload]
    assert list(fakes.blobs.names("rejects/")) == [manifest.rejects]
