"""How often contacts of a failed import are handed over again, and how often late imports are asked for."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from exporter.activecampaign.wire import Answer, Reply, Request
from exporter.delivery.ledger import BulkImport, ImportStatus
from exporter.delivery.manifest import Manifest
from exporter.delivery.plan import Plan
from exporter.pipeline.confirm import Inquiry
from exporter.pipeline.session import Session
from exporter.pipeline.sweep import sweep
from exporter.reasons import Reason
from tests.builders import HOST, drive, make_export, people, rejects_of, run_export, start_on_demand, write_segment
from tests.fakes import START, Fakes, make_fakes

NOTHING = Manifest(
    payload="working/x",
    rejects="rejects/x",
    fingerprint="f",
    refreshed_utc=START,
    sources=(),
    envelope=("", "", ""),
    batches=(),
    plan=Plan(rows_read=0, contacts=0, duplicates=0, rejected_by_reason={}, batches=0, lanes=0, at=START),
)


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


def answer_to(fakes: Fakes, status: object, one: BulkImport) -> dict[str, object]:
    """Ask for an import that has this status; return the event that is recorded."""

    def info(request: Request) -> Reply | None:
        return Answer(200, {"content-type": "application/json"}, orjson.dumps({"status": status}))

    fakes.activecampaign.before = info
    event = Inquiry(fakes.services, Session(fakes.services, HOST, "key-1"), NOTHING, 1).ask(one)
    assert isinstance(event, dict)
    return event


def an_import(failed_imports: int, status: ImportStatus = ImportStatus.ACCEPTED) -> BulkImport:
    return BulkImport("1", 0, range(3), failed_imports, accepted_at=START, asked_at=START, status=status)


@pytest.mark.parametrize("status", ["failed", "interrupted"])
@pytest.mark.parametrize(
    ("failed_before", "event"), [(0, "importFailed"), (1, "importFailed"), (2, "importFailed"), (3, "gaveUp")]
)
def test_the_fourth_failed_import_of_the_same_contacts_is_the_last_one(
    fakes: Fakes, status: str, failed_before: int, event: str
) -> None:
    found = answer_to(fakes, status, an_import(failed_before))
    assert (found["event"], found.get("reason")) == (event, Reason.IMPORT_FAILED if event == "gaveUp" else None)


def test_an_import_that_was_given_up_is_never_handed_over_again(fakes: Fakes) -> None:
    found = answer_to(fakes, "failed", an_import(0, ImportStatus.GIVEN_UP))
    assert (found["event"], found["reason"]) == ("gaveUp", Reason.IMPORT_FAILED)


@pytest.mark.parametrize("status", [False, None, "waiting", "claimed", "active", "what nobody knows"])
def test_what_is_no_final_status_is_asked_for_again(fakes: Fakes, status: object) -> None:
    assert answer_to(fakes, status, an_import(2))["event"] == "asked"


def ended_with_late_imports(fakes: Fakes, count: int) -> None:
    write_segment(fakes, people(250 * count))
    fakes.account.end_next_imports("stuck", count)
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    assert drive(fakes, run_id, limit_s=4 * 3_600).end


def questions(fakes: Fakes) -> int:
    return sum("import/info" in request.path for request in fakes.activecampaign.requests)


def test_a_late_import_is_asked_for_every_quarter_of_an_hour(fakes: Fakes) -> None:
    fakes.activecampaign.request_s = 0
    ended_with_late_imports(fakes, 1)
    fakes.clock.sleep(2_000)
    asked = questions(fakes)
    sweep(fakes.services)
    assert questions(fakes) == asked + 1
    last = fakes.account.requests()[-1].at
    fakes.clock.sleep(last + 899.875 - fakes.clock.now())
    sweep(fakes.services)
    assert questions(fakes) == asked + 1
    fakes.clock.sleep(last + 900 - fakes.clock.now())
    sweep(fakes.services)
    assert questions(fakes) == asked + 2


def test_a_sweep_asks_for_twenty_late_imports_and_the_next_one_for_the_rest(fakes: Fakes) -> None:
    ended_with_late_imports(fakes, 21)
    fakes.clock.sleep(2_000)
    asked = questions(fakes)
    sweep(fakes.services)
    assert questions(fakes) - asked == 20
    sweep(fakes.services)
    assert questions(fakes) - asked == 21


# --- an import of which ActiveCampaign left out somebody -------------------------------------------------------------


def told(fakes: Fakes, count: int = 12, **changes: Any) -> dict[str, str]:
    """Run an export; return the reasons of those who are not confirmed, by the name in the address."""
    write_segment(fakes, people(count))
    run = run_export(fakes, make_export(fakes, **changes))
    assert run.end
    assert run.end.tally.adds_up
    return {row["email"].partition("@")[0]: row["reason"] for row in rejects_of(fakes, run.run_id)}


def listings(fakes: Fakes) -> list[tuple[str, str]]:
    """Return which pages of whom were asked for: status, and after which contact."""
    asked = [dict(request.query) for request in fakes.activecampaign.requests]
    return [(each["status"], each["id_greater"]) for each in asked if "id_greater" in each]


@pytest.mark.parametrize("excluded", ["failure", "queued", "silent"])
def test_excluded_people_are_named_whether_they_are_queued_or_told_as_failures_or_neither(
    fakes: Fakes, excluded: str
) -> None:
    fakes.account.set_switches(excluded=excluded)
    fakes.account.exclude("p3@example.com")
    fakes.account.exclude("p1", "start")
    assert told(fakes) == {"p1": "excluded", "p10": "excluded", "p11": "excluded", "p3": "excluded"}
    assert listings(fakes) == []


def test_people_who_left_the_list_and_were_not_queued_are_named_by_a_look_at_the_list(fakes: Fakes) -> None:
    fakes.account.set_switches(unsubscribed="not_queued")
    fakes.account.unsubscribe("p3@example.com")
    fakes.account.unsubscribe("P5@example.com")
    fakes.account.unsubscribe("p7@example.com", 2)  # another list
    fakes.account.exclude("p9@example.com")
    assert told(fakes) == {"p3": "unsubscribed", "p5": "unsubscribed", "p9": "excluded"}


def test_a_failure_that_the_list_explains_is_explained(fakes: Fakes) -> None:
    fakes.account.set_switches(unsubscribed="not_queued")
    fakes.account.unsubscribe("p3@example.com")
    fakes.account._state.audience.find_or_create("p4@example.com", 0)
    fakes.account._state.audience.set_status(fakes.account._state.audience.find_or_create("p4@example.com", 0), [1], 1)
    fakes.account.bounce("p4@example.com")
    assert told(fakes) == {"p3": "unsubscribed", "p4": "bounced"}


def left_out(fakes: Fakes, number: int) -> None:
    """Let ActiveCampaign say that it has queued fewer contacts than it has."""

    def fewer(request: Request) -> Reply | None:
        if not request.path.endswith("bulk_import"):
            return None
        fakes.activecampaign.before = lambda request: None
        reply = fakes.activecampaign.call(HOST, "key-1", request)
        fakes.activecampaign.before = fewer
        assert isinstance(reply, Answer)
        body = orjson.loads(reply.body)
        return Answer(200, {}, orjson.dumps(body | {"queued_contacts": body["queued_contacts"] - number}))

    fakes.activecampaign.before = fewer


def test_if_somebody_is_still_unnamed_nobody_of_the_request_is_confirmed(fakes: Fakes) -> None:
    left_out(fakes, 2)
    fakes.account.unsubscribe("p3@example.com")
    assert told(fakes) == {f"p{number}": "queued_fewer" for number in range(12)}


def test_an_exclusion_from_another_list_stands_in_for_nobody(fakes: Fakes) -> None:
    left_out(fakes, 1)
    fewer = fakes.activecampaign.before
    entry = {"matchPhrase": "p3@example.com", "matchType": "exact", "lists": ["2"]}
    page = Answer(200, {}, orjson.dumps({"exclusions": [entry], "meta": {"total": 1}}))

    def before(request: Request) -> Reply | None:
        return page if "exclusions" in request.path else fewer(request)

    fakes.activecampaign.before = before
    assert set(told(fakes).values()) == {"queued_fewer"}


def test_as_many_named_as_missing_is_enough(fakes: Fakes) -> None:
    left_out(fakes, 1)
    fakes.account.unsubscribe("p3@example.com")
    assert told(fakes) == {"p3": "unsubscribed"}


@pytest.mark.parametrize("switches", [{"contact_filters": "ignored"}, {"includes": "ignored"}])
def test_a_list_that_does_not_say_whom_it_is_about_names_nobody(fakes: Fakes, switches: dict[str, str]) -> None:
    fakes.account.set_switches(unsubscribed="not_queued", **switches)
    fakes.account.unsubscribe("p3@example.com")
    assert set(told(fakes).values()) == {"queued_fewer"}
    assert len(listings(fakes)) == 1


def test_a_throttled_look_at_the_exclusion_list_is_repeated(fakes: Fakes) -> None:
    fakes.account.set_switches(excluded="silent")
    fakes.account.exclude("p3@example.com")
    left = [2]

    def throttle(request: Request) -> Reply | None:
        if "exclusions" not in request.path or not left[0]:
            return None
        left[0] -= 1
        return Answer(429, {"retry-after": "2"}, b"{}")

    fakes.activecampaign.before = throttle
    assert told(fakes) == {"p3": "excluded"}
    assert left == [0]
    assert listings(fakes) == []


def test_an_exclusion_list_that_never_answers_is_not_waited_for_for_ever(fakes: Fakes) -> None:
    fakes.account.set_switches(excluded="silent")
    fakes.account.exclude("p3@example.com")
    fakes.activecampaign.before = lambda request: Answer(500, {}, b"{}") if "exclusions" in request.path else None
    began = fakes.clock.now()
    assert set(told(fakes).values()) == {"queued_fewer"}
    assert fakes.clock.now() - began < 900


GARBLED = Answer(200, {}, b'{"contacts": [{"id')


@pytest.mark.parametrize(("times", "named"), [(3, True), (1_000, False)])
def test_a_garbled_answer_about_the_list_is_asked_for_again_and_not_for_ever(
    fakes: Fakes, times: int, *, named: bool
) -> None:
    fakes.account.set_switches(unsubscribed="not_queued")
    fakes.account.unsubscribe("p3@example.com")
    left = iter([GARBLED] * times)
    fakes.activecampaign.before = lambda r: next(left, None) if ("status", "2") in r.query else None
    found = told(fakes)
    assert found == ({"p3": "unsubscribed"} if named else dict.fromkeys(found, "queued_fewer"))
    assert len(found) == (1 if named else 12)
