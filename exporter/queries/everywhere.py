"""Where a person stands: what the newest run of each export that read its segments says of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import chain

from exporter.definitions.exports import Export
from exporter.errors import ExporterError
from exporter.queries.lookup import Found, look_up_within
from exporter.queries.reading import one_reader
from exporter.records.runs import read_run
from exporter.records.slots import read_slot
from exporter.runs.run import Run
from exporter.services import Services

BEGIN_WITHIN_S = 60.0
"""No export is begun after this: a caller waits for the answer, which Azure cuts off after 230 s."""
EACH_WITHIN_S = 100.0
"""The most that reading the files of one export may take; a million rows take 10 to 30 s."""


@dataclass(frozen=True, slots=True)
class Looked:
    """What is known of a person in an export.

    `run`: the run that was looked at, or if `found` is None, the newest one; None: the export has not run yet.
    `problem`: why it could not be looked at. `hidden`: the caller may not see its people. `late`: the time was over.
    """

    export: Export
    run: Run | None = None
    found: Found | None = None
    problem: ExporterError | None = None
    hidden: bool = False
    late: bool = False


def look_everywhere(
    services: Services, exports: Iterable[Export], address: str, may_see: Callable[[Export | Run], bool]
) -> Iterator[Looked]:
    """Yield what is known of an address in each export; whoever fails or comes too late does not stop the others.

    Reads of each export its slot, two runs at most, and what `lookup.look_up` reads of one. All of it ends within
    `BEGIN_WITHIN_S` + `EACH_WITHIN_S`, but for a working copy, whose reading is not cut short.
    Raises `Unavailable` ("reading_busy").
    """
    with one_reader():
        begin_until = services.clock.now() + BEGIN_WITHIN_S
        for export in exports:
            if not may_see(export):
                yield Looked(export, hidden=True)
            elif services.clock.now() > begin_until:
                yield Looked(export, late=True)
            else:
                yield _look(services, export, address, may_see)


def _look(services: Services, export: Export, address: str, may_see: Callable[[Export | Run], bool]) -> Looked:
    try:
        newest, planned = _runs(services, export.id)
        if planned is None:
            return Looked(export, newest)
        if not may_see(planned):
            return Looked(export, hidden=True)
        return Looked(export, planned, look_up_within(services, planned, address, EACH_WITHIN_S))
    except ExporterError as error:
        return Looked(export, problem=error)


def _runs(services: Services, export_id: str) -> tuple[Run | None, Run | None]:
    """Return the newest run for everybody, and the newest of it and the last success that has read its segments."""
    slot = read_slot(services, export_id)
    if slot is None:
        return None, None
    ids = dict.fromkeys(chain([slot.newest], [slot.last_success.run_id if slot.last_success else None]))
    newest: Run | None = None
    for run in (read_run(services, run_id) for run_id in ids if run_id):
        newest = newest or run
        if run and run.plan:
            return newest, run
    return newest, None
