"""Imports that have no outcome when their run ends are asked for as long as the working copy is kept."""

from __future__ import annotations

import orjson
import pytest

from exporter.activecampaign.wire import NotSent, Request
from exporter.pipeline.confirm import ASK_LATE_EVERY_S, LATE_QUESTIONS
from exporter.pipeline.finish import finish
from exporter.pipeline.start import StartRequest, start
from exporter.pipeline.sweep import sweep
from exporter.records.paths import run_path
from exporter.records.payload import WORKING_COPY_S
from exporter.records.recent import newest_runs
from exporter.records.slots import read_slot
from exporter.runs.run import Run, RunStatus, Trigger
from tests.builders import (
    deliver,
    drive,
    make_export,
    people,
    read_run,
    rejects_of,
    run_export,
    start_on_demand,
    write_segment,
)
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(600))
    return fakes


def ended_with_stuck_imports(fakes: Fakes, count: int = 1) -> Run:
    fakes.account.end_next_imports("stuck", count)
    run = drive(fakes, start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id, limit_s=4 * 3_600)
    assert run.end
    assert run.end.tally.unconfirmed == run.end.tally.reasons["not_confirmed_in_time"] > 0
    return run


def stuck_imports(fakes: Fakes) -> list[str]:
    return [key for key, one in fakes.account._state.imports.items() if one.outcome == "stuck"]


def sweep_for(fakes: Fakes, seconds: float) -> None:
    end = fakes.clock.now() + seconds
    while fakes.clock.now() < end:
        fakes.clock.sleep(60)
        sweep(fakes.services)


def questions(fakes: Fakes) -> int:
    return sum("import/info" in request.path for request in fakes.activecampaign.requests)


def working_copies(fakes: Fakes) -> list[str]:
    return list(fakes.blobs.names("working/"))


@pytest.mark.parametrize("reading", ["status_false", "not_found"])
def test_an_import_that_activecampaign_has_forgotten_confirms_nobody_and_keeps_nobody_else_waiting(
    fakes: Fakes, reading: str
) -> None:
    fakes.account.set_switches(unknown_import=reading)

    def forget(request: Request) -> None:
        if request.path.endswith("import/info"):
            fakes.activecampaign.before = lambda _: None
            fakes.account.forget_import(dict(request.query)["batchId"])

    fakes.activecampaign.before = forget
    run = drive(fakes, start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id, limit_s=4 * 3_600)
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert run.tally
    assert run.tally.reasons == {"not_confirmed_in_time": run.tally.unconfirmed}
    assert run.tally.confirmed == 600 - run.tally.unconfirmed > 0
    assert len(rejects_of(fakes, run.run_id)) == run.tally.unconfirmed > 0


def test_an_outcome_after_the_end_amends_the_account_and_leaves_the_status(fakes: Fakes) -> None:
    run = ended_with_stuck_imports(fakes)
    assert len(rejects_of(fakes, run.run_id)) == run.end.tally.unconfirmed if run.end else False
    for one in stuck_imports(fakes):
        fakes.account.end_import(one, "completed")
    sweep_for(fakes, ASK_LATE_EVERY_S + 120)
    after = read_run(fakes, run.run_id)
    assert after.end == run.end
    assert after.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert after.tally
    assert (after.tally.confirmed, after.tally.unconfirmed, after.tally.reasons) == (600, 0, {})
    assert rejects_of(fakes, run.run_id) == []
    report = orjson.loads(fakes.blobs.stored[run_path(run.run_id, "report.json")].data)
    assert report["tally"]["confirmed"] == 600
    assert working_copies(fakes) == []
    asked = questions(fakes)
    sweep_for(fakes, 2 * ASK_LATE_EVERY_S)
    assert questions(fakes) == asked


def test_those_who_failed_in_a_late_import_are_named(fakes: Fakes) -> None:
    fakes.account.bounce("p7@example.com")
    run = ended_with_stuck_imports(fakes, 3)
    for one in stuck_imports(fakes):
        fakes.account.end_import(one, "completed")
    sweep_for(fakes, ASK_LATE_EVERY_S + 120)
    account = read_run(fakes, run.run_id).tally
    assert account
    assert (account.confirmed, account.reasons) == (599, {"address_not_taken": 1})
    assert [row["email"] for row in rejects_of(fakes, run.run_id)] == ["p7@example.com"]


def test_who_stood_still_before_writing_the_report_does_not_overwrite_that_of_an_amendment(fakes: Fakes) -> None:
    happened: list[Run] = []

    def stand_still(operation: str, path: str) -> None:
        if operation != "extend" or happened:
            return
        happened.append(read_run(fakes, path.split("/")[1]))
        finish(fakes.services, happened[0].run_id)
        for one in stuck_imports(fakes):
            fakes.account.end_import(one, "completed")
        sweep_for(fakes, ASK_LATE_EVERY_S + 120)

    fakes.blobs.before = stand_still
    fakes.account.end_next_imports("stuck", 1)
    run = drive(fakes, start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id, limit_s=4 * 3_600)
    assert [before.end for before in happened] == [None]
    assert run.end
    assert run.amended
    assert run.end.tally.unconfirmed > run.amended.tally.unconfirmed == 0
    assert rejects_of(fakes, run.run_id) == []


def test_a_run_whose_reject_report_is_gone_ends_all_the_same(fakes: Fakes, caplog: pytest.LogCaptureFixture) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    for path in list(fakes.blobs.names("rejects/")):
        fakes.blobs.delete(path)
    assert drive(fakes, run_id).status is RunStatus.SUCCESSFUL
    assert '"code":"rejects_missing"' in caplog.text


def test_a_late_import_that_failed_is_not_sent_again(fakes: Fakes) -> None:
    run = ended_with_stuck_imports(fakes)
    sent = len(fakes.account.requests())
    for one in stuck_imports(fakes):
        fakes.account.end_import(one, "failed")
    sweep_for(fakes, 2 * ASK_LATE_EVERY_S)
    account = read_run(fakes, run.run_id).tally
    assert account
    assert list(account.reasons) == ["import_failed"]
    assert not any(r.path.endswith("bulk_import") for r in fakes.account.requests()[sent:])
    assert working_copies(fakes) == []


@pytest.mark.slow
def test_what_stays_stuck_is_asked_for_until_the_working_copy_is_a_day_old(fakes: Fakes) -> None:
    run = ended_with_stuck_imports(fakes)
    asked = questions(fakes)
    sweep_for(fakes, run.requested_utc + WORKING_COPY_S - fakes.clock.now() - 120)
    assert working_copies(fakes) != []
    left_s = WORKING_COPY_S - (run.end.at - run.requested_utc if run.end else 0)
    assert 0.9 * left_s / ASK_LATE_EVERY_S <= questions(fakes) - asked <= left_s / ASK_LATE_EVERY_S + 1
    sweep_for(fakes, 300)
    assert working_copies(fakes) == []
    after = read_run(fakes, run.run_id)
    assert (after.end, after.tally) == (run.end, run.tally)


def test_a_sweep_asks_for_a_few_late_imports_only(fakes: Fakes) -> None:
    write_segment(fakes, people(250 * (LATE_QUESTIONS + 5)))
    ended_with_stuck_imports(fakes, 100)
    asked = questions(fakes)
    fakes.clock.sleep(2 * ASK_LATE_EVERY_S)
    sweep(fakes.services)
    assert questions(fakes) - asked == LATE_QUESTIONS
    sweep(fakes.services)
    assert questions(fakes) - asked == LATE_QUESTIONS + 5


def test_without_an_answer_it_asks_again_later(fakes: Fakes) -> None:
    run = ended_with_stuck_imports(fakes)
    for one in stuck_imports(fakes):
        fakes.account.end_import(one, "completed")
    fakes.activecampaign.before = lambda request: NotSent("dns")
    sweep_for(fakes, 2 * ASK_LATE_EVERY_S)
    assert read_run(fakes, run.run_id).tally == (run.end and run.end.tally)
    fakes.activecampaign.before = lambda request: None
    sweep_for(fakes, 120)
    account = read_run(fakes, run.run_id).tally
    assert account
    assert account.unconfirmed == 0


def test_a_sweep_that_read_the_ledgers_before_another_one_changes_nothing(fakes: Fakes) -> None:
    run = ended_with_stuck_imports(fakes, 2)
    stuck = stuck_imports(fakes)
    fakes.clock.sleep(ASK_LATE_EVERY_S)
    for one in stuck:
        fakes.account.end_import(one, "completed")
    interrupted = False

    def interrupt(request: object) -> None:
        nonlocal interrupted
        if not interrupted and "import/info" in getattr(request, "path", ""):
            interrupted = True
            sweep(fakes.services)

    fakes.activecampaign.before = interrupt
    sweep(fakes.services)
    assert interrupted
    account = read_run(fakes, run.run_id).tally
    assert account
    assert (account.confirmed, account.unconfirmed) == (600, 0)
    assert working_copies(fakes) == []


def test_what_follows_from_the_end_does_not_wait_for_a_late_import(fakes: Fakes) -> None:
    class Died(BaseException):
        pass

    def die(operation: str, path: str) -> None:
        if path.endswith("report.json"):
            fakes.blobs.before = lambda operation, path: None
            raise Died

    fakes.blobs.before = die
    with pytest.raises(Died):
        ended_with_stuck_imports(fakes)
    sweep(fakes.services)
    (run_id,) = {run_id for _, run_id in newest_runs(fakes.services)}
    assert run_path(run_id, "report.json") in fakes.blobs.stored
    assert working_copies(fakes) != []


def yardstick(fakes: Fakes) -> str | None:
    slot = read_slot(fakes.services, "newsletter")
    assert slot
    return slot.last_success.run_id if slot.last_success else None


def test_a_run_counts_for_the_next_one_when_of_nobody_it_is_unknown_any_more(fakes: Fakes) -> None:
    run = ended_with_stuck_imports(fakes)
    assert (run.status, yardstick(fakes)) == (RunStatus.COMPLETED_WITH_WARNINGS, None)
    for one in stuck_imports(fakes):
        fakes.account.end_import(one, "completed")
    sweep_for(fakes, ASK_LATE_EVERY_S + 120)
    assert yardstick(fakes) == run.run_id


def test_a_run_of_which_nobody_arrived_is_no_yardstick_and_does_not_keep_the_schedule_from_trying_again(
    fakes: Fakes,
) -> None:
    export = make_export(fakes)
    fakes.account.end_next_imports("interrupted", 100)
    failed = run_export(fakes, export)
    assert (failed.status, yardstick(fakes)) == (RunStatus.FAILED, None)
    fakes.account._state.next_outcomes.clear()
    again = start(
        fakes.services, StartRequest(export, Trigger.SCHEDULED, "schedule"), f"newsletter.20261123T100500Z.{1:032x}"
    )
    assert drive(fakes, again.run.run_id).status is RunStatus.SUCCESSFUL
    assert yardstick(fakes) == again.run.run_id
