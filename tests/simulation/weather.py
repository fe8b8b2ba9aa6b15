"""Which faults befall a schedule, all drawn from its seed, and what each of them does to a call."""

from __future__ import annotations

import random
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import accumulate
from typing import TYPE_CHECKING, Any

from exporter.activecampaign.wire import Answer, AnswerLost, NotSent, Reply
from exporter.errors import Unavailable
from exporter.ports import Changed
from tests.builders import SEGMENT

if TYPE_CHECKING:
    from tests.simulation.host import Invocation


class Crashed(BaseException):
    """The process died: no code of the service goes on from here."""


@dataclass(slots=True)
class Call:
    """A call to the outside: `effect` does it; `settle` reads back what a write whose answer was lost has left."""

    who: Invocation
    port: str
    operation: str
    subject: str
    effect: Callable[[], Any]
    settle: Callable[[], Any]
    random: random.Random


# --- What faults do. Each returns or raises what the caller sees. ----------------------------------------------------


def crash_before(call: Call) -> None:
    call.who.die()


def crash_after(call: Call) -> None:
    call.effect()
    call.who.die()


def slow_before(call: Call) -> Any:
    call.who.wait(call.random.uniform(0.5, 100))
    return call.effect()


def slow_after(call: Call) -> Any:
    result = call.effect()
    call.who.wait(call.random.uniform(0.5, 100))
    return result


def freeze_before(call: Call) -> Any:
    """The machine stands still for up to 20 minutes, with all that runs on it, and goes on as if nothing had been."""
    call.who.instance.freeze(call.random.uniform(5, 1_200))
    call.who.wait(0)
    return call.effect()


def freeze_after(call: Call) -> Any:
    result = call.effect()
    call.who.instance.freeze(call.random.uniform(5, 1_200))
    call.who.wait(0)
    return result


def unavailable_before(call: Call) -> None:
    call.who.wait(call.random.uniform(0.1, 30))
    raise unavailable(call.port)


def unavailable_after(call: Call) -> None:
    call.effect()
    call.who.wait(call.random.uniform(0.1, 30))
    raise unavailable(call.port)


def answer_lost_and_settled(call: Call) -> Any:
    """The adapter reads back what became of its write; somebody may have written since."""
    result = call.effect()
    call.who.wait(call.random.uniform(0.1, 20))
    if not call.settle():
        raise Changed
    return result


def not_sent(call: Call) -> Reply:
    call.who.wait(call.random.uniform(0.1, 10))
    return NotSent("connection")


def request_lost(call: Call) -> Reply:
    call.who.wait(call.random.uniform(0.1, 60))
    return AnswerLost("read_timeout")


def answer_lost(call: Call) -> Reply:
    call.effect()
    call.who.wait(call.random.uniform(0.1, 60))
    return AnswerLost("connection")


def server_error_before(call: Call) -> Reply:
    call.who.wait(1)
    return Answer(call.random.choice((500, 502, 503, 504)), {}, b"<html>down</html>")


def server_error_after(call: Call) -> Reply:
    call.effect()
    call.who.wait(1)
    return Answer(call.random.choice((500, 502, 504)), {}, call.random.choice((b"", b'{"message": "Internal error"}')))


def truncated(call: Call) -> Reply:
    answer = call.effect()
    if not isinstance(answer, Answer) or answer.status != 200:
        return AnswerLost("connection")
    return Answer(answer.status, answer.headers, answer.body[: len(answer.body) // 2])


def throttled(call: Call) -> Reply:
    call.who.wait(0.2)
    seconds = call.random.choice(({}, {"retry-after": "2"}, {"retry-after": "30"}, {"retry-after": "300"}))
    return Answer(429, seconds, b'{"message": "Too Many Requests"}')


def rate_as_400(call: Call) -> Reply:
    call.who.wait(0.2)
    reason = b"Up to 100 imports may be requested per minute. Please retry this request in a minute."
    body = b'{"success": 0, "message": "Rate limit exceeded.", "failureReasons": ["%s"]}' % reason
    return Answer(400, {"content-type": "text/html"}, body)


def unavailable(port: str) -> Unavailable:
    return Unavailable(f"{port}_unavailable", f"The {port} did not answer.")


Befall = Callable[[Call], Any]
EVERYWHERE = ("blobs", "segments", "messages", "secrets", "activecampaign")
WRITES = frozenset({"create", "replace", "append"})

ON_CALLS: dict[Befall, tuple[str, ...]] = {
    crash_before: EVERYWHERE,
    crash_after: EVERYWHERE,
    slow_before: ("blobs", "segments", "messages", "secrets"),
    slow_after: EVERYWHERE,
    # Not before a request to ActiveCampaign: a machine that stops between its last look at the clock and the first byte
    # sends late, whatever the code does; docs/explanation/reliability.md says so.
    freeze_before: ("blobs", "segments", "messages", "secrets"),
    freeze_after: EVERYWHERE,
    unavailable_before: ("blobs", "segments", "messages", "secrets"),
    unavailable_after: ("blobs", "messages"),
    answer_lost_and_settled: ("blobs",),
    not_sent: ("activecampaign",),
    request_lost: ("activecampaign",),
    answer_lost: ("activecampaign",),
    server_error_before: ("activecampaign",),
    server_error_after: ("activecampaign",),
    truncated: ("activecampaign",),
    throttled: ("activecampaign",),
    rate_as_400: ("activecampaign",),
}
"""The faults of calls, and the ports where each can happen."""

RATES = (0.002, 0.005, 0.01, 0.03)
PLACES = (
    *(("append", "/lanes/"),) * 5,
    *(("replace", "/run.json"),) * 2,
    *(("POST", ""),) * 2,
    ("create", "/run.json"),
    ("create", "/manifest.json"),
    ("replace", "/slots/"),
    ("extend", "rejects/"),
    ("create", "/report.json"),
    ("delete", "working/"),
    ("read", "/run.json"),
    ("read", "/lanes/"),
    ("replace", "/budget.json"),
    ("read_range", "working/"),
    ("send", ""),
    ("read", "/manifest.json"),
    ("GET", "import/info"),
    *(("read", f"{SEGMENT}/"),) * 2,
)
"""Calls that the order of events hangs on, as operation and part of what it is about; the more, the oftener."""
ON_MESSAGES = ("lost", "doubled", "late", "poisoned", "acknowledgement_lost")
ON_TIMERS = ("doubled", "missed", "late")


class Weather:
    """The faults of one schedule: some kinds, each at its own rate, until it is calm.

    That each schedule has only some kinds is on purpose: faults hide each other (Groce et al., Swarm Testing, 2012).
    """

    def __init__(self, random: random.Random, calm_at: float, kinds: Iterable[Befall] = tuple(ON_CALLS)) -> None:
        self.random = random
        self.calm_at = calm_at
        self.seen: Counter[str] = Counter()
        """How often each kind of fault happened."""
        rates = {kind: random.choice(RATES) for kind in kinds if random.random() < 0.35}
        for kind in rates:
            if ON_CALLS[kind] == ("activecampaign",):  # there are fewer of these calls
                rates[kind] *= 5
        self._calls = {port: _Lot({k: r for k, r in rates.items() if port in ON_CALLS[k]}) for port in EVERYWHERE}
        self._place = random.choice(PLACES)
        here = random.sample(list(kinds), 3)
        if random.random() < 0.5:  # most of what can go wrong between two calls needs one of these between them
            here[0] = random.choice((freeze_before, freeze_after))
        self._here = _Lot(dict.fromkeys(here, random.choice((0.0, 0.05, 0.15))))
        """The faults of one place, which are more likely: a rare coincidence elsewhere becomes a common one."""
        self._messages = _Lot({k: random.choice((0.02, 0.1)) for k in ON_MESSAGES if random.random() < 0.3})
        self._timers = _Lot({k: random.choice((0.05, 0.2)) for k in ON_TIMERS if random.random() < 0.3})

    def on_call(self, port: str, operation: str, subject: str, now: float) -> Befall | None:
        """Draw what happens to a call; most often nothing."""
        if now >= self.calm_at:
            return None
        if operation == self._place[0] and self._place[1] in subject:
            befall = self._here.draw(self.random.random())
            if befall and port in ON_CALLS[befall]:
                return befall
        return self._calls[port].draw(self.random.random())

    def on_message(self, now: float) -> str | None:
        return self._messages.draw(self.random.random()) if now < self.calm_at else None

    def on_timer(self, now: float) -> str | None:
        return self._timers.draw(self.random.random()) if now < self.calm_at else None


class _Lot[K]:
    """A draw in which each kind has its rate and most tickets are blanks."""

    def __init__(self, rates: dict[K, float]) -> None:
        self._kinds = list(rates)
        self._bounds = list(accumulate(rates.values()))

    def draw(self, ticket: float) -> K | None:
        at = bisect_right(self._bounds, ticket)
        return self._kinds[at] if at < len(self._kinds) else None
