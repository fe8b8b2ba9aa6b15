"""A million profiles against ActiveCampaign's documented limits, in virtual time: how long, how many requests?

The pipeline is the real one, the account is the strict stand-in, time is virtual. Beside it, on the same clock and
account: a sender that takes every 400 for bad data, and the single-contact calls.
"""

from __future__ import annotations

import logging
import random
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from exporter.activecampaign import bodies, wire
from exporter.activecampaign.wire import Answer, Reply, Request
from exporter.pipeline.plan import plan_run
from exporter.pipeline.sweep import sweep
from exporter.pipeline.upload import upload_lane
from exporter.queues import PLAN_QUEUE, UPLOAD_QUEUE
from exporter.runs.run import RunStatus
from sandbox.activecampaign import Account, ContactList
from tests.builders import make_export, read_run, start_on_demand
from tests.fakes import START, FakeActiveCampaign, Fakes, make_fakes
from tests.simulation.clockwork import Clockwork

PROFILES = 1_000_000
LIMIT_S = 6 * 3_600.0
CONTACTS = 250
MOST_LANES = 8  # of a run; more workers are more exports


@dataclass
class VirtualClock:
    """`ports.Clock` on the clockwork: whoever sleeps lets the others run."""

    clockwork: Clockwork

    def now(self) -> float:
        return self.clockwork.now

    def sleep(self, seconds: float) -> None:
        self.clockwork.wait(max(0.0, seconds))


class SlowActiveCampaign(FakeActiveCampaign):
    """Requests take 0.3 to 1 s, half of it before they arrive."""

    def call(self, host: str, api_key: str, request: Request) -> Reply:
        self.clock.sleep(self.random.uniform(0.15, 0.5))
        self.request_s = self.random.uniform(0.15, 0.5)
        return super().call(host, api_key, request)

    random = random.Random(1)


def main() -> None:
    """Print the table."""
    profiles = int(sys.argv[1]) if len(sys.argv) > 1 and sys.argv[1].isdigit() else PROFILES
    print(f"{profiles:,} profiles; minutes to the last upload and to the end; share of 100 bulk requests a minute")
    logging.getLogger("exporter").setLevel(logging.ERROR)
    titles = ("upload", "end", "requests", "share", "refused", "over limit", "invocations")
    print(f"{'design':<52}" + "".join(f"{title:>12}" for title in titles))
    for workers, other in ((1, 0.0), (4, 0.0), (6, 0.0), (20, 0.0), (6, 0.4)):
        name = f"this service, {workers} workers" + (", 40 % taken by others" if other else "")
        show(name, ours(profiles, workers, other))
    show("this service, 150 exports of 60 people, 150 lists", many(150, 60))
    show("bulk sender, every 400 is bad data", naive(profiles))
    show("contact/sync + contactLists, 5 a second", singles(profiles))


@dataclass
class Outcome:
    """What a design came to."""

    upload_min: float
    end_min: float
    requests: int
    a_minute: float
    """Requests a minute, from the first to the last."""
    refused: int
    violations: int
    invocations: int
    bulk: bool = True
    lost: int = 0


def show(name: str, o: Outcome) -> None:
    """Print a row."""
    share = f"{o.a_minute:.0f} %" if o.bulk else "-"
    lost = f"  {o.lost:,} people lost" if o.lost else ""
    counts = (f"{o.requests:,}", share, o.refused, o.violations, o.invocations)
    print(f"{name:<52}{o.upload_min:>12.1f}{o.end_min:>12.1f}" + "".join(f"{c:>12}" for c in counts) + lost)


def segment(profiles: int, first: int) -> Iterator[bytes]:
    """Yield a CSV file of people."""
    yield b"CustomerId,EMail\r\n"
    for start in range(first, first + profiles, 10_000):
        rows = range(start, min(start + 10_000, first + profiles))
        yield "".join(f"{n:032x},p{n}@example.com\r\n" for n in rows).encode()


def ours(profiles: int, workers: int, other: float) -> Outcome:
    """Run the pipeline: one export with up to eight lanes, or twenty exports of one lane each for twenty workers."""
    clockwork = Clockwork(START)
    clock = VirtualClock(clockwork)
    exports = 1 if workers <= MOST_LANES else workers
    fakes = make_fakes(clock=clock, activecampaign_class=SlowActiveCampaign, LANES=str(workers // exports))
    fakes.account.set_switches(other_share=other)
    run_ids = []
    for number in range(exports):
        name = f"segment{number}"
        part = profiles // exports
        fakes.segments.write(f"{name}/{name}.csv", b"".join(segment(part, number * part)))
        export = make_export(fakes, id=f"export{number}", segments=(name,), data_matching={"email": "EMail"})
        run_ids.append(start_on_demand(fakes.services, export, "bench").run.run_id)
    invocations = deliver(fakes, clockwork, lambda: all_over(fakes, run_ids))
    runs = [read_run(fakes, run_id) for run_id in run_ids]
    assert all(run.status is RunStatus.SUCCESSFUL for run in runs), [run.status for run in runs]
    assert sum(run.end.tally.confirmed for run in runs if run.end) == profiles
    return measure(fakes.account, clockwork.now, invocations)


def many(exports: int, people: int) -> Outcome:
    """Run many small exports of one account, each to a list of its own, all started at once."""
    clockwork = Clockwork(START)
    fakes = make_fakes(clock=VirtualClock(clockwork), activecampaign_class=SlowActiveCampaign)
    run_ids = []
    for number in range(exports):
        name = f"segment{number}"
        fakes.account.put_list(ContactList(number + 1, f"List {number + 1}"))
        fakes.segments.write(f"{name}/{name}.csv", b"".join(segment(people, number * people)))
        matching = {"email": "EMail"}
        export = make_export(fakes, id=f"export{number}", list_id=number + 1, segments=(name,), data_matching=matching)
        run_ids.append(start_on_demand(fakes.services, export, "bench").run.run_id)
    invocations = deliver(fakes, clockwork, lambda: all_over(fakes, run_ids))
    assert all(read_run(fakes, run_id).status is RunStatus.SUCCESSFUL for run_id in run_ids)
    return measure(fakes.account, clockwork.now, invocations)


def all_over(fakes: Fakes, run_ids: Iterable[str]) -> bool:
    """Return whether all runs are over."""
    return all(read_run(fakes, run_id).end for run_id in run_ids)


def deliver(fakes: Fakes, clockwork: Clockwork, over: Callable[[], bool]) -> int:
    """Deliver messages as the host does and sweep every minute, until it is `over`; return the invocations."""
    invocations = 0

    def tick() -> None:
        nonlocal invocations
        while message := fakes.messages.take(PLAN_QUEUE):
            clockwork.start(partial(plan_run, fakes.services, str(message["runId"])))
        while message := fakes.messages.take(UPLOAD_QUEUE):
            invocations += 1
            clockwork.start(partial(upload_lane, fakes.services, str(message["runId"]), int(message["lane"])))
        clockwork.later(2, tick)

    def sweeper() -> None:
        clockwork.start(lambda: sweep(fakes.services))
        clockwork.later(60, sweeper)

    clockwork.later(0, tick)
    clockwork.later(60, sweeper)
    clockwork.run(START + LIMIT_S, over)
    return invocations


def measure(account: Account, now: float, invocations: int) -> Outcome:
    """Read the account's request log."""
    requests = account.requests()
    bulk = [r for r in requests if r.path.endswith("/bulk_import") and r.method == "POST"]
    accepted = [r for r in bulk if r.status == 200]  # noqa: PLR2004
    return Outcome(
        upload_min=(accepted[-1].at - START) / 60,
        end_min=(now - START) / 60,
        requests=len(accepted),
        a_minute=60 * (len(accepted) - 1) / (accepted[-1].at - accepted[0].at),
        refused=sum(r.status in {400, 429} for r in requests),
        violations=sum(int(rate["violations"] or 0) for rate in account.violations().values()),
        invocations=invocations,
    )


def naive(profiles: int) -> Outcome:
    """Three senders in parallel without a limiter; a 400 is taken for bad data, so its contacts are dropped."""
    clockwork = Clockwork(START)
    clock = VirtualClock(clockwork)
    account = Account("key-1", clock=clock.now)
    activecampaign = SlowActiveCampaign(account, clock)
    envelope = bodies.envelope(1, run_automations=False)
    left = iter(range(0, profiles, CONTACTS))
    lost = running = 0

    def sender() -> None:
        nonlocal lost, running
        running += 1
        for start in left:
            count = min(CONTACTS, profiles - start)
            contacts = (b'{"email":"p%d@example.com"' % n + envelope.contact_tail for n in range(start, start + count))
            body = envelope.prefix + b",".join(contacts) + envelope.suffix
            reply = activecampaign.call("acme.api-us1.com", "key-1", wire.bulk_import(body, count))
            while isinstance(reply, Answer) and reply.status == 429:  # noqa: PLR2004
                clock.sleep(float(reply.headers.get("retry-after", 30)))
                reply = activecampaign.call("acme.api-us1.com", "key-1", wire.bulk_import(body, count))
            lost += count if isinstance(reply, Answer) and reply.status == 400 else 0  # noqa: PLR2004
        running -= 1

    for _ in range(3):
        clockwork.start(sender)
    clockwork.run(START + LIMIT_S, lambda: clockwork.now > START and not running)
    outcome = measure(account, clockwork.now, 3)
    outcome.lost = lost
    return outcome


def singles(profiles: int) -> Outcome:
    """Two calls a person at 5 a second: arithmetic is enough."""
    minutes = 2 * profiles / 5 / 60
    return Outcome(minutes, minutes, 2 * profiles, 5 * 60, 0, 0, 0, bulk=False)


if __name__ == "__main__":
    main()
