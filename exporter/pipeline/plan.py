"""Plan a run: check everything, read the segments, cut batches, commit the manifest. Only then is anything sent."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import asdict

from exporter import log
from exporter.activecampaign import bodies
from exporter.activecampaign.account import AccountLimits
from exporter.activecampaign.bodies import envelope
from exporter.contacts.matching import mapping_of
from exporter.delivery.batches import Batch, RequestSize
from exporter.delivery.manifest import BatchEntry, CarriedEntry, FieldEntry, Manifest, SourceEntry
from exporter.delivery.plan import Plan
from exporter.delivery.waits import plan_wait_s
from exporter.errors import Culprit, NotReady, Stop, Wait
from exporter.pipeline import brakes, destination, finish, preflight, questions
from exporter.pipeline.batching import Task, plan_batches
from exporter.pipeline.claim import ClaimLostError, claim, renew
from exporter.pipeline.dispatch import dispatch, lanes_for
from exporter.pipeline.preflight import Fields
from exporter.pipeline.resume import Left, what_is_left
from exporter.pipeline.session import Session, session_of
from exporter.pipeline.sources import digest, fingerprint, identity, refreshes_of, segment_read
from exporter.ports import Changed
from exporter.records import paths, store
from exporter.records.few import read_few
from exporter.records.paths import manifest_path
from exporter.records.payload import PlanWriter, read_batches
from exporter.records.runs import change_run, read_manifest, read_run
from exporter.records.slots import LastSuccess, cleared_at, read_slot, yardstick
from exporter.runs.membership import membership
from exporter.runs.run import Held, Problem, Run, RunStatus, Trigger, Waiting
from exporter.sentences import Situation
from exporter.services import Services
from exporter.source.segments import Refresh, stale
from exporter.tally.rejects import contact_rejects
from exporter.tally.unfit import warned_of

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
        died = Problem.said("planning_died", Culprit.SYSTEM, times=PLANNING_DEATHS)
        finish.end_before_sending(services, run_id, planner, RunStatus.FAILED, died)
        return None
    try:
        return _make_manifest(services, run, lambda: renew(services, run_id, planner))
    except Wait as error:
        _wait(services, run, planner, error)
    except _Skip as skip:
        finish.end_before_sending(services, run_id, planner, RunStatus.SKIPPED, skip.problem)
    except _Hold as hold:
        problem, held = Problem.of(hold.stops[0]), _held(services, run, hold)
        finish.end_before_sending(services, run_id, planner, RunStatus.FAILED, problem, held, hold.refresh)
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


class _Hold(Exception):
    """Somebody has to say whether this is intended; `refresh`: what was read, as `sources.digest` names it."""

    def __init__(self, stops: Sequence[Stop], refresh: str) -> None:
        self.stops, self.refresh = stops, refresh


def _held(services: Services, run: Run, hold: _Hold) -> Held:
    causes = tuple(map(brakes.cause_of, hold.stops))
    return Held(causes=causes, membership=membership(services.settings.segment_folder, run.host, run.export))


def _make_manifest(services: Services, run: Run, heartbeat: Callable[[], None]) -> Manifest:
    calls = session_of(services, run, fresh=run.waiting is not None)
    before = preflight.last_fields(services, _last_success(services, run))
    recent = services.clock.now() - destination.SHARED_S
    # Whoever starts a run may have changed something in ActiveCampaign right before.
    seen = destination.look(calls, max(recent, run.requested_utc) if run.trigger is Trigger.ON_DEMAND else recent)
    fields = preflight.check(calls, run.export, preflight.options_of(before), seen=seen)
    if run.only is None:
        slot = read_slot(services, run.export_id)
        for stop in preflight.untried(run.export, fields.mapped, cleared_at(slot, run.host)):
            raise stop
    limits = None if run.export.allow_over_contact_limit else seen.limits
    for attempt in (1, 2):
        try:
            refreshes = refreshes_of(services, run.export, heartbeat=heartbeat)
            if run.refresh not in (None, digest(fingerprint(refreshes))):
                raise _Skip(Problem.said("superseded", Culprit.SYSTEM))
            # Where a field takes something else now, the same files give other values.
            if [entry.takes for entry in map(FieldEntry.of, fields.mapped)] == [entry.takes for entry in before]:
                _guard_unchanged(services, run, refreshes)
            return _read(calls, run, refreshes, fields, limits, heartbeat)
        except Changed:
            log.event("source_changed_while_read", runId=run.run_id, attempt=attempt)
    raise NotReady.of("source_changing")


def _guard_unchanged(services: Services, run: Run, refreshes: Sequence[Refresh]) -> None:
    last = _last_success(services, run)
    if run.trigger is Trigger.ON_DEMAND or not run.export.skip_unchanged or last is None:
        return
    if last.fingerprint == identity(run.host, run.export, fingerprint(refreshes)):
        raise _Skip(Problem.said("segment_unchanged", Culprit.SYSTEM, run=last.run_id))


def _last_success(services: Services, run: Run) -> LastSuccess | None:
    return yardstick(services, read_slot(services, run.export_id))


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
        only=read_few(services, run),
    )
    planned = plan_batches(task, services.segments, writer, heartbeat)
    what = identity(run.host, run.export, fingerprint(refreshes))
    left = what_is_left(services, run, planned, what)
    last, carried = _last_success(services, run), left.carried.confirmed if left.carried else 0
    stops = brakes.problems(calls, run.export, planned, limits, last, carried=carried, approved=run.approved)
    if run.only is not None:
        stops = brakes.of_a_few(planned, stops)
    # Whoever resumes a run sends what it planned: that was plausible, or approved.
    holds = () if left.carried else tuple(stop for stop in stops if stop.code in brakes.HOLDS)
    fails = [stop for stop in stops if stop.code not in brakes.HOLDS]
    if fails or holds:
        rejects.commit()  # nobody is sent, and who would have been rejected is most often why
        raise fails[0] if fails else _Hold(holds, digest(fingerprint(refreshes)))
    payload.commit()
    unfit = writer.unfit.data
    batches = tuple(map(_entry, left.batches))
    erases: tuple[tuple[int, ...], ...] = ()
    if run.only is not None:
        copies = read_batches(services, payload_path, batches)
        contacts = (contact for body, _ in copies for contact in bodies.contacts(body))
        erases = preflight.erases(calls, run.export, fields.mapped, contacts, heartbeat)
    now = services.clock.now()
    warned = (*planned.warnings, *fields.warned, *warned_of(planned.values), *stale(refreshes, now))
    manifest = Manifest(
        payload=payload_path,
        rejects=rejects_path,
        fingerprint=what,
        refreshed_utc=max(r.refreshed_at for r in refreshes),
        sources=tuple(SourceEntry(path=s.path, etag=s.etag, rows=s.rows) for s in planned.sources),
        values=paths.values_path(run.run_id, attempt) if unfit else None,
        fields=tuple(map(FieldEntry.of, fields.mapped)),
        envelope=(
            request_envelope.prefix.decode(),
            request_envelope.contact_tail.decode(),
            request_envelope.suffix.decode(),
        ),
        batches=batches,
        carried=tuple(_carried(planned.batches, left)),
        erases=erases,
        plan=Plan(
            rows_read=planned.rows_read,
            contacts=planned.contacts,
            duplicates=planned.duplicates,
            rejected_by_reason=planned.rejected_by_reason,
            batches=len(left.batches),
            lanes=lanes_for(len(left.batches), services.settings.lanes),
            values=planned.values,
            notices=planned.notices,
            warnings=tuple(each.message for each in warned),
            warned=warned,
            files_not_read=sum(refresh.files_not_read for refresh in refreshes),
            segments=tuple(map(segment_read, refreshes)),
            list_active=_active_on(calls, run.export.list_id) if left.batches else None,
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


def _active_on(calls: Session, list_id: int) -> int | None:
    """Return how many active contacts a list has; nothing waits for that."""
    with suppress(Wait):
        return questions.list_active(calls, list_id)
    return None


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
    return BatchEntry(**asdict(batch))


def _carried(planned: Sequence[Batch], left: Left) -> Iterator[CarriedEntry]:
    refused = defaultdict[Batch, list[int]](list)
    for batch, reasons in left.refused:
        refused[batch].extend(reasons)
    for batch in sorted({*planned} - {*left.batches}, key=lambda batch: batch.offset_bytes):
        yield CarriedEntry(**asdict(batch), refused=tuple(sorted(refused[batch])))


def _failed(services: Services, run_id: str, planner: str, what: str) -> None:
    """Count an unexpected error; end the run after `PLANNING_TRIES` of them. Until then, the sweep tries again."""

    def count(run: Run) -> Run | None:
        if run.attempts is None or not run.claimed_by(planner):
            return None
        return run.then(attempts=run.attempts.model_copy(update={"errors": run.attempts.errors + 1}))

    run = change_run(services, run_id, count)
    if run is None or run.attempts is None or run.attempts.errors < PLANNING_TRIES:
        return
    problem = Problem.said("defect", Culprit.SYSTEM, case="planning", times=PLANNING_TRIES, place=what)
    finish.end_before_sending(services, run_id, planner, RunStatus.FAILED, problem)


def _wait(services: Services, run: Run, planner: str, error: Wait) -> None:
    now = services.clock.now()
    since = run.waiting.since if run.waiting else now
    if now - since > services.settings.retry_for_s:
        finish.end_before_sending(services, run.run_id, planner, RunStatus.FAILED, Problem.of(error))
        return
    waiting = Waiting(**Problem.of(error, Situation.WAITING).model_dump(), since=since, until=now + plan_wait_s(error))
    change_run(
        services,
        run.run_id,
        lambda r: r.then(waiting=waiting, claim=None, attempts=None) if r.claimed_by(planner) else None,
    )
    log.event("run_waiting", runId=run.run_id, code=error.code)
