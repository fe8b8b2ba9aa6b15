"""When may the next request go? The rate budget of one ActiveCampaign account, as arithmetic.

ActiveCampaign's limits, shared by everybody who uses the account: 100 bulk imports a minute, 20 a minute when they hold
one contact (https://developers.activecampaign.com/reference/bulk-import-contacts), 5 requests a second of any kind
(https://developers.activecampaign.com/reference/rate-limits). How a minute is counted is not documented; the strictest
reading, any 60 seconds, is kept.

Time is a grid of ticks, and a request takes one: bulk imports the even ones, all others the odd ones, so that neither
can crowd out the other. Because turns lie on the grid, how many requests any window can hold is a division, and
`Pace` refuses a grid on which it would be too many. The budget is stored by compare-and-swap; every `now` should come
from one clock, that of the storage service.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Final

import orjson

from exporter.activecampaign.wire import Kind

VALID_S: Final = 0.5  # a turn that is later than this is void: take another one
HISTORY_S: Final = 60.0  # how long a turn is remembered: longer than any distance, and than two clocks differ
IDLE_S: Final = 5.0  # without a bulk import for so long, the others may use even ticks too
RECOVERY_S: Final = 60.0  # how long without a refusal before the distance shrinks by one tick
SPREAD: Final = 2  # ticks between two bulk imports when all is well
MAX_SPREAD: Final = 16  # and at most: an eighth of the rate


@dataclass(frozen=True, slots=True)
class Pace:
    """How fast to go: bulk imports a minute; everything else follows. The default leaves 4 % of the limit unused."""

    bulk_per_minute: float = 96.0

    def __post_init__(self) -> None:
        """Refuse a pace at which late turns could break a limit."""
        windows = ((60.0, 2, 100), (60.0, self.single_ticks, 20), (1.0, 1, 5)) if self.bulk_per_minute > 0 else ()
        if not windows or any(self._most(window_s, ticks) > limit for window_s, ticks, limit in windows):
            raise ValueError(
                f"expected a number of bulk imports a minute that keeps ActiveCampaign's limits even when requests are "
                f"{VALID_S} s late, found {self.bulk_per_minute}; take 96 or less"
            )

    @property
    def tick_s(self) -> float:
        """The length of a tick in seconds."""
        return 30.0 / self.bulk_per_minute

    @property
    def single_ticks(self) -> int:
        """The ticks between two bulk imports of one contact: 3.125 s or more, on the even grid."""
        return 2 * math.ceil(3.125 / (2 * self.tick_s))

    def _most(self, window_s: float, ticks: int) -> int:
        """Count the requests that a window can hold when turns are `ticks` apart and each up to VALID_S late."""
        return math.floor((window_s + VALID_S) / (ticks * self.tick_s)) + 1


@dataclass(frozen=True, slots=True)
class Budget:
    """The turns taken, as ticks since the epoch, and what refusals taught."""

    bulk: tuple[int, ...] = ()  # the single ones too
    single: tuple[int, ...] = ()
    general: tuple[int, ...] = ()
    resume_at: float = 0.0  # epoch seconds; nobody sends before
    spread: int = SPREAD  # ticks between two bulk imports, as of `resume_at`

    def to_json(self) -> bytes:
        """Return the record to store."""
        return orjson.dumps(
            {
                "schemaVersion": 1,
                "bulk": self.bulk,
                "single": self.single,
                "general": self.general,
                "resumeAt": self.resume_at,
                "spread": self.spread,
            }
        )

    @classmethod
    def from_json(cls, data: bytes) -> Budget:
        """Read a stored record. Raises ValueError for a schema version that is not known."""
        record = orjson.loads(data)
        if record["schemaVersion"] != 1:
            raise ValueError(f"expected schemaVersion 1, found {record['schemaVersion']}; update the app")
        return cls(
            tuple(record["bulk"]),
            tuple(record["single"]),
            tuple(record["general"]),
            record["resumeAt"],
            record["spread"],
        )


DEFAULT_PACE: Final = Pace()


def take(budget: Budget, kind: Kind, now: float, pace: Pace = DEFAULT_PACE) -> tuple[Budget, float]:
    """Reserve the next turn: returns the budget to store and the time (epoch seconds) at which to send.

    Send at that time, or up to VALID_S later; take another turn otherwise.
    """
    budget = _forget(budget, now, pace)
    bulk, single, general = set(budget.bulk), set(budget.single), set(budget.general)
    spread = spread_at(budget, now)
    idle = not budget.bulk or budget.bulk[-1] * pace.tick_s < now - IDLE_S

    def free(tick: int) -> bool:
        if tick in bulk or tick in general:
            return False
        if kind is Kind.GENERAL:
            return (idle or tick % 2 == 1) and _apart(tick, general, spread // 2)
        if spread == SPREAD and tick % 2 == 1:
            return False
        return _apart(tick, bulk, spread) and (
            kind is Kind.BULK or _apart(tick, single, pace.single_ticks * spread // SPREAD)
        )

    tick = math.ceil(max(now, budget.resume_at) / pace.tick_s)
    while not free(tick):
        tick += 1
    if kind is Kind.GENERAL:
        budget = replace(budget, general=_with(budget.general, tick))
    else:
        budget = replace(budget, bulk=_with(budget.bulk, tick))
        if kind is Kind.SINGLE:
            budget = replace(budget, single=_with(budget.single, tick))
    return budget, tick * pace.tick_s


def penalise(budget: Budget, now: float, retry_after_s: float) -> Budget:
    """Note that ActiveCampaign asked to wait: nobody sends before that time, and then more slowly.

    The distance grows by half for each pause (refusals during a pause belong to it) and shrinks by a tick for each
    RECOVERY_S after it.
    """
    spread = budget.spread
    if now >= budget.resume_at:
        spread = min(max(spread_at(budget, now) * 3 // 2, SPREAD + 1), MAX_SPREAD)
    return replace(budget, resume_at=max(budget.resume_at, now + retry_after_s), spread=spread)


def spread_at(budget: Budget, now: float) -> int:
    """Return the ticks between two bulk imports at a time."""
    recovered = math.floor(max(now - budget.resume_at, 0.0) / RECOVERY_S)
    return max(budget.spread - recovered, SPREAD)


def _apart(tick: int, turns: set[int], distance: int) -> bool:
    return not any(tick + offset in turns for offset in range(1 - distance, distance))


def _with(turns: tuple[int, ...], tick: int) -> tuple[int, ...]:
    return tuple(sorted((*turns, tick)))


def _forget(budget: Budget, now: float, pace: Pace) -> Budget:
    """Drop the turns that no longer matter."""
    oldest = math.floor((now - HISTORY_S) / pace.tick_s)

    def recent(turns: tuple[int, ...]) -> tuple[int, ...]:
        return tuple(tick for tick in turns if tick >= oldest)

    return replace(budget, bulk=recent(budget.bulk), single=recent(budget.single), general=recent(budget.general))
