"""What the schedule saw of an export's segments when it last looked, so that it reads more only when that moved."""

from __future__ import annotations

from contextlib import suppress

from pydantic import Field

from exporter.errors import Stop
from exporter.model import Record, Time, load
from exporter.records.paths import watch_path
from exporter.runs.run import Problem
from exporter.services import Services


class Watch(Record):
    """The newest look at the segments of an export."""

    reading: str
    """A digest of which segments were looked at, and how; a look at others says nothing."""
    marks: dict[str, str] = Field(default_factory=dict)
    """What to look at to see whether anything moved, and what it was: `segments.moved`."""
    files_found: int | None = None
    """How many files there were below the app's prefix, of whatever segment."""
    fingerprint: str | None = None
    """The complete refresh that was there, as `sources.fingerprint` names it."""
    refreshed_utc: Time | None = None
    """When the newest of its segments was refreshed."""
    problem: Problem | None = None
    """Why there is no complete refresh to read."""
    since: Time
    """Since when it is like this: this refresh, or this problem."""
    told: bool = False
    """Whether an alert was raised for the problem."""


def read_watch(services: Services, export_id: str) -> Watch | None:
    """Return the newest look, or None if there was none that can be read. Raises `Unavailable` and `Wait`."""
    blob = services.blobs.read(watch_path(export_id))
    return load_watch(blob.data) if blob else None


def load_watch(data: bytes) -> Watch | None:
    """Read a look; None if it is damaged: whoever looks again writes it anew. Raises `Wait` ("newer_release")."""
    with suppress(Stop):
        return load(Watch, data)
    return None
