"""From files in storage to confirmed contacts: the real app in Microsoft's worker library, at production host names."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from pathlib import Path
from typing import Any

import pytest
import requests

from sandbox.activecampaign import Account, ContactList, Switches
from sandbox.demo import CONNECTION, EXPORT, TERMINAL
from sandbox.world import API_KEY, World
from tests.e2e.app import SEGMENT, App, bulk_requests, no_import_is_done, requests_in_doubt
from tests.waiting import wait_for

OURS = Path(__file__).parents[1] / "shapes" / "customer-insights" / "dynamics365customerinsights"
FOREIGN = Path(__file__).parents[3] / "shared" / "samples" / "customer-insights" / "dynamics365customerinsights"
FOLDERS = [
    (OURS, "WeekendGuests", 2, 4),
    (OURS, "Guest", 1, 11),
    *([(FOREIGN, "HighValueSegment", 2, 443), (FOREIGN, "Customer", 1, 5_003)] if FOREIGN.is_dir() else []),
]
"""Containers of segments, with a table, the list that it goes to, and how many rows it has."""

HEADER = b"FirstName,LastName,EMail,Telephone\r\n"
ADA = b"Ada,Lovelace,ada@example.com,\r\n"
OFTEN = {"LOOK_SCHEDULE": "*/2 * * * * *", "SEGMENT_QUIET_S": "2"}

pytestmark = pytest.mark.e2e


def parts(account: dict[str, Any]) -> dict[str, int]:
    return {name: value for name, value in account.items() if name != "reasons"}


def contacts_on_list(world: World, list_id: int) -> dict[str, dict[str, Any]]:
    """Return the people on a list by lower-case address, as ActiveCampaign has them."""
    assert world.account is not None
    everybody = world.account.contacts()
    return {c["email"].lower(): c for c in everybody if str(list_id) in {str(key) for key in c["lists"]}}


def test_a_generated_segment_ends_in_the_expected_account(world: World, app: App) -> None:
    run_id = app.start(app.export("generated"))
    run = app.wait_for(run_id)
    expected = SEGMENT.expected
    duplicates = sum(count for kind, count in expected.set_aside.items() if kind.startswith("duplicate"))
    assert run["status"] == "completedWithWarnings"
    assert parts(run["tally"]) == {
        "rowsRead": 1_000,
        "confirmed": expected.contacts,
        "duplicates": duplicates,
        "rejected": 1_000 - expected.contacts - duplicates,
        "rejectedByActiveCampaign": 0,
        "unconfirmed": 0,
    }
    rejects = app.call("GET", f"/runs/{run_id}/rejects")
    rows = list(csv.DictReader(io.StringIO(rejects.content.decode("utf-8-sig"))))
    assert len(rows) == 1_000 - expected.contacts
    assert {row["reason"] for row in rows} == set(run["tally"]["reasons"])
    # Personal data goes, and nothing but production host names of Azure and ActiveCampaign was asked for.
    working = world.records.get_container_client("working")
    wait_for(lambda: not list(working.list_blob_names(name_starts_with=run_id)))
    assert world.refused_hosts == []


@pytest.mark.parametrize(("folder", "table", "list_id", "row_count"), FOLDERS, ids=[each[1] for each in FOLDERS])
def test_a_customer_insights_folder_arrives_field_by_field(
    world: World, app: App, folder: Path, table: str, list_id: int, row_count: int
) -> None:
    world.upload_segments(folder)
    run = app.wait_for(app.start(app.export(f"from-{table.lower()}", segments=[table], listId=list_id)))

    # Worked out independently: the files as the csv module reads them, the columns as model.json names them.
    (model,) = folder.rglob("model.json")
    (entity,) = (e for e in json.loads(model.read_text())["entities"] if e["name"] == table)
    names = [a["name"] for a in entity["attributes"]]
    files = [folder / p["location"].split("/dynamics365customerinsights/")[1] for p in entity["partitions"]]
    texts = [io.StringIO(f.read_bytes().decode(), newline="") for f in files]
    rows = [dict(zip(names, r, strict=True)) for text in texts for r in csv.reader(text)]
    sendable = [
        r for r in rows if re.fullmatch(r"[A-Za-z0-9._%+-]+@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)*\.[A-Za-z]{2,}", r["EMail"])
    ]
    first: dict[str, dict[str, str]] = {}
    for row in sendable:
        first.setdefault(row["EMail"].lower(), row)

    assert len(rows) == row_count
    assert parts(run["tally"]) == {
        "rowsRead": len(rows),
        "confirmed": len(first),
        "duplicates": len(sendable) - len(first),
        "rejected": len(rows) - len(sendable),
        "rejectedByActiveCampaign": 0,
        "unconfirmed": 0,
    }
    arrived = contacts_on_list(world, list_id)
    for address, row in first.items():
        contact = arrived[address]
        found = (contact["email"], contact["first_name"], contact["last_name"], contact["phone"])
        assert found == (row["EMail"], row["FirstName"], row["LastName"], row["Telephone"])


def test_a_refresh_starts_one_run_and_what_was_there_before_starts_none(world: World, app: App) -> None:
    restart(world, OFTEN)
    try:
        world.upload_files([("fresh/fresh_1.csv", HEADER + ADA)])
        time.sleep(2.5)  # the quiet time, after which it is complete
        export = EXPORT | {"segments": ["fresh"], "schedule": {"kind": "withEveryRefresh"}}
        saved = app.call("PUT", "/exports/fresh", export).json()
        assert [one["code"] for one in saved["warnings"]] == ["refresh_not_exported"]
        wait_for_looks(world)
        assert app.call("GET", "/exports/fresh/runs").json()["value"] == []

        world.upload_files([("fresh/fresh_1.csv", HEADER + ADA + b"Mary,,mary@example.com,\r\n")])
        wait_for(lambda: app.call("GET", "/exports/fresh/runs").json()["value"])
        (run,) = app.call("GET", "/exports/fresh/runs").json()["value"]
        run = app.wait_for(run["runId"])
        restart(world, OFTEN)  # it knows from the records alone what it has started
        wait_for_looks(world)
        assert len(app.call("GET", "/exports/fresh/runs").json()["value"]) == 1
    finally:
        app.call("DELETE", "/exports/fresh")
        restart(world, {})
    assert run["trigger"] == "scheduled"
    assert run["tally"]["confirmed"] == 2


def restart(world: World, settings: dict[str, str]) -> None:
    world.stop_host()
    world.start_host(settings)


def wait_for_looks(world: World) -> None:
    """Wait until the timer has looked twice from now on: the first look may have begun before."""
    looks = world.host_log.read_text().count('"action":"schedule_looked"')
    wait_for(lambda: world.host_log.read_text().count('"action":"schedule_looked"') >= looks + 2)


def test_a_killed_host_ends_in_the_same_account(world: World, app: App) -> None:
    assert world.account is not None
    with no_import_is_done(world.account):
        run_id = app.start(app.export("killed"))
        wait_for(lambda: bulk_requests(world))
        world.kill_host()
        world.start_host()
        assert app.run(run_id)["status"] not in TERMINAL
    run = app.wait_for(run_id)
    assert run["tally"]["confirmed"] == SEGMENT.expected.contacts
    assert run["tally"]["unconfirmed"] == 0
    interrupted, late = requests_in_doubt(world, run_id)
    assert run["resends"] == len(interrupted) + len(late)
    assert len(interrupted) <= 1


@pytest.mark.parametrize("time", ["first", "second"])
def test_a_test_finds_the_account_as_new_whatever_another_did_to_it(world: World, time: str) -> None:
    assert world.account is not None
    before = (world.account.state(), world.account.switches)
    assert before == (Account(API_KEY).state(), Switches())
    world.account.set_switches(bad_key="login_page")
    world.account.put_list(ContactList(77, "Left behind"))
    world.account.unsubscribe("left@example.com")


BAD = [
    ("GET", "/exports/nowhere", None, 404, "export_not_found"),
    ("POST", "/exports/nowhere/runs", None, 404, "export_not_found"),
    ("GET", "/runs/nothing", None, 404, "run_not_found"),
    ("GET", "/elsewhere", None, 404, "no_such_path"),
    ("PATCH", "/exports/generated", {}, 405, "method_not_allowed"),
    ("PUT", "/runs/nothing", {}, 405, "method_not_allowed"),
    ("PUT", "/exports/x", {"lisstId": 1}, 422, "invalid_body"),
    ("PUT", "/exports/x", {**EXPORT, "listId": 77}, 422, "list_not_found"),
    ("PUT", "/exports/x", {**EXPORT, "segments": ["Nobody"]}, 404, "segment_not_found"),
    ("PUT", "/exports/x", {**EXPORT, "dataMatching": {"email": "Mail"}}, 422, "email_column_missing"),
    ("PUT", "/connections/x", {**CONNECTION, "host": "127.0.0.1"}, 422, "host_refused"),
    ("PUT", "/connections/x", {**CONNECTION, "consent": False}, 422, "consent_missing"),
    ("PUT", "/connections/x", {**CONNECTION, "apiKey": "wrong"}, 422, "credentials_refused"),
]


@pytest.mark.parametrize(("method", "path", "body", "status", "code"), BAD)
def test_a_bad_request_is_answered_with_a_problem(
    app: App, method: str, path: str, body: object, status: int, code: str
) -> None:
    answer = app.call(method, path, body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.headers["Content-Type"] == "application/problem+json"
    assert answer.json()["detail"]


def test_a_caller_without_a_key_gets_nowhere_but_health(world: World) -> None:
    assert requests.get(f"{world.url}/api/exports", timeout=30).status_code == 401
    assert requests.get(f"{world.url}/api/health", timeout=30).json() == {"status": "ok"}


def test_a_missing_email_column_fails_the_run_before_anything_is_sent(world: World, app: App) -> None:
    assert world.account is not None
    world.upload_files([("mailless/mailless_1.csv", b"CustomerId,FirstName\r\n1,Ada\r\n")])
    export = {**EXPORT, "segments": ["mailless"], "schedule": {"kind": "none"}}
    assert app.call("PUT", "/exports/mailless?validate=false", export).status_code == 201
    sent = len(bulk_requests(world))
    run = app.wait_for(app.start("mailless"))
    assert (run["status"], run["problem"]["code"]) == ("failed", "email_column_missing")
    told = (
        "The segment has no column EMail among its 2. Choose another column for 'Email' in the data matching "
        "(dataMatching.email) of the export."
    )
    assert run["problem"]["message"] == told  # their names may be a person's
    assert len(bulk_requests(world)) == sent


@pytest.mark.parametrize("form", ["forbidden", "login_page"])
def test_a_refused_key_makes_the_run_wait_until_it_is_canceled(world: World, app: App, form: str) -> None:
    assert world.account is not None
    export_id = app.export(f"rotated-{form.replace('_', '-')}")
    world.account.set_switches(bad_key=form)
    world.account.set_key("new-key")
    sent = len(bulk_requests(world))
    run_id = app.start(export_id)
    run = app.wait_for(run_id, "waiting", "failed")
    assert (run["status"], run["waiting"]["code"], run["waiting"]["culprit"]) == (
        "waiting",
        "credentials_refused",
        "user",
    )
    assert len(bulk_requests(world)) == sent
    assert app.call("POST", f"/runs/{run_id}/cancel").status_code == 202
    assert app.wait_for(run_id)["status"] == "canceled"


def test_a_run_that_waits_goes_on_when_the_new_key_is_given_to_the_app(world: World, app: App) -> None:
    assert world.account is not None
    run_id = app.start(app.export("rotated"))
    world.account.set_key("new-key")
    try:
        app.wait_for(run_id, "waiting")
        saved = app.call("PUT", "/connections/demo", {**CONNECTION, "apiKey": "new-key"}, headers={"If-Match": "*"})
        assert saved.status_code == 200, saved.text
        run = app.wait_for(run_id)
    finally:
        world.account.set_key(API_KEY)
        app.call("PUT", "/connections/demo", CONNECTION, headers={"If-Match": "*"})
    assert run["tally"]["confirmed"] == SEGMENT.expected.contacts
    assert run["tally"]["unconfirmed"] == 0


def test_unusable_settings_are_all_named_and_health_says_so(world: World, app: App) -> None:
    world.stop_host()
    try:
        world.start_host({"KEY_VAULT_URI": "http://vault", "LANES": "99", "SEGMENT_CONTAINER": ""})
        health = requests.get(f"{world.url}/api/health", timeout=30)
        assert (health.status_code, health.json()["status"]) == (503, "unusable")
        problem = app.call("GET", "/exports").json()
        assert problem["code"] == "unusable_settings"
        for name in ("KEY_VAULT_URI", "LANES", "SEGMENT_CONTAINER"):
            assert name in problem["detail"]
    finally:
        world.stop_host()
        world.start_host()
