"""The slot of an export: which run is going on, and what the last one that sent its contacts tells."""

from __future__ import annotations

import pytest

from exporter.model import load
from exporter.records.paths import run_path, slot_path
from exporter.records.slots import LastSuccess, Slot, active_run, current_runs
from exporter.runs.run import End, Run, RunStatus
from exporter.tally.count import Tally
from tests.fakes import START, Fakes, make_fakes
from tests.runs import QUEUED

OVER = QUEUED.model_copy(update={"end": End(status=RunStatus.SKIPPED, at=START, tally=Tally())})


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


def test_a_run_whose_record_was_never_written_gets_it(fakes: Fakes) -> None:
    assert active_run(fakes.services, Slot(run=QUEUED)) == QUEUED
    assert load(Run, fakes.blobs.stored[run_path(QUEUED.run_id)].data) == QUEUED


def test_somebody_elses_record_of_the_run_stays(fakes: Fakes) -> None:
    def somebody_is_faster(operation: str, path: str) -> None:
        if operation == "create":
            fakes.blobs.put(path, OVER.to_json())

    fakes.blobs.before = somebody_is_faster
    assert active_run(fakes.services, Slot(run=QUEUED)) is None
    assert load(Run, fakes.blobs.stored[run_path(QUEUED.run_id)].data) == OVER


def test_the_runs_that_go_on_are_those_whose_records_have_no_end(fakes: Fakes) -> None:
    other = QUEUED.model_copy(update={"run_id": QUEUED.run_id.replace("newsletter", "other"), "export_id": "other"})
    for run in (QUEUED, other):
        fakes.blobs.put(slot_path(run.export_id), Slot(run=run).to_json())
    fakes.blobs.put(run_path(QUEUED.run_id), OVER.to_json())
    assert list(current_runs(fakes.services)) == [other]


def test_another_account_knows_none_of_the_contacts() -> None:
    last = LastSuccess(run_id="r", fingerprint="f", rows_read=9, at=START, host="acme.api-us1.com", confirmed=7)
    assert (last.known_to("acme.api-us1.com"), last.known_to("other.api-us1.com")) == (7, 0)
