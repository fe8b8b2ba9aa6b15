"""Messages that come twice, late or for nothing, and workers that went on when they should not have."""

from __future__ import annotations

import pytest

from exporter.activecampaign.wire import Kind
from exporter.delivery import ledger
from exporter.delivery.plan import Plan
from exporter.errors import Culprit
from exporter.pipeline import finish
from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.plan import plan_run
from exporter.pipeline.session import Session
from exporter.pipeline.sweep import sweep
from exporter.pipeline.upload import upload_lane
from exporter.ports import Changed
from exporter.records import store
from exporter.records.paths import lane_path, run_path
from exporter.runs.run import Claim, Problem, Run, RunStatus
from exporter.tally import count
from tests.builders import (
    deliver,
    drive,
    make_export,
    people,
    read_run,
    settle,
    start_on_demand,
    start_once,
    write_segment,
)
from tests.fakes import Fakes, make_fakes
from tests.ledgers import portion_event


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(600))
    return fakes


@pytest.fixture
def planned(fakes: Fakes) -> str:
    """Plan a run of three batches in one lane; return its id."""
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    assert read_run(fakes, run_id).plan
    return run_id


def imports(fakes: Fakes) -> int:
    return sum(request.path.endswith("bulk_import") for request in fakes.activecampaign.requests)


def test_a_message_for_a_run_that_is_over_does_nothing(fakes: Fakes, planned: str) -> None:
    drive(fakes, planned)
    settle(fakes, planned)
    before = dict(fakes.blobs.stored)
    plan_run(fakes.services, planned)
    upload_lane(fakes.services, planned, 0)
    sweep(fakes.services)
    assert fakes.blobs.stored == before
    assert imports(fakes) == 3


def test_a_lane_that_does_not_exist_is_nobodys(fakes: Fakes, planned: str) -> None:
    upload_lane(fakes.services, planned, 7)
    assert lane_path(planned, 7) not in fakes.blobs.stored
    assert imports(fakes) == 0


def test_a_worker_that_read_the_run_before_its_end_sends_nothing_after_it(fakes: Fakes, planned: str) -> None:
    """It stands still between reading its ledger and claiming the lane; meanwhile the run is canceled and ends."""

    def end_it(operation: str, path: str) -> None:
        if operation == "append":
            fakes.blobs.before = lambda operation, path: None
            cancel_run(fakes.services, planned, "ada")
            sweep(fakes.services)
            assert read_run(fakes, planned).end

    fakes.blobs.before = end_it
    upload_lane(fakes.services, planned, 0)
    assert imports(fakes) == 0
    end = read_run(fakes, planned).end
    assert end
    assert end.status is RunStatus.CANCELED
    assert end.tally.reasons == {"not_sent": 600}


def test_nothing_can_be_recorded_in_a_closed_lane(fakes: Fakes, planned: str) -> None:
    length = len(fakes.blobs.stored[lane_path(planned, 0)].data)
    cancel_run(fakes.services, planned, "ada")
    sweep(fakes.services)
    with pytest.raises(Changed):
        fakes.blobs.append(lane_path(planned, 0), b"{}\n", length)
    assert ledger.fold(fakes.blobs.stored[lane_path(planned, 0)].data).closed


def test_a_worker_that_stands_still_before_its_turn_sends_nothing_when_the_lane_is_anothers(
    fakes: Fakes, planned: str
) -> None:
    slept: list[float] = []
    original = fakes.blobs.append

    def append(path: str, data: bytes, at: int) -> int:
        length = original(path, data, at)
        if b'"sending"' in data and not slept:
            slept.append(fakes.clock.now())
            fakes.clock.sleep(200)  # the worker counts as dead, and its lane is taken over
            upload_lane(fakes.services, planned, 0)
        return length

    fakes.blobs.append = append  # type: ignore[method-assign]  # one call is watched
    upload_lane(fakes.services, planned, 0)
    assert drive(fakes, planned).status is RunStatus.SUCCESSFUL
    assert imports(fakes) == 3


def test_a_planner_that_lost_its_claim_cannot_end_the_run(fakes: Fakes, planned: str) -> None:
    problem = Problem(code="segment_not_found", message="It is gone.", culprit=Culprit.USER)
    finish.end_before_sending(fakes.services, planned, "another", RunStatus.FAILED, problem)
    assert read_run(fakes, planned).end is None


def test_a_run_whose_plan_is_just_being_recorded_does_not_end_without_it(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    cancel_run(fakes.services, run_id, "ada")
    plan = Plan(
        rows_read=600, contacts=600, duplicates=0, rejected_by_reason={}, batches=3, lanes=1, at=fakes.clock.now()
    )

    def record(operation: str, path: str) -> None:
        if operation == "read" and path == run_path(run_id):
            reads.append(path)
            if len(reads) == 2:
                fakes.blobs.before = lambda operation, path: None
                store.change(fakes.blobs, Run, path, lambda r: r.model_copy(update={"plan": plan}))

    reads: list[str] = []
    fakes.blobs.before = record
    finish.finish(fakes.services, run_id)
    assert read_run(fakes, run_id).plan
    assert read_run(fakes, run_id).end is None


def test_a_run_that_is_only_claimed_is_not_finished(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    claim = Claim(by="a planner", at=fakes.clock.now())
    store.change(fakes.blobs, Run, run_path(run_id), lambda r: r.model_copy(update={"claim": claim}))
    finish.finish(fakes.services, run_id)
    assert read_run(fakes, run_id).end is None


def test_a_run_without_its_working_copy_still_ends(fakes: Fakes, planned: str) -> None:
    fakes.account.unsubscribe("p3@example.com")
    deliver(fakes)
    for path in list(fakes.blobs.names("working/")):
        fakes.blobs.delete(path)
    run = drive(fakes, planned, limit_s=3 * 3_600)
    assert run.end


def test_what_follows_from_the_end_is_made_good_when_the_process_died_before_it(fakes: Fakes, planned: str) -> None:
    class Died(BaseException):
        pass

    def die(operation: str, path: str) -> None:
        if operation == "create" and path.endswith("report.json"):
            fakes.blobs.before = lambda operation, path: None
            raise Died

    fakes.blobs.before = die
    with pytest.raises(Died):
        drive(fakes, planned)
    assert read_run(fakes, planned).end
    sweep(fakes.services)
    assert run_path(planned, "report.json") in fakes.blobs.stored
    assert list(fakes.blobs.names("working/")) == []


def test_a_repeated_request_that_had_joined_a_run_starts_none_when_that_is_over(fakes: Fakes) -> None:
    export = make_export(fakes)
    going = start_on_demand(fakes.services, export, "ada").run.run_id
    assert start_once(fakes.services, export, "bob", "key", b"").run.run_id == going
    drive(fakes, going)
    assert start_once(fakes.services, export, "bob", "key", b"").run.run_id == going


def test_an_answer_that_is_lost_and_then_refused_is_not_counted_as_not_sent(fakes: Fakes, planned: str) -> None:
    lane = ledger.fold(fakes.blobs.stored[lane_path(planned, 0)].data)
    now = fakes.clock.now()
    portion = lane.portions[0, 0]
    for name in ("sending", "sending", "notQueued"):
        lane.apply(portion_event(now, name, portion))
    plan = read_run(fakes, planned).plan
    assert plan
    assert count.tally_of(plan, [lane]).reasons == {"outcome_unknown": 250, "not_sent": 350}


def test_two_workers_that_create_the_budget_at_once_get_different_turns(fakes: Fakes) -> None:
    first, second = (Session(fakes.services, "acme.api-us1.com", "key-1") for _ in range(2))
    turns: list[float] = []

    def between(operation: str, path: str) -> None:
        if operation == "create" and path.endswith("budget.json"):
            fakes.blobs.before = lambda operation, path: None
            turns.append(second._take_turn(Kind.BULK))

    fakes.blobs.before = between
    turns.append(first._take_turn(Kind.BULK))
    assert len(set(turns)) == 2
