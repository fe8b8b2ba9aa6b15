"""One world and one browser for all tests of this folder."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from typing import Any

import pytest
from playwright.sync_api import Browser, expect

from sandbox.world import World
from tests.browser.chromium import PATIENCE_MS, Tab, chromium, executable, tab
from tests.e2e.app import QUICK, SEGMENT, App, inspected_world

expect.set_options(timeout=PATIENCE_MS)  # it holds for the process, so it is said for all of them
type Opens = Callable[..., AbstractContextManager[Tab]]


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    if not executable():
        pytest.skip("Chromium is not installed: apt-get install -y chromium, and these tests run")
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def world() -> Iterator[World]:
    with inspected_world(SEGMENT, settings=QUICK, message_hidden_s=3) as started:
        started.start_host()
        yield started


@pytest.fixture(scope="session")
def app(world: World) -> App:
    return App(world)


@pytest.fixture
def opened(browser: Browser, world: World) -> Opens:
    """Open a tab that is signed in with the function key."""

    def opens(**options: Any) -> AbstractContextManager[Tab]:
        return tab(browser, world.url, **{"key": world.function_key, **options})

    return opens
