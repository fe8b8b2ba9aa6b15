"""People of a run are looked up after its end: a sample of the confirmed, and why others were not taken."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from exporter.activecampaign.people import Standing
from exporter.activecampaign.wire import Answer, NotSent, Reply, Request
from exporter.definitions.exports import DataMatching, Export, FieldMatch
from exporter.pipeline import lookups
from exporter.pipeline.questions import person
from exporter.pipeline.session import Session
from exporter.pipeline.start import StartRequest, start
from exporter.pipeline.sweep import in_turn, sweep
from exporter.queries.lookup import look_up
from exporter.reasons import Reason
from exporter.records import store
from exporter.records.paths import findings_path, report_path, run_path
from exporter.records.slots import read_slot, yardstick
from exporter.runs.report import Report
from exporter.runs.run import ListSize, Run, RunStatus, Trigger
from exporter.tally.findings import Findings, Sample
from sandbox.activecampaign import CustomField
from tests.builders import (
    HOST,
    drive,
    logged,
    make_export,
    people,
    read_run,
    rejects_of,
    run_export,
    settle,
    start_on_demand,
    write_segment,
)
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


def looked_up(fakes: Fakes, count: int = 30, **changes: Any) -> Run:
    """Run an export of so many people, and look them up."""
    write_segment(fakes, people(count))
    return settle(fakes, run_export(fakes, make_export(fakes, **changes)).run_id)


def asked_for(fakes: Fakes) -> list[str]:
    """Return the addresses that were looked up."""
    return [dict(request.query)["email"] for request in fakes.activecampaign.requests if "email" in dict(request.query)]


def sample_of(run: Run) -> Sample:
    assert run.sample
    return run.sample


def reasons_of(run: Run) -> dict[str, int]:
    assert run.tally
    return run.tally.reasons


def test_twenty_of_those_who_are_confirmed_are_looked_up_and_the_report_says_what_was_found(fakes: Fakes) -> None:
    run = looked_up(fakes)
    assert run.end
    assert sample_of(run) == Sample(confirmed=30, asked=20, on_the_list=20, values_as_sent=20)
    assert len(set(asked_for(fakes))) == len(asked_for(fakes)) == 20
    assert run.tally == run.end.tally
    report = orjson.loads(fakes.blobs.stored[run_path(run.run_id, "report.json")].data)
    assert report["sample"]["asked"] == 20
    assert list(fakes.blobs.names("working/")) == []


def test_nobody_is_asked_for_before_the_end_nor_again_afterwards(fakes: Fakes) -> None:
    write_segment(fakes, people(30))
    run = run_export(fakes, make_export(fakes))
    assert asked_for(fakes) == []
    settle(fakes, run.run_id)
    count = len(fakes.activecampaign.requests)
    for _ in range(5):
        fakes.clock.sleep(60)
        sweep(fakes.services)
    assert len(fakes.activecampaign.requests) == count


def test_no_record_holds_an_address(fakes: Fakes) -> None:
    fakes.account.bounce("p3@example.com")
    run = looked_up(fakes)
    assert b'"address_not_taken"' in fakes.blobs.stored[findings_path(run.run_id)].data
    assert [p for p, s in fakes.blobs.stored.items() if p.startswith("records/") and b"@example.com" in s.data] == []


@pytest.mark.parametrize("includes", ["all", "lists", "ignored"])
def test_what_the_answer_lacks_is_asked_for(fakes: Fakes, includes: str) -> None:
    fakes.account.set_switches(includes=includes)
    fakes.account.put_field(CustomField(31, "City"))
    matching = DataMatching(email="EMail", fields=(FieldMatch(column="LastName", field="31"),))
    run = looked_up(fakes, data_matching=matching)
    assert sample_of(run) == Sample(confirmed=30, asked=20, on_the_list=20, values_as_sent=20)
    more = sum("/contacts/" in request.path for request in fakes.activecampaign.requests)
    assert more == {"all": 0, "lists": 20, "ignored": 40}[includes]


def test_when_the_filter_is_ignored_nobody_is_taken_for_somebody_else(fakes: Fakes) -> None:
    for number in range(100):  # a page of others comes first
        fakes.account.unsubscribe(f"other{number}@example.com")
    fakes.account.set_switches(contact_filters="ignored")
    run = looked_up(fakes)
    assert sample_of(run) == Sample(confirmed=30, asked=20, unknown=20)


def end_of(fakes: Fakes, count: int, **changes: Any) -> Run:
    write_segment(fakes, people(count))
    return run_export(fakes, make_export(fakes, **changes))


def test_what_has_happened_since_is_found_in_the_sample_and_changes_no_bucket(fakes: Fakes) -> None:
    run = end_of(fakes, 7)
    fakes.account.unsubscribe("p0@example.com")
    fakes.account.bounce("p1@example.com")
    fakes.account.archive("p2@example.com")
    fakes.account._state.audience.find_or_create("p2@example.com", 0)  # made again, with a new id and on no list
    fakes.account.archive("p3@example.com")
    contact = fakes.account._state.audience.find("p4@example.com")
    assert contact
    contact.first_name = "Somebody's edit"
    run = settle(fakes, run.run_id)
    assert sample_of(run) == Sample(
        confirmed=7,
        asked=7,
        on_the_list=3,
        unsubscribed=1,
        bounced=1,
        not_on_the_list=1,
        not_there=1,
        values_as_sent=4,
        values_differ=2,
    )
    assert run.end
    assert run.tally == run.end.tally


def test_a_contact_that_was_made_again_is_found_under_its_new_id(fakes: Fakes) -> None:
    write_segment(fakes, people(3))
    export = make_export(fakes, skip_unchanged=False)
    settle(fakes, run_export(fakes, export).run_id)
    fakes.account.archive("p1@example.com")
    run = settle(fakes, run_export(fakes, export).run_id)
    assert sample_of(run) == Sample(confirmed=3, asked=3, on_the_list=3, values_as_sent=3)
    contact = fakes.account.contact("p1@example.com")
    assert contact
    assert contact["id"] == 4


def test_why_somebody_was_not_taken_is_found_out_and_told_in_the_reject_report(fakes: Fakes) -> None:
    fakes.account.unsubscribe("p0@example.com")
    fakes.account._state.audience.find_or_create("p1@example.com", 0)
    fakes.account.bounce("p1@example.com")
    fakes.account._state.audience.set_status(fakes.account._state.audience.find("p1@example.com"), [1], 3)  # type: ignore[arg-type]  # found
    fakes.account.exclude("p2@example.com")
    fakes.account.bounce("p3@example.com")  # of whom there is no contact
    run = end_of(fakes, 12)
    assert reasons_of(run) == {"excluded": 1, "failed_in_import": 3}
    run = settle(fakes, run.run_id)
    assert reasons_of(run) == {"address_not_taken": 1, "bounced": 1, "excluded": 1, "unsubscribed": 1}
    told = {row["email"].partition("@")[0]: row["reason"] for row in rejects_of(fakes, run.run_id)}
    assert told == {"p0": "unsubscribed", "p1": "bounced", "p2": "excluded", "p3": "address_not_taken"}
    assert run.amended
    assert run.end
    assert run.status == run.end.status


def test_a_full_account_is_told_apart(fakes: Fakes) -> None:
    export = make_export(fakes, allow_over_contact_limit=True)
    fakes.account.set_contact_limit(25)
    write_segment(fakes, people(30))
    run = settle(fakes, run_export(fakes, export).run_id)
    assert reasons_of(run) == {"account_full": 5}
    assert sample_of(run).on_the_list == 20


def test_without_an_administrators_key_it_is_not_said_that_the_account_is_full_or_has_room(fakes: Fakes) -> None:
    fakes.account.set_key("key-1", admin=False)
    fakes.account.set_contact_limit(25)
    assert reasons_of(looked_up(fakes)) == {"failed_in_import": 5}


def test_whom_an_unanswered_exclusion_list_did_not_explain_is_explained_later(fakes: Fakes) -> None:
    fakes.account.exclude("p3@example.com")
    fakes.activecampaign.before = lambda request: NotSent("dns") if "exclusions" in request.path else None
    run = end_of(fakes, 12)
    assert reasons_of(run) == {"failed_in_import": 1}
    sweep(fakes.services)
    assert reasons_of(read_run(fakes, run.run_id)) == {"failed_in_import": 1}
    fakes.activecampaign.before = lambda request: None
    assert reasons_of(settle(fakes, run.run_id)) == {"excluded": 1}
    assert "p3@example.com" not in asked_for(fakes)


def test_the_account_has_twenty_of_a_sample_an_hour_and_no_run_waits_for_more(fakes: Fakes) -> None:
    first = looked_up(fakes, 15)
    second = looked_up(fakes, 30, id="second")
    third = looked_up(fakes, 30, id="third")
    assert [each.sample.asked if each.sample else 0 for each in (first, second, third)] == [15, 5, 0]
    fakes.clock.sleep(3_600)
    assert sample_of(looked_up(fakes, 40, id="fourth")).asked == 20


def test_those_who_were_not_taken_wait_for_an_hour_that_has_look_ups_left(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(lookups.AN_HOUR, "failed", 5)
    fakes.clock.sleep(3_600 - fakes.clock.now() % 3_600)
    for number in range(7):
        fakes.account.unsubscribe(f"p{number}@example.com")
    run = end_of(fakes, 30)
    began = fakes.clock.now()
    run = settle(fakes, run.run_id)
    assert reasons_of(run) == {"unsubscribed": 7}
    assert 3_000 < fakes.clock.now() - began < 3_900


def test_after_an_hour_and_a_half_the_rest_stays_unexplained_and_the_working_copy_goes(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(lookups.AN_HOUR, "failed", 1)
    fakes.clock.sleep(3_600 - fakes.clock.now() % 3_600)
    for number in range(7):
        fakes.account.unsubscribe(f"p{number}@example.com")
    run = settle(fakes, end_of(fakes, 30).run_id)
    assert run.end
    assert 5_400 <= fakes.clock.now() - run.end.at < 5_600
    assert reasons_of(run) == {"failed_in_import": 5, "unsubscribed": 2}


def test_one_sweep_looks_a_few_people_up(fakes: Fakes) -> None:
    for number in range(60):
        fakes.account.unsubscribe(f"p{number}@example.com")
    run = end_of(fakes, 100)
    counts = []
    while any(fakes.blobs.names("working/")):
        before, began = len(asked_for(fakes)), fakes.clock.now()
        sweep(fakes.services)
        counts.append(len(asked_for(fakes)) - before)
        assert fakes.clock.now() - began < 40
        fakes.clock.sleep(60)
    assert (max(counts), sum(counts)) == (20, 80)
    assert reasons_of(read_run(fakes, run.run_id)) == {"unsubscribed": 60}


def test_a_sweep_ends_its_look_ups_in_time_however_many_runs_are_over(fakes: Fakes) -> None:
    fakes.activecampaign.request_s = 3
    runs = []
    for number in range(3):
        for person_number in range(6):
            fakes.account.unsubscribe(f"p{person_number}@example.com")
        write_segment(fakes, people(6))
        runs.append(start_on_demand(fakes.services, make_export(fakes, id=f"e{number}"), "ada").run.run_id)
    for run_id in runs:
        drive(fakes, run_id)
    before, began = len(asked_for(fakes)), fakes.clock.now()
    sweep(fakes.services)
    assert 0 < len(asked_for(fakes)) - before < 18
    assert fakes.clock.now() - began < lookups.LOOK_UP_S + 20


def test_it_stops_when_activecampaign_wants_fewer_requests_and_goes_on_later(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    run = end_of(fakes, 30)
    left = [3]

    def throttle(request: Request) -> Reply | None:
        if "email" not in dict(request.query):
            return None
        left[0] -= 1
        return Answer(429, {"retry-after": "600"}, b"{}") if left[0] == 0 else None

    fakes.activecampaign.before = throttle
    sweep(fakes.services)
    assert len(asked_for(fakes)) == 2
    assert [fields["code"] for _, action, fields in logged(caplog) if action == "lookups_wait"] == ["throttled"]
    began = fakes.clock.now()
    run = settle(fakes, run.run_id)
    assert sample_of(run).on_the_list == 20
    assert len(asked_for(fakes)) == 20
    assert fakes.clock.now() - began >= 540


def test_a_working_copy_that_was_altered_ends_the_look_ups(fakes: Fakes, caplog: pytest.LogCaptureFixture) -> None:
    run = end_of(fakes, 30)
    (path,) = fakes.blobs.names("working/")
    fakes.blobs.put(path, fakes.blobs.stored[path].data.replace(b"First1", b"Thirs1"))
    run = settle(fakes, run.run_id)
    assert run.sample is None
    assert asked_for(fakes) == []
    assert [fields["code"] for _, action, fields in logged(caplog) if action == "lookups_ended"] == [
        "working_copy_altered"
    ]


def test_two_sweeps_at_once_find_the_same(fakes: Fakes) -> None:
    fakes.account.unsubscribe("p3@example.com")
    run = end_of(fakes, 18)
    within = False

    def another(request: Request) -> Reply | None:
        nonlocal within
        if "email" in dict(request.query) and not within:
            within = True
            sweep(fakes.services)
        return None

    fakes.activecampaign.before = another
    sweep(fakes.services)
    assert within
    run = settle(fakes, run.run_id)
    assert reasons_of(run) == {"unsubscribed": 1}
    assert sample_of(run).asked == sample_of(run).on_the_list == 17


def test_a_run_that_sent_nothing_leaves_nobody_to_look_up(fakes: Fakes) -> None:
    write_segment(fakes, people(3))
    export = make_export(fakes)
    run_id = start_on_demand(fakes.services, export, "ada").run.run_id
    fakes.account.exclude("p", "start")
    run = drive(fakes, run_id)
    assert reasons_of(run) == {"excluded": 3}
    assert list(fakes.blobs.names("working/")) == []
    assert findings_path(run_id) not in fakes.blobs.stored


def test_one_address_is_looked_up_for_whoever_asks(fakes: Fakes) -> None:
    export: Export = make_export(fakes)
    write_segment(fakes, people(3))
    run_export(fakes, export)
    session = Session(fakes.services, HOST, "key-1")
    found = person(session, "P1@example.com", 1)
    assert (found.standing, found.members["first_name"], found.fields) == (Standing.ON_THE_LIST, "First1", {})
    assert person(session, "p1@example.com", 2).standing is Standing.NOT_ON_THE_LIST
    assert person(session, "nobody@example.com", 1).standing is Standing.NOT_THERE


def test_a_contact_that_is_gone_between_two_answers_is_unknown(fakes: Fakes) -> None:
    fakes.account.set_switches(includes="ignored")
    write_segment(fakes, people(3))
    run_export(fakes, make_export(fakes))
    fakes.activecampaign.after = lambda request: fakes.account.archive("p1@example.com")
    found = person(Session(fakes.services, HOST, "key-1"), "p1@example.com", 1)
    assert (found.standing, found.fields) == (Standing.UNKNOWN, None)


def test_what_is_told_of_a_person_in_a_run_is_the_reason_that_was_found(fakes: Fakes) -> None:
    fakes.account.unsubscribe("p0@example.com")
    run = looked_up(fakes, 12)
    (row,) = look_up(fakes.services, run, "p0@example.com").rows
    assert row.reason is Reason.UNSUBSCRIBED


def over_but_for_an_import(fakes: Fakes) -> tuple[str, str]:
    """Look up a run whose first import is stuck, with five people who have left the list; return its id and that."""
    fakes.account.end_next_imports("stuck")
    for number in range(5):
        fakes.account.unsubscribe(f"p{number}@example.com")
    write_segment(fakes, people(300))
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    drive(fakes, run_id, limit_s=4 * 3_600)
    sweep_for(fakes, 300)
    assert len(asked_for(fakes)) == 20
    return run_id, next(key for key, one in fakes.account._state.imports.items() if one.outcome == "stuck")


def sweep_for(fakes: Fakes, seconds: float) -> None:
    until = fakes.clock.now() + seconds
    while fakes.clock.now() < until:
        fakes.clock.sleep(60)
        sweep(fakes.services)


def test_why_somebody_failed_in_a_late_import_is_found_out_once_and_no_other_sample_is_drawn(fakes: Fakes) -> None:
    run_id, stuck = over_but_for_an_import(fakes)
    assert sample_of(read_run(fakes, run_id)).asked == 20
    fakes.account.end_import(stuck, "completed")
    run = settle(fakes, run_id)
    assert reasons_of(run) == {"unsubscribed": 5}
    assert {row["reason"] for row in rejects_of(fakes, run_id)} == {"unsubscribed"}
    assert sorted(asked_for(fakes)[20:]) == [f"p{number}@example.com" for number in range(5)]
    assert sample_of(run).asked == 20


def test_a_late_import_does_not_reopen_what_was_given_up(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    fakes.account.unsubscribe("p299@example.com")
    monkeypatch.setitem(lookups.AN_HOUR, "failed", 0)
    run_id, stuck = over_but_for_an_import(fakes)
    sweep_for(fakes, lookups.WITHIN_S)
    monkeypatch.setitem(lookups.AN_HOUR, "failed", 600)
    fakes.account.end_import(stuck, "completed")
    assert reasons_of(settle(fakes, run_id)) == {"unsubscribed": 5, "failed_in_import": 1}


def test_people_of_a_late_import_are_waited_for_as_long_as_others(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    run_id, stuck = over_but_for_an_import(fakes)
    monkeypatch.setitem(lookups.AN_HOUR, "failed", 1)
    fakes.account.end_import(stuck, "completed")
    began = fakes.clock.now()
    run = settle(fakes, run_id)
    assert lookups.WITHIN_S < fakes.clock.now() - began < lookups.WITHIN_S + 1_200
    told = reasons_of(run)
    assert told["unsubscribed"] in (1, 2, 3)
    assert sum(told.values()) == 5
    assert run.amended


def test_the_size_of_the_list_is_told_from_before_and_after(fakes: Fakes) -> None:
    run = looked_up(fakes, 12)
    assert run.list_size == ListSize(before=0, after=12)
    run = looked_up(fakes, 15)
    assert run.list_size == ListSize(before=12, after=15)
    report = store.get(fakes.blobs, Report, report_path(run.run_id))
    assert report
    assert report.list_size == run.list_size


def test_a_size_that_nobody_tells_is_unknown_and_nothing_waits_for_it(fakes: Fakes) -> None:
    fakes.account.set_switches(contact_filters="ignored", includes="ignored")
    looked_up(fakes, 3)
    run = looked_up(fakes, 3)
    assert run.list_size is None
    fakes.activecampaign.before = lambda r: NotSent("dns") if ("status", "1") in r.query else None
    assert end_of(fakes, 5).plan is not None


# --- what a look says against a run ---


def warned(run: Run) -> dict[str, dict[str, Any]]:
    return {each.code: each.params for each in run.contradicted}


def compared_with(fakes: Fakes) -> str | None:
    success = yardstick(fakes.services, read_slot(fakes.services, "newsletter"))
    return success.run_id if success else None


def lose(fakes: Fakes, count: int) -> None:
    """Let the account be without people who were confirmed, as one that is full may skip them without a word."""
    for number in range(count):
        fakes.account.archive(f"p{number}@example.com")


def test_a_run_that_the_sample_and_the_list_contradict_is_not_successful_and_says_why(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    run = end_of(fakes, 50)
    assert run.status is RunStatus.SUCCESSFUL
    lose(fakes, 38)
    after = settle(fakes, run.run_id)
    assert (after.end, after.tally) == (run.end, run.tally)
    assert after.status is RunStatus.COMPLETED_WITH_WARNINGS
    where = {"listId": 1, "host": HOST}
    missing = sample_of(after).not_there
    assert 3 < missing < 20
    assert warned(after) == {
        "confirmed_not_on_list": {"asked": 20, "missing": missing, "notThere": missing, "confirmed": 50} | where,
        "list_smaller_than_confirmed": {"confirmed": 50, "active": 12} | where,
    }
    report = store.get(fakes.blobs, Report, report_path(run.run_id))
    assert report
    assert report.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert report.warned == after.contradicted
    assert report.warnings == tuple(each.message for each in after.contradicted)
    told = [(level, fields["status"]) for level, action, fields in logged(caplog) if action == "run_amended"]
    assert told == [("WARNING", "completedWithWarnings")]


def test_who_had_left_before_and_was_passed_over_without_a_word_is_found(fakes: Fakes) -> None:
    fakes.account.set_switches(unsubscribed="silent")
    for number in range(12):
        fakes.account.unsubscribe(f"p{number}@example.com")
    run = looked_up(fakes, 20)
    assert run.tally
    assert run.tally.confirmed == 20
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert warned(run)["confirmed_get_no_mail"]["unsubscribed"] == 12


def test_one_or_two_who_leave_right_after_the_end_say_nothing_against_a_run(fakes: Fakes) -> None:
    run = end_of(fakes, 20)
    fakes.account.unsubscribe("p0@example.com")
    fakes.account.bounce("p1@example.com")
    run = settle(fakes, run.run_id)
    assert (sample_of(run).unsubscribed, sample_of(run).bounced) == (1, 1)
    assert (run.status, run.contradicted) == (RunStatus.SUCCESSFUL, ())
    assert compared_with(fakes) == run.run_id


def test_a_run_that_is_contradicted_is_no_yardstick_and_the_one_before_is_again(fakes: Fakes) -> None:
    first = looked_up(fakes, 30)
    assert compared_with(fakes) == first.run_id
    fakes.clock.sleep(3_600)
    for _ in range(2):
        run = end_of(fakes, 40, skip_unchanged=False)
        assert compared_with(fakes) == run.run_id
        lose(fakes, 35)
        settle(fakes, run.run_id)
        assert compared_with(fakes) == first.run_id
        fakes.clock.sleep(3_600)
    last = looked_up(fakes, 40)
    assert compared_with(fakes) == last.run_id


def scheduled(fakes: Fakes, export: Export, number: int) -> Run:
    run_id = f"newsletter.20261123T100500Z.{number:032x}"
    return drive(fakes, start(fakes.services, StartRequest(export, Trigger.SCHEDULED, "schedule"), run_id).run.run_id)


def test_unchanged_segments_are_sent_again_after_a_run_that_is_contradicted(fakes: Fakes) -> None:
    write_segment(fakes, people(30))
    export = make_export(fakes)
    run_id = run_export(fakes, export).run_id
    assert scheduled(fakes, export, 1).status is RunStatus.SKIPPED
    lose(fakes, 25)
    settle(fakes, run_id)
    fakes.clock.sleep(3_600)
    again = scheduled(fakes, export, 2)
    assert again.status is RunStatus.SUCCESSFUL
    assert len(fakes.account.contacts()) == 30
    assert settle(fakes, again.run_id).status is RunStatus.SUCCESSFUL


def test_they_are_sent_again_too_though_the_run_before_it_had_brought_the_same_people(fakes: Fakes) -> None:
    first = looked_up(fakes, 30)
    fakes.clock.sleep(3_600)
    again = start_on_demand(fakes.services, make_export(fakes), "ada").run
    drive(fakes, again.run_id)
    lose(fakes, 25)
    assert settle(fakes, again.run_id).contradicted
    assert compared_with(fakes) == first.run_id
    fakes.clock.sleep(3_600)
    assert scheduled(fakes, make_export(fakes), 1).status is RunStatus.SUCCESSFUL


def test_whom_a_late_import_confirmed_was_not_yet_on_the_list_when_its_size_was_asked(fakes: Fakes) -> None:
    fakes.account.end_next_imports("stuck")
    write_segment(fakes, people(300))
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    drive(fakes, run_id, limit_s=4 * 3_600)
    sweep_for(fakes, 300)
    stuck = next(key for key, one in fakes.account._state.imports.items() if one.outcome == "stuck")
    fakes.account.end_import(stuck, "completed")
    run = settle(fakes, run_id)
    assert run.tally
    assert run.list_size
    assert (run.tally.confirmed, (run.list_size.after or 0) < 100) == (300, True)
    assert run.contradicted == ()


# --- many runs ---


def test_every_run_has_its_turn_first(fakes: Fakes) -> None:
    turns = [in_turn(["a", "b", "c"], 60.0 * minute) for minute in range(3)]
    assert [turn[0] for turn in turns] == ["a", "b", "c"]
    assert {"".join(sorted(turn)) for turn in turns} == {"abc"}
    assert in_turn([], 60.0) == []


def over_at_once(fakes: Fakes, names: str) -> dict[str, str]:
    """Bring runs of several exports to their end, with five of twelve people who had left; return their ids."""
    for number in range(5):
        fakes.account.unsubscribe(f"p{number}@example.com")
    write_segment(fakes, people(12))
    runs = {name: start_on_demand(fakes.services, make_export(fakes, id=name), "ada").run.run_id for name in names}
    for run_id in runs.values():
        drive(fakes, run_id, limit_s=50)
    assert all(read_run(fakes, run_id).end for run_id in runs.values())
    return runs


def found(fakes: Fakes, run_id: str) -> Findings:
    return store.get(fakes.blobs, Findings, findings_path(run_id)) or Findings()


def test_samples_come_before_those_who_were_not_taken(fakes: Fakes, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(lookups.AN_HOUR, "sample", 600)
    runs = over_at_once(fakes, "abc")
    fakes.activecampaign.request_s = 0.9
    sweep(fakes.services)
    asked = [sum(each.standing is not None for each in found(fakes, run_id).sample) for run_id in runs.values()]
    assert sum(asked) > 12
    assert not any(found(fakes, run_id).failed for run_id in runs.values())


def test_the_last_by_name_is_looked_up_although_the_first_take_all_the_time(
    fakes: Fakes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(lookups.AN_HOUR, "sample", 600)
    runs = over_at_once(fakes, "abz")
    monkeypatch.setattr(lookups, "LOOK_UP_S", 1.0)
    fakes.clock.sleep(180 - fakes.clock.now() % 180)
    for _ in range(3):
        sweep(fakes.services)
        fakes.clock.sleep(60 - fakes.clock.now() % 60)
    assert all(any(each.standing for each in found(fakes, run_id).sample) for run_id in runs.values())


def test_of_a_run_that_confirmed_nobody_since_the_list_is_gone_there_is_no_sample(fakes: Fakes) -> None:
    write_segment(fakes, people(30))
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id

    def delete(request: Request) -> None:
        if request.path.endswith("import/info"):
            fakes.account.delete_list(1)

    fakes.activecampaign.after = delete
    run = drive(fakes, run_id)
    assert run.gone is Reason.LIST_GONE
    run = settle(fakes, run_id)
    assert run.tally
    assert (run.tally.confirmed, run.sample, asked_for(fakes)) == (0, None, [])
    assert found(fakes, run_id).confirmed == 0
