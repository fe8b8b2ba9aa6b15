"""Each function answers its own operations only, whatever host a caller names and however a path is encoded."""

from __future__ import annotations

import azure.functions as func
import orjson
import pytest

import function_app
from tests.api.client import CONNECTION, EXPORT, Api, with_function_key

HOSTS = (
    "app.example",
    "evil/api/connections?",
    "evil/api/exports/newsletter?",
    "evil/api/audit/2026-11-18#",
    "evil@app.example/api/connections;",
    "evil\\api\\connections",
    "evil/api/runs/x/rejects?",
    "[::1]/api/connections?",
    "",
)
PATHS = ("", "/api/health", "/api/connections", "/api/health/../connections", "/api/runs%2Fx%2Frejects")
FUNCTIONS = {
    "health": (function_app.health, {}, "/health"),
    "run_status": (function_app.run_status, {"id": "x"}, "/runs/x"),
    "run_export": (function_app.run_export, {"id": "newsletter"}, "/exports/newsletter/runs"),
}


@pytest.fixture
def api(monkeypatch: pytest.MonkeyPatch) -> Api:
    api = with_function_key()
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    monkeypatch.setattr("exporter.triggers.bootstrap.services", lambda: api.fakes.services)
    return api


def call(name: str, method: str, url: str, **parameters: str) -> tuple[int, dict[str, object]]:
    function, own, _ = FUNCTIONS.get(name, (function_app.api, {}, ""))
    request = func.HttpRequest(method, url, headers={}, params={}, route_params=own | parameters, body=b"")
    response = function.build().get_user_function()(request)
    return response.status_code, orjson.loads(response.get_body() or b"{}")


@pytest.mark.parametrize("name", FUNCTIONS)
@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("host", HOSTS)
def test_the_url_does_not_choose_the_operation(api: Api, name: str, host: str, path: str) -> None:
    status, body = call(name, "GET", f"http://{host}{path}")
    plain = api.get(FUNCTIONS[name][2])
    assert (status, set(body)) in (
        (plain.status, set(plain.json)),
        (422, {"type", "title", "status", "code", "detail", "culprit", "members"}),  # a query that it does not take
    )
    assert "main" not in str(body)


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE"])
def test_the_anonymous_function_changes_nothing(api: Api, method: str) -> None:
    before = {path: blob.data for path, blob in api.fakes.blobs.stored.items()}
    for host in HOSTS:
        assert call("health", method, f"http://{host}/api/health")[0] == 405
    assert {path: blob.data for path, blob in api.fakes.blobs.stored.items()} == before


@pytest.mark.parametrize("run_id", ["x%2Frejects", "x%2frejects", "x/rejects", "..%2Fconnections", "../connections"])
def test_an_encoded_slash_in_an_id_leads_nowhere(api: Api, run_id: str) -> None:
    assert call("run_status", "GET", "http://app.example/", id=run_id)[1]["code"] == "run_not_found"
    assert call("run_export", "GET", "http://app.example/", id=run_id)[1]["code"] == "export_not_found"


@pytest.mark.parametrize("path", ["segments/folder/People", "segments/folder%2FPeople", "segments/folder%2fPeople"])
def test_a_segment_may_be_named_with_an_encoded_slash(api: Api, path: str) -> None:
    status, body = call("api", "GET", "http://app.example/", path=path)
    assert (status, body["code"]) == (404, "segment_not_found")
    assert "'folder/People'" in str(body["detail"])


def test_nothing_is_at_the_root(api: Api) -> None:
    assert call("api", "GET", "http://app.example/api/")[1]["code"] == "no_such_path"
