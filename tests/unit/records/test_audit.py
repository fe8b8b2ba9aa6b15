"""Entries of the audit trail are deleted when their time is over, and never before."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from exporter.records import audit
from tests.fakes import FakeBlobs, FakeClock

RETENTION_DAYS = 400
DAY_S, MINUTE_S = 86_400, 60
LONGEST_CALL_S = 230
"""Azure ends an HTTP request after that time; the outcome is appended before."""
WRITTEN = datetime(2026, 11, 18, tzinfo=UTC)


def trail_of(written: datetime) -> FakeBlobs:
    blobs = FakeBlobs(FakeClock())
    asked = audit.Asked(at=written.timestamp(), action="runNow", resource="/exports/a/runs", by="Grace", role="admin")
    audit.open_trail(blobs, asked, "0" * 32)
    return blobs


def sweep_every_minute(blobs: FakeBlobs, start: float, seconds: float) -> None:
    for minute in range(int(seconds // MINUTE_S)):
        audit.expire(blobs, start + minute * MINUTE_S, RETENTION_DAYS)


@given(st.integers(0, DAY_S - 1), st.integers(0, 2 * DAY_S))
def test_an_entry_is_not_deleted_while_storage_protects_it(second_of_day: int, before_the_end_s: int) -> None:
    written = WRITTEN + timedelta(seconds=second_of_day)
    blobs = trail_of(written)
    protected_until = written.timestamp() + LONGEST_CALL_S + RETENTION_DAYS * DAY_S

    audit.expire(blobs, protected_until - before_the_end_s, RETENTION_DAYS)

    assert len(blobs.stored) == 1


def test_the_last_entry_of_a_day_is_kept_until_its_outcome_is_as_old_as_the_policy_keeps_it() -> None:
    """The next day's first sweep looks at the day after which nothing is protected any more, and not at one before."""
    last = WRITTEN.timestamp() + DAY_S - 1
    blobs = trail_of(datetime.fromtimestamp(last, UTC))
    midnight = WRITTEN.timestamp() + (RETENTION_DAYS + 1) * DAY_S

    sweep_every_minute(blobs, midnight, DAY_S)
    assert len(blobs.stored) == 1

    audit.expire(blobs, midnight + DAY_S - 0.125, RETENTION_DAYS)
    assert len(blobs.stored) == 1
    audit.expire(blobs, midnight + DAY_S, RETENTION_DAYS)
    assert blobs.stored == {}


@given(st.integers(0, DAY_S - 1), st.integers(0, 3 * 365))
def test_an_entry_is_deleted_by_a_day_of_sweeps_whenever_the_app_runs_again(second_of_day: int, late_days: int) -> None:
    written = WRITTEN + timedelta(seconds=second_of_day)
    blobs = trail_of(written)
    past = WRITTEN.timestamp() + (RETENTION_DAYS + 2 + late_days) * DAY_S

    sweep_every_minute(blobs, past, DAY_S)

    assert blobs.stored == {}


def test_one_sweep_lists_one_day() -> None:
    blobs = trail_of(WRITTEN)
    asked: list[str] = []
    blobs.before = lambda operation, path: asked.append(f"{operation} {path}")

    audit.expire(blobs, WRITTEN.timestamp() + 500 * DAY_S, RETENTION_DAYS)

    assert asked == [f"names audit/{WRITTEN + timedelta(days=98):%Y-%m-%d}/"]
