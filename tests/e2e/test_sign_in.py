"""The whole app behind the stand-in for App Service authentication: who gets through, as whom, and from where."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterator, Mapping

import pytest
import requests

from exporter.api.operations import Route
from exporter.api.routes import ROUTES
from sandbox.demo import CONNECTION
from sandbox.sign_in import CALLBACK, COOKIE, PEOPLE
from sandbox.world import World
from tests.api.test_api_access import CASES
from tests.e2e.app import QUICK, SEGMENT, App, inspected_world
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e

ROUTE = {route.name: route for route in ROUTES}
ID = {
    "<connection_id>": "nothing",
    "<export_id>": "nothing",
    "<run_id>": "nothing",
    "<path:name>": "x",
    "<day>": "2026-11-18",
}
"""Of nothing that is there: who may ask is decided before that is looked for."""


@pytest.fixture(scope="module")
def guarded() -> Iterator[World]:
    with inspected_world(SEGMENT, settings=QUICK, with_sign_in=True) as world:
        world.start_host()
        yield world


@pytest.fixture(scope="module")
def callers(guarded: World) -> dict[str, list[Mapping[str, str]]]:
    """Return, by caller, the headers with which each way of calling goes."""
    page = {"X-Requested-By": "console", "Origin": guarded.url, "Sec-Fetch-Site": "same-origin"}
    assert guarded.sign_in is not None
    key = {"x-functions-key": guarded.function_key}
    found: dict[str, list[Mapping[str, str]]] = {
        "nobody": [{}, key, {"x-functions-key": guarded.master_key}, forged(), {**forged(), **key}]
    }
    for who in PEOPLE:
        token, session = {"Authorization": f"Bearer {guarded.sign_in.token(who)}"}, session_of(guarded, who)
        found[who] = [token, {**session, **page}, {**token, **forged()}]
    return found


def forged() -> dict[str, str]:
    claims = {"claims": [{"typ": "roles", "val": "Admin"}], "role_typ": "roles"}
    principal = base64.b64encode(json.dumps(claims).encode()).decode()
    return {"X-MS-CLIENT-PRINCIPAL": principal, "X-MS-CLIENT-PRINCIPAL-NAME": "mallory"}


def session_of(world: World, who: str) -> dict[str, str]:
    answer = requests.post(f"{world.url}{CALLBACK}", {"person": who}, allow_redirects=False, timeout=30)
    return {"Cookie": f"{COOKIE}={answer.cookies[COOKIE]}"}


def call(world: World, route: Route, headers: Mapping[str, str]) -> requests.Response:
    path = route.path
    for parameter, value in ID.items():
        path = path.replace(parameter, value)
    return requests.request(route.method, f"{world.url}/api{path}", headers=dict(headers), timeout=60)


@pytest.mark.parametrize(("operation", "caller", "result"), [case for case in CASES if case[1] != "function-key"])
def test_each_person_may_do_what_the_table_says_by_token_and_by_session(
    guarded: World, callers: dict[str, list[Mapping[str, str]]], operation: str, caller: str, result: str
) -> None:
    for headers in callers[caller]:
        status = call(guarded, ROUTE[operation], headers).status_code
        assert status not in (401, 403) if result == "ok" else status == int(result), (status, sorted(headers))


@pytest.mark.parametrize("operation", [name for name, route in ROUTE.items() if route.role is not None])
def test_without_sign_in_nobody_gets_through_without_a_key_whoever_they_say_they_are(app: App, operation: str) -> None:
    for headers in ({}, forged(), {"Authorization": "Bearer x"}, {"Cookie": f"{COOKIE}=x"}):
        assert call(app.world, ROUTE[operation], headers).status_code == 401


def test_a_session_changes_something_from_the_apps_own_pages_only(
    guarded: World, callers: dict[str, list[Mapping[str, str]]]
) -> None:
    url, session = f"{guarded.url}/api/connections/demo", session_of(guarded, "admin")
    refused = requests.put(url, json=CONNECTION, headers={**session, "Origin": "https://evil.example"}, timeout=60)
    assert (refused.status_code, refused.json()["code"]) == (403, "cross_site_request")
    _, page, _ = callers["admin"]
    saved = requests.put(url, json=CONNECTION, headers=dict(page), timeout=60)
    assert (saved.status_code, saved.json()["createdBy"]) == (201, PEOPLE["admin"].mail)


def test_on_an_excluded_path_a_principal_is_nobody(guarded: World) -> None:
    for path in ("/api/health", "/api/console", "/api/console/../connections", "/api/consoles"):
        answer = requests.get(f"{guarded.url}{path}", headers=forged(), timeout=30)
        assert answer.status_code in (200, 401, 404)
        assert "mallory" not in answer.text


def test_a_timer_is_run_by_who_has_the_master_key_and_is_signed_in(
    guarded: World, callers: dict[str, list[Mapping[str, str]]]
) -> None:
    url, key = f"{guarded.url}/admin/functions/sweep", {"x-functions-key": guarded.master_key}
    token = callers["admin"][0]
    assert requests.post(url, "{}", headers=key, timeout=30).status_code == 401
    assert requests.post(url, "{}", headers=dict(token), timeout=30).status_code == 401
    assert requests.post(url, "{}", headers={**key, **token}, timeout=30).status_code == 202


def check_door(world: World, headers: Mapping[str, str]) -> dict[str, list[str]]:
    """Let the app test its door once more than it did when it started, and return what it says of that."""
    wait_for(lambda: '"action":"door_checked"' in world.host_log.read_text())
    before = world.host_log.read_text()
    answer = requests.post(f"{world.url}/admin/functions/check_door", "{}", headers=dict(headers), timeout=30)
    assert answer.status_code == 202

    def new() -> str:
        return world.host_log.read_text()[len(before) :]

    wait_for(lambda: '"action":"door_checked"' in new())
    events = [json.loads(found) for found in re.findall(r'\{"action":"door_\w+".*?\}', new())]
    return {
        "open": [event["path"] for event in events if event["action"] == "door_open"],
        "answers": [event["answers"] for event in events if event["action"] == "door_checked"],
    }


def test_the_door_is_closed_to_who_only_claims_to_be_somebody(
    guarded: World, callers: dict[str, list[Mapping[str, str]]]
) -> None:
    headers = {**callers["admin"][0], "x-functions-key": guarded.master_key}
    assert check_door(guarded, headers) == {"open": [], "answers": ["401 401 401 401 401"]}
    assert guarded.refused_hosts == []


def test_a_door_that_somebody_has_opened_is_found_open(
    guarded: World, callers: dict[str, list[Mapping[str, str]]]
) -> None:
    assert guarded.sign_in is not None
    guarded.sign_in.is_on = False
    try:
        found = check_door(guarded, {"x-functions-key": guarded.master_key})
    finally:
        guarded.sign_in.is_on = True
    assert found["open"][:1] == ["/api/me"]
