"""A dry run: everything is read and checked as for a run; nothing is sent or stored."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.activecampaign.account import AccountLimits
from exporter.activecampaign.bodies import envelope
from exporter.contacts.matching import mapping_of
from exporter.definitions.exports import ExportDefinition
from exporter.pipeline import brakes, preflight, questions
from exporter.pipeline.batching import Planned
from exporter.pipeline.session import Session
from exporter.queries.reading import one_reader, read_all, refreshes_now
from exporter.reasons import Reason
from exporter.records.slots import read_slot
from exporter.runs.run import Problem
from exporter.services import Services
from exporter.source.segments import Refresh, stale
from exporter.tally.rejects import Reject

EXAMPLES = 3
"""Rows shown per reason."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do. `problems`: what would stop it before anything is sent.

    `examples`: the first rows that would be set aside for each reason, as path and number in that file (from 1).
    """

    planned: Planned
    refreshes: tuple[Refresh, ...]
    examples: dict[Reason, list[tuple[str, int]]]
    seconds: int
    limits: AccountLimits | None
    problems: tuple[Problem, ...]
    warnings: tuple[str, ...]


def preview(services: Services, export_id: str, export: ExportDefinition, calls: Session) -> Preview:
    """Read and check everything that a run of the export would read now.

    Raises what would keep a run from reading at all: `Stop` for an unusable list, field, column or file, `Wait` for a
    service that does not answer, and what `reading.one_reader` and `reading.read_all` raise.
    """
    with one_reader():
        return _preview(services, export_id, export, calls)


def _preview(services: Services, export_id: str, export: ExportDefinition, calls: Session) -> Preview:
    fields = preflight.check(calls, export)
    limits = questions.account_limits(calls)
    settings, now = services.settings, services.clock.now()
    refreshes = refreshes_now(services, export, settled=True)
    examples = _Examples()
    request_envelope = envelope(export.list_id, run_automations=export.run_automations)
    planned = read_all(services, refreshes, mapping_of(export, fields), request_envelope, examples)
    slot = read_slot(services, export_id)
    stops = brakes.problems(calls, export, planned, limits, slot.last_success if slot else None)
    return Preview(
        planned=planned,
        refreshes=refreshes,
        examples=examples.rows,
        seconds=round(len(planned.batches) * 60 / settings.bulk_requests_per_minute),
        limits=limits,
        problems=tuple(map(Problem.of, stops)),
        warnings=(*planned.warnings, *stale(refreshes, now)),
    )


class _Examples:
    """A `batching.Sink` that keeps only the first rows of each reason, without their addresses."""

    def __init__(self) -> None:
        self.rows: dict[Reason, list[tuple[str, int]]] = {}

    def add_batch(self, body: bytes, references: bytes) -> None:
        """Ignore the batch, as nothing is sent."""

    def add_rejects(self, rejects: Sequence[Reject]) -> None:
        """Keep the first rows of each reason."""
        for reject in rejects:
            rows = self.rows.setdefault(reject.reason, [])
            if len(rows) < EXAMPLES:
                rows.append((reject.path, reject.row))
