"""What a run needs of its working copy at its end, and what is told where it is not there."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from exporter import store
from exporter.errors import Stop
from exporter.pipeline.manifest import Manifest, manifest_path
from exporter.pipeline.start import start_on_demand
from exporter.pipeline.working import read_batch
from exporter.runs import RunStatus
from tests.builders import deliver, drive, logged, make_export, people, write_segment
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


def stop(fakes: Fakes, manifest: Manifest, number: int) -> str:
    with pytest.raises(Stop) as caught:
        read_batch(fakes.services, manifest.payload, manifest.batches[number])
    return caught.value.code


def test_a_working_copy_that_is_a_byte_short_lacks_its_last_batch_only(fakes: Fakes, manifest: Manifest) -> None:
    change(fakes, manifest, lambda data: data[:-1])
    read_batch(fakes.services, manifest.payload, manifest.batches[1])
    assert stop(fakes, manifest, 2) == "working_copy_missing"


def test_a_working_copy_with_one_other_byte_in_a_body_is_not_sent(fakes: Fakes, manifest: Manifest) -> None:
    last = manifest.batches[2]
    change(fakes, manifest, lambda data: data.replace(b"p550@example.com", b"p550@exbmple.com"))
    read_batch(fakes.services, manifest.payload, manifest.batches[1])
    assert stop(fakes, manifest, 2) == "working_copy_altered"
    assert last.matches(fakes.blobs.stored[manifest.payload].data[last.offset : last.offset + last.length]) is False


def test_a_working_copy_that_is_gone_lacks_every_batch(fakes: Fakes, manifest: Manifest) -> None:
    fakes.blobs.delete(manifest.payload)
    assert [stop(fakes, manifest, number) for number in range(3)] == ["working_copy_missing"] * 3


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
    assert run.end.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert run.end.account.adds_up
    assert run.end.account.reasons == {"not_confirmed_in_time": 600}
    assert ("ERROR", "rejects_not_listed", {"runId": run.run_id, "code": code}) in logged(caplog)
