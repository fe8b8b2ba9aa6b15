"""One seed, one world: the real pipeline between a simulated host, storage, Key Vault and ActiveCampaign."""

from __future__ import annotations

import csv
import io
import logging
import math
import random
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any
from unittest.mock import patch
from urllib.parse import urlencode

import orjson

from exporter import bootstrap, triggers
from exporter.activecampaign import pacing, refusals
from exporter.activecampaign.pacing import Pace
from exporter.activecampaign.wire import Answer, Reply, Request
from exporter.definitions.exports import ConsentColumn, DataMatching, Export, FieldMatch
from exporter.delivery import batches
from exporter.delivery.ledger import REPEAT_AFTER_S
from exporter.delivery.manifest import SourceEntry
from exporter.model import load, to_text
from exporter.pipeline import batching, brakes, dispatch, finish, plan
from exporter.pipeline.confirm import ASK_LATE_EVERY_S, PATIENT_ASKS
from exporter.pipeline.lookups import WITHIN_S
from exporter.records import payload
from exporter.records.paths import export_path, findings_path
from exporter.runs import due
from exporter.services import Services
from exporter.settings import Settings
from sandbox.activecampaign import Account, Switches
from tests.builders import COLUMNS, SEGMENT, make_connection, make_export
from tests.fakes import SETTINGS, START, FakeBlobs, FakeSegmentFiles, Stored
from tests.simulation.calendars import APP_MINUTES, MOST_ATTEMPTS, PAUSES_S
from tests.simulation.clockwork import Clockwork
from tests.simulation.host import Host, Invocation
from tests.simulation.oracle import LEAST_REJECTED, LEAST_ROWS, Oracle
from tests.simulation.people import FIELD, THE_FIELD, People, Place
from tests.simulation.ports import SimulatedIds, make_services, next_release, this_release
from tests.simulation.weather import Weather

KEY = "key-canary-1"
EXPORTS = ("newsletter", "vip")
SHIFTING = 0.15
"""The share of worlds in which a list or a custom field is deleted, or the account fills up."""
FEW = 0.2
"""The share of worlds in which exports are tried with a few people."""
ODD = 0.2
"""The share of worlds in which runs are held. There, brakes take hold of as few people as worlds have."""
SIZE_FACTOR = 2
DEFECTS = ("planning", "planning at times", "uploading at times")


@dataclass
class _TrueClock:
    clockwork: Clockwork

    def now(self) -> float:
        return self.clockwork.now


class WatchedBlobs(FakeBlobs):
    """Blobs, each write of which the oracle sees."""

    def __init__(self, clockwork: Clockwork) -> None:
        super().__init__(_TrueClock(clockwork))  # type: ignore[arg-type]  # only `now` is asked
        self.seen: Callable[[str, bytes | None, bytes], None] = lambda path, before, after: None

    def _put(self, path: str, data: bytes) -> Stored:
        before = self.stored.get(path)
        self.seen(path, before.data if before else None, data)
        return super()._put(path, data)


@dataclass
class Expected:
    """What a version of the segment holds: the address of each row, and those that can be sent."""

    version: int
    rows: list[str]
    contacts: list[str]


@dataclass
class Scenario:
    """What a schedule is about, drawn from its seed; the faults come on top."""

    people: int
    batch: int
    settings: dict[str, str]
    switches: dict[str, Any]
    exports: int
    kinds: dict[str, float]
    """How many of the people are of another kind than sendable."""
    skew_s: float
    """How far the clocks of instances may be wrong. The rate limit then cannot be kept, and is not looked at."""
    sabotage: str
    """What happens to the working copy in mid-run: nothing, deleted or altered."""
    defect: str
    """Where the code fails in a way that nobody foresaw: nowhere, or one of `DEFECTS`."""
    rollout: bool
    """Whether a newer release is deployed meanwhile, on one instance after the other."""
    shifting: bool = False
    """Whether lists and a custom field are deleted and come back, and the account fills up."""
    few: bool = False
    """Whether somebody tries an export with a few people."""
    timely: bool = False
    """Whether a timer starts exports by their schedules, which people change."""
    parts: int = 1
    """How many files the segment has; of several, one is written after the other."""
    odd: bool = False
    """Whether segments come that hold a run: few rows, none, or mostly such as cannot be sent."""

    @classmethod
    def draw(cls, draw: random.Random) -> Scenario:
        batch = draw.randint(1, 6)
        confirm_s = draw.choice((120, 600))
        settings = {
            "LANES": str(draw.randint(1, 3)),
            "LANE_TIME_BUDGET_S": str(draw.choice((5, 30, 240, 240))),
            "LANE_STALE_S": str(draw.choice((130, 150))),
            "CONFIRM_WITHIN_S": str(confirm_s),
            "RETRY_FOR_S": str(draw.choice((600, 3_600))),
            "BULK_REQUESTS_PER_MINUTE": str(draw.choice((96, 60, 12, 6))),
        }
        pace = Pace(int(settings["BULK_REQUESTS_PER_MINUTE"]))
        switches = {
            "imports_per_minute": _most(60.0, pacing.SPREAD * pace.tick_s),
            "single_imports_per_minute": _most(60.0, pace.single_ticks * pace.tick_s),
            "requests_per_second": _most(1.0, pacing.GAP * pace.tick_s),
            "bad_key": draw.choice(("forbidden", "login_page")),
            "counting": draw.choice(("sliding", "fixed", "token_bucket")),
            "success_spelling": draw.choice(("success", "Success")),
            "index_base": draw.choice((0, 1)),
            "processing_base_s": draw.choice((0.5, 5.0, 40.0)),
            "unknown_import": draw.choice(("status_false", "not_found")),
            "failure_case": draw.choice(("as_sent", "lower")),
            "retry_after": draw.choice(("seconds", "absent")),
        }
        kinds = {kind: 0.08 for kind in ("invalid", "excluded", "refused", "bounced", "left") if draw.random() < 0.25}
        slow = settings["BULK_REQUESTS_PER_MINUTE"] == "6"
        people = draw.randint(8 * batch if slow else 1, 12 * batch if slow else 6 * batch)
        exports = 2 if draw.random() < 0.2 else 1
        skew_s = 300.0 if draw.random() < 0.1 else 0.0
        sabotage = draw.choice(("deleted", "altered")) if draw.random() < 0.05 else ""
        defect = draw.choice(DEFECTS) if draw.random() < 0.05 else ""
        rollout = draw.random() < 0.1
        return cls(people, batch, settings, switches, exports, kinds, skew_s, sabotage, defect, rollout)


def look_ups(draw: random.Random) -> dict[str, str]:
    """Draw how ActiveCampaign answers about people, apart from all else, so that schedules stay what they were.

    Where the list cannot be read, or excluded people count as queued, nobody is left out without a word: somebody
    else's failure would count in their place, which only a sample can find.
    """
    filters, includes = draw.choice(("heeded", "heeded", "ignored")), draw.choice(("all", "lists", "ignored"))
    excluded, unsubscribed = (
        draw.choice(("failure", "failure", "queued", "silent")),
        draw.choice(("failure", "not_queued")),
    )
    readable = filters == "heeded" and includes != "ignored" and excluded != "queued"
    return {
        "contact_filters": filters,
        "includes": includes,
        "excluded": excluded if readable or excluded == "queued" else "failure",
        "unsubscribed": unsubscribed if readable else "failure",
    }


def _most(window_s: float, distance_s: float) -> int:
    """Count the requests that a window can hold, each of them a little late: the limits are set as low as that."""
    return math.floor((window_s + pacing.VALID_S) / distance_s) + 1


@cache
def _settings(changed: tuple[tuple[str, str], ...]) -> Settings:
    return Settings.from_environ(SETTINGS | dict(changed))


class World:
    """A schedule: everything in it follows from the seed."""

    def __init__(  # noqa: PLR0915 - a world has many parts
        self,
        seed: int,
        *,
        keep_history: bool = False,
        peaceful: bool = False,
        settings: Mapping[str, str] | None = None,
    ) -> None:
        """`peaceful`: one run and no faults, but for those that the caller makes; `settings` overrule those drawn."""
        self.seed = seed
        self.random = random.Random(seed)
        self.history: list[str] | None = [] if keep_history else None
        self.calls = 0
        self.hidden = 0
        """Acceptances that a fault kept from being recorded."""
        self.at_call: dict[int, Callable[[], None]] = {}
        """What happens from outside when so many calls have been made."""
        self.at_import: dict[int, Callable[[], None]] = {}
        """What happens right after so many requests with contacts."""
        self._imports = 0
        self.log: list[str] = []
        """Log lines, messages, texts of exceptions."""
        draw = self.random
        scenario = self.scenario = Scenario.draw(draw)
        self.odd = random.Random(f"odd {seed}")
        """Draws what holds runs and who approves them, so that worlds without are what they were."""
        self.shifting = random.Random(f"destination {seed}")
        """What befalls lists and the account's room, apart from what all else is drawn from."""
        self.few = random.Random(f"few {seed}")
        """Draws who tries what with whom, likewise."""
        self.timely = random.Random(f"schedule {seed}")
        """Draws schedules, and what people do about them, likewise."""
        scenario.few = not peaceful and self.few.random() < FEW
        if not peaceful and self.shifting.random() < SHIFTING:
            scenario.shifting = True
            scenario.switches |= {
                "unknown_list": self.shifting.choice(("ignore", "failure", "refuse")),
                "unknown_field": self.shifting.choice(("ignore", "failure", "refuse")),
                "over_contact_limit": "failure",
            }
        if not peaceful and self.odd.random() < ODD:
            scenario.odd, scenario.settings["SIZE_CHANGE_FACTOR"] = True, str(SIZE_FACTOR)
        if peaceful:
            scenario.defect, scenario.sabotage, scenario.rollout, scenario.skew_s = "", "", False, 0.0
        scenario.settings.update(settings or {})
        self._about_people = random.Random(f"{seed} look-ups")
        scenario.switches |= look_ups(self._about_people)
        self._exclusions_throttled = self._about_people.choice((0.0, 0.0, 0.5))
        self.clockwork = Clockwork(START + draw.random() * 60)
        self.began = self.clockwork.now
        self.calm_at = self.began + (0 if peaceful else draw.choice((60, 300, 1_200)))
        self._peaceful = peaceful
        self.weather = Weather(draw, self.calm_at)
        self.settings = _settings(tuple(sorted(scenario.settings.items())))
        self.ids = SimulatedIds()
        self.secrets = {"connection-main": KEY}
        self.blobs = WatchedBlobs(self.clockwork)
        self.segments = FakeSegmentFiles(_TrueClock(self.clockwork))  # type: ignore[arg-type]  # as above
        self.account = Account(KEY, clock=lambda: self.clockwork.now, switches=Switches(**scenario.switches), seed=seed)
        self.host = Host(self.clockwork, self.weather, lambda who: make_services(self, who))
        self.host.note = self.note
        for instance in self.host.instances:
            instance.skew_s = draw.uniform(-1, 1) * scenario.skew_s
        self.host.functions = {
            "plan-run": triggers.plan_run,
            "upload-lane": triggers.upload_lane,
            "plan-run-poison": lambda body: triggers.poisoned("plan-run", body),
            "upload-lane-poison": lambda body: triggers.poisoned("upload-lane", body),
        }
        self.oracle = Oracle(self)
        self.blobs.seen = self.oracle.written
        self.all_emails: set[str] = set()
        self.unsubscribed: set[tuple[str, int]] = set()
        self.longest_outage_s = 0.0
        self.late_imports_ended = False
        self.redefined = False
        """Whether an export was changed."""
        self.restored = False
        """Whether the app's storage was restored to an earlier state."""
        self._down_until: dict[str, float] = {}
        self.gone: dict[Place, list[list[float]]] = {}
        """From when until when a list or the custom field was not there."""
        self._versions: dict[frozenset[str], Expected] = {}
        """By the ETags of the files."""
        self._written = self.writes = 0
        self.texts: dict[int, dict[str, bytes]] = {}
        """The files of each version, by their paths."""
        self._kinds = [self._kind() for _ in range(scenario.people)]
        self.people = People(self)
        self._prepare()

    # --- what there is ---

    def _kind(self) -> str:
        for kind, share in self.scenario.kinds.items():
            if self.random.random() < share:
                return kind
        return "canary"

    def _prepare(self) -> None:
        make_connection(self)  # type: ignore[arg-type]  # only `blobs` is used
        if self.scenario.shifting:
            self.account.put_field(FIELD)
        for name in self.exports:
            self.define(name)
        self.account.exclude("excluded", "start")
        for number, kind in enumerate(self._kinds):
            email = self.email(number)
            if kind == "left":
                self.leave(email, 1)
            if kind == "bounced":
                self.account.bounce(email)
        self.write_segment()

    @property
    def exports(self) -> tuple[str, ...]:
        """The ids of the exports, all of which have an active schedule."""
        return EXPORTS[: self.scenario.exports]

    def define(self, export_id: str, consent: ConsentColumn | None = None) -> None:
        """Store an export, or change it; `consent`: whom it is of, if not of all."""
        path = export_path(export_id)
        if stored := self.stored(path):
            changed = load(Export, stored).model_copy(update={"consent_column": consent}).to_json()
            newer = self.blobs.stored[path].data != stored
            self.blobs.put(path, next_release(changed) if newer else changed)
            return
        members: dict[str, Any] = {"email": "EMail", "first_name": "FirstName", "last_name": "LastName"}
        fields = (FieldMatch(column="FirstName", field=str(FIELD.id)),) if self.scenario.shifting else ()
        make_export(
            self,  # type: ignore[arg-type]  # only `blobs` is used
            id=export_id,
            list_id=self.exports.index(export_id) + 1,
            scheduled=True,
            consent_column=consent,
            data_matching=DataMatching(**members, phone="Telephone", fields=fields),
        )

    def be_timely(self, horizon: float, quiet_s: int) -> None:
        """Let a timer look for what is due by a schedule; people act within the horizon, in seconds."""
        if quiet_s:
            self.scenario.parts = self.timely.choice((1, 2, 3))
        self.calm_at = self.weather.calm_at = self.began + horizon
        self.scenario.settings |= {"SEGMENT_QUIET_S": str(quiet_s), "EXPORT_SCHEDULE": f"0 */{APP_MINUTES} * * * *"}
        self.settings = _settings(tuple(sorted(self.scenario.settings.items())))
        if self.scenario.parts > 1:
            self.write_segment()
        else:
            self.segment_changed()

    def schedule(self, export_id: str, schedule: dict[str, Any]) -> None:
        """Give an export its schedule; what lies there complete counts as seen, unless it is of a former release."""
        export = orjson.loads(self.stored(export_path(export_id)) or b"")
        if schedule != {"kind": "cron"}:
            del export["scheduled"]
            lies_there = self.oracle.calendar.states[-1]
            there = lies_there.digest if lies_there.complete_at <= self.clockwork.now else None
            export |= {"schedule": schedule, "seen": {"at": to_text(self.clockwork.now), "refresh": there}}
        self.blobs.put(export_path(export_id), load(Export, orjson.dumps(export)).to_json())

    def stored(self, path: str) -> bytes | None:
        """Return the bytes of a blob as this release would have written them."""
        found = self.blobs.stored.get(path)
        return this_release(found.data) if found else None

    def email(self, person: int) -> str:
        """Return the address of a person; it tells of which kind."""
        kind = self._kinds[person]
        return f"{kind}{person}.canary@example.com" if kind != "invalid" else f"canary{person}"

    @staticmethod
    def first_name(version: int) -> str:
        """Return the first name that everybody has in a version of the segment."""
        return f"Canary{version}"

    def leave(self, email: str, list_id: int) -> None:
        """A person leaves the list."""
        self.account.unsubscribe(email, list_id)
        self.all_emails.add(email)
        self.unsubscribed.add((email, list_id))

    def was_there(self, place: Place, since: float, until: float) -> bool:
        """Whether a list or the custom field was there at any moment of a time."""
        return not any(begin <= since and until <= end for begin, end in self.gone.get(place, []))

    def was_gone(self, place: Place, since: float = 0.0, until: float = math.inf) -> bool:
        """Whether a list or the custom field was missing at any moment of a time."""
        return any(begin <= until and since <= end for begin, end in self.gone.get(place, []))

    @property
    def lists_shifted(self) -> bool:
        """Whether any list was ever missing."""
        return any(kind == "list" for kind, _ in self.gone)

    @property
    def field_refuses(self) -> bool:
        """Whether ActiveCampaign may have refused or failed contacts because the custom field was missing."""
        return self.was_gone(THE_FIELD) and self.scenario.switches["unknown_field"] != "ignore"

    def write_segment(self, share: float = 0.9, bad: int = 0) -> None:
        """Refresh the segment: nearly everybody is in it again, with another first name.

        `share`: of the people; with 0, nobody is in it. `bad`: how many rows there are beside that cannot be sent.
        """
        version = self._written = self._written + 1
        people = [n for n in range(len(self._kinds)) if self.random.random() < share] or ([0] if share else [])
        people += [n for n in people if self.random.random() < 0.05]
        first = self.first_name(version)
        rows = [(f"id{n}", first, "Canary", self.email(n), f"+49 30 {n} canary") for n in people]
        rows += [(f"bad{n}", first, "Canary", f"canary bad {n}", "") for n in range(bad)]
        contacts = list(dict.fromkeys(self.email(n) for n in people if self._kinds[n] != "invalid"))
        self.all_emails.update(contacts)
        parts = self.scenario.parts
        texts = {f"{SEGMENT}/{SEGMENT}_{n + 1}.csv": _csv(rows[n::parts]) for n in range(parts)}
        self.write_files(texts, Expected(version, [row[3] for row in rows], contacts))

    def write_files(self, texts: Mapping[str, bytes], expected: Expected) -> None:
        """Write the files of the segment, one after the other; who writes anew begins anew."""
        self.writes += 1
        writer, left, etags = self.writes, list(texts.items()), set[str]()

        def write() -> None:
            if writer != self.writes:
                return
            path, data = left.pop(0)
            self.segments.write(path, data)
            etags.add(self.segments.files[path][0].etag)
            if left:
                self.clockwork.later(self.timely.uniform(1, 0.9 * self.settings.segment_quiet_s), write)
            else:
                self._versions[frozenset(etags)] = expected
                self.texts[expected.version] = dict(texts)
            self.segment_changed()

        write()

    def restore_segment(self) -> None:
        """Somebody puts back the files of an earlier refresh: the bytes are the same, the ETags are not."""
        whole = [each for each in self._versions.values() if len(self.texts[each.version]) == self.scenario.parts]
        if whole:
            expected = self.timely.choice(whole)
            self.write_files(self.texts[expected.version], expected)

    def segment_changed(self) -> None:
        """Note that files of the segment were written, deleted or brought back."""
        if self.scenario.timely:
            self.oracle.calendar.segment_changed()

    @property
    def version(self) -> int:
        """How often the segment was written."""
        return self._written

    def expected(self, sources: Iterable[SourceEntry]) -> Expected:
        """Return what the version of the segment holds."""
        return self._versions[frozenset(source.etag for source in sources)]

    def holds(self, addresses: set[str]) -> set[bool]:
        """Tell whether a version of the segment has somebody of these, in lower case, for all versions."""
        return {not addresses.isdisjoint(map(str.lower, version.rows)) for version in self._versions.values()}

    def version_of(self, sources: Iterable[SourceEntry]) -> int:
        """Return the number of a version of the segment."""
        return self.expected(sources).version

    # --- what is asked of it ---

    def down(self, port: str) -> bool:
        """Tell whether an outage is on."""
        what = "storage" if port in ("blobs", "segments", "messages") else port
        return self._down_until.get(what, 0.0) > self.clockwork.now

    def fail(self, what: str, seconds: float) -> None:
        """Let an outage begin."""
        self.weather.seen[f"outage of {what}"] += 1
        self.note(what, f"outage of {seconds:.0f} s")
        self._down_until[what] = self.clockwork.now + seconds
        self.troubled(seconds)
        if what == "storage":
            self.host.storage_down_until = self._down_until[what]

    def troubled(self, seconds: float) -> None:
        """Note that there is trouble for so long from now on: a run may wait for its end."""
        self.calm_at = max(self.calm_at, self.clockwork.now + seconds)
        self.longest_outage_s = max(self.longest_outage_s, seconds)

    def activecampaign(self, who: Invocation, api_key: str, request: Request) -> Reply:
        """Let a request arrive at ActiveCampaign."""
        body = request.body or b""
        contacts: list[dict[str, Any]] = orjson.loads(body)["contacts"] if request.method == "POST" else []
        refused = [n for n, contact in enumerate(contacts) if contact["email"].startswith("refused")]
        if refused:
            self.oracle.posted(who, contacts, None)
            return self._refuse(refused)
        if request.path.endswith("/exclusions") and self._about_people.random() < self._exclusions_throttled:
            self.weather.seen["exclusion list throttled"] += 1
            return Answer(429, {"retry-after": "1"}, b"{}")
        headers = {"api-token": api_key, "content-type": "application/json"}
        answer = self.account.handle(request.method, request.path, urlencode(request.query), headers, body)
        if contacts:
            self._imports += 1
            self.at_import.pop(self._imports, lambda: None)()
            import_id = orjson.loads(answer.body).get("batchId") if answer.body.startswith(b"{") else None
            self.oracle.posted(who, contacts, import_id)
        return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)

    def stumble(self, where: str) -> None:
        """Fail in a way that nobody foresaw, if the scenario says so; the error's text holds personal data."""
        defect = self.scenario.defect
        if defect == where or (
            defect == f"{where} at times" and self.clockwork.now < self.calm_at and self.random.random() < 0.5
        ):
            self.weather.seen[f"defect in {where}"] += 1
            raise ZeroDivisionError("canary")

    def _refuse(self, positions: list[int]) -> Reply:
        """Refuse contacts as the real server does: nothing is queued. It may name all of them, or the first."""
        named = positions if self.seed % 2 else positions[:1]
        base = self.account.switches.index_base
        reasons = [{"contact": n + base, "failureReason": "Field 'email' incorrect format"} for n in named]
        return Answer(400, {}, orjson.dumps({"success": 0, "message": "invalid", "failureReasons": reasons}))

    # --- the schedule ---

    def play(self) -> None:
        """Play the schedule to its end. Raises `Broken` when an invariant does not hold."""
        with _patched(self):
            self.people.begin(peaceful=self._peaceful)
            self.host.every(60, "sweep", triggers.sweep)
            bound = self.calm_at + 3 * self.settings.confirm_within_s + 5_400 + sum(REPEAT_AFTER_S)
            if self.scenario.timely:
                bound += sum(PAUSES_S) + MOST_ATTEMPTS * (self.settings.retry_for_s + 2 * self.people.looks_every_s)
            self.clockwork.run(bound, self._quiet)
            if self.scenario.timely:
                self.people.looks = False
                self.oracle.calendar.check()
                self.clockwork.run(max(bound, self.clockwork.now + 5_400), self._quiet)
            if self._quiet():
                self._end_late_imports()
                self.clockwork.run(self.clockwork.now + WITHIN_S + 600, self._looked_up)
                shown_s = finish.FEW_ARE_SHOWN_S + 2 * self.scenario.skew_s + 60 if self.scenario.few else 0.0
                self.clockwork.run(self.clockwork.now + 130 + shown_s, lambda: False)
                self.clockwork.run(self.clockwork.now + WITHIN_S, self._looked_up)
                self.clockwork.run(self.clockwork.now + 600, self._at_rest)
            self.oracle.check()

    def _end_late_imports(self) -> None:
        """ActiveCampaign may end stuck imports after all, when their run is over; then somebody still asks for them."""
        late = [one for run in self.oracle.runs.values() for lane in run.lanes.values() for one in lane.late()]
        self.late_imports_ended = bool(late) and self.random.random() < 0.5
        if self.late_imports_ended:
            self.weather.seen["late import ended"] += 1
            for one in late:
                if self.account._state.imports[one.import_id].outcome == "stuck":
                    self.account.end_import(one.import_id, "completed")
            self.clockwork.run(self.clockwork.now + 2 * PATIENT_ASKS * ASK_LATE_EVERY_S, self._no_working_copies)

    def _no_working_copies(self) -> bool:
        return not any(
            path.startswith(f"working/{run_id}/") for run_id in self.oracle.runs for path in self.blobs.stored
        )

    def _looked_up(self) -> bool:
        """Tell whether working copies are left only for imports that are late, and not to look people up."""
        kept = self.oracle.runs.keys() & {p.split("/")[1] for p in self.blobs.stored if p.startswith("working/")}
        findings = [self.stored(findings_path(run_id)) for run_id in kept]
        late = [any(any(lane.late()) for lane in self.oracle.runs[run_id].lanes.values()) for run_id in kept]
        return all(late) and all(data is not None and orjson.loads(data)["done"] for data in findings)

    def _at_rest(self) -> bool:
        return not self.host.running and self._looked_up()  # a sweep may still hear of imports that were late

    def _quiet(self) -> bool:
        if self.people.looks and not self.oracle.calendar.settled:
            return False
        if self.people.to_do or self.host.messages or self.host.running or self.clockwork.now < self.calm_at:
            return False
        slots = [self.stored(path) or b"" for path in self.blobs.stored if path.startswith("records/slots/")]
        # A restored storage may hold a slot whose run has no record of its own yet: the sweep writes it.
        known = all(orjson.loads(slot)["run"]["runId"] in self.oracle.runs for slot in slots)
        return known and all(run.ended_at is not None for run in self.oracle.runs.values())

    def note(self, who: str, what: str) -> None:
        """Write a line of history, if one is kept."""
        if self.history is not None:
            self.history.append(f"{self.clockwork.now - self.began:9.2f}  {who:60} {what}")


def _csv(rows: Iterable[Sequence[str]]) -> bytes:
    text = io.StringIO(newline="")
    lines = csv.writer(text)
    lines.writerow(COLUMNS)
    lines.writerows(rows)
    return text.getvalue().encode()


class _Log(logging.Handler):
    def __init__(self, world: World) -> None:
        super().__init__()
        self._world = world

    def emit(self, record: logging.LogRecord) -> None:
        line = record.getMessage()
        self._world.log.append(line)
        self._world.note("    log", line)


@contextmanager
def _patched(world: World) -> Iterator[None]:
    """Let the triggers use the services of the invocation that is going on, and batches be small."""
    logger, handler = logging.getLogger("exporter"), _Log(world)
    logger.addHandler(handler)
    level, propagate = logger.level, logger.propagate
    logger.setLevel(logging.INFO)
    logger.propagate = False

    def services() -> Services:
        return world.host.current().services

    def defective[**P, T](where: str, step: Callable[P, T]) -> Callable[P, T]:
        def maybe(*arguments: P.args, **options: P.kwargs) -> T:
            world.stumble(where)
            return step(*arguments, **options)

        return maybe

    limits = batches.RequestSize(max_contacts=world.scenario.batch)
    try:
        with (
            patch.object(bootstrap, "services", services),
            patch.object(plan, "RequestSize", lambda: limits),
            patch.object(dispatch, "BATCHES_A_LANE", 2),
            patch.object(refusals, "FEWEST", 3 if world.scenario.shifting else refusals.FEWEST),
            patch.object(brakes, "LEAST_ROWS", LEAST_ROWS if world.scenario.odd else brakes.LEAST_ROWS),
            patch.object(brakes, "LEAST_REJECTED", LEAST_REJECTED if world.scenario.odd else brakes.LEAST_REJECTED),
            patch.object(plan, "plan_batches", defective("planning", batching.plan_batches)),
            patch.object(due, "PAUSES_S", PAUSES_S),
            patch.object(payload, "_read", defective("uploading", payload._read)),
        ):
            yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
