"""What happens from outside: people start, cancel and resume runs, the key is replaced, storage is restored."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import TYPE_CHECKING, Any

import orjson

from exporter import triggers
from exporter.model import to_text
from sandbox.activecampaign.imports import Outcome
from tests.simulation.host import Schedule

if TYPE_CHECKING:
    from tests.simulation.world import World

NEW_KEY = "key-canary-2"
OUTCOMES: tuple[Outcome, ...] = ("completed", "failed", "interrupted", "stuck")
CROWD = 50
"""How many ask for the same at once, when many do."""


class People:
    """Everybody and everything outside of the app."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._draw = world.random
        self.to_do = 0
        """What is still to happen."""
        self.answers: dict[tuple[str, str], set[str]] = defaultdict(set)
        """The runs that answered the requests with an idempotency key, by export and key."""
        self.schedule: Schedule | None = None

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
            self._schedule(draw.choice((60, 300, 900)), world.calm_at)
        if world.scenario.rollout:
            self._roll_out(horizon)
        if draw.random() < 0.15:
            for _ in range(20):
                world.account.end_next_imports(draw.choices(OUTCOMES, (16, 2, 2, 1))[0])

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
        self.to_do += 1
        seconds, call = draw.random() * latest, draw.randint(1, draw.choice((40, 250)))
        done = False

        def do() -> None:
            nonlocal done
            if not done:
                done = True
                action()
                self.to_do -= 1

        self._world.clockwork.later(seconds, do)
        if draw.random() < 0.5:
            self._world.at_call[call] = do

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
            return status < 500

        self._request(f"/exports/{export_id}/runs", key, answered)

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
        if run_id is None:
            return

        def answered(status: int, answer: Any) -> bool:
            self._world.weather.seen["resume" if status == 202 else "resume refused"] += 1
            return status < 500 and answer.get("code") != "run_is_going"

        for _ in range(self._draw.choice((1, 1, 2))):
            self._request(f"/runs/{run_id}/resume", None, answered)

    def _newest(self) -> str | None:
        slot = self._world.stored("records/slots/newsletter.json")
        return str(orjson.loads(slot)["run"]["runId"]) if slot else None

    def _key(self) -> str:
        return f"{self._draw.getrandbits(64):x}"

    def _request(self, path: str, key: str | None, answered: Callable[[int, Any], bool], tries: int = 8) -> None:
        """Send a request to the app, and again until `answered` returns true."""
        headers = {"idempotency-key": key} if key else {}
        settled = False

        def step() -> None:
            nonlocal settled
            status, _, body = triggers.answer("POST", path[1:].split("/"), f"https://app/api{path}", headers, b"")
            self._world.log.append(body.decode())
            settled = answered(status, orjson.loads(body))

        def look() -> None:
            if not settled and tries:
                self._request(path, key, answered, tries - 1)

        self._world.host.invoke(f"POST {path}", step)
        self._later(self._draw.uniform(5, 240), look)

    # --- the schedule, deployments ---

    def _schedule(self, period_s: int, until: float) -> None:
        """Let the schedule's timer fire."""

        def fire(occurrence: float, past_due: bool) -> None:  # noqa: FBT001 - a callback
            triggers.scheduled_start({"Next": to_text(occurrence)}, past_due=past_due)

        self.schedule = Schedule(self._world.host, "scheduled_start", period_s, until, fire)

    def _roll_out(self, horizon: float) -> None:
        """Deploy the next release on one instance after the other; perhaps one goes back for a while."""
        self._world.troubled(horizon)
        for instance in self._world.host.instances:
            releases = (2, 1, 2) if self._draw.random() < 0.2 else (2,)
            for release, at in zip(releases, sorted(self._draw.random() for _ in releases), strict=True):
                self._later(at * horizon, partial(self._world.host.deploy, instance, release))

    # --- what goes wrong outside ---

    def lose_segment(self) -> None:
        """The files of the segment are gone, for a while."""
        world = self._world
        world.weather.seen["segment lost"] += 1
        files = dict(world.segments.files)
        world.segments.files.clear()
        self._later(100, lambda: world.segments.files.update(files))

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
