"""How exports of one ActiveCampaign account share its turns: how long does a small one take beside large ones?

The pipeline is the real one, the account is the strict stand-in, time is virtual, as in `bench.throughput`.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial

from bench.throughput import SlowActiveCampaign, VirtualClock, all_over, deliver, segment
from exporter.activecampaign import wire
from exporter.activecampaign.wire import Reply, Request
from exporter.errors import Throttled
from exporter.pipeline.session import Session
from exporter.runs.run import Run, RunStatus
from sandbox.activecampaign import ContactList
from tests.builders import HOST, make_export, read_run, start_on_demand
from tests.fakes import START, Fakes, make_fakes
from tests.simulation.clockwork import Clockwork

LARGE, SMALL = 500_000, 2_000
LATER_S = 300.0
"""When those that come later start: the others are in mid-run by then, and each of their lanes waits for a turn."""


@dataclass(frozen=True)
class Part:
    """Exports of so many people each that start together, so many seconds after the first ones."""

    exports: int
    people: int
    start_s: float = 0.0


@dataclass(frozen=True)
class Ended:
    """How an export did; seconds."""

    people: int
    took_s: float
    waits: int
    """How often a lane had to wait for something outside."""


@dataclass(frozen=True)
class Outcome:
    """What a case came to."""

    exports: tuple[Ended, ...]
    """In the order of the parts."""
    a_minute: float
    """Requests with contacts a minute, from the first to the last: the share of the limit in percent."""
    violations: int
    invocations: int
    sent: tuple[tuple[float, int], ...]
    """When each request with contacts left, and of which export."""


CASES: Mapping[str, Sequence[Part]] = {
    "ten small ones beside a large one": (Part(1, LARGE), Part(10, SMALL, LATER_S)),
    "one small one beside a large one": (Part(1, LARGE), Part(1, SMALL, LATER_S)),
    "two large ones": (Part(2, LARGE),),
    "ten small ones beside six large ones": (Part(6, LARGE // 5), Part(10, SMALL, LATER_S)),
    "forty of one person beside a large one": (Part(1, LARGE // 5), Part(40, 1, LATER_S / 2)),
    "a large one beside look-ups": (Part(1, LARGE // 5), Part(1, SMALL, LATER_S / 2)),
}
LOOKED_UP = "a large one beside look-ups"
"""There, somebody looks one person up after the other all the time."""


class Watched(SlowActiveCampaign):
    """Notes which export sent when: each has a list of its own."""

    def call(self, host: str, api_key: str, request: Request) -> Reply:
        if request.body and request.method == "POST" and (found := re.search(rb'"listid":(\d+)', request.body)):
            self.sent.append((self.clock.now(), int(found[1]) - 1))
        return super().call(host, api_key, request)

    sent: list[tuple[float, int]]


def main() -> None:
    """Print the table."""
    logging.getLogger("exporter").setLevel(logging.ERROR)
    titles = ("exports", "people", "median", "slowest", "share", "over limit", "invocations")
    print("minutes from start to end; share of 100 requests with contacts a minute")
    print(f"{'case':<44}" + "".join(f"{title:>12}" for title in titles))
    chosen = sys.argv[1:] if sys.argv[0].endswith("fairness.py") else []  # words of their names
    for name, parts in CASES.items():
        if not chosen or any(word in name for word in chosen):
            show(name, parts, play(parts, looked_up=name == LOOKED_UP))


def show(name: str, parts: Sequence[Part], outcome: Outcome) -> None:
    """Print a row a part."""
    first = 0
    for part in parts:
        took = sorted(e.took_s / 60 for e in outcome.exports[first : first + part.exports])
        first += part.exports
        print(
            f"{name:<44}{part.exports:>12}{part.people:>12,}{took[len(took) // 2]:>12.1f}{took[-1]:>12.1f}"
            + (f"{outcome.a_minute:>10.1f} %{outcome.violations:>12}{outcome.invocations:>12}" if name else "")
        )
        name = ""


def play(parts: Sequence[Part], *, looked_up: bool = False) -> Outcome:
    """Run the exports of a case to their ends; `looked_up`: while somebody looks people up."""
    clockwork = Clockwork(START)
    fakes = make_fakes(clock=VirtualClock(clockwork), activecampaign_class=Watched)
    sent: list[tuple[float, int]] = []
    assert isinstance(fakes.activecampaign, Watched)
    fakes.activecampaign.sent = sent
    run_ids: dict[int, str] = {}
    number = 0
    for part in parts:
        for _ in range(part.exports):
            prepare(fakes, number, part.people)
            clockwork.later(part.start_s, partial(clockwork.start, partial(start, fakes, run_ids, number)))
            number += 1
    if looked_up:
        clockwork.start(partial(look_up, fakes))
    invocations = deliver(fakes, clockwork, lambda: len(run_ids) == number and all_over(fakes, run_ids.values()))
    runs = [read_run(fakes, run_ids[n]) for n in range(number)]
    requests = [at for at, _ in sent]
    return Outcome(
        exports=tuple(ended(run) for run in runs),
        a_minute=60 * (len(requests) - 1) / (requests[-1] - requests[0]),
        violations=sum(int(rate["violations"] or 0) for rate in fakes.account.violations().values()),
        invocations=invocations,
        sent=tuple(sent),
    )


def prepare(fakes: Fakes, number: int, people: int) -> None:
    """Write the segment of an export, and make its list."""
    fakes.account.put_list(ContactList(number + 1, f"List {number + 1}"))
    fakes.segments.write(f"segment{number}/segment{number}.csv", b"".join(segment(people, number * 1_000_000)))


def start(fakes: Fakes, run_ids: dict[int, str], number: int) -> None:
    """Start an export."""
    name = f"segment{number}"
    matching = {"email": "EMail"}
    export = make_export(fakes, id=f"export{number}", list_id=number + 1, segments=(name,), data_matching=matching)
    run_ids[number] = start_on_demand(fakes.services, export, "bench").run.run_id


def look_up(fakes: Fakes) -> None:
    """Look one person up after the other, for ever."""
    session = Session(fakes.services, HOST, "key-1")
    while True:
        try:
            session.call(wire.contact_by_address("p1@example.com"))
        except Throttled as error:
            fakes.clock.sleep(error.retry_after_s or 0.0)


def ended(run: Run) -> Ended:
    """Return how an export did. Raises `AssertionError` where somebody did not arrive."""
    assert run.status is RunStatus.SUCCESSFUL, run.status
    assert run.end
    traffic = run.end.traffic
    return Ended(run.end.tally.confirmed, run.end.at - run.requested_utc, traffic.waits if traffic else 0)


if __name__ == "__main__":
    main()
