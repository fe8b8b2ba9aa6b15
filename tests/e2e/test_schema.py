"""The running app answers as its OpenAPI document says, through Microsoft's worker library."""

from __future__ import annotations

from typing import Any

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.core.result import Ok

from sandbox.world import World
from tests.e2e.app import App

pytestmark = pytest.mark.e2e

CHECKED = ["2xx", "401", "404", "409", "412", "422", "428"]
"""A request that fits the schema may still be refused: for what it names, or for what somebody else has changed."""


def test_every_operation_that_reads_answers_as_documented(world: World, app: App) -> None:
    key = {"x-functions-key": world.function_key}
    document = schemathesis.openapi.from_url(f"{world.url}/api/openapi.json", headers=key)
    document.config.checks.positive_data_acceptance.expected_statuses = CHECKED
    for found in document.include(method="GET").get_all_operations():
        assert isinstance(found, Ok)

        @given(case=found.ok().as_strategy())
        @settings(max_examples=5, deadline=None, suppress_health_check=list(HealthCheck))
        def answers_as_documented(case: schemathesis.Case[Any]) -> None:
            case.call_and_validate(headers=key)

        answers_as_documented()


def test_head_and_options_reach_the_app_through_the_host(world: World, app: App) -> None:
    got, head = app.call("GET", "/health"), app.call("HEAD", "/health")
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["Content-Length"] == str(len(got.content))
    found = app.call("OPTIONS", "/exports/any/runs")
    assert (found.status_code, found.headers["Allow"]) == (204, "GET, HEAD, OPTIONS, POST")
    without_key = requests.options(f"{world.url}/api/exports", timeout=60)
    assert without_key.status_code == 401, "the host wants a key whatever the method"


@pytest.mark.parametrize("query", ["top=5&top=5", "dry=", "dry"])
def test_a_query_reaches_the_app_as_it_was_sent(app: App, query: str) -> None:
    refused = app.call("GET", f"/exports?{query}")
    assert (refused.status_code, refused.json()["code"]) == (422, "invalid_query")
