"""However often and from wherever a run is asked for, there is one at a time for an export."""

from __future__ import annotations

import pytest

from exporter.errors import Stop, Unavailable
from exporter.pipeline.start import Outcome
from exporter.pipeline.sweep import sweep
from exporter.records.paths import run_path, slot_path
from exporter.runs.run import Run, RunStatus
from tests.builders import (
    SEGMENT,
    drive,
    make_export,
    people,
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


def run_ids(fakes: Fakes) -> list[str]:
    return [p.split("/")[2] for p in fakes.blobs.names("records/runs/") if p.endswith("/run.json")]


def test_only_exports_with_a_schedule_and_a_connection_are_started_by_the_timer(fakes: Fakes) -> None:
    make_export(fakes, id="by-hand")
    make_export(fakes, id="detached", scheduled=True, connection_id=None)
    assert tomorrow(fakes) == []


def test_a_broken_export_does_not_keep_the_others_from_starting(fakes: Fakes) -> None:
    make_export(fakes, id="a-broken", scheduled=True, connection_id="gone")
    make_export(fakes, id="b-good", scheduled=True)
    assert [run.export_id for run in tomorrow(fakes)] == ["b-good"]


def test_whoever_asks_while_a_run_is_going_gets_that_run(fakes: Fakes) -> None:
    export = make_export(fakes)
    first, *others = (start_on_demand(fakes.services, export, "ada") for _ in range(50))
    assert first.outcome is Outcome.STARTED
    assert {(o.outcome, o.run.run_id) for o in others} == {(Outcome.JOINED, first.run.run_id)}


def test_the_same_idempotency_key_gets_the_same_run_even_when_it_is_over(fakes: Fakes) -> None:
    export = make_export(fakes)
    first = start_once(fakes.services, export, "ada", "key", b"{}")
    drive(fakes, first.run.run_id)
    again = start_once(fakes.services, export, "ada", "key", b"{}")
    assert (again.outcome, again.run.run_id) == (Outcome.KNOWN, first.run.run_id)
    other = start_once(fakes.services, export, "ada", "another key", b"{}")
    assert other.outcome is Outcome.STARTED


def test_an_idempotency_key_is_good_for_one_request_only(fakes: Fakes) -> None:
    export = make_export(fakes)
    start_once(fakes.services, export, "ada", "key", b"{}")
    with pytest.raises(Stop, match="first came with, found another"):
        start_once(fakes.services, export, "ada", "key", b"another")


@pytest.mark.parametrize(("lost", "starts"), [(19, True), (20, False)])
def test_a_start_is_tried_20_times_against_other_writers_of_the_slot(fakes: Fakes, lost: int, *, starts: bool) -> None:
    export = make_export(fakes)
    run_export(fakes, export)
    attempts: list[str] = []

    def somebody_is_faster(operation: str, path: str) -> None:
        if (operation, path) == ("replace", slot_path(export.id)):
            attempts.append(path)
            if len(attempts) <= lost:
                fakes.blobs.put(path, fakes.blobs.stored[path].data)

    fakes.blobs.before = somebody_is_faster
    if starts:
        assert start_on_demand(fakes.services, export, "ada").outcome is Outcome.STARTED
    else:
        with pytest.raises(Unavailable) as caught:
            start_on_demand(fakes.services, export, "ada")
        assert caught.value.code == "storage_contention"
    assert len(attempts) == 20


def test_a_start_that_died_before_the_record_was_written_is_completed_by_the_sweep(fakes: Fakes) -> None:
    export = make_export(fakes)
    run = start_on_demand(fakes.services, export, "ada").run
    fakes.blobs.delete(run_path(run.run_id))
    fakes.messages.queues.clear()
    fakes.clock.sleep(60)
    sweep(fakes.services)
    assert drive(fakes, run.run_id).status is RunStatus.SUCCESSFUL


def test_a_message_that_was_never_sent_is_sent_by_the_sweep(fakes: Fakes) -> None:
    export = make_export(fakes)
    fakes.messages.down = True
    run = start_on_demand(fakes.services, export, "ada").run
    fakes.messages.down = False
    assert drive(fakes, run.run_id).status is RunStatus.SUCCESSFUL


def test_a_later_change_of_the_export_does_not_touch_a_run(fakes: Fakes) -> None:
    export = make_export(fakes)
    run = start_on_demand(fakes.services, export, "ada").run
    make_export(fakes, list_id=2)
    assert drive(fakes, run.run_id).export.list_id == 1
    contact = fakes.account.contact("p0@example.com")
    assert contact
    assert {int(key) for key in contact["lists"]} == {1}


def test_a_scheduled_run_of_an_unchanged_segment_is_skipped_and_says_so(fakes: Fakes) -> None:
    export = make_export(fakes, scheduled=True)
    run_export(fakes, export)
    (again,) = tomorrow(fakes)
    run = drive(fakes, again.run_id)
    assert run.status is RunStatus.SKIPPED
    assert run.end
    assert run.end.problem
    assert run.end.problem.code == "segment_unchanged"


@pytest.mark.parametrize("changes", [{"skip_unchanged": False}, {"list_id": 2}])
def test_an_unchanged_segment_is_sent_when_the_export_says_so_or_is_another_one(
    fakes: Fakes, changes: dict[str, object]
) -> None:
    run_export(fakes, make_export(fakes, scheduled=True))
    make_export(fakes, scheduled=True, **changes)
    (again,) = tomorrow(fakes)
    assert drive(fakes, again.run_id).status is RunStatus.SUCCESSFUL


def test_a_segment_of_very_different_size_is_held(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(100))
    run_export(fakes, export)
    write_segment(fakes, people(9))
    held = run_export(fakes, export)
    assert held.status is RunStatus.HELD
    assert held.end
    assert held.end.problem
    assert held.end.problem.code == "size_changed"
    assert fakes.account.state()["contacts"] == 100


def test_an_empty_segment_is_held_and_removes_nobody(fakes: Fakes) -> None:
    export = make_export(fakes)
    run_export(fakes, export)
    write_segment(fakes, [])
    held = run_export(fakes, export)
    assert held.end
    assert held.end.problem
    assert (held.status, held.end.problem.code) == (RunStatus.HELD, "segment_empty")
    contact = fakes.account.contact("p0@example.com")
    assert contact
    assert contact["lists"]


def test_a_segment_that_is_not_there_fails_the_run_and_names_those_that_are(fakes: Fakes) -> None:
    run = run_export(fakes, make_export(fakes, segments=("persons",)))
    assert run.end
    assert run.end.problem
    assert run.end.problem.code == "segment_not_found"
    assert SEGMENT in run.end.problem.message


def test_records_of_runs_are_found_by_their_export(fakes: Fakes) -> None:
    run = run_export(fakes, make_export(fakes))
    assert isinstance(run, Run)
    assert run.run_id.startswith("newsletter.")
