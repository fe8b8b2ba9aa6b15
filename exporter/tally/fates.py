"""What became of each contact: one fold of the ledgers, for the count, the reject report and the lookup. No I/O."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from exporter.delivery.ledger import BulkImport, ImportStatus, Lane, Portion, PortionStatus
from exporter.reasons import Bucket, Reason, reason_of


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of some contacts of a batch, by their positions (0-based)."""

    batch: int
    positions: Sequence[int]
    reason: Reason | None
    """Why they did not arrive; None: they are confirmed."""
    open: bool = False
    """Whether the run, if in progress, still works on them. `reason` then applies if it ends now."""
    newest: BulkImport | None = None
    """The newest import that held them."""

    @property
    def bucket(self) -> Bucket:
        """Where they are counted when the run is over."""
        return self.reason.group.bucket if self.reason else Bucket.CONFIRMED


type Place = tuple[int, int]
"""A batch, and a position in it."""
UNEXPLAINED = frozenset({Reason.REFUSED_BY_ACTIVECAMPAIGN, Reason.FAILED_IN_IMPORT})
"""Reasons that say that ActiveCampaign did not take somebody, but not why."""


def fates(
    lanes: Iterable[Lane], found: Mapping[Place, Reason] | None = None, gone: Reason | None = None
) -> Iterator[Fate]:
    """Yield the fates of all contacts of the lanes' batches: each contact is in exactly one.

    `found`: why some were not taken, as was found out after the end; it replaces the reasons that do not say so.
    `gone`: why nobody is confirmed, although imports completed (`Run.gone`).
    """
    for fate in _explained(_fates(lanes), found or {}):
        yield replace(fate, reason=gone) if gone and fate.reason is None else fate


def _fates(lanes: Iterable[Lane]) -> Iterator[Fate]:
    for lane in lanes:
        for portion in lane.portions.values():
            yield from _of_portion(portion)
        for bulk in lane.imports.values():
            yield from _of_import(bulk)


def _explained(told: Iterable[Fate], found: Mapping[Place, Reason]) -> Iterator[Fate]:
    for fate in told:
        if fate.reason not in UNEXPLAINED or not found:
            yield fate
            continue
        by_reason: defaultdict[Reason, list[int]] = defaultdict(list)
        for position in fate.positions:
            by_reason[found.get((fate.batch, position), fate.reason)].append(position)
        for reason, positions in by_reason.items():
            yield replace(fate, positions=positions, reason=reason)


def _of_portion(portion: Portion) -> Iterator[Fate]:
    """Yield what became of the contacts that no import holds."""
    batch, newest = portion.batch, portion.left_by
    if portion.refused:
        yield Fate(batch, portion.refused, Reason.REFUSED_BY_ACTIVECAMPAIGN, newest=newest)
    if portion.left:
        yield Fate(batch, portion.left, Reason.REFUSED_WITH_OTHERS, newest=newest)
    if unknown := portion.unknown:
        told = portion.failed_imports and portion.status is PortionStatus.PENDING and not portion.doubted
        reason = Reason.IMPORT_FAILED if told else Reason.OUTCOME_UNKNOWN
        yield Fate(batch, unknown, reason, open=True, newest=newest)
    if unsent := portion.unsent:
        yield Fate(batch, unsent, Reason.NOT_SENT, open=True)  # no import ever held them


def _of_import(bulk: BulkImport) -> Iterator[Fate]:
    match bulk.status:
        case ImportStatus.CONFIRMED:
            confirmed = [p for p in bulk.positions if p not in bulk.failed] if bulk.failed else bulk.positions
            yield Fate(bulk.batch, confirmed, None, newest=bulk)
            by_reason: defaultdict[str, list[int]] = defaultdict(list)
            for position, code in bulk.failed.items():
                by_reason[code].append(position)
            for code, positions in by_reason.items():
                yield Fate(bulk.batch, positions, reason_of(code), newest=bulk)
        case ImportStatus.GIVEN_UP:
            yield Fate(bulk.batch, bulk.positions, reason_of(bulk.reason or Reason.OUTCOME_UNKNOWN), newest=bulk)
        case ImportStatus.ACCEPTED:
            yield Fate(bulk.batch, bulk.positions, Reason.OUTCOME_UNKNOWN, open=True, newest=bulk)
        case ImportStatus.FAILED:
            pass  # its contacts are a portion again
