"""Settings of all tests."""

from __future__ import annotations

import os

import pytest
from hypothesis import settings
from xdist.scheduler import LoadScopeScheduling

# No assertion on timings: a busy machine is not a defect. In CI the examples are the same each time, so that a change
# is judged by what it changes; everywhere else, and in CI's nightly run, they are new ones.
settings.register_profile(
    "project",
    deadline=None,
    derandomize="CI" in os.environ and os.environ.get("GITHUB_EVENT_NAME") != "schedule",
    print_blob=True,
)
settings.load_profile("project")


class Scheduling(LoadScopeScheduling):  # type: ignore[misc]  # ships no types
    """The tests of a file stay together, as they share a world; those of the simulation share nothing."""

    def _split_scope(self, nodeid: str) -> str:
        return nodeid if nodeid.startswith("tests/simulation/") else nodeid.partition("::")[0]


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> Scheduling:
    return Scheduling(config, log)
