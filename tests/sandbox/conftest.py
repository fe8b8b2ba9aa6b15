from collections.abc import Iterator

import pytest

from sandbox.world import World
from tests.sandbox.world_helpers import APP, SETTINGS


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with World(app=APP, settings=SETTINGS, message_hidden_s=2) as world:
        yield world


@pytest.fixture(scope="session")
def host(world: World) -> World:
    world.start_host()
    return world
