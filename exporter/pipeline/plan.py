"""Plan a run: check everything, read the segments, cut batches, commit the manifest. Only then is anything sent."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from exporter import log
from exporter.activecampaign.account import AccountLimits
from exporter.activecampaign.bodies import envelope
from exporter.contacts.matching import mapping_of
from exporter.delivery.batches import Batch, RequestSize
from exporter.delivery.manifest import BatchEntry, FieldEntry, Manifest, SourceEntry
from exporter.delivery.plan import Plan
from exporter.delivery.waits import plan_wait_s
from exporter.errors import Culprit, NotReady, Stop, Wait
from exporter.pipeline import brakes, finish, preflight, questions
from exporter.pipeline.batching import Task, plan_batches
from exporter.pipeline.claim import ClaimLostError, claim, renew
from exporter.pipeline.dispatch import dispatch, lanes_for
from exporter.pipeline.preflight import Fields
from exporter.pipeline.resume import what_is_left
from exporter.pipeline.session import Session, session_of
from exporter.pipeline.sources import identity, refreshes_of
from exporter.ports import Changed
from exporter.records import paths, store
from exporter.records.paths import manifest_path
from exporter.records.payload import PlanWriter, read_batches
from exporter.records.runs import change_run, read_manifest, read_run
from exporter.records.slots import LastSuccess, read_slot
from exporter.runs.run import Problem, Run, RunStatus, Trigger, Waiting
from exporter.services import Services
from exporter.source.segments import Refresh, stale
from exporter.tally.rejects import contact_rejects
from exporter.tally.unfit import sentences

PLANNING_TRIES = 5
"""How many times in a row planning may fail with an unexpected error. A retry comes when the failed planner's claim
expires, so they take about eight minutes in all. A problem outside the app is a wait and does not count."""
PLANNING_DEATHS = 3
"""How many planners of a run may be cut off before they record how they ended, without a wait in between. What ends a
process, such as a file that takes more memory than there is, ends the next one too. Deployments and scaling in end
processes as well, and storage may not answer, but hardly ever while three planners of one run are at it."""


def plan_run(services: Services, run_id: str) -> None:
    """Plan the run and send a message for each lane, unless that is done or in progress.

    A wait or a failure is recorded in the run; only `errors.Unavailable`, for the app's own storage, is raised.
    """
    run = read_run(services, run_id)
    if run is None or run.end:
        log.event("plan_not_needed", runId=run_id)
    elif run.halted:
        finish.finish(services, run_id)
    elif manifest := read_manifest(services, run_id) or _plan(services, run):
        dispatch(services, run_id, manifest)


def _plan(services: Services, run: Run) -> Manifest | None:
    """Claim the run and make its manifest; None if another planner is working on it, or the run waits or has ended."""
    run_id, planner = run.run_id, services.ids.new()
    attempts = claim(services, run_id, planner)
    if attempts is None:
        log.event("plan_claimed_by_another", runId=run_id)
        return None
    if attempts.begun - 1 - attempts.errors >= PLANNING_DEATHS:
        finish.end_before_sending(services, run_id, planner, RunStatus.FAILED, _DIED)
        return None
    try:
        return _make_manifest(services, run, lambda: renew(services, run_id, planner))
    except Wait as error:
        _wait(services, run, planner, error)
    except _Skip as skip:
        finish.end_before_sending(services, run_id, planner, RunStatus.SKIPPED, skip.problem)
    except Stop as error:
        finish.end_before_sending(services, run_id, planner, RunStatus.FAILED, Problem.of(error))
    except ClaimLostError:
        log.event("plan_claim_lost", runId=run_id)
    except Exception as error:  # noqa: BLE001 - a defect must not be repeated forever
        _failed(services, run_id, planner, log.defect(error, runId=run_id))
    return None


class _Skip(Exception):
    """The run has nothing to do."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


_DIED = Problem(
    code="planning_died",
    message=f"Planning began {PLANNING_DEATHS} times, and was cut off each time: most often, the process ran out of"
    " memory or time. Nothing was sent. Split the segment, or give the app more memory (instanceMemoryMB), then start"
    " the export again. If it happens again, please report it.",
    culprit=Culprit.SYSTEM,
)


def _make_manifest(services: Services, run: Run, heartbeat: Callable[[], None]) -> Manifest:
    calls = session_of(services, run, fresh=run.waiting is not None)
    before = preflight.last_fields(services, _last_success(services, run))
    fields = preflight.check(calls, run.export, preflight.options_of(before))
    limits = None if run.export.allow_over_contact_limit else questions.account_limits(calls)
    for attempt in (1, 2):
        try:
            refreshes = refreshes_of(services, run.export, heartbeat=heartbeat)
            # Where a field takes something else now, the same files give other values.
            if [entry.takes for entry in map(FieldEntry.of, fields.mapped)] == [entry.takes for entry in before]:
                _guard_unchanged(services, run, refreshes)
            return _read(calls, run, refreshes, fields, limits, heartbeat)
        except Changed:
            log.event("source_changed_while_read", runId=run.run_id, attempt=attempt)
    raise NotReady(
        "source_changing",
        "The segment's files were replaced twice while they were being read. The run tries again in a minute.",
    )


def _guard_unchanged(services: Services, run: Run, refreshes: Sequence[Refresh]) -> None:
    last = _last_success(services, run)
    if run.trigger is Trigger.ON_DEMAND or run.force or not run.export.skip_unchanged or last is None:
        return
    if last.fingerprint == identity(run.host, run.export, refreshes):
        raise _Skip(
            Problem(
                code="segment_unchanged",
                message=f"Expected segments that differ from those that the run {last.run_id} sent; they are unchanged."
                " To send them again, start the export on demand, or turn off skipUnchanged.",
                culprit=Culprit.SYSTEM,
            )
        )


def _last_success(services: Services, run: Run) -> LastSuccess | None:
    slot = read_slot(services, run.export_id)
    return slot.last_success if slot else None


def _read(
    calls: Session,
    run: Run,
    refreshes: Sequence[Refresh],
    fields: Fields,
    limits: AccountLimits | None,
    heartbeat: Callable[[], None],
) -> Manifest:
    services = calls.services
    attempt = services.ids.new()
    payload_path, rejects_path = paths.payload_path(run.run_id, attempt), paths.rejects_path(run.run_id, attempt)
    payload, rejects = services.blobs.writer(payload_path), services.blobs.writer(rejects_path)
    writer = PlanWriter(payload, rejects, services.settings.hides)
    request_envelope = envelope(run.export.list_id, run_automations=run.export.run_automations)
    task = Task(
        refreshes=refreshes,
        mapping=mapping_of(run.export, fields.mapped),
        envelope=request_envelope,
        secret=services.ids.new(),
        size=RequestSize(),
        max_contacts=run.export.max_contacts,
    )
    planned = plan_batches(task, services.segments, writer, heartbeat)
    fingerprint = identity(run.host, run.export, refreshes)
    left = what_is_left(services, run, planned, fingerprint)
    # Whoever resumes a run sends what it planned: its size was plausible, or forced.
    force, carried = run.force or run.resumes is not None, left.carried.confirmed if left.carried else 0
    last = _last_success(services, run)
    for problem in brakes.problems(calls, run.export, planned, limits, last, carried=carried, force=force):
        raise problem
    payload.commit()
    unfit = writer.unfit.data
    now = services.clock.now()
    manifest = Manifest(
        payload=payload_path,
        rejects=rejects_path,
        fingerprint=fingerprint,
        refreshed_utc=max(r.refreshed_at for r in refreshes),
        sources=tuple(SourceEntry(path=s.path, etag=s.etag, rows=s.rows) for s in planned.sources),
        values=paths.values_path(run.run_id, attempt) if unfit else None,
        fields=tuple(map(FieldEntry.of, fields.mapped)),
        envelope=(
            request_envelope.prefix.decode(),
            request_envelope.contact_tail.decode(),
            request_envelope.suffix.decode(),
        ),
        batches=tuple(map(_entry, left.batches)),
        plan=Plan(
            rows_read=planned.rows_read,
            contacts=planned.contacts,
            duplicates=planned.duplicates,
            rejected_by_reason=planned.rejected_by_reason,
            batches=len(left.batches),
            lanes=lanes_for(len(left.batches), services.settings.lanes),
            values=planned.values,
            notices=planned.notices,
            warnings=(
                *planned.warnings,
                *(problem.message for problem in fields.problems),
                *sentences(planned.values),
                *stale(refreshes, now),
            ),
            files_not_read=sum(refresh.files_not_read for refresh in refreshes),
            carried=left.carried,
            at=now,
        ),
    )
    copies = read_batches(services, payload_path, (_entry(batch) for batch, _ in left.refused))
    for (body, references), (_, reasons) in zip(copies, left.refused, strict=True):
        writer.add_rejects(contact_rejects(manifest, body, references, reasons))
    rejects.commit()
    if manifest.values and unfit:
        services.blobs.create(manifest.values, unfit)
    return _commit(services, run.run_id, manifest)


def _commit(services: Services, run_id: str, manifest: Manifest) -> Manifest:
    """Create the manifest; or, if another planner was faster, return its manifest and delete these copies."""
    kept = store.create_or_get(services.blobs, manifest_path(run_id), manifest)
    if kept.payload != manifest.payload:
        services.blobs.delete(manifest.payload)
        services.blobs.delete(manifest.rejects)
        if manifest.values:
            services.blobs.delete(manifest.values)
        return kept
    plan = manifest.plan
    log.event("planned", runId=run_id, rows=plan.rows_read, contacts=plan.contacts, batches=plan.batches)
    return manifest


def _entry(batch: Batch) -> BatchEntry:
    return BatchEntry(
        offset_bytes=batch.offset_bytes,
        body_bytes=batch.body_bytes,
        references_bytes=batch.references_bytes,
        count=batch.count,
        sha256=batch.sha256,
    )


def _failed(services: Services, run_id: str, planner: str, what: str) -> None:
    """Count an unexpected error; end the run after `PLANNING_TRIES` of them. Until then, the sweep tries again."""

    def count(run: Run) -> Run | None:
        if run.attempts is None or not run.claimed_by(planner):
            return None
        return run.then(attempts=run.attempts.model_copy(update={"errors": run.attempts.errors + 1}))

    run = change_run(services, run_id, count)
    if run is None or run.attempts is None or run.attempts.errors < PLANNING_TRIES:
        return
    problem = Problem(
        code="defect",
        message=f"Planning failed {PLANNING_TRIES} times with an unexpected error ({what}). Nothing was sent. Please"
        " report it.",
        culprit=Culprit.SYSTEM,
    )
    finish.end_before_sending(services, run_id, planner, RunStatus.FAILED, problem)


def _wait(services: Services, run: Run, planner: str, error: Wait) -> None:
    now = services.clock.now()
    since = run.waiting.since if run.waiting else now
    if now - since > services.settings.retry_for_s:
        finish.end_before_sending(services, run.run_id, planner, RunStatus.FAILED, Problem.of(error))
        return
    waiting = Waiting(**Problem.of(error).model_dump(), since=since, until=now + plan_wait_s(error))
    change_run(
        services,
        run.run_id,
        lambda r: r.then(waiting=waiting, claim=None, attempts=None) if r.claimed_by(planner) else None,
    )
    log.event("run_waiting", runId=run.run_id, code=error.code)
