"""The running app answers as its OpenAPI document says, through Microsoft's worker library."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings

from sandbox.world import World
from tests.e2e.app import App

pytestmark = pytest.mark.e2e

CHECKED = ["2xx", "401", "404", "409", "412", "422", "428"]
"""A request that fits the schema may still be refused: for what it names, or for what somebody else has changed."""


@pytest.fixture
def document(world: World, app: App) -> Any:
    found = schemathesis.openapi.from_url(
        f"{world.url}/api/openapi.json", headers={"x-functions-key": world.function_key}
    )
    found.config.checks.positive_data_acceptance.expected_statuses = CHECKED
    return found


schema = schemathesis.pytest.from_fixture("document")


@schema.include(method="GET").parametrize()
@settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck))
def test_every_operation_that_reads_answers_as_documented(case: schemathesis.Case[Any], world: World) -> None:
    case.call_and_validate(headers={"x-functions-key": world.function_key})
