"""How long it takes, in virtual time, until work goes on by itself; in worlds where only one thing goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

from exporter.runs.run import RunStatus
from tests.simulation.people import NEW_KEY
from tests.simulation.world import World

WORLDS = 12
NIGHT_S = 8 * 3_600.0
KEYLESS_S = 1_800.0
"""How long nobody has put the new key into Key Vault."""
SLOW = {"BULK_REQUESTS_PER_MINUTE": "6", "RETRY_FOR_S": "86400"}
"""A run that lasts, so that there is something in the middle of which things can go wrong."""


@dataclass(frozen=True)
class Figure:
    """What was measured; each of `seconds` is a place or a moment at which the thing went wrong."""

    what: str
    limit_s: float
    seconds: tuple[float, ...]

    def __str__(self) -> str:
        worst = max(self.seconds) / 60
        return f"{self.what}: {worst:.1f} min at most in {len(self.seconds)} cases (promised: {self.limit_s / 60:.0f})"


def figures() -> Iterator[Figure]:
    """Measure all."""
    yield Figure("after one crash at any call to the outside", 720, tuple(after_a_crash()))
    yield Figure("after the new key is in Key Vault", 120, tuple(after_a_new_key()))
    for what in ("activecampaign", "storage", "secrets"):
        yield Figure(f"after 8 hours without {what}", 300, tuple(after_a_night_without(what)))


def play(trouble: Callable[[World], object]) -> tuple[World, float]:
    """Play one run with some trouble; return the world and how long it took, in seconds, until all was over."""
    world = World(3, peaceful=True)
    trouble(world)
    return world, _took_s(world)


def crash_at(*calls: int) -> Callable[[World], object]:
    """Let the process die right before each of these calls to the outside."""
    return lambda world: world.at_call.update(dict.fromkeys(calls, lambda: world.host.current().die()))


def after_a_crash() -> Iterator[float]:
    """How much longer a run takes with a crash at each of its calls in turn."""
    clean, clean_s = play(lambda world: None)
    for call in range(1, clean.calls):
        _, took_s = play(crash_at(call))
        yield took_s - clean_s


def after_a_new_key() -> Iterator[float]:
    """How long after the new key is in Key Vault a request with it succeeds."""

    def rotate(world: World) -> None:
        world.account.set_key(NEW_KEY)
        world.clockwork.later(KEYLESS_S, partial(world.secrets.update, {"connection-main": NEW_KEY}))

    return _after(rotate, KEYLESS_S)


def after_a_night_without(what: str) -> Iterator[float]:
    """How long after the end of an outage a request to ActiveCampaign succeeds; no process lives through the night."""

    def fail(world: World) -> None:
        world.people.cut_power()
        world.fail(what, NIGHT_S)

    return _after(fail, NIGHT_S)


def _after(trouble: Callable[[World], object], lasts_s: float) -> Iterator[float]:
    """Play worlds with trouble at different moments of a run."""
    for number in range(WORLDS):
        world = World(number, peaceful=True, settings=SLOW)
        at = 4.0 * (number + 1)
        world.troubled(at + lasts_s)
        world.clockwork.later(at, partial(trouble, world))
        world.play()
        over = world.began + at + lasts_s
        requests = world.account.requests()
        later = [request.at for request in requests if request.at >= over and request.status == 200]
        if later:  # the run was not over before
            yield later[0] - over


def _took_s(world: World) -> float:
    world.play()
    ends = []
    for run in world.oracle.runs.values():  # two, when whoever asked for the run got no answer and asked again
        assert run.ended_at
        assert run.record["end"]["status"] in (RunStatus.SUCCESSFUL, RunStatus.COMPLETED_WITH_WARNINGS)
        ends.append(run.ended_at)
    return max(ends) - world.began
