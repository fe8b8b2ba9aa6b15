"""What GET shows of an export and of a connection can be edited and sent back with PUT."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from exporter.api.connections import ConnectionBody, ConnectionView
from exporter.api.exports import ExportView
from exporter.definitions.exports import ExportDefinition
from tests.api.client import CONNECTION, EXPORT, Answer, Api, signed_in, with_function_key
from tests.builders import drive, people, write_segment

HISTORY = {"version", "updatedBy", "updatedUtc"}
"""Members that a change of any kind changes."""

texts = st.text(st.characters(codec="utf-8", exclude_categories=["Cc", "Cf", "Cs", "Z"]), min_size=1, max_size=20)
columns = st.sampled_from(["CustomerId", "FirstName", "LastName", "Telephone"])
fields = st.lists(
    st.fixed_dictionaries(
        {"column": columns, "field": st.sampled_from(["6", "CITY"])},
        optional={
            "dateOrder": st.sampled_from([None, "dmy", "mdy"]),
            "decimalMark": st.sampled_from([None, ".", ","]),
            "separator": st.sampled_from([";", "|", ", ", "json"]),
            "yes": st.lists(texts, max_size=3),
            "onBadValue": st.sampled_from(["leaveOut", "rejectRow"]),
            "whenEmpty": st.none() | st.fixed_dictionaries({"text": texts}) | st.just({"clear": True}),
        },
    ),
    max_size=3,
)
definitions = st.fixed_dictionaries(
    {
        "displayName": texts,
        "listId": st.integers(1, 2**31 - 1),
        "segments": st.lists(texts, min_size=1, max_size=3, unique=True),
        "dataMatching": st.fixed_dictionaries(
            {"email": texts},
            optional={
                "firstName": columns,
                "lastName": columns,
                "phone": columns,
                "fields": fields,
                "timeZone": st.sampled_from(["UTC", "Asia/Jakarta"]),
                "noValueTexts": st.booleans(),
            },
        ),
    },
    optional={
        "connectionId": st.sampled_from([None, "main"]),
        "schedule": st.sampled_from([{"kind": "none"}, {"kind": "withEveryRefresh"}])
        | st.fixed_dictionaries(
            {"kind": st.just("cron")},
            optional={"cron": st.sampled_from(["0 6 * * 1-5"]), "timeZone": st.sampled_from(["Asia/Jakarta"])},
        ),
        "runAutomations": st.booleans(),
        "consentColumn": st.fixed_dictionaries({"column": columns, "value": texts}),
        "maxContacts": st.integers(1, 1_000_000),
        "allowOverContactLimit": st.booleans(),
        "guards": st.fixed_dictionaries(
            {},
            optional={
                "mayBeEmpty": st.booleans(),
                "sizeFactor": st.none() | st.floats(1, 1_000_000),
                "maxRejectShare": st.floats(0, 1),
            },
        ),
        "skipUnchanged": st.booleans(),
    },
)
connections = st.fixed_dictionaries(
    {"displayName": texts, "host": st.sampled_from(["acme.api-us1.com", "https://ACME.api-us1.com/"])},
    optional={"usableBy": st.sampled_from(["administrators", "contributors"])},
)
once = settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.fixture
def api() -> Api:
    api = with_function_key()
    write_segment(api.fakes, people(3))
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    return api


def put_back(api: Api, path: str, changes: dict[str, Any] | None = None, **options: Any) -> Answer:
    """Read, change and save."""
    shown = api.get(path)
    return api.put(path, shown.json | (changes or {}), headers={"If-Match": shown.headers["ETag"]}, **options)


def lasting(shown: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in shown.items() if name not in HISTORY}


def read_only(view: Any, definition: Any) -> list[str]:
    return [str(f.alias) for name, f in view.model_fields.items() if name not in definition.model_fields]


@pytest.mark.parametrize("role", ["Admin", "Contributor"])
@given(definition=definitions)
@once
def test_any_export_that_is_put_back_as_shown_stays_as_it_is(role: str, definition: dict[str, Any]) -> None:
    admin = signed_in("Admin")
    admin.put("/connections/main", CONNECTION | {"usableBy": "contributors"})
    api = admin.as_user(role)
    ahead = {"query": {"validate": "false"}}
    assert api.put("/exports/any", definition, **ahead).status == 201
    before = api.get("/exports/any").json
    saved = put_back(api, "/exports/any", **ahead)
    assert saved.status == 200, saved.json
    assert lasting(saved.json) == lasting(before)
    assert lasting(api.get("/exports/any").json) == lasting(before)


@given(body=connections, key=st.sampled_from([{"secretName": "activecampaign-main"}, {"apiKey": "key-1"}]))
@once
def test_any_connection_that_is_put_back_as_shown_stays_as_it_is(body: dict[str, Any], key: dict[str, str]) -> None:
    api = signed_in("Admin")
    api.fakes.secrets.set("activecampaign-main", "key-1")
    assert api.put("/connections/any", {"consent": True} | body | key).status == 201
    before = api.get("/connections/any").json
    api.fakes.clock.sleep(60)
    saved = put_back(api, "/connections/any")
    assert saved.status == 200, saved.json
    assert lasting(saved.json) == lasting(before)
    assert lasting(api.get("/connections/any").json) == lasting(before)


def test_an_edited_export_keeps_all_that_was_not_edited(api: Api) -> None:
    matching = {**EXPORT["dataMatching"], "fields": [{"column": "LastName", "field": "6"}]}  # type: ignore[dict-item]
    saved = put_back(api, "/exports/newsletter", {"dataMatching": matching})
    defaults = {"separator": ";", "yes": [], "onBadValue": "leaveOut"}
    assert saved.json["dataMatching"] == {
        "timeZone": "UTC",
        "noValueTexts": True,
        "fillEmpty": False,
        **matching,
        "fields": [one | defaults for one in matching["fields"]],
    }
    assert (saved.json["schedule"], saved.json["state"]) == ({"kind": "none"}, "inactive")


def test_the_newest_run_may_move_on_between_reading_and_saving(api: Api) -> None:
    shown = api.get("/exports/newsletter")
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    started = api.get("/exports/newsletter").json
    drive(api.fakes, run_id)
    for body in (shown.json, started):
        seen = api.get("/exports/newsletter").headers["ETag"]
        history = {name: api.get("/exports/newsletter").json[name] for name in HISTORY}
        assert api.put("/exports/newsletter", body | history, headers={"If-Match": seen}).status == 200
    assert api.get("/exports/newsletter").json["lastRun"]["runId"] == run_id


OTHER: dict[str, Any] = {
    "id": "other",
    "paused": {"by": "mallory", "sinceUtc": "2026-11-23T16:05:00.000Z"},
    "type": "Elsewhere",
    "accountName": "Elsewhere",
    "version": 7,
    "createdBy": "mallory",
    "createdUtc": "2026-11-23T16:05:00.000Z",
    "updatedBy": "mallory",
    "updatedUtc": "2026-11-23T16:05:00.000Z",
}


@pytest.mark.parametrize(
    ("path", "member"),
    [
        *(
            ("/exports/newsletter", m)
            for m in read_only(ExportView, ExportDefinition)
            if m not in {"lastRun", "lastSuccess", "warnings", "state", "nextRunUtc", "notNow"}
        ),
        *(("/connections/main", m) for m in read_only(ConnectionView, ConnectionBody) if m != "warnings"),
    ],
)
def test_a_read_only_member_that_was_edited_is_refused_by_name_and_nothing_is_saved(
    api: Api, path: str, member: str
) -> None:
    before = api.get(path).json
    refused = put_back(api, path, {member: OTHER[member], "displayName": "Edited"})
    assert (refused.status, refused.code) == (422, "invalid_body")
    assert [problem.partition(":")[0] for problem in refused.json["members"]] == [member]
    assert api.get(path).json == before


@pytest.mark.parametrize("path", ["/exports/newsletter", "/connections/main"])
def test_read_only_members_are_held_against_what_is_there_and_not_only_against_the_etag(api: Api, path: str) -> None:
    seen = api.get(path).json
    put_back(api, path, {"displayName": "Another's"})
    refused = api.put(path, seen, headers={"If-Match": "*"})
    assert "version: read-only: send it exactly as GET returned it, or omit it" in refused.json["members"]


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"stat": "active"}, "stat: unknown, did you mean state?"),
        ({"lastRun": {"status": "running"}}, "lastRun.runId: is required"),
        ({"createdUtc": 5}, "createdUtc: a time must be a text such as"),
        ({"createdUtc": {}}, "createdUtc: a time must be a text such as"),
        ({"createdUtc": "yesterday"}, "createdUtc: "),
        ({"version": "1"}, "version: Input should be a valid integer"),
    ],
)
def test_a_read_only_member_that_no_answer_shows_so_is_refused(api: Api, changes: dict[str, Any], told: str) -> None:
    refused = put_back(api, "/exports/newsletter", changes)
    assert (refused.status, refused.code) == (422, "invalid_body")
    assert told in refused.json["detail"]


def test_what_was_shown_once_restores_an_export_that_was_removed_but_under_no_other_id(api: Api) -> None:
    kept = api.get("/exports/newsletter").json
    api.delete("/exports/newsletter")
    assert api.put("/exports/second", kept).json["members"] == [
        "id: read-only: send it exactly as GET returned it, or omit it"
    ]
    restored = api.put("/exports/newsletter", kept)
    assert (restored.status, restored.json["version"], restored.json["state"]) == (201, 1, "inactive")


def test_read_only_members_are_for_put_alone(api: Api) -> None:
    refused = api.post("/exports/newsletter/duplicate", {"id": "second", "state": "inactive"})
    assert refused.json["members"] == ["state: unknown"]


def test_a_key_is_replaced_in_what_is_shown(api: Api) -> None:
    api.fakes.account.set_key("key-2")
    saved = put_back(api, "/connections/main", {"apiKey": "key-2"})
    assert saved.status == 200
    assert api.fakes.secrets.values[saved.json["secretName"]] == "key-2"


def test_with_another_host_what_is_shown_neither_names_a_key_nor_consents(api: Api) -> None:
    other = {"host": "other.api-us1.com"}
    assert put_back(api, "/connections/main", other).code == "consent_missing"
    assert put_back(api, "/connections/main", other | {"consent": True}).code == "api_key_missing"
    moved = put_back(api, "/connections/main", other | {"consent": True, "apiKey": "key-1"})
    assert moved.status == 200
    assert moved.json["secretName"] in api.fakes.secrets.values


@pytest.mark.parametrize(
    "consent",
    [
        {"agreedBy": "mallory", "agreedUtc": "2026-11-23T16:05:00.000Z"},
        {"agreedBy": "", "agreedUtc": "9999-12-31T23:59:59-23:59"},
    ],
)
def test_a_consent_that_is_not_the_stored_one_is_none(api: Api, consent: dict[str, str]) -> None:
    assert put_back(api, "/connections/main", {"consent": consent}).code == "consent_missing"
    assert api.put("/connections/new", CONNECTION | {"consent": consent}).code == "consent_missing"


@pytest.mark.parametrize(
    ("consent", "told"),
    [
        ("yes", ["consent: Input should be a valid boolean", "consent: Input should be an object"]),
        ({"agredBy": "ada", "agreedUtc": "2026-11-23T16:05:00.000Z"}, ["consent.agreedBy: is required"]),
        ({"agreedBy": "ada", "agreedUtc": 1, "by": 1}, ["consent.by: unknown"]),
    ],
)
def test_a_consent_of_no_shape_is_refused_by_its_name(api: Api, consent: object, told: list[str]) -> None:
    refused = put_back(api, "/connections/main", {"consent": consent})
    assert (refused.status, refused.code) == (422, "invalid_body")
    assert all(any(member.startswith(each) for member in refused.json["members"]) for each in told)
