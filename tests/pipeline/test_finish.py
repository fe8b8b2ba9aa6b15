"""What is told when a run ends and its working copy is not there any more, or not as it was."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter.delivery.manifest import Manifest
from exporter.records import store
from exporter.records.paths import manifest_path
from exporter.runs.run import RunStatus
from tests.builders import deliver, drive, logged, make_export, people, start_on_demand, write_segment
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(600))
    return fakes


@pytest.fixture
def manifest(fakes: Fakes) -> Manifest:
    """Plan a run of three batches; return its manifest."""
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    manifest = store.get(fakes.blobs, Manifest, manifest_path(run_id))
    assert manifest
    return manifest


def run_of(manifest: Manifest) -> str:
    return manifest.payload.split("/")[1]


def change(fakes: Fakes, manifest: Manifest, edit: Callable[[bytes], bytes]) -> None:
    fakes.blobs.put(manifest.payload, edit(fakes.blobs.stored[manifest.payload].data))


@pytest.mark.parametrize(
    ("edit", "code"),
    [
        (lambda data: b"", "working_copy_missing"),
        (lambda data: data.replace(b"example.com", b"exbmple.com"), "working_copy_altered"),
    ],
)
def test_a_run_whose_working_copy_is_lost_ends_and_tells_that_nobody_is_named(
    fakes: Fakes,
    manifest: Manifest,
    edit: Callable[[bytes], bytes],
    code: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """All imports are accepted and stay without an outcome; then the copy is lost, and with it the names."""
    fakes.account.end_next_imports("stuck", 3)
    deliver(fakes)
    change(fakes, manifest, edit)
    run = drive(fakes, run_of(manifest), limit_s=4 * 3_600)
    assert run.end
    assert run.end.status is RunStatus.FAILED
    assert run.end.tally.adds_up
    assert run.end.tally.reasons == {"not_confirmed_in_time": 600}
    assert ("ERROR", "rejects_not_listed", {"runId": run.run_id, "code": code}) in logged(caplog)
