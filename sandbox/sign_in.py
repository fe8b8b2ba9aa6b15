"""Stand-in for App Service authentication with Microsoft Entra, in front of the host, as the template switches it on.

https://learn.microsoft.com/azure/app-service/overview-authentication-authorization#how-it-works
https://learn.microsoft.com/azure/app-service/configure-authentication-customize-sign-in-out

Whoever is signed in, by a token or by the session of a browser, gets through, named by headers that callers cannot set;
everybody else is answered with 401 (`Return401`). In place of Microsoft's pages, one lists a few people to choose from.
"""

import base64
import html
import http.client
import json
import posixpath
import secrets
import threading
import time
import uuid
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from http.cookies import CookieError, SimpleCookie
from urllib.parse import parse_qs, unquote

from sandbox.loopback import Answer, Request

COOKIE = "AppServiceAuthSession"
SESSION_S, TOKEN_S = 3600.0, 3600.0
"""How long a session lasts, as `cookieExpiration` of the template has it, and a token, about as in Microsoft Entra."""
EXCLUDED = ("/api/health", "/api/console")
"""`excludedPaths` of the template. They are taken as beginnings of paths, and on them a caller's own headers get
through: the documentation says neither, so the app has to bear both."""
CALLBACK = "/.auth/login/aad/callback"
PRINCIPAL, TOKENS = "x-ms-client-principal", "x-ms-token-aad"
CLAIMS = "http://schemas.xmlsoap.org/ws/2005/05/identity/claims"
ROLE = "http://schemas.microsoft.com/ws/2008/06/identity/claims/role"
OBJECT_ID = "http://schemas.microsoft.com/identity/claims/objectidentifier"
NOT_FORWARDED = {"connection", "content-length", "keep-alive", "transfer-encoding", "upgrade"}


@dataclass(frozen=True)
class Person:
    """Somebody of the tenant, with app roles."""

    name: str
    mail: str
    roles: tuple[str, ...]

    @property
    def object_id(self) -> str:
        """The same in every sandbox, as the id of a person in Microsoft Entra stays the same."""
        return str(uuid.uuid5(uuid.NAMESPACE_URL, self.mail))

    def headers(self) -> dict[str, str]:
        """Return how the app is told who calls."""
        claims = [
            *(("roles", role) for role in self.roles),
            (OBJECT_ID, self.object_id),
            ("name", self.name),
            ("preferred_username", self.mail),
        ]
        principal = {
            "auth_typ": "aad",
            "claims": [{"typ": kind, "val": value} for kind, value in claims],
            "name_typ": f"{CLAIMS}/emailaddress",
            "role_typ": ROLE,
        }
        return {
            PRINCIPAL: base64.b64encode(json.dumps(principal).encode()).decode(),
            f"{PRINCIPAL}-id": self.object_id,
            f"{PRINCIPAL}-idp": "aad",
            f"{PRINCIPAL}-name": self.mail,
        }


PEOPLE = {
    "admin": Person("Ayu Admin", "ayu@contoso.example", ("Admin",)),
    "contributor": Person("Citra Contributor", "citra@contoso.example", ("Contributor",)),
    "viewer": Person("Vito Viewer", "vito@contoso.example", ("Viewer",)),
    "no-role": Person("Nia Norole", "nia@contoso.example", ()),
}
"""Who can sign in, by the word that chooses them."""


class SignIn:
    """What answers in place of the host, and hands on to it what may get through.

    `is_on`: whether nobody has switched it off behind the app's back. If somebody has, everything gets through as it
    comes, forged headers as well.
    """

    def __init__(self, forward: Callable[[Request], Answer]) -> None:
        """`forward` hands a request on to the host."""
        self.is_on = True
        self._forward = forward
        self._until: dict[str, tuple[Person, float]] = {}
        self._lock = threading.Lock()

    def token(self, who: str) -> str:
        """Return a bearer token for one of `PEOPLE`, as `az account get-access-token` does."""
        return self._issue(PEOPLE[who], TOKEN_S)

    def end_sessions(self) -> None:
        """End every session and token, as if their time were over."""
        with self._lock:
            self._until.clear()

    def answer(self, request: Request) -> Answer:
        """Answer a request, or have the host do so."""
        if not self.is_on:
            return self._forward(request)
        if request.path.startswith("/.auth/"):
            return self._sign_in_or_out(request)
        if person := self._who(request.headers):
            return self._forward(_with_headers(request, person.headers()))
        if _is_excluded(request.path):
            return self._forward(request)
        body = b"You do not have permission to view this directory or page."
        headers = {"Content-Type": "text/html", "WWW-Authenticate": f'Bearer realm="{request.headers.get("host", "")}"'}
        return Answer(HTTPStatus.UNAUTHORIZED, headers, body)

    def _who(self, headers: Mapping[str, str]) -> Person | None:
        kind, _, token = headers.get("authorization", "").partition(" ")
        known, until = self._until.get(token if kind.lower() == "bearer" else _session_of(headers), (None, 0.0))
        return known if time.time() < until else None

    def _issue(self, person: Person, seconds: float) -> str:
        key = secrets.token_urlsafe(32)
        with self._lock:
            self._until[key] = (person, time.time() + seconds)
        return key

    def _sign_in_or_out(self, request: Request) -> Answer:
        match request.method, request.path:
            case "GET", "/.auth/login/aad":
                return _choice(request.query.get("post_login_redirect_uri", "/"))
            case "POST", path if path == CALLBACK:
                given = parse_qs(request.body.decode(errors="replace"))
                person = PEOPLE.get(given.get("person", [""])[0])
                if person is None:
                    return Answer(HTTPStatus.UNAUTHORIZED)
                cookie = f"{COOKIE}={self._issue(person, SESSION_S)}; path=/; HttpOnly"
                return _redirect(given.get("to", ["/"])[0], cookie)
            case "GET", "/.auth/logout":
                with self._lock:
                    self._until.pop(_session_of(request.headers), None)
                to = request.query.get("post_logout_redirect_uri", "/")
                return _redirect(to, f"{COOKIE}=; path=/; HttpOnly; Max-Age=0")
            case _:
                return Answer(HTTPStatus.NOT_FOUND)


def forward_to(port: int) -> Callable[[Request], Answer]:
    """Return what hands a request on to a server of this machine; 502 while there is none."""

    def forward(request: Request) -> Answer:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        try:
            connection.putrequest(request.method, request.target, skip_host=True, skip_accept_encoding=True)
            for name, value in request.headers.items():
                if name not in NOT_FORWARDED:
                    connection.putheader(name, value.encode("latin-1"))
            connection.putheader("Content-Length", str(len(request.body)))
            connection.endheaders(request.body)
            found = connection.getresponse()
            headers = {name: value for name, value in found.getheaders() if name.lower() not in _OF_THE_CONNECTION}
            if request.method == "HEAD" and (length := found.getheader("Content-Length")):
                headers["Content-Length"] = length
            return Answer(found.status, headers, found.read())
        except (ValueError, http.client.InvalidURL):  # a path or a header that no client library would send
            return Answer(HTTPStatus.BAD_REQUEST)
        except (OSError, http.client.HTTPException):
            return Answer(HTTPStatus.BAD_GATEWAY)
        finally:
            connection.close()

    return forward


_OF_THE_CONNECTION = {"connection", "content-length", "date", "server", "transfer-encoding"}


def _with_headers(request: Request, own: Mapping[str, str]) -> Request:
    """Return the request with these headers, and without what the caller claims to be."""
    kept = {name: value for name, value in request.headers.items() if not name.startswith((PRINCIPAL, TOKENS))}
    return Request(request.method, request.target, {**kept, **own}, request.body)


def _is_excluded(path: str) -> bool:
    return posixpath.normpath(unquote(path)).startswith(EXCLUDED)


def _session_of(headers: Mapping[str, str]) -> str:
    try:
        cookie = SimpleCookie(headers.get("cookie", "")).get(COOKIE)
    except CookieError:
        return ""
    return cookie.value if cookie else ""


def _choice(to: str) -> Answer:
    """Return the page on which somebody chooses who they are."""
    buttons = "".join(
        f'<p><button name="person" value="{word}">{html.escape(person.name)} ({", ".join(person.roles) or "no role"})'
        "</button></p>"
        for word, person in PEOPLE.items()
    )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><title>Sign in to the sandbox</title>'
        "<h1>Who are you?</h1><p>In Azure, this is the page of Microsoft Entra.</p>"
        f'<form method="post" action="{CALLBACK}"><input type="hidden" name="to" value="{html.escape(to)}">{buttons}'
        "</form></html>"
    )
    return Answer(HTTPStatus.OK, {"Content-Type": "text/html; charset=utf-8"}, page.encode())


def _redirect(to: str, cookie: str) -> Answer:
    """Return the way back, to a path of this app only."""
    is_path = to.startswith("/") and not to.startswith(("//", "/\\")) and to.isprintable()
    return Answer(HTTPStatus.FOUND, {"Location": to if is_path else "/", "Set-Cookie": cookie})
