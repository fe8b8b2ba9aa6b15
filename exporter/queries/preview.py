"""A dry run: everything is read and checked as for a run; nothing is sent or stored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from exporter.activecampaign.account import AccountLimits
from exporter.activecampaign.bodies import envelope
from exporter.contacts.matching import mapping_of
from exporter.contacts.values import KINDS, Flaw, Kind
from exporter.definitions.exports import ExportDefinition
from exporter.delivery.manifest import FieldEntry
from exporter.delivery.plan import ValueCount
from exporter.errors import Culprit
from exporter.pipeline import brakes, preflight, questions
from exporter.pipeline.batching import Planned
from exporter.pipeline.session import Session
from exporter.queries.reading import one_reader, read_all, refreshes_now
from exporter.reasons import Reason
from exporter.records.slots import cleared_at, read_slot, yardstick
from exporter.runs.run import Problem
from exporter.sentences import Situation
from exporter.services import Services
from exporter.source.segments import Refresh, stale
from exporter.tally.rejects import Reject
from exporter.tally.unfit import UnfitValue, warned_of
from exporter.warned import Warned

EXAMPLES = 3
"""Rows shown per reason."""


@dataclass(frozen=True, slots=True)
class Preview:
    """What a run would do. `problems`: what would stop it before anything is sent; `value_problems` would not.

    `examples`: the first rows that would be set aside for each reason, as path and number in that file (from 1).
    `unfit`: the first values that do not fit, by `UnfitValue.goal` and reason.
    """

    planned: Planned
    refreshes: tuple[Refresh, ...]
    examples: dict[Reason, list[tuple[str, int]]]
    seconds: int
    limits: AccountLimits | None
    problems: tuple[Problem, ...]
    unfit: dict[tuple[tuple[str, str], Flaw], list[UnfitValue]]
    value_problems: tuple[Problem, ...]
    warnings: tuple[Warned, ...]


def preview(services: Services, export_id: str | None, export: ExportDefinition, calls: Session) -> Preview:
    """Read and check everything that a run of the export would read now; `export_id` is None if it is not saved.

    Raises what would keep a run from reading at all: `Stop` for an unusable list, field, column or file, `Wait` for a
    service that does not answer, and what `reading.one_reader` and `reading.read_all` raise.
    """
    with one_reader():
        return _preview(services, export_id, export, calls)


def _preview(services: Services, export_id: str | None, export: ExportDefinition, calls: Session) -> Preview:
    slot = read_slot(services, export_id) if export_id else None
    last = yardstick(services, slot)
    before = preflight.last_fields(services, last)
    fields = preflight.check(calls, export, preflight.options_of(before))
    limits = questions.account_limits(calls)
    settings, now = services.settings, services.clock.now()
    refreshes = refreshes_now(services, export, settled=True)
    examples = _Examples()
    request_envelope = envelope(export.list_id, run_automations=export.run_automations)
    planned = read_all(services, refreshes, mapping_of(export, fields.mapped), request_envelope, examples)
    stops = (
        *preflight.untried(export, fields.mapped, cleared_at(slot, calls.host)),
        *brakes.problems(calls, export, planned, limits, last),
    )
    return Preview(
        planned=planned,
        refreshes=refreshes,
        examples=examples.rows,
        seconds=round(len(planned.batches) * 60 / settings.bulk_requests_per_minute),
        limits=limits,
        problems=tuple(Problem.of(stop, Situation.PREVIEW) for stop in stops),
        unfit=examples.unfit,
        value_problems=(*(each.when(Situation.PREVIEW) for each in fields.problems), *_gone(planned.values)),
        warnings=(
            *planned.warnings,
            *warned_of(planned.values),
            *_changed(before, planned.values),
            *stale(refreshes, now),
        ),
    )


def _gone(counts: Sequence[ValueCount]) -> Iterator[Problem]:
    """Yield a problem for each field of which somebody has an option of earlier runs."""
    for count in counts:
        if people := count.unfit.get(Flaw.OPTION_GONE.value):
            field = str(count.title)
            about = {"column": count.column, "field": field}
            yield Problem.said("options_changed", Culprit.USER, Situation.PREVIEW, people=people, **about)


def _changed(before: Sequence[FieldEntry], counts: Sequence[ValueCount]) -> Iterator[Warned]:
    """Say of each field to which a former release has sent values as they were what changes."""
    untyped = {entry.field_id for entry in before if entry.type is None}
    for count in counts:
        if count.field_id in untyped and count.type and KINDS.get(count.type, Kind.TEXT) is not Kind.TEXT:
            about = {"column": count.column, "field": str(count.title), "type": count.type}
            yield Warned.of("values_change", **about)


class _Examples:
    """A `batching.Sink` that keeps only the first rows of each reason, and the first values that do not fit."""

    def __init__(self) -> None:
        self.rows: dict[Reason, list[tuple[str, int]]] = {}
        self.unfit: dict[tuple[tuple[str, str], Flaw], list[UnfitValue]] = {}

    def add_batch(self, body: bytes, references: bytes) -> None:
        """Ignore the batch, as nothing is sent."""

    def add_rejects(self, rejects: Sequence[Reject]) -> None:
        """Keep the first rows of each reason."""
        for reject in rejects:
            rows = self.rows.setdefault(reject.reason, [])
            if len(rows) < EXAMPLES:
                rows.append((reject.path, reject.row))

    def add_unfit(self, values: Sequence[UnfitValue]) -> None:
        """Keep the first values of each column and reason."""
        for value in values:
            kept = self.unfit.setdefault((value.goal, value.flaw), [])
            if len(kept) < EXAMPLES:
                kept.append(value)
