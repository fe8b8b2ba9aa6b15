"""End a run: when every batch has its outcome, or when nothing can be sent any more."""

from __future__ import annotations

import logging
from collections.abc import Iterator

import orjson

from exporter import batches, ledger, log, runs, store
from exporter.activecampaign import wire
from exporter.errors import Culprit, Stop, Wait
from exporter.ledger import ImportStatus, Lane
from exporter.pipeline.manifest import BatchEntry, Manifest, SourceEntry, manifest_path
from exporter.pipeline.start import LastSuccess, Slot, slot_path
from exporter.ports import Services
from exporter.reasons import BY_CODE, Reason
from exporter.records import Record, Time
from exporter.runs import Account, End, Problem, Run, RunStatus, lane_path, run_path


class Report(Record):
    """The accounting of a run with its sources, for people and machines; no personal data."""

    run_id: str
    export_id: str
    status: RunStatus
    ended_utc: Time
    account: Account
    explanations: dict[str, str]
    """A sentence for each reason code in the account."""
    sources: tuple[SourceEntry, ...]
    warnings: tuple[str, ...]
    resends: int


def lanes(services: Services, run: Run) -> list[tuple[Lane, float]]:
    """Return every lane of the run, folded, with the seconds since its last event; an unopened ledger is left out."""
    found = []
    for number in range(run.plan.lanes if run.plan else 0):
        if blob := services.blobs.read(lane_path(run.run_id, number)):
            found.append((ledger.fold(blob.data), blob.age_s))
    return found


def over(run: Run, lane: Lane, age_s: float, stale_s: float) -> bool:
    """Whether nothing more will happen in the lane: all outcomes known, or halted with nothing on its way."""
    if lane.finished:
        return True
    return run.halted and not any(lane.accepted()) and not lane.held(age_s, stale_s)


def finish(services: Services, run_id: str) -> None:
    """End the run if it is over; nothing otherwise. Any number of workers may try at once."""
    run = store.get(services.blobs, Run, run_path(run_id))
    if run is None:
        return
    if run.end:
        return clean_up(services, run)
    if run.plan is None:
        # Canceled or stopped before anything was planned, so nothing was sent.
        return _end(services, run, Account(), (), 0)
    current = lanes(services, run)
    if len(current) < run.plan.lanes or not all(
        over(run, x, age, services.settings.lane_stale_s) for x, age in current
    ):
        return None
    folded = [lane for lane, _ in current]
    manifest = store.get(services.blobs, Manifest, manifest_path(run_id))
    if manifest is None:
        raise Stop(
            "manifest_missing", f"The manifest of the run {run_id} is gone. Start the export again.", Culprit.SYSTEM
        )
    account = runs.account(run.plan, folded)
    services.blobs.extend(manifest.rejects, batches.reject_lines(_rejects(services, manifest, folded)))
    return _end(services, run, account, manifest.sources, runs.resends(folded), manifest)


def _end(
    services: Services,
    run: Run,
    account: Account,
    sources: tuple[SourceEntry, ...],
    resends: int,
    manifest: Manifest | None = None,
) -> None:
    now = services.clock.now()
    problem = run.stop
    if not account.adds_up:
        problem = Problem(
            code="account_does_not_add_up",
            message="The rows of this run do not add up, which is a defect of the service. Please report it with the run id.",
            culprit=Culprit.SYSTEM,
        )
    status = runs.verdict(account, problem, canceled=run.cancel is not None)
    end = End(status=status, at=now, account=account, problem=problem, resends=resends)
    report = Report(
        run_id=run.run_id,
        export_id=run.export_id,
        status=status,
        ended_utc=now,
        account=account,
        explanations={code: BY_CODE[code].explanation for code in account.reasons},
        sources=sources,
        warnings=run.plan.warnings if run.plan else (),
        resends=resends,
    )
    # Two finishers write the same report but for the time; the run's end is written once.
    services.blobs.put(run_path(run.run_id, "report.json"), report.to_json())
    ended = end_with(services, run.run_id, end)
    if ended and manifest and status in (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS):
        success = LastSuccess(run_id=run.run_id, fingerprint=manifest.fingerprint, rows_read=account.rows_read, at=now)
        store.change(
            services.blobs, Slot, slot_path(run.export_id), lambda s: s.model_copy(update={"last_success": success})
        )
    clean_up(services, run)


def end_with(services: Services, run_id: str, end: End) -> bool:
    """Write the run's end, once; return whether this call did it."""
    done = store.change(
        services.blobs, Run, run_path(run_id), lambda r: None if r.end else r.model_copy(update={"end": end})
    )
    mine = done is not None and done.end == end
    if mine:
        failed = end.status is RunStatus.FAILED
        log.event(
            "run_ended",
            level=logging.ERROR if failed else logging.INFO,
            runId=run_id,
            status=end.status,
            code=end.problem.code if end.problem else None,
            **end.account.model_dump(exclude={"reasons"}),
        )
    return mine


def fail(services: Services, run_id: str, error: Stop | Wait) -> None:
    """End a run that could not be planned: nothing was sent."""
    end = End(status=RunStatus.FAILED, at=services.clock.now(), account=Account(), problem=Problem.of(error))
    _end_unplanned(services, run_id, end)


def skip(services: Services, run_id: str, problem: Problem) -> None:
    """End a run that has nothing to do."""
    end = End(status=RunStatus.SKIPPED, at=services.clock.now(), account=Account(), problem=problem)
    _end_unplanned(services, run_id, end)


def _end_unplanned(services: Services, run_id: str, end: End) -> None:
    end_with(services, run_id, end)
    if run := store.get(services.blobs, Run, run_path(run_id)):
        clean_up(services, run)


def clean_up(services: Services, run: Run) -> None:
    """Delete the working copies, which hold personal data; the run does not need them any more."""
    for path in list(services.blobs.names(f"working/{run.run_id}/")):
        services.blobs.delete(path)


type Reject = tuple[tuple[str, int], str | None, str, Reason]


def _rejects(services: Services, manifest: Manifest, folded: list[Lane]) -> Iterator[Reject]:
    by_batch: dict[int, dict[int, str]] = {}
    for lane in folded:
        for portion in lane.portions.values():
            refused = dict.fromkeys(portion.refused, Reason.REFUSED_BY_ACTIVECAMPAIGN)
            by_batch.setdefault(portion.batch, {}).update(refused)
        for one in lane.imports.values():
            given_up = one.positions if one.status is ImportStatus.GIVEN_UP else ()
            by_batch.setdefault(one.batch, {}).update(one.rejected)
            by_batch[one.batch].update(dict.fromkeys(given_up, one.reason or Reason.OUTCOME_UNKNOWN))
    for number, reasons in sorted(by_batch.items()):
        if not reasons:
            continue
        body, references = read_batch(services, manifest, manifest.batches[number])
        emails, rows = wire.addresses(body), orjson.loads(references)
        for position, reason in sorted(reasons.items()):
            row, customer_id, *_ = rows[position]
            yield manifest.locate(row), customer_id, emails[position], BY_CODE[reason]


def read_batch(services: Services, manifest: Manifest, batch: BatchEntry) -> tuple[bytes, bytes]:
    """Return the request body of a batch and its row references, exactly as planned.

    Raises `Stop` ("working_copy_missing", "working_copy_altered").
    """
    data = services.blobs.read_range(manifest.payload, batch.offset, batch.length + batch.rows_length)
    if data is None or len(data) != batch.length + batch.rows_length:
        raise Stop(
            "working_copy_missing",
            "The run's working copy is gone (it is deleted after a day at most). Start the export again.",
            Culprit.SYSTEM,
        )
    body = data[: batch.length]
    if not batch.matches(body):
        raise Stop(
            "working_copy_altered",
            "The run's working copy is not what was planned, so it is not sent. Find out who may write to the container"
            " `working`, then start the export again.",
            Culprit.SYSTEM,
        )
    return body, data[batch.length :]
