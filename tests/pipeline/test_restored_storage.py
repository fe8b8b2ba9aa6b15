"""What docs/how-to/restored-storage.md says of storage that has forgotten something, where the simulator is silent."""

from __future__ import annotations

import pytest

from exporter.activecampaign.wire import Request
from exporter.definitions.exports import Export
from exporter.pipeline.schedule import run_schedule
from exporter.pipeline.sweep import sweep
from exporter.records.paths import run_path, slot_path
from exporter.runs.run import Run, RunStatus
from tests.builders import (
    deliver,
    drive,
    make_export,
    people,
    read_run,
    run_export,
    start_on_demand,
    start_once,
    tomorrow,
    write_segment,
)
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(30))
    return fakes


@pytest.fixture
def export(fakes: Fakes) -> Export:
    return make_export(fakes, scheduled=True)


def forget(fakes: Fakes, prefix: str) -> None:
    for path in [path for path in fakes.blobs.stored if path.startswith(prefix)]:
        del fakes.blobs.stored[path]


def scheduled(fakes: Fakes) -> Run:
    (started,) = tomorrow(fakes)
    return drive(fakes, started.run_id)


def test_an_unchanged_segment_is_sent_once_more_when_the_last_success_is_forgotten(
    fakes: Fakes, export: Export
) -> None:
    assert scheduled(fakes).status is RunStatus.SUCCESSFUL
    assert scheduled(fakes).status is RunStatus.SKIPPED

    forget(fakes, slot_path(export.id))

    assert scheduled(fakes).status is RunStatus.SUCCESSFUL
    assert scheduled(fakes).status is RunStatus.SKIPPED


def test_the_same_idempotency_key_starts_a_second_run_when_it_is_forgotten(fakes: Fakes, export: Export) -> None:
    first = start_once(fakes.services, export, "ada", "key", b"").run
    drive(fakes, first.run_id)
    assert start_once(fakes.services, export, "ada", "key", b"").run.run_id == first.run_id

    forget(fakes, "records/idempotency/")

    assert start_once(fakes.services, export, "ada", "key", b"").run.run_id != first.run_id


def test_a_time_of_the_schedule_is_kept_in_the_slot_and_made_up_for_when_that_is_forgotten(
    fakes: Fakes, export: Export
) -> None:
    scheduled(fakes)
    assert run_schedule(fakes.services) == []

    forget(fakes, slot_path(export.id))

    assert len(run_schedule(fakes.services)) == 1


def test_contacts_of_a_forgotten_success_are_still_on_the_list_and_need_no_room(fakes: Fakes, export: Export) -> None:
    fakes.account.set_contact_limit(30)
    assert scheduled(fakes).status is RunStatus.SUCCESSFUL

    forget(fakes, slot_path(export.id))

    assert scheduled(fakes).status is RunStatus.SUCCESSFUL


def test_a_lost_ledger_is_opened_anew_and_its_lane_sent_again(fakes: Fakes, export: Export) -> None:
    run_id = start_on_demand(fakes.services, export, "ada").run.run_id
    deliver(fakes)
    fakes.activecampaign.after = lambda request: (
        forget(fakes, run_path(run_id, "lanes/")) if is_import(request) else None
    )
    deliver(fakes)
    assert sent(fakes) == 1
    fakes.activecampaign.after = lambda request: None

    end = drive(fakes, run_id).end

    assert sent(fakes) == 2
    assert end
    assert end.status is RunStatus.SUCCESSFUL
    assert end.resends == 0, "it does not know that it is one"


def test_a_run_whose_records_are_lost_but_not_its_slot_is_planned_and_sent_again(fakes: Fakes, export: Export) -> None:
    run = run_export(fakes, export)
    before = sent(fakes)
    forget(fakes, run_path(run.run_id, ""))

    sweep(fakes.services)
    assert not read_run(fakes, run.run_id).end
    drive(fakes, run.run_id)

    assert sent(fakes) == before + 1


def test_a_run_whose_records_are_past_their_time_is_not_started_again(fakes: Fakes, export: Export) -> None:
    run = run_export(fakes, export)
    before = sent(fakes)
    forget(fakes, run_path(run.run_id, ""))
    fakes.clock.sleep(400 * 86_400.0)

    sweep(fakes.services)
    deliver(fakes)

    assert (sent(fakes), list(fakes.blobs.names(run_path(run.run_id, "")))) == (before, [])
    assert run_export(fakes, export).status is RunStatus.SUCCESSFUL


def is_import(request: Request) -> bool:
    return request.method == "POST"


def sent(fakes: Fakes) -> int:
    """Return how many bulk imports ActiveCampaign got."""
    return sum(map(is_import, fakes.activecampaign.requests))


def test_a_process_that_lived_through_it_finds_each_lost_run_within_as_many_sweeps_as_there_are_exports(
    fakes: Fakes,
) -> None:
    """It remembers that runs are over whose records say nothing of it any more; their slots are what they were."""
    run_ids = [run_export(fakes, make_export(fakes, id=f"export-{number}")).run_id for number in range(3)]
    sweep(fakes.services)
    for run_id in run_ids:
        forget(fakes, run_path(run_id, ""))

    for _ in run_ids:
        fakes.clock.sleep(60)
        sweep(fakes.services)

    assert [read_run(fakes, run_id).end for run_id in run_ids] == [None] * 3
