"""Erase what the segment does not have any more: only once a run for a few people has shown that it works."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from exporter.activecampaign.wire import Answer, Request
from exporter.records.slots import cleared_at, read_slot
from sandbox.activecampaign.contacts import Contact
from tests.api.client import EXPORT, Api, with_function_key
from tests.api.test_api_few import RUNS, prepared, shown, try_with
from tests.builders import COLUMNS, HOST, drive, people, settle, write_segment

CITY = {"column": "City", "field": "%CITY%", "whenEmpty": {"clear": True}}
CLEARING = EXPORT | {"dataMatching": {"email": "EMail", "fields": [CITY]}}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    """Everybody has a city in ActiveCampaign; now the segment has none for p1, p3, and so on."""
    api = prepared(with_function_key(), monkeypatch)
    assert run(api)["status"] == "completedWithWarnings"
    write_segment(api.fakes, [(*row, "" if n % 2 else "Lyon") for n, row in enumerate(people(30))], (*COLUMNS, "City"))
    etag = api.get("/exports/newsletter").headers["ETag"]
    assert api.put("/exports/newsletter", CLEARING, headers={"If-Match": etag}).status == 200
    return api


def run(api: Api) -> Any:
    run_id = api.post(RUNS).json["runId"]
    drive(api.fakes, run_id)
    return api.get(f"/runs/{run_id}").json


def city_of(api: Api, number: int) -> str | None:
    contact = api.fakes.account.contact(f"p{number}@example.com")
    assert contact
    city: str | None = contact["fields"].get("6")
    return city


def test_a_run_for_everybody_erases_nothing_before_it_was_tried(api: Api) -> None:
    preview = api.post("/exports/newsletter/preview").json
    (problem,) = (each for each in preview["problems"] if each["code"] == "clear_not_tried")
    assert problem["stopsRun"]
    assert (problem["params"]["column"], problem["params"]["field"]) == ("City", "City")
    ended = run(api)
    assert (ended["status"], ended["problem"]["code"]) == ("failed", "clear_not_tried")
    assert city_of(api, 1) == "Paris"


def test_once_a_few_were_read_back_empty_everybody_without_a_value_is_erased(api: Api) -> None:
    answer = try_with(api, "p1@example.com", "p2@example.com")
    assert [one["activeCampaign"]["fields"][0]["value"] for one in shown(answer)] == ["", "Lyon"]
    assert answer.json["cleared"] == ["City"]
    assert city_of(api, 3) == "Paris"
    assert not api.post("/exports/newsletter/preview").json["problems"]
    assert run(api)["status"] == "successful"
    assert [city_of(api, number) for number in (1, 2, 3)] == [None, "Lyon", None]
    assert cleared_at(read_slot(api.fakes.services, "newsletter"), HOST) == (6,)
    assert cleared_at(read_slot(api.fakes.services, "newsletter"), "other.api-us1.com") == ()


def test_where_an_empty_text_erases_nothing_it_is_never_sent_to_everybody(api: Api) -> None:
    api.fakes.account.set_switches(empty_text="keep")
    answer = try_with(api, "p1@example.com", "p2@example.com")
    assert shown(answer)[0]["activeCampaign"]["fields"][0]["value"] == "Paris"
    assert "cleared" not in answer.json
    assert run(api)["problem"]["code"] == "clear_not_tried"


def test_people_who_have_a_value_in_the_segment_show_nothing(api: Api) -> None:
    assert "cleared" not in try_with(api, "p2@example.com").json
    assert run(api)["problem"]["code"] == "clear_not_tried"


def test_one_who_keeps_a_value_speaks_against_all_who_lost_theirs(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    set_fields = Contact.set_fields

    def but_one(contact: Contact, values: Mapping[int, str]) -> None:
        set_fields(contact, {} if contact.email == "p3@example.com" else values)

    monkeypatch.setattr(Contact, "set_fields", but_one)
    assert "cleared" not in try_with(api, "p1@example.com", "p3@example.com").json


def test_what_is_known_of_an_account_is_not_asked_again_after_other_runs(api: Api) -> None:
    try_with(api, "p1@example.com")
    assert run(api)["status"] == "successful"
    assert run(api)["status"] == "successful"
    assert cleared_at(read_slot(api.fakes.services, "newsletter"), HOST) == (6,)


def test_who_had_no_value_before_shows_nothing(api: Api) -> None:
    write_segment(api.fakes, [(*row, "") for row in people(40)], (*COLUMNS, "City"))
    answer = try_with(api, "p35@example.com")
    assert shown(answer)[0]["activeCampaign"]["fields"][0]["value"] == ""
    assert "cleared" not in answer.json
    assert try_with(api, "p35@example.com", "p1@example.com").json["cleared"] == ["City"]


@pytest.mark.parametrize("when", ["before", "after"])
def test_whose_values_are_not_told_before_or_after_shows_nothing(api: Api, when: str) -> None:
    sent = False

    def refuse(request: Request) -> Answer | None:
        nonlocal sent
        sent = sent or request.method == "POST"
        return Answer(403, {}, b"{}") if "email" in dict(request.query) and sent is (when == "after") else None

    api.fakes.activecampaign.before = refuse
    assert "cleared" not in try_with(api, "p1@example.com").json
    assert sent
    api.fakes.activecampaign.before = lambda request: None
    assert run(api)["problem"]["code"] == "clear_not_tried"


def test_only_those_who_are_sent_an_empty_text_are_asked_about_beforehand(api: Api) -> None:
    asked = len(about_one(api))
    try_with(api, "p1@example.com", "p2@example.com")
    assert about_one(api)[asked:] == ["p1@example.com", "p1@example.com", "p2@example.com"]


def test_who_asks_again_when_the_copy_is_gone_is_answered_without_it(api: Api) -> None:
    key = {"Idempotency-Key": "k"}
    first = try_with(api, "p1@example.com", "no-at-sign", **key)
    assert first.json["cleared"] == ["City"]
    settle(api.fakes, first.json["runId"])
    again = try_with(api, "p1@example.com", "no-at-sign", **key)
    assert [one["bucket"] for one in shown(again)] == ["unknown", "unknown"]
    assert "cleared" not in again.json


def about_one(api: Api) -> list[str]:
    return [dict(r.query)["email"] for r in api.fakes.activecampaign.requests if "email" in dict(r.query)]
