"""Entries of the audit trail are deleted when their time is over, and never before."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import Unavailable
from exporter.records import audit
from tests.fakes import FakeBlobs, FakeClock

RETENTION_DAYS = 400
DAY_S, HOUR_S = 86_400, 3_600
LONGEST_CALL_S = 230
"""Azure ends an HTTP request after that time; the outcome is appended before."""
WRITTEN = datetime(2026, 11, 18, tzinfo=UTC)


def trail_of(*written: datetime) -> FakeBlobs:
    blobs = FakeBlobs(FakeClock())
    for at in written:
        asked = audit.Asked(at=at.timestamp(), action="runNow", resource="/exports/a/runs", by="Grace", role="admin")
        audit.open_trail(blobs, asked, "0" * 32)
    return blobs


def look_every_hour(blobs: FakeBlobs, start: float, seconds: float) -> None:
    for hour in range(int(seconds // HOUR_S)):
        audit.expire(blobs, start + hour * HOUR_S, RETENTION_DAYS)


@given(st.integers(0, DAY_S - 1), st.integers(0, 2 * DAY_S))
def test_an_entry_is_not_deleted_while_storage_protects_it(second_of_day: int, before_the_end_s: int) -> None:
    written = WRITTEN + timedelta(seconds=second_of_day)
    blobs = trail_of(written)
    protected_until = written.timestamp() + LONGEST_CALL_S + RETENTION_DAYS * DAY_S

    audit.expire(blobs, protected_until - before_the_end_s, RETENTION_DAYS)

    assert len(blobs.stored) == 1


def test_the_last_entry_of_a_day_is_kept_until_its_outcome_is_as_old_as_the_policy_keeps_it() -> None:
    """Only with the next day does a look take a day after which nothing of it is protected any more."""
    last = WRITTEN.timestamp() + DAY_S - 1
    blobs = trail_of(datetime.fromtimestamp(last, UTC))
    midnight = WRITTEN.timestamp() + (RETENTION_DAYS + 1) * DAY_S

    look_every_hour(blobs, midnight, DAY_S)
    assert len(blobs.stored) == 1

    audit.expire(blobs, midnight + DAY_S - 0.125, RETENTION_DAYS)
    assert len(blobs.stored) == 1
    audit.expire(blobs, midnight + DAY_S, RETENTION_DAYS)
    assert blobs.stored == {}


@given(st.integers(0, DAY_S - 1), st.integers(0, 3 * 365))
def test_an_entry_is_deleted_by_one_look_whenever_the_app_runs_again(second_of_day: int, late_days: int) -> None:
    written = WRITTEN + timedelta(seconds=second_of_day)
    blobs = trail_of(written)
    past = WRITTEN.timestamp() + (RETENTION_DAYS + 2 + late_days) * DAY_S

    audit.expire(blobs, past, RETENTION_DAYS)

    assert blobs.stored == {}


def test_a_look_is_one_listing_of_days_that_are_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """However many entries are kept: names sort by day, and nothing is asked for after the first day that is kept."""
    blobs = trail_of(WRITTEN, WRITTEN + timedelta(days=1), WRITTEN + timedelta(days=2))
    taken: list[str] = []
    names = blobs.names

    def lazily(prefix: str) -> Iterator[str]:
        for path in names(prefix):
            taken.append(path)
            yield path

    monkeypatch.setattr(blobs, "names", lazily)
    asked: list[str] = []
    blobs.before = lambda operation, path: asked.append(operation)

    audit.expire(blobs, WRITTEN.timestamp() + (RETENTION_DAYS + 2) * DAY_S, RETENTION_DAYS)

    assert (asked, len(taken), len(blobs.stored)) == (["names", "delete"], 2, 2)


def test_an_entry_that_storage_still_protects_does_not_keep_other_days() -> None:
    blobs = trail_of(*(WRITTEN + timedelta(days=day, hours=hour) for day in range(3) for hour in range(2)))
    asked: list[str] = []

    def protect(operation: str, path: str) -> None:
        if operation == "delete":
            asked.append(path)
            if path.startswith(f"audit/{WRITTEN:%Y-%m-%d}/"):
                raise Unavailable("storage_refused", "protected")

    blobs.before = protect
    with pytest.raises(Unavailable):
        audit.expire(blobs, WRITTEN.timestamp() + 500 * DAY_S, RETENTION_DAYS)

    assert {path[6:16] for path in blobs.stored} == {f"{WRITTEN:%Y-%m-%d}"}
    assert len(asked) == 5, "of a day that is protected, one entry is tried"


@pytest.mark.parametrize("name", ["0", "2026-11-1", "2026-11-18", "2026-11-18T00/x", "readme.txt", "1/2/3"])
def test_what_is_no_entry_is_left_where_it_is(name: str) -> None:
    blobs = trail_of(WRITTEN)
    blobs.put(f"audit/{name}", b"")

    audit.expire(blobs, WRITTEN.timestamp() + 500 * DAY_S, RETENTION_DAYS)

    assert list(blobs.stored) == [f"audit/{name}"]
