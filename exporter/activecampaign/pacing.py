"""When the next request may go: the rate budget of one ActiveCampaign account, as arithmetic.

ActiveCampaign's limits, shared by everyone who uses the account: 100 bulk imports per minute, 20 per minute when they
hold one contact (https://developers.activecampaign.com/reference/bulk-import-contacts), 5 requests per second of any
kind (https://developers.activecampaign.com/reference/rate-limits). How a minute is counted is not documented, so the
strictest reading applies: any 60 seconds.

Time is a grid of ticks. When all is well, bulk imports take every fourth tick and all other requests the ticks halfway
between, so that neither can crowd out the other. Requests keep a minimum distance, so dividing a window's length by it
gives the most requests that the window can hold; `Pace` refuses a grid on which that would be too many. Turns are
remembered for a minute. The budget is stored by compare-and-swap, and the clocks that `now` comes from should differ by
far less than a minute.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import orjson

from exporter.activecampaign.wire import Kind
from exporter.model import VERSION, check_version

BULK_PER_MINUTE: Final = 100  # ActiveCampaign's limits, as above
SINGLE_PER_MINUTE: Final = 20
PER_SECOND: Final = 5
VALID_S: Final = 0.5  # a turn that is later than this is void: take another
HISTORY_S: Final = 60.0  # how long a turn is remembered
IDLE_S: Final = 5.0  # after this long without a bulk import, other requests may use its ticks too
GAP: Final = 2  # ticks between any two requests
SPREAD: Final = 4  # ticks between two bulk imports when all is well
MAX_SPREAD: Final = 32  # the most: an eighth of the rate
# No refusal drives other requests than imports further apart. A look at the account waits in place for four of them
# (pipeline.session): with a turn that is too far away it would begin anew each time, and never be done.
MAX_GAP_S: Final = 5.0
CALM_S: Final = 60.0  # how long without a refusal until the distance shrinks by a tick
MAX_CALM_S: Final = 960.0  # the most for the first of these ticks, when refusals keep coming
AGAIN_S: Final = 1800.0  # a refusal this soon after the last pause counts as a repeated one


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to go: bulk imports per minute; everything else follows. The default leaves 4% of the limit unused."""

    bulk_per_minute: float = 96.0

    def __post_init__(self) -> None:
        """Refuse a pace at which late requests could break a limit."""
        if not (
            0 < self.bulk_per_minute <= BULK_PER_MINUTE
            and self._keeps(BULK_PER_MINUTE, 60, SPREAD)
            and self._keeps(PER_SECOND, 1, GAP)
        ):
            raise ValueError(
                "expected a number of bulk imports per minute that keeps ActiveCampaign's limits even when each request"
                f" is up to {VALID_S} s late, found {self.bulk_per_minute}; use 96 or less"
            )

    @property
    def tick_s(self) -> float:
        """The length of a tick in seconds."""
        return 60 / SPREAD / self.bulk_per_minute

    @property
    def single_ticks(self) -> int:
        """The ticks between two bulk imports of one contact, such that any minute holds at most 20."""
        return next(ticks for ticks in itertools.count(SPREAD, SPREAD) if self._keeps(SINGLE_PER_MINUTE, 60, ticks))

    def _keeps(self, limit: int, window_s: float, ticks: int) -> bool:
        """Whether a window holds at most `limit` requests that are `ticks` apart and each up to VALID_S late."""
        return math.floor((window_s + VALID_S) / (ticks * self.tick_s)) + 1 <= limit


@dataclass(frozen=True, slots=True)
class Budget:
    """The turns taken, as ticks since the epoch, and the slowdown that refusals caused."""

    bulk: tuple[int, ...] = ()  # including the single ones
    single: tuple[int, ...] = ()
    general: tuple[int, ...] = ()
    runs: Mapping[str, tuple[int, ...]] = field(default_factory=dict)
    """Those of `bulk` that are a run's, by run id; none of releases that did not note them."""
    resume_at: float = 0.0  # epoch seconds; nothing is sent before
    spread: int = SPREAD  # ticks between two bulk imports, as of `resume_at`
    calm_s: float = CALM_S  # how long after `resume_at` it shrinks by one; then by one every CALM_S

    def to_json(self) -> bytes:
        """Return the record to store."""
        return orjson.dumps(
            {
                "schemaVersion": VERSION,
                "bulk": self.bulk,
                "single": self.single,
                "general": self.general,
                "runs": [{"runId": run_id, "turns": turns} for run_id, turns in self.runs.items()],
                "resumeAt": self.resume_at,
                "spread": self.spread,
                "calmS": self.calm_s,
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> Budget:
        """Read a stored record. Raises `errors.Wait` ("newer_release")."""
        record = orjson.loads(data)
        check_version(record["schemaVersion"], "rate budget")
        return cls(
            bulk=tuple(record["bulk"]),
            single=tuple(record["single"]),
            general=tuple(record["general"]),
            runs={run["runId"]: tuple(run["turns"]) for run in record.get("runs", [])},
            resume_at=record["resumeAt"],
            spread=record["spread"],
            calm_s=record["calmS"],
        )


DEFAULT_PACE: Final = Pace()


def take(budget: Budget, kind: Kind, now: float, pace: Pace = DEFAULT_PACE, run_id: str = "") -> tuple[Budget, float]:
    """Reserve the next turn: return the budget to store and the time (epoch seconds) at which to send.

    `run_id`: the run that a bulk import belongs to. It has no influence on when the turn is, but see `is_ahead`.
    Send at that time or up to VALID_S later; otherwise take another turn. Several turns can be taken before storing.
    """
    budget = _forget(budget, now, pace)
    tick = math.ceil(max(now, budget.resume_at) / pace.tick_s)
    is_free = _rules(budget, kind, now, pace)
    while not is_free(tick):
        tick += 1
    if kind is Kind.GENERAL:
        return replace(budget, general=_with(budget.general, tick)), tick * pace.tick_s
    single = _with(budget.single, tick) if kind is Kind.SINGLE else budget.single
    runs = {**budget.runs, run_id: _with(budget.runs.get(run_id, ()), tick)} if run_id else budget.runs
    return replace(budget, bulk=_with(budget.bulk, tick), single=single, runs=runs), tick * pace.tick_s


def is_ahead(budget: Budget, run_id: str) -> bool:
    """Whether a run has over one turn more than runs have on average: of the last minute's, and of those to come."""
    mine = len(budget.runs.get(run_id, ()))
    return (mine - 1) * len(budget.runs) > sum(map(len, budget.runs.values()))


def penalise(budget: Budget, now: float, retry_after_s: float) -> Budget:
    """Record that ActiveCampaign asked to wait: nothing is sent until then, and more slowly afterwards.

    A pause makes the distance grow by a quarter; further refusals during a pause only make it longer. After the pause
    the distance shrinks tick by tick, and more slowly after repeated refusals: someone else uses the account too, and
    each attempt to go faster costs a pause.
    """
    resume_at = max(budget.resume_at, now + retry_after_s)
    if now < budget.resume_at:
        return replace(budget, resume_at=resume_at)
    spread = spread_at(budget, now)
    calm_s = min(budget.calm_s * 2, MAX_CALM_S) if now < budget.resume_at + AGAIN_S else CALM_S
    return replace(budget, resume_at=resume_at, spread=min(spread * 5 // 4, MAX_SPREAD), calm_s=calm_s)


def spread_at(budget: Budget, now: float) -> int:
    """Return the ticks between two bulk imports at the time `now`; SPREAD when all is well."""
    since_first_s = now - budget.resume_at - budget.calm_s
    recovered = 0 if since_first_s < 0 else 1 + math.floor(since_first_s / CALM_S)
    return max(budget.spread - recovered, SPREAD)


def _rules(budget: Budget, kind: Kind, now: float, pace: Pace) -> Callable[[int], bool]:
    """Return the test of whether a request of this kind may take a tick."""
    bulk, single, general = set(budget.bulk), set(budget.single), set(budget.general)
    taken = bulk | general
    spread = spread_at(budget, now)

    if kind is Kind.GENERAL:
        idle = not bulk or max(bulk) * pace.tick_s < now - IDLE_S
        every, first = (GAP, 0) if idle else (SPREAD, GAP)
        gap = max(GAP, min(GAP * spread // SPREAD, math.floor(MAX_GAP_S / pace.tick_s)))
        return lambda tick: tick % every == first and _apart(tick, taken, GAP) and _apart(tick, general, gap)
    every = SPREAD if spread == SPREAD else 1
    alone = pace.single_ticks * spread // SPREAD if kind is Kind.SINGLE else 0
    return lambda tick: (
        tick % every == 0 and _apart(tick, taken, GAP) and _apart(tick, bulk, spread) and _apart(tick, single, alone)
    )


def _apart(tick: int, turns: set[int], distance: int) -> bool:
    return not any(tick + offset in turns for offset in range(1 - distance, distance))


def _with(turns: tuple[int, ...], tick: int) -> tuple[int, ...]:
    return tuple(sorted((*turns, tick)))


def _forget(budget: Budget, now: float, pace: Pace) -> Budget:
    """Drop the turns that no longer matter."""
    oldest = math.floor((now - HISTORY_S) / pace.tick_s)

    def recent(turns: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(tick for tick in turns if tick >= oldest)

    runs = {run_id: kept for run_id, turns in budget.runs.items() if (kept := recent(turns))}
    return replace(
        budget, bulk=recent(budget.bulk), single=recent(budget.single), general=recent(budget.general), runs=runs
    )
