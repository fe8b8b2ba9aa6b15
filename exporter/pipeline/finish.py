"""End a run: when every batch has its outcome, or when nothing can be sent any more."""

from __future__ import annotations

import logging
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping

import orjson

from exporter import ledger, log, rejects, runs, store
from exporter.activecampaign import wire
from exporter.errors import Culprit, Stop
from exporter.fates import fates
from exporter.ledger import Lane
from exporter.pipeline.manifest import Manifest, SourceEntry, manifest_path
from exporter.pipeline.start import LastSuccess, Slot, slot_path
from exporter.pipeline.working import read_batches
from exporter.ports import Blob, BlobWriter, Changed, Services
from exporter.reasons import BY_CODE, Reason
from exporter.records import Record, Time, load
from exporter.rejects import Reject
from exporter.runs import Account, Amended, End, Problem, Run, RunStatus, lane_path, run_path


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
    blobs = (services.blobs.read(lane_path(run.run_id, n)) for n in range(run.plan.lanes if run.plan else 0))
    return [(ledger.fold(blob.data), blob.age_s) for blob in blobs if blob]


def append(services: Services, run_id: str, number: int, lane: Lane, *events: ledger.Json) -> None:
    """Append to a lane's ledger, and take it in. Raises `Changed` when somebody else has written since it was read."""
    lane.length = services.blobs.append(lane_path(run_id, number), ledger.encode(events), lane.length)
    for event in events:
        lane.apply(event)


def over(run: Run, lane: Lane, age_s: float, stale_s: float) -> bool:
    """Whether nothing more will happen in the lane: all outcomes known, or halted with nothing on its way."""
    if lane.finished:
        return True
    return run.halted and not any(lane.accepted()) and not lane.held(age_s, stale_s)


def finish(services: Services, run_id: str) -> None:
    """End the run if it is over; nothing otherwise. Any number of workers may try at once.

    Raises `Stop` ("manifest_missing", "ledger_unreadable").
    """
    run = store.get(services.blobs, Run, run_path(run_id))
    if run is None:
        return None
    if run.end:
        return settle(services, run)
    if run.plan is None:
        # Nothing was sent; somebody may record the plan right now, though, and then this is not the end.
        return _end(services, run, Account(), 0, lambda r: r.plan is None) if run.halted else None
    if not _over(services, run):
        return None
    manifest = store.get(services.blobs, Manifest, manifest_path(run_id))
    if manifest is None:
        raise Stop(
            "manifest_missing", f"The manifest of the run {run_id} is gone. Start the export again.", Culprit.SYSTEM
        )
    folded = _list_rejects(services, run, manifest)
    return _end(services, run, runs.account(run.plan, folded), runs.resends(folded))


def _over(services: Services, run: Run) -> bool:
    """Whether all lanes are over; if so, it is seen to that they stay so."""
    current = lanes(services, run)
    if len(current) < (run.plan.lanes if run.plan else 0):
        return False
    if not all(over(run, lane, age_s, services.settings.lane_stale_s) for lane, age_s in current):
        return False
    for number, (lane, _) in enumerate(current):
        if lane.finished:
            continue
        # A worker that does not know of the halt yet, or stood still, fails its next append, and so sends nothing.
        try:
            append(services, run.run_id, number, lane, ledger.lane_event(services.clock.now(), "closed"))
        except Changed:
            return False
    return True


def amend(services: Services, run_id: str) -> None:
    """Bring the account of a run that is over up to date with its ledgers, then settle it."""
    run = store.get(services.blobs, Run, run_path(run_id))
    manifest = store.get(services.blobs, Manifest, manifest_path(run_id))
    if run and run.plan and manifest:
        # The ledgers are read after the record: whoever amended it in the meantime may know more.
        before, folded = run.amended, [lane for lane, _ in lanes(services, run)]
        if runs.account(run.plan, folded) != run.account:
            account = runs.account(run.plan, _list_rejects(services, run, manifest))
            amended = Amended(account=account, at=services.clock.now())
            run = store.change(
                services.blobs,
                Run,
                run_path(run_id),
                lambda r: None if r.amended != before else r.then(amended=amended),
            )
            log.event("run_amended", runId=run_id, **account.model_dump(by_alias=True, exclude={"reasons"}))
    if run:
        settle(services, run)


def _list_rejects(services: Services, run: Run, manifest: Manifest) -> list[Lane]:
    """Write the part of the reject report that the ledgers tell; return the lanes that it was written from.

    The ledgers are read after the report: who stood still in between with older ones does not overwrite a newer report,
    but reads again. Raises `Unavailable` ("storage_contention").
    """
    for _ in range(store.MAX_TRIES):
        report = services.blobs.extension(manifest.rejects)
        folded = [lane for lane, _ in lanes(services, run)]
        try:
            if report is None:
                raise Stop("rejects_missing", f"The reject report of the run {run.run_id} is gone.", Culprit.SYSTEM)
            _write_rejects(services, manifest, folded, report)
        except Changed:
            continue
        except Stop as error:
            # Without its working copy, a run can still be counted, but the people in it have no names any more.
            log.event("rejects_not_listed", level=logging.ERROR, runId=run.run_id, code=error.code)
        return folded
    raise store.contention()


def _end(services: Services, run: Run, account: Account, resends: int, may_end: Callable[[Run], bool] = bool) -> None:
    problem = run.stop
    if not account.adds_up:
        problem = Problem(
            code="account_does_not_add_up",
            message="The rows of this run do not add up, which is a defect of the service. Please report it with the"
            " run id.",
            culprit=Culprit.SYSTEM,
        )
    status = runs.verdict(account, problem, canceled=run.cancel is not None)
    end = End(status=status, at=services.clock.now(), account=account, problem=problem, resends=resends)
    end_with(services, run.run_id, end, may_end)


def end_unplanned(services: Services, run_id: str, planner: str, status: RunStatus, problem: Problem) -> None:
    """End a run of which nothing was sent; nothing when `planner` has lost its claim, or somebody asked to cancel."""
    end = End(status=status, at=services.clock.now(), account=Account(), problem=problem)
    end_with(services, run_id, end, lambda r: r.claimed_by(planner))


def end_with(services: Services, run_id: str, end: End, may_end: Callable[[Run], bool]) -> None:
    """Write the run's end, once and if it `may_end`; then do what follows from it."""
    run = store.change(
        services.blobs,
        Run,
        run_path(run_id),
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
            **end.account.model_dump(by_alias=True, exclude={"reasons"}),
        )
    settle(services, run)


def settle(services: Services, run: Run) -> None:
    """Do what follows from the end: the report, what the next run compares with, and no working copy any more.

    It follows from the records alone, so it may be done again. The working copy goes last, and only when no import is
    late and the account is up to date: as long as there is one, the sweep knows that something is left to do.
    """
    # The report is read before the record: who is late with an old record does not overwrite a newer report.
    told = services.blobs.read(run_path(run.run_id, "report.json"))
    run = store.get(services.blobs, Run, run_path(run.run_id)) or run
    account = run.account
    if run.end is None or account is None:
        return
    manifest = store.get(services.blobs, Manifest, manifest_path(run.run_id)) if run.plan else None
    report = Report(
        run_id=run.run_id,
        export_id=run.export_id,
        status=run.end.status,
        ended_utc=run.end.at,
        account=account,
        explanations={code: BY_CODE[code].explanation for code in account.reasons},
        sources=manifest.sources if manifest else (),
        warnings=run.plan.warnings if run.plan else (),
        resends=run.end.resends,
    )
    try:
        _tell(services, report, told)
    except Changed:
        return
    if manifest and run.end.status in (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS):
        success = LastSuccess(
            run_id=run.run_id,
            fingerprint=manifest.fingerprint,
            rows_read=run.end.account.rows_read,
            at=run.end.at,
            host=run.host,
            confirmed=run.end.account.confirmed,
        )
        store.change(
            services.blobs,
            Slot,
            slot_path(run.export_id),
            lambda s: (
                None
                if s.last_success and s.last_success.at >= success.at
                else s.model_copy(update={"last_success": success})
            ),
        )
    folded = [lane for lane, _ in lanes(services, run)]
    if run.plan and (any(any(lane.late()) for lane in folded) or runs.account(run.plan, folded) != account):
        return
    for path in list(services.blobs.names(f"working/{run.run_id}/")):
        services.blobs.delete(path)


def _tell(services: Services, report: Report, told: Blob | None) -> None:
    """Write the report if it is news. Raises `Changed` when somebody else has written one since `told` was read."""
    path = run_path(report.run_id, "report.json")
    if told is None:
        services.blobs.create(path, report.to_json())
    elif load(Report, told.data) != report:
        services.blobs.replace(path, report.to_json(), told.etag)


def _write_rejects(services: Services, manifest: Manifest, folded: list[Lane], report: BlobWriter) -> None:
    """Write every contact of the run's batches that is not confirmed, with its reason."""
    reasons: defaultdict[int, dict[int, Reason]] = defaultdict(dict)
    for fate in fates(folded):
        if fate.reason:
            reasons[fate.batch].update(dict.fromkeys(fate.positions, fate.reason))
    numbers = sorted(reasons)
    copies = read_batches(services, manifest.payload, (manifest.batches[number] for number in numbers))
    for number, (body, references) in zip(numbers, copies, strict=True):
        report.write(rejects.lines(contact_rejects(manifest, body, references, reasons[number])))
    report.commit()


def contact_rejects(
    manifest: Manifest, body: bytes, references: bytes, reasons: Mapping[int, Reason]
) -> Iterator[Reject]:
    """Yield the contacts of a batch at these positions as lines of the reject report."""
    emails, rows = wire.addresses(body), orjson.loads(references)
    for position, reason in sorted(reasons.items()):
        row, customer_id, *_ = rows[position]
        yield Reject(*manifest.locate(row), customer_id or "", emails[position], reason, reason.explanation)
