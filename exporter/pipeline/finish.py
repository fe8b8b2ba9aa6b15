"""End a run once every batch has its outcome, or nothing more can be sent."""

from __future__ import annotations

import logging
import math
from collections import defaultdict
from collections.abc import Callable, Collection
from typing import NamedTuple

from exporter import log
from exporter.delivery import events
from exporter.delivery.ledger import Lane
from exporter.delivery.manifest import Manifest
from exporter.delivery.plan import Plan
from exporter.delivery.traffic import traffic_of
from exporter.errors import Culprit, ExporterError, Stop, Throttled
from exporter.model import load
from exporter.pipeline import destination
from exporter.ports import Blob, BlobWriter, Changed
from exporter.queues import UPLOAD_QUEUE, send_hint
from exporter.reasons import BY_CODE, Reason
from exporter.records import store
from exporter.records.lanes import append_events, read_lanes
from exporter.records.paths import WORKING, report_path, slot_path
from exporter.records.payload import read_batches
from exporter.records.runs import change_run, read_findings, read_manifest, read_run
from exporter.records.slots import LastSuccess, Slot, yardstick
from exporter.runs.report import Report
from exporter.runs.run import Amended, End, Held, Problem, Run, RunStatus, final_status, is_yardstick, nobody_arrived
from exporter.services import Services
from exporter.tally.count import Tally, resends, tally_of
from exporter.tally.fates import Place, fates
from exporter.tally.findings import Findings, Sample, is_looked_up
from exporter.tally.rejects import contact_rejects, lines

FEW_ARE_SHOWN_S = 600.0
"""For how long after the end of a run for a few people its working copy is kept, so that whoever asked can be told."""


def _is_over(run: Run, lane: Lane, stale_s: float) -> bool:
    """Return whether nothing more will happen in the lane: all outcomes known, or halted with nothing in flight."""
    return lane.done or (run.halted and not any(lane.accepted()) and not lane.held(stale_s))


def finish(services: Services, run_id: str, *, try_again: bool = False) -> None:
    """End the run if it is over; otherwise, do nothing. Any number of workers may try at once.

    `try_again`: send a message for later if the run only waits until it may look at its destination; a sweep does not.

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
            _end_after_sending(services, run, Tally(), (), lambda r: r.plan is None)
        return
    if not _close_lanes(services, run):
        return
    manifest = read_manifest(services, run_id)
    if manifest is None:
        raise Stop.of("manifest_missing", Culprit.SYSTEM, run=run_id)
    seen = _look_again(services, run, manifest, try_again=try_again)
    if seen is None:
        return
    told = _list_rejects(services, seen, manifest)
    unseen = not destination.settled(seen, told.lanes)
    _end_after_sending(services, seen, told.tally(run.plan), told.lanes, unseen=unseen)


def _look_again(services: Services, run: Run, manifest: Manifest, *, try_again: bool = False) -> Run | None:
    """Look at the destination if the run has not since its last confirmation; None: it is not over yet."""
    lanes = [*read_lanes(services, run).values()]
    if destination.settled(run, lanes):
        return run
    try:
        return destination.look_again(services, run, lanes, manifest.fields)
    except ExporterError as error:
        if destination.patience_is_over(services, run, lanes, error):
            return run
        if try_again and isinstance(error, Throttled):
            send_hint(services, UPLOAD_QUEUE, {"runId": run.run_id, "lane": 0}, math.ceil(error.retry_after_s or 0))
        return None


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
        before, told = run.amended, _told(services, run)
        if not _is_current(run, told):
            seen = _look_again(services, run, manifest)
            if seen is None or seen.plan is None:
                return
            told = _told(services, seen)
            if told.tally(seen.plan) != run.tally:
                told = _list_rejects(services, seen, manifest)
            tally = told.tally(seen.plan)
            amended = Amended(tally=tally, sample=told.sample, list_active=told.list_active, at=services.clock.now())
            run = change_run(
                services,
                run_id,
                lambda r: None if r.amended != before else r.then(amended=amended),
            )
            log.event(
                "run_amended",
                level=logging.WARNING if run and run.contradicted else logging.INFO,
                runId=run_id,
                status=run.status if run else None,
                **tally.model_dump(by_alias=True, exclude={"reasons"}),
            )
    if run:
        after_end(services, run)


class _Told(NamedTuple):
    """What the ledgers and the look at people after the end tell of a run."""

    lanes: list[Lane]
    found: dict[Place, Reason]
    """Why people were not taken."""
    sample: Sample | None
    list_active: int | None
    looked_up: bool
    """Whether nobody is left to look up."""
    gone: Reason | None
    """Why nobody counts as confirmed (`Run.gone`)."""

    def tally(self, plan: Plan) -> Tally:
        """Return the tally of the run."""
        return tally_of(plan, self.lanes, self.found, self.gone)


def _told(services: Services, run: Run) -> _Told:
    run = read_run(services, run.run_id) or run  # somebody may have found the destination gone since
    lanes = [*read_lanes(services, run).values()]
    findings = read_findings(services, run.run_id)
    known = findings or Findings()
    return _Told(
        lanes,
        known.reasons,
        None if run.gone else known.counted,  # of whom nobody counts as confirmed, nobody is a sample
        known.list_active if known.done else None,
        is_looked_up(findings, lanes),
        run.gone,
    )


def _is_current(run: Run, told: _Told) -> bool:
    """Return whether the record of a run that is over says what is told of it."""
    active = run.amended.list_active if run.amended else None
    shown = (run.tally, run.sample, active)
    return run.plan is None or (told.tally(run.plan), told.sample, told.list_active) == shown


def _list_rejects(services: Services, run: Run, manifest: Manifest) -> _Told:
    """Write the part of the reject report that follows from the ledgers; return what it was written from.

    The ledgers are read after the report: a worker that was suspended in between, with older ledgers, does not
    overwrite a newer report but reads again. Raises `Unavailable` ("storage_contention").
    """
    for _ in range(store.MAX_TRIES):
        report = services.blobs.extension(manifest.rejects)
        told = _told(services, run)
        try:
            if report is None:
                raise Stop.of("rejects_missing", Culprit.SYSTEM, run=run.run_id)
            _write_rejects(services, manifest, told, report)
        except Changed:
            continue
        except Stop as error:
            # Without its working copy, a run can still be counted, but its people can no longer be named.
            log.event("rejects_not_listed", level=logging.ERROR, runId=run.run_id, code=error.code)
        return told
    raise store.contention()


def _end_after_sending(
    services: Services,
    run: Run,
    tally: Tally,
    lanes: Collection[Lane],
    may_end: Callable[[Run], bool] = bool,
    *,
    unseen: bool = False,
) -> None:
    problem = run.stop or (run.looked.problem if run.looked else None)
    problem = problem or (None if run.cancel else nobody_arrived(tally))
    if not tally.adds_up:
        problem = Problem.said("tally_does_not_add_up", Culprit.SYSTEM)
    doubts = (run.plan.files_not_read if run.plan else 0) + unseen
    status = final_status(tally, problem, canceled=run.cancel is not None, doubts=doubts)
    if unseen and problem is None:
        problem = Problem.said("destination_not_seen", Culprit.EXTERNAL, listId=run.export.list_id, host=run.host)
    end = End(
        status=status,
        at=services.clock.now(),
        tally=tally,
        problem=problem,
        resends=resends(lanes),
        traffic=traffic_of(lanes) if lanes else None,
    )
    record_end(services, run.run_id, end, may_end)


def end_before_sending(
    services: Services,
    run_id: str,
    planner: str,
    status: RunStatus,
    problem: Problem,
    held: Held | None = None,
    refresh: str | None = None,
) -> None:
    """End a run before anything is sent; do nothing if `planner` has lost its claim, or the run is being canceled.

    `refresh`: what a run that is held has read.
    """
    end = End(status=status, at=services.clock.now(), tally=Tally(), problem=problem, held=held, refresh=refresh)
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
            level=logging.WARNING if end.held else logging.ERROR if end.status is RunStatus.FAILED else logging.INFO,
            runId=run_id,
            status=run.status,
            code=end.problem.code if end.problem else None,
            **end.tally.model_dump(by_alias=True, exclude={"reasons"}),
        )
    after_end(services, run)


def after_end(services: Services, run: Run) -> None:
    """Do what follows from the end: write the report and what the next run compares with; delete the working copy.

    All of it follows from the records alone, so it is safe to repeat. The working copy is deleted last, and only if no
    import is late, nobody is left to look up and the tally is up to date: as long as it exists, the sweep knows that
    something is left to do.
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
    told = _told(services, run)
    counts = run.only is None and is_yardstick(run.end.status, run.tally) and not run.contradicted
    if manifest and counts and destination.settled(run, told.lanes):
        _remember(services, run, run.end.at, run.tally, manifest)
    if manifest and run.only is not None and services.clock.now() - run.end.at < FEW_ARE_SHOWN_S:
        return
    if manifest and (any(any(lane.late()) for lane in told.lanes) or not told.looked_up or not _is_current(run, told)):
        return
    for path in list(services.blobs.names(f"{WORKING}{run.run_id}/")):
        services.blobs.delete(path)


def _report(run: Run, end: End, tally: Tally, manifest: Manifest | None) -> Report:
    warned = (*(run.plan.all_warned if run.plan else ()), *run.contradicted)
    return Report(
        run_id=run.run_id,
        export_id=run.export_id,
        status=run.status,
        ended_utc=end.at,
        tally=tally,
        explanations={code: BY_CODE[code].explanation for code in tally.reasons},
        sources=manifest.sources if manifest else (),
        values=run.plan.values if run.plan else (),
        warnings=tuple(each.message for each in warned),
        warned=warned,
        resends=end.resends,
        list_size=run.list_size,
        sample=run.sample,
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
        return slot.model_copy(update={"last_success": success, "success_before": yardstick(services, slot)})

    store.change(services.blobs, Slot, slot_path(run.export_id), newer)


def _write_rejects(services: Services, manifest: Manifest, told: _Told, report: BlobWriter) -> None:
    """Write every unconfirmed contact in the run's batches to the report, with its reason.

    Where the destination is gone, these are also those whom the run that it resumes had confirmed.
    """
    if told.gone:
        copies = read_batches(services, manifest.payload, manifest.carried)
        for entry, (body, references) in zip(manifest.carried, copies, strict=True):
            nobody = dict.fromkeys(entry.confirmed, told.gone)
            report.write(lines(contact_rejects(manifest, body, references, nobody)))
    reasons: defaultdict[int, dict[int, Reason]] = defaultdict(dict)
    for fate in fates(told.lanes, told.found, told.gone):
        if fate.reason:
            reasons[fate.batch].update(dict.fromkeys(fate.positions, fate.reason))
    numbers = sorted(reasons)
    copies = read_batches(services, manifest.payload, (manifest.batches[number] for number in numbers))
    for number, (body, references) in zip(numbers, copies, strict=True):
        report.write(lines(contact_rejects(manifest, body, references, reasons[number])))
    report.commit()
