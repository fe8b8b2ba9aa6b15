"""Dates and numbers in a column of texts are compared as what they are."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts import ranks as rules
from exporter.contacts.ranks import NEITHER, NUMBER, RANK, TIME, rank_of, ranks_of

ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=14, minutes=59)), timezone(timedelta(hours=-9))])
TIMES = st.datetimes(datetime(1880, 1, 1), datetime(2120, 1, 1)) | st.datetimes(timezones=st.just(UTC))  # noqa: DTZ001
WRITTEN_TIMES = st.builds(
    lambda time, zone, form, z: (
        time.replace(tzinfo=zone).isoformat(timespec=form).replace("+00:00", "Z" if z else "+00:00")
    ),
    TIMES.map(lambda time: time.replace(tzinfo=None)),
    ZONES,
    st.sampled_from(["minutes", "seconds", "milliseconds", "microseconds"]),
    st.booleans(),
) | st.dates().map(str)
NUMBERS = st.one_of(
    st.integers(-(10**20), 10**20).map(str),
    st.integers(10**16, 10**16 + 5).map(str),
    st.decimals(-1_000, 1_000, places=3).map(lambda value: format(value, "f")),
    st.floats(allow_nan=False, allow_infinity=False).map(repr),
    st.sampled_from(["0.1", "0.1000000000000000001", ".5", "5.", "1e400", "007", "-0"]),
)
OTHERS = st.sampled_from(["", " ", "11/26/2026", "2026-02-30", "2026-13-01", "26.11.2026", "nan", "inf", "1,5", "0x10"])
VALUES = st.one_of(WRITTEN_TIMES, NUMBERS, OTHERS, st.text(max_size=5))


def naive(text: str) -> tuple[int, object]:
    """Return what Python's own types say."""
    text = text.strip(" \t\r\n\u00a0")
    if text.isascii() and not {*text.lower()} & {*"nf_x"}:
        try:
            return 1, Decimal(text)
        except ArithmeticError:
            pass
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        return 0, 0
    offset = time.utcoffset() or timedelta()
    return 2, time.replace(tzinfo=None) - datetime(1, 1, 1) - offset  # noqa: DTZ001 - the offset is taken off


@given(st.lists(VALUES, min_size=2, max_size=8))
def test_ranks_are_in_the_order_of_pythons_own_types(values: list[str]) -> None:
    ranks = ranks_of(pa.array([text or None for text in values], pa.string())).tolist()
    for one, rank in zip(values, ranks, strict=True):
        for other, other_rank in zip(values, ranks, strict=True):
            bounded = (one, other)
            if any("e" in text and naive(text)[0] == 1 for text in bounded):
                assert (rank < other_rank) <= (naive(one) < naive(other)), "beyond a double, values may be equal"
            else:
                assert (rank < other_rank) == (naive(one) < naive(other)), bounded


@given(VALUES)
def test_columns_have_the_ranks_of_their_values(text: str) -> None:
    (rank,) = ranks_of(pa.array([text], pa.string())).tolist()
    kind, value, rest = rank_of(text.strip(" \t\r\n\u00a0"))
    assert rank == (kind, value, pytest.approx(rest, rel=1e-6))


DAYS = ["1900-01-01", "2099-12-28", "2026-09-09", "2026-10-19", "2026-02-20"]
CLOCKS = ["T00:00", " 09:59", "T19:09:00", " 23:59:59", "T20:00:00.5", "T08:15:30.123456"]
USUAL = [
    *("0", "7", "007", "123456789", "999999999999999", " 7\u00a0", *DAYS),
    *(f"2026-11-26{clock}{zone}" for clock in CLOCKS for zone in ("", "Z", "+00:00", "-09:30", "+14:59", "-10:00")),
]
UNUSUAL = [
    *("-1", "+5", ".5", "5.", "1.25", "1E5", "1e5", "1e-5", "9007199254740993", "10000000000000001", "1e9999"),
    *("1899-12-31", "2100-01-01", "2026-01-29", "2024-02-29", "2026-12-31", "20261126", "2026-W48-4"),
    *(
        f"2026-11-26{clock}"
        for clock in ("T10", "T10:00+02", "T10:00+15:00", "t10:00", "T10:00:00,5", "T10:00:00.1234567Z")
    ),
]
NEITHERS = ["", "x", ".", "1x", "x1", "1e", "1e99999", "--1", "1 2", "2026-02-30", "2026-11-26T24:30", "2026-11-26x"]
NEITHERS += ["2026-00-10", "2026-11-00", "2026-13-01", "2026-11-26T10:60", "2026-11-26T10:00:60", "\u0661"]


def test_what_is_usual_is_ranked_without_asking_for_each_value(monkeypatch: pytest.MonkeyPatch) -> None:
    expected = [rank_of(text.strip(" \u00a0")) for text in USUAL]
    monkeypatch.setattr(rules, "rank_of", None)
    assert ranks_of(pa.array(USUAL, pa.string())).tolist() == expected


@pytest.mark.parametrize("text", [*UNUSUAL, *NEITHERS])
def test_a_value_that_looks_almost_usual_has_the_rank_that_it_has_alone(text: str) -> None:
    rank = np.array([rank_of(text)], RANK)
    assert ranks_of(pa.array([None, "7", text, "2026-11-26"], pa.string()))[2] == rank[0]
    assert rank[0]["kind"] == (NEITHER if text in NEITHERS else TIME if text[4:5] == "-" or ":" in text else NUMBER)


def test_neither_is_less_than_a_number_and_a_number_less_than_a_time() -> None:
    assert (NEITHER, NUMBER, TIME) == (0, 1, 2)


def test_far_times_are_compared_to_the_microsecond() -> None:
    assert rank_of("9999-12-31T23:59:59.999998") < rank_of("9999-12-31T23:59:59.999999")
    assert rank_of("0001-01-01T00:00:00.000001") < rank_of("0001-01-01T00:00:00.000002")


def test_a_time_without_a_zone_is_in_utc() -> None:
    assert rank_of("2026-11-26T10:00") == rank_of("2026-11-26T12:00+02:00") == rank_of("2026-11-26 10:00Z")
    assert rank_of("2026-11-26") == rank_of("2026-11-26T00:00:00Z")


def test_what_is_not_there_is_neither() -> None:
    assert ranks_of(pa.array([None, "1"], pa.string()))["kind"].tolist() == [NEITHER, 1]
    assert RANK.itemsize == 13
