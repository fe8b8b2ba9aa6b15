"""Exports start by themselves: with every refresh, at their times, again after an outage; and never by surprise."""

from __future__ import annotations

import logging
from dataclasses import replace
from typing import Any

import orjson
import pytest

from bench import idle
from exporter.definitions.exports import Export, Seen
from exporter.definitions.resources import Paused
from exporter.definitions.schedules import AtTimes, OnDemand, WithEveryRefresh
from exporter.errors import Unavailable
from exporter.pipeline import schedule
from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.plan import plan_run
from exporter.pipeline.schedule import run_schedule
from exporter.pipeline.start import start_due
from exporter.records import paths, store
from exporter.records.slots import Slot
from exporter.runs.due import MOST_ATTEMPTS, PAUSES_S, Due
from exporter.runs.run import Run, RunStatus, Trigger
from tests.builders import (
    COLUMNS,
    drive,
    logged,
    make_connection,
    make_export,
    people,
    read_run,
    run_export,
    start_on_demand,
    write_segment,
)
from tests.fakes import NOT_SENT, Fakes, make_fakes

MINUTES_5 = 300.0


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes(SEGMENT_QUIET_S="300", RETRY_FOR_S="600")
    write_segment(fakes, people(30))
    fakes.clock.sleep(600)
    return fakes


def every_refresh(fakes: Fakes, **changes: Any) -> Export:
    """Store an export that was saved now: what lies there counts as seen."""
    export = make_export(fakes, schedule=WithEveryRefresh(), **changes)
    return save(fakes, export.model_copy(update={"seen": schedule.seen_now(fakes.services, export)}))


def save(fakes: Fakes, export: Export) -> Export:
    fakes.blobs.put(paths.export_path(export.id), export.to_json())
    return export


def refreshed(fakes: Fakes, count: int) -> None:
    """Refresh the segment, and let it become complete."""
    write_segment(fakes, people(count))
    fakes.clock.sleep(301)


def looked(fakes: Fakes) -> Run | None:
    """Let the schedule look, and what it starts come to its end."""
    started = run_schedule(fakes.services)
    return drive(fakes, started[0].run_id, limit_s=90_000, step_s=30) if started else None


def slot_of(fakes: Fakes) -> Slot:
    slot = store.get(fakes.blobs, Slot, paths.slot_path("newsletter"))
    assert slot
    return slot


# With every refresh


def test_what_lay_there_when_it_was_saved_is_not_exported_and_the_next_refresh_is_once(fakes: Fakes) -> None:
    every_refresh(fakes)
    assert looked(fakes) is None
    refreshed(fakes, 31)
    run = looked(fakes)
    assert run
    assert (run.status, run.trigger, run.attempt) == (RunStatus.SUCCESSFUL, Trigger.SCHEDULED, 1)
    assert run.tally
    assert run.tally.confirmed == 31
    fakes.clock.sleep(86_400)
    assert looked(fakes) is None


def test_a_refresh_that_is_not_complete_is_waited_for_and_owed_even_if_the_export_was_saved_meanwhile(
    fakes: Fakes,
) -> None:
    write_segment(fakes, people(40))
    export = every_refresh(fakes)
    assert export.seen
    assert export.seen.refresh is None
    assert looked(fakes) is None
    fakes.clock.sleep(301)
    run = looked(fakes)
    assert run
    assert run.tally
    assert run.tally.confirmed == 40


def test_of_three_refreshes_during_a_run_the_newest_counts(fakes: Fakes) -> None:
    export = every_refresh(fakes)
    going = start_on_demand(fakes.services, export, "ada").run
    for count in (31, 32, 33):
        refreshed(fakes, count)
        assert run_schedule(fakes.services) == []
    assert {p.split("/")[2] for p in fakes.blobs.names("records/runs/newsletter.")} == {going.run_id}
    drive(fakes, going.run_id)
    run = looked(fakes)
    # The run of a person has read the newest refresh, too: nothing is left to do.
    assert run is None
    refreshed(fakes, 34)
    run = looked(fakes)
    assert run
    assert run.tally
    assert run.tally.confirmed == 34


def test_a_refresh_that_lands_during_a_scheduled_run_gets_its_own(fakes: Fakes) -> None:
    every_refresh(fakes)
    refreshed(fakes, 31)
    (first,) = run_schedule(fakes.services)
    fakes.messages.queues.clear()
    drive(fakes, first.run_id, limit_s=0.3)
    plan_run(fakes.services, first.run_id)
    refreshed(fakes, 32)
    drive(fakes, first.run_id)
    second = looked(fakes)
    assert second
    assert second.tally
    assert (second.attempt, second.tally.confirmed) == (1, 32)


def test_a_plan_that_finds_another_refresh_than_its_start_named_does_nothing(fakes: Fakes) -> None:
    every_refresh(fakes)
    refreshed(fakes, 31)
    (first,) = run_schedule(fakes.services)
    refreshed(fakes, 32)
    over = drive(fakes, first.run_id)
    assert over.end
    assert over.end.problem
    assert (over.status, over.end.problem.code) == (RunStatus.SKIPPED, "superseded")
    second = looked(fakes)
    assert second
    assert second.tally
    assert (second.attempt, second.tally.confirmed) == (1, 32)
    assert looked(fakes) is None


def test_a_refresh_whose_file_was_replaced_without_another_model_json_is_exported_after_all(fakes: Fakes) -> None:
    def write(count: int) -> None:
        fakes.segments.write("ci/VIP/1.csv", b"".join(",".join(row).encode() + b"\n" for row in people(count)))

    columns = [{"name": name} for name in COLUMNS]
    table = {"name": "VIP", "attributes": columns, "partitions": [{"name": "1", "location": "VIP/1.csv"}]}
    every_refresh(fakes, segments=("ci/VIP",))
    write(31)
    fakes.segments.write("ci/model.json", orjson.dumps({"name": "ci", "entities": [table]}))
    fakes.clock.sleep(301)
    (first,) = run_schedule(fakes.services)
    write(32)
    fakes.clock.sleep(301)
    assert drive(fakes, first.run_id).status is RunStatus.SKIPPED
    second = looked(fakes)
    assert second
    assert second.tally
    assert (second.attempt, second.tally.confirmed) == (1, 32)
    assert looked(fakes) is None


def test_two_timers_at_once_start_one_run(fakes: Fakes) -> None:
    every_refresh(fakes)
    refreshed(fakes, 31)
    path = paths.slot_path("newsletter")
    before = fakes.blobs.read(path)
    (first,) = run_schedule(fakes.services)
    export = store.get(fakes.blobs, Export, paths.export_path("newsletter"))
    assert export
    drive(fakes, first.run_id)
    # A timer that was suspended since before the run: it decided by a slot that is not the same any more.
    attempted = slot_of(fakes).scheduled
    assert attempted
    assert start_due(fakes.services, export, Due(1, attempted.due, attempted.refresh), before) is None
    assert run_schedule(fakes.services) == []


def test_what_a_person_has_exported_is_not_exported_again(fakes: Fakes) -> None:
    export = every_refresh(fakes)
    refreshed(fakes, 31)
    run_export(fakes, export)
    assert looked(fakes) is None


def test_what_a_person_has_exported_is_not_exported_again_though_whoever_ended_the_run_died_right_then(
    fakes: Fakes,
) -> None:
    export = every_refresh(fakes)
    refreshed(fakes, 31)
    run_export(fakes, export)
    slot = slot_of(fakes)
    assert slot.last_success
    fakes.blobs.put(paths.slot_path("newsletter"), slot.model_copy(update={"last_success": None}).to_json())
    assert looked(fakes) is None
    refreshed(fakes, 32)
    assert looked(fakes)


def test_what_a_person_has_exported_is_not_owed_to_another_list_that_is_saved_later(fakes: Fakes) -> None:
    export = every_refresh(fakes)
    refreshed(fakes, 31)
    run_export(fakes, export)
    save(fakes, export.model_copy(update={"list_id": 2}))
    assert looked(fakes) is None


def test_what_a_person_has_canceled_is_not_started_again_by_the_schedule(fakes: Fakes) -> None:
    export = every_refresh(fakes)
    refreshed(fakes, 600)
    run = start_on_demand(fakes.services, export, "ada").run
    plan_run(fakes.services, run.run_id)
    cancel_run(fakes.services, run.run_id, "ada")
    assert drive(fakes, run.run_id).status is RunStatus.CANCELED
    assert looked(fakes) is None


def test_what_holds_the_run_of_a_person_is_not_started_by_the_schedule_before_somebody_has_approved_it(
    fakes: Fakes,
) -> None:
    export = every_refresh(fakes)
    refreshed(fakes, 300)
    run_export(fakes, export)
    refreshed(fakes, 3)
    held = start_on_demand(fakes.services, export, "ada").run
    assert drive(fakes, held.run_id).status is RunStatus.HELD
    assert looked(fakes) is None
    assert slot_of(fakes).newest == held.run_id
    refreshed(fakes, 299)
    run = looked(fakes)
    assert run
    assert run.status is RunStatus.SUCCESSFUL


def test_a_segment_is_read_only_when_it_moved(fakes: Fakes) -> None:
    every_refresh(fakes)
    run_schedule(fakes.services)
    fakes.segments.looks.clear()
    for _ in range(3):
        fakes.clock.sleep(MINUTES_5)
        run_schedule(fakes.services)
    assert fakes.segments.looks == [("list", "")] * 3


@pytest.mark.parametrize(
    ("layout", "looked", "dollars"),
    [
        ("model.json", (1, 50), 1.5),
        ("folders", (2, 40), 1.5),
        ("folders among more than 5,000 files", (21, 40), 1.7),
    ],
)
def test_what_idling_costs_is_counted_and_little(layout: str, looked: tuple[int, int], dollars: float) -> None:
    of_a_sweep, of_a_look = idle.count(layout)
    assert of_a_sweep["list"] <= 2
    assert of_a_sweep["read"] <= 2
    assert (of_a_look["list"], of_a_look["read"]) == looked
    assert set(of_a_sweep | of_a_look) == {"list", "read"}
    assert idle.dollars(of_a_sweep, of_a_look) < dollars


def test_an_unreadable_segment_is_told_once_and_a_late_one_after_a_day(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "exporter")
    every_refresh(fakes, complete_when={"marker": "_DONE"})

    def told() -> list[str]:
        found = [fields["code"] for _, action, fields in logged(caplog) if action == "refresh_not_exported"]
        caplog.clear()
        return found

    for _ in range(3):
        run_schedule(fakes.services)
        fakes.clock.sleep(MINUTES_5)
    assert told() == []
    fakes.clock.sleep(schedule.LATE_S)
    run_schedule(fakes.services)
    run_schedule(fakes.services)
    assert told() == ["refresh_in_flight"]
    fakes.segments.files.clear()
    run_schedule(fakes.services)
    assert told() == []
    for _ in range(2):
        fakes.clock.sleep(MINUTES_5)
        run_schedule(fakes.services)
    assert told() == ["segment_not_found"]


def test_a_failure_of_one_export_does_not_keep_another_from_starting(fakes: Fakes) -> None:
    every_refresh(fakes, id="a-broken")
    every_refresh(fakes, id="b-good")
    refreshed(fakes, 31)

    def before(operation: str, path: str) -> None:
        if path == paths.slot_path("a-broken"):
            raise Unavailable("storage_unavailable", "Storage does not answer.")

    fakes.blobs.before = before
    assert [run.export_id for run in run_schedule(fakes.services)] == ["b-good"]
    fakes.blobs.before = lambda operation, path: None
    assert [run.export_id for run in run_schedule(fakes.services)] == ["a-broken"]


def test_where_the_app_reads_another_folder_what_it_saw_in_the_one_before_says_nothing(fakes: Fakes) -> None:
    fakes.segments.write("vip.csv", b"EMail\nada@example.com\n")
    fakes.clock.sleep(301)
    every_refresh(fakes, segments=("vip.csv",))
    assert looked(fakes) is None
    fakes.segments.write("other/vip.csv", b"EMail\neve@example.com\n")
    fakes.clock.sleep(301)
    elsewhere = fakes.services.settings.model_copy(update={"segment_prefix": "other"})
    fakes.services = replace(fakes.services, settings=elsewhere)
    assert run_schedule(fakes.services)


# At times


def at_times(fakes: Fakes, cron: str | None = "0 6 * * *", **changes: Any) -> Export:
    export = make_export(fakes, schedule=AtTimes(cron=cron), **changes)
    return save(fakes, export.model_copy(update={"seen": Seen(at=fakes.clock.now())}))


def test_at_its_time_an_export_runs_once_with_whatever_is_there(fakes: Fakes) -> None:
    at_times(fakes, "0 6 * * *")
    assert looked(fakes) is None
    fakes.clock.sleep(19 * 3_600)  # it is 11:16 at first
    run = looked(fakes)
    assert run
    assert run.tally
    assert (run.trigger, run.tally.confirmed) == (Trigger.SCHEDULED, 30)
    assert looked(fakes) is None
    fakes.clock.sleep(86_400)
    again = looked(fakes)
    assert again
    assert again.end
    assert again.end.problem
    assert again.end.problem.code == "segment_unchanged"


def test_a_time_is_not_made_up_for_by_a_person_who_was_a_little_later(fakes: Fakes) -> None:
    export = at_times(fakes, "20 * * * *", skip_unchanged=False)
    fakes.clock.sleep(200)  # 11:20:00
    run_export(fakes, export)
    run = looked(fakes)
    assert run
    assert run.trigger is Trigger.SCHEDULED


def test_times_that_nobody_looked_at_are_made_up_for_once(fakes: Fakes) -> None:
    at_times(fakes, "0 * * * *")
    fakes.clock.sleep(5 * 3_600)
    assert looked(fakes)
    assert looked(fakes) is None


def test_a_time_that_a_former_release_has_kept_is_not_made_up_for_when_this_one_is_deployed_again(fakes: Fakes) -> None:
    at_times(fakes, "0 6 * * *")
    fakes.clock.sleep(19 * 3_600)
    assert looked(fakes)
    refreshed(fakes, 31)
    # It knows of no `scheduled`, and leaves out what it does not know.
    fakes.blobs.put(paths.slot_path("newsletter"), slot_of(fakes).model_copy(update={"scheduled": None}).to_json())
    assert looked(fakes) is None
    fakes.clock.sleep(86_400)
    assert looked(fakes)


def test_a_time_that_comes_during_a_run_leaves_no_record_and_is_made_up_for(fakes: Fakes) -> None:
    export = at_times(fakes, "20 * * * *", skip_unchanged=False)
    going = start_on_demand(fakes.services, export, "ada").run
    fakes.clock.sleep(600)
    assert run_schedule(fakes.services) == []
    assert [p.split("/")[2] for p in fakes.blobs.names("records/runs/newsletter.") if p.endswith("run.json")] == [
        going.run_id
    ]
    drive(fakes, going.run_id)
    assert looked(fakes)


def test_the_schedule_of_a_former_release_is_the_apps_setting(fakes: Fakes) -> None:
    make_export(fakes, scheduled=True, updated_utc=fakes.clock.now())
    fakes.clock.sleep(14 * 3_600)  # 1:16
    assert looked(fakes) is None
    fakes.clock.sleep(3_600)
    assert looked(fakes)


# Not by itself


@pytest.mark.parametrize("case", ["none", "paused", "connection paused", "no connection", "on hold"])
def test_nothing_starts_by_itself(fakes: Fakes, case: str) -> None:
    paused = Paused(by="ada", since_utc=fakes.clock.now())
    export = every_refresh(fakes)
    changes: dict[str, dict[str, Any]] = {
        "none": {"schedule": OnDemand()},
        "paused": {"paused": paused},
        "no connection": {"connection_id": None},
        "on hold": {"updated_by_role": "contributor"},
    }
    save(fakes, export.model_copy(update=changes.get(case, {})))
    if case == "connection paused":
        make_connection(fakes, paused=paused)
    refreshed(fakes, 31)
    assert looked(fakes) is None
    save(fakes, export)
    make_connection(fakes)
    assert looked(fakes)


@pytest.mark.parametrize("who", ["export", "connection"])
def test_a_pause_that_comes_while_the_schedule_looks_is_heeded(fakes: Fakes, who: str) -> None:
    export = every_refresh(fakes)
    refreshed(fakes, 31)
    paused = Paused(by="ada", since_utc=fakes.clock.now())

    def before(operation: str, path: str) -> None:
        if path == paths.watch_path(export.id):
            fakes.blobs.before = lambda operation, path: None
            if who == "export":
                save(fakes, export.model_copy(update={"paused": paused}))
            else:
                make_connection(fakes, paused=paused)

    fakes.blobs.before = before
    assert run_schedule(fakes.services) == []


# Again after an outage


def outage(fakes: Fakes) -> None:
    fakes.activecampaign.before = lambda request: NOT_SENT


def repaired(fakes: Fakes) -> None:
    fakes.activecampaign.before = lambda request: None


def test_a_run_that_failed_for_a_cause_outside_is_tried_again_five_times_in_all(fakes: Fakes) -> None:
    every_refresh(fakes)
    refreshed(fakes, 31)
    outage(fakes)
    attempts = []
    for pause_s in (0.0, *PAUSES_S):
        fakes.clock.sleep(max(0.0, pause_s - 1))
        if pause_s:
            assert looked(fakes) is None
        fakes.clock.sleep(2)
        run = looked(fakes)
        assert run
        assert run.status is RunStatus.FAILED
        attempts.append(run.attempt)
    assert attempts == [1, 2, 3, 4, 5]
    assert len(attempts) == MOST_ATTEMPTS
    fakes.clock.sleep(30 * 86_400)
    assert looked(fakes) is None
    repaired(fakes)
    refreshed(fakes, 32)
    run = looked(fakes)
    assert run
    assert (run.attempt, run.status) == (1, RunStatus.SUCCESSFUL)


def test_an_attempt_sends_only_whom_the_last_one_left_without_an_outcome(fakes: Fakes) -> None:
    every_refresh(fakes)
    refreshed(fakes, 600)
    sent: list[object] = []

    def fails_after_one(request: Any) -> Any:
        if request.method == "POST":
            sent.append(request)
        return NOT_SENT if len(sent) > 1 and request.method == "POST" else None

    fakes.activecampaign.before = fails_after_one
    first = looked(fakes)
    assert first
    assert first.tally
    assert 0 < first.tally.confirmed < 600
    repaired(fakes)
    fakes.clock.sleep(PAUSES_S[0] + 1)
    second = looked(fakes)
    assert second
    assert second.tally
    assert (second.resumes, second.attempt) == (first.run_id, 2)
    assert second.tally.confirmed == 600
    assert second.plan
    assert second.plan.batches < 3


def test_what_cannot_be_resumed_any_more_is_sent_whole(fakes: Fakes) -> None:
    export = every_refresh(fakes)
    refreshed(fakes, 31)
    outage(fakes)
    assert looked(fakes)
    repaired(fakes)
    save(fakes, export.model_copy(update={"list_id": 2}))
    fakes.clock.sleep(PAUSES_S[0] + 1)
    run = looked(fakes)
    assert run
    assert run.tally
    assert (run.resumes, run.attempt, run.tally.confirmed) == (None, 2, 31)


def test_an_attempt_waits_for_a_refresh_that_is_being_written_and_nobody_is_told(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    at_times(fakes, "20 * * * *")
    fakes.clock.sleep(200)
    fakes.activecampaign.before = lambda request: NOT_SENT if request.method == "POST" else None
    first = looked(fakes)
    assert first
    assert (first.status, first.plan is None) == (RunStatus.FAILED, False)
    repaired(fakes)
    fakes.clock.sleep(PAUSES_S[0])
    write_segment(fakes, people(31))
    caplog.clear()
    assert looked(fakes) is None
    assert [action for _, action, _ in logged(caplog) if action == "scheduled_start_failed"] == []
    fakes.clock.sleep(301)
    run = looked(fakes)
    assert run
    assert run.tally
    assert (run.resumes, run.attempt, run.tally.confirmed) == (None, 2, 31)


def test_an_attempt_whose_segment_is_refreshed_before_it_is_planned_sends_everybody(fakes: Fakes) -> None:
    at_times(fakes, "20 * * * *")
    fakes.clock.sleep(200)
    fakes.activecampaign.before = lambda request: NOT_SENT if request.method == "POST" else None
    first = looked(fakes)
    assert first
    assert first.plan
    fakes.activecampaign.before = lambda request: None
    fakes.clock.sleep(PAUSES_S[0] + 1)
    (started,) = run_schedule(fakes.services)
    assert started.resumes == first.run_id
    write_segment(fakes, people(31, first=1_000))
    run = drive(fakes, started.run_id, limit_s=90_000, step_s=30)
    assert run.tally
    assert (run.resumes, run.attempt, run.tally.confirmed) == (None, 2, 31)


@pytest.mark.parametrize("case", ["canceled", "held", "mistake"])
def test_what_a_person_has_to_say_is_not_tried_again(fakes: Fakes, case: str) -> None:
    export = every_refresh(fakes)
    if case == "mistake":
        save(fakes, export.model_copy(update={"list_id": 99}))
    refreshed(fakes, 0 if case == "held" else 31)
    (run,) = run_schedule(fakes.services)
    if case == "canceled":
        cancel_run(fakes.services, run.run_id, "ada")
    over = drive(fakes, run.run_id)
    statuses = {"canceled": RunStatus.CANCELED, "held": RunStatus.HELD, "mistake": RunStatus.FAILED}
    assert over.status is statuses[case]
    save(fakes, export)
    for _ in range(5):
        fakes.clock.sleep(86_400)
        assert looked(fakes) is None
    refreshed(fakes, 32)
    assert looked(fakes)


def test_whoever_starts_an_export_by_hand_is_followed_up_too(fakes: Fakes) -> None:
    export = every_refresh(fakes)
    outage(fakes)
    first = drive(fakes, start_on_demand(fakes.services, export, "ada").run.run_id, limit_s=90_000, step_s=30)
    assert first.status is RunStatus.FAILED
    repaired(fakes)
    fakes.clock.sleep(PAUSES_S[0] + 1)
    run = looked(fakes)
    assert run
    assert (run.attempt, run.status) == (2, RunStatus.SUCCESSFUL)


def test_a_pause_ends_what_was_to_be_repaired(fakes: Fakes) -> None:
    export = every_refresh(fakes)
    refreshed(fakes, 31)
    outage(fakes)
    assert looked(fakes)
    repaired(fakes)
    fakes.clock.sleep(PAUSES_S[0] + 1)
    save(fakes, export.model_copy(update={"seen": schedule.seen_now(fakes.services, export)}))
    assert looked(fakes) is None


def test_a_run_for_a_few_people_changes_nothing_of_what_is_owed(fakes: Fakes) -> None:
    export = every_refresh(fakes)
    refreshed(fakes, 31)
    few = start_on_demand(fakes.services, export, "ada", only=frozenset(["p0@example.com"])).run
    drive(fakes, few.run_id)
    run = looked(fakes)
    assert run
    assert run.tally
    assert run.tally.confirmed == 31
    assert read_run(fakes, run.run_id).only is None
