"""Is anybody there in the end? The destination is looked at before, meanwhile and after, by all runs of an account."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from exporter.activecampaign import pacing, refusals, wire
from exporter.activecampaign.account import AccountLimits
from exporter.activecampaign.account import ContactList as ListSeen
from exporter.activecampaign.account import CustomField as CustomFieldSeen
from exporter.activecampaign.wire import Answer, Kind, NotSent, Reply, Request
from exporter.definitions.exports import DataMatching, FieldMatch
from exporter.delivery.manifest import FieldEntry
from exporter.errors import Stop, Throttled, Unavailable
from exporter.model import load
from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.destination import look, look_again, what_is_gone
from exporter.pipeline.session import Session
from exporter.pipeline.sweep import sweep
from exporter.reasons import Reason
from exporter.records.lanes import read_lanes
from exporter.records.looks import LOOK_EVERY_S, LOOKING_S, Look, Seen
from exporter.records.paths import budget_path, slot_path
from exporter.records.runs import change_run, read_manifest
from exporter.records.slots import Slot
from exporter.runs.run import Doubt, Run, RunStatus
from sandbox.activecampaign import ContactList, CustomField
from tests.builders import (
    HOST,
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
from tests.fakes import START, Fakes, make_fakes

LOOK = ("users/me", "lists", "fields", "settings/account")


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes(LANES="2")
    write_segment(fakes, people(1_500))
    return fakes


@pytest.fixture
def calls(fakes: Fakes) -> Session:
    return Session(fakes.services, HOST, "key-1")


def asked(fakes: Fakes, *paths: str) -> list[Request]:
    """Return the requests for these, such as `lists`."""
    return [r for r in fakes.activecampaign.requests if r.path.removeprefix("/api/3/") in paths]


def imports(fakes: Fakes) -> int:
    return len(asked(fakes, "import/bulk_import"))


def when_asked(fakes: Fakes, path: str, number: int, act: Callable[[], object]) -> None:
    """Do something right before the request with this number (from 1 on) to a path, such as `import/info`."""
    count = itertools.count(1)

    def before(request: Request) -> Reply | None:
        if request.path.endswith(path) and next(count) == number:
            act()
        return None

    fakes.activecampaign.before = before


def problem_of(run: Run) -> tuple[str, dict[str, Any]]:
    assert run.end
    assert run.end.problem
    return run.end.problem.code, run.end.problem.params or {}


def last_success(fakes: Fakes) -> object:
    return Slot.model_validate_json(fakes.blobs.stored[slot_path("newsletter")].data).last_success


# --- one look for all runs of an account ---


def test_what_was_seen_is_shared_for_as_long_as_the_asker_says(fakes: Fakes, calls: Session) -> None:
    seen = look(calls, START)
    other = Session(fakes.services, calls.host, "key-1")
    fakes.clock.sleep(50)
    assert look(other, fakes.clock.now() - 60).began == pytest.approx(seen.began, abs=0.001)
    assert len(asked(fakes, *LOOK)) == 4
    later = look(other, fakes.clock.now() - 10)
    assert later.began > seen.began
    assert len(asked(fakes, *LOOK)) == 8


def test_a_look_with_another_key_sees_for_itself(fakes: Fakes, calls: Session) -> None:
    look(calls, START)
    fakes.account.set_key("key-2")
    look(Session(fakes.services, calls.host, "key-2"), START)
    assert len(asked(fakes, "lists")) == 2
    records = b"".join(s.data for path, s in fakes.blobs.stored.items() if path.startswith("records/"))
    assert b"key-" not in records


def test_a_look_keeps_what_the_account_told(fakes: Fakes, calls: Session) -> None:
    fakes.account.put_field(CustomField(7, "Colour", "dropdown", ("Red", "Blue"), lists=(1,)))
    look(calls, START)
    (path,) = (path for path in fakes.blobs.stored if "/look-" in path)
    seen = Look.model_validate_json(fakes.blobs.stored[path].data).seen
    assert seen
    assert {each.id for each in seen.lists} >= {1}
    (colour,) = (each for each in seen.fields if each.id == 7)
    assert ([option.value for option in colour.options or ()], colour.lists) == (["Red", "Blue"], frozenset({1}))
    assert seen.limits
    assert seen.limits.contact_limit == 2_000_000


@pytest.mark.parametrize("limits", [None, AccountLimits(None, 7), AccountLimits(7, None)])
def test_what_a_look_does_not_tell_is_stored_as_unknown(limits: AccountLimits | None) -> None:
    unknown = CustomFieldSeen(3, "Tier", "dropdown", "TIER", options=None, lists=None)
    seen = Seen(began=START, lists=(ListSeen(1, "Main", None),), fields=(unknown,), limits=limits)
    look = Look(seen=seen, paid_until=START)
    assert load(Look, look.to_json()) == look


def test_a_key_that_is_no_administrators_serves_one_run_after_the_other(fakes: Fakes) -> None:
    fakes.account.set_key("key-1", admin=False)
    export = make_export(fakes)
    assert run_export(fakes, export).status is RunStatus.SUCCESSFUL
    assert run_export(fakes, export).status is RunStatus.SUCCESSFUL


def test_three_looks_may_follow_each_other_and_then_one_every_20_seconds(fakes: Fakes, calls: Session) -> None:
    begins = [look(calls, fakes.clock.now()).began for _ in range(6)]
    gaps = [after - before for before, after in itertools.pairwise(begins)]
    assert max(gaps[:2]) < 5
    assert all(LOOK_EVERY_S - 8 <= gap <= LOOK_EVERY_S + 3 for gap in gaps[2:])


def test_a_look_that_is_too_far_away_is_handed_back_with_the_time_until_it(fakes: Fakes, calls: Session) -> None:
    for _ in range(3):
        look(calls, fakes.clock.now())
    (path,) = (path for path in fakes.blobs.stored if "/look-" in path)
    record = Look.model_validate_json(fakes.blobs.stored[path].data)
    fakes.blobs.put(path, record.model_copy(update={"paid_until": fakes.clock.now() + 90}).to_json())
    with pytest.raises(Throttled) as caught:
        look(calls, fakes.clock.now())
    assert caught.value.retry_after_s == pytest.approx(50, abs=0.01)


def test_whoever_waits_for_a_look_of_another_takes_what_that_one_saw(fakes: Fakes, calls: Session) -> None:
    look(calls, START)
    (path,) = (path for path in fakes.blobs.stored if "/look-" in path)
    record = Look.model_validate_json(fakes.blobs.stored[path].data)
    now = fakes.clock.now()
    fakes.blobs.put(path, record.begin(now).to_json())
    assert record.seen
    seen = record.seen.model_copy(update={"began": now + 1})

    def finish(operation: str, read: str) -> None:
        if (operation, read) == ("read", path) and fakes.clock.now() > now + 5:
            fakes.blobs.before = lambda *_: None
            fakes.blobs.put(path, record.end(seen).to_json())

    fakes.blobs.before = finish
    before = len(fakes.activecampaign.requests)
    assert look(calls, now).began == pytest.approx(seen.began, abs=0.001)
    assert len(fakes.activecampaign.requests) == before


def test_a_look_that_fails_lets_the_next_one_look_at_once(fakes: Fakes, calls: Session) -> None:
    fakes.activecampaign.before = lambda request: NotSent("dns")
    with pytest.raises(Exception, match="no useful answer"):
        look(calls, START)
    fakes.activecampaign.before = lambda request: None
    began = fakes.clock.now()
    assert look(calls, START).began - began < 1


def test_a_list_that_listings_leave_out_is_asked_for_by_its_id(calls: Session) -> None:
    seen = Seen(began=START, lists=(), fields=(), limits=None)
    assert what_is_gone(calls, seen, 1, ()) is None
    gone = what_is_gone(calls, seen, 99, ())
    assert isinstance(gone, Stop)
    assert (gone.code, gone.parameters) == ("list_gone", {"listId": 99, "host": HOST})


def of_field(field_id: int, title: str = "Nickname") -> FieldEntry:
    return FieldEntry(column="FirstName", field_id=field_id, title=title, type="text")


def test_a_field_that_listings_leave_out_is_asked_for_by_its_id(fakes: Fakes, calls: Session) -> None:
    fakes.account.put_field(CustomField(3, "Nickname", "text"))
    seen = Seen(began=START, lists=(ListSeen(1, "Main"),), fields=(), limits=None)
    assert what_is_gone(calls, seen, 1, [of_field(3)]) is None
    gone = what_is_gone(calls, seen, 1, [of_field(3), of_field(99, "Gone")])
    assert isinstance(gone, Stop)
    assert (gone.code, gone.parameters) == ("field_gone", {"field": "Gone", "fieldId": 99, "host": HOST})


@pytest.mark.parametrize("answer", [b'{"field":{"id":"4"}}', b'{"fields":[]}'])
def test_an_answer_about_another_field_tells_nothing_of_the_one_asked_for(
    fakes: Fakes, calls: Session, answer: bytes
) -> None:
    seen = Seen(began=START, lists=(ListSeen(1, "Main"),), fields=(), limits=None)
    fakes.activecampaign.before = lambda request: Answer(200, {}, answer)
    with pytest.raises(Unavailable):
        what_is_gone(calls, seen, 1, [of_field(3)])


def test_fields_that_are_there_are_not_gone_although_the_listing_after_the_end_is_empty(fakes: Fakes) -> None:
    fakes.account.put_field(CustomField(3, "Nickname", "text"))
    run_id = start_on_demand(fakes.services, make_export(fakes, data_matching=with_field()), "ada").run.run_id
    deliver(fakes)
    nothing = Answer(200, {}, b'{"fields":[],"meta":{"total":"0"}}')
    fakes.activecampaign.before = lambda request: nothing if request.path == "/api/3/fields" else None
    run = drive(fakes, run_id)
    assert (run.status, run.looked and run.looked.problem) == (RunStatus.SUCCESSFUL, None)


# --- before the end ---


def test_a_run_looks_again_after_its_last_confirmation(fakes: Fakes) -> None:
    run = run_export(fakes, make_export(fakes))
    assert run.status is RunStatus.SUCCESSFUL
    infos = [n for n, r in enumerate(fakes.activecampaign.requests) if r.path.endswith("import/info")]
    looks = [n for n, r in enumerate(fakes.activecampaign.requests) if r.path == "/api/3/lists"]
    assert looks[-1] > infos[-1]
    assert len(looks) == 2
    assert run.looked
    assert run.looked.problem is None


@pytest.mark.parametrize("reading", ["ignore", "failure", "refuse"])
@pytest.mark.parametrize("at", [1, 3, 6])
def test_a_list_that_is_deleted_in_mid_run_is_the_problem_and_nobody_counts_as_confirmed(
    fakes: Fakes, reading: str, at: int
) -> None:
    fakes.account.set_switches(unknown_list=reading)
    when_asked(fakes, "import/info", at, lambda: fakes.account.delete_list(1))
    run = run_export(fakes, make_export(fakes))
    assert (run.status, problem_of(run)) == (RunStatus.FAILED, ("list_gone", {"listId": 1, "host": HOST}))
    assert run.tally
    assert run.tally.confirmed == 0
    assert run.tally.adds_up
    assert len(rejects_of(fakes, run.run_id)) == 1_500
    assert last_success(fakes) is None


@pytest.mark.parametrize("reading", ["failure", "refuse"])
def test_a_list_that_is_deleted_early_stops_the_run_within_a_minute(fakes: Fakes, reading: str) -> None:
    write_segment(fakes, people(60_000))
    fakes.account.set_switches(unknown_list=reading)
    deleted: list[float] = []

    def delete() -> None:
        deleted.append(fakes.clock.now())
        fakes.account.delete_list(1)

    when_asked(fakes, "bulk_import", 20, delete)
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    run = drive(fakes, run_id)
    assert problem_of(run)[0] == "list_gone"
    last = max(r.at for r in fakes.account.requests() if r.path.endswith("bulk_import"))
    assert last - deleted[0] <= 60


def answer_when_gone(fakes: Fakes, path: str, reply: Answer, at: int) -> list[float]:
    """Delete the list at the import with this number; from then on, answer requests to a path. Return when (filled)."""
    deleted: list[float] = []
    count = itertools.count(1)

    def before(request: Request) -> Reply | None:
        if request.path.endswith("bulk_import") and next(count) == at:
            deleted.append(fakes.clock.now())
            fakes.account.delete_list(1)
        return reply if deleted and request.path.endswith(path) else None

    fakes.activecampaign.before = before
    return deleted


@pytest.mark.parametrize("people_sent", [5, 1_500])
def test_imports_that_fail_since_the_list_is_gone_are_not_sent_again(fakes: Fakes, people_sent: int) -> None:
    write_segment(fakes, people(people_sent))
    requests = -(-people_sent // 250)
    answer_when_gone(fakes, "import/info", Answer(200, {}, b'{"status":"failed"}'), at=(requests + 1) // 2)
    run = run_export(fakes, make_export(fakes))
    assert problem_of(run)[0] == "list_gone"
    assert imports(fakes) <= requests


def test_requests_that_are_refused_as_a_whole_since_the_list_is_gone_stop_the_run_by_that_name(fakes: Fakes) -> None:
    write_segment(fakes, people(20_000))
    refused = Answer(400, {}, b'{"success":0,"message":"Not queued.","failureReasons":["Invalid list"]}')
    deleted = answer_when_gone(fakes, "bulk_import", refused, at=10)
    run = drive(fakes, start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id)
    assert problem_of(run)[0] == "list_gone"
    assert fakes.clock.now() - deleted[0] <= 60


def test_few_who_are_all_refused_since_the_list_is_gone_are_told_so(fakes: Fakes) -> None:
    write_segment(fakes, people(5))
    fakes.account.set_switches(unknown_list="refuse")
    when_asked(fakes, "bulk_import", 1, lambda: fakes.account.delete_list(1))
    run = run_export(fakes, make_export(fakes))
    assert problem_of(run)[0] == "list_gone"
    assert run.tally
    assert run.tally.reasons == {"refused_by_activecampaign": 5}


def with_field() -> DataMatching:
    return DataMatching(email="EMail", fields=(FieldMatch(column="FirstName", field="3"),))


@pytest.mark.parametrize("reading", ["ignore", "failure", "refuse"])
def test_a_field_that_is_deleted_in_mid_run_is_the_problem_by_its_name(fakes: Fakes, reading: str) -> None:
    fakes.account.put_field(CustomField(3, "Nickname", "text"))
    fakes.account.set_switches(unknown_field=reading)
    when_asked(fakes, "import/info", 2, lambda: fakes.account.delete_field(3))
    run = run_export(fakes, make_export(fakes, data_matching=with_field()))
    assert problem_of(run) == ("field_gone", {"field": "Nickname", "fieldId": 3, "host": HOST})
    assert run.status is RunStatus.FAILED
    assert run.tally
    assert (run.tally.confirmed, run.tally.adds_up) == (0, True)


def test_a_look_of_somebody_who_was_suspended_says_nothing_of_a_run_that_others_have_ended(fakes: Fakes) -> None:
    fakes.account.put_field(CustomField(3, "Nickname", "text"))
    run = run_export(fakes, make_export(fakes, data_matching=with_field()))
    manifest = read_manifest(fakes.services, run.run_id)
    assert manifest
    fakes.account.delete_field(3)
    for path in list(fakes.blobs.names(f"records/accounts/{HOST}/look-")):
        fakes.blobs.delete(path)
    fakes.clock.sleep(60)
    lanes = [*read_lanes(fakes.services, run).values()]
    before_the_end = run.model_copy(update={"end": None})
    assert look_again(fakes.services, before_the_end, lanes, manifest.fields).gone is None
    assert look_again(fakes.services, run, lanes, manifest.fields).gone is Reason.FIELD_GONE


def test_another_list_that_is_deleted_is_no_problem(fakes: Fakes) -> None:
    fakes.account.put_list(ContactList(2, "Other"))
    when_asked(fakes, "import/info", 2, lambda: fakes.account.delete_list(2))
    assert run_export(fakes, make_export(fakes)).status is RunStatus.SUCCESSFUL


def test_a_full_account_stops_a_run_whose_imports_fail(fakes: Fakes) -> None:
    write_segment(fakes, people(30_000))

    def fill() -> None:
        fakes.account.set_contact_limit(1)

    when_asked(fakes, "bulk_import", 10, fill)
    run = drive(fakes, start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id)
    assert problem_of(run)[0] == "account_full"
    assert imports(fakes) < 60
    assert run.tally
    assert run.tally.confirmed > 0


def test_where_most_people_have_left_a_run_looks_now_and_then_and_goes_on(fakes: Fakes) -> None:
    write_segment(fakes, people(15_000))
    for number in range(15_000):
        if number % 5:
            fakes.account.unsubscribe(f"p{number}@example.com")
    began = fakes.clock.now()
    run = run_export(fakes, make_export(fakes))
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert run.tally
    assert run.tally.confirmed == 3_000
    assert len(asked(fakes, "lists")) <= 2 + (fakes.clock.now() - began) / 30


def test_a_run_that_nobody_can_look_at_waits_for_the_look(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    down = len(asked(fakes, "lists"))
    fakes.activecampaign.before = lambda r: NotSent("dns") if r.path in ("/api/3/lists", "/api/3/users/me") else None
    run = drive(fakes, run_id, limit_s=600)
    assert run.end is None
    fakes.activecampaign.before = lambda request: None
    run = drive(fakes, run_id)
    assert run.status is RunStatus.SUCCESSFUL
    assert len(asked(fakes, "lists")) > down


def test_a_run_that_nobody_can_look_at_for_too_long_ends_without(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    fakes.activecampaign.before = lambda r: NotSent("dns") if r.path in ("/api/3/lists", "/api/3/users/me") else None
    run = drive(fakes, run_id, limit_s=8 * 3_600)
    assert run.end
    assert run.looked is None
    assert (run.status, problem_of(run)[0]) == (RunStatus.COMPLETED_WITH_WARNINGS, "destination_not_seen")


def test_a_late_import_is_not_confirmed_on_a_list_that_is_gone(fakes: Fakes) -> None:
    fakes.account.end_next_imports("stuck", 1)
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    run = drive(fakes, run_id, limit_s=4 * 3_600)
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    (stuck,) = (each for each in fakes.account._state.imports.values() if each.outcome == "stuck")
    fakes.account.delete_list(1)
    fakes.account.end_import(stuck.id, "completed")
    for _ in range(3):
        fakes.clock.sleep(900)
        sweep(fakes.services)
    run = read_run(fakes, run_id)
    assert run.tally
    assert (run.tally.confirmed, run.tally.reasons) == (0, {"list_gone": 1_500})


# --- refused for a cause that all share ---


def refuse_all(fakes: Fakes, *, named: Callable[[int], list[int]]) -> None:
    """Let ActiveCampaign refuse every import, and name positions by the number of contacts."""

    def before(request: Request) -> Reply | None:
        if not request.path.endswith("bulk_import"):
            return None
        count = len(orjson.loads(request.body or b"")["contacts"])
        reasons = [{"contact": n, "failureReason": "Field 'x' is wrong"} for n in named(count)]
        return Answer(400, {}, orjson.dumps({"success": 0, "message": "no", "failureReasons": reasons}))

    fakes.activecampaign.before = before


@pytest.mark.parametrize("named", [lambda count: list(range(1, count + 1)), lambda count: [1]], ids=["all", "one"])
def test_a_refusal_of_everybody_stops_the_run_within_a_minute(fakes: Fakes, named: Callable[[int], list[int]]) -> None:
    write_segment(fakes, people(20_000))
    refuse_all(fakes, named=named)
    run = run_export(fakes, make_export(fakes))
    where = {"host": HOST, "listId": 1}
    assert (run.status, problem_of(run)) == (RunStatus.FAILED, ("contacts_refused", {"faults": "field"} | where))
    assert run.end
    assert run.end.problem
    assert "most of" not in run.end.problem.message  # one of them may have been named
    sent = [r.at for r in fakes.account.requests()] + [fakes.clock.now()]
    assert sent[-1] - START < 120
    singles = [r for r in asked(fakes, "import/bulk_import") if r.kind is wire.Kind.SINGLE]
    assert len(singles) <= 3 + 9
    assert run.tally
    assert run.tally.adds_up
    assert run.tally.reasons["refused_by_activecampaign"] >= 3


def test_the_other_lanes_wait_for_the_verdict_of_the_one_that_doubts(fakes: Fakes) -> None:
    write_segment(fakes, people(20_000))
    refuse_all(fakes, named=lambda count: list(range(1, count + 1)))
    run = run_export(fakes, make_export(fakes))
    assert run.doubt
    singles = [r for r in asked(fakes, "import/bulk_import") if r.kind is wire.Kind.SINGLE]
    assert len(singles) <= 6


def test_refusals_in_a_row_raise_a_doubt_also_where_they_name_few(fakes: Fakes) -> None:
    refuse_all(fakes, named=lambda count: [1])
    run = run_export(fakes, make_export(fakes))
    assert run.doubt
    assert problem_of(run)[0] == "contacts_refused"
    first = [r for r in asked(fakes, "import/bulk_import") if r.kind is wire.Kind.BULK]
    assert len(first) <= 1 + refusals.HINTS + 1


def test_lanes_do_not_wait_for_ever_for_a_lane_whose_worker_died_in_doubt(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)  # planned
    doubt = Doubt(lane=0, at=fakes.clock.now())
    change_run(fakes.services, run_id, lambda r: r.then(doubt=doubt))
    began = fakes.clock.now()
    run = drive(fakes, run_id)
    assert run.status is RunStatus.SUCCESSFUL
    assert fakes.clock.now() - began < 300


def test_a_canceled_run_ends_even_if_nobody_can_look(fakes: Fakes) -> None:
    write_segment(fakes, people(15_000))
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    fakes.activecampaign.before = lambda r: NotSent("dns") if r.path in ("/api/3/lists", "/api/3/users/me") else None

    def before(operation: str, path: str) -> None:
        if path.endswith("1.jsonl"):
            fakes.blobs.before = lambda *_: None
            cancel_run(fakes.services, run_id, "ada")

    fakes.blobs.before = before
    run = drive(fakes, run_id, limit_s=900)
    assert run.status is RunStatus.CANCELED


def test_names_of_good_contacts_delay_nobody_for_long(fakes: Fakes) -> None:
    once = iter([True])

    def before(request: Request) -> Reply | None:
        if request.path.endswith("bulk_import") and next(once, False):
            count = len(orjson.loads(request.body or b"")["contacts"])
            reasons = [{"contact": n, "failureReason": "Field 'x' is wrong"} for n in range(1, count + 1)]
            return Answer(400, {}, orjson.dumps({"success": 0, "failureReasons": reasons}))
        return None

    fakes.activecampaign.before = before
    run = run_export(fakes, make_export(fakes))
    assert run.status is RunStatus.SUCCESSFUL
    assert run.doubt
    assert run.doubt.cleared


# --- however slowly requests go ---


@pytest.mark.parametrize("rate", [6, 12, 24, 96])
@pytest.mark.parametrize("others", [0, 1])
def test_a_look_is_done_at_once_however_slow_the_pace_is_and_however_often_requests_were_refused(
    rate: int, others: int
) -> None:
    """It waits in place for its four turns: with one that is too far away, each look would begin anew and none end."""
    fakes = make_fakes(BULK_REQUESTS_PER_MINUTE=str(rate))
    lane, looker = (Session(fakes.services, HOST, "key-1") for _ in range(2))
    refused = pacing.Budget(resume_at=START - 60, spread=pacing.MAX_SPREAD, calm_s=pacing.MAX_CALM_S)
    fakes.blobs.put(budget_path(HOST), refused.to_json())
    lane.call(wire.bulk_import(b"{}", 250))

    def also(request: Request) -> None:
        for _ in range(others):
            lane._take_turn(Kind.GENERAL)

    fakes.activecampaign.after = also
    began = fakes.clock.now()
    assert look(looker, began).lists
    assert fakes.clock.now() - began < LOOKING_S
