"""Safe to call: strict, bounded, and problems that tell no secrets."""

from __future__ import annotations

import logging
import re

import orjson
import pytest

from exporter import triggers
from exporter.api.http import NEVER_KEPT, STATUS_OF, TITLES, HttpRequest
from exporter.api.inputs import MAX_BODY_BYTES
from exporter.api.operations import Route, inputs_of
from exporter.api.routes import ROUTES, answer
from exporter.errors import Stop, Unavailable
from tests.api.client import CONNECTION, EXPORT, Answer, Api, with_function_key
from tests.builders import make_export

BODIES: dict[str, object] = {
    "saveConnection": CONNECTION,
    "saveExport": EXPORT,
    "duplicateExport": {"id": "second"},
    "testConnection": {"connectionId": "main"},
    "previewDefinition": EXPORT,
    "findPerson": {"email": "x"},
    "lookUpInRun": {"email": "x"},
    "approveRun": {"causes": [{"code": "size_changed", "numbers": {}}], "membership": "0" * 64},
}
NEEDED = {"listNextTimes": {"cron": "0 6 * * *"}}
"""The queries of operations that take none without."""


def example(route: Route) -> str:
    """Return a path of the operation."""
    return re.sub(r"<(?:path:)?\w+>", "main", route.path)


@pytest.fixture
def api() -> Api:
    return with_function_key()


def test_a_problem_has_the_members_of_rfc_9457_and_a_stable_code(api: Api) -> None:
    problem = api.get("/exports/nothing")
    assert problem.headers["Content-Type"] == "application/problem+json"
    assert problem.json == {
        "type": "about:blank",
        "title": "Not found",
        "status": 404,
        "code": "export_not_found",
        "detail": "There is no export with this id. GET /exports lists them.",
        "culprit": "user",
    }


@pytest.mark.parametrize("path", ["/exports", "/nothing", "/exports/nothing", "/health"])
def test_no_answer_is_kept_or_guessed_at(api: Api, path: str) -> None:
    assert api.get(path).headers.items() >= NEVER_KEPT.items()


def test_browsers_come_back_over_https_only_whatever_was_answered(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.triggers.bootstrap.services", lambda: api.fakes.services)
    seen = {"if-none-match": "*"}
    calls = [
        triggers.answer(method, path.split("/"), "https://app.example", headers, b"")
        for method, path, headers in (
            ("GET", "exports", {}),
            ("GET", "exports", seen),
            ("HEAD", "health", {}),
            ("GET", "openapi.json", {}),
            ("OPTIONS", "exports", {}),
            ("DELETE", "exports/nothing", {}),
            ("PATCH", "exports", {}),
        )
    ]
    files = [triggers.console(method, path, {}) for method in ("GET", "OPTIONS", "POST") for path in ("", "icon.svg")]
    assert {status for status, _, _ in calls} == {200, 304, 204, 404, 405}
    assert {headers.get("Strict-Transport-Security") for _, headers, _ in (*calls, *files)} == {"max-age=31536000"}


def test_a_path_that_is_not_there_and_a_method_that_is_wrong_are_told_apart(api: Api) -> None:
    assert api.get("/nothing").code == "no_such_path"
    for method in ("GET", "HEAD", "PATCH", "PUT"):
        for path in ("/exports/", "/exports//x", ""):
            assert api.call(method, path).code == "no_such_path"
    wrong = api.call("PATCH", "/exports/newsletter")
    assert (wrong.status, wrong.code, wrong.headers["Allow"]) == (
        405,
        "method_not_allowed",
        "DELETE, GET, HEAD, OPTIONS, PUT",
    )
    assert api.post("/health").status == 405


def test_head_is_get_without_the_body_and_says_how_long_it_would_be(api: Api) -> None:
    make_export(api.fakes)
    for path in ("/exports/newsletter", "/exports/nothing", "/nothing", "/health", "/openapi.json"):
        got, head = api.get(path), api.call("HEAD", path)
        assert (head.status, head.response.body) == (got.status, b"")
        assert head.headers == {**got.headers, "Content-Length": str(len(got.response.body))}


def test_options_names_the_methods_of_a_path(api: Api) -> None:
    found = api.call("OPTIONS", "/exports/newsletter")
    assert (found.status, found.headers["Allow"], found.response.body) == (204, "DELETE, GET, HEAD, OPTIONS, PUT", b"")
    assert api.call("OPTIONS", "/runs/any/lookup").headers["Allow"] == "OPTIONS, POST"
    for path in ("/nothing", "/exports/", "/exports//x"):
        assert api.call("OPTIONS", path).code == "no_such_path"


@pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.name)
def test_every_operation_refuses_parameters_that_it_does_not_know(api: Api, route: Route) -> None:
    refused = api.call(
        route.method, example(route), BODIES.get(route.name), query=NEEDED.get(route.name, {}) | {"dry": "true"}
    )
    assert (refused.status, refused.code) == (422, "invalid_query")
    assert refused.json["members"] == ["dry: unknown"]


@pytest.mark.parametrize("route", [r for r in ROUTES if "body" not in inputs_of(r)], ids=lambda route: route.name)
@pytest.mark.parametrize("body", [b"{}", b" ", b"dry=true"])
def test_an_operation_that_takes_no_body_refuses_one(api: Api, route: Route, body: bytes) -> None:
    refused = api.call(route.method, example(route), body)
    assert (refused.status, refused.code) == (422, "invalid_body")
    assert "does not accept a request body" in refused.json["detail"]


def test_what_is_refused_for_its_input_changes_nothing_and_leaves_no_audit_entry(api: Api) -> None:
    make_export(api.fakes)
    before = dict(api.fakes.blobs.stored)
    assert api.post("/exports/newsletter/pause", query={"dry": "true"}).status == 422
    assert api.delete("/exports/newsletter", query={"detach": "true"}).status == 422
    assert api.fakes.blobs.stored == before


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ("top=5&top=5", ["top: is given more than once"]),
        ("after=a&top=5&after=b", ["after: is given more than once"]),
        ("top=", ["top: Input should be a valid integer, unable to parse string as an integer"]),
        ("dry", ["dry: unknown"]),
        ("code=x&code=y", None),
    ],
)
def test_the_query_is_what_the_url_says(
    api: Api, monkeypatch: pytest.MonkeyPatch, query: str, told: list[str] | None
) -> None:
    monkeypatch.setattr("exporter.triggers.bootstrap.services", lambda: api.fakes.services)
    status, _, body = triggers.answer("GET", ["exports"], f"https://app.example/api/exports?{query}", {}, b"")
    assert status == (422 if told else 200)
    assert orjson.loads(body).get("members") == told


@pytest.mark.parametrize("value", ["1", "0", "TRUE", "on", "yes", ""])
def test_a_switch_in_the_query_is_true_or_false(api: Api, value: str) -> None:
    refused = api.put("/exports/newsletter", EXPORT, query={"validate": value})
    assert (refused.code, refused.json["members"]) == ("invalid_query", ["validate: expected true or false"])
    assert api.delete("/connections/main", query={"detach": value}).code == "invalid_query"


def test_of_many_problems_the_first_are_told_and_how_many_more_there_are(api: Api) -> None:
    body = EXPORT | {f"unknown-member-of-no-use-{number}": 1 for number in range(21)}
    refused = api.put("/exports/newsletter", body)
    assert len(refused.json["members"]) == 21
    assert refused.json["members"][-1] == "and 1 more"
    assert refused.json["detail"].endswith("; and 1 more.")
    body.popitem()
    assert len(api.put("/exports/newsletter", body).json["members"]) == 20
    assert "more" not in api.put("/exports/newsletter", body).json["members"][-1]


def test_a_problem_is_short_however_much_is_wrong(api: Api) -> None:
    names = {f"{'x' * 50}{number}": 1 for number in range(1_000)}
    assert len(orjson.dumps(names)) > 50_000
    for code, refused in (
        ("invalid_body", api.put("/exports/newsletter", names)),
        ("invalid_body", api.put("/exports/newsletter", EXPORT | {"segments": [1] * 20_000})),
        ("invalid_query", api.get("/exports", query=dict.fromkeys(names, ""))),
    ):
        assert refused.code == code
        assert len(refused.response.body) < 5_000


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b'{"email": "a@example.com", "email": "b@example.com"}', ["email: is given more than once"]),
        (b'{"email": "a@example.com", "email": "a@example.com"}', ["email: is given more than once"]),
        (b'{"email": "a@example.com", "\\u0065mail": "b@example.com"}', ["email: is given more than once"]),
    ],
)
def test_a_member_that_is_given_twice_is_refused(api: Api, body: bytes, told: list[str]) -> None:
    refused = api.post("/runs/any/lookup", body)
    assert (refused.code, refused.json["members"]) == ("invalid_body", told)
    inner = orjson.dumps(EXPORT).replace(b'"dataMatching":{', b'"dataMatching":{"email":"x",')
    assert api.put("/exports/newsletter", inner).json["members"] == ["email: is given more than once"]


@pytest.mark.parametrize("charset", ["utf-16", "iso-8859-1", "utf8x"])
def test_another_charset_than_utf_8_is_refused(api: Api, charset: str) -> None:
    header = {"content-type": f"application/json; charset={charset}"}
    assert api.put("/exports/newsletter", EXPORT, headers=header).code == "wrong_content_type"
    header = {"content-type": 'application/json; charset="UTF-8"'}
    assert api.put("/exports/newsletter", EXPORT, headers=header).code == "no_such_connection"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 415, "wrong_content_type"),
        (b"{", 400, "malformed_body"),
        (b"[]", 400, "malformed_body"),
        (b'"text"', 400, "malformed_body"),
        (b"\xff\xfe", 400, "malformed_body"),
        (b"[" * 10_000, 400, "malformed_body"),
        (b" " * (MAX_BODY_BYTES + 1), 413, "body_too_large"),
        (b"{}", 422, "invalid_body"),
    ],
)
def test_a_body_that_is_no_small_json_object_is_refused(api: Api, body: bytes, status: int, code: str) -> None:
    refused = api.put("/exports/newsletter", body)
    assert (refused.status, refused.code) == (status, code)


def test_another_content_type_is_refused(api: Api) -> None:
    refused = api.put("/exports/newsletter", EXPORT, headers={"content-type": "text/plain"})
    assert (refused.status, refused.code) == (415, "wrong_content_type")
    accepted = api.put("/exports/newsletter", EXPORT, headers={"content-type": "Application/JSON; charset=utf-8"})
    assert accepted.code == "no_such_connection"


@pytest.mark.parametrize(
    ("query", "told"),
    [
        ({"tpo": "5"}, "tpo: unknown, did you mean top?"),
        ({"top": "0"}, "top: "),
        ({"top": "101"}, "top: "),
        ({"top": "five"}, "top: "),
    ],
)
def test_a_query_that_does_not_fit_is_refused(api: Api, query: dict[str, str], told: str) -> None:
    refused = api.get("/exports", query=query)
    assert (refused.status, refused.code) == (422, "invalid_query")
    assert told in refused.json["detail"]


def test_the_function_key_may_be_in_the_query(api: Api) -> None:
    assert api.get("/exports", query={"code": "the-key", "clientId": "default"}).status == 200


def test_values_and_odd_names_of_a_body_are_not_repeated(api: Api) -> None:
    body = EXPORT | {"listId": "jane@example.com", "jane@example.com": 1, "segments": ["jane@example.com"] * 2}
    refused = api.put("/exports/newsletter", body)
    assert refused.status == 422
    assert b"jane" not in refused.response.body
    refused = api.put("/connections/main", CONNECTION | {"apiKey": "white space in a-secret"})
    assert refused.status == 422
    assert b"secret in" not in refused.response.body
    assert b"a-secret" not in refused.response.body


def test_a_defect_tells_its_place_and_nothing_else(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    def broken(operation: str, path: str) -> None:
        raise ValueError("jane@example.com")

    api.fakes.blobs.before = broken
    with caplog.at_level(logging.ERROR, "exporter"):
        answer = api.get("/exports")
    assert (answer.status, answer.code, answer.json["culprit"]) == (500, "defect", "system")
    assert "jane" not in str(answer.json) + caplog.text
    assert "ValueError" in caplog.text


def test_when_storage_is_down_the_answer_says_when_to_come_back(api: Api) -> None:
    def down(operation: str, path: str) -> None:
        raise Unavailable("storage_unavailable", "Blob storage did not answer.")

    api.fakes.blobs.before = down
    for refused in (api.get("/exports"), api.put("/connections/main", CONNECTION)):
        assert (refused.status, refused.code, refused.headers["Retry-After"]) == (503, "storage_unavailable", "30")


@pytest.mark.parametrize(
    ("record", "told"),
    [
        (b'{"schemaVersion": 3}', (503, "newer_release")),
        (b'{"schemaVersion": 2}', (500, "record_unreadable")),
        (b"not JSON", (500, "record_unreadable")),
    ],
)
def test_a_record_that_this_release_cannot_read_is_a_problem_of_the_system(
    api: Api, record: bytes, told: tuple[int, str]
) -> None:
    make_export(api.fakes)
    api.fakes.blobs.put("records/exports/newsletter.json", record)
    answer = api.get("/exports/newsletter")
    assert (answer.status, answer.code, answer.json["culprit"]) == (*told, "system")


def test_every_status_has_a_title() -> None:
    assert set(STATUS_OF.values()) <= set(TITLES)


def test_unusable_settings_are_not_shown_to_strangers() -> None:
    def unusable() -> None:
        raise Stop("unusable_settings", "KEY_VAULT_URI is not set.")

    health = Answer(answer(unusable, HttpRequest("GET", "/health")))  # type: ignore[arg-type]  # makes no services
    assert (health.status, health.json) == (503, {"status": "unusable", "code": "unusable_settings"})
    other = Answer(answer(unusable, HttpRequest("GET", "/exports")))  # type: ignore[arg-type]  # likewise
    assert (other.status, other.code) == (503, "unusable_settings")


def test_the_trigger_hands_over_path_query_and_headers(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.triggers.bootstrap.services", lambda: api.fakes.services)
    make_export(api.fakes)
    status, headers, body = triggers.answer(
        "get",
        ["exports", "newsletter"],
        "https://app.example/api/exports/newsletter?code=x",
        {"If-Match": "*"},
        b"",
    )
    assert (status, headers["Content-Type"]) == (200, "application/json")
    assert b'"newsletter"' in body
