"""When an export runs by itself: with every refresh of its segments, at times of day, or never."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

from pydantic import AfterValidator, Field, StringConstraints

from exporter.definitions.resources import TimeZone
from exporter.model import Value

FIELDS = 5
"""Minute, hour, day of the month, month, day of the week, as in crontab(5)."""


def _cron(text: str) -> str:
    fields = text.split()
    if len(fields) != FIELDS:
        raise ValueError(
            "must have five fields: minute hour day month weekday, such as 0 6 * * 1-5 for 6:00 from Monday to Friday;"
            f" found {len(fields)}"
            + (". Leave the seconds, which come first in six fields, out" if len(fields) == FIELDS + 1 else "")
        )

    from cronsim import CronSim, CronSimError  # noqa: PLC0415 - 40 ms, and few definitions have such a schedule

    try:
        next(CronSim(" ".join(fields), datetime(2000, 1, 1, tzinfo=UTC)))
    except (CronSimError, StopIteration):
        raise ValueError(
            "must name times that occur: minutes 0-59, hours 0-23, days 1-31, months 1-12 or JAN-DEC, weekdays 0-7 or"
            " SUN-SAT, each a number, a list (1,15), a range (1-5), a step (*/10) or *; and a date that exists"
        ) from None
    return " ".join(fields)


Cron = Annotated[str, StringConstraints(min_length=1, max_length=100), AfterValidator(_cron)]


class WithEveryRefresh(Value):
    """It runs a few minutes after any of its segments was refreshed, once all of them are complete.

    What lay there when it was saved is not made up for.
    """

    kind: Literal["withEveryRefresh"] = "withEveryRefresh"


class AtTimes(Value):
    """It runs at times of day, with whatever refresh is the newest then."""

    kind: Literal["cron"] = "cron"
    cron: Cron | None = None
    """The times, in five fields: minute, hour, day of the month, month, weekday. Where day and weekday are both given,
    either is enough. Without it, the app's setting `EXPORT_SCHEDULE` counts, as it did before exports had times of
    their own."""
    time_zone: TimeZone = "UTC"
    """The zone of these times, as in the IANA time zone database: `Europe/Amsterdam`. A time that the change to summer
    time leaves out comes right after it, and one that comes twice in autumn counts once, unless its hour is
    written as `*`."""


class OnDemand(Value):
    """It runs only when somebody starts it."""

    kind: Literal["none"] = "none"


Schedule = Annotated[WithEveryRefresh | AtTimes | OnDemand, Field(discriminator="kind")]


def next_time(times: AtTimes, after: float, app_schedule: str) -> float:
    """Return the first of the times later than `after`; both in epoch seconds.

    `app_schedule`: the app's setting, in NCRONTAB and UTC.
    """
    if times.cron is None:
        from croniter import croniter  # noqa: PLC0415

        # Unlike in crontab(5), the day of the month and the day of the week have to match both.
        return float(croniter(app_schedule, after, second_at_beginning=True, day_or=False).get_next(float))

    from cronsim import CronSim  # noqa: PLC0415

    # In the hour that comes twice, the library begins with its first round: from before it, what it says is right.
    begin = datetime.fromtimestamp(after - _BEFORE_ANY_CHANGE_S, ZoneInfo(times.time_zone))
    return next(at for each in CronSim(times.cron, begin) if (at := each.timestamp()) > after)


_BEFORE_ANY_CHANGE_S = 3 * 3_600.0
"""No zone sets its clocks back by more than an hour, which then takes two."""
_SPANS_S = (3_600.0, 86_400.0, 32 * 86_400.0, 8 * 366 * 86_400.0)
"""Before which the newest time is looked for, one after the other: some come every minute, some on leap days only."""


def newest_time(times: AtTimes, since: float, until: float, app_schedule: str) -> float | None:
    """Return the last of the times after `since`, up to `until`; None if there is none. All in epoch seconds."""
    for span_s in _SPANS_S:
        newest, at = None, next_time(times, max(since, until - span_s), app_schedule)
        while at <= until:
            newest, at = at, next_time(times, at, app_schedule)
        if newest is not None or until - span_s <= since:
            return newest
    return None
