"""Exports: saved only when they make sense; saving runs nothing."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.model import to_text
from exporter.pipeline.schedule import run_schedule
from exporter.records.paths import RUNS, run_path
from tests.api.client import CONNECTION, EXPORT, Api, signed_in, with_function_key
from tests.builders import deliver, drive, make_export, people, write_segment
from tests.fakes import make_fakes


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
        ({"scheduled": True}, "scheduled: unknown, did you mean schedule?"),
        ({"schedule": {"kind": "hourly"}}, "schedule: "),
        ({"schedule": {"kind": "cron", "cron": "0 0 6 * * *"}}, "Leave the seconds, which come first in six fields"),
        ({"schedule": {"kind": "cron", "cron": "0 6 31 2 *"}}, "must name times that occur"),
        ({"schedule": {"kind": "cron", "cron": "0 6 * * *", "timeZone": "Mars/Olympus"}}, "name of a time zone"),
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


def test_an_export_is_paused_and_unpaused(api: Api) -> None:
    every_refresh = EXPORT | {"schedule": {"kind": "withEveryRefresh"}}
    assert api.put("/exports/newsletter", every_refresh).json["state"] == "active"
    paused = api.post("/exports/newsletter/pause")
    assert (paused.json["state"], paused.json["paused"]["by"], paused.json["version"]) == ("paused", "function key", 2)
    assert paused.json["notNow"]["code"] == "waits_paused"
    assert api.post("/exports/newsletter/pause").json["version"] == 2, "nothing changed"
    kept = api.put("/exports/newsletter", every_refresh | {"maxContacts": 5}, headers={"If-Match": "*"})
    assert kept.json["state"] == "paused"
    active = api.post("/exports/newsletter/unpause").json
    assert (active["state"], "paused" in active, active["version"]) == ("active", False, 4)
    assert api.post("/exports/newsletter/unpause").json["version"] == 4, "nothing changed"


def test_a_detached_export_keeps_its_definition(api: Api) -> None:
    saved = api.put("/exports/newsletter", EXPORT).json
    detached = api.post("/exports/newsletter/detach").json
    assert detached["state"] == "noConnection"
    assert detached["dataMatching"] == saved["dataMatching"]
    assert detached["notNow"]["code"] == "waits_no_connection"
    back = api.put("/exports/newsletter", EXPORT, headers={"If-Match": "*"})
    assert back.json["state"] == "inactive"


def test_a_copy_has_another_id_and_no_schedule(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT | {"schedule": {"kind": "cron"}})
    copy = api.post("/exports/newsletter/duplicate", {"id": "second"})
    assert copy.status == 201
    assert copy.headers["Location"] == "/api/exports/second"
    told = (copy.json["displayName"], copy.json["schedule"], copy.json["state"], copy.json["version"])
    assert told == ("Newsletter (copy)", {"kind": "none"}, "inactive", 1)
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


def test_the_list_shows_each_newest_run_at_a_glance_and_the_last_that_counts(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT)
    api.put("/exports/vip", EXPORT)
    success = drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    assert success.end
    write_segment(api.fakes, [])
    held = drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    seen: list[str] = []
    api.fakes.blobs.before = lambda operation, path: seen.append(path)
    newsletter, vip = api.get("/exports").json["value"]
    assert [path for path in seen if path.startswith(RUNS)] == [run_path(held.run_id), run_path(success.run_id)]
    assert newsletter["lastRun"]["runId"] == held.run_id
    assert (newsletter["lastRun"]["status"], newsletter["lastRun"]["problem"]["code"]) == ("held", "segment_empty")
    assert newsletter["lastRun"]["held"] == api.get(f"/runs/{held.run_id}").json["held"]
    assert newsletter["lastSuccess"] == {
        "runId": success.run_id,
        "endedUtc": to_text(success.end.at),
        "rowsRead": success.end.tally.rows_read,
        "confirmed": success.end.tally.confirmed,
    }
    assert not {"lastRun", "lastSuccess"} & vip.keys()


def test_the_list_shows_progress_and_then_the_tally_and_costs_a_few_reads_for_each_export() -> None:
    api = Api(make_fakes(LANE_TIME_BUDGET_S="5"), {})
    write_segment(api.fakes, people(600))
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    api.fakes.activecampaign.request_s = 3.0
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    while "progress" not in api.get(f"/runs/{run_id}").json:
        assert deliver(api.fakes)
    (shown,) = api.get("/exports").json["value"]
    assert shown["lastRun"]["progress"] == api.get(f"/runs/{run_id}").json["progress"]
    drive(api.fakes, run_id)
    seen: list[str] = []
    api.fakes.blobs.before = lambda operation, path: seen.append(operation)
    (shown,) = api.get("/exports").json["value"]
    assert seen == ["names", *["read"] * 4]
    assert "progress" not in shown["lastRun"]
    assert shown["lastRun"]["tally"]["rowsRead"] > 0


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
        ("POST", "/exports/private/pause"),
        ("POST", "/exports/private/unpause"),
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


def test_a_new_export_runs_with_every_refresh_and_saving_without_a_schedule_keeps_it(api: Api) -> None:
    body = {name: value for name, value in EXPORT.items() if name != "schedule"}
    assert api.put("/exports/newsletter", body).json["schedule"] == {"kind": "withEveryRefresh"}
    times = {"kind": "cron", "cron": "0 6 * * 1-5", "timeZone": "Europe/Amsterdam"}
    saved = api.put("/exports/newsletter", body | {"schedule": times}, headers={"If-Match": "*"}).json
    assert (saved["schedule"], saved["nextRunUtc"]) == (times, "2026-11-19T05:00:00.000Z")
    assert saved["notNow"]["params"] == {"at": "2026-11-19T05:00:00.000Z"}
    assert api.put("/exports/newsletter", body, headers={"If-Match": "*"}).json["schedule"] == times


EVERY_REFRESH = EXPORT | {"schedule": {"kind": "withEveryRefresh"}}


def not_exported(answer: Any) -> bool:
    return "refresh_not_exported" in {warning["code"] for warning in answer.json.get("warnings", ())}


@pytest.mark.parametrize(
    ("changes", "begins_anew"),
    [
        ({"schedule": {"kind": "withEveryRefresh"}}, False),
        ({"maxContacts": 5, "displayName": "Other", "listId": 2}, False),
        ({"segments": ["more"]}, True),
        ({"ignore": ["x*"]}, True),
        ({"connectionId": "second"}, True),
    ],
)
def test_saving_names_the_refresh_that_counts_as_seen_and_runs_nothing(
    api: Api, changes: dict[str, Any], *, begins_anew: bool
) -> None:
    api.put("/connections/second", CONNECTION)
    write_segment(api.fakes, people(3), name="more")
    assert not_exported(api.put("/exports/newsletter", EVERY_REFRESH))
    assert api.get("/exports/newsletter").json["notNow"]["code"] == "waits_seen"
    write_segment(api.fakes, people(4))  # it is owed
    write_segment(api.fakes, people(4), name="more")
    saved = api.put("/exports/newsletter", EVERY_REFRESH | changes, headers={"If-Match": "*"})
    assert not_exported(saved) is begins_anew
    assert [run.export_id for run in run_schedule(api.fakes.services)] == ([] if begins_anew else ["newsletter"])


def test_what_is_saved_for_other_times_and_what_was_exported_is_not_named(api: Api) -> None:
    assert not not_exported(api.put("/exports/newsletter", EXPORT))
    drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    assert not not_exported(api.put("/exports/newsletter", EVERY_REFRESH, headers={"If-Match": "*"}))
    assert api.get("/exports/newsletter").json["notNow"]["code"] == "waits_refresh"


@pytest.mark.parametrize("path", ["/exports/newsletter", "/connections/main"])
def test_what_came_during_a_pause_counts_as_seen_and_what_comes_after_it_does_not(api: Api, path: str) -> None:
    api.put("/exports/newsletter", EVERY_REFRESH)
    assert api.post(f"{path}/pause").json["paused"]["by"] == "function key"
    shown = api.get("/exports/newsletter").json
    assert (shown["state"], shown["notNow"]["params"]["by"]) == ("paused", "function key")
    write_segment(api.fakes, people(4))
    assert run_schedule(api.fakes.services) == []
    unpaused = api.post(f"{path}/unpause")
    assert "paused" not in unpaused.json
    (told,) = unpaused.json["warnings"]
    assert (told["code"], told["params"].get("export")) == (
        "refresh_not_exported",
        "Newsletter" if path.startswith("/connections") else None,
    )
    assert "warnings" not in api.post(f"{path}/unpause").json
    assert run_schedule(api.fakes.services) == []
    assert api.get("/exports/newsletter").json["notNow"]["code"] == "waits_seen"
    write_segment(api.fakes, people(5))
    assert len(run_schedule(api.fakes.services)) == 1


def test_a_paused_export_runs_when_somebody_starts_it(api: Api) -> None:
    api.put("/exports/newsletter", EVERY_REFRESH)
    api.post("/exports/newsletter/pause")
    assert drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"]).end


def test_run_all_passes_over_what_is_paused(api: Api) -> None:
    api.put("/exports/newsletter", EVERY_REFRESH)
    api.post("/connections/main/pause")
    (item,) = api.post("/runs").json["value"]
    assert item["problem"]["code"] == "connection_paused"
    api.post("/exports/newsletter/pause")
    assert api.post("/runs").json["value"] == []


def test_an_export_says_why_it_does_not_run_now(api: Api) -> None:
    api.put("/exports/newsletter", EVERY_REFRESH)
    api.fakes.segments.files.clear()
    run_schedule(api.fakes.services)
    assert api.get("/exports/newsletter").json["notNow"]["code"] == "segment_not_found"
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    assert api.get("/exports/newsletter").json["notNow"] == {
        "code": "waits_run",
        "message": f"It is running: {run_id}.",
        "params": {"run": run_id},
    }


@pytest.mark.parametrize("now", ["waits_refresh", "waits_seen"])
def test_what_was_going_when_a_pause_ended_is_not_said_to_be_missing_once_it_has_arrived(api: Api, now: str) -> None:
    api.put("/exports/newsletter", EVERY_REFRESH)
    write_segment(api.fakes, people(4))
    (run,) = run_schedule(api.fakes.services)
    api.fakes.clock.sleep(5)
    api.post("/exports/newsletter/pause")
    assert api.post("/exports/newsletter/unpause").json["warnings"][0]["code"] == "refresh_not_exported"
    if now == "waits_seen":
        api.post(f"/runs/{run.run_id}/cancel")
    drive(api.fakes, run.run_id)
    assert api.get("/exports/newsletter").json["notNow"]["code"] == now


def test_an_export_that_goes_by_times_does_not_say_what_was_seen_when_it_went_by_refreshes(api: Api) -> None:
    api.put("/exports/newsletter", EVERY_REFRESH)
    kept = dict(api.fakes.segments.files)
    api.fakes.segments.files.clear()
    run_schedule(api.fakes.services)
    api.fakes.segments.files.update(kept)
    at_six = EXPORT | {"schedule": {"kind": "cron", "cron": "0 6 * * *"}}
    saved = api.put("/exports/newsletter", at_six, headers={"If-Match": "*"}).json
    assert saved["notNow"]["code"] == "waits_time"


def test_a_time_that_is_owed_stays_so_when_what_a_former_release_has_stored_is_renamed(api: Api) -> None:
    make_export(api.fakes, scheduled=True, updated_utc=api.fakes.clock.now())
    api.fakes.clock.sleep(15 * 3_600)  # it is past two, the app's own time
    shown = api.get("/exports/newsletter")
    renamed = shown.json | {"displayName": "Other"}
    assert api.put("/exports/newsletter", renamed, headers={"If-Match": shown.headers["ETag"]}).status == 200
    (run,) = run_schedule(api.fakes.services)
    drive(api.fakes, run.run_id)
    assert run_schedule(api.fakes.services) == []
