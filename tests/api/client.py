"""Calls to the HTTP interface without HTTP: what the triggers do, on the fakes."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from exporter.api.http import HttpRequest, Response
from exporter.api.routes import answer
from tests.fakes import Fakes, make_fakes

CONNECTION = {"displayName": "Main account", "host": "acme.api-us1.com", "apiKey": "key-1", "consent": True}
EXPORT = {
    "displayName": "Newsletter",
    "connectionId": "main",
    "listId": 1,
    "segments": ["people"],
    "schedule": {"kind": "none"},
    "dataMatching": {"email": "EMail", "firstName": "FirstName"},
}


def principal(*roles: str, name: str = "grace@contoso.example", object_id: str = "0b1e") -> dict[str, str]:
    """Return the headers with which App Service authentication names a user with these app roles."""
    claims = [{"typ": "roles", "val": role} for role in roles] + [{"typ": "oid", "val": object_id}]
    value = orjson.dumps({"auth_typ": "aad", "claims": claims, "name_typ": "name", "role_typ": "roles"})
    return {"x-ms-client-principal": base64.b64encode(value).decode(), "x-ms-client-principal-name": name}


@dataclass(frozen=True)
class Answer:
    """An answer with its JSON."""

    response: Response

    @property
    def status(self) -> int:
        return self.response.status

    @property
    def headers(self) -> Mapping[str, str]:
        return self.response.headers

    @property
    def json(self) -> Any:
        return orjson.loads(self.response.body)

    @property
    def code(self) -> str | None:
        return self.response.code


@dataclass(frozen=True)
class Api:
    """A caller; `headers` go along with each call."""

    fakes: Fakes
    headers: Mapping[str, str]

    def call(
        self,
        method: str,
        path: str,
        body: object = None,
        *,
        query: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        headers: Mapping[str, str] | None = None,
    ) -> Answer:
        """Call; a body that is not bytes is sent as JSON. A query with repeated names is a sequence of pairs."""
        pairs = query.items() if isinstance(query, Mapping) else query
        sent = body if isinstance(body, bytes) else b"" if body is None else orjson.dumps(body)
        all_headers = {**self.headers, **({"content-type": "application/json"} if sent else {}), **(headers or {})}
        lower = {name.lower(): value for name, value in all_headers.items()}
        return Answer(answer(lambda: self.fakes.services, HttpRequest(method, path, tuple(pairs), lower, sent)))

    def get(self, path: str, **options: Any) -> Answer:
        return self.call("GET", path, **options)

    def put(self, path: str, body: object, **options: Any) -> Answer:
        return self.call("PUT", path, body, **options)

    def post(self, path: str, body: object = None, **options: Any) -> Answer:
        return self.call("POST", path, body, **options)

    def delete(self, path: str, **options: Any) -> Answer:
        return self.call("DELETE", path, **options)

    def as_user(self, *roles: str, name: str = "grace@contoso.example") -> Api:
        """Return somebody else, signed in with these app roles; only of use in a world made with `signed_in`."""
        return Api(self.fakes, principal(*roles, name=name))


def with_function_key() -> Api:
    """Return who holds a function key, in a new world."""
    return Api(make_fakes(), {})


def signed_in(*roles: str) -> Api:
    """Return a user with these app roles, in a new world with sign-in."""
    return Api(make_fakes(SIGN_IN="entra", WEBSITE_AUTH_ENABLED="True"), principal(*roles))
