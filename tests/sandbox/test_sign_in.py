"""What stands before the host in place of App Service authentication: who gets through, and as whom."""

from __future__ import annotations

import base64
import json
import time
from collections.abc import Mapping
from http import HTTPStatus
from urllib.parse import urlencode

import pytest

from sandbox.loopback import Answer, Request, Server
from sandbox.sign_in import CALLBACK, COOKIE, PEOPLE, SignIn, forward_to

FORGED = {
    "x-ms-client-principal": base64.b64encode(b'{"claims": [{"typ": "roles", "val": "Admin"}]}').decode(),
    "x-ms-client-principal-name": "mallory",
    "x-ms-client-principal-id": "1",
    "x-ms-client-principal-roles": "Admin",
    "x-ms-token-aad-id-token": "x",
}


class Host:
    """Remembers what got through to it."""

    def __init__(self) -> None:
        self.seen: list[Request] = []
        self.sign_in = SignIn(self.answer)

    def answer(self, request: Request) -> Answer:
        self.seen.append(request)
        return Answer(HTTPStatus.OK)

    def get(self, target: str, headers: Mapping[str, str] | None = None) -> int:
        return self.sign_in.answer(Request("GET", target, headers or {}, b"")).status

    def session(self, who: str, to: str = "/") -> Answer:
        return self.sign_in.answer(Request("POST", CALLBACK, {}, urlencode({"person": who, "to": to}).encode()))


def cookie_of(answer: Answer) -> dict[str, str]:
    return {"cookie": answer.headers["Set-Cookie"].partition(";")[0]}


@pytest.fixture
def host() -> Host:
    return Host()


def bearer(host: Host, who: str) -> dict[str, str]:
    return {"authorization": f"Bearer {host.sign_in.token(who)}"}


@pytest.mark.parametrize(
    "headers", [{}, FORGED, {"authorization": "Bearer x"}, {"cookie": f"{COOKIE}=x"}, {"x-functions-key": "x"}]
)
def test_who_is_not_signed_in_gets_401_and_no_page_to_go_to(host: Host, headers: dict[str, str]) -> None:
    assert host.get("/api/exports", headers) == 401
    assert host.seen == []


@pytest.mark.parametrize("who", PEOPLE)
def test_the_host_is_told_who_calls_whatever_the_caller_says(host: Host, who: str) -> None:
    for own in (bearer(host, who), cookie_of(host.session(who))):
        assert host.get("/api/exports", {**FORGED, **own}) == 200
        headers = host.seen.pop().headers
        claims = json.loads(base64.b64decode(headers["x-ms-client-principal"]))["claims"]
        assert [claim["val"] for claim in claims if claim["typ"] == "roles"] == list(PEOPLE[who].roles)
        assert headers["x-ms-client-principal-name"] == PEOPLE[who].mail
        assert headers["x-ms-client-principal-id"] == PEOPLE[who].object_id
        assert {name for name in headers if name.startswith("x-ms-")} == set(PEOPLE[who].headers())


@pytest.mark.parametrize("path", ["/api/health", "/api/console", "/api/console/app.js", "/api/consolers"])
def test_an_excluded_path_is_open_and_whatever_is_claimed_there_gets_through(host: Host, path: str) -> None:
    assert host.get(path, FORGED) == 200
    assert host.seen[0].headers == FORGED


@pytest.mark.parametrize("path", ["/api/health/../exports", "/api/console/%2e%2e/exports", "/api/exports/api/health"])
def test_a_path_that_only_begins_or_ends_like_an_excluded_one_is_not(host: Host, path: str) -> None:
    assert host.get(path, FORGED) == 401


def test_signing_in_leads_back_to_a_path_of_the_app_and_nowhere_else(host: Host) -> None:
    page = host.sign_in.answer(Request("GET", "/.auth/login/aad?post_login_redirect_uri=/api/console", {}, b""))
    assert b'name="to" value="/api/console"' in page.body
    assert all(person.name.encode() in page.body for person in PEOPLE.values())
    signed_in = host.session("viewer", "/api/console")
    assert (signed_in.status, signed_in.headers["Location"]) == (302, "/api/console")
    for elsewhere in ("https://evil.example", "//evil.example", "/\\evil.example", "/a\r\nX: y"):
        assert host.session("viewer", elsewhere).headers["Location"] == "/"
    assert host.session("nobody").status == 401


def test_who_signs_out_is_signed_out_and_nobody_else(host: Host) -> None:
    mine, yours = cookie_of(host.session("viewer")), cookie_of(host.session("viewer"))
    out = host.sign_in.answer(Request("GET", "/.auth/logout?post_logout_redirect_uri=/api/console", mine, b""))
    assert (out.status, out.headers["Location"]) == (302, "/api/console")
    assert "Max-Age=0" in out.headers["Set-Cookie"]
    assert (host.get("/api/exports", mine), host.get("/api/exports", yours)) == (401, 200)


def test_sessions_and_tokens_end(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    session, token = cookie_of(host.session("viewer")), bearer(host, "viewer")
    now = time.time()
    monkeypatch.setattr("sandbox.sign_in.time.time", lambda: now + 3599)
    assert (host.get("/api/exports", session), host.get("/api/exports", token)) == (200, 200)
    monkeypatch.setattr("sandbox.sign_in.time.time", lambda: now + 3601)
    assert (host.get("/api/exports", session), host.get("/api/exports", token)) == (401, 401)


def test_all_sessions_can_be_ended_at_once(host: Host) -> None:
    session = cookie_of(host.session("viewer"))
    host.sign_in.end_sessions()
    assert host.get("/api/exports", session) == 401


def test_once_it_is_off_everything_gets_through_as_it_comes(host: Host) -> None:
    host.sign_in.is_on = False
    assert host.get("/api/exports", FORGED) == 200
    assert host.seen[0].headers == FORGED


def test_a_request_and_its_answer_are_handed_on_as_they_are() -> None:
    seen: list[Request] = []

    def host(request: Request) -> Answer:
        seen.append(request)
        return Answer(418, {"X-Answer": "1"}, b"" if request.method == "HEAD" else b"tea")

    server = Server(host)
    try:
        forward = forward_to(server.port)
        answer = forward(Request("POST", "/api/x%2Fy?a=1&a=2", {"host": "app.example", "x-one": "é"}, b"body"))
        assert (answer.status, answer.headers["X-Answer"], answer.body) == (418, "1", b"tea")
        assert (seen[0].method, seen[0].target, seen[0].body) == ("POST", "/api/x%2Fy?a=1&a=2", b"body")
        assert (seen[0].headers["host"], seen[0].headers["x-one"]) == ("app.example", "é")
        assert forward(Request("GET", "/a b", {"host": "x"}, b"")).status == 400
        assert forward(Request("HEAD", "/", {"host": "x"}, b"")).body == b""
    finally:
        server.close()
    assert forward_to(server.port)(Request("GET", "/", {"host": "x"}, b"")).status == 502
