"""GET /runs: the runs of all exports, newest first, each with what a list shows, and with bounded reads."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest

from exporter.api import runs
from exporter.records.paths import RUNS, recent_path, run_path
from exporter.runs.run import new_run_id
from tests.api.client import CONNECTION, EXPORT, Api
from tests.builders import deliver, drive, people, write_segment
from tests.fakes import START, make_fakes


@pytest.fixture
def api() -> Api:
    api = Api(make_fakes(LANE_TIME_BUDGET_S="5"), {})
    write_segment(api.fakes, people(600))
    api.put("/connections/main", CONNECTION)
    for export_id in ("vip", "newsletter"):
        assert api.put(f"/exports/{export_id}", EXPORT | {"displayName": export_id.title()}).status == 201
    return api


def run(api: Api, export_id: str = "newsletter") -> str:
    run_id: str = api.post(f"/exports/{export_id}/runs").json["runId"]
    drive(api.fakes, run_id)
    return run_id


def listed(api: Api, **query: str) -> list[str]:
    return [one["runId"] for one in api.get("/runs", query=query).json["value"]]


def reads_of(api: Api, **query: str) -> Counter[str]:
    seen: list[str] = []
    api.fakes.blobs.before = lambda operation, path: seen.append(
        "list" if operation == "names" else "ledger" if "/lanes/" in path else operation
    )
    assert api.get("/runs", query=query).status == 200
    api.fakes.blobs.before = lambda operation, path: None
    return Counter(seen)


def test_runs_of_all_exports_come_newest_first_with_tally_and_problem(api: Api) -> None:
    first, second = run(api), run(api, "vip")
    write_segment(api.fakes, [])
    held = run(api)
    shown = api.get("/runs").json["value"]
    assert [one["runId"] for one in shown] == [held, second, first]
    assert [one["displayName"] for one in shown] == ["Newsletter", "Vip", "Newsletter"]
    assert (shown[0]["status"], shown[0]["problem"]["code"]) == ("held", "segment_empty")
    assert [cause["code"] for cause in shown[0]["held"]["causes"]] == ["segment_empty"]
    assert (shown[1]["tally"]["confirmed"], shown[1]["listId"]) == (600, 1)
    assert shown[1]["durationS"] > 0
    assert "progress" not in shown[1]


def test_a_run_in_progress_shows_how_far_it_is_as_its_own_page_does(api: Api) -> None:
    api.fakes.activecampaign.request_s = 3.0
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    deliver(api.fakes)
    for _ in range(2):
        deliver(api.fakes)
    (shown,) = api.get("/runs").json["value"]
    own = api.get(f"/runs/{run_id}").json
    assert shown["status"] == own["status"] == "running"
    assert shown["progress"] == own["progress"]
    assert 0 < own["progress"]["sent"] <= own["progress"]["contacts"]
    assert "tally" not in shown


def test_a_page_goes_on_where_the_last_one_ended(api: Api) -> None:
    ids = [run(api), run(api, "vip"), run(api)]
    seen, link = [], "/api/runs?top=1"
    while link:
        path, _, query = link.removeprefix("/api").partition("?")
        page = api.get(path, query=[tuple(part.split("=")) for part in query.split("&")]).json
        seen += [one["runId"] for one in page["value"]]
        link = page.get("nextLink", "")
    assert seen == ids[::-1]


def test_what_was_asked_for_is_in_the_link_to_the_next_page(api: Api) -> None:
    ids = [run(api) for _ in range(2)]
    query = [("top", "1"), ("status", "failed"), ("status", "successful"), ("exportId", "newsletter")]
    link = api.get("/runs", query=[*query, ("since", "2026-11-18T00:00:00+01:00")]).json["nextLink"]
    for part in ("top=1", "status=failed&status=successful", "exportId=newsletter", "since=2026-11-17T23%3A00%3A00"):
        assert part in link
    assert link.partition("after=")[2].partition("&")[0] == recent_path(ids[1]).rpartition("/")[2]


def test_runs_are_chosen_by_export_status_and_time(api: Api) -> None:
    old, other = run(api), run(api, "vip")
    write_segment(api.fakes, [])
    api.fakes.clock.sleep(3_600)
    held = run(api)
    assert listed(api, exportId="newsletter") == [held, old]
    assert listed(api, status="held") == [held]
    pairs = [("status", "held"), ("status", "successful")]
    assert [one["runId"] for one in api.get("/runs", query=pairs).json["value"]] == [held, other, old]
    assert listed(api, status="canceled") == []
    at = api.get(f"/runs/{other}").json["requestedUtc"]
    assert listed(api, since=at.replace(".", "+")[:19] + "Z") == [held, other]
    assert listed(api, since="2027-01-01T00:00:00Z") == []


@pytest.mark.parametrize("query", [{"since": "2026-11-18"}, {"since": "2026-11-18T10:00:00"}, {"status": "over"}])
def test_a_time_without_a_zone_or_a_status_that_is_none_is_refused(api: Api, query: dict[str, str]) -> None:
    assert api.get("/runs", query=query).code == "invalid_query"


def test_the_runs_of_a_removed_export_and_those_that_stood_aside_are_there(api: Api) -> None:
    going = api.post("/exports/newsletter/runs").json["runId"]
    api.fakes.clock.sleep(1)
    assert api.post("/exports/newsletter/runs", headers={"Idempotency-Key": "again"}).json["runId"] == going
    drive(api.fakes, going)
    api.delete("/exports/newsletter")
    stood_aside, first = listed(api)
    assert first == going
    assert api.get(f"/runs/{stood_aside}").json["status"] == "skipped"


def test_a_page_costs_one_listing_and_a_read_for_each_run(api: Api) -> None:
    for _ in range(5):
        run(api)
    assert reads_of(api, top="2") == {"list": 1, "read": 2}
    assert reads_of(api) == {"list": 1, "read": 5}
    assert reads_of(api, exportId="vip") == {"list": 1}


def test_a_page_looks_at_a_bounded_number_of_runs_and_ledgers(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "MAX_LOOKED", 3)
    monkeypatch.setattr(runs, "MAX_UNDER_WAY", 1)
    ids = [run(api) for _ in range(4)]
    page = api.get("/runs", query={"status": "held"}).json
    assert page["value"] == []
    assert recent_path(ids[1]).rpartition("/")[2] in page["nextLink"]
    api.fakes.activecampaign.request_s = 3.0
    for export_id in ("vip", "newsletter"):
        api.post(f"/exports/{export_id}/runs")
    for _ in range(4):
        deliver(api.fakes)
    shown: list[Any] = api.get("/runs").json["value"]
    assert ["progress" in one for one in shown] == [True, False, False]
    assert reads_of(api)["ledger"] == 1


def test_an_entry_whose_run_was_never_recorded_is_passed_over(api: Api) -> None:
    run_id = run(api)
    api.fakes.blobs.put(recent_path(new_run_id("vip", START + 9_999, "f" * 32)), b"{}")
    assert listed(api) == [run_id]


def test_every_run_that_is_recorded_has_its_entry_before(api: Api) -> None:
    order: list[str] = []
    api.fakes.blobs.before = lambda operation, path: order.append(path) if operation == "create" else None
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    made = [path for path in order if path.startswith((RUNS, "records/slots/"))]
    assert made == [recent_path(run_id), "records/slots/newsletter.json", run_path(run_id)]


def test_an_answer_that_would_be_the_same_is_not_sent_again(api: Api) -> None:
    run_id = run(api)
    for path in ("/runs", f"/runs/{run_id}", "/exports"):
        first = api.get(path)
        for tag in (first.headers["ETag"], f'"x", W/{first.headers["ETag"]}', "*"):
            again = api.get(path, headers={"If-None-Match": tag})
            assert (again.status, again.response.body, again.headers["ETag"]) == (304, b"", first.headers["ETag"])
        assert api.get(path, headers={"If-None-Match": '"x"'}).json == first.json


def test_a_run_that_goes_on_has_another_etag_and_still_says_when_to_look_again(api: Api) -> None:
    api.fakes.activecampaign.request_s = 3.0
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    deliver(api.fakes)
    first = api.get(f"/runs/{run_id}")
    same = api.get(f"/runs/{run_id}", headers={"If-None-Match": first.headers["ETag"]})
    assert (same.status, same.headers["Retry-After"]) == (304, "5")
    deliver(api.fakes)
    assert api.get(f"/runs/{run_id}", headers={"If-None-Match": first.headers["ETag"]}).status == 200
