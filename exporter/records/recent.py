"""The runs of all exports in order of time, the newest first: an entry for each, whose name says all of it.

The entry is made before the run: a run without one could never be found here, an entry without a run is passed over.
Runs that a release without entries has started have none.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from exporter.model import Record
from exporter.ports import Changed
from exporter.records.paths import RECENT, recent_path
from exporter.services import Services


class Entry(Record):
    """That there is, or is about to be, a run."""


def announce_run(services: Services, run_id: str) -> None:
    """Make the entry of a run that is about to be recorded. Raises `Unavailable`."""
    with suppress(Changed):  # another release made it
        services.blobs.create(recent_path(run_id), Entry().to_json())


def newest_runs(services: Services) -> Iterator[tuple[str, str]]:
    """Yield the place and the id of each run that was announced, the newest first.

    Places sort as text. Storage is asked for 5,000 at once, and for more only if they are taken.
    """
    for path in services.blobs.names(RECENT):
        place = path.removeprefix(RECENT)
        yield place, place.partition(".")[2]
