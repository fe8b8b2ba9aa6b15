"""When a run is planned, by whom, and what it waits for: each limit at both of its sides."""

from __future__ import annotations

import itertools
from typing import BinaryIO

import orjson
import pytest

from exporter.definitions.exports import DataMatching
from exporter.errors import Culprit, Unavailable
from exporter.pipeline import destination
from exporter.pipeline.plan import plan_run
from exporter.records import store
from exporter.records.paths import run_path
from exporter.runs.run import Attempts, Claim, Run, RunStatus, Waiting
from exporter.source.files import SegmentFile
from exporter.source.segments import Refresh, stale
from tests.builders import (
    drive,
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


def wait_for(monkeypatch: pytest.MonkeyPatch, retry_after_s: float | None = None) -> None:
    """Let ActiveCampaign not answer, and ask for so long a pause."""

    def check(*_: object) -> None:
        raise Unavailable("activecampaign_unavailable", "It is down.", retry_after_s=retry_after_s)

    monkeypatch.setattr(destination, "look", check)


def test_a_run_that_left_a_file_out_is_not_successful_unless_the_export_says_so(fakes: Fakes) -> None:
    fakes.segments.write("people/b.csv.zip", b"x")
    run = run_export(fakes, make_export(fakes))
    assert run.plan
    assert (run.status, run.plan.files_not_read) == (RunStatus.COMPLETED_WITH_WARNINGS, 1)
    assert "first: people/b.csv.zip" in run.plan.warnings[0]
    run = run_export(fakes, make_export(fakes, ignore=("*.zip",)))
    assert run.plan
    assert (run.status, run.plan.files_not_read) == (RunStatus.SUCCESSFUL, 0)
    assert "left out: 1, as the export says" in run.plan.warnings[0]


def test_a_run_does_not_guess_which_of_several_days_is_the_segment(fakes: Fakes) -> None:
    for day in (25, 26):
        fakes.segments.write(f"people/Seg_202611{day}.csv", b"EMail\na@example.com\n")
    del fakes.segments.files["people/people_1.csv"]
    only_addresses = DataMatching(email="EMail")
    run = run_export(fakes, make_export(fakes, data_matching=only_addresses))
    assert run.end
    assert run.end.problem
    assert (run.status, run.end.problem.code) == (RunStatus.FAILED, "files_ambiguous")
    assert (
        run_export(fakes, make_export(fakes, data_matching=only_addresses, files="newest")).status
        is RunStatus.SUCCESSFUL
    )


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
    ("died", "errors", "status"),
    [
        (2, 0, RunStatus.RUNNING),
        (3, 0, RunStatus.FAILED),
        (2, 4, RunStatus.RUNNING),
        (3, 4, RunStatus.FAILED),
    ],
)
def test_planning_that_was_cut_off_three_times_ends_the_run(
    fakes: Fakes, run_id: str, died: int, errors: int, status: RunStatus
) -> None:
    attempts = Attempts(begun=died + errors, errors=errors, since=fakes.clock.now() - 90)
    record(fakes, run_id, claim=Claim(by="dead", at=START - 90), attempts=attempts)
    plan_run(fakes.services, run_id)
    run = read_run(fakes, run_id)
    assert run.status is status
    if run.end:
        assert run.end.problem
        assert run.end.problem.code == "planning_died"
        assert "cut off each time" in run.end.problem.message
        assert fakes.activecampaign.requests == []


def test_planning_may_end_in_an_unforeseen_error_five_times(
    fakes: Fakes, run_id: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def check(*_: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(destination, "look", check)
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
    assert "people was last refreshed 8 days ago" in warning.message


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


def replaced_while_read(times: int) -> Run:
    """Run an export whose file is replaced that often, each time when its rows are read."""
    fakes = make_fakes()
    write_segment(fakes, people(5))
    export = make_export(fakes)
    left = times
    open_file = fakes.segments.open

    def open_and_replace(file: SegmentFile, buffer_bytes: int = 0) -> BinaryIO:
        nonlocal left
        reader = open_file(file)
        if left and next(opened) % 2:  # the first look at a file is for its header
            left -= 1
            write_segment(fakes, people(6))
        return reader

    opened = itertools.count()
    fakes.segments.open = open_and_replace  # type: ignore[method-assign]  # as if somebody else wrote
    run = start_on_demand(fakes.services, export, "ada").run
    return drive(fakes, run.run_id, 30)


def test_a_file_that_is_replaced_while_it_is_read_is_read_again_once() -> None:
    run = replaced_while_read(1)
    assert run.end
    assert run.end.tally.confirmed == 6


def test_a_file_that_is_replaced_again_and_again_is_waited_for() -> None:
    run = replaced_while_read(2)
    assert run.waiting
    assert run.waiting.code == "source_changing"


def test_a_refresh_that_never_completes_is_waited_for_and_then_named() -> None:
    fakes = make_fakes(RETRY_FOR_S="3600")
    model = {
        "entities": [
            {"name": "T", "attributes": [{"name": "EMail"}], "partitions": [{"location": "T/2026/11/18/0415/T_1.csv"}]}
        ]
    }
    fakes.segments.write("x/model.json", orjson.dumps(model))
    fakes.segments.write("x/T/2026/11/18/0415/T_1.csv", b"a@example.com\n")
    fakes.segments.write("x/T/2026/11/18/1615/T_1.csv", b"a@example.com\n")
    export = make_export(fakes, segments=("T",), data_matching=DataMatching(email="EMail"))
    run = start_on_demand(fakes.services, export, "ada").run
    waiting = drive(fakes, run.run_id, 600).waiting
    assert waiting
    assert waiting.code == "refresh_in_flight"
    end = drive(fakes, run.run_id, 2 * 3_600).end
    assert end
    assert end.problem
    assert (end.status, end.problem.code) == (RunStatus.FAILED, "refresh_in_flight")
    assert not fakes.account.contacts()
