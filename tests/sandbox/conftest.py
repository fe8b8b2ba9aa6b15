from collections.abc import Iterator

import pytest

from sandbox.world import World
from tests.sandbox.world_helpers import APP, SETTINGS

HIDDEN_S = 15
"""So long a message of a killed host is waited for. A host that is too busy to renew it after half of that loses it."""


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with World(app=APP, settings=SETTINGS, message_hidden_s=HIDDEN_S) as world:
        yield world


@pytest.fixture(scope="session")
def host(world: World) -> World:
    world.start_host()
    return world
