"""What happens from outside: people start, stop and approve runs, the key is replaced, storage is restored."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Literal

import orjson

from exporter import triggers
from exporter.definitions.exports import ConsentColumn
from sandbox.activecampaign import CustomField
from sandbox.activecampaign.imports import Outcome
from tests.simulation.calendars import APP_MINUTES

if TYPE_CHECKING:
    from tests.simulation.world import World

type Place = tuple[Literal["list", "field"], int]
"""A list or a custom field, by its id."""
FIELD = CustomField(1, "Nickname")
"""The custom field that exports fill with the first name, in worlds in which it may be deleted."""
THE_FIELD: Place = ("field", FIELD.id)
NEW_KEY = "key-canary-2"
OUTCOMES: tuple[Outcome, ...] = ("completed", "failed", "interrupted", "stuck")
CROWD = 50
"""How many ask for the same at once, when many do."""


def _answered(status: int, answer: Any) -> bool:
    return status < 500


class People:
    """Everybody and everything outside of the app."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._draw = world.random
        self.to_do = 0
        """What is still to happen."""
        self.answers: dict[tuple[str, str], set[str]] = defaultdict(set)
        """The runs that answered the requests with an idempotency key, by export and key."""
        self.redefined: set[str] = set()
        """Exports that are not defined as in the beginning."""
        self.looks = False
        """Whether the timer of the schedules still fires."""
        self.looks_every_s = 0

    def begin(self, *, peaceful: bool) -> None:
        """Draw what happens, and when. In a peaceful world one run is started, and that is all."""
        world, draw = self._world, self._draw
        self.start(world.exports[0])
        if peaceful:
            return
        horizon = world.calm_at - world.began
        happenings: tuple[tuple[Callable[[], object], tuple[int, ...], float], ...] = (
            (lambda: self.start(draw.choice(world.exports)), (0, 0, 1, 2), horizon * 2),
            (self.crowd, (0,) * 39 + (1,), horizon),
            (self.start_all, (0,) * 5 + (1,), horizon * 2),
            (world.write_segment, (0, 0, 0, 1, 2), horizon),
            (self.lose_segment, (0,) * 19 + (1,), horizon),
            (self.cancel, (0, 0, 0, 1, 1, 2), draw.choice((30, horizon))),
            (self.resume, (0, 0, 1), horizon * 2),
            (self.rotate_key, (0, 0, 0, 0, 0, 1), horizon),
            (self.sabotage, (1 if world.scenario.sabotage else 0,), draw.choice((30, 90, horizon))),
            (self.forge, (0, 0, 0, 0, 3), horizon),
            (self.cut_power, (0,) * 9 + (1,), horizon),
            (self.restore, (0,) * 24 + (1,), horizon),
            # A host that restarts fires what is due.
            (lambda: world.host.invoke("sweep", triggers.sweep), (0, 0, 3, 10), horizon),
            *(
                (partial(world.fail, what, draw.choice((20, 200, 1_000, 5_000))), (0,) * 7 + (1,), horizon)
                for what in ("activecampaign", "storage", "secrets")
            ),
        )
        for action, counts, latest in happenings:
            for _ in range(draw.choice(counts)):
                self._at_some_time(action, latest)
        if draw.random() < 0.3:
            self._be_timely(draw.choice((60, 300, 900)))
        if world.scenario.rollout:
            self._roll_out(horizon)
        if world.scenario.shifting:
            self._shift(horizon)
        for _ in range(world.few.choice((1, 2, 3)) if world.scenario.few else 0):
            self._at_some_time(self.try_few, horizon * 3)
        if world.scenario.odd:
            for action, counts, latest in (
                (self.surprise, (1, 1, 2, 3), horizon),
                (self.approve, (1, 2, 3, 4), horizon * 2),
                (lambda: self.redefine(world.odd.choice(world.exports)), (0, 0, 1), horizon * 2),
            ):
                for _ in range(world.odd.choice(counts)):
                    self._at_some_time(action, latest)
            self._later(horizon * 2 + 600, self.approve)
        if draw.random() < 0.15:
            for _ in range(20):
                world.account.end_next_imports(draw.choices(OUTCOMES, (16, 2, 2, 1))[0])

    def _shift(self, horizon: float) -> None:
        """Let what runs need go, most often in the middle of one."""
        draw = self._world.shifting
        for action in draw.choices((self.lose_list, self.lose_field, self.fill_account), (3, 3, 1), k=2):
            when = self._at_an_import if draw.random() < 0.6 else self._at_some_time
            when(action, horizon)

    # --- when ---

    def _later(self, seconds: float, action: Callable[[], object]) -> None:
        def do() -> None:
            self.to_do -= 1
            action()

        self.to_do += 1
        self._world.clockwork.later(seconds, do)

    def _at_some_time(self, action: Callable[[], object], latest: float) -> None:
        """Do it at some time, or at some call: where much happens in little time, calls are the better measure."""
        draw = self._draw
        seconds, call = draw.random() * latest, draw.randint(1, draw.choice((40, 250)))
        do = self._once(action, seconds)
        if draw.random() < 0.5:
            self._world.at_call[call] = do

    def _at_an_import(self, action: Callable[[], object], latest: float) -> None:
        """Do it right after some request with contacts: in mid-run, then. If there are too few of them, do it late."""
        self._world.at_import[self._world.shifting.randint(1, 6)] = self._once(action, latest)

    def _once(self, action: Callable[[], object], seconds: float) -> Callable[[], None]:
        """Do it in so many seconds; return what does it earlier instead."""
        self.to_do += 1
        done = False

        def do() -> None:
            nonlocal done
            if not done:
                done = True
                action()
                self.to_do -= 1

        self._world.clockwork.later(seconds, do)
        return do

    # --- requests ---

    def start(self, export_id: str) -> None:
        """Somebody starts a run, and tries again when no answer comes."""
        key = self._key() if self._draw.random() < 0.5 else None
        for _ in range(2 if key and self._draw.random() < 0.3 else 1):
            self._start(export_id, key)

    def crowd(self) -> None:
        """Many start the same export at once: with one key, with a key each, or without."""
        export_id, keys = self._draw.choice(self._world.exports), self._draw.choice(("one", "each", "none"))
        self._world.weather.seen[f"crowd, keys: {keys}"] += 1
        one = self._key()
        for _ in range(CROWD):
            self._start(export_id, {"one": one, "each": self._key(), "none": None}[keys])

    def _start(self, export_id: str, key: str | None) -> None:
        def answered(status: int, answer: Any) -> bool:
            if status == 202 and key:
                self.answers[export_id, key].add(answer["runId"])
            elif status == 202 and answer["outcome"] == "joined":
                self._world.oracle.joined(answer["runId"])
            return status < 500

        self._request(f"/exports/{export_id}/runs", key, answered)

    def try_few(self) -> None:
        """Somebody tries an export with a few people, not all of whom have to be in the segment."""
        world, draw = self._world, self._world.few
        export_id, everybody = draw.choice(world.exports), range(world.scenario.people)
        emails = [world.email(n) for n in draw.sample(everybody, min(len(everybody), draw.randint(1, 4)))]
        emails[0] = emails[0].upper() if draw.random() < 0.3 else emails[0]
        emails += ["stranger.canary@example.com"] if draw.random() < 0.3 else []
        key = f"{draw.getrandbits(64):x}" if draw.random() < 0.5 else None

        def answered(status: int, answer: Any) -> bool:
            world.weather.seen[f"few: {answer.get('code') or answer.get('status')}"] += 1
            if status in (200, 202):
                if key:
                    self.answers[export_id, key].add(answer["runId"])
                world.oracle.tried(answer, emails)
            return status < 500

        self._request(f"/exports/{export_id}/runs", key, answered, body=orjson.dumps({"only": emails}))
        for go_on in (self.approve, self.resume):  # with what was there before
            self._later(draw.uniform(60, 900), go_on)

    def start_all(self) -> None:
        """Somebody runs all exports, and tries again until each has answered."""
        key = self._key()
        self._world.weather.seen["run all"] += 1

        def answered(status: int, answer: Any) -> bool:
            items = answer["value"] if status == 202 else []
            for item in items:
                if run_id := item.get("runId"):
                    self.answers[item["exportId"], key].add(run_id)
            return status == 202 and not any(item.get("problem") for item in items)

        self._request("/runs", key, answered)

    def cancel(self) -> None:
        """Somebody cancels the newest run, and perhaps thinks better of it."""
        run_id = self._newest()
        if run_id is None:
            return
        self._world.weather.seen["cancel"] += 1

        def answered(status: int, _: Any) -> bool:
            run = self._world.oracle.runs.get(run_id)
            if status == 202 and run and run.cancel_acknowledged_at is None:
                run.cancel_acknowledged_at = self._world.clockwork.now
            return status < 500

        self._request(f"/runs/{run_id}/cancel", None, answered)
        if self._draw.random() < 0.5:
            self._later(self._draw.random() * self._draw.choice((5, 200, 2_000)), self.resume)

    def resume(self) -> None:
        """Somebody, or two at once, want the newest run to go on as soon as it is over."""
        run_id = self._newest()
        if self._world.scenario.few and self._world.few.random() < 0.7:
            run_id = self._newest_for_everybody() or run_id
        if run_id is None:
            return

        def answered(status: int, answer: Any) -> bool:
            self._world.oracle.refused(answer)
            self._world.weather.seen["resume" if status == 202 else "resume refused"] += 1
            return status < 500 and answer.get("code") != "run_is_going"

        for _ in range(self._draw.choice((1, 1, 2))):
            self._request(f"/runs/{run_id}/resume", None, answered)

    def approve(self) -> None:
        """Somebody approves a run that is held, in time or late, once or twice, perhaps not as it is.

        The export may have been changed by then.
        """
        draw, oracle = self._world.odd, self._world.oracle
        held = [run for run in oracle.runs.values() if run.held]
        if not held:
            return
        run = held[-1] if draw.random() < 0.8 else draw.choice(held)
        if draw.random() < 0.2:
            self.redefine(run.export_id)
        approval, exact = orjson.loads(orjson.dumps(run.held)), draw.random() < 0.9
        if not exact:
            approval["causes"][0]["numbers"]["rowsRead"] += draw.choice((-1, 1))
        key = f"{draw.getrandbits(64):x}" if draw.random() < 0.5 else None

        def answered(status: int, answer: Any) -> bool:
            oracle.refused(answer)
            self._world.weather.seen[f"approval: {answer.get('outcome') or answer.get('code')}"] += 1
            if status == 202:
                oracle.require(exact, "I13", "approved, though it is not what holds the run")
                if key:
                    self.answers[run.export_id, key].add(answer["runId"])
            return status < 500

        for _ in range(draw.choice((1, 1, 2))):
            self._request(f"/runs/{run.run_id}/approve", key, answered, body=orjson.dumps(approval))

    def _newest(self) -> str | None:
        slot = self._world.stored("records/slots/newsletter.json")
        return str(orjson.loads(slot)["run"]["runId"]) if slot else None

    def _newest_for_everybody(self) -> str | None:
        runs = [run for run in self._world.oracle.runs.values() if run.record and "only" not in run.record]
        return max(runs, key=lambda run: run.number).run_id if runs else None

    def _key(self) -> str:
        return f"{self._draw.getrandbits(64):x}"

    def _request(
        self, path: str, key: str | None, answered: Callable[[int, Any], bool], tries: int = 8, body: bytes = b""
    ) -> None:
        """Send a request to the app, and again until `answered` returns true."""
        headers = {"idempotency-key": key} if key else {}
        self._ask("POST", path, lambda status, answer, _: answered(status, answer), tries, body, headers)

    def _ask(
        self,
        method: str,
        path: str,
        answered: Callable[[int, Any, str], bool],
        tries: int = 8,
        body: bytes = b"",
        headers: Mapping[str, str] = MappingProxyType({}),
    ) -> None:
        """Send a request as `_request` does; `answered` gets the ETag too."""
        sent = {**headers, "content-type": "application/json"} if body else dict(headers)
        settled = False

        def step() -> None:
            nonlocal settled
            parts = path.partition("?")[0][1:].split("/")
            status, back, told = triggers.answer(method, parts, f"https://app/api{path}", sent, body)
            answer = orjson.loads(told)
            shown = {name: value for name, value in answer.items() if name != "people"}  # which is for the caller alone
            self._world.log.append(orjson.dumps(shown).decode())
            settled = answered(status, answer, back.get("ETag", ""))

        def look() -> None:
            if not settled and tries:
                self._ask(method, path, answered, tries - 1, body, headers)

        self._world.host.invoke(f"{method} {path}", step)
        self._later(self._draw.uniform(5, 240), look)

    # --- the schedule, deployments ---

    def _be_timely(self, every_s: int) -> None:
        """Give exports schedules, let their timer fire, and let people change them."""
        world, draw = self._world, self._world.timely
        scenario, horizon = world.scenario, draw.choice((900, 1_800, 3_600))
        scenario.timely, self.looks_every_s = True, every_s
        world.be_timely(horizon, quiet_s=draw.choice((0, 60, 120, 300)))
        for export_id in world.exports:
            world.schedule(export_id, self._a_schedule(draw.random() < 0.1))
        self.looks = True
        world.host.every(every_s, "scheduled_start", self._look, lambda: self.looks)
        some = (0, 0, 1, 1, 2)
        happenings: tuple[tuple[Callable[[], object], tuple[int, ...]], ...] = (
            (world.write_segment, (0, 1, 1, 2, 3, 4)),
            (world.restore_segment, (0, 0, 0, 1)),
            (self._in(self.pause, "exports"), some),
            (self._in(self.pause, "connections"), (0, 0, 0, 1)),
            (self._in(self.detach), (0, 0, 1)),
            (self._in(self.stand_still), (0, 0, 0, 1)),
            (self._in(self.save), some),
            (self._in(self.reschedule), some),
            (self._in(self.read_otherwise), (0, 0, 1)),
            (self.cancel, (0, 0, 0, 1)),
        )
        for action, counts in happenings:
            for _ in range(draw.choice(counts)):
                self._later(draw.random() * horizon, action)

    def _look(self) -> None:
        began = self._world.clockwork.now
        triggers.scheduled_start()
        self._world.oracle.calendar.looked(began)

    def _in(self, action: Callable[..., object], *what: str) -> Callable[[], object]:
        """Do something about one of the exports, whichever."""
        return lambda: action(self._world.timely.choice(self._world.exports), *what)

    def _a_schedule(self, of_a_former_release: bool = False) -> dict[str, Any]:  # noqa: FBT001, FBT002
        draw = self._world.timely
        kind = draw.choices(("withEveryRefresh", "cron", "none"), (7, 2, 1))[0]
        if of_a_former_release:
            return {"kind": "cron"}
        if kind != "cron":
            return {"kind": kind}
        minutes = draw.choice(("*/10", "*/15", f"*/{APP_MINUTES}", "7,37", "3,33,48"))
        zone = draw.choice(("UTC", "Europe/Amsterdam", "Asia/Jakarta", "Australia/Lord_Howe", "Asia/Kathmandu"))
        return {"kind": "cron", "cron": f"{minutes} * * * *", "timeZone": zone}

    def pause(self, export_id: str, what: str) -> None:
        """Somebody pauses an export or its connection, twice at times, and ends the pause."""
        draw, path = self._world.timely, f"/{what}/{export_id if what == 'exports' else 'main'}"
        self._world.weather.seen[f"pause of {what}"] += 1
        for _ in range(draw.choice((1, 1, 2))):
            self._request(f"{path}/pause", None, _answered)
        if draw.random() < 0.8:
            seconds = draw.choice((10, 200, 1_500))
            if draw.random() < 0.3:
                self._later(seconds / 2 * draw.random(), self._world.write_segment)
            for _ in range(draw.choice((1, 1, 2))):
                self._later(seconds * draw.random(), lambda: self._unpause(path))

    def _unpause(self, path: str) -> None:
        self._request(f"{path}/unpause", None, _answered)

    def detach(self, export_id: str) -> None:
        """Somebody takes the connection from an export, and gives it back."""
        self._world.weather.seen["export detached"] += 1
        self._request(f"/exports/{export_id}/detach", None, _answered)
        if self._world.timely.random() < 0.9:
            seconds = self._world.timely.choice((10, 200, 1_500)) * self._world.timely.random()
            if self._world.timely.random() < 0.5:
                self._later(seconds / 2, self._world.write_segment)
            self._later(seconds, lambda: self._save(export_id, lambda body: body.update(connectionId="main")))

    def stand_still(self, export_id: str) -> None:
        """ActiveCampaign is down until runs fail; perhaps somebody changes the schedule then, or pauses the export."""
        draw, lasts_s = self._world.timely, 1.3 * self._world.settings.retry_for_s
        self._world.fail("activecampaign", lasts_s)
        self._later(1, self._world.write_segment)
        for action in (self.reschedule, lambda each: self.pause(each, "exports")):
            if draw.random() < 0.4:
                self._later(lasts_s + draw.uniform(-200, 300), partial(action, export_id))

    def save(self, export_id: str) -> None:
        """Somebody changes what has nothing to do with the schedule."""
        name = f"Newsletter {self._world.timely.random()}"
        self._save(export_id, lambda body: body.update(displayName=name))

    def reschedule(self, export_id: str) -> None:
        """Somebody gives an export another schedule, or the same."""
        schedule = self._a_schedule()
        self._save(export_id, lambda body: body.update(schedule=schedule))

    def read_otherwise(self, export_id: str) -> None:
        """Somebody changes what an export reads, though it comes to the same."""
        changes: tuple[dict[str, Any], ...] = ({"ignore": ["nothing*"]}, {"ignore": []}, {"segments": ["people/"]})
        change = self._world.timely.choice(changes)
        self._save(export_id, lambda body: body.update(change))

    def _save(self, export_id: str, change: Callable[[dict[str, Any]], object], tries: int = 8) -> None:
        """Change an export as it is now; begin again where somebody was faster."""
        path = f"/exports/{export_id}"

        def shown(status: int, body: Any, etag: str) -> bool:
            if status == 200:
                change(body)
                self._ask("PUT", f"{path}?validate=false", saved, body=orjson.dumps(body), headers={"if-match": etag})
            return status < 500

        def saved(status: int, answer: Any, etag: str) -> bool:
            self._world.weather.seen[f"export saved: {answer.get('code', status)}"] += 1
            if status == 412 and tries:
                self._save(export_id, change, tries - 1)
            return status < 500

        self._ask("GET", path, shown)

    def _roll_out(self, horizon: float) -> None:
        """Deploy the next release on one instance after the other; perhaps one goes back for a while."""
        self._world.troubled(horizon)
        for instance in self._world.host.instances:
            releases = (2, 1, 2) if self._draw.random() < 0.2 else (2,)
            for release, at in zip(releases, sorted(self._draw.random() for _ in releases), strict=True):
                self._later(at * horizon, partial(self._world.host.deploy, instance, release))

    def redefine(self, export_id: str) -> None:
        """Somebody changes who an export is of, or changes it back: to those who are not nobody, which are all."""
        world = self._world
        world.weather.seen["export redefined"] += 1
        self.redefined ^= {export_id}
        world.redefined = True
        not_nobody = ConsentColumn(column="CustomerId", condition="isNot", value="nobody")
        world.define(export_id, not_nobody if export_id in self.redefined else None)

    # --- what goes wrong outside ---

    def surprise(self) -> None:
        """The segment is refreshed, and hardly what it was; sooner or later it is what it was again."""
        world, draw = self._world, self._world.odd
        kind = draw.choice(("few", "none", "bad"))
        world.weather.seen[f"surprising segment: {kind}"] += 1
        people = world.scenario.people
        world.write_segment(*{"few": (0.2, 0), "none": (0.0, 0), "bad": (0.9, 2 * people + 3)}[kind])
        if draw.random() < 0.5:
            self._later(draw.random() * 2_000, world.write_segment)

    def lose_segment(self) -> None:
        """The files of the segment are gone, for a while."""
        world = self._world
        world.weather.seen["segment lost"] += 1
        files, writes = dict(world.segments.files), world.writes
        world.segments.files.clear()
        world.segment_changed()

        def come_back() -> None:
            if not world.scenario.timely:
                world.segments.files.update(files)
            elif writes == world.writes:
                world.segments.files.update(files | world.segments.files)
                world.segment_changed()

        self._later(100, come_back)

    def lose_list(self) -> None:
        """A list is deleted, and perhaps brought back."""
        number = self._world.shifting.randint(1, len(self._world.exports))
        account = self._world.account
        self._lose(("list", number), account._state.audience.lists, account.delete_list)

    def lose_field(self) -> None:
        """The custom field that exports fill is deleted, and perhaps brought back; values of it stay."""
        account = self._world.account
        self._lose(THE_FIELD, account._state.audience.custom_fields, account.delete_field)

    def _lose(self, place: Place, there: dict[int, Any], delete: Callable[[int], None]) -> None:
        world, draw, (kind, number) = self._world, self._world.shifting, place
        gone, name = world.gone.setdefault(place, []), f"{kind} {number}"
        if gone and gone[-1][1] == math.inf:
            return
        world.weather.seen[f"{kind} deleted"] += 1
        world.note("ActiveCampaign", f"{name} deleted")
        gone.append([world.clockwork.now, math.inf])
        lost = there[number]
        delete(number)

        def come_back() -> None:
            world.note("ActiveCampaign", f"{name} is back")
            gone[-1][1] = world.clockwork.now
            there[number] = lost

        if draw.random() < 0.6:
            self._later(draw.choice((5, 60, 400, 2_000)), come_back)

    def fill_account(self) -> None:
        """The account has no room, for a while."""
        world, draw = self._world, self._world.shifting
        world.weather.seen["account filled"] += 1
        world.note("ActiveCampaign", "the account is full")
        world.account.set_contact_limit(len(world.account.contacts()))
        if draw.random() < 0.6:
            self._later(draw.choice((60, 600, 2_000)), partial(world.account.set_contact_limit, 2_000_000))

    def rotate_key(self) -> None:
        """The API key is replaced; Key Vault gets the new one some time later."""
        world = self._world
        world.weather.seen["key rotated"] += 1
        world.note("ActiveCampaign", "new key")
        world.account.set_key(NEW_KEY)
        seconds = self._draw.choice((0, 30, 300, 1_200))
        world.troubled(seconds)
        world.clockwork.later(seconds, lambda: world.secrets.update({"connection-main": NEW_KEY}))

    def sabotage(self) -> None:
        """Somebody deletes or alters working copies."""
        world, how = self._world, self._world.scenario.sabotage
        for path in [path for path in world.blobs.stored if path.startswith("working/")]:
            world.weather.seen[f"working copy {how}"] += 1
            world.note(path, how)
            if how == "deleted":
                world.blobs.delete(path)
            else:
                stored = world.blobs.stored[path]
                stored.data = stored.data.replace(b"canary", b"intruder")

    def forge(self) -> None:
        """Somebody puts a message into a queue: junk, a run that does not exist, a lane that does not."""
        world, draw = self._world, self._draw
        run_id = draw.choice(["newsletter.20260101T000000Z." + "0" * 32, *world.oracle.runs])
        bodies = (b"\xff\x00", b"[]", b'{"runId": "../../x", "lane": 0}', orjson.dumps({"runId": run_id, "lane": 7}))
        world.weather.seen["message forged"] += 1
        queue = draw.choice(("plan-run", "upload-lane"))
        world.host.put(queue, draw.choice((*bodies, orjson.dumps({"runId": run_id}))))

    def cut_power(self) -> None:
        """Every process dies at once."""
        self._world.weather.seen["power cut"] += 1
        for instance in self._world.host.instances:
            self._world.host.crash(instance)

    def restore(self) -> None:
        """The app's storage is restored to an earlier state; the app is stopped for that, and starts afterwards."""
        world = self._world
        earlier = {path: replace(stored) for path, stored in world.blobs.stored.items()}

        def go_back() -> None:
            world.weather.seen["storage restored"] += 1
            world.note("storage", "restored")
            world.restored = True
            self.cut_power()
            world.blobs.stored.clear()
            world.blobs.stored.update(earlier)
            world.oracle.go_back()
            world.fail("storage", self._draw.uniform(70, 600))

        self._later(self._draw.uniform(10, 900), go_back)
