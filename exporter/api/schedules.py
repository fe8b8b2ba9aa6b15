"""GET /schedule-times: when a schedule of times comes next, for whoever is typing it."""

from __future__ import annotations

from exporter.api.access import Context
from exporter.api.http import Json
from exporter.definitions.resources import TimeZone
from exporter.definitions.schedules import AtTimes, Cron, next_time
from exporter.model import Time, Value

SHOWN = 3
"""So many are enough to see a rhythm, and whether the zone is the one that was meant."""


class TimesQuery(Value):
    """The times of a schedule, as in an export's `schedule`."""

    cron: Cron
    """Five fields: minute, hour, day of the month, month, weekday."""
    time_zone: TimeZone = "UTC"
    """The zone of these times, as in the IANA time zone database."""


class NextTimes(Value):
    """The next times of a schedule."""

    value: tuple[Time, ...]
    """The next three, the earliest first."""


def next_times(context: Context, query: TimesQuery) -> Json[NextTimes]:
    """Tell when a schedule of times comes next, before it is saved."""
    times = AtTimes(cron=query.cron, time_zone=query.time_zone)
    found: list[float] = []
    for _ in range(SHOWN):
        found.append(next_time(times, found[-1] if found else context.services.clock.now(), ""))
    return Json(NextTimes(value=tuple(found)))
