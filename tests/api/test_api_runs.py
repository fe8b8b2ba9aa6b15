"""Runs: start, watch, cancel, history, and what was set aside."""

from __future__ import annotations

import csv
import gzip
import io
from urllib.parse import parse_qsl, urlsplit

import pytest

from exporter.pipeline.schedule import run_schedule
from exporter.pipeline.sweep import sweep
from exporter.records.paths import run_path
from tests.api.client import CONNECTION, EXPORT, Api, principal, signed_in, with_function_key
from tests.builders import deliver, drive, people, tomorrow, write_segment
from tests.fakes import make_fakes


@pytest.fixture
def api() -> Api:
    api = with_function_key()
    write_segment(api.fakes, [*people(600), ("x", "X", "", "nobody", "")])
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    return api


HELD = {"causes": [{"code": "size_changed", "numbers": {"rowsRead": 1}}], "membership": "0" * 64}


def start(api: Api, **options: object) -> str:
    run_id: str = api.post("/exports/newsletter/runs", **options).json["runId"]
    return run_id


def test_a_run_is_accepted_and_says_where_to_watch_it(api: Api) -> None:
    started = api.post("/exports/newsletter/runs")
    assert (started.status, started.json["outcome"], started.json["status"]) == (202, "started", "queued")
    assert started.headers["Location"] == f"/api/runs/{started.json['runId']}"
    assert int(started.headers["Retry-After"]) > 0


def test_while_a_run_is_going_it_is_the_answer(api: Api) -> None:
    run_id = start(api)
    again = api.post("/exports/newsletter/runs")
    assert (again.status, again.json["runId"], again.json["outcome"]) == (202, run_id, "joined")


def test_a_run_shows_its_progress_and_then_its_account(api: Api) -> None:
    run_id = start(api)
    deliver(api.fakes)
    going = api.get(f"/runs/{run_id}")
    assert going.json["status"] == "running"
    assert going.json["progress"]["contacts"] == 600
    assert going.json["progress"]["secondsLeft"] > 0
    assert "Retry-After" in going.headers
    drive(api.fakes, run_id)
    over = api.get(f"/runs/{run_id}")
    assert over.json["status"] == "completedWithWarnings"
    assert over.json["tally"] == {
        "rowsRead": 601,
        "confirmed": 600,
        "duplicates": 0,
        "rejected": 1,
        "rejectedByActiveCampaign": 0,
        "unconfirmed": 0,
        "reasons": {"invalid_email_no_at": 1},
    }
    assert over.json["durationS"] > 0
    assert "progress" not in over.json
    assert "Retry-After" not in over.headers


def test_a_repeated_request_with_the_same_key_is_the_same_run_even_when_it_is_over(api: Api) -> None:
    key = {"Idempotency-Key": "order-66"}
    run_id = start(api, headers=key)
    drive(api.fakes, run_id)
    again = api.post("/exports/newsletter/runs", headers=key)
    assert (again.json["runId"], again.json["outcome"]) == (run_id, "known")
    assert start(api) != run_id


def test_a_key_is_its_callers_own() -> None:
    grace = signed_in("Admin")
    write_segment(grace.fakes, people(3))
    grace.put("/connections/main", CONNECTION)
    grace.put("/exports/newsletter", EXPORT)
    ada = Api(grace.fakes, principal("Admin", object_id="1c2f"))
    key = {"Idempotency-Key": "order-66"}
    first = grace.post("/exports/newsletter/runs", headers=key).json["runId"]
    drive(grace.fakes, first)
    other = ada.post("/exports/newsletter/runs", headers=key)
    assert (other.status, other.json["outcome"]) == (202, "started")
    assert grace.post("/exports/newsletter/runs", headers=key).json["runId"] == first


def test_a_connection_of_a_former_ones_id_does_not_open_its_runs() -> None:
    admin = signed_in("Admin")
    write_segment(admin.fakes, people(3))
    admin.put("/connections/main", CONNECTION | {"usableBy": "contributors"})
    admin.put("/exports/newsletter", EXPORT)
    contributor = admin.as_user("Contributor")
    old = contributor.post("/exports/newsletter/runs").json["runId"]
    drive(admin.fakes, old)
    assert contributor.get(f"/runs/{old}/rejects").status == 200
    assert admin.delete("/connections/main", query={"detach": "true"}).status == 200
    admin.fakes.clock.sleep(1)
    admin.put("/connections/main", CONNECTION | {"usableBy": "contributors"})
    contributor.put("/exports/newsletter", EXPORT, headers={"If-Match": "*"})
    for method, path, body in (
        ("GET", f"/runs/{old}/rejects", None),
        ("POST", f"/runs/{old}/lookup", {"email": "p1@example.com"}),
        ("POST", f"/runs/{old}/cancel", None),
        ("POST", f"/runs/{old}/resume", None),
        ("POST", f"/runs/{old}/approve", HELD),
    ):
        assert contributor.call(method, path, body).code == "connection_not_shared", path
    assert contributor.get(f"/runs/{old}").status == 200
    assert admin.get(f"/runs/{old}/rejects").status == 200
    new = contributor.post("/exports/newsletter/runs").json["runId"]
    drive(admin.fakes, new)
    assert contributor.get(f"/runs/{new}/rejects").status == 200
    assert (
        admin.put(
            "/connections/main",
            CONNECTION | {"usableBy": "contributors", "displayName": "Renamed"},
            headers={"If-Match": "*"},
        ).status
        == 200
    )
    assert contributor.get(f"/runs/{new}/rejects").status == 200


SHARED = CONNECTION | {"usableBy": "contributors"}
ANY = {"If-Match": "*"}


@pytest.fixture
def on_hold() -> Api:
    """Return an administrator who does not share a connection any more on which a contributor has scheduled exports."""
    admin = signed_in("Admin")
    write_segment(admin.fakes, people(3))
    admin.put("/connections/main", SHARED)
    contributor = admin.as_user("Contributor")
    assert contributor.put("/exports/saved", EXPORT | {"schedule": {"kind": "cron"}}).json["state"] == "active"
    contributor.put("/exports/unpaused", EXPORT | {"schedule": {"kind": "cron"}})
    contributor.post("/exports/unpaused/pause")
    assert contributor.post("/exports/unpaused/unpause").json["state"] == "active"
    admin.put("/exports/ours", EXPORT | {"schedule": {"kind": "cron"}})
    admin.put("/connections/main", CONNECTION, headers=ANY)
    return admin


def scheduled(api: Api) -> list[str]:
    """Return the exports that the schedule starts now."""
    return sorted(run.export_id for run in tomorrow(api.fakes))


def states(api: Api) -> dict[str, str]:
    return {export["id"]: export["state"] for export in api.get("/exports").json["value"]}


def test_the_schedule_passes_over_what_contributors_scheduled_on_a_connection_that_is_no_longer_theirs(
    on_hold: Api,
) -> None:
    assert states(on_hold) == {"unpaused": "onHold", "ours": "active", "saved": "onHold"}
    assert scheduled(on_hold) == ["ours"]
    assert on_hold.get("/exports/saved").json["notNow"]["code"] == "waits_on_hold"
    assert [item["exportId"] for item in on_hold.post("/runs").json["value"]] == ["ours", "saved", "unpaused"]


def test_a_connection_that_is_shared_again_ends_the_hold(on_hold: Api) -> None:
    on_hold.put("/connections/main", SHARED, headers=ANY)
    assert set(states(on_hold).values()) == {"active"}
    assert scheduled(on_hold) == ["ours", "saved", "unpaused"]


def test_an_administrator_who_saves_or_unpauses_an_export_ends_its_hold(on_hold: Api) -> None:
    shown = on_hold.get("/exports/saved")
    saved = on_hold.put("/exports/saved", shown.json, headers={"If-Match": shown.headers["ETag"]})
    assert (saved.status, saved.json["state"]) == (200, "active")
    assert on_hold.post("/exports/unpaused/unpause").json["state"] == "active"
    assert scheduled(on_hold) == ["ours", "saved", "unpaused"]


@pytest.mark.parametrize("how", ["unpaused", "saved", "shared"])
def test_the_end_of_a_hold_starts_nothing_that_came_meanwhile(how: str) -> None:
    admin = signed_in("Admin")
    write_segment(admin.fakes, people(3))
    admin.put("/connections/main", SHARED)
    every_refresh = EXPORT | {"schedule": {"kind": "withEveryRefresh"}}
    admin.as_user("Contributor").put("/exports/newsletter", every_refresh)
    admin.put("/connections/main", CONNECTION, headers=ANY)
    write_segment(admin.fakes, people(4))
    if how == "unpaused":
        ended = admin.post("/exports/newsletter/unpause")
    elif how == "saved":
        ended = admin.put("/exports/newsletter", every_refresh, headers=ANY)
    else:
        ended = admin.put("/connections/main", SHARED, headers=ANY)
    assert [each["code"] for each in ended.json["warnings"]] == ["refresh_not_exported"]
    assert admin.get("/exports/newsletter").json["notNow"]["code"] == "waits_seen"
    assert run_schedule(admin.fakes.services) == []
    write_segment(admin.fakes, people(5))
    assert run_schedule(admin.fakes.services)


def test_what_contributors_scheduled_and_nobody_runs_any_more_is_inactive(on_hold: Api) -> None:
    none = EXPORT | {"schedule": {"kind": "none"}}
    assert on_hold.put("/exports/saved", none, headers=ANY).json["state"] == "inactive"


def test_how_to_run_is_not_for_the_body_to_say(api: Api) -> None:
    for path in ("/exports/newsletter/runs", "/runs"):
        refused = api.post(path, {"force": True})
        assert (refused.status, refused.code) == (422, "invalid_body"), path


@pytest.mark.parametrize("key", ["", "x" * 201])
def test_a_key_of_odd_length_is_refused(api: Api, key: str) -> None:
    refused = api.post("/exports/newsletter/runs", headers={"Idempotency-Key": key})
    assert (refused.status, refused.code) == (422, "invalid_header")


def test_run_all_runs_the_exports_with_a_schedule(api: Api) -> None:
    api.put("/exports/active", EXPORT | {"schedule": {"kind": "cron"}})
    api.put("/exports/detached", EXPORT | {"schedule": {"kind": "cron"}})
    api.post("/exports/detached/detach")
    started = api.post("/runs")
    assert started.status == 202
    (item,) = started.json["value"]
    assert (item["exportId"], item["outcome"]) == ("active", "started")
    assert "note" not in started.json
    run = drive(api.fakes, item["runId"])
    assert run.trigger == "runAll"


def test_run_all_says_so_when_there_is_nothing_to_run(api: Api) -> None:
    api.put("/exports/active", EXPORT | {"schedule": {"kind": "cron"}})
    api.post("/exports/active/pause")
    api.put("/exports/detached", EXPORT | {"schedule": {"kind": "cron"}})
    api.post("/exports/detached/detach")
    started = api.post("/runs")
    assert (started.status, started.json["value"]) == (202, [])
    assert "POST /exports/{id}/unpause" in started.json["note"]


def test_run_all_with_the_same_key_starts_nothing_twice(api: Api) -> None:
    api.put("/exports/active", EXPORT | {"schedule": {"kind": "cron"}})
    key = {"Idempotency-Key": "monday"}
    run_id = api.post("/runs", headers=key).json["value"][0]["runId"]
    drive(api.fakes, run_id)
    (item,) = api.post("/runs", headers=key).json["value"]
    assert (item["runId"], item["outcome"]) == (run_id, "known")


def test_one_exports_trouble_does_not_keep_the_others_from_running(api: Api) -> None:
    api.put("/exports/a", EXPORT | {"schedule": {"kind": "cron"}})
    api.put("/exports/b", EXPORT | {"schedule": {"kind": "cron"}})
    api.fakes.blobs.delete("records/connections/main.json")
    api.put("/connections/other", CONNECTION)
    api.put("/exports/b", EXPORT | {"schedule": {"kind": "cron"}, "connectionId": "other"}, headers={"If-Match": "*"})
    items = {item["exportId"]: item for item in api.post("/runs").json["value"]}
    assert items["a"]["problem"]["code"] == "connection_not_found"
    assert items["b"]["outcome"] == "started"


def test_history_shows_the_newest_first_with_trigger_and_who(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT | {"schedule": {"kind": "cron"}}, headers={"If-Match": "*"})
    first = start(api)
    drive(api.fakes, first)
    (scheduled,) = tomorrow(api.fakes)
    drive(api.fakes, scheduled.run_id)
    listed = api.get("/exports/newsletter/runs").json["value"]
    assert [(r["runId"], r["trigger"], r["requestedBy"], r["status"]) for r in listed] == [
        (scheduled.run_id, "scheduled", "schedule", "skipped"),
        (first, "onDemand", "function key", "completedWithWarnings"),
    ]
    assert listed[0]["problem"]["code"] == "segment_unchanged"


def test_history_comes_in_pages(api: Api) -> None:
    expected: list[str] = []
    for _ in range(5):
        expected.insert(0, start(api))
        drive(api.fakes, expected[0])
        api.fakes.clock.sleep(60)
    found, link = [], "/api/exports/newsletter/runs?top=2"
    while link:
        parts = urlsplit(link)
        page = api.get(parts.path.removeprefix("/api"), query=dict(parse_qsl(parts.query))).json
        found += [run["runId"] for run in page["value"]]
        link = page.get("nextLink", "")
    assert found == expected


def test_the_runs_of_an_export_whose_id_begins_alike_are_not_listed(api: Api) -> None:
    api.put("/exports/newsletter-2", EXPORT)
    run_id = start(api)
    assert api.get("/exports/newsletter-2/runs").json == {"value": []}
    assert [r["runId"] for r in api.get("/exports/newsletter/runs").json["value"]] == [run_id]


def test_a_canceled_run_sends_nothing_more_and_says_what_was_sent(api: Api) -> None:
    run_id = start(api)
    deliver(api.fakes)
    canceled = api.post(f"/runs/{run_id}/cancel")
    assert (canceled.status, canceled.json["cancel"]["by"]) == (202, "function key")
    assert canceled.json["status"] == api.get(f"/runs/{run_id}").json["status"] == "canceling"
    refused = api.post("/exports/newsletter/runs")
    assert (refused.status, refused.code, refused.json["params"]["run"]) == (409, "run_is_going", run_id)
    run = drive(api.fakes, run_id)
    assert run.status == "canceled"
    shown = api.get(f"/runs/{run_id}").json
    assert shown["tally"]["unconfirmed"] == 600
    assert shown["tally"]["reasons"]["not_sent"] == 600
    assert api.post(f"/runs/{run_id}/cancel").status == 202, "asking again changes nothing"


def test_a_canceled_run_is_canceling_until_what_was_sent_has_its_outcome() -> None:
    api = Api(make_fakes(LANE_TIME_BUDGET_S="5"), {})
    api.fakes.activecampaign.request_s = 3.0
    write_segment(api.fakes, people(600))
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    run_id = start(api)
    while not api.get(f"/runs/{run_id}").json.get("progress", {}).get("sent"):
        assert deliver(api.fakes)
    api.post(f"/runs/{run_id}/cancel")
    shown = api.get(f"/runs/{run_id}").json
    assert shown["status"] == "canceling"
    assert 0 < shown["progress"]["sent"] < 600
    assert (api.get("/runs").json["value"][0]["status"], "endedUtc" in shown) == ("canceling", False)
    assert api.get("/exports").json["value"][0]["lastRun"]["status"] == "canceling"
    drive(api.fakes, run_id)
    over = api.get(f"/runs/{run_id}").json
    assert (over["status"], over["tally"]["confirmed"]) == ("canceled", shown["progress"]["sent"])
    assert over["timeline"]["canceledUtc"] == shown["cancel"]["at"]


def test_a_run_shows_its_course_which_refresh_it_read_and_what_it_cost(api: Api) -> None:
    refreshed = api.get("/segments/people").json["refreshedUtc"]
    run_id = start(api)
    assert api.get(f"/runs/{run_id}").json["timeline"].keys() == {"queuedUtc"}
    drive(api.fakes, run_id)
    shown = api.get(f"/runs/{run_id}").json
    line = shown["timeline"]
    names = ("queuedUtc", "plannedUtc", "firstSentUtc", "lastSentUtc", "lastConfirmedUtc", "endedUtc")
    assert [line[name] for name in names] == sorted(line[name] for name in names)
    assert line.keys() == set(names)
    assert line["firstSentUtc"] < line["lastSentUtc"]
    assert (shown["requests"], shown["resends"], shown["waits"]) == (3, 0, 0)
    (segment,) = shown["plan"]["segments"]
    assert segment == {"name": "people", "refreshedUtc": refreshed, "files": 1, "filesNotRead": 0}
    seen: list[str] = []
    api.fakes.blobs.before = lambda operation, path: seen.append(path)
    assert api.get(f"/runs/{run_id}").json == shown
    assert seen == [run_path(run_id)], "a run that is over takes one read"


def test_what_a_former_release_did_not_record_is_absent(api: Api) -> None:
    run_id = start(api)
    run = drive(api.fakes, run_id)
    assert run.end
    before = run.model_copy(update={"end": run.end.model_copy(update={"traffic": None})})
    api.fakes.blobs.put(run_path(run_id), before.to_json())
    shown = api.get(f"/runs/{run_id}").json
    assert not {"requests", "waits"} & shown.keys()
    assert shown["timeline"].keys() == {"queuedUtc", "plannedUtc", "endedUtc"}


def test_a_run_that_is_over_cannot_be_canceled(api: Api) -> None:
    run_id = start(api)
    drive(api.fakes, run_id)
    refused = api.post(f"/runs/{run_id}/cancel")
    assert (refused.status, refused.code) == (409, "run_is_over")


def test_rejects_are_csv_with_row_and_reason(api: Api) -> None:
    run_id = start(api)
    assert api.get(f"/runs/{run_id}/rejects").code == "rejects_not_found"
    drive(api.fakes, run_id)
    answer = api.get(api.get(f"/runs/{run_id}").json["rejectsUrl"].removeprefix("/api"))
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    assert "attachment" in answer.headers["Content-Disposition"]
    (row,) = csv.DictReader(io.StringIO(answer.response.body.decode("utf-8-sig")))
    assert (row["row"], row["email"], row["reason"]) == ("601", "nobody", "invalid_email_no_at")
    packed = api.get(f"/runs/{run_id}/rejects", headers={"Accept-Encoding": "gzip, br"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.response.body) == answer.response.body


def test_rejects_are_gone_after_thirty_days(api: Api) -> None:
    run = drive(api.fakes, start(api))
    rejects = f"/runs/{run.run_id}/rejects"
    api.fakes.clock.sleep(run.requested_utc + 30 * 86_400 - 60 - api.fakes.clock.now())
    sweep(api.fakes.services)
    assert api.get(rejects).status == 200
    api.fakes.clock.sleep(3_660)  # what is kept for days is looked through once an hour
    sweep(api.fakes.services)
    assert api.get(rejects).code == "rejects_not_found"
    assert api.get(f"/runs/{run.run_id}").json["tally"]["rejected"] == 1, "the account of the run stays"


@pytest.mark.parametrize("run_id", ["nothing", "newsletter.20261118T000000Z." + "0" * 32, "../connections/main"])
def test_a_run_that_is_not_there_is_not_found(api: Api, run_id: str) -> None:
    for method, path in (("GET", ""), ("POST", "/cancel"), ("GET", "/rejects")):
        assert api.call(method, f"/runs/{run_id}{path}").status == 404


def test_contributors_use_runs_on_shared_connections_only() -> None:
    admin = signed_in("Admin")
    write_segment(admin.fakes, people(3))
    admin.put("/connections/main", CONNECTION)
    admin.put("/exports/newsletter", EXPORT)
    run_id = start(admin)
    contributor, viewer = admin.as_user("Contributor"), admin.as_user("Viewer")
    for path in (f"/runs/{run_id}", "/exports/newsletter/runs"):
        assert viewer.get(path).status == 200
    assert contributor.post(f"/runs/{run_id}/cancel").code == "connection_not_shared"
    assert contributor.get(f"/runs/{run_id}/rejects").code == "connection_not_shared"
    assert admin.delete("/connections/main", query={"detach": "true"}).status == 200
    assert contributor.get(f"/runs/{run_id}/rejects").code == "connection_not_shared"
