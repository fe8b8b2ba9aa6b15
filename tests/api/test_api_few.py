"""Try an export with a few people: who they are, what became of them, and what ActiveCampaign has of them then."""

from __future__ import annotations

import logging
from typing import Any

import orjson
import pytest

from exporter.activecampaign.wire import NotSent
from exporter.api.few import NOT_OVER, NOT_PLANNED
from exporter.api.lookup import OF_A_FEW
from exporter.errors import Unavailable
from exporter.pipeline.finish import FEW_ARE_SHOWN_S
from exporter.pipeline.sweep import sweep
from exporter.queries import few, reading
from tests.api.client import CONNECTION, EXPORT, Answer, Api, signed_in, with_function_key
from tests.builders import COLUMNS, deliver, drive, people, settle, write_segment

MATCHING = {
    "email": "EMail",
    "firstName": "FirstName",
    "phone": "Telephone",
    "fields": [{"column": "City", "field": "%CITY%"}, {"column": "Tier", "field": "%LOYALTY_TIER%"}],
}
RUNS = "/exports/newsletter/runs"
HOUR = 3_600.0


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    return prepared(with_function_key(), monkeypatch)


def prepared(api: Api, monkeypatch: pytest.MonkeyPatch) -> Api:
    """Let an export be there, and workers that take messages while a caller waits for the end of a run."""
    rows = [(*person, "Paris", "Gold" if n else "Tin") for n, person in enumerate(people(30))]
    write_segment(api.fakes, [*rows, ("bad", "Bad", "", "no-at-sign", "", "", "")], (*COLUMNS, "City", "Tier"))
    api.put("/connections/main", CONNECTION)
    assert api.put("/exports/newsletter", EXPORT | {"dataMatching": MATCHING}).status == 201
    sleep, at_work = api.fakes.clock.sleep, False

    def sleep_beside_workers(seconds: float) -> None:
        nonlocal at_work
        sleep(seconds)
        if seconds == few.POLL_S and not at_work:
            at_work = True
            while deliver(api.fakes):
                pass
            at_work = False

    monkeypatch.setattr(api.fakes.clock, "sleep", sleep_beside_workers)
    return api


def idle(api: Api) -> None:
    """Let no message arrive any more."""
    api.fakes.messages.down = True


def try_with(api: Api, *addresses: str, **headers: str) -> Answer:
    return api.post(RUNS, {"only": addresses}, headers=headers)


def shown(answer: Answer) -> list[Any]:
    assert answer.status == 200, answer.json
    people: list[Any] = answer.json["people"]
    return people


def test_each_is_shown_as_activecampaign_has_them_in_the_order_asked(api: Api) -> None:
    answer = try_with(api, "P7@example.com", "stranger@example.com", "p0@example.com", "no-at-sign")
    first, stranger, unfit, bad = shown(answer)
    assert first == {
        "email": "P7@example.com",
        "bucket": "confirmed",
        "activeCampaign": {
            "standing": "onTheList",
            "firstName": "First7",
            "lastName": "",
            "phone": "+49 30 7",
            "fields": [
                {"fieldId": 6, "title": "City", "value": "Paris"},
                {"fieldId": 3, "title": "Loyalty tier", "value": "Gold"},
            ],
        },
    }
    assert stranger == {"email": "stranger@example.com", "bucket": "notInSegment"}
    assert [field["value"] for field in unfit["activeCampaign"]["fields"]] == ["Paris", ""]
    assert (bad["bucket"], bad["reason"], bad["activeCampaign"]["standing"]) == (
        "rejected",
        "invalid_email_no_at",
        "notThere",
    )
    assert (answer.json["status"], answer.json["only"], answer.json["outcome"]) == (
        "completedWithWarnings",
        4,
        "started",
    )
    assert (answer.json["tally"]["rowsRead"], answer.json["tally"]["confirmed"]) == (3, 2)
    assert answer.headers["Location"] == f"/api/runs/{answer.json['runId']}"
    assert "note" not in answer.json


def test_who_has_left_the_list_is_shown_so(api: Api) -> None:
    drive(api.fakes, api.post(RUNS).json["runId"])
    api.fakes.account.unsubscribe("p7@example.com", 1)
    ((one),) = shown(try_with(api, "p7@example.com"))
    assert one["activeCampaign"]["standing"] == "unsubscribed"


def test_what_activecampaign_does_not_answer_is_unknown(api: Api) -> None:
    api.fakes.activecampaign.before = lambda request: (
        NotSent("no_connection") if "email" in dict(request.query) else None
    )
    for one in shown(try_with(api, "p7@example.com", "p8@example.com")):
        assert one["bucket"] == "confirmed"
        assert one["activeCampaign"] == {"standing": "unknown"}


def test_when_look_ups_take_too_long_the_rest_are_unknown(api: Api) -> None:
    api.fakes.activecampaign.request_s = 25.0
    standings = [
        one["activeCampaign"]["standing"] for one in shown(try_with(api, *(f"p{n}@example.com" for n in range(9))))
    ]
    assert (standings[0], standings[-1]) == ("onTheList", "unknown")


def test_activecampaign_is_not_asked_about_who_is_not_in_the_segment(api: Api) -> None:
    shown(try_with(api, "p7@example.com", "stranger@example.com"))
    asked = [dict(r.query)["email"] for r in api.fakes.activecampaign.requests if "email" in dict(r.query)]
    assert asked == ["p7@example.com"]


def test_a_run_that_takes_long_goes_on_and_the_answer_says_how(api: Api) -> None:
    idle(api)
    answer = try_with(api, "p7@example.com", **{"Idempotency-Key": "k"})
    assert (answer.status, answer.json["status"], answer.json["note"]) == (202, "queued", NOT_OVER)
    assert "people" not in answer.json
    assert answer.headers["Retry-After"]
    api.fakes.messages.down = False
    drive(api.fakes, answer.json["runId"])
    again = try_with(api, "p7@example.com", **{"Idempotency-Key": "k"})
    assert (again.json["runId"], again.json["outcome"]) == (answer.json["runId"], "known")
    assert shown(again)[0]["activeCampaign"]["standing"] == "onTheList"


def test_for_some_minutes_the_same_request_gets_the_same_answer(api: Api) -> None:
    first = shown(try_with(api, "p7@example.com", **{"Idempotency-Key": "k"}))
    for _ in range(5):
        api.fakes.clock.sleep(60)
        sweep(api.fakes.services)
    assert shown(try_with(api, "p7@example.com", **{"Idempotency-Key": "k"})) == first


def test_the_wait_has_an_end_and_does_not_end_where_storage_fails_for_a_moment(api: Api) -> None:
    times = iter(range(100))

    def down(operation: str, path: str) -> None:
        if path.endswith("run.json") and operation == "read" and next(times) == 2:
            raise Unavailable.of("storage_contention", times=1)

    before = api.fakes.clock.now()
    idle(api)
    api.fakes.blobs.before = down
    assert try_with(api, "p7@example.com").status == 202
    assert api.fakes.clock.now() - before == pytest.approx(few.WAIT_S, abs=5)


def test_while_too_many_wait_the_answer_comes_at_once(api: Api) -> None:
    with reading.one_who_waits_if_free(), reading.one_who_waits_if_free():
        before = api.fakes.clock.now()
        assert try_with(api, "p7@example.com").status == 202
        assert api.fakes.clock.now() - before < few.POLL_S


def test_if_none_is_in_the_segment_the_run_says_so(api: Api) -> None:
    answer = try_with(api, "stranger@example.com")
    assert (answer.status, answer.json["status"], answer.json["note"]) == (200, "failed", NOT_PLANNED)
    assert answer.json["problem"]["code"] == "few_not_found"
    assert "people" not in answer.json


def test_it_is_refused_while_a_run_is_going_and_nobody_joins_it(api: Api) -> None:
    idle(api)
    full = api.post(RUNS).json["runId"]
    refused = try_with(api, "p7@example.com")
    assert (refused.status, refused.code) == (409, "run_is_going")
    assert full in refused.json["detail"]
    api.post(f"/runs/{full}/cancel")
    api.fakes.messages.down = False
    drive(api.fakes, full)
    idle(api)
    assert try_with(api, "p7@example.com").status == 202
    refused = api.post(RUNS)
    assert (refused.status, refused.code) == (409, "few_are_tried")
    (item,) = api.post("/runs").json["value"] or [{"problem": {"code": "few_are_tried"}}]
    assert item["problem"]["code"] == "few_are_tried"


def test_the_same_key_with_other_people_is_refused(api: Api) -> None:
    key = {"Idempotency-Key": "k"}
    run_id = try_with(api, "p7@example.com", "p8@example.com", **key).json["runId"]
    assert try_with(api, "P8@example.com", "p7@example.com", **key).json["runId"] == run_id
    assert try_with(api, "p7@example.com", **key).code == "idempotency_key_reused"
    assert api.post(RUNS, headers=key).code == "idempotency_key_reused"


@pytest.mark.parametrize("body", [None, {}, {"only": None}])
def test_without_people_everybody_is_sent(api: Api, body: object) -> None:
    started = api.post(RUNS, body)
    assert (started.status, started.json["outcome"]) == (202, "started")
    assert "only" not in started.json
    assert drive(api.fakes, started.json["runId"]).tally.confirmed == 30  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("only", "says"),
    [
        ([], "only: "),
        ([f"p{n}@example.com" for n in range(21)], "at most 20 items"),
        (["canary@example.com", "CANARY@example.com "], "more than once"),
        ([" "], "only"),
        (["\u200b"], "e-mail address"),
        (["canary@" + "x" * 320], "at most 320 characters"),
        ("canary@example.com", "only"),
        ([{"email": "canary"}], "only"),
    ],
)
def test_other_bodies_are_refused_and_not_repeated(api: Api, only: object, says: str) -> None:
    refused = api.post(RUNS, {"only": only})
    assert (refused.status, refused.code) == (422, "invalid_body")
    assert says in refused.json["detail"]
    assert "canary" not in refused.response.body.decode().lower()


def test_it_is_not_resumed_and_is_no_last_run(api: Api) -> None:
    answer = try_with(api, "p7@example.com")
    refused = api.post(f"/runs/{answer.json['runId']}/resume")
    assert (refused.status, refused.code) == (409, "not_resumable")
    assert "few people" in refused.json["detail"]
    assert "lastRun" not in api.get("/exports/newsletter").json
    full = api.post(RUNS).json["runId"]
    api.post(f"/runs/{full}/cancel")
    drive(api.fakes, full)
    assert shown(try_with(api, "p7@example.com"))
    assert api.get("/exports/newsletter").json["lastRun"]["runId"] == full
    assert api.post(f"/runs/{full}/resume").code != "newer_run"


def test_a_lookup_in_it_tells_until_its_copy_is_gone_and_then_what_it_can(api: Api) -> None:
    run_id = try_with(api, "p7@example.com", "no-at-sign").json["runId"]

    def look_up(email: str) -> Any:
        return api.post(f"/runs/{run_id}/lookup", {"email": email}).json

    assert look_up("p7@example.com")["rows"][0]["bucket"] == "confirmed"
    assert look_up("p8@example.com")["complete"] is True
    api.fakes.clock.sleep(FEW_ARE_SHOWN_S)
    settle(api.fakes, run_id)
    assert look_up("no-at-sign")["rows"][0]["bucket"] == "rejected"
    found = look_up("p7@example.com")
    assert (found["rows"], found["complete"], found["note"]) == ([], False, OF_A_FEW)


def test_the_addresses_are_in_no_record_no_log_and_no_audit_entry(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api = prepared(signed_in("Admin"), monkeypatch)
    key = {"Idempotency-Key": "k"}
    run_id = shown_run(try_with(api, "p7@example.com", "stranger@example.com", "no-at-sign", **key))
    try_with(api, "p7@example.com", "p7@EXAMPLE.com")
    try_with(api, "p7@example.com", **key)
    settle(api.fakes, run_id)
    kept = {path: one.data for path, one in api.fakes.blobs.stored.items() if not path.startswith("rejects/")}
    for secret in (b"p7@", b"stranger", b"no-at-sign", b"P7@"):
        assert [path for path, data in kept.items() if secret in data] == []
        assert secret.decode() not in caplog.text
    entries = [data for path, data in kept.items() if path.startswith("audit/")]
    asked = [[orjson.loads(line) for line in data.splitlines()] for data in entries]
    done = [(done["status"], done.get("location")) for ask, done in asked if ask["action"] == "startRun"]
    assert (200, f"/api/runs/{run_id}") in done


def shown_run(answer: Answer) -> str:
    shown(answer)
    run_id: str = answer.json["runId"]
    return run_id
