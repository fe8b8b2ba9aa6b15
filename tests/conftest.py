"""Settings of all property tests."""

from __future__ import annotations

import os

from hypothesis import settings

# No assertion on timings: a busy machine is not a defect. In CI the examples are the same each time, so that a change
# is judged by what it changes; everywhere else they are new ones.
settings.register_profile("project", deadline=None, derandomize="CI" in os.environ)
settings.load_profile("project")
