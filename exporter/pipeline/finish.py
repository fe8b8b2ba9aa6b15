"""End a run once every batch has its outcome, or nothing more can be sent."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable

from exporter import log
from exporter.delivery import events
from exporter.delivery.ledger import Lane
from exporter.delivery.manifest import Manifest
from exporter.errors import Culprit, Stop
from exporter.model import load
from exporter.ports import Blob, BlobWriter, Changed
from exporter.reasons import BY_CODE, Reason
from exporter.records import store
from exporter.records.lanes import append_events, read_lanes
from exporter.records.paths import WORKING, report_path, slot_path
from exporter.records.payload import read_batches
from exporter.records.runs import change_run, read_manifest, read_run
from exporter.records.slots import LastSuccess, Slot
from exporter.runs.report import Report
from exporter.runs.run import Amended, End, Problem, Run, RunStatus, final_status, is_yardstick, nobody_arrived
from exporter.services import Services
from exporter.tally.count import Tally, resends, tally_of
from exporter.tally.fates import fates
from exporter.tally.rejects import contact_rejects, lines


def _is_over(run: Run, lane: Lane, stale_s: float) -> bool:
    """Return whether nothing more will happen in the lane: all outcomes known, or halted with nothing in flight."""
    return lane.done or (run.halted and not any(lane.accepted()) and not lane.held(stale_s))


def finish(services: Services, run_id: str) -> None:
    """End the run if it is over; otherwise, do nothing. Any number of workers may try at once.

    Raises `Stop` ("manifest_missing", "ledger_unreadable").
    """
    run = read_run(services, run_id)
    if run is None:
        return
    if run.end:
        after_end(services, run)
        return
    if run.plan is None:
        if run.halted:  # nothing was sent; but if someone records the plan just now, this is not the end
            _end_after_sending(services, run, Tally(), 0, lambda r: r.plan is None)
        return
    if not _close_lanes(services, run):
        return
    manifest = read_manifest(services, run_id)
    if manifest is None:
        raise Stop(
            "manifest_missing", f"The manifest of the run {run_id} is gone. Start the export again.", Culprit.SYSTEM
        )
    folded = _list_rejects(services, run, manifest)
    _end_after_sending(services, run, tally_of(run.plan, folded), resends(folded))


def _close_lanes(services: Services, run: Run) -> bool:
    """Return whether all lanes are over; if so, make sure that they stay so."""
    lanes = read_lanes(services, run)
    if len(lanes) < (run.plan.lanes if run.plan else 0):
        return False
    if not all(_is_over(run, lane, services.settings.lane_stale_s) for lane in lanes.values()):
        return False
    for number, lane in lanes.items():
        if lane.done:
            continue
        # A worker that has not noticed the halt, or was suspended, fails its next append, and so sends nothing.
        try:
            append_events(services, run.run_id, number, lane, events.closed(services.clock.now()))
        except Changed:
            return False
    return True


def amend(services: Services, run_id: str) -> None:
    """Update the tally of a run that is over from its ledgers, and do what follows from it."""
    run = read_run(services, run_id)
    manifest = read_manifest(services, run_id)
    if run and run.plan and manifest:
        # The ledgers are read after the record, because whoever amended it in the meantime may have read newer ones.
        before, folded = run.amended, [*read_lanes(services, run).values()]
        if tally_of(run.plan, folded) != run.tally:
            tally = tally_of(run.plan, _list_rejects(services, run, manifest))
            amended = Amended(tally=tally, at=services.clock.now())
            run = change_run(
                services,
                run_id,
                lambda r: None if r.amended != before else r.then(amended=amended),
            )
            log.event("run_amended", runId=run_id, **tally.model_dump(by_alias=True, exclude={"reasons"}))
    if run:
        after_end(services, run)


def _list_rejects(services: Services, run: Run, manifest: Manifest) -> list[Lane]:
    """Write the part of the reject report that follows from the ledgers; return the lanes that it was written from.

    The ledgers are read after the report: a worker that was suspended in between, with older ledgers, does not
    overwrite a newer report but reads again. Raises `Unavailable` ("storage_contention").
    """
    for _ in range(store.MAX_TRIES):
        report = services.blobs.extension(manifest.rejects)
        folded = [*read_lanes(services, run).values()]
        try:
            if report is None:
                raise Stop("rejects_missing", f"The reject report of the run {run.run_id} is gone.", Culprit.SYSTEM)
            _write_rejects(services, manifest, folded, report)
        except Changed:
            continue
        except Stop as error:
            # Without its working copy, a run can still be counted, but its people can no longer be named.
            log.event("rejects_not_listed", level=logging.ERROR, runId=run.run_id, code=error.code)
        return folded
    raise store.contention()


def _end_after_sending(
    services: Services, run: Run, tally: Tally, resends: int, may_end: Callable[[Run], bool] = bool
) -> None:
    problem = run.stop or (None if run.cancel else nobody_arrived(tally))
    if not tally.adds_up:
        problem = Problem(
            code="tally_does_not_add_up",
            message="The rows of this run do not add up, which is a defect of the service. Please report it with the"
            " run id.",
            culprit=Culprit.SYSTEM,
        )
    files_not_read = run.plan.files_not_read if run.plan else 0
    status = final_status(tally, problem, canceled=run.cancel is not None, files_not_read=files_not_read)
    end = End(status=status, at=services.clock.now(), tally=tally, problem=problem, resends=resends)
    record_end(services, run.run_id, end, may_end)


def end_before_sending(services: Services, run_id: str, planner: str, status: RunStatus, problem: Problem) -> None:
    """End a run before anything is sent; do nothing if `planner` has lost its claim, or the run is being canceled."""
    end = End(status=status, at=services.clock.now(), tally=Tally(), problem=problem)
    record_end(services, run_id, end, lambda r: r.claimed_by(planner))


def record_end(services: Services, run_id: str, end: End, may_end: Callable[[Run], bool]) -> None:
    """Write the run's end once, if `may_end` allows it; then do what follows from it."""
    run = change_run(
        services,
        run_id,
        lambda r: None if r.end or not may_end(r) else r.then(end=end),
    )
    if run is None or run.end is None:
        return
    if run.end == end:
        log.event(
            "run_ended",
            level=logging.ERROR if end.status is RunStatus.FAILED else logging.INFO,
            runId=run_id,
            status=end.status,
            code=end.problem.code if end.problem else None,
            **end.tally.model_dump(by_alias=True, exclude={"reasons"}),
        )
    after_end(services, run)


def after_end(services: Services, run: Run) -> None:
    """Do what follows from the end: write the report and what the next run compares with; delete the working copy.

    All of it follows from the records alone, so it is safe to repeat. The working copy is deleted last, and only if no
    import is late and the tally is up to date: as long as it exists, the sweep knows that something is left to do.
    """
    # The report is read before the record, so that a slow worker with an old record does not overwrite a newer report.
    previous = services.blobs.read(report_path(run.run_id))
    run = read_run(services, run.run_id) or run
    if run.end is None or run.tally is None:
        return
    manifest = read_manifest(services, run.run_id) if run.plan else None
    try:
        _write_report(services, _report(run, run.end, run.tally, manifest), previous)
    except Changed:
        return
    if manifest and is_yardstick(run.end.status, run.tally):
        _remember(services, run, run.end.at, run.tally, manifest)
    lanes = [*read_lanes(services, run).values()]
    if run.plan and (any(any(lane.late()) for lane in lanes) or tally_of(run.plan, lanes) != run.tally):
        return
    for path in list(services.blobs.names(f"{WORKING}{run.run_id}/")):
        services.blobs.delete(path)


def _report(run: Run, end: End, tally: Tally, manifest: Manifest | None) -> Report:
    return Report(
        run_id=run.run_id,
        export_id=run.export_id,
        status=end.status,
        ended_utc=end.at,
        tally=tally,
        explanations={code: BY_CODE[code].explanation for code in tally.reasons},
        sources=manifest.sources if manifest else (),
        values=run.plan.values if run.plan else (),
        warnings=run.plan.warnings if run.plan else (),
        resends=end.resends,
    )


def _write_report(services: Services, report: Report, previous: Blob | None) -> None:
    """Write the report if it differs. Raises `Changed` if someone has written one since `previous` was read."""
    path = report_path(report.run_id)
    if previous is None:
        services.blobs.create(path, report.to_json())
    elif load(Report, previous.data) != report:
        services.blobs.replace(path, report.to_json(), previous.etag)


def _remember(services: Services, run: Run, ended_at: float, tally: Tally, manifest: Manifest) -> None:
    """Store what the export's next run compares with, unless a newer run already has."""
    success = LastSuccess(
        run_id=run.run_id,
        fingerprint=manifest.fingerprint,
        rows_read=tally.rows_read,
        at=ended_at,
        host=run.host,
        confirmed=tally.there,
    )

    def newer(slot: Slot) -> Slot | None:
        if slot.last_success and slot.last_success.at >= success.at:
            return None
        return slot.model_copy(update={"last_success": success})

    store.change(services.blobs, Slot, slot_path(run.export_id), newer)


def _write_rejects(services: Services, manifest: Manifest, folded: list[Lane], report: BlobWriter) -> None:
    """Write every unconfirmed contact in the run's batches to the report, with its reason."""
    reasons: defaultdict[int, dict[int, Reason]] = defaultdict(dict)
    for fate in fates(folded):
        if fate.reason:
            reasons[fate.batch].update(dict.fromkeys(fate.positions, fate.reason))
    numbers = sorted(reasons)
    copies = read_batches(services, manifest.payload, (manifest.batches[number] for number in numbers))
    for number, (body, references) in zip(numbers, copies, strict=True):
        report.write(lines(contact_rejects(manifest, body, references, reasons[number])))
    report.commit()
