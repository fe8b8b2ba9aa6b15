"""Exports: saved only when they make sense; saving runs nothing."""

from __future__ import annotations

from typing import Any

import pytest

from tests.api.client import CONNECTION, EXPORT, Api, signed_in, with_function_key
from tests.builders import drive, people, write_segment


@pytest.fixture
def api() -> Api:
    api = with_function_key()
    write_segment(api.fakes, people(30))
    api.put("/connections/main", CONNECTION)
    return api


def test_an_export_is_saved_and_shown_and_nothing_runs(api: Api) -> None:
    saved = api.put("/exports/newsletter", EXPORT)
    assert saved.status == 201
    assert saved.json["state"] == "inactive"
    assert saved.json["maxContacts"] == 1_000_000
    assert api.get("/exports/newsletter").json == saved.json
    assert api.get("/exports").json == {"value": [saved.json]}
    assert api.fakes.messages.queues == {}
    assert api.get("/exports/newsletter/runs").json == {"value": []}


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"listId": 99}, "list_not_found"),
        ({"listId": 3}, "list_not_email"),
        ({"segments": ["peeple"]}, "segment_not_found"),
        ({"segments": ["people", "nobody"]}, "segment_not_found"),
        ({"dataMatching": {"email": "Mail"}}, "email_column_missing"),
        ({"dataMatching": {"email": "EMail", "phone": "Fax"}}, "column_missing"),
        ({"dataMatching": {"email": "EMail", "fields": [{"column": "LastName", "field": "NOPE"}]}}, "field_not_found"),
        (
            {
                "dataMatching": {
                    "email": "EMail",
                    "fields": [{"column": "LastName", "field": "6"}, {"column": "FirstName", "field": "%CITY%"}],
                }
            },
            "field_mapped_twice",
        ),
        ({"consentColumn": {"column": "OptIn", "value": "yes"}}, "column_missing"),
        ({"connectionId": "nothing"}, "no_such_connection"),
        ({"connectionId": None}, "connection_missing"),
    ],
)
def test_what_makes_no_sense_is_refused(api: Api, change: dict[str, Any], code: str) -> None:
    assert api.put("/exports/newsletter", EXPORT | change).code == code
    assert api.get("/exports/newsletter").status == 404


@pytest.mark.parametrize(
    ("files", "code"),
    [
        ({"people/1.csv": b""}, "segment_without_columns"),
        ({"x/model.json": b'{"entities": [{"name": "people", "attributes": []}]}'}, "segment_without_columns"),
        ({"people/1.csv": b"EMail,FirstName\nAda,ada@example.com\nBob,bob@example.com\n"}, "mapping_fits_no_row"),
        ({"people/1.csv": b"EMail,FirstName\nada@example.com\n"}, "mapping_fits_no_row"),
    ],
)
def test_an_export_that_could_send_nobody_is_saved_only_without_a_check(files: dict[str, bytes], code: str) -> None:
    api = with_function_key()
    api.put("/connections/main", CONNECTION)
    for path, data in files.items():
        api.fakes.segments.write(path, data)
    refused = api.put("/exports/newsletter", EXPORT)
    assert (refused.status, refused.code) == (422, code)
    assert "?validate=false" in refused.json["detail"]
    assert "Ada" not in refused.json["detail"]
    assert api.get("/exports/newsletter").status == 404
    assert api.put("/exports/newsletter", EXPORT, query={"validate": "false"}).status == 201


def test_saving_does_not_guess_which_of_several_days_is_the_segment(api: Api) -> None:
    for day in (25, 26):
        api.fakes.segments.write(
            f"daily/day=2026-11-{day}/part-0.csv", api.fakes.segments.files["people/people_1.csv"][1]
        )
    daily = EXPORT | {"segments": ["daily"]}
    refused = api.put("/exports/newsletter", daily)
    assert (refused.status, refused.code) == (422, "files_ambiguous")
    assert api.put("/exports/newsletter", daily | {"files": "newest"}).status == 201


def test_a_file_of_another_kind_in_the_folder_does_not_fit(api: Api) -> None:
    api.fakes.segments.write("people/orders.csv", b"Name,Total\nx,1\n")
    refused = api.put("/exports/newsletter", EXPORT)
    assert (refused.status, refused.code) == (422, "column_missing_in_file")
    assert api.put("/exports/newsletter", EXPORT | {"ignore": ["orders*"]}).status == 201


def test_every_segment_has_to_fit(api: Api) -> None:
    api.fakes.segments.write("vip/1.csv", b"EMail,FirstName\nnobody,Ada\n")
    refused = api.put("/exports/newsletter", EXPORT | {"segments": ["people", "vip"]})
    assert refused.code == "mapping_fits_no_row"
    assert "the segment vip;" in refused.json["detail"]


def test_the_nearest_segment_is_named(api: Api) -> None:
    assert "people" in api.put("/exports/newsletter", EXPORT | {"segments": ["peeple"]}).json["detail"]


def test_an_export_can_be_defined_ahead_of_time(api: Api) -> None:
    body = EXPORT | {"segments": ["tomorrow"], "listId": 99, "connectionId": None}
    saved = api.put("/exports/newsletter", body, query={"validate": "false"})
    assert saved.status == 201
    assert saved.json["state"] == "noConnection"
    assert api.post("/exports/newsletter/runs").code == "no_connection"


def test_even_ahead_of_time_the_connection_has_to_exist(api: Api) -> None:
    body = EXPORT | {"connectionId": "nothing"}
    assert api.put("/exports/newsletter", body, query={"validate": "false"}).code == "no_such_connection"


def test_columns_fill_custom_fields_by_id_or_tag(api: Api) -> None:
    fields = [{"column": "LastName", "field": "6"}, {"column": "Telephone", "field": "%CUSTOMER_ID%"}]
    body = EXPORT | {"dataMatching": {"email": "EMail", "fields": fields}}
    defaults = {"separator": ";", "yes": [], "onBadValue": "leaveOut"}
    assert api.put("/exports/newsletter", body).json["dataMatching"]["fields"] == [one | defaults for one in fields]


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"listID": 1}, "listID: unknown, did you mean listId?"),
        ({"dataMatching": {"email": "EMail", "phoen": "x"}}, "dataMatching.phoen: unknown, did you mean phone?"),
        (
            {"dataMatching": {"email": "EMail", "fields": [{"column": "a", "feld": "1"}]}},
            "dataMatching.fields.0.feld: unknown, did you mean field?",
        ),
        ({"display_name": "x"}, "display_name: unknown, did you mean displayName?"),
        ({"listId": "1"}, "listId: Input should be a valid integer"),
        ({"listId": 0}, "listId: Input should be greater than or equal to 1"),
        ({"scheduled": "yes"}, "scheduled: Input should be a valid boolean"),
        ({"segments": []}, "segments: "),
        ({"segments": ["people", "people"]}, "each segment must be named only once"),
        ({"displayName": ""}, "displayName: "),
        ({"displayName": "two\nlines"}, "displayName: "),
        ({"maxContacts": 1_000_001}, "maxContacts: "),
    ],
)
def test_a_body_that_does_not_fit_is_refused_by_member(api: Api, change: dict[str, Any], told: str) -> None:
    refused = api.put("/exports/newsletter", EXPORT | change)
    assert (refused.status, refused.code) == (422, "invalid_body")
    assert told in refused.json["detail"]


def test_all_that_is_wrong_is_told_at_once(api: Api) -> None:
    refused = api.put("/exports/newsletter", {"listId": 1, "nonsense": 1})
    assert len(refused.json["members"]) == 4


def test_a_change_of_an_export_has_to_say_what_was_seen(api: Api) -> None:
    seen = api.put("/exports/newsletter", EXPORT).headers["ETag"]
    assert api.put("/exports/newsletter", EXPORT).code == "if_match_missing"
    changed = api.put("/exports/newsletter", EXPORT | {"listId": 2}, headers={"If-Match": seen})
    assert (changed.status, changed.json["version"], changed.json["listId"]) == (200, 2, 2)
    assert api.put("/exports/newsletter", EXPORT, headers={"If-Match": seen}).code == "changed_meanwhile"


def test_an_export_is_activated_and_deactivated(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT)
    active = api.post("/exports/newsletter/activate")
    assert (active.json["state"], active.json["scheduled"], active.json["version"]) == ("active", True, 2)
    assert api.post("/exports/newsletter/activate").json["version"] == 2, "nothing changed"
    assert api.post("/exports/newsletter/deactivate").json["state"] == "inactive"


def test_a_detached_export_keeps_its_definition_and_cannot_be_activated(api: Api) -> None:
    saved = api.put("/exports/newsletter", EXPORT).json
    detached = api.post("/exports/newsletter/detach").json
    assert detached["state"] == "noConnection"
    assert detached["dataMatching"] == saved["dataMatching"]
    assert api.post("/exports/newsletter/activate").code == "no_connection"
    back = api.put("/exports/newsletter", EXPORT, headers={"If-Match": "*"})
    assert back.json["state"] == "inactive"


def test_a_copy_has_another_id_and_no_active_schedule(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT | {"scheduled": True})
    copy = api.post("/exports/newsletter/duplicate", {"id": "second"})
    assert copy.status == 201
    assert copy.headers["Location"] == "/api/exports/second"
    assert (copy.json["displayName"], copy.json["scheduled"], copy.json["version"]) == ("Newsletter (copy)", False, 1)
    assert api.post("/exports/newsletter/duplicate", {"id": "second"}).code == "exists_already"
    assert api.post("/exports/newsletter/duplicate", {"id": "Third"}).code == "invalid_body"
    assert api.post("/exports/nothing/duplicate", {"id": "third"}).code == "export_not_found"


def test_an_export_is_removed_and_its_runs_are_kept(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT)
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    assert api.delete("/exports/newsletter").status == 204
    assert api.get("/exports/newsletter").code == "export_not_found"
    assert drive(api.fakes, run_id).end
    assert api.get(f"/runs/{run_id}").json["status"] == "successful"


def test_an_export_shows_its_newest_run(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT)
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    assert api.get("/exports/newsletter").json["lastRun"]["status"] == "queued"
    drive(api.fakes, run_id)
    last = api.get("/exports").json["value"][0]["lastRun"]
    assert (last["runId"], last["status"], last["trigger"]) == (run_id, "successful", "onDemand")
    assert last["endedUtc"] > last["requestedUtc"]


def test_contributors_change_exports_on_shared_connections_only() -> None:
    admin = signed_in("Admin")
    write_segment(admin.fakes, people(3))
    admin.put("/connections/shared", CONNECTION | {"usableBy": "contributors"})
    admin.put("/connections/private", CONNECTION)
    admin.put("/exports/private", EXPORT | {"connectionId": "private"})
    contributor = admin.as_user("Contributor")
    assert contributor.put("/exports/mine", EXPORT | {"connectionId": "shared"}).status == 201
    assert contributor.put("/exports/other", EXPORT | {"connectionId": "private"}).code == "no_such_connection"
    assert contributor.get("/exports/private").status == 200
    taken_over = EXPORT | {"connectionId": "shared"}
    assert contributor.put("/exports/private", taken_over, headers={"If-Match": "*"}).code == "connection_not_shared"
    for method, path in (
        ("DELETE", "/exports/private"),
        ("POST", "/exports/private/runs"),
        ("POST", "/exports/private/activate"),
        ("POST", "/exports/private/deactivate"),
        ("POST", "/exports/private/detach"),
    ):
        assert contributor.call(method, path).code == "connection_not_shared", path
    copied = contributor.post("/exports/private/duplicate", {"id": "copy"})
    assert copied.code == "connection_not_shared"


def test_segments_are_shown_with_a_suggestion_for_the_data_matching(api: Api) -> None:
    listed = api.get("/segments").json["value"]
    assert [(s["name"], s["files"]) for s in listed] == [("people", 1)]
    shown = api.get("/segments/people").json
    assert shown["suggestion"] == {
        "email": "EMail",
        "firstName": "FirstName",
        "lastName": "LastName",
        "phone": "Telephone",
    }
    assert [c["name"] for c in shown["columns"]] == ["CustomerId", "FirstName", "LastName", "EMail", "Telephone"]
    assert api.get("/segments/peple").code == "segment_not_found"


def test_a_segment_in_a_folder_is_found_by_its_path(api: Api) -> None:
    api.fakes.segments.write("crm/vip/part_1.csv", b"EMail\np1@example.com\n")
    assert api.get("/segments/crm/vip").json["name"] == "crm/vip"
