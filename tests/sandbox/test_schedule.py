from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.host.schedule import Schedule


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("expression", "after", "expected"),
    [
        ("0 0 2 * * *", "2026-11-23 01:59:59", "2026-11-23 02:00:00"),
        ("0 0 2 * * *", "2026-11-23 02:00:00", "2026-11-24 02:00:00"),
        ("*/15 * * * * *", "2026-12-31 23:59:45", "2027-01-01 00:00:00"),
        ("0 30 9-17/4 * * *", "2026-11-23 10:00:00", "2026-11-23 13:30:00"),
        ("0 5/20 * * * *", "2026-11-23 10:05:00", "2026-11-23 10:25:00"),
        ("0 0 0 29 2 *", "2026-01-01 00:00:00", "2028-02-29 00:00:00"),
        ("0 0 6 * * MON-FRI", "2026-11-27 07:00:00", "2026-11-30 06:00:00"),
        ("0 0 6 * Jan,June *", "2026-11-27 07:00:00", "2027-01-01 06:00:00"),
        ("0 0 0 13 * FRI", "2026-01-01 00:00:00", "2026-02-13 00:00:00"),
    ],
)
def test_the_next_occurrence_is(expression: str, after: str, expected: str) -> None:
    assert Schedule.parse(expression).next_after(moment(after)) == moment(expected)


@pytest.mark.parametrize(
    "expression",
    [
        "* * * * *",
        "60 * * * * *",
        "0 0 24 * * *",
        "0 0 0 0 * *",
        "0 0 0 * 13 *",
        "0 0 0 * * 7",
        "x * * * * *",
        "5-1 * * * * *",
        "*/0 * * * * *",
        "00:05:00",
        "",
    ],
)
def test_an_expression_that_azure_would_refuse_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="schedule"):
        Schedule.parse(expression)


def test_a_day_that_never_comes_is_an_error() -> None:
    with pytest.raises(ValueError, match="no occurrence"):
        Schedule.parse("0 0 0 30 2 *").next_after(moment("2026-01-01 00:00:00"))


@given(
    seconds=st.sets(st.integers(0, 59), min_size=1, max_size=3),
    minutes=st.sets(st.integers(0, 59), min_size=1, max_size=3),
    hours=st.sets(st.integers(0, 23), min_size=1, max_size=24),
    after=st.datetimes(datetime(2026, 1, 1), datetime(2030, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
)
def test_the_next_occurrence_is_the_first_second_that_fits(
    seconds: set[int], minutes: set[int], hours: set[int], after: datetime
) -> None:
    fields = (",".join(map(str, sorted(values))) for values in (seconds, minutes, hours))
    occurrence = Schedule.parse(f"{' '.join(fields)} * * *").next_after(after)
    candidates = {
        day.replace(hour=hour, minute=minute, second=second, microsecond=0)
        for day in (after, after + timedelta(days=1))
        for hour in hours
        for minute in minutes
        for second in seconds
    }
    assert occurrence == min(candidate for candidate in candidates if candidate > after)


def test_only_a_schedule_with_gaps_under_a_minute_keeps_no_status() -> None:
    now = moment("2026-11-23 10:00:30")
    assert Schedule.parse("*/30 * * * * *").has_gap_under_a_minute(now)
    assert Schedule.parse("0,1 0 * * * *").has_gap_under_a_minute(now)
    assert not Schedule.parse("0 * * * * *").has_gap_under_a_minute(now)
