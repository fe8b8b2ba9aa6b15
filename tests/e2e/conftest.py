"""One world for all tests of this folder: Azurite, stand-ins, the local host with the real app."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from sandbox.demo import CONNECTION
from sandbox.world import World
from tests.e2e.app import QUICK, SEGMENT, App


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with World(settings=QUICK, message_hidden_s=3) as started:
        started.upload_files(SEGMENT.files())
        started.start_host()
        yield started


@pytest.fixture(scope="session")
def app(world: World) -> App:
    app = App(world)
    answer = app.call("PUT", "/connections/demo", CONNECTION)
    assert answer.status_code == 201, answer.text
    return app


@pytest.fixture(autouse=True)
def _clean_account(world: World) -> Iterator[None]:
    """Each test finds the ActiveCampaign account as new; its rates stay, since they are the account's."""
    yield
    assert world.account is not None
    world.account.clear_faults()
    world.account.set_key("demo-key")
