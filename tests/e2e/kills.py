# ruff: noqa: T201 - a command that prints
"""Real kills: the app in the local Functions host, killed (SIGKILL) again and again, must end as if nothing had been.

`python -m tests.e2e.kills [--kills 1000] [--seed 0]`. Two instances of the app work on several exports at once, on a
real storage emulator. The moment of each kill is drawn from a seed: at a call to ActiveCampaign (before it, between its
effect and its answer, or after it), at a write or read of storage, or at any time. Most kills take both instances, like
a power cut; the others leave one that has to take over. The seed fixes the draws, not the threads and the processes:
two rounds of one seed are alike, not the same.
"""

from __future__ import annotations

import argparse
import json
import random
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Self

from exporter.delivery import ledger
from sandbox.activecampaign import Account, Answer, ConnectionDropped, ContactList, serve
from sandbox.demo import CONNECTION, EXPORT
from sandbox.segment import Segment
from sandbox.world import API_KEY, World
from tests.e2e.app import QUICK, App, inspected_world, read, requests_in_doubt

SEGMENT = Segment(datetime(2026, 11, 20, 4, 15, tzinfo=UTC), 2_000, 2)
BATCHES = 8  # of 250 contacts at most, in two lanes
EXPORTS = 24
HOSTS = ("one.api-us1.com", "two.api-us1.com", "three.api-us1.com", "four.activehosted.com")
"""Each has a rate budget of its own, so that there is more to kill in the same time. The exports take turns."""
AT_WORK = 5
"""So many runs are kept at work. One whose planner was killed stands still for 90 s; others take its place."""
INSTANCES = (0, 1)
KILLS_A_ROUND = 100
"""A world for each round: Azurite keeps everything in memory, becomes slow, and stalls (see `sandbox.azurite`)."""
SETTINGS = QUICK | {
    "REQUEST_DEADLINE_S": "1",
    "LANE_STALE_S": "3",
    "SWEEP_SCHEDULE": "*/5 * * * * *",
}
PATIENT = {"REQUEST_DEADLINE_S": "120", "LANE_STALE_S": "241"}
"""Until the first kill, which meets a request between its effect and its answer: time for that on a busy machine."""
NO_TIMERS = {f"AzureWebJobs.{name}.Disabled": "true" for name in ("scheduled_start", "sweep")}
"""For all instances but the first: in Azure a lease gives each timer to one instance."""
HIDDEN_S = 7
"""More than twice `LANE_STALE_S`, as in Azure (600 s and 150 s): a message comes back after half of it at the earliest,
and then finds its lane free."""
LAST_STARTS = 0.65
"""After this share of the kills no run is started any more: a killed planner is waited for 90 s, and once is enough."""
PATIENCE_S = 4.0
"""A moment that does not come in this time is not waited for: the kill comes anyway, in silence."""
LIMIT_S = 900.0
"""What is not there after so long will not come: the first upload, and the end of the runs after the last kill."""

type Step = Literal["planning", "uploading", "confirming", "finishing", "storage", "time"]
STEPS: dict[Step, int] = {"planning": 2, "uploading": 5, "confirming": 2, "finishing": 3, "storage": 4, "time": 2}
"""Where kills are aimed at, and how often in proportion."""
CALLS: dict[Step, str] = {
    "planning": r"GET .*/(users/me|lists/\d+|fields|settings/account)",
    "uploading": r"POST .*/import/bulk_import",
    "confirming": r"GET .*/import/info",
}


@dataclass
class Aim:
    """The moment of a kill. `when`: as seen from the `nth` call; `delay_s` is the time from there to the kill."""

    step: Step
    nth: int
    when: Literal["before", "within", "after"]
    delay_s: float
    instances: tuple[int, ...]
    reached: threading.Event = field(default_factory=threading.Event)
    over: threading.Event = field(default_factory=threading.Event)

    @classmethod
    def draw(cls, chance: random.Random, going_on: Collection[str]) -> Self:
        """Draw a moment, at best in a step that some run is about to take."""
        weights = {step: weight for step, weight in STEPS.items() if step in going_on or step in ("storage", "time")}
        (step,) = chance.choices(list(weights), list(weights.values()))
        alone = step == "time" or (step == "storage" and chance.random() < 0.5)
        instances = (chance.choice(INSTANCES),) if alone else INSTANCES
        match step:
            case "time":
                return cls(step, 0, "after", chance.uniform(0.3, 3.0), instances)
            case "storage":
                return cls(step, chance.randint(1, 80), "after", 0.0, instances)
            case "finishing":
                return cls(step, 1, "after", chance.uniform(0.0, 0.3), instances)
            case "planning":  # reading and committing come after the calls
                return cls(step, chance.randint(1, 4), "after", chance.uniform(0.0, 0.8), instances)
        return cls(
            step, chance.randint(1, 4), chance.choice(("before", "within", "after")), chance.uniform(0, 0.05), instances
        )

    def __str__(self) -> str:
        who = "both instances" if len(self.instances) > 1 else f"instance {self.instances[0]}"
        where = {"storage": f"{self.nth} pieces of data", "time": f"{self.delay_s:.1f} s"}
        return f"{who} {self.when} {where.get(self.step, f'call {self.nth} of {self.step}')}"

    def takes(self, call: str) -> bool:
        """Whether this call is the one; counts it."""
        if not re.fullmatch(CALLS.get(self.step, ""), call):
            return False
        self.nth -= 1
        return self.nth == 0

    def die(self) -> None:
        """Hold a call up until its caller is dead."""
        self.reached.set()
        self.over.wait(LIMIT_S)
        raise ConnectionDropped


class Watched(Account):
    """The ActiveCampaign account of a round: it lets calls be aimed at, and counts what was accepted."""

    aim: Aim | None = None

    def __init__(self) -> None:
        super().__init__(API_KEY)
        limits = {"imports_per_minute": 100 * len(HOSTS), "requests_per_second": 5 * len(HOSTS)}
        self.set_switches(processing_base_s=1.0, **limits)
        self.accepted: defaultdict[int, list[list[str]]] = defaultdict(list)
        """The addresses of each accepted request, by list."""
        self._list_of: dict[str, int] = {}
        self._completed: defaultdict[int, set[str]] = defaultdict(set)

    def handle(
        self, method: str, path: str, query: str = "", headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Answer:
        call, aim = f"{method} {path}", self.aim
        aimed = aim is not None and aim.takes(call)
        if aim and aimed and aim.when == "before":
            aim.die()
        answer = super().handle(method, path, query, headers, body)
        was_last = self._note(call, query, body, answer)
        if aim and aimed and aim.when == "within":
            aim.die()
        if aim and (aimed or (was_last and aim.step == "finishing")):
            aim.reached.set()
        return answer

    def _note(self, call: str, query: str, body: bytes, answer: Answer) -> bool:
        """Note what a call changed; tell whether it told of the last import of a run."""
        if answer.status != 200 or "/import/" not in call:
            return False
        told = json.loads(answer.body)
        with self._lock:
            if "batchId" in told:
                contacts = json.loads(body)["contacts"]
                list_id = int(contacts[0]["subscribe"][0]["listid"])
                self._list_of[told["batchId"]] = list_id
                self.accepted[list_id].append([contact["email"].lower() for contact in contacts])
            elif told["status"] == "completed":
                import_id = query.removeprefix("batchId=")
                completed = self._completed[self._list_of[import_id]]
                known = import_id in completed
                completed.add(import_id)
                return not known and len(completed) % BATCHES == 0
        return False


@dataclass
class Tally:
    """What came of a round."""

    kills: int = 0
    steps: Counter[str] = field(default_factory=Counter)
    runs: int = 0
    imports: int = 0
    interrupted: int = 0
    late: int = 0
    doubled: int = 0

    def __str__(self) -> str:
        steps = ", ".join(f"{count} {step}" for step, count in self.steps.most_common())
        return (
            f"{self.kills} kills ({steps}); {self.runs} runs with {self.imports} imports, none lost;"
            f" {self.interrupted} requests in doubt after a kill and {self.late} with a late answer, all sent again;"
            f" {self.doubled} of them had been accepted"
        )


class Round:
    """One world: a run in peace, runs under fire, and the reckoning."""

    def __init__(self, world: World, account: Watched, kills: int, seed: int) -> None:
        self.world = world
        self.account = account
        self.kills = kills
        self.tally = Tally()
        self._chance = random.Random(seed)
        self._app = App(world)
        self._down = set(INSTANCES)
        self._killed: list[tuple[float, float]] = []
        """When instances were killed, as the times just before and just after."""
        self._runs: defaultdict[str, list[str]] = defaultdict(list)
        self._phases: list[str] = []
        """Where the last kill met the runs that were going."""
        self._over: dict[str, Any] = {}
        """The end of each run that is over, as first seen."""

    def play(self) -> Tally:
        """Play the round; an `AssertionError` says what does not hold."""
        self._start_hosts(PATIENT)
        for number, host in enumerate(HOSTS):
            self._app.call("PUT", f"/connections/connection-{number}", CONNECTION | {"host": host})
        for number in range(EXPORTS + 1):
            self.account.put_list(ContactList(number + 1, f"List {number}"))
            connection_id = f"connection-{number % len(HOSTS)}"
            export = EXPORT | {"listId": number + 1, "connectionId": connection_id, "schedule": {"kind": "none"}}
            answer = self._app.call("PUT", f"/exports/export-{number}?validate=false", export)
            assert answer.ok, answer.text
        self._start("export-0")
        peace = self._app.wait_for(self._runs["export-0"][0])
        everybody = self._contacts()
        rejects = self._rejects(peace["runId"])

        self._start("export-1")
        self._kill(Aim("uploading", 1, "within", 0.0, INSTANCES), LIMIT_S)
        self._start_hosts()
        while self.tally.kills < self.kills:
            self._kill(self._aim())
            self._start_hosts()

        self._wait_for_the_end()
        for export_id, runs in self._runs.items():
            self._reckon(export_id, runs, peace, rejects)
        assert self._contacts() == everybody, "the contacts are not what one run in peace leaves"
        assert self.account.violations()["imports"]["violations"] == 0
        assert not self.world.refused_hosts
        return self.tally

    # --- under fire ---

    def _start_hosts(self, settings: Mapping[str, str] | None = None) -> None:
        def start(instance: int) -> None:
            self.world.start_host({**(NO_TIMERS if instance else {}), **(settings or {})}, instance=instance)

        with ThreadPoolExecutor() as pool:
            list(pool.map(start, self._down))
        self._down.clear()

    def _aim(self) -> Aim:
        """See to it that there is work, and draw a moment in it."""
        at_work = set(self._phases) - {"planning"}
        started = self._start_some() if self.tally.kills < LAST_STARTS * self.kills else []
        if started:
            at_work |= {"planning", "uploading"}
        if "confirming" in at_work:
            at_work.add("finishing")
        aim = Aim.draw(self._chance, at_work)
        if started and aim.step != "planning":
            self._wait_for_the_plans(started)
        return aim

    def _start_some(self) -> list[str]:
        """Start runs if fewer than `AT_WORK` go on; return their ids."""
        exports = [f"export-{number}" for number in range(1, EXPORTS + 1)]
        idle = [e for e in exports if e not in self._runs or self._end(self._runs[e][-1])]
        wanted = AT_WORK - sum(phase != "planning" for phase in self._phases)
        return [self._start(export_id) for export_id in self._chance.sample(idle, min(max(wanted, 0), len(idle)))]

    def _wait_for_the_plans(self, runs: list[str]) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while runs and time.monotonic() < deadline:
            time.sleep(0.1)
            runs = [run_id for run_id in runs if not self._record(f"runs/{run_id}/run.json").get("plan")]

    def _start(self, export_id: str) -> str:
        run_id = self._app.start(export_id)
        self._runs[export_id].append(run_id)
        return run_id

    def _kill(self, aim: Aim, patience_s: float = PATIENCE_S) -> None:
        text = str(aim)
        self.account.aim = aim
        if aim.step == "storage":
            reached = self._carried(aim.nth)
        else:
            reached = aim.step == "time" or aim.reached.wait(patience_s)
        time.sleep(aim.delay_s if reached else 0)
        for instance in aim.instances:
            before = time.time()
            self.world.kill_host(instance=instance)
            self._killed.append((before, time.time()))
        self._down.update(aim.instances)
        self.account.aim = None
        aim.over.set()
        self.tally.kills += len(aim.instances)
        self.tally.steps[aim.step if reached else "silence"] += len(aim.instances)
        self._phases = list(self._look())
        over = sum(len(runs) for runs in self._runs.values()) - len(self._phases)
        phases = ", ".join(f"{count} {phase}" for phase, count in sorted(Counter(self._phases).items()))
        met = "" if reached else ", which did not come"
        print(f"{self.tally.kills:4}/{self.kills}  {text}{met}; {phases}, {over} over", flush=True)

    def _carried(self, pieces: int) -> bool:
        """Wait until so many more pieces of data have gone to storage or come from it."""
        carried, deadline = self.world.network.carried, time.monotonic() + PATIENCE_S
        want = self._storage(carried) + pieces
        while self._storage(carried) < want and time.monotonic() < deadline:
            time.sleep(0.002)
        return self._storage(carried) >= want

    @staticmethod
    def _storage(carried: Counter[str]) -> int:
        return sum(count for host, count in list(carried.items()) if host.endswith(".core.windows.net"))

    def _look(self) -> Iterator[str]:
        """Tell for each run that is going where the kill met it."""
        for runs in self._runs.values():
            if self._end(runs[-1]):
                continue
            run = self._record(f"runs/{runs[-1]}/run.json")
            if not (plan := run and run.get("plan")):
                yield "planning"
                continue
            lanes = [ledger.fold(read(self.world, f"runs/{runs[-1]}/lanes/{n}.jsonl")) for n in range(plan["lanes"])]
            if any(any(lane.pending()) for lane in lanes):
                yield "uploading"
            else:
                yield "confirming" if any(any(lane.accepted()) for lane in lanes) else "finishing"

    # --- the reckoning ---

    def _wait_for_the_end(self) -> None:
        deadline = time.monotonic() + LIMIT_S
        going = [runs[-1] for runs in self._runs.values()]
        while going := [run_id for run_id in going if not self._end(run_id)]:
            assert time.monotonic() < deadline, f"these runs did not end within {LIMIT_S:.0f} s: {going}"
            time.sleep(1)
        working = self.world.records.get_container_client("working")
        while left := list(working.list_blob_names()):
            assert time.monotonic() < deadline, f"these working copies were not deleted: {left}"
            time.sleep(1)

    def _reckon(self, export_id: str, runs: list[str], peace: dict[str, Any], rejects: list[str]) -> None:
        resends = 0
        for run_id in runs:
            run = self._app.run(run_id)
            assert run["tally"] == peace["tally"], f"{run_id}: {run['account']}"
            assert run["status"] == peace["status"]
            assert self._rejects(run_id) == rejects, f"{run_id}: the reject report is another"
            record = self._record(f"runs/{run_id}/run.json")
            assert record
            assert record["end"] == self._over[run_id], f"{run_id}: its end was changed"
            assert self._record(f"runs/{run_id}/report.json")["tally"] == peace["tally"]
            interrupted, late = requests_in_doubt(self.world, run_id)
            assert run["resends"] == len(interrupted) + len(late), f"{run_id}: {run['resends']} repeats are reported"
            for sent, taken_over in interrupted:
                assert any(sent <= after and before <= taken_over for before, after in self._killed), (
                    f"{run_id}: a request at {sent} was left in doubt, though nobody was killed"
                )
            resends += run["resends"]
            self.tally.interrupted += len(interrupted)
            self.tally.late += len(late)

        # What ActiveCampaign's side saw: everybody in every run, and more often only in requests that were in doubt.
        accepted = self.account.accepted[int(export_id.removeprefix("export-")) + 1]
        times = Counter(email for emails in accepted for email in emails)
        assert len(times) == peace["tally"]["confirmed"]
        assert min(times.values()) >= len(runs), f"{export_id}: contacts are missing"
        doubled = len(accepted) - BATCHES * len(runs)
        assert 0 <= doubled <= resends, f"{export_id}: {doubled} requests were doubled, {resends} in doubt"
        self.tally.runs += len(runs)
        self.tally.imports += len(accepted)
        self.tally.doubled += doubled

    def _contacts(self) -> dict[str, dict[str, Any]]:
        """Return what ActiveCampaign has of everybody, but for the lists and what a number or a time says."""
        varying = ("id", "created_at", "updated_at", "lists")
        return {
            one["email"]: {name: value for name, value in one.items() if name not in varying}
            for one in self.account.contacts()
        }

    def _rejects(self, run_id: str) -> list[str]:
        return sorted(self._app.call("GET", f"/runs/{run_id}/rejects").text.splitlines())

    def _end(self, run_id: str) -> Any:
        if run_id not in self._over and (end := (self._record(f"runs/{run_id}/run.json") or {}).get("end")):
            self._over[run_id] = end
        return self._over.get(run_id)

    def _record(self, path: str) -> Any:
        data = read(self.world, path)
        return json.loads(data) if data else None


def play(kills: int, seed: int) -> Tally:
    """Play a round in a world of its own."""
    account = Watched()
    with (
        serve(account) as server,
        inspected_world(SEGMENT, settings=SETTINGS, activecampaign=server.url, message_hidden_s=HIDDEN_S) as world,
    ):
        return Round(world, account, kills, seed).play()


def main() -> None:
    """Run the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=KILLS_A_ROUND)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    for first in range(0, options.kills, KILLS_A_ROUND):
        began, seed = time.monotonic(), options.seed + first // KILLS_A_ROUND
        print(f"--- seed {seed}")
        tally = play(min(KILLS_A_ROUND, options.kills - first), seed)
        print(f"--- seed {seed}: {tally}; {time.monotonic() - began:.0f} s", flush=True)


if __name__ == "__main__":
    main()
