"""What must hold whatever happens: invariants that are checked at every write and request, and an oracle at the end.

I1  Every row read is in one bucket of the account, and the account says what ActiveCampaign's side says.
I2  No address is in two batches of a run.
I3  In the end, ActiveCampaign holds what one clean run would have left.
I4  A contact is accepted twice in a run only after a fault that hid the first acceptance; such repeats are counted.
I5  ActiveCampaign never gets an address that no segment file holds.
I6  The outcome of an import never changes, and is what ActiveCampaign says.
I7  A run ends once, and successfully only when every contact is confirmed and no look after the end contradicts it.
I8  Not more than 100 bulk requests in any 60 s, nor 5 requests in any second.
I9  When the faults have stopped, every run ends within a bound.
I10 No personal data and no key in logs, messages, records, exceptions.
I11 Nothing of a run is sent after something of a newer run of the export was.
I14 Nobody counts as confirmed on a list, or with a custom field, that was gone when the run ended, as far as a look can
    tell. A run fails for a list or a field by its name, and only if that was gone.
I12 Nothing is sent later than 60 s after a cancel was acknowledged, and nothing after the end.
I13 A run that is held exceeds what is plausible, sends nothing, and is not in the way of the next. A run that sends is
    plausible, or has an approval: of what held the export's newest run, once, for the same people and list.
I15 A run for a few people sends those of them who are in the segment, and counts as no attempt: nothing is compared
    with it, nobody joins it, and what was the newest run before is still the one to resume or to approve.
S1 to S5, on schedules, are in `calendars`.
I15 What a look at a person found is about that person; who is excluded is told so once people were looked up.
"""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import orjson

from exporter.activecampaign import bodies
from exporter.activecampaign.people import Standing
from exporter.activecampaign.refusals import PROBES
from exporter.delivery.ledger import ImportStatus, Lane, fold
from exporter.delivery.manifest import Manifest
from exporter.errors import ExporterError
from exporter.model import load
from exporter.pipeline.confirm import PATIENT_ASKS
from exporter.reasons import Group, Reason
from exporter.records import paths
from exporter.records.paths import manifest_path
from exporter.records.slots import Slot
from exporter.runs.report import Report
from exporter.runs.run import GONE, STEPS, Run, RunStatus
from exporter.tally.count import Tally, tally_of
from exporter.tally.fates import UNEXPLAINED
from exporter.tally.findings import Findings
from exporter.tally.rejects import reject_rows
from sandbox.activecampaign.contacts import SUBSCRIBED, UNSUBSCRIBED
from tests.simulation.calendars import Calendar
from tests.simulation.host import Invocation
from tests.simulation.people import FIELD, THE_FIELD, Place
from tests.simulation.ports import this_release

if TYPE_CHECKING:
    from tests.simulation.world import World

CANCEL_WITHIN_S = 60.0
LEAST_ROWS, LEAST_REJECTED = 4, 3
"""Of fewer, no run is held in worlds of odd segments."""
SLACK_S = 900.0
"""How much longer than an outage a run may wait: until the next try, and clocks differ."""
WAITED_TOO_LONG = {
    "activecampaign_unavailable",
    "throttled",
    "others_first",
    "credentials_refused",
    "blobs_unavailable",
    "segments_unavailable",
    "secrets_unavailable",
    "storage_contention",
    "source_changing",
    "newer_release",
    "refresh_in_flight",  # after another wait
}
"""With these codes a run may fail, after it has waited as long as it is set to."""


SOME_DEFECTS = 5
"""An error that nobody foresaw comes so often before a run fails because of it."""
SOME_DEATHS = 3
"""So many planners of a run die before it fails because of them."""
LOST: dict[str, dict[str, object]] = {
    "list_gone": {},
    "list_not_found": {},
    "field_gone": {"field": FIELD.title, "fieldId": FIELD.id},
    "field_not_found": {"field": str(FIELD.id)},
}
"""With these codes a run fails because its list or the custom field was deleted, which it names."""
SENT = (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS)


def _audience(record: dict[str, Any]) -> tuple[Any, ...]:
    """Return who a run is for, from its record."""
    export = record["export"]
    matching = export["dataMatching"]["email"]
    return record["host"], export["listId"], export["segments"], matching, export.get("consentColumn")


def _newest(slot: dict[str, Any]) -> str | None:
    """Return the newest run for everybody, from the slot of its export."""
    newest: str | None = slot.get("attempt") if "only" in slot["run"] else slot["run"]["runId"]
    return newest


class Broken(BaseException):
    """An invariant does not hold. Not an `Exception`, so that nothing on the way can handle it."""


@dataclass(eq=False, slots=True)
class Submission:
    """A bulk import that ActiveCampaign accepted, whether or not the answer arrived."""

    run_id: str
    at: float
    import_id: str
    emails: tuple[str, ...]
    who: Invocation
    recorded: bool = False


@dataclass(slots=True)
class RunSeen:
    """What is known of a run from outside."""

    run_id: str
    export_id: str
    number: int
    """In the order in which the runs of all exports took their slot."""
    ended_at: float | None = None
    cancel_acknowledged_at: float | None = None
    record: dict[str, Any] = field(default_factory=dict)
    manifest: Manifest | None = None
    batches: list[list[str]] = field(default_factory=list)
    """The addresses of each batch."""
    lanes: dict[str, Lane] = field(default_factory=dict)
    submissions: list[Submission] = field(default_factory=list)
    outcome_at: dict[str, float] = field(default_factory=dict)
    """When the outcome of an import was recorded."""
    planner: Invocation | None = None
    """Who claimed the run last."""
    taken_at: float = 0.0
    """When it took the slot of its export."""
    completed_at: float | None = None
    """When everybody had an outcome, of a run that is over."""
    deaths: int = 0
    """How many planners had not come to an end when another took over, or were kept from saying how they ended, since
    the run last waited."""

    @property
    def held(self) -> dict[str, Any]:
        """What holds the run, if anything."""
        held: dict[str, Any] = (self.record.get("end") or {}).get("held") or {}
        return held

    @property
    def counts(self) -> bool:
        """Whether later runs are compared with it: everybody has an outcome, and somebody arrived."""
        end = self.record.get("end") or {}
        tally = (self.record.get("amended") or end).get("tally", {})
        return self.completed_at is not None and end.get("status") in SENT and tally["confirmed"] > 0


class Oracle:
    """Watches one world."""

    def __init__(self, world: World) -> None:
        self._world = world
        self.runs: dict[str, RunSeen] = {}
        self._newest_sent: Counter[str] = Counter()
        self._by_import: dict[str, Submission] = {}
        self._payloads: dict[str, bytes] = {}
        self.latest_after_cancel_s = 0.0
        """How long after a cancel was acknowledged a request to send contacts still arrived, at most."""
        self._count = 0
        self._yardsticks: defaultdict[str, tuple[int, ...]] = defaultdict(lambda: (0,))
        self._forgotten: list[Submission] = []
        """Of runs that a restored storage does not know."""
        self.calendar = Calendar(world, self)

    def require(self, holds: object, invariant: str, text: str) -> None:
        """Stop the world when something does not hold."""
        if not holds:
            raise Broken(f"{invariant}: {text}")

    # --- at every write ---

    def written(self, path: str, before: bytes | None, after: bytes) -> None:
        """Look at a write to the app's own storage."""
        if self._world.scenario.rollout and not path.startswith(("working/", "rejects/")):
            self._check_release(path, before)
            before, after = before and this_release(before), this_release(after)
        match path.split("/"):
            case ["records", "slots", _]:
                slot = orjson.loads(after)
                run = slot["run"]
                self._yardstick(run["exportId"], slot)
                if run["runId"] not in self.runs:
                    self._slot_taken(before)
                    self._check_approval(run, _newest(orjson.loads(before)) if before else None)
                    if self._world.scenario.timely:
                        self.calendar.slot_taken(run, before, slot)
                    self._run(run["runId"], run["exportId"])
            case ["records", "exports", name] if self._world.scenario.timely:
                self.calendar.export_written(name.removesuffix(".json"), after)
            case ["records", "connections", _] if self._world.scenario.timely:
                self.calendar.connection_written(after)
            case ["records", "runs", run_id, "run.json"]:
                self._check_step(before, after)
                self._run_written(run_id, orjson.loads(after))
            case ["records", "runs", run_id, "manifest.json"]:
                self.require(before is None, "I6", "a manifest was written twice")
                self._planned(self.runs[run_id], load(Manifest, after))
            case ["records", "runs", run_id, "findings.json"]:
                self._check_findings(self.runs[run_id], load(Findings, after))
            case ["working", *_]:
                self._payloads[path] = after
            case ["records", "runs", run_id, "lanes", lane]:
                self._appended(self.runs[run_id], lane, before or b"", after)

    def _check_findings(self, run: RunSeen, findings: Findings) -> None:
        """What was found about a person is what ActiveCampaign has of them; or it is unknown."""
        for each in findings.sample:
            if each.standing in (None, Standing.UNKNOWN) or run.manifest is None:
                continue
            email = run.batches[each.batch][each.position]
            held = self._world.account.contact(email)
            self.require(held, "I15", "somebody was found whom ActiveCampaign does not have")
            assert held
            on_it = held["lists"].get(str(run.record["export"]["listId"])) == SUBSCRIBED
            told = each.standing is Standing.ON_THE_LIST
            shifted = self._world.lists_shifted
            self.require(told == on_it or shifted, "I15", f"said to be {each.standing}, and is {held['lists']}")
            right = self._world.first_name(self._world.version_of(run.manifest.sources))
            same = held["first_name"] == right
            same = same and not self._world.was_gone(THE_FIELD)
            rightly = each.as_sent is not False or not same or self._world.version > 1  # what came later may agree
            self.require(rightly, "I15", "values are said to differ that do not")

    def _check_release(self, path: str, before: bytes | None) -> None:
        """A record of a newer release is changed by instances of that release only."""
        if before and this_release(before) != before and self._world.host.is_at_work:
            writer = self._world.host.current().instance
            self.require(writer.release > 1, "A18", f"an older release changed a record of a newer one: {path}")

    def _slot_taken(self, before: bytes | None) -> None:
        if before:
            previous = self.runs[orjson.loads(before)["run"]["runId"]]
            self.require(previous.ended_at is not None, "B27", "two runs of an export at once")

    def _yardstick(self, export_id: str, slot: dict[str, Any]) -> None:
        """Note what sizes are compared with; a planner may have read the one before, or what counts instead."""
        known = self._yardsticks[export_id]
        last, before = ((slot.get(name) or {}).get("rowsRead", 0) for name in ("lastSuccess", "successBefore"))
        if last != known[-1]:
            self._yardsticks[export_id] = (before, known[-1], last)

    def _check_approval(self, run: dict[str, Any], previous: str | None) -> None:
        """An approval is of what held the newest run, for the same people and list."""
        approved = run.get("approved")
        if approved is None:
            return
        held = self.runs[approved["runId"]]
        self.require(held.run_id == previous, "I13", "approved a run that is not the newest")
        self.require(approved == held.held | {"runId": held.run_id}, "I13", "approved something else than held the run")
        self.require(_audience(run) == _audience(held.record), "I13", "approved for other people or another list")

    def joined(self, run_id: str) -> None:
        """Look at a run that somebody was told instead of getting one."""
        run = self.runs[run_id]
        began = self._world.host.current().began
        self.require(run.ended_at is None or run.ended_at >= began, "I13", "a run that is over keeps its slot")
        self.require("only" not in run.record, "I15", "somebody joined a run for a few people")

    def refused(self, answer: dict[str, Any]) -> None:
        """Look at an answer to who wanted to resume or approve a run."""
        run = self.runs.get(answer.get("params", {}).get("run", ""))
        attempt = answer.get("code") != "newer_run" or run is None or "only" not in run.record
        self.require(attempt, "I15", "a run for a few people counts as the newest")

    def tried(self, answer: dict[str, Any], emails: list[str]) -> None:
        """Look at the answer to who tried an export with a few people."""
        self.require(answer["outcome"] != "joined", "I15", "a run for a few people joined another run")
        run, people = self.runs.get(answer["runId"]), answer.get("people", ())
        if not people or run is None or run.manifest is None:
            return
        rows = {email.lower() for email in self._world.expected(run.manifest.sources).rows}
        for email, person in zip(emails, people, strict=True):
            there = person["bucket"] != "notInSegment" if person["bucket"] != "unknown" else None
            self.require(there in (None, email.lower() in rows), "I15", f"in the segment or not: {person['bucket']}")

    def _asked_for(self, run: RunSeen) -> set[str] | None:
        """Return the addresses of the few people whom a run is for; None: everybody."""
        if "only" not in run.record:
            return None
        return {*orjson.loads(self._payloads[paths.few_path(run.run_id)])["addresses"]}

    def _run(self, run_id: str, export_id: str) -> RunSeen:
        if run_id not in self.runs:
            self._count += 1
            self.runs[run_id] = RunSeen(run_id, export_id, self._count, taken_at=self._world.clockwork.now)
        return self.runs[run_id]

    def _check_step(self, before: bytes | None, after: bytes) -> None:
        was, now = before and load(Run, before), load(Run, after)
        allowed = STEPS[was.status] if was else {RunStatus.QUEUED, RunStatus.SKIPPED}
        self.require(now.status in allowed, "I7", f"a run cannot become {now.status}")
        self.require(not was or was.end in (None, now.end), "I7", "a run ended twice")

    def _run_written(self, run_id: str, record: dict[str, Any]) -> None:
        known = run_id in self.runs
        run = self._run(run_id, record["exportId"])
        if run.ended_at is not None:
            self.require(record.get("end") == run.record["end"], "I7", "the end of a run was changed")
        elif record.get("end"):
            run.ended_at = self._world.clockwork.now
            self._check_destination(run, load(Run, orjson.dumps(record)))
        if not run.record and (instead := (record.get("end") or {}).get("instead")):
            self.joined(instead)
        self.require(not (record.get("plan") and record.get("waiting")), "I7", "a planned run waits for its plan")
        self._count_deaths(run, record.get("claim") or {})
        run.record = record
        if run.completed_at is None and record.get("end") and not self.leaves_people(run):
            run.completed_at = self._world.clockwork.now
        if self._world.scenario.timely:
            self.calendar.run_written(run, record, known=known)

    @staticmethod
    def leaves_people(run: RunSeen) -> bool:
        """Whether somebody has no outcome, of a run that is over; or none was looked for."""
        end = run.record["end"]
        tally = (run.record.get("amended") or end)["tally"]
        nothing = "plan" not in run.record and end["status"] == "failed"
        return bool(tally.get("unconfirmed") or nothing)

    def _check_destination(self, run: RunSeen, record: Run) -> None:
        """Of a run that ends: were its list and the field there after the last confirmation?"""
        end, looked = record.end, record.looked
        if end is None or not end.tally.confirmed or record.stop or self._world.restored:
            return
        if end.problem and end.problem.code == "destination_not_seen":
            return
        confirmed_at = max((b.confirmed_at for lane in run.lanes.values() for b in lane.imports.values()), default=0.0)
        if not confirmed_at:
            return  # all were carried over
        self.require(looked and looked.at >= confirmed_at, "I14", "nobody looked after the last confirmation")
        assert looked
        for place in (("list", record.export.list_id), THE_FIELD):
            there = self._world.was_there(place, looked.at, self._world.clockwork.now)
            self.require(there or self._world.scenario.skew_s, "I14", f"confirmed with a {place[0]} that is gone")

    def _gone(self, run: RunSeen) -> bool:
        """Whether a run knows that nobody is there."""
        return self._world.scenario.shifting and load(Run, orjson.dumps(run.record)).gone is not None

    def _count_deaths(self, run: RunSeen, claim: dict[str, Any]) -> None:
        """Count who lost the claim on a run: it died, stood still, or could not write."""
        before = run.record.get("claim") or {}
        if not claim:
            run.planner, run.deaths = None, 0
        elif claim["by"] != before.get("by"):
            run.deaths += run.planner is not None and (not run.planner.returned or run.planner.disturbed)
            run.planner = self._world.host.current()

    def _planned(self, run: RunSeen, manifest: Manifest) -> None:
        payload = self._payloads[manifest.payload]
        run.manifest = manifest
        run.batches = [
            bodies.addresses(payload[b.offset_bytes : b.offset_bytes + b.body_bytes]) for b in manifest.batches
        ]
        emails = [email for batch in run.batches for email in batch]
        self.require(len(set(emails)) == len(emails), "I2", "an address is in two batches")
        if self._world.scenario.timely:
            self.calendar.planned(run)
        expected = self._world.expected(manifest.sources)
        asked_for, rows, contacts = self._asked_for(run), expected.rows, expected.contacts
        if asked_for is not None:
            rows, contacts = ([email for email in each if email.lower() in asked_for] for each in (rows, contacts))
        self.require(manifest.plan.rows_read == len(rows), "I1", "not every row was read")
        self._check_plausible(run, manifest)
        if earlier := self._resumed(run):
            self._check_resumed(run, earlier, set(expected.contacts))
        else:
            self._check_whole(run, manifest)
            same = Counter(emails) == Counter(contacts)
            self.require(same, "I1", "planned contacts are not those of the file")

    def _check_plausible(self, run: RunSeen, manifest: Manifest) -> None:
        """What is sent is plausible, or approved; who resumes a run sends what that was to send."""
        if self._resumed(run) or "only" in run.record:
            return
        plan = manifest.plan
        rejected = sum(plan.rejected_by_reason.values())
        found = [self._held_by(run, plan.rows_read, rejected, last) for last in self._yardsticks[run.export_id]]
        self.require(not all(found), "I13", f"sends what nobody approved: {found}, {run.record.get('approved')}")

    def _held_by(self, run: RunSeen, rows: int, rejected: int, last: int) -> set[str]:
        """Return what holds a run of so many rows; nothing in a world in which all sizes are usual."""
        if not self._world.scenario.odd:
            return set()
        causes = (run.record.get("approved") or {}).get("causes", ())
        approved = {cause["code"]: cause["numbers"] for cause in causes}
        held = set()
        if not rows and "segment_empty" not in approved:
            held.add("segment_empty")
        share = 0.5
        if so_far := approved.get("too_many_rows_rejected"):
            share = max(share, so_far["rejected"] / so_far["rowsRead"] + 0.05)
        if rejected >= LEAST_REJECTED and rejected > share * rows:
            held.add("too_many_rows_rejected")
        sizes = [last, approved["size_changed"]["rowsRead"]] if "size_changed" in approved else [last]
        factor = self._world.settings.size_change_factor
        if rows and last >= LEAST_ROWS and not min(sizes) <= rows * factor <= max(sizes) * factor**2:
            held.add("size_changed")
        return held

    def _check_held(self, run: RunSeen, record: Run) -> None:
        """A run is held for need only, and leaves nothing behind."""
        assert record.end
        assert record.end.held
        # Another planner may have made a manifest and come too late to record it; nobody sends by that.
        sent = run.submissions and not self._world.restored
        self.require(not sent and not run.record.get("plan"), "I13", "held, though it was planned")
        for cause in record.end.held.causes:
            numbers = cause.numbers
            last, rejected = numbers.get("lastRowsRead", 0), numbers.get("rejected", 0)
            need = self._held_by(run, numbers["rowsRead"], rejected, last)
            self.require(cause.code in need, "I13", f"held without need: {cause}, {record.approved}")

    def _resumed(self, run: RunSeen) -> RunSeen | None:
        """Return the run that a planned run resumes; there may be nothing to resume by then."""
        earlier = run.record.get("resumes")
        return self.runs[earlier] if earlier and run.manifest and run.manifest.plan.carried else None

    def _check_whole(self, run: RunSeen, manifest: Manifest) -> None:
        """What was started to resume a run sends everybody only if that one cannot be resumed."""
        earlier = run.record.get("resumes")
        if earlier is None:
            return
        self.require(run.record["trigger"] == "scheduled", "P4", "sends everybody instead of who was left")
        before = self.runs[earlier].manifest
        self.require(
            before is None or before.fingerprint != manifest.fingerprint, "P4", "sends everybody for no reason"
        )

    def _check_resumed(self, run: RunSeen, earlier: RunSeen, everybody: set[str]) -> None:
        """A run that resumes another sends what has no outcome yet, in the requests in which that was to be sent."""
        assert run.manifest
        decided, known = self._decided(earlier), self._decided(earlier, self._world.host.current().began)
        emails = {email for batch in run.batches for email in batch}
        self.require(emails <= everybody, "I5", "planned somebody who is not in the file")
        self.require(everybody - emails <= decided, "I1", "somebody without an outcome was left out")
        for batch in run.batches:
            self.require(not {*batch} <= known, "P4", "a batch is sent again, though all of it has its outcome")
        carried = run.manifest.plan.carried
        assert carried
        count = carried.confirmed + carried.rejected_by_active_campaign
        self.require(count == len(everybody) - len(emails), "I1", "carried over is not what is left out")

    def _decided(self, run: RunSeen, by: float = math.inf) -> set[str]:
        """Return whose outcome a run, or those that it resumed, had by then: imports are asked for after the end."""
        earlier = self._resumed(run)
        decided = self._decided(earlier, by) if earlier else set()
        decided -= {email for batch in run.batches for email in batch}
        gone = self._gone(run)
        if gone:
            decided = set()
        for lane in run.lanes.values():
            for one in lane.imports.values():
                if not gone and one.status is ImportStatus.CONFIRMED and run.outcome_at[one.import_id] <= by:
                    decided |= {run.batches[one.batch][position] for position in one.positions}
            for portion in lane.portions.values():
                decided |= {run.batches[portion.batch][position] for position in portion.refused}
        return decided

    # --- after a restore ---

    def go_back(self) -> None:
        """Forget what storage, restored to an earlier state, does not know any more."""
        stored = self._world.stored
        for run in list(self.runs.values()):
            data = stored(paths.run_path(run.run_id))
            if data is None:
                self._forgotten += run.submissions
                del self.runs[run.run_id]
                continue
            run.record = orjson.loads(data)
            if attempts := run.record.get("attempts"):  # whoever planned it then does not come back
                run.planner, run.deaths = None, attempts["begun"] - attempts["errors"]
            run.ended_at = run.ended_at if run.record.get("end") else None
            run.cancel_acknowledged_at = run.cancel_acknowledged_at if run.record.get("cancel") else None
            if stored(manifest_path(run.run_id)) is None:
                run.manifest, run.batches = None, []
            ledgers = {name: stored(paths.run_path(run.run_id, f"lanes/{name}")) for name in run.lanes}
            run.lanes = {name: fold(data) for name, data in ledgers.items() if data}
            known = {import_id for lane in run.lanes.values() for import_id in lane.imports}
            for submission in run.submissions:
                submission.recorded = submission.import_id in known
                submission.who.disturbed |= not submission.recorded
        for path in self._world.blobs.stored:
            if path.startswith("records/slots/") and (slot := stored(path)):
                self._yardstick(path.split("/")[2].removesuffix(".json"), orjson.loads(slot))
        self._newest_sent.clear()
        for run in self.runs.values():
            if run.submissions:
                self._newest_sent[run.export_id] = max(self._newest_sent[run.export_id], run.number)

    def _appended(self, run: RunSeen, name: str, before: bytes, after: bytes) -> None:
        self.require(after.startswith(before), "I6", "a ledger was rewritten")
        lane = run.lanes.setdefault(name, Lane())
        for line in after[len(before) :].splitlines():
            event = orjson.loads(line)
            try:
                lane.apply(event)
            except ExporterError as error:
                raise Broken(f"I6: {error} ({line!r})") from error
            match event["event"]:
                case "sending":
                    self._world.host.current().disturbed = False
                case "accepted":
                    self._accepted(run, lane, event["importId"])
                case "confirmed" | "importFailed":
                    self._outcome(lane, event["importId"], event["event"])
                    run.outcome_at[event["importId"]] = self._world.clockwork.now

    def _accepted(self, run: RunSeen, lane: Lane, import_id: str) -> None:
        submission = self._by_import.get(import_id)
        self.require(submission and submission.run_id == run.run_id, "I6", "recorded an import that was not accepted")
        assert submission
        one = lane.imports[import_id]
        emails = [run.batches[one.batch][position] for position in one.positions]
        self.require(emails == list(submission.emails), "I1", "an import is recorded with other contacts")
        submission.recorded = True

    def _outcome(self, lane: Lane, import_id: str, event: str) -> None:
        actual = self._world.account._state.imports[import_id]
        ended = "completed" if event == "confirmed" else "failed or interrupted"
        self.require(actual.finished and actual.outcome in ended, "I6", f"recorded {event}, but it is {actual.outcome}")
        if event == "confirmed":
            one = lane.imports[import_id]
            self.require(len(one.failed) == len(actual.failures), "I6", "failures of an import were lost")

    # --- at every request ---

    def posted(self, who: Invocation, contacts: list[dict[str, Any]], import_id: str | None) -> None:
        """Look at a bulk import that arrives at ActiveCampaign; `import_id` is None when it is refused."""
        assert who.message
        now = self._world.clockwork.now
        run = self.runs[orjson.loads(who.message.body)["runId"]]
        emails = tuple(contact["email"] for contact in contacts)
        planned = {email for batch in run.batches for email in batch}
        self.require(set(emails) <= planned, "I5", "sent an address that is not in the plan")
        self.require(run.ended_at is None, "I12", "sent after the end of the run")
        if run.cancel_acknowledged_at is not None:
            late_s = now - run.cancel_acknowledged_at
            self.latest_after_cancel_s = max(self.latest_after_cancel_s, late_s)
            self.require(late_s <= CANCEL_WITHIN_S, "I12", f"sent {late_s:.0f} s after the cancel")
        newest = self._newest_sent[run.export_id]
        self.require(run.number >= newest, "I11", "sent after a newer run of the export had sent")
        self._newest_sent[run.export_id] = run.number
        if import_id:
            submission = Submission(run.run_id, now, import_id, emails, who)
            self._by_import[import_id] = submission
            run.submissions.append(submission)

    # --- at the end ---

    def check(self) -> None:
        """Judge the whole schedule."""
        for run in self.runs.values():
            self._check_run(run)
        self._check_contacts()
        self._check_rates()
        self._check_starts()
        self._check_privacy()
        told = next((line for line in self._world.log if '"action":"defect"' in line), None)
        self.require(self._world.scenario.defect or not told, "I9", f"something that nobody foresaw: {told}")
        for error in self._world.host.errors:
            self.require(type(error).__name__ == "Junk", "I9", f"a function raised {error!r}")

    def _check_run(self, run: RunSeen) -> None:
        data = self._world.stored(paths.run_path(run.run_id))
        self.require(data, "I9", "a run has no record")
        assert data
        record = load(Run, data)
        end = record.end
        self.require(end, "I9", f"the run {run.run_id} did not end ({record.status})")
        assert end
        self.require(end.tally.adds_up, "I1", f"the account does not add up: {end.tally}")
        copies = [path for path in self._world.blobs.stored if path.startswith(f"working/{run.run_id}/")]
        late = any(any(lane.late()) for lane in run.lanes.values())
        self.require(not copies or late, "P9", "a working copy is left")
        asked = not (late and self._world.late_imports_ended) or self._world.scenario.sabotage
        self.require(asked, "I9", "a late import is not asked for")
        if record.status is RunStatus.FAILED:
            self._check_failure(run, record)
        if record.status is RunStatus.HELD:
            self._check_held(run, record)
        if end.status is RunStatus.CANCELED:
            self.require(record.cancel, "I7", "canceled, though nobody asked for it")
        self._check_doubles(run, record)
        if record.plan is None:
            forgotten = self._world.restored or not run.submissions
            self.require(forgotten, "I1", "contacts were sent by a run without a plan")
            return
        self.require(run.manifest and record.plan == run.manifest.plan, "I1", "the plan is not that of the manifest")
        data = self._world.stored(paths.findings_path(run.run_id))
        findings = load(Findings, data) if data else Findings()
        account = tally_of(record.plan, run.lanes.values(), findings.reasons, record.gone)
        gone = end.problem and end.problem.code in GONE
        self.require(not (gone and account.confirmed), "I14", "people are confirmed on a list that the run knows gone")
        self.require(record.tally == account, "I1", f"the account is not up to date: {record.tally}, now {account}")
        confirmed = self._confirmed(run)
        count = account.confirmed
        self.require(count == len(confirmed), "I1", f"{count} counted as confirmed, not {len(confirmed)}")
        self._check_rejects(run, account, confirmed, findings)
        amended = record.amended is None or end.tally.unconfirmed > 0 or findings.done
        self.require(amended, "I7", "amended, though every contact had its outcome")
        report = self._world.stored(paths.run_path(run.run_id, "report.json"))
        self.require(report or self._world.scenario.sabotage, "I7", "there is no report")
        if report:
            told = load(Report, report)
            self.require((told.status, told.tally) == (record.status, record.tally), "I7", "report and end differ")
        nobody = end.tally.contacts > 0 and not end.tally.confirmed
        self.require(not (nobody and end.status in SENT), "I7", "not failed, though nobody arrived")
        doubtful = self._is_contradicted(record)
        self.require(bool(record.contradicted) == doubtful, "I7", f"contradicted or not: {record.contradicted}")
        self.require(not (doubtful and record.status is RunStatus.SUCCESSFUL), "I7", "successful against a look")
        if end.status is RunStatus.SUCCESSFUL:
            unsent = record.plan.contacts - account.confirmed
            self.require(not unsent and not record.plan.rejected_by_reason, "I7", "successful without all contacts")
        for lane in run.lanes.values():
            self._check_lane(run, lane)

    def _check_rejects(self, run: RunSeen, account: Tally, confirmed: set[str], findings: Findings) -> None:
        """The reject report names everybody but the confirmed, with the reasons that the account counts."""
        assert run.manifest
        if self._world.scenario.sabotage:
            return  # the names were in the working copy
        report = self._world.stored(run.manifest.rejects)
        self.require(report, "I1", "there is no reject report")
        listed = list(reject_rows([report or b""]))
        reasons = Counter(row.reason.value for row in listed)
        self.require(reasons == account.reasons, "I1", f"the report lists {reasons}, the account {account.reasons}")
        named = {row.email for row in listed if row.reason.group in (Group.ACTIVECAMPAIGN, Group.UNCONFIRMED)}
        planned = {email for batch in run.batches for email in batch}
        asked = [each for each in findings.failed if findings.done and (each.standing or each.reason)]  # not given up
        looked_at = {run.batches[each.batch][each.position] for each in asked}
        unexplained = {row.email for row in listed if row.reason in UNEXPLAINED and row.email.startswith("excluded")}
        self.require(not unexplained & looked_at, "I13", "of somebody who is excluded, that was not found out")
        self.require(planned - named == confirmed & planned, "I1", "who is not named is not who is confirmed")

    def _confirmed(self, run: RunSeen) -> set[str]:
        """Return who arrived in imports that the run, or one that it resumed, has found to be completed.

        Counted apart from the app: by the lines of the ledgers, and by ActiveCampaign's side of those imports.
        """
        if self._gone(run):
            return set()
        earlier = self._resumed(run)
        people = self._confirmed(earlier) if earlier else set()
        people -= {email for batch in run.batches for email in batch}  # those who are sent again
        for name in run.lanes:
            ledger = self._world.stored(paths.run_path(run.run_id, f"lanes/{name}")) or b""
            for event in map(orjson.loads, ledger.splitlines()):
                if event["event"] == "confirmed":
                    failures = self._world.account._state.imports[event["importId"]].failures
                    people |= {*self._by_import[event["importId"]].emails} - {email for email, _ in failures}
        return people

    def _check_failure(self, run: RunSeen, record: Run) -> None:
        assert record.end
        problem = record.end.problem
        if problem and problem.code == f"working_copy_{self._world.scenario.sabotage.replace('deleted', 'missing')}":
            return
        seen = self._world.weather.seen
        if problem and problem.code == "segment_not_found" and seen["segment lost"]:
            return
        if problem and problem.code == "defect":
            tried_s = record.end.at - record.requested_utc
            # Whoever has begun to wait may have been another instance.
            long_s = self._world.settings.retry_for_s - 2 * self._world.scenario.skew_s
            lasted = seen["defect in uploading"] and tried_s >= long_s
            again = seen["defect in planning"] >= SOME_DEFECTS
            self.require(again or lasted, "I9", "failed for an error that was not repeated")
            return
        if problem and problem.code == "planning_died":
            self.require(run.deaths >= SOME_DEATHS, "I9", f"failed after {run.deaths} deaths")
            return
        if problem and problem.code == "not_resumable":
            written_again = len(self.calendar.states) > 1  # maybe with the same rows
            changed = self._world.version > 1 or self._world.redefined or written_again
            self.require(record.resumes and changed, "I9", "not resumable, though nothing has changed")
            return
        if problem and problem.code == "few_not_found":
            nobody = False in self._world.holds(self._asked_for(run) or set())
            altered = self._world.scenario.sabotage == "altered"
            self.require(nobody or altered, "I15", "failed, though somebody is in the segment")
            return
        if problem and problem.code == "no_contact":
            held = problem.params or {}
            self.require(held.get("count") and not run.batches, "I9", f"held, though somebody could be sent: {held}")
            return
        if problem and problem.code in LOST:
            place: Place = ("list", record.export.list_id) if "list" in problem.code else THE_FIELD
            gone = self._world.was_gone(place, record.requested_utc - SLACK_S, record.end.at + SLACK_S)
            self.require(gone, "I14", f"failed for what was there: {problem}")
            named = LOST[problem.code] or {"listId": record.export.list_id}
            self.require(named.items() <= (problem.params or {}).items(), "I14", f"failed without its name: {problem}")
            return
        if problem and problem.code in ("account_full", "contact_limit"):
            self.require(seen["account filled"], "I9", f"failed for an account that has room: {problem}")
            return
        if problem and problem.code == "contacts_refused":
            refused = [email for batch in run.batches for email in batch if email.startswith("refused")]
            right = len(refused) >= PROBES or self._world.lists_shifted or self._world.field_refuses
            self.require(right, "I9", "failed for contacts that are taken")
            return
        if problem and problem.code == "nobody_arrived":
            tally = record.end.tally
            self.require(tally.contacts and not tally.confirmed, "I9", f"failed, though somebody arrived: {tally}")
            return
        self.require(problem and problem.code in WAITED_TOO_LONG, "I9", f"failed without need: {problem}")
        waited_s = record.end.at - record.requested_utc
        retry_s = self._world.settings.retry_for_s
        self.require(waited_s >= retry_s - SLACK_S, "I9", f"failed after {waited_s:.0f} s")
        outage = self._world.longest_outage_s >= retry_s - SLACK_S
        # Pauses that ActiveCampaign asks for, of up to five minutes each, add up while a run waits for its plan.
        late = problem and problem.code in ("throttled", "others_first")
        paused = late and record.plan is None and retry_s <= 2 * SLACK_S
        written = problem and problem.code == "refresh_in_flight" and self._world.scenario.timely
        # A look at the account is some ten calls: where each may fail, an hour can pass without one that succeeds.
        in_bad_weather_s = min(record.end.at, self._world.weather.calm_at) - record.requested_utc
        weathered = record.plan is None and in_bad_weather_s >= retry_s - SLACK_S
        self.require(outage or paused or written or weathered, "I9", f"failed without an outage: {problem}")

    def _check_doubles(self, run: RunSeen, record: Run) -> None:
        assert record.end
        accepted: Counter[str] = Counter()
        hidden = 0
        for submission in run.submissions:
            if not submission.recorded:
                hidden += 1
                self.require(
                    submission.who.disturbed, "I4", "an acceptance was not recorded, though nothing went wrong"
                )
                continue
            if self._world.account._state.imports[submission.import_id].outcome in ("completed", "stuck"):
                accepted.update(submission.emails)
        self.require(not accepted or max(accepted.values()) == 1, "I4", "a contact was sent twice without need")
        repeats = len(run.submissions) - len({s.emails for s in run.submissions})
        self._world.hidden += hidden
        failed = self._failed_imports(run)
        self.require(repeats <= hidden + failed, "I4", f"{repeats} repeats, {hidden} hidden answers")
        told = repeats <= record.end.resends + failed or self._world.restored  # which does not know of all of them
        self.require(told, "I4", f"{repeats} repeats, {record.end.resends} reported")

    def _failed_imports(self, run: RunSeen) -> int:
        statuses = (one.status for lane in run.lanes.values() for one in lane.imports.values())
        return sum(status is ImportStatus.FAILED for status in statuses)

    def _check_lane(self, run: RunSeen, lane: Lane) -> None:
        reached = {email for submission in run.submissions for email in submission.emails}
        for one in lane.imports.values():
            actual = self._world.account._state.imports[one.import_id]
            failed = {email.lower() for email, _ in actual.failures}
            emails = {run.batches[one.batch][p].lower(): p for p in one.positions}
            if one.status is ImportStatus.CONFIRMED:
                rejected = {email for email, position in emails.items() if position in one.failed}
                self.require(rejected == failed, "I1", "the contacts that failed in an import are others")
            if one.reason == Reason.QUEUED_FEWER:
                found_out = all(refusal == "excluded" for _, refusal in actual.failures)
                excused = not found_out or one.asks >= PATIENT_ASKS or self._world.lists_shifted
                self.require(excused, "I13", "nobody is confirmed, though the exclusion list names all who are missing")
        for portion in lane.portions.values():
            for position in portion.refused:
                email = run.batches[portion.batch][position]
                blamed = email.startswith("refused") or self._world.lists_shifted or self._world.field_refuses
                self.require(blamed, "P3", f"{email} was blamed, though nothing is wrong with it")
            done = {p for one in lane.imports.values() if one.batch == portion.batch for p in one.positions}
            if not portion.failed_imports:
                still_open = {*portion.positions} - {*portion.refused, *portion.left} - done
                self.require(still_open == {*portion.unknown, *portion.unsent}, "I1", "contacts are counted wrongly")
            untrue = {run.batches[portion.batch][p] for p in portion.unsent} & reached
            self.require(not untrue or self._world.restored, "P8", "counted as not sent, though ActiveCampaign got it")

    def _check_starts(self) -> None:
        """One run for each occasion, and what the next one compares with."""
        records = [load(Run, self._world.stored(paths.run_path(run_id)) or b"") for run_id in self.runs]
        for started in self._world.people.answers.values():
            self.require(len(started) == 1 or self._world.restored, "B28", f"one idempotency key, two runs: {started}")
        for path in self._world.blobs.stored:
            if path.startswith("records/slots/"):
                slot = load(Slot, self._world.stored(path) or b"")
                ended = [r for r in records if r.export_id == slot.run.export_id and r.end and r.end.status in SENT]
                ended = [r for r in ended if r.only is None]
                ended = [r for r in ended if r.tally and r.tally.confirmed and not r.tally.unconfirmed]
                ended = [r for r in ended if self._was_seen(r)]
                contradicted = {r.run_id for r in records if self._is_contradicted(r)}
                ended = [r for r in ended if r.run_id not in contradicted]
                newest = max(ended, key=lambda r: r.end.at if r.end else 0, default=None)
                kept = [each.run_id for each in (slot.last_success, slot.success_before) if each]
                known = next((run_id for run_id in kept if run_id not in contradicted), None)
                # The working copy is the mark that something is left to do: without it, the sweep does not know.
                forgotten = self._world.scenario.sabotage == "deleted"
                forgotten = forgotten or (len(kept) > 1 and known is None)  # both were contradicted, late
                self.require(
                    forgotten or known == (newest.run_id if newest else None), "B25", "the last success is another run"
                )

    def contradicts(self, run: RunSeen) -> bool:
        """Whether a look after the end contradicts a run."""
        return self._is_contradicted(load(Run, orjson.dumps(run.record)))

    def _is_contradicted(self, record: Run) -> bool:
        """Whether a look after the end found too few on the list of a run, counted person by person."""
        data = self._world.stored(paths.findings_path(record.run_id))
        findings = load(Findings, data) if data else Findings()
        if record.end is None or record.amended is None or not findings.done or self._gone(self.runs[record.run_id]):
            return False
        seen = Counter(each.standing for each in findings.sample if each.standing)
        away = seen[Standing.NOT_THERE] + seen[Standing.NOT_ON_THE_LIST]
        silent = seen[Standing.UNSUBSCRIBED] + seen[Standing.BOUNCED] + seen[Standing.UNCONFIRMED]
        least = min(record.end.tally.confirmed, record.amended.tally.confirmed)
        size = findings.list_active
        few = size is not None and (least - size > max(2, least / 100) or size == 0 < least)
        return bool(away or silent > 2 or (silent and silent == seen.total()) or few)

    def _was_seen(self, record: Run) -> bool:
        """Whether somebody looked at the destination of a run after its last outcome; clocks differ."""
        lanes = self.runs[record.run_id].lanes.values()
        confirmed = [bulk.confirmed_at for lane in lanes for bulk in lane.imports.values()]
        outcome_at = max([0.0, *confirmed, *(lane.refused_at for lane in lanes)])
        return outcome_at <= (record.looked.at if record.looked else 0.0)

    def _check_contacts(self) -> None:
        """Compare ActiveCampaign with what one clean run after the other would have left."""
        world = self._world
        known = world.all_emails
        for contact in world.account.contacts():
            self.require(contact["email"] in known, "I5", "ActiveCampaign holds an address that no segment has")
        for email, list_id in world.unsubscribed if not world.lists_shifted else ():
            gone = world.account.contact(email)
            self.require(
                gone and gone["lists"].get(str(list_id)) == UNSUBSCRIBED, "P5", "somebody was subscribed again"
            )
        # Each export ends with what its newest run sent; which of two exports was last does not matter.
        newest: dict[str, dict[str, int]] = defaultdict(dict)
        for run in sorted(self.runs.values(), key=lambda r: r.number):
            if run.manifest is None:
                continue
            version = world.version_of(run.manifest.sources)
            for lane in run.lanes.values():
                for one in lane.imports.values():
                    if one.status is ImportStatus.CONFIRMED:
                        batch = run.batches[one.batch]
                        for position in (p for p in one.positions if p not in one.failed):
                            newest[batch[position]][run.export_id] = version
        doubtful = {
            email
            for submissions in (self._forgotten, *(run.submissions for run in self.runs.values()))
            for s in submissions
            if not s.recorded or s in self._forgotten
            for email in s.emails
        } | {
            run.batches[one.batch][p]
            for run in self.runs.values()
            for lane in run.lanes.values()
            for one in lane.imports.values()
            if one.status is not ImportStatus.CONFIRMED or one.reason  # late, it may overwrite what came after it
            for p in one.positions
        }
        for email, versions in newest.items():
            found = world.account.contact(email)
            self.require(found, "I3", "a confirmed contact is missing: lost")
            assert found
            if email not in doubtful:
                right = {world.first_name(version) for version in versions.values()}
                held = found["first_name"]
                self.require(held in right, "I3", f"a confirmed contact holds other data: {held}, not {right}")
                value = found["fields"].get(str(FIELD.id))
                kept = value in right or not world.scenario.shifting or world.was_gone(THE_FIELD)
                self.require(kept, "I3", f"a confirmed contact lacks the value of its field: {value}, not {right}")

    def _check_rates(self) -> None:
        for name, rate in self._world.account.violations().items():
            self.require(not rate["violations"] or self._world.scenario.skew_s, "I8", f"{name}: {rate}")

    def _check_privacy(self) -> None:
        world = self._world
        records = (s.data for path, s in world.blobs.stored.items() if path.startswith("records/"))
        texts = (*world.log, *(str(error) for error in world.host.errors))
        everything = b"\n".join([*records, *(text.encode() for text in texts)])
        at = everything.lower().find(b"canary")
        self.require(at < 0, "I10", f"personal data or a key: {everything[max(0, at - 200) : at + 40]!r}")
