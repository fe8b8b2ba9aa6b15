"""What schemathesis makes of the OpenAPI document is answered as the document says, whatever is sent."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

import schemathesis
from hypothesis import HealthCheck, settings

from exporter.api.http import HttpRequest
from exporter.api.routes import answer
from tests.api.client import CONNECTION, EXPORT, Api, with_function_key
from tests.builders import people, write_segment
from tests.fakes import Fakes

KEY = "function-key"


def wsgi(fakes: Fakes) -> Callable[[Mapping[str, Any], Callable[..., Any]], Iterable[bytes]]:
    """Return the interface as a WSGI application."""

    def app(environ: Mapping[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        headers = {k[5:].replace("_", "-").lower(): v for k, v in environ.items() if k.startswith("HTTP_")}
        if environ.get("CONTENT_TYPE"):
            headers["content-type"] = environ["CONTENT_TYPE"]
        if headers.get("x-functions-key") != KEY and not environ["PATH_INFO"].endswith("/health"):
            start_response("401 -", [])  # as the Functions host does
            return []
        path = environ["PATH_INFO"].encode("latin-1").decode("utf-8", "replace").removeprefix("/api")
        query = parse_qsl(environ["QUERY_STRING"], keep_blank_values=True)
        body = environ["wsgi.input"].read(int(environ.get("CONTENT_LENGTH") or 0))
        response = answer(lambda: fakes.services, HttpRequest(environ["REQUEST_METHOD"], path, query, headers, body))
        start_response(f"{response.status} -", list(response.headers.items()))
        return [response.body]

    return app


def prepared() -> Api:
    api = with_function_key()
    write_segment(api.fakes, people(3))
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    return api


schema = schemathesis.openapi.from_wsgi("/api/openapi.json", wsgi(prepared().fakes), headers={"x-functions-key": KEY})
# A request that fits the schema may still be refused: for what it names, or for what somebody else has changed.
schema.config.checks.positive_data_acceptance.expected_statuses = ["2xx", "401", "404", "409", "412", "422", "428"]


@schema.parametrize()
@settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_answers_as_documented(case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(headers={"x-functions-key": KEY})
