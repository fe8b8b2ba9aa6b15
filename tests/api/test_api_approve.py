"""Approve: what holds a run is said to be intended, exactly that, once, and for the people and the list that it was."""

from __future__ import annotations

from typing import Any

import orjson
import pytest

from exporter.records import audit
from tests.api.client import CONNECTION, EXPORT, Answer, Api, signed_in, with_function_key
from tests.builders import drive, people, tomorrow, write_segment

BAD = [("b", "Bad", "", "nobody", "")]
ANY = {"If-Match": "*"}


@pytest.fixture
def api() -> Api:
    return prepared(with_function_key())


def prepared(api: Api) -> Api:
    """Let an export have sent 200 people, and its segment be one of ten by now."""
    write_segment(api.fakes, people(200))
    api.put("/connections/main", CONNECTION | {"usableBy": "contributors"})
    api.put("/exports/newsletter", EXPORT)
    assert run(api)["status"] == "successful"
    write_segment(api.fakes, people(10))
    return api


def run(api: Api, path: str = "/exports/newsletter/runs", body: object = None) -> Any:
    """Start a run, drive it to its end and return it."""
    started = api.post(path, body)
    assert (started.status, started.json["outcome"]) == (202, "started")
    return driven(api, started)


def driven(api: Api, started: Answer) -> Any:
    drive(api.fakes, started.json["runId"])
    return api.get(f"/runs/{started.json['runId']}").json


def held(api: Api) -> Any:
    shown = run(api)
    assert shown["status"] == "held"
    return shown


def approve(api: Api, shown: Any, **headers: str) -> Answer:
    """Send back what holds a run, as it was shown."""
    return api.post(f"/runs/{shown['runId']}/approve", shown["held"], headers=headers)


def confirmed(api: Api) -> int:
    return sum(request.path.endswith("bulk_import") for request in api.fakes.activecampaign.requests)


def test_a_held_run_says_what_holds_it_and_an_approval_of_it_starts_a_run(api: Api) -> None:
    requests = confirmed(api)
    shown = held(api)
    assert confirmed(api) == requests
    assert shown["problem"]["code"] == "size_changed"
    assert shown["held"]["causes"] == [{"code": "size_changed", "numbers": {"rowsRead": 10, "lastRowsRead": 200}}]
    assert "rejectsUrl" not in shown
    started = approve(api, shown)
    assert (started.status, started.json["outcome"]) == (202, "started")
    assert started.headers["Location"] == f"/api/runs/{started.json['runId']}"
    assert started.json["runId"] != shown["runId"]
    after = driven(api, started)
    assert (after["status"], after["trigger"], after["tally"]["confirmed"]) == ("successful", "onDemand", 10)
    assert after["approved"] == shown["held"] | {"runId": shown["runId"]}
    assert "held" not in after
    assert api.get(f"/runs/{shown['runId']}").json == shown, "what ended stays as it ended"


def test_an_approved_run_is_compared_with_by_the_next_one(api: Api) -> None:
    driven(api, approve(api, held(api)))
    assert run(api)["status"] == "successful"


def test_an_approval_counts_for_the_newest_refresh_within_what_was_approved(api: Api) -> None:
    shown = held(api)
    write_segment(api.fakes, people(12))
    assert driven(api, approve(api, shown))["tally"]["confirmed"] == 12


def test_what_goes_further_than_was_approved_is_held_anew(api: Api) -> None:
    write_segment(api.fakes, people(15))
    shown = held(api)
    write_segment(api.fakes, people(1))
    again = driven(api, approve(api, shown))
    assert (again["status"], again["held"]["causes"][0]["numbers"]["rowsRead"]) == ("held", 1)
    assert driven(api, approve(api, again))["status"] == "successful"


def test_what_holds_a_run_beside_is_held_anew(api: Api) -> None:
    shown = held(api)
    write_segment(api.fakes, [*people(10), *BAD * 30])
    again = driven(api, approve(api, shown))
    assert [cause["code"] for cause in again["held"]["causes"]] == ["too_many_rows_rejected"]


def test_all_that_holds_a_run_is_approved_at_once(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT | {"guards": {"sizeFactor": 4}}, headers=ANY)
    write_segment(api.fakes, [*people(10), *BAD * 30])
    shown = held(api)
    assert [cause["code"] for cause in shown["held"]["causes"]] == ["too_many_rows_rejected", "size_changed"]
    assert driven(api, approve(api, shown))["tally"]["confirmed"] == 10


def test_an_empty_segment_may_be_intended(api: Api) -> None:
    write_segment(api.fakes, [])
    shown = held(api)
    assert shown["held"]["causes"] == [{"code": "segment_empty", "numbers": {"rowsRead": 0}}]
    assert driven(api, approve(api, shown))["status"] == "successful"


@pytest.mark.parametrize(
    "change",
    [
        {"causes": [{"code": "size_changed", "numbers": {"rowsRead": 11, "lastRowsRead": 200}}]},
        {"causes": [{"code": "size_changed", "numbers": {"rowsRead": 10}}]},
        {"causes": [{"code": "segment_empty", "numbers": {"rowsRead": 10, "lastRowsRead": 200}}]},
        {"membership": "0" * 64},
    ],
)
def test_nothing_else_than_what_holds_the_run_is_approved(api: Api, change: dict[str, object]) -> None:
    shown = held(api)
    refused = api.post(f"/runs/{shown['runId']}/approve", shown["held"] | change)
    assert (refused.status, refused.code) == (409, "approval_differs")
    assert '"rowsRead":10,"lastRowsRead":200' in refused.json["detail"]
    assert shown["held"]["membership"] in refused.json["detail"]
    assert approve(api, shown).status == 202, "what was refused changes nothing"


@pytest.mark.parametrize(
    "body",
    [None, {}, {"causes": [], "membership": "0" * 64}, {"causes": [{"code": "x", "numbers": {}}], "membership": "x"}],
)
def test_an_approval_without_a_word_is_none(api: Api, body: object) -> None:
    refused = api.post(f"/runs/{held(api)['runId']}/approve", body)
    assert refused.code in ("invalid_body", "wrong_content_type")


def test_a_run_that_is_not_held_has_nothing_to_approve(api: Api) -> None:
    shown = held(api)
    going = approve(api, shown).json["runId"]
    for _ in range(2):
        refused = api.post(f"/runs/{going}/approve", shown["held"])
        assert (refused.status, refused.code) == (409, "run_not_held")
        drive(api.fakes, going)


def test_a_run_is_approved_once(api: Api) -> None:
    shown = held(api)
    first = approve(api, shown)
    again = approve(api, shown)
    assert (again.status, again.code) == (409, "run_is_going")
    assert first.json["runId"] in again.json["detail"]
    drive(api.fakes, first.json["runId"])
    again = approve(api, shown)
    assert (again.status, again.code) == (409, "newer_run")


def test_an_approval_does_not_join_a_run_that_is_going(api: Api) -> None:
    shown = held(api)
    going = api.post("/exports/newsletter/runs").json["runId"]
    refused = approve(api, shown, **{"Idempotency-Key": "yes"})
    assert (refused.status, refused.code) == (409, "run_is_going")
    assert going in refused.json["detail"]
    drive(api.fakes, going)
    assert approve(api, shown, **{"Idempotency-Key": "yes"}).code == "newer_run", "the key has no run of its own"
    assert len(api.get("/exports/newsletter/runs").json["value"]) == 3


def test_of_several_held_runs_the_newest_is_approved(api: Api) -> None:
    first, second = held(api), held(api)
    refused = approve(api, first)
    assert (refused.status, refused.code) == (409, "newer_run")
    assert second["runId"] in refused.json["detail"]
    assert approve(api, second).status == 202


def test_a_repeated_approval_with_the_same_key_is_the_same_run_even_when_it_is_over(api: Api) -> None:
    shown, key = held(api), {"Idempotency-Key": "yes"}
    first = approve(api, shown, **key)
    assert approve(api, shown, **key).json["outcome"] == "known"
    drive(api.fakes, first.json["runId"])
    again = approve(api, shown, **key)
    assert (again.status, again.json["runId"], again.json["outcome"]) == (202, first.json["runId"], "known")
    assert api.post("/exports/newsletter/runs", headers=key).code == "idempotency_key_reused"


@pytest.mark.parametrize(
    "change",
    [{"listId": 2}, {"segments": ["people", "more"]}, {"consentColumn": {"column": "FirstName", "value": "First1"}}],
)
def test_an_export_of_other_people_or_to_another_list_is_not_approved(api: Api, change: dict[str, object]) -> None:
    shown = held(api)
    save = {"headers": ANY, "query": {"validate": "false"}}
    api.put("/exports/newsletter", EXPORT | change, **save)
    refused = approve(api, shown)
    assert (refused.status, refused.code) == (409, "membership_changed")
    api.put("/exports/newsletter", EXPORT, **save)
    assert approve(api, shown).status == 202, "it is what it was"


def test_a_connection_that_leads_to_another_account_by_now_is_not_approved(api: Api) -> None:
    shown = held(api)
    api.put("/connections/main", CONNECTION | {"host": "other.api-us1.com"}, headers=ANY)
    assert approve(api, shown).code == "membership_changed"


def test_what_is_not_of_membership_may_change(api: Api) -> None:
    shown = held(api)
    api.put("/exports/newsletter", EXPORT | {"displayName": "News", "dataMatching": {"email": "EMail"}}, headers=ANY)
    assert driven(api, approve(api, shown))["status"] == "successful"


def test_an_approved_run_needs_room_as_every_other(api: Api) -> None:
    shown = held(api)
    api.put("/exports/newsletter", EXPORT | {"maxContacts": 9}, headers=ANY)
    after = driven(api, approve(api, shown))
    assert (after["status"], after["problem"]["code"]) == ("failed", "too_many_contacts")


def test_a_scheduled_run_is_held_as_well_and_frees_the_slot(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT | {"schedule": {"kind": "cron"}}, headers=ANY)
    (started,) = tomorrow(api.fakes)
    assert drive(api.fakes, started.run_id).status == "held"
    shown = api.get(f"/runs/{started.run_id}").json
    assert api.get("/exports/newsletter").json["notNow"]["code"] == "waits_approval"
    assert (shown["trigger"], api.get("/exports/newsletter").json["lastRun"]["status"]) == ("scheduled", "held")
    assert driven(api, approve(api, shown))["status"] == "successful"


def test_a_contributor_approves_on_a_shared_connection_and_it_is_recorded() -> None:
    admin = prepared(signed_in("Admin"))
    shown = held(admin)
    contributor = admin.as_user("Contributor")
    assert approve(admin.as_user("Viewer"), shown).code == "role_missing"
    admin.put("/connections/main", CONNECTION, headers=ANY)
    assert approve(contributor, shown).code == "connection_not_shared"
    admin.put("/connections/main", CONNECTION | {"usableBy": "contributors"}, headers=ANY)
    started = approve(contributor, shown)
    path = [*admin.fakes.blobs.names(audit.PREFIX)][-1]
    asked, done = map(orjson.loads, admin.fakes.blobs.stored[path].data.splitlines())
    assert (asked["action"], asked["resource"]) == ("approveRun", f"/runs/{shown['runId']}/approve")
    assert (done["status"], done["location"]) == (202, f"/api/runs/{started.json['runId']}")
