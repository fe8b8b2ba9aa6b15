import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from sandbox.world import World

APP = Path(__file__).parent / "apps" / "triggers"


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    settings = {"WORK_QUEUE": "upload-lane", "NIGHTLY": "0 0 2 * * *"}
    with World(app=APP, settings=settings, message_hidden_s=2) as world:
        yield world


@pytest.fixture(scope="session")
def host(world: World) -> World:
    world.start_host()
    return world


def wait_for[T](look: Callable[[], T | None], patience_s: float = 20.0) -> T:
    """Look again and again until there is something."""
    deadline = time.monotonic() + patience_s
    while time.monotonic() < deadline:
        found = look()
        if found:
            return found
        time.sleep(0.05)
    pytest.fail(f"expected something within {patience_s} s, found nothing")
