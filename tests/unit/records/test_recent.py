"""The runs of all exports, the newest first, whatever the ids of the exports are."""

from __future__ import annotations

from exporter.records.paths import RECENT, RUNS, recent_path
from exporter.records.recent import announce_run, newest_runs
from exporter.runs.run import new_run_id
from tests.fakes import START, make_fakes


def test_runs_come_in_order_of_time_and_each_once() -> None:
    fakes = make_fakes()
    ids = [new_run_id(export, START + at, f"{at:032x}") for at, export in enumerate(("b", "a-1", "c", "a"))]
    for run_id in (*ids, ids[1]):
        announce_run(fakes.services, run_id)
    assert [run_id for _, run_id in newest_runs(fakes.services)] == ids[::-1]
    places = [place for place, _ in newest_runs(fakes.services)]
    assert places == sorted(places)


def test_who_announces_a_run_that_another_release_has_announced_is_content() -> None:
    fakes = make_fakes()
    run_id = new_run_id("a", START, "0" * 32)
    fakes.blobs.put(recent_path(run_id), b'{"schemaVersion":3}')
    announce_run(fakes.services, run_id)
    assert fakes.blobs.stored[recent_path(run_id)].data == b'{"schemaVersion":3}'


def test_entries_are_deleted_with_the_runs_and_are_not_taken_for_runs() -> None:
    """Storage deletes by prefix (infra/modules/export-storage.bicep); runs of an export are found by `<id>.`."""
    assert RECENT.startswith(RUNS)
    assert "." not in RECENT
