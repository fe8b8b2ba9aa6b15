"""Plan a run: check everything, read the segments, cut batches, commit the manifest. Nothing is sent before that."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from exporter import ledger, log, runs, store
from exporter.activecampaign.answers import AccountLimits
from exporter.activecampaign.wire import envelope
from exporter.batches import Batch, Limits, Planned, check_size, plan_batches
from exporter.contacts import FieldMapping, Mapping
from exporter.errors import Culprit, NotReady, Stop, Wait
from exporter.exports import ExportDefinition
from exporter.fates import fates
from exporter.pipeline import finish, preflight
from exporter.pipeline.account import calls_of
from exporter.pipeline.manifest import BatchEntry, FieldEntry, Manifest, SourceEntry, manifest_path
from exporter.pipeline.start import UPLOAD_QUEUE, LastSuccess, Slot, send_quietly, slot_path
from exporter.pipeline.working import read_batches
from exporter.ports import Changed, Services
from exporter.reasons import Reason
from exporter.rejects import lines as reject_lines
from exporter.runs import Attempts, Carried, Claim, Plan, Problem, Run, RunStatus, Trigger, Waiting, lane_path, run_path
from exporter.segments import Refresh, find_refresh

CLAIM_S = 90.0
"""A planner that gave no sign of life for so long counts as dead. It gives one about every 64,000 rows."""
RETRY_WAIT_S = 45.0
"""Pause of a run that waits before anything was sent: a new key or a finished refresh is noticed within two minutes."""
STALE_S = 8 * 86_400.0
"""A refresh that is older is pointed out: one that is scheduled comes every week at the least."""
PLANNING_TRIES = 5
"""How often in a row planning may end in an error that nobody foresaw. It is repeated once the claim of the planner
that failed has run out, so these take about eight minutes; what is amiss outside is a wait, and is not counted."""
BATCHES_A_LANE = 5
"""A lane has work for at least about this many batches; smaller runs need fewer lanes."""


def plan_run(services: Services, run_id: str) -> None:
    """Plan the run and send a message for each lane. Does nothing when that has been done, or is being done.

    A wait or a failure is recorded in the run; only `errors.Unavailable` of the app's own storage is raised.
    """
    run = store.get(services.blobs, Run, run_path(run_id))
    if run is None or run.end:
        return log.event("plan_not_needed", runId=run_id)
    if run.halted:
        return finish.finish(services, run_id)
    manifest = store.get(services.blobs, Manifest, manifest_path(run_id))
    if manifest is None:
        me = services.ids.new()
        attempts = _claim(services, run_id, me)
        if attempts is None:
            return log.event("plan_claimed_by_another", runId=run_id)
        died, tried_s = attempts.begun - 1 - attempts.errors, services.clock.now() - attempts.since
        if died >= PLANNING_TRIES and tried_s > services.settings.retry_for_s:
            return finish.end_unplanned(services, run_id, me, RunStatus.FAILED, _DIED)
        try:
            manifest = _make_manifest(services, run, lambda: _renew(services, run_id, me))
        except Wait as error:
            return _wait(services, run, me, error)
        except _Skip as skip:
            return finish.end_unplanned(services, run_id, me, RunStatus.SKIPPED, skip.problem)
        except Stop as error:
            return finish.end_unplanned(services, run_id, me, RunStatus.FAILED, Problem.of(error))
        except _ClaimLostError:
            return log.event("plan_claim_lost", runId=run_id)
        except Exception as error:  # noqa: BLE001 - a defect must not be repeated for ever
            return _failed(services, run_id, me, log.defect(error, runId=run_id))
    dispatch(services, run_id, manifest)
    return None


class _ClaimLostError(Exception):
    """Another planner took over, or the run was canceled."""


class _Skip(Exception):
    """There is nothing to do."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem


_DIED = Problem(
    code="planning_died",
    message="Planning was attempted repeatedly, but its process died each time, possibly because it ran out of memory."
    " Nothing was sent. Please report it; a smaller segment may work.",
    culprit=Culprit.SYSTEM,
)


def _claim(services: Services, run_id: str, me: str) -> Attempts | None:
    """Claim the run for this planner; return which attempt in a row this is, None when another planner is at it."""
    now = services.clock.now()

    def take(run: Run) -> Run | None:
        if run.end or (run.claim and run.claim.by != me and now - run.claim.at < CLAIM_S):
            return None
        before = run.attempts or Attempts(since=now)
        attempts = before.model_copy(update={"begun": before.begun + 1})
        return run.then(claim=Claim(by=me, at=now), attempts=attempts)

    run = store.change(services.blobs, Run, run_path(run_id), take)
    return run.attempts if run and run.claim and run.claim.by == me else None


def _renew(services: Services, run_id: str, me: str) -> None:
    def renew(run: Run) -> Run | None:
        return run.then(claim=Claim(by=me, at=services.clock.now())) if run.claimed_by(me) else None

    run = store.change(services.blobs, Run, run_path(run_id), renew)
    if run is None or not run.claimed_by(me):
        raise _ClaimLostError


def _make_manifest(services: Services, run: Run, heartbeat: Callable[[], None]) -> Manifest:
    calls = calls_of(services, run, fresh=run.waiting is not None)
    fields = preflight.check(calls, run.export)
    limits = None if run.export.allow_over_contact_limit else preflight.account_limits(calls)
    for attempt in (1, 2):
        try:
            refreshes = _refreshes(services, run.export)
            _guard_unchanged(services, run, refreshes)
            return _read(services, run, refreshes, fields, limits, heartbeat)
        except Changed:
            log.event("source_changed_while_read", runId=run.run_id, attempt=attempt)
    raise NotReady(
        "source_changing",
        "The segment's files were replaced while they were read, twice. The run tries again in a minute.",
    )


def mapping(export: ExportDefinition, fields: tuple[FieldMapping, ...]) -> Mapping:
    """Return the mapping of an export whose custom fields were found to be `fields`."""
    matching, consent = export.data_matching, export.consent_column
    return Mapping(
        email=matching.email,
        first_name=matching.first_name,
        last_name=matching.last_name,
        phone=matching.phone,
        fields=fields,
        consent=(consent.column, consent.value) if consent else None,
    )


def _refreshes(services: Services, export: ExportDefinition) -> list[Refresh]:
    settings = services.settings
    now = services.clock.now()
    return [
        find_refresh(services.segments, settings.segment_prefix, name, now, settings.segment_quiet_s)
        for name in export.segments
    ]


def stale(refreshes: Sequence[Refresh], now: float) -> list[str]:
    """Return a warning for each refresh that is old."""
    return [
        f"The segment {r.segment} was last refreshed {(now - r.refreshed_at) / 86_400:.0f} days ago. Customer Insights"
        " does not refresh static segments, and deactivates segments that nobody uses."
        for r in refreshes
        if now - r.refreshed_at > STALE_S
    ]


def fingerprint(refreshes: list[Refresh]) -> str:
    """Name the exact data of several refreshes together."""
    return "+".join(sorted(r.fingerprint for r in refreshes))


def _guard_unchanged(services: Services, run: Run, refreshes: list[Refresh]) -> None:
    last = _last_success(services, run)
    if run.trigger is Trigger.ON_DEMAND or run.force or not run.export.skip_unchanged or last is None:
        return
    if last.fingerprint == _identity(run.host, run.export, refreshes):
        raise _Skip(
            Problem(
                code="segment_unchanged",
                message=f"The segments are the same as those that the run {last.run_id} sent. Start the export by hand,"
                " or switch off skipUnchanged, to send them again.",
                culprit=Culprit.SYSTEM,
            )
        )


def _identity(host: str, export: ExportDefinition, refreshes: list[Refresh]) -> str:
    # The same files sent to another list, or with another data matching, are not the same export.
    definition = export.model_dump_json(include={"list_id", "data_matching", "consent_column", "run_automations"})
    return f"{fingerprint(refreshes)}|{host}|{definition}"


def check_resumable(services: Services, run: Run, host: str, export: ExportDefinition) -> None:
    """Check that the export would send today what the run was to send. Raises `Stop` ("not_resumable") and `Wait`."""
    manifest = store.get(services.blobs, Manifest, manifest_path(run.run_id))
    try:
        identity = _identity(host, export, _refreshes(services, export))
    except Changed:
        raise _not_resumable() from None
    if manifest is None or manifest.fingerprint != identity:
        raise _not_resumable()


def _not_resumable() -> Stop:
    return Stop(
        "not_resumable",
        "Expected the segments and the export as they were when the run was planned; they have changed since. Start the"
        " export instead: that sends what the segments hold now.",
    )


@dataclass(frozen=True, slots=True)
class _Left:
    """What a run sends of what it planned. `carried` and `refused` are of the run that it resumes, if it does.

    `refused`: the other batches with contacts that did not arrive for good, with the reasons by position.
    """

    batches: tuple[Batch, ...]
    carried: Carried | None = None
    refused: tuple[tuple[Batch, dict[int, Reason]], ...] = ()


def _what_is_left(services: Services, run: Run, planned: Planned, identity: str) -> _Left:
    """Return all batches, or those of which the run that is resumed has no outcome."""
    if run.resumes is None:
        return _Left(planned.batches)
    earlier = store.get(services.blobs, Run, run_path(run.resumes))
    manifest = store.get(services.blobs, Manifest, manifest_path(run.resumes))
    by_content = {batch.sha256: batch for batch in planned.batches}
    if earlier is None or manifest is None or manifest.fingerprint != identity:
        raise _not_resumable()
    if not {batch.sha256 for batch in manifest.batches} <= by_content.keys():
        raise _not_resumable()  # a release in between reads the same files in another way
    found = list(fates(lane for lane, _ in finish.lanes(services, earlier)))
    left, carried = runs.carry_over(earlier, found)
    here = [by_content[batch.sha256] for batch in manifest.batches]
    refused: defaultdict[int, dict[int, Reason]] = defaultdict(dict)
    for fate in found:
        if fate.reason and fate.batch not in left:
            refused[fate.batch].update(dict.fromkeys(fate.positions, fate.reason))
    before = _what_is_left(services, earlier, planned, identity).refused
    return _Left(
        tuple(here[number] for number in sorted(left)),
        carried,
        (*before, *((here[number], reasons) for number, reasons in sorted(refused.items()))),
    )


def _last_success(services: Services, run: Run) -> LastSuccess | None:
    slot = store.get(services.blobs, Slot, slot_path(run.export_id))
    return slot.last_success if slot else None


def _read(
    services: Services,
    run: Run,
    refreshes: list[Refresh],
    fields: tuple[FieldMapping, ...],
    limits: AccountLimits | None,
    heartbeat: Callable[[], None],
) -> Manifest:
    nonce = services.ids.new()
    payload_path = f"working/{run.run_id}/{nonce}.batches"
    rejects_path = f"rejects/{run.run_id}/{nonce}.csv"
    around = envelope(run.export.list_id, run_automations=run.export.run_automations)
    payload, rejects = services.blobs.writer(payload_path), services.blobs.writer(rejects_path)
    planned = plan_batches(
        refreshes,
        services.segments,
        mapping(run.export, fields),
        around,
        Limits(),
        payload,
        rejects,
        run.export.max_profiles,
        heartbeat,
    )
    identity = _identity(run.host, run.export, refreshes)
    left = _what_is_left(services, run, planned, identity)
    batches, carried = left.batches, left.carried
    last = _last_success(services, run)
    known = max(last.known_to(run.host) if last else 0, carried.confirmed if carried else 0)
    preflight.check_contact_limit(limits, planned.contacts, known)
    if not run.force:
        check_size(planned.rows_read, last.rows_read if last else None, services.settings.size_change_factor)
    payload.commit()
    now = services.clock.now()
    manifest = Manifest(
        payload=payload_path,
        rejects=rejects_path,
        fingerprint=identity,
        refreshed_utc=max(r.refreshed_at for r in refreshes),
        sources=tuple(SourceEntry(path=s.path, etag=s.etag, rows=s.rows) for s in planned.sources),
        fields=tuple(FieldEntry(column=f.column, field_id=f.field_id, multiple=f.multiple) for f in fields),
        envelope=(around.prefix.decode(), around.contact_tail.decode(), around.suffix.decode()),
        batches=tuple(map(_entry, batches)),
        plan=Plan(
            rows_read=planned.rows_read,
            contacts=planned.contacts,
            duplicates=planned.duplicates,
            rejected=planned.rejected,
            batches=len(batches),
            lanes=lanes_for(len(batches), services.settings.lanes),
            warnings=(*planned.warnings, *stale(refreshes, now)),
            carried=carried,
            at=now,
        ),
    )
    copies = read_batches(services, payload_path, (_entry(batch) for batch, _ in left.refused))
    for (body, references), (_, reasons) in zip(copies, left.refused, strict=True):
        rejects.write(reject_lines(finish.contact_rejects(manifest, body, references, reasons)))
    rejects.commit()
    try:
        services.blobs.create(manifest_path(run.run_id), manifest.to_json())
    except Changed:
        # Another planner was faster: its manifest counts, and these copies are of no use.
        services.blobs.delete(payload_path)
        services.blobs.delete(rejects_path)
        return store.get(services.blobs, Manifest, manifest_path(run.run_id)) or manifest
    log.event("planned", runId=run.run_id, rows=planned.rows_read, contacts=planned.contacts, batches=len(batches))
    return manifest


def _entry(batch: Batch) -> BatchEntry:
    return BatchEntry(
        offset=batch.offset,
        length=batch.length,
        rows_length=batch.rows_length,
        count=batch.count,
        sha256=batch.sha256,
    )


def lanes_for(batches: int, most: int) -> int:
    """Return how many lanes a run of so many batches gets."""
    return min(most, -(-batches // BATCHES_A_LANE))


def dispatch(services: Services, run_id: str, manifest: Manifest) -> None:
    """Open the ledgers, record the plan, and send a message for each lane; each of these only if it is still to do."""
    plan = manifest.plan
    now = services.clock.now()
    for lane in range(plan.lanes):
        counts = [(n, manifest.batches[n].count) for n in range(lane, plan.batches, plan.lanes)]
        path = lane_path(run_id, lane)
        try:
            services.blobs.append(path, ledger.encode([ledger.opened(now, counts)]), 0)
        except Changed:
            continue
    store.change(
        services.blobs,
        Run,
        run_path(run_id),
        lambda run: None if run.end or run.plan else run.then(plan=plan, waiting=None, attempts=None),
    )
    if not plan.lanes:
        finish.finish(services, run_id)
    for lane in range(plan.lanes):
        send_quietly(services, UPLOAD_QUEUE, {"runId": run_id, "lane": lane})


def _failed(services: Services, run_id: str, me: str, what: str) -> None:
    """Count an error that nobody foresaw; end the run when it comes each time. Until then the sweep tries again."""

    def count(run: Run) -> Run | None:
        if run.attempts is None or not run.claimed_by(me):
            return None
        return run.then(attempts=run.attempts.model_copy(update={"errors": run.attempts.errors + 1}))

    run = store.change(services.blobs, Run, run_path(run_id), count)
    if run is None or run.attempts is None or run.attempts.errors < PLANNING_TRIES:
        return
    problem = Problem(
        code="defect",
        message=f"Planning failed {PLANNING_TRIES} times with an unexpected error ({what}). Nothing was sent. Please"
        " report it.",
        culprit=Culprit.SYSTEM,
    )
    finish.end_unplanned(services, run_id, me, RunStatus.FAILED, problem)


def _wait(services: Services, run: Run, me: str, error: Wait) -> None:
    now = services.clock.now()
    since = run.waiting.since if run.waiting else now
    if now - since > services.settings.retry_for_s:
        return finish.end_unplanned(services, run.run_id, me, RunStatus.FAILED, Problem.of(error))
    pause_s = max(RETRY_WAIT_S, min(error.retry_after_s or 0.0, 900.0))
    waiting = Waiting(**Problem.of(error).model_dump(), since=since, until=now + pause_s)
    store.change(
        services.blobs,
        Run,
        run_path(run.run_id),
        lambda r: r.then(waiting=waiting, claim=None, attempts=None) if r.claimed_by(me) else None,
    )
    return log.event("run_waiting", runId=run.run_id, code=error.code)
