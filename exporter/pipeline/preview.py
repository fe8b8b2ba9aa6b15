"""A dry run: everything is read and checked as for a run; nothing is sent, and nothing is kept."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from exporter import store
from exporter.activecampaign.answers import AccountLimits
from exporter.activecampaign.wire import envelope
from exporter.batches import Planned, check_size
from exporter.errors import Stop
from exporter.exports import ExportDefinition
from exporter.pipeline import preflight
from exporter.pipeline.account import AccountCalls
from exporter.pipeline.plan import mapping, stale
from exporter.pipeline.reading import Discarded, one_reader, read_all, refreshes_of, reject_rows
from exporter.pipeline.start import Slot, slot_path
from exporter.ports import Services
from exporter.reasons import Reason
from exporter.runs import Problem
from exporter.segments import Refresh

EXAMPLES = 3
"""Rows shown for each reason."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do. `problems` are what would stop it before anything is sent.

    `examples` are the first rows that would be set aside for each reason: file, and number in that file (from 1).
    """

    planned: Planned
    refreshes: tuple[Refresh, ...]
    examples: dict[Reason, list[tuple[str, int]]]
    seconds: int
    limits: AccountLimits | None
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def preview(services: Services, export_id: str, export: ExportDefinition, calls: AccountCalls) -> Preview:
    """Read and check everything that a run of the export would read now.

    Raises what keeps a run from reading at all: `Stop` for a list, field, column or file that cannot be used, `Wait`
    for a service that does not answer, and what `one_reader` and `read_all` raise.
    """
    with one_reader():
        return _preview(services, export_id, export, calls)


def _preview(services: Services, export_id: str, export: ExportDefinition, calls: AccountCalls) -> Preview:
    fields = preflight.check(calls, export)
    limits = preflight.account_limits(calls)
    settings, now = services.settings, services.clock.now()
    refreshes = refreshes_of(services, export.segments, settings.segment_quiet_s)
    examples = _Examples()
    around = envelope(export.list_id, run_automations=export.run_automations)
    planned = read_all(services, refreshes, mapping(export, fields), around, Discarded(), examples)
    slot = store.get(services.blobs, Slot, slot_path(export_id))
    last = slot.last_success if slot else None
    binding = None if export.allow_over_contact_limit else limits
    checks: tuple[Callable[[], None], ...] = (
        lambda: _check_profiles(planned.contacts, export.max_profiles),
        lambda: check_size(planned.rows_read, last.rows_read if last else None, settings.size_change_factor),
        lambda: preflight.check_contact_limit(binding, planned.contacts, last.known_to(calls.host) if last else 0),
    )
    return Preview(
        planned=planned,
        refreshes=refreshes,
        examples=examples.found,
        seconds=round(len(planned.batches) * 60 / settings.bulk_requests_per_minute),
        limits=limits,
        problems=tuple(problem for check in checks if (problem := _problem(check))),
        warnings=(*planned.warnings, *stale(refreshes, now)),
    )


def _problem(check: Callable[[], None]) -> Problem | None:
    try:
        check()
    except Stop as error:
        return Problem.of(error)
    return None


def _check_profiles(contacts: int, most: int) -> None:
    if contacts > most:
        raise Stop("too_many_profiles", f"The segments hold {contacts} contacts; the export allows at most {most}.")


class _Examples(Discarded):
    """Reads the reject report as it is written, and keeps the first rows of each reason, without their addresses."""

    def __init__(self) -> None:
        self.found: dict[Reason, list[tuple[str, int]]] = {}

    def write(self, data: bytes) -> None:
        for row in reject_rows([data]):
            rows = self.found.setdefault(row.reason, [])
            if len(rows) < EXAMPLES:
                rows.append((row.path, row.row))
