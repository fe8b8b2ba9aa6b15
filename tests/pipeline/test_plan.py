"""When a run is planned, by whom, and what it waits for: each limit at both of its sides."""

from __future__ import annotations

import logging
from typing import BinaryIO

import pytest

from exporter.delivery.manifest import Manifest
from exporter.errors import Culprit, Unavailable
from exporter.pipeline import claim, preflight
from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.dispatch import lanes_for
from exporter.pipeline.plan import plan_run
from exporter.records import store
from exporter.records.paths import manifest_path, run_path
from exporter.runs.run import Attempts, Claim, Run, RunStatus, Waiting
from exporter.source.files import SegmentFile
from exporter.source.segments import Refresh, stale
from tests.builders import (
    COLUMNS,
    SEGMENT,
    logged,
    make_export,
    people,
    read_run,
    run_export,
    start_on_demand,
    write_segment,
)
from tests.fakes import START, Fakes, make_fakes

A_DAY_S = 86_400.0


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(30))
    return fakes


@pytest.fixture
def run_id(fakes: Fakes) -> str:
    """Start a run that nobody has planned yet; return its id."""
    return start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id


def record(fakes: Fakes, run_id: str, **facts: object) -> None:
    store.change(fakes.blobs, Run, run_path(run_id), lambda run: run.then(**facts))


def actions(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [action for _, action, _ in logged(caplog)]


def test_a_planner_counts_as_dead_after_90_silent_seconds_and_not_before(
    fakes: Fakes, run_id: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    record(fakes, run_id, claim=Claim(by="another", at=fakes.clock.now()))
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

    def open_file(file: SegmentFile) -> BinaryIO:
        happens()  # type: ignore[operator]  # the test's own
        return original(file)

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


def wait_for(monkeypatch: pytest.MonkeyPatch, retry_after_s: float | None = None) -> None:
    """Let ActiveCampaign not answer, and ask for so long a pause."""

    def check(*_: object) -> None:
        raise Unavailable("activecampaign_unavailable", "It is down.", retry_after_s=retry_after_s)

    monkeypatch.setattr(preflight, "check", check)


@pytest.mark.parametrize(
    ("retry_after_s", "pause_s"), [(None, 45), (0, 45), (45, 45), (46, 46), (900, 900), (901, 900), (86_400, 900)]
)
def test_planning_that_has_to_wait_pauses_45_seconds_or_as_long_as_it_is_asked_to_up_to_15_minutes(
    fakes: Fakes, run_id: str, retry_after_s: float | None, pause_s: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(monkeypatch, retry_after_s)
    plan_run(fakes.services, run_id)
    run = read_run(fakes, run_id)
    assert run.waiting
    assert (run.waiting.since, run.waiting.until) == (START, START + pause_s)
    assert run.claim is None


@pytest.mark.parametrize(("waited_s", "status"), [(A_DAY_S, RunStatus.WAITING), (A_DAY_S + 0.125, RunStatus.FAILED)])
def test_what_a_run_waits_for_is_waited_for_a_day_and_not_longer(
    fakes: Fakes, run_id: str, waited_s: float, status: RunStatus, monkeypatch: pytest.MonkeyPatch
) -> None:
    wait_for(monkeypatch)
    plan_run(fakes.services, run_id)
    fakes.clock.sleep(waited_s)
    plan_run(fakes.services, run_id)
    run = read_run(fakes, run_id)
    assert run.status is status
    assert run.waiting
    assert run.waiting.since == START
    if run.end:
        assert run.end.problem
        assert run.end.problem.code == "activecampaign_unavailable"


def test_a_wait_that_is_over_is_not_counted_in_the_next_one(fakes: Fakes, run_id: str) -> None:
    waiting = Waiting(code="x", message="x", culprit=Culprit.EXTERNAL, since=START - A_DAY_S, until=START)
    record(fakes, run_id, claim=Claim(by="a", at=START - A_DAY_S))
    record(fakes, run_id, waiting=waiting)
    plan_run(fakes.services, run_id)
    run = read_run(fakes, run_id)
    assert run.plan
    assert run.waiting is None


@pytest.mark.parametrize(
    ("died", "errors", "tried_s", "status"),
    [
        (5, 0, A_DAY_S + 1, RunStatus.FAILED),
        (4, 0, A_DAY_S + 1, RunStatus.RUNNING),
        (5, 0, A_DAY_S, RunStatus.RUNNING),
        (4, 1, A_DAY_S + 1, RunStatus.RUNNING),
        (5, 4, A_DAY_S + 1, RunStatus.FAILED),
    ],
)
def test_planning_that_died_five_times_and_for_more_than_a_day_ends_the_run(
    fakes: Fakes, run_id: str, died: int, errors: int, tried_s: float, status: RunStatus
) -> None:
    attempts = Attempts(begun=died + errors, errors=errors, since=fakes.clock.now() - tried_s)
    record(fakes, run_id, claim=Claim(by="dead", at=START - 90), attempts=attempts)
    plan_run(fakes.services, run_id)
    run = read_run(fakes, run_id)
    assert run.status is status
    if run.end:
        assert run.end.problem
        assert run.end.problem.code == "planning_died"


def test_planning_may_end_in_an_unforeseen_error_five_times(
    fakes: Fakes, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(preflight, "check", check)
    for _ in range(4):
        plan_run(fakes.services, run_id)
        fakes.clock.sleep(90)
    assert read_run(fakes, run_id).status is RunStatus.PLANNING
    plan_run(fakes.services, run_id)
    assert read_run(fakes, run_id).status is RunStatus.FAILED


def test_a_refresh_is_pointed_out_when_it_is_older_than_eight_days() -> None:
    refresh = Refresh("people", START, (), (), "f")
    assert stale([refresh], START + 8 * A_DAY_S) == []
    (warning,) = stale([refresh, Refresh("new", START + 1, (), (), "f")], START + 8 * A_DAY_S + 1)
    assert "people was last refreshed 8 days ago" in warning


@pytest.mark.parametrize(
    ("batches", "most", "lanes"),
    [(0, 6, 0), (1, 6, 1), (5, 6, 1), (6, 6, 2), (25, 6, 5), (26, 6, 6), (31, 6, 6), (4_000, 6, 6), (6, 1, 1)],
)
def test_a_lane_has_work_for_five_batches(batches: int, most: int, lanes: int) -> None:
    assert lanes_for(batches, most) == lanes


def test_a_run_of_exactly_as_many_profiles_as_the_export_allows_sends_each_of_them(fakes: Fakes) -> None:
    write_segment(fakes, people(600))
    run = run_export(fakes, make_export(fakes, max_contacts=600))
    assert run.status is RunStatus.SUCCESSFUL
    assert len(fakes.account.contacts()) == 600


def test_a_run_of_one_profile_more_sends_nothing(fakes: Fakes) -> None:
    write_segment(fakes, people(601))
    run = run_export(fakes, make_export(fakes, max_contacts=600))
    assert run.end
    assert run.end.problem
    assert (run.status, run.end.problem.code) == (RunStatus.FAILED, "too_many_contacts")
    assert fakes.account.contacts() == []


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
