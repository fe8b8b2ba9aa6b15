"""One world for all tests of this folder: Azurite, stand-ins, the local host with the real app."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.demo import CONNECTION
from sandbox.world import World
from tests.e2e.app import QUICK, SEGMENT, App, inspected_world


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with inspected_world(SEGMENT, settings=QUICK, message_hidden_s=3) as started:
        started.start_host()
        yield started


@pytest.fixture(scope="session")
def app(world: World) -> App:
    app = App(world)
    answer = app.call("PUT", "/connections/demo", CONNECTION)
    assert answer.status_code == 201, answer.text
    return app


@pytest.fixture(autouse=True)
def _new_account(request: pytest.FixtureRequest) -> None:
    """Each test of the common world finds the ActiveCampaign account as new, whatever the one before did to it."""
    if "world" in request.fixturenames:
        account = request.getfixturevalue("world").account
        account.reset()
