"""When an export runs by itself: times in their zones, through both changes of the clock; and what is no time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from exporter.definitions.schedules import AtTimes, OnDemand, Schedule, WithEveryRefresh, newest_time, next_time

APP_SCHEDULE = "0 0 2 * * *"
AMSTERDAM, NEW_YORK, LORD_HOWE, JAKARTA = "Europe/Amsterdam", "America/New_York", "Australia/Lord_Howe", "Asia/Jakarta"
ZONES = (AMSTERDAM, NEW_YORK, LORD_HOWE, JAKARTA, "UTC")
CHANGES = {
    AMSTERDAM: (datetime(2027, 3, 28, 1, tzinfo=UTC), datetime(2027, 10, 31, 1, tzinfo=UTC)),
    NEW_YORK: (datetime(2027, 3, 14, 7, tzinfo=UTC), datetime(2027, 11, 7, 6, tzinfo=UTC)),
    LORD_HOWE: (datetime(2027, 10, 2, 15, 30, tzinfo=UTC), datetime(2027, 4, 3, 15, tzinfo=UTC)),
}
"""When clocks go forward and back; those of Lord Howe do so by half an hour."""
HOUR_S, DAY_S = 3_600.0, 86_400.0

crons = st.one_of(
    st.builds("{} * * * *".format, st.integers(0, 59)),
    st.builds("*/{} * * * *".format, st.sampled_from((5, 10, 15, 20, 30))),
    st.builds("{} {} * * *".format, st.integers(0, 59), st.integers(0, 23)),
    st.builds("{} {},{} * * 1-5".format, st.integers(0, 59), st.integers(0, 11), st.integers(12, 23)),
    st.builds("{} {} {} * *".format, st.integers(0, 59), st.integers(0, 23), st.integers(1, 31)),
    st.builds("{} 1-4 * * SUN".format, st.integers(0, 59)),
)
zones = st.sampled_from(ZONES)
moments = st.one_of(
    st.floats(1_790_000_000, 1_900_000_000),
    st.builds(
        lambda change, away_s: change.timestamp() + away_s,
        st.sampled_from([each for pair in CHANGES.values() for each in pair]),
        st.floats(-2 * DAY_S, 2 * DAY_S),
    ),
)


def at_times(cron: str | None, zone: str = "UTC") -> AtTimes:
    return AtTimes(cron=cron, time_zone=zone)


def times(schedule: AtTimes, since: datetime, hours: float) -> list[str]:
    """Return the times in so many hours, as local time with its distance from UTC."""
    found, at, end = [], since.timestamp(), since.timestamp() + hours * HOUR_S
    while (at := next_time(schedule, at, APP_SCHEDULE)) <= end:
        found.append(f"{datetime.fromtimestamp(at, ZoneInfo(schedule.time_zone)):%H:%M%z}")
    return found


@pytest.mark.parametrize("cron", ["1 2 * * *", "*/20 * * * *", "30 2-4 * * *", "31 * * * *"])
@pytest.mark.parametrize("zone", CHANGES)
def test_within_the_hour_that_comes_twice_the_next_time_is_the_one_that_comes_from_before(zone: str, cron: str) -> None:
    schedule = at_times(cron, zone)
    begin = CHANGES[zone][1].timestamp() - 6 * HOUR_S
    expected, at = [], begin
    while at < begin + 12 * HOUR_S:
        at = next_time(schedule, at, APP_SCHEDULE)
        expected.append(at)
    for after in range(int(begin), int(begin + 12 * HOUR_S), 300):
        assert next_time(schedule, after, APP_SCHEDULE) == next(at for at in expected if at > after)


@given(crons, zones, moments)
@settings(deadline=None)
def test_times_come_one_after_the_other(cron: str, zone: str, after: float) -> None:
    schedule, at = at_times(cron, zone), after
    for _ in range(4):
        following = next_time(schedule, at, APP_SCHEDULE)
        assert following > at
        assert following % 60 == 0
        at = following


@given(crons, zones, moments, st.floats(0, 3 * DAY_S))
@settings(deadline=None, max_examples=60)
def test_the_newest_time_is_the_last_of_those_that_come(cron: str, zone: str, since: float, long_s: float) -> None:
    schedule, until = at_times(cron, zone), since + long_s
    last, at = None, next_time(schedule, since, APP_SCHEDULE)
    while at <= until:
        last, at = at, next_time(schedule, at, APP_SCHEDULE)
    assert newest_time(schedule, since, until, APP_SCHEDULE) == last


@given(crons, zones, moments)
@settings(deadline=None, max_examples=60)
def test_a_time_counts_when_it_has_come_and_not_again(cron: str, zone: str, after: float) -> None:
    schedule = at_times(cron, zone)
    at = next_time(schedule, after, APP_SCHEDULE)
    assert newest_time(schedule, after, at - 1, APP_SCHEDULE) is None
    assert newest_time(schedule, after, at, APP_SCHEDULE) == at
    assert newest_time(schedule, at, at, APP_SCHEDULE) is None


@given(zones, moments, st.integers(0, 23), st.integers(0, 59))
@settings(deadline=None)
def test_each_day_has_its_time_once_whatever_the_clocks_do(zone: str, since: float, hour: int, minute: int) -> None:
    schedule, at, days = at_times(f"{minute} {hour} * * *", zone), since, []
    for _ in range(6):
        at = next_time(schedule, at, APP_SCHEDULE)
        days.append(datetime.fromtimestamp(at, ZoneInfo(zone)).date())
    assert days == [days[0] + timedelta(days=n) for n in range(6)]


@pytest.mark.parametrize(
    ("zone", "cron", "found"),
    [
        (AMSTERDAM, "30 2 * * *", ["03:00+0200"]),
        (NEW_YORK, "30 2 * * *", ["03:00-0400"]),
        (LORD_HOWE, "15 2 * * *", ["02:30+1100"]),
    ],
)
def test_a_time_that_is_left_out_in_spring_comes_right_after_it(zone: str, cron: str, found: list[str]) -> None:
    before = CHANGES[zone][0] - timedelta(hours=2)
    assert times(at_times(cron, zone), before, 5) == found


@pytest.mark.parametrize(
    ("zone", "cron", "found"),
    [
        (AMSTERDAM, "30 2 * * *", ["02:30+0200"]),
        (NEW_YORK, "30 1 * * *", ["01:30-0400"]),
        (LORD_HOWE, "45 1 * * *", ["01:45+1100"]),
    ],
)
def test_a_time_that_comes_twice_in_autumn_counts_once(zone: str, cron: str, found: list[str]) -> None:
    before = CHANGES[zone][1] - timedelta(hours=2)
    assert times(at_times(cron, zone), before, 5) == found


@pytest.mark.parametrize("which", [0, 1], ids=["forward", "back"])
@pytest.mark.parametrize("zone", CHANGES)
def test_what_comes_every_hour_comes_every_hour_while_clocks_change(zone: str, which: int) -> None:
    since = CHANGES[zone][which].replace(minute=0) - timedelta(hours=3)
    schedule, at, steps = at_times("0 * * * *", zone), since.timestamp(), set()
    for _ in range(8):
        following = next_time(schedule, at, APP_SCHEDULE)
        steps.add(following - at)
        at = following
    assert max(steps) <= 1.5 * HOUR_S, steps
    assert min(steps) >= 0.5 * HOUR_S, steps


def test_where_clocks_never_change_nor_do_the_hours() -> None:
    times_utc = {
        datetime.fromtimestamp(
            next_time(at_times("0 6 * * *", JAKARTA), 1_790_000_000 + n * DAY_S, APP_SCHEDULE), UTC
        ).hour
        for n in range(366)
    }
    assert times_utc == {23}


def test_a_day_that_comes_every_four_years_is_found() -> None:
    leap_day = at_times("0 6 29 2 *")
    at = datetime(2028, 2, 29, 6, tzinfo=UTC).timestamp()
    assert next_time(leap_day, at - 3 * 365 * DAY_S, APP_SCHEDULE) == at
    assert newest_time(leap_day, at - 3 * 365 * DAY_S, at + 3 * 365 * DAY_S, APP_SCHEDULE) == at
    assert newest_time(leap_day, 0.0, at + 3 * 365 * DAY_S, APP_SCHEDULE) == at
    # 1900 and 2100 are no leap years: then it takes eight years.
    far = datetime(2104, 2, 28, tzinfo=UTC).timestamp()
    assert newest_time(leap_day, 0.0, far, APP_SCHEDULE) == datetime(2096, 2, 29, 6, tzinfo=UTC).timestamp()


def test_the_newest_time_of_the_app_is_looked_for_as_those_of_an_export_are() -> None:
    noon = datetime(2027, 6, 1, 12, tzinfo=UTC).timestamp()
    assert newest_time(at_times(None), noon - 40 * DAY_S, noon, APP_SCHEDULE) == noon - 10 * HOUR_S
    assert newest_time(at_times(None), noon - 9 * HOUR_S, noon, APP_SCHEDULE) is None
    monthly = "0 0 2 1 1 *"
    assert (
        newest_time(at_times(None), noon - 400 * DAY_S, noon, monthly)
        == datetime(2027, 1, 1, 2, tzinfo=UTC).timestamp()
    )


def test_without_times_of_its_own_an_export_has_those_of_the_app() -> None:
    noon = datetime(2027, 6, 1, 12, tzinfo=UTC)
    assert next_time(at_times(None), noon.timestamp(), APP_SCHEDULE) == (noon + timedelta(hours=14)).timestamp()
    assert next_time(at_times(None), noon.timestamp(), "30 15 13 * * *") == (noon + timedelta(minutes=75.5)).timestamp()
    # In NCRONTAB, day of the month and day of the week have to match both: the next Friday the 13th.
    friday = next_time(at_times(None), noon.timestamp(), "0 0 2 13 * 5")
    assert datetime.fromtimestamp(friday, UTC) == datetime(2027, 8, 13, 2, tzinfo=UTC)


def test_of_a_day_and_a_weekday_either_is_enough() -> None:
    first = datetime(2027, 6, 1, tzinfo=UTC)  # a Tuesday
    found = next_time(at_times("0 6 13 * 5"), first.timestamp(), APP_SCHEDULE)
    assert datetime.fromtimestamp(found, UTC) == datetime(2027, 6, 4, 6, tzinfo=UTC)


# What is no time


def refused(schedule: object) -> str:
    with pytest.raises(ValidationError) as error:
        TypeAdapter[Schedule](Schedule).validate_python(schedule)
    (problem,) = error.value.errors()
    return str(problem["msg"])


@pytest.mark.parametrize(
    ("cron", "told"),
    [
        ("0 0 2 * * *", "Leave the seconds, which come first in six fields, out"),
        ("0 2 * *", "; found 4"),
        ("0 0 2 * * * *", "; found 7"),
        ("@daily", "found 1"),
        ("     ", "found 0"),
        ("", "at least 1 character"),
        ("0 " * 60, "at most 100 characters"),
        ("0 26 * * *", "hours 0-23"),
        ("60 2 * * *", "minutes 0-59"),
        ("0 2 31 2 *", "a date that exists"),
        ("0 2 30 FEB *", "a date that exists"),
        ("0 2 * 13 *", "months 1-12"),
        ("0 2 * * 8", "weekdays 0-7"),
        ("0 2 * * FUN", "weekdays 0-7"),
        ("a b c d e", "minutes 0-59"),
        ("*/0 * * * *", "a step"),
        ("0 22-6 * * *", "a range"),
    ],
)
def test_what_names_no_time_is_refused_by_what_was_expected(cron: str, told: str) -> None:
    sentence = refused({"kind": "cron", "cron": cron})
    assert sentence.endswith(told) if "found" in told else told in sentence


@pytest.mark.parametrize("zone", ["Europe/Utrecht", "", "CEST+1", "europe/amsterdam", "../etc/passwd"])
def test_a_zone_that_nobody_knows_is_refused(zone: str) -> None:
    assert "Europe/Amsterdam" in refused({"kind": "cron", "cron": "0 6 * * *", "timeZone": zone})


@given(st.text(max_size=30))
@settings(deadline=None)
def test_any_text_is_either_a_schedule_that_comes_or_refused(text: str) -> None:
    try:
        schedule = AtTimes(cron=text)
    except ValidationError:
        return
    assert next_time(schedule, 1_790_000_000, APP_SCHEDULE) > 1_790_000_000


def test_blanks_around_and_between_the_fields_do_not_matter() -> None:
    assert at_times("  0  6 * *\t1-5 ").cron == "0 6 * * 1-5"


@pytest.mark.parametrize("schedule", [WithEveryRefresh(), OnDemand(), AtTimes(), at_times("0 6 * * 1-5", AMSTERDAM)])
def test_a_schedule_is_what_it_was_when_it_is_read_again(schedule: Schedule) -> None:
    adapter = TypeAdapter[Schedule](Schedule)
    assert adapter.validate_json(adapter.dump_json(schedule, by_alias=True)) == schedule


@pytest.mark.parametrize("kind", ["hourly", "", None])
def test_there_are_three_kinds_of_schedules(kind: object) -> None:
    assert "withEveryRefresh" in refused({"kind": kind})
