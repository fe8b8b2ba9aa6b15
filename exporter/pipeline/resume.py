"""What a run that resumes another still has to send."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

from exporter.definitions.exports import ExportDefinition
from exporter.delivery.batches import Batch
from exporter.delivery.plan import Carried
from exporter.errors import Stop
from exporter.pipeline.batching import Planned
from exporter.pipeline.sources import identity, refreshes_of
from exporter.ports import Changed
from exporter.reasons import Reason
from exporter.records.lanes import read_lanes
from exporter.records.runs import read_manifest, read_run
from exporter.runs.run import Run
from exporter.services import Services
from exporter.tally import count
from exporter.tally.fates import fates


def check_resumable(services: Services, run: Run, host: str, export: ExportDefinition) -> None:
    """Check that the export would now send what the run was to send. Raises `Stop` ("not_resumable") and `Wait`."""
    manifest = read_manifest(services, run.run_id)
    try:
        now = identity(host, export, refreshes_of(services, export))
    except Changed:
        raise _not_resumable() from None
    if manifest is None or manifest.fingerprint != now:
        raise _not_resumable()


def _not_resumable() -> Stop:
    return Stop(
        "not_resumable",
        "Expected the segments, the export and the options of its fields in ActiveCampaign as they were when the run"
        " was planned; they have changed since. Start the export instead: that sends the current segments.",
    )


@dataclass(frozen=True, slots=True)
class Left:
    """What a run sends of what it planned. `carried` and `refused` come from the run that it resumes, if any.

    `refused`: batches that are not sent again, with the reasons, by position, of contacts that were finally refused.
    """

    batches: tuple[Batch, ...]
    carried: Carried | None = None
    refused: tuple[tuple[Batch, dict[int, Reason]], ...] = ()


def what_is_left(services: Services, run: Run, planned: Planned, identity: str) -> Left:
    """Return all batches, or those for which the resumed run has no outcome. Raises `Stop` ("not_resumable")."""
    if run.resumes is None:
        return Left(planned.batches)
    earlier = read_run(services, run.resumes)
    manifest = read_manifest(services, run.resumes)
    by_content = {batch.sha256: batch for batch in planned.batches}
    if earlier is None or manifest is None or manifest.fingerprint != identity:
        raise _not_resumable()
    if not {batch.sha256 for batch in manifest.batches} <= by_content.keys():
        raise _not_resumable()  # a release since then reads the same files differently
    earlier_fates = list(fates(read_lanes(services, earlier).values()))
    left, carried = count.carry_over(earlier.run_id, earlier.plan.carried if earlier.plan else None, earlier_fates)
    batches = [by_content[batch.sha256] for batch in manifest.batches]
    refused: defaultdict[int, dict[int, Reason]] = defaultdict(dict)
    for fate in earlier_fates:
        if fate.reason and fate.batch not in left:
            refused[fate.batch].update(dict.fromkeys(fate.positions, fate.reason))
    before = what_is_left(services, earlier, planned, identity).refused
    return Left(
        tuple(batches[number] for number in sorted(left)),
        carried,
        (*before, *((batches[number], reasons) for number, reasons in sorted(refused.items()))),
    )
