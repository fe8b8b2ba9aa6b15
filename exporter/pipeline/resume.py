"""What a run that resumes another still has to send."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass

from exporter.definitions.exports import ExportDefinition
from exporter.delivery.batches import Batch
from exporter.delivery.manifest import Manifest
from exporter.delivery.plan import Carried
from exporter.errors import Stop
from exporter.pipeline.batching import Planned
from exporter.pipeline.sources import fingerprint, identity, refreshes_of
from exporter.ports import Changed
from exporter.reasons import Reason
from exporter.records.lanes import read_lanes
from exporter.records.runs import read_findings, read_manifest, read_run
from exporter.runs.run import Run, Trigger
from exporter.services import Services
from exporter.tally import count
from exporter.tally.fates import Fate, fates
from exporter.tally.findings import Findings


def check_resumable(services: Services, run: Run, host: str, export: ExportDefinition) -> None:
    """Check that the export would now send what the run was to send. Raises `Stop` ("not_resumable") and `Wait`."""
    manifest = read_manifest(services, run.run_id)
    try:
        now = identity(host, export, fingerprint(refreshes_of(services, export)))
    except Changed:
        raise _not_resumable() from None
    if manifest is None or manifest.fingerprint != now:
        raise _not_resumable()


def _not_resumable() -> Stop:
    return Stop.of("not_resumable")


@dataclass(frozen=True, slots=True)
class Left:
    """What a run sends of what it planned. `carried` and `refused` come from the run that it resumes, if any.

    `refused`: batches that are not sent again, with the reasons, by position, of contacts that were finally refused.
    """

    batches: tuple[Batch, ...]
    carried: Carried | None = None
    refused: tuple[tuple[Batch, dict[int, Reason]], ...] = ()


def what_is_left(services: Services, run: Run, planned: Planned, identity: str) -> Left:
    """Return all batches, or those for which the resumed run has no outcome.

    What the schedule has started sends everybody if it can resume nothing any more: nobody would come and start it
    anew. Else raises `Stop` ("not_resumable").
    """
    if run.resumes is None:
        return Left(planned.batches)
    try:
        return _left_by(services, run.resumes, planned, identity)
    except Stop:
        if run.trigger is not Trigger.SCHEDULED:
            raise
        return Left(planned.batches)


def _left_by(services: Services, run_id: str, planned: Planned, identity: str) -> Left:
    earlier, manifest = read_run(services, run_id), read_manifest(services, run_id)
    if earlier is None or manifest is None or manifest.fingerprint != identity:
        raise _not_resumable()
    by_content = {batch.sha256: batch for batch in planned.batches}
    batches = _batches(manifest, by_content)
    found = _fates_of(services, earlier)
    left, carried = count.carry_over(earlier.run_id, earlier.plan.carried if earlier.plan else None, found)
    refused = (*_refused_before(services, earlier, manifest, by_content), *_refused(batches, found, left))
    # Reasons may have been found out since the earlier run was planned: they are counted as they are listed now.
    reasons = Counter(str(reason) for _, of_batch in refused for reason in of_batch.values())
    carried = carried.model_copy(update={"reasons": dict(sorted(reasons.items()))})
    return Left(tuple(batches[number] for number in sorted(left)), carried, refused)


def _batches(manifest: Manifest, by_content: Mapping[str, Batch]) -> list[Batch]:
    """Return the batches of an earlier run, as they were planned now. Raises `Stop` ("not_resumable")."""
    if not {batch.sha256 for batch in manifest.batches} <= by_content.keys():
        raise _not_resumable()  # a release since then reads the same files differently
    return [by_content[batch.sha256] for batch in manifest.batches]


def _fates_of(services: Services, run: Run) -> list[Fate]:
    findings = read_findings(services, run.run_id) or Findings()
    return list(fates(read_lanes(services, run).values(), findings.reasons, run.gone))


type _Refused = tuple[Batch, dict[int, Reason]]


def _refused(batches: Sequence[Batch], found: Iterable[Fate], left: Container[int]) -> tuple[_Refused, ...]:
    """Return the batches of a run that are not `left`, by their numbers, with contacts that were finally refused."""
    refused: defaultdict[int, dict[int, Reason]] = defaultdict(dict)
    for fate in found:
        if fate.reason and fate.batch not in left:
            refused[fate.batch].update(dict.fromkeys(fate.positions, fate.reason))
    return tuple((batches[number], reasons) for number, reasons in sorted(refused.items()))


def _refused_before(
    services: Services, run: Run, manifest: Manifest, by_content: Mapping[str, Batch]
) -> tuple[_Refused, ...]:
    """Return what the runs that a planned run resumes had finally refused. Raises `Stop` ("not_resumable").

    What they left is what the manifest of the next one holds, although outcomes may have come since: that one has sent
    those contacts again, and tells of them itself.
    """
    if run.resumes is None:
        return ()
    earlier, before = read_run(services, run.resumes), read_manifest(services, run.resumes)
    if earlier is None or before is None:
        raise _not_resumable()
    batches = _batches(before, by_content)
    again = {batch.sha256 for batch in manifest.batches}
    left = {number for number, batch in enumerate(before.batches) if batch.sha256 in again}
    refused = _refused(batches, _fates_of(services, earlier), left)
    return (*_refused_before(services, earlier, before, by_content), *refused)
