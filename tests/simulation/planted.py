"""Mistakes that somebody could make in the pipeline, each made on purpose: does the simulator notice?

Each function makes one; its first line is what was done wrong. A mistake that hurts nobody does not belong here.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any
from unittest.mock import ANY

import pytest

from exporter import log, model, triggers
from exporter.activecampaign import answers, bodies, imports, outcomes, pacing, people, refusals, wire
from exporter.api import connections as connections_api
from exporter.api import exports as exports_api
from exporter.api import runs as runs_api
from exporter.delivery import ledger, steps
from exporter.delivery.events import Event, confirmed, opened
from exporter.delivery.ledger import Lane
from exporter.delivery.manifest import BatchEntry, Manifest
from exporter.delivery.plan import Plan
from exporter.errors import Culprit, Stop, Unavailable, Wait
from exporter.model import load
from exporter.pipeline import (
    batching,
    brakes,
    confirm,
    destination,
    finish,
    plan,
    questions,
    resume,
    schedule,
    sources,
    start,
    sweep,
    upload,
)
from exporter.pipeline.session import CALLED_OFF, Session
from exporter.ports import Changed
from exporter.records import paths, remembered, slots, store
from exporter.records.few import read_few
from exporter.records.lanes import read_lanes
from exporter.records.paths import manifest_path, run_path
from exporter.records.runs import read_manifest
from exporter.records.watches import Watch, read_watch
from exporter.runs import due
from exporter.runs.report import Report
from exporter.runs.run import End, Run, RunStatus, Trigger, is_yardstick
from exporter.tally import count
from exporter.tally.count import Tally, resends, tally_of
from exporter.tally.fates import Fate, fates
from tests.fakes import FakeBlobs
from tests.ledgers import import_event, lane_event, portion_event
from tests.simulation import ports

Mistake = Callable[[pytest.MonkeyPatch], None]
MISTAKES: list[Mistake] = []


def everywhere(patch: pytest.MonkeyPatch, original: object, mistake: object) -> None:
    """Put a mistake in the place of a function, in each module of the app that has it by whatever name."""
    for name, module in list(sys.modules.items()):
        if name.startswith("exporter."):
            for attribute, value in list(vars(module).items()):
                if value is original:
                    patch.setattr(module, attribute, mistake)


def mistake(make: Mistake) -> Mistake:
    """Put a mistake on the list."""
    MISTAKES.append(make)
    return make


# --- what is recorded, and when --------------------------------------------------------------------------------------


@mistake
def no_fence(patch: pytest.MonkeyPatch) -> None:
    """A worker appends to its ledger wherever that ends now."""
    original = upload._Worker._append

    def append(self: Any, *events: Event) -> None:
        blob = self.services.blobs.read(paths.lane_path(self.run.run_id, self.number))
        self.lane.length = len(blob.data)
        original(self, *events)

    patch.setattr(upload._Worker, "_append", append)


@mistake
def sends_before_recording(patch: pytest.MonkeyPatch) -> None:
    """A request leaves before the ledger says so."""

    def send(self: Any, portion: ledger.Portion) -> None:
        count = len(portion.to_send)
        reply = self._session.call(wire.bulk_import(self._body(portion), count))
        now = self.services.clock.now()
        outcome = imports.bulk_outcome(reply)
        if isinstance(outcome, outcomes.Accepted):
            sending = portion_event(now, "sending", portion)
            accepted = portion_event(now, "accepted", portion, importId=outcome.import_id, queued=outcome.queued)
            self._append(sending, accepted)
        elif isinstance(outcome, outcomes.ContactsRefused):
            sending = portion_event(now, "sending", portion)
            self._append(sending, portion_event(now, "refused", portion, named=outcome.positions, faults=[]))
        elif isinstance(outcome, outcomes.Ambiguous):
            raise Unavailable("activecampaign_unavailable", "lost")
        else:
            self._react(outcome)

    patch.setattr(upload._Worker, "_send", send)


@mistake
def fence_only_once(patch: pytest.MonkeyPatch) -> None:
    """A worker that missed its turn takes another one without passing the fence again."""

    def call(
        self: Session, request: wire.Request, before: Callable[[], bool] | None = None, *, soon: bool = False
    ) -> wire.Reply:
        clock = self.services.clock
        while True:
            at = self._take_turn(request.kind, soon=soon)
            clock.sleep(max(0.0, at - clock.now()))
            if before and not before():
                return CALLED_OFF
            before = None
            if clock.now() <= at + pacing.VALID_S:
                return self.services.activecampaign.call(self.host, self.api_key, request)

    patch.setattr(Session, "call", call)


@mistake
def late_turns_are_used(patch: pytest.MonkeyPatch) -> None:
    """A request is sent however late its turn is."""

    def call(
        self: Session, request: wire.Request, before: Callable[[], bool] | None = None, *, soon: bool = False
    ) -> wire.Reply:
        at = self._take_turn(request.kind, soon=soon)
        self.services.clock.sleep(max(0.0, at - self.services.clock.now()))
        if before and not before():
            return CALLED_OFF
        return self.services.activecampaign.call(self.host, self.api_key, request)

    patch.setattr(Session, "call", call)


@mistake
def acceptance_is_success(patch: pytest.MonkeyPatch) -> None:
    """A 200 counts as delivered."""

    def ask(self: Any, one: ledger.BulkImport, **_: bool) -> None:
        self._append(import_event(self.services.clock.now(), "confirmed", one, failed={}, unmatched=0))

    patch.setattr(upload._Worker, "_ask", ask)


@mistake
def lost_answers_count_as_not_sent(patch: pytest.MonkeyPatch) -> None:
    """A request whose answer did not arrive is recorded as one that never left."""
    original = imports.bulk_outcome

    def outcome(reply: wire.Reply, *rest: Any) -> Any:
        found = original(reply, *rest)
        return outcomes.NoAnswer(found.reason) if isinstance(found, outcomes.Ambiguous) else found

    everywhere(patch, imports.bulk_outcome, outcome)


@mistake
def doubt_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """A definite no to the second request hides that the first one may have been queued."""
    original = Lane._apply_to_portion

    def apply(self: Lane, name: str, event: Event, portion: ledger.Portion, at: float) -> None:
        original(self, name, event, portion, at)
        portion.doubted = frozenset()

    patch.setattr(Lane, "_apply_to_portion", apply)


@mistake
def repeats_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    """Re-sends are left out of the report."""
    everywhere(patch, resends, lambda lanes: 0)


@mistake
def failures_of_imports_are_ignored(patch: pytest.MonkeyPatch) -> None:
    """Everybody in a completed import counts as confirmed."""

    def completed(self: confirm.Inquiry, one: ledger.BulkImport, failed_emails: Any) -> Event:
        return confirmed(self.services.clock.now(), one.import_id, {}, 0)

    patch.setattr(confirm.Inquiry, "_completed", completed)


@mistake
def failed_imports_count_as_completed(patch: pytest.MonkeyPatch) -> None:
    """An import that ActiveCampaign failed counts as completed."""
    original = imports.import_outcome

    def outcome(reply: wire.Reply) -> Any:
        found = original(reply)
        return outcomes.Completed((), 0) if isinstance(found, outcomes.ImportFailed) else found

    everywhere(patch, imports.import_outcome, outcome)


@mistake
def stuck_imports_are_waited_for(patch: pytest.MonkeyPatch) -> None:
    """A run waits for ever for an import without an outcome."""
    original = steps.next_step
    everywhere(
        patch, original, lambda lane, now, **options: original(lane, now, **(options | {"confirm_within_s": 1e9}))
    )


@mistake
def every_400_drops_the_batch(patch: pytest.MonkeyPatch) -> None:
    """When ActiveCampaign refuses a request for one contact, all of its contacts are given up."""

    def search(positions: Iterable[int], verdicts: list[Any]) -> refusals.Search:
        everybody = tuple(positions)
        if not verdicts:
            return refusals.Search(everybody, (), {})
        refused = verdicts[0] is not None
        return refusals.Search((), () if refused else (everybody,), dict.fromkeys(everybody, 0) if refused else {})

    everywhere(patch, refusals.search, search)


@mistake
def names_are_taken_at_their_word(patch: pytest.MonkeyPatch) -> None:
    """The contacts that a refusal names are dropped without a proof; positions are taken to count from 1."""

    def search(positions: Iterable[int], verdicts: list[Any]) -> refusals.Search:
        left, bad = tuple(positions), dict[int, int]()
        for number, final_status in enumerate(verdicts):
            if final_status is None:
                return refusals.Search((), (left,), bad)
            named = {left[min(max(place - 1, 0), len(left) - 1)] for place in final_status} or {left[0]}
            bad |= dict.fromkeys(named, number)
            left = tuple(position for position in left if position not in named)
            if not left:
                break
        return refusals.Search(left, (), bad)

    everywhere(patch, refusals.search, search)


# --- planning --------------------------------------------------------------------------------------------------------


@mistake
def each_refresh_for_itself(patch: pytest.MonkeyPatch) -> None:
    """A segment that is read twice is sent twice."""
    original = batching.plan_batches

    def plan_batches(task: batching.Task, *rest: Any) -> Any:
        return original(replace(task, refreshes=[*task.refreshes, *task.refreshes]), *rest)

    everywhere(patch, batching.plan_batches, plan_batches)


@mistake
def any_planner_may_end_the_run(patch: pytest.MonkeyPatch) -> None:
    """A planner that has lost its claim still ends the run when it fails."""

    def claimed_by(self: Run, planner: str) -> bool:
        return not self.halted

    patch.setattr(Run, "claimed_by", claimed_by)


@mistake
def manifest_is_overwritten(patch: pytest.MonkeyPatch) -> None:
    """The second of two planners replaces the manifest of the first."""
    original = FakeBlobs.create

    def create(self: FakeBlobs, path: str, data: bytes) -> str:
        if path.endswith("manifest.json"):
            return str(self._put(path, data).version)
        return original(self, path, data)

    patch.setattr(FakeBlobs, "create", create)


@mistake
def the_last_batch_is_forgotten(patch: pytest.MonkeyPatch) -> None:
    """The ledgers are opened without the last batch."""
    original = opened
    everywhere(patch, opened, lambda at, counts: original(at, list(counts)[:-1]))


@mistake
def lanes_overlap(patch: pytest.MonkeyPatch) -> None:
    """Each lane begins with the first batch of the run."""
    original = opened
    everywhere(
        patch, opened, lambda at, counts: original(at, [*([(0, 1)] if counts and counts[0][0] else []), *counts])
    )


@mistake
def batches_are_not_verified(patch: pytest.MonkeyPatch) -> None:
    """A working copy is sent without a look at its hash."""
    patch.setattr(BatchEntry, "matches", lambda self, body: True)


# --- who may send, and when ------------------------------------------------------------------------------------------


@mistake
def cancel_is_not_looked_for(patch: pytest.MonkeyPatch) -> None:
    """A worker that has begun does not notice a cancel."""
    patch.setattr(upload._Worker, "_look_for_cancel", lambda self, now: None)


@mistake
def one_lane_ends_the_run(patch: pytest.MonkeyPatch) -> None:
    """The run ends when the first of its lanes is over."""
    original = finish._close_lanes

    def over(services: Any, run: Run) -> bool:
        return any(lane.done for lane in read_lanes(services, run).values()) or original(services, run)

    everywhere(patch, finish._close_lanes, over)


@mistake
def every_worker_is_taken_for_dead(patch: pytest.MonkeyPatch) -> None:
    """A lane is taken over from a worker that is alive."""
    patch.setattr(Lane, "held", lambda self, stale_s: False)


@mistake
def a_dead_worker_keeps_its_lane(patch: pytest.MonkeyPatch) -> None:
    """A lane whose worker died is never taken over."""
    patch.setattr(Lane, "held", lambda self, stale_s: self.holder is not None)


@mistake
def a_budget_for_each_worker(patch: pytest.MonkeyPatch) -> None:
    """Each worker keeps its own rate budget."""

    def change(self: Session, update: Callable[[pacing.Budget], tuple[pacing.Budget, Any]]) -> Any:
        budget, _ = self._budget or (pacing.Budget(), "")
        budget, result = update(budget)
        self._budget = (budget, "")
        return result

    patch.setattr(Session, "_change", change)


@mistake
def two_runs_at_once(patch: pytest.MonkeyPatch) -> None:
    """A start does not look whether a run of the export is going."""
    patch.setattr(start, "active_run", lambda services, slot: None)


@mistake
def a_repeated_request_starts_two_runs(patch: pytest.MonkeyPatch) -> None:
    """The idempotency key is not looked at."""

    def start_once(services: Any, request: start.StartRequest, caller: str, key: str, body: bytes) -> start.Started:
        return start.start_on_demand(services, request)

    everywhere(patch, start.start_once, start_once)


@mistake
def changes_overwrite_each_other(patch: pytest.MonkeyPatch) -> None:
    """A record is read, changed and written without a condition."""

    def change(blobs: Any, kind: Any, path: str, update: Callable[[Any], Any]) -> Any:
        old = store.get(blobs, kind, path)
        new = update(old) if old else None
        if new is None:
            return old
        blobs.put(path, new.to_json())
        return new

    everywhere(patch, store.change, change)


@mistake
def a_lost_race_is_written_all_the_same(patch: pytest.MonkeyPatch) -> None:
    """Who loses a race on a record writes what was decided before, instead of deciding anew."""

    def change(blobs: Any, kind: Any, path: str, update: Callable[[Any], Any]) -> Any:
        new = None
        for _ in range(store.MAX_TRIES):
            blob = blobs.read(path)
            if blob is None:
                return None
            old = load(kind, blob.data)
            new = new or update(old)
            if new is None:
                return old
            try:
                blobs.replace(path, new.to_json(), blob.etag)
            except Changed:
                continue
            return new
        raise Unavailable("storage_contention", "")

    everywhere(patch, store.change, change)


# --- the end ---------------------------------------------------------------------------------------------------------


@mistake
def totals_count_events(patch: pytest.MonkeyPatch) -> None:
    """Totals count every acceptance, also those of imports that were sent again."""
    original = tally_of

    def tally(planned: Plan, lanes: Iterable[Lane], found: Any = None) -> Tally:
        lanes = list(lanes)
        result = original(planned, lanes, found)
        failed = (i for lane in lanes for i in lane.imports.values() if i.status is ledger.ImportStatus.FAILED)
        return result.model_copy(update={"confirmed": result.confirmed + sum(len(one.positions) for one in failed)})

    everywhere(patch, tally_of, tally)


@mistake
def rejected_rows_are_left_out(patch: pytest.MonkeyPatch) -> None:
    """Rows that are rejected here are not in the account."""
    original = tally_of
    everywhere(
        patch, tally_of, lambda planned, *told: original(planned.model_copy(update={"rejected_by_reason": {}}), *told)
    )


@mistake
def unknown_is_not_sent(patch: pytest.MonkeyPatch) -> None:
    """Contacts whose request got no answer are reported as not sent."""
    patch.setattr(ledger.Portion, "unknown", property(lambda self: ()))


@mistake
def who_was_not_sent_is_not_named(patch: pytest.MonkeyPatch) -> None:
    """The reject report names only those of whom ActiveCampaign said something."""
    patch.setattr(finish, "fates", lambda *told: (fate for fate in fates(*told) if not fate.open))


@mistake
def refusals_of_the_run_before_are_not_named(patch: pytest.MonkeyPatch) -> None:
    """The reject report of a run that resumes another names only whom that run sent itself."""
    original = resume.what_is_left
    everywhere(patch, resume.what_is_left, lambda *arguments: replace(original(*arguments), refused=()))


@mistake
def the_report_comes_first(patch: pytest.MonkeyPatch) -> None:
    """The report is written before the end of the run is decided."""
    original = finish.record_end

    def record_end(services: Any, run_id: str, end: End, may_end: Any) -> None:
        run = store.get(services.blobs, Run, run_path(run_id))
        assert run
        told = run.model_copy(update={"end": end})
        manifest = store.get(services.blobs, Manifest, manifest_path(run_id))
        original(services, run_id, end, may_end)
        if manifest and told.plan:
            report = Report(
                run_id=run_id,
                export_id=run.export_id,
                status=end.status,
                ended_utc=end.at,
                tally=end.tally,
                explanations={},
                sources=(),
                warnings=(),
                resends=0,
            )
            services.blobs.put(run_path(run_id, "report.json"), report.to_json())

    everywhere(patch, finish.record_end, record_end)


@mistake
def late_imports_are_forgotten(patch: pytest.MonkeyPatch) -> None:
    """Nobody asks for an import that has no outcome when its run ends."""
    everywhere(patch, confirm._ask_each, lambda *arguments: None)


@mistake
def the_first_of_an_answer_is_taken_for_whom_was_asked(patch: pytest.MonkeyPatch) -> None:
    """Whoever comes first in an answer about contacts is taken for the person."""
    original = people.read_person

    def read_person(reply: wire.Reply, email: str, list_id: int) -> Any:
        body = answers.body_of(reply)
        contacts = body.get("contacts") if isinstance(body, dict) else None
        return original(reply, str(contacts[0]["email"]) if contacts else email, list_id)

    patch.setattr(people, "read_person", read_person)


@mistake
def an_exclusion_list_that_does_not_answer_is_empty(patch: pytest.MonkeyPatch) -> None:
    """A throttled or unanswered look at the exclusion list is remembered as one that found nobody."""
    original = questions.exclusions

    def exclusions(session: Session, list_id: int) -> Any:
        try:
            return original(session, list_id)
        except Wait:
            return ()

    everywhere(patch, original, exclusions)


@mistake
def working_copies_are_kept(patch: pytest.MonkeyPatch) -> None:
    """Working copies are not deleted at the end of a run."""
    patch.setattr(FakeBlobs, "delete", lambda self, path: None)


@mistake
def the_working_copy_goes_first(patch: pytest.MonkeyPatch) -> None:
    """The working copy is deleted before the end is recorded."""
    original = finish._end_after_sending

    def end(services: Any, run: Run, *rest: Any) -> None:
        for path in list(services.blobs.names(f"working/{run.run_id}/")):
            services.blobs.delete(path)
        original(services, run, *rest)

    everywhere(patch, finish._end_after_sending, end)


@mistake
def the_sweep_settles_nothing(patch: pytest.MonkeyPatch) -> None:
    """What follows from the end of a run is lost when the process dies right after it."""
    patch.setattr(sweep, "_see_to_working_copies", lambda services: None)


@mistake
def what_was_read_once_is_used_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A process uses what it remembers of a record, whatever the ETag in the listing says."""
    original = remembered.get

    def get(services: Any, kind: Any, path: str, etag: str) -> Any:
        known = services.memory.records.get(path)
        return known[1] if known else original(services, kind, path, etag)

    everywhere(patch, original, get)


# --- waiting and waking ----------------------------------------------------------------------------------------------


@mistake
def nobody_wakes_a_lane(patch: pytest.MonkeyPatch) -> None:
    """The sweep does not look at lanes."""

    def drive(services: Any, run: Run) -> None:
        if run.plan is None:
            original(services, run)

    original = sweep._drive
    patch.setattr(sweep, "_drive", drive)


@mistake
def nobody_wakes_a_planner(patch: pytest.MonkeyPatch) -> None:
    """The sweep does not look at runs that are not planned."""

    def drive(services: Any, run: Run) -> None:
        if run.plan is not None:
            original(services, run)

    original = sweep._drive
    patch.setattr(sweep, "_drive", drive)


@mistake
def an_outage_ends_the_run(patch: pytest.MonkeyPatch) -> None:
    """A wait is taken for a failure."""

    def wait(self: Any, error: Any) -> None:
        self._stop(Stop(error.code, error.message, error.culprit))
        self._append(lane_event(self.services.clock.now(), "released"))

    patch.setattr(upload._Worker, "_wait", wait)


@mistake
def waits_burn_attempts(patch: pytest.MonkeyPatch) -> None:
    """A wait is raised to the host, which counts it as a failure of the message."""
    patch.setattr(triggers, "_quietly", lambda step, call: call())


@mistake
def the_key_is_read_once(patch: pytest.MonkeyPatch) -> None:
    """A refused key is not read again from Key Vault."""
    original = ports.SimulatedSecrets.get
    patch.setattr(ports, "SECRET_CACHE_S", 1e9)
    patch.setattr(ports.SimulatedSecrets, "get", lambda self, name, fresh=False: original(self, name))


@mistake
def a_defect_is_repeated_for_ever(patch: pytest.MonkeyPatch) -> None:
    """A run whose planning fails for a reason that nobody foresaw is planned again and again."""
    patch.setattr(plan, "PLANNING_TRIES", 10**9)


@mistake
def a_defect_ends_the_run_at_once(patch: pytest.MonkeyPatch) -> None:
    """A run fails with the first error that nobody foresaw, though the next try may work."""
    patch.setattr(plan, "PLANNING_TRIES", 1)


@mistake
def a_death_ends_the_run_at_once(patch: pytest.MonkeyPatch) -> None:
    """A run fails when one of its planners has died, though the next one may live."""
    patch.setattr(plan, "PLANNING_DEATHS", 1)


# --- schedules -------------------------------------------------------------------------------------------------------


@mistake
def a_start_does_not_look_at_the_slot_again(patch: pytest.MonkeyPatch) -> None:
    """Two timers that have decided the same both start a run."""
    original = start.start_due

    def start_due(services: Any, export: Any, what: Any, blob: Any) -> Run | None:
        return original(services, export, what, services.blobs.read(paths.slot_path(export.id)))

    everywhere(patch, original, start_due)


@mistake
def what_was_seen_is_started(patch: pytest.MonkeyPatch) -> None:
    """What lay there when an export was saved is new to the schedule."""
    everywhere(patch, due.is_new, lambda facts, refresh: refresh != (facts.last.refresh if facts.last else None))


@mistake
def the_end_of_a_pause_is_the_beginning_of_nothing(patch: pytest.MonkeyPatch) -> None:
    """What came during the pause of an export is made up for."""
    original = exports_api._beginning_now
    patch.setattr(
        exports_api,
        "_beginning_now",
        lambda services, export: export if export.paused else original(services, export),
    )


@mistake
def the_end_of_a_pause_of_a_connection_is_the_beginning_of_nothing(patch: pytest.MonkeyPatch) -> None:
    """What came during the pause of a connection is made up for."""
    patch.setattr(connections_api, "_begin", lambda services, export_id, before, seen: None)


@mistake
def a_new_schedule_makes_up_for_what_was_before(patch: pytest.MonkeyPatch) -> None:
    """Saving another schedule changes nothing of what counts as seen."""
    original = exports_api._begins_anew
    patch.setattr(
        exports_api,
        "_begins_anew",
        lambda before, after: original(before.model_copy(update={"schedule": after.schedule}), after),
    )


@mistake
def a_connection_that_is_back_makes_up_for_what_was_before(patch: pytest.MonkeyPatch) -> None:
    """What came while an export had no connection is sent as soon as it has one."""
    original = exports_api._begins_anew
    patch.setattr(
        exports_api,
        "_begins_anew",
        lambda before, after: original(before.model_copy(update={"connection_id": after.connection_id}), after),
    )


@mistake
def a_pause_of_a_connection_is_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    """The exports of a connection that is paused start by themselves."""
    original = due.obstacle
    patch.setattr(due, "obstacle", lambda facts: original(replace(facts, connection_paused=None)))


@mistake
def attempts_are_not_counted(patch: pytest.MonkeyPatch) -> None:
    """Each further attempt counts as the second."""
    original = due._repair

    def repair(facts: due.Facts) -> due.Due | None:
        newest = facts.newest and facts.newest.model_copy(update={"attempt": 1})
        return original(replace(facts, newest=newest))

    patch.setattr(due, "_repair", repair)


@mistake
def attempts_follow_at_once(patch: pytest.MonkeyPatch) -> None:
    """Another attempt does not wait until an outage may be over."""
    original = due.repair_at

    def repair_at(facts: due.Facts) -> float | None:
        at = original(facts)
        return facts.newest.end.at if at is not None and facts.newest and facts.newest.end else None

    patch.setattr(due, "repair_at", repair_at)


@mistake
def there_is_no_other_attempt(patch: pytest.MonkeyPatch) -> None:
    """Whom an outage left without an outcome waits for the next refresh."""
    patch.setattr(due, "repair_at", lambda facts: None)


@mistake
def what_was_canceled_is_tried_again(patch: pytest.MonkeyPatch) -> None:
    """The schedule goes on with what somebody has stopped."""
    original = due.leaves_people

    def leaves_people(run: Run) -> bool:
        return run.status is RunStatus.CANCELED or original(run)

    everywhere(patch, original, leaves_people)


@mistake
def a_mistake_of_a_user_is_made_again(patch: pytest.MonkeyPatch) -> None:
    """A run that failed for what somebody has to correct is tried again as it is."""
    original = due.leaves_people

    def leaves_people(run: Run) -> bool:
        problem = run.end.problem if run.end and run.status is RunStatus.FAILED else None
        return bool(problem and problem.culprit is Culprit.USER) or original(run)

    everywhere(patch, original, leaves_people)


@mistake
def a_run_from_before_is_repaired(patch: pytest.MonkeyPatch) -> None:
    """Whom a run has left is sent again, though its schedule has begun anew since."""
    patch.setattr(due.Facts, "newest_since", property(lambda facts: facts.newest))


@mistake
def a_run_sends_whatever_is_the_newest_by_then(patch: pytest.MonkeyPatch) -> None:
    """A plan does not look whether its refresh is the one that the run was started for."""
    patch.setattr(plan, "digest", lambda fingerprint: ANY)


@mistake
def what_a_person_has_exported_is_started_again(patch: pytest.MonkeyPatch) -> None:
    """The schedule knows of its own runs only."""
    patch.setattr(schedule, "_was_read", lambda *what: False)


@mistake
def a_refresh_is_started_before_it_is_complete(patch: pytest.MonkeyPatch) -> None:
    """The schedule reads the segments as somebody does who looks at them now."""
    original = sources.refreshes_of

    def refreshes_of(services: Any, export: Any, **options: Any) -> Any:
        return original(services, export, **options | {"settled": "segments" not in options})

    patch.setattr(sources, "refreshes_of", refreshes_of)


@mistake
def a_look_at_what_is_not_complete_is_good_for_ever(patch: pytest.MonkeyPatch) -> None:
    """What was looked at while it was being written is looked at again only when it moves."""
    original = schedule._look

    def look(services: Any, export: Any, looks: Any, superseded: Any) -> Watch:
        marks = dict(map(looks.listing.mark, export.segments))
        known = read_watch(services, export.id)
        if known and known.problem and known.marks == marks:
            return known
        watch = original(services, export, looks, superseded)
        if watch.problem:
            blob = services.blobs.read(paths.watch_path(export.id))
            watch = watch.model_copy(update={"marks": marks})
            services.blobs.replace(paths.watch_path(export.id), watch.to_json(), blob.etag)
        return watch

    patch.setattr(schedule, "_look", look)


@mistake
def a_look_is_good_for_ever(patch: pytest.MonkeyPatch) -> None:
    """Whoever has looked once does not see that something moved."""
    patch.setattr(schedule, "moved", lambda *what: False)


@mistake
def a_time_of_day_comes_twice(patch: pytest.MonkeyPatch) -> None:
    """The schedule does not remember which time it has started."""

    def since(facts: due.Facts) -> float:
        return facts.export.seen.at if facts.export.seen else facts.export.updated_utc

    patch.setattr(due.Facts, "since", property(since))


@mistake
def times_from_before_are_made_up_for(patch: pytest.MonkeyPatch) -> None:
    """A time of day counts though it was over when the export was saved, or fell into a pause."""

    def since(facts: due.Facts) -> float:
        return facts.last.due if facts.last else facts.export.created_utc

    patch.setattr(due.Facts, "since", property(since))


@mistake
def a_time_that_falls_into_a_run_is_left_out(patch: pytest.MonkeyPatch) -> None:
    """A time of day counts only while it is that time."""
    original = due.due_by_time

    def due_by_time(facts: due.Facts, now: float) -> due.Due | None:
        what = original(facts, now)
        return what if what is None or what.attempt > 1 or now - what.due < 60 else None

    patch.setattr(due, "due_by_time", due_by_time)


# --- runs that go on, releases ---------------------------------------------------------------------------------------


@mistake
def a_repeated_run_all_starts_two_runs(patch: pytest.MonkeyPatch) -> None:
    """Run all does not look at the idempotency key."""
    original = runs_api._start

    def begin(context: Any, request: start.StartRequest, headers: Any) -> start.Started:
        headers = runs_api.KeyHeaders() if request.trigger is Trigger.RUN_ALL else headers
        return original(context, request, headers)

    everywhere(patch, runs_api._start, begin)


@mistake
def what_got_no_outcome_is_not_resumed(patch: pytest.MonkeyPatch) -> None:
    """A run that is resumed goes on only with what was not sent, not with what was sent and not confirmed."""
    original = count.carry_over

    def carry_over(run_id: str, before: Any, found: list[Fate]) -> Any:
        given_up = ledger.ImportStatus.GIVEN_UP
        return original(
            run_id, before, [replace(f, reason=None) if f.newest and f.newest.status is given_up else f for f in found]
        )

    everywhere(patch, count.carry_over, carry_over)


@mistake
def everything_is_sent_again(patch: pytest.MonkeyPatch) -> None:
    """A run that is resumed begins anew."""
    original = resume.what_is_left

    def what_is_left(services: Any, run: Run, planned: Any, identity: str) -> Any:
        return replace(original(services, run, planned, identity), batches=planned.batches)

    everywhere(patch, resume.what_is_left, what_is_left)


@mistake
def what_was_carried_over_is_not_counted(patch: pytest.MonkeyPatch) -> None:
    """The account of a run that goes on with another leaves out what that one had confirmed."""
    original = tally_of
    everywhere(patch, tally_of, lambda planned, lanes: original(planned.model_copy(update={"carried": None}), lanes))


@mistake
def a_newer_record_fails_the_run(patch: pytest.MonkeyPatch) -> None:
    """An instance of the old release takes a record of the new one for broken."""
    everywhere(patch, model.check_version, lambda version, what: None)


@mistake
def a_newer_record_is_read_all_the_same(patch: pytest.MonkeyPatch) -> None:
    """An instance of the old release reads records of the new one, and writes them as its own."""
    original = model.load
    everywhere(patch, original, lambda kind, data: original(kind, ports.this_release(data)))


# --- whether anybody is there ----------------------------------------------------------------------------------------


@mistake
def nobody_looks_before_the_end(patch: pytest.MonkeyPatch) -> None:
    """What the imports said is taken at its word."""
    patch.setattr(destination, "settled", lambda run, lanes: True)


@mistake
def an_old_look_is_good_enough(patch: pytest.MonkeyPatch) -> None:
    """What was seen before the run sent anything counts at its end."""
    patch.setattr(destination, "_last_outcome_at", lambda lanes: 1.0)


@mistake
def fields_are_not_looked_at(patch: pytest.MonkeyPatch) -> None:
    """A custom field that was deleted is not missed."""
    original = destination.what_is_gone
    everywhere(patch, original, lambda session, seen, list_id, fields: original(session, seen, list_id, ()))


@mistake
def who_is_on_no_list_counts_as_confirmed(patch: pytest.MonkeyPatch) -> None:
    """A list that is gone fails the run, and its people stay confirmed."""
    patch.setattr(Run, "gone", None)


# --- what is held, and approved ---------------------------------------------------------------------------------------


@mistake
def an_approval_counts_for_another_membership(patch: pytest.MonkeyPatch) -> None:
    """An approval starts a run whoever the export is of by now."""
    patch.setattr(start, "membership", lambda *who: ANY)


@mistake
def an_approved_run_is_held_again(patch: pytest.MonkeyPatch) -> None:
    """A run does not look at what was approved."""
    original = brakes.judge
    everywhere(patch, original, lambda numbers, export, factor, approved: original(numbers, export, factor))


@mistake
def a_held_run_keeps_its_slot(patch: pytest.MonkeyPatch) -> None:
    """A run that is held is in the way until somebody approves it."""

    def active_run(services: Any, slot: Any) -> Run | None:
        run = store.get(services.blobs, Run, run_path(slot.run.run_id))
        return run if run and run.status is RunStatus.HELD else slots.active_run(services, slot)

    patch.setattr(start, "active_run", active_run)


@mistake
def a_run_is_approved_again_and_again(patch: pytest.MonkeyPatch) -> None:
    """An approval is good for whatever run is the newest."""
    original = start.start

    def begin(services: Any, request: start.StartRequest, run_id: str) -> start.Started:
        slot = slots.read_slot(services, request.export.id)
        if request.approved and slot:
            newest = request.approved.model_copy(update={"run_id": slot.run.run_id})
            request = replace(request, approved=newest)
        return original(services, request, run_id)

    patch.setattr(start, "start", begin)


@mistake
def whatever_is_approved_is_everything(patch: pytest.MonkeyPatch) -> None:
    """A run that was approved passes all brakes."""
    original = brakes.judge

    def judge(numbers: Any, export: Any, factor: float, approved: Any) -> Any:
        stops = original(numbers, export, factor, approved)
        return (stop for stop in stops if not approved or stop.code not in brakes.HOLDS)

    everywhere(patch, original, judge)


@mistake
def nothing_is_held(patch: pytest.MonkeyPatch) -> None:
    """A run sends whatever the segment holds."""
    original = brakes.problems
    patch.setattr(
        brakes, "problems", lambda *what, **more: [s for s in original(*what, **more) if s.code not in brakes.HOLDS]
    )


# --- a few people ----------------------------------------------------------------------------------------------------


@mistake
def a_run_for_a_few_people_counts_as_an_attempt(patch: pytest.MonkeyPatch) -> None:
    """After a run for a few people, what was held or left over before cannot be approved or resumed any more."""
    patch.setattr(slots.Slot, "newest", property(lambda slot: slot.run.run_id))


@mistake
def a_run_for_a_few_people_is_a_yardstick(patch: pytest.MonkeyPatch) -> None:
    """Later runs are compared with a run for a few people."""
    original = finish.after_end

    def after_end(services: Any, run: Run) -> None:
        manifest = read_manifest(services, run.run_id)
        if manifest and run.only and run.end and is_yardstick(run.end.status, run.end.tally):
            finish._remember(services, run, run.end.at, run.end.tally, manifest)
        original(services, run)

    everywhere(patch, original, after_end)


@mistake
def everybody_is_sent_where_a_few_are_asked_for(patch: pytest.MonkeyPatch) -> None:
    """A run for a few people reads the segment as any other."""
    everywhere(patch, read_few, lambda services, run: None)


@mistake
def anybody_joins_a_run_for_a_few_people(patch: pytest.MonkeyPatch) -> None:
    """Whoever starts an export while it is tried with a few people believes that everybody is sent."""
    patch.setattr(start, "_check_joins", lambda request, current: None)


# --- what a look after the end contradicts ---------------------------------------------------------------------------


@mistake
def what_a_look_contradicts_stays_successful(patch: pytest.MonkeyPatch) -> None:
    """Nobody of a sample is on the list, and the run is as it was."""
    patch.setattr(Run, "contradicted", property(lambda run: ()))


# --- what others may see ---------------------------------------------------------------------------------------------


@mistake
def an_address_is_logged(patch: pytest.MonkeyPatch) -> None:
    """A log line names a person."""
    original = upload._Worker._body

    def body(self: Any, portion: ledger.Portion) -> bytes:
        data = original(self, portion)
        log.event("sending", first=bodies.addresses(data)[0])
        return data

    patch.setattr(upload._Worker, "_body", body)


@mistake
def the_text_of_an_error_is_logged(patch: pytest.MonkeyPatch) -> None:
    """An error that nobody foresaw is logged with its text."""
    original = log.defect

    def defect(error: BaseException, **fields: Any) -> str:
        return original(error, **fields, text=str(error))

    patch.setattr(log, "defect", defect)


@mistake
def the_key_is_recorded(patch: pytest.MonkeyPatch) -> None:
    """A ledger entry holds the API key."""
    original = upload._Worker._wait

    def wait(self: Any, error: Any) -> None:
        error.message += f" The key was {self.services.secrets.get(self.run.secret_name)}."
        original(self, error)

    patch.setattr(upload._Worker, "_wait", wait)
