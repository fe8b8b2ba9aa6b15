import csv
import io
import json
from collections import Counter
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.segment import COLUMNS, Segment, row

REFRESHED = datetime(2026, 11, 23, 4, 15, tzinfo=UTC)
FOLDER = "CustomerInsights_5a0c3b1e-7d24-4c86-9f3b-2e6d8a41b907/BlobExport"
EMAIL = list(COLUMNS).index("EMail")


def rows_in(segment: Segment) -> list[list[str]]:
    content = b"".join(chunk for path, chunks in segment.files() for chunk in chunks if path.endswith(".csv"))
    return list(csv.reader(io.StringIO(content.decode(), newline=""), strict=True))


def reason_of(fields: list[str], seen: set[str]) -> str | None:
    """Judge a row by rules of its own, not by the generator's."""
    email = fields[EMAIL].strip().lower()
    local, _, domain = email.partition("@")
    if len(fields) != len(COLUMNS):
        return "wrong_field_count"
    if not email:
        return "missing_email"
    if not domain:
        return "invalid_email_no_at"
    if set(local) & set(" '"):
        return "invalid_email_character"
    if "." not in domain:
        return "invalid_email_domain"
    if email in seen:
        return "duplicate_email"
    seen.add(email)
    return None


@pytest.fixture(scope="module")
def segment() -> tuple[Segment, list[list[str]]]:
    segment = Segment(REFRESHED)
    return segment, rows_in(segment)


def test_a_segment_has_the_rejects_it_says_it_has(segment: tuple[Segment, list[list[str]]]) -> None:
    made, rows = segment
    seen: set[str] = set()
    reasons = Counter(reason_of(fields, seen) for fields in rows)
    assert made.expected.rows == len(rows) == 5000
    assert made.expected.contacts == reasons.pop(None)
    assert made.expected.set_aside == reasons


def test_about_two_rows_in_a_hundred_are_bad(segment: tuple[Segment, list[list[str]]]) -> None:
    made, _ = segment
    assert 0.015 < sum(made.expected.set_aside.values()) / made.expected.rows < 0.025


@given(st.integers(0, 3000))
def test_the_expected_counts_add_up(profiles: int) -> None:
    expected = Segment(REFRESHED, profiles).expected
    assert expected.contacts + sum(expected.set_aside.values()) == expected.rows == profiles


def test_names_come_in_many_scripts_and_addresses_in_ascii(segment: tuple[Segment, list[list[str]]]) -> None:
    _, rows = segment
    letters = {letter for fields in rows for letter in fields[list(COLUMNS).index("FullName")]}
    for script in "éŁĐєΩحנ伟さ민आ":
        assert any(abs(ord(letter) - ord(script)) < 64 for letter in letters), script
    assert all(fields[EMAIL].isascii() for fields in rows)


def test_addresses_have_commas_quotes_and_line_breaks(segment: tuple[Segment, list[list[str]]]) -> None:
    _, rows = segment
    streets = [fields[list(COLUMNS).index("StreetAddress")] for fields in rows]
    for character in ',"\n':
        assert any(character in street for street in streets)


def test_a_written_segment_is_a_folder_like_the_container(tmp_path: Path) -> None:
    segment = Segment(REFRESHED, 100)
    segment.write(tmp_path)
    written = {path.relative_to(tmp_path).as_posix(): path.read_bytes() for path in tmp_path.rglob("*.*")}
    assert written == {path: b"".join(chunks) for path, chunks in segment.files()}


def test_the_layout_is_that_of_customer_insights() -> None:
    paths = [path for path, _ in Segment(REFRESHED, 10, 2, table="Vips").files()]
    assert paths == [
        f"{FOLDER}/Vips/2026/11/23/0415/Vips_1.csv",
        f"{FOLDER}/Vips/2026/11/23/0415/Vips_2.csv",
        f"{FOLDER}/model.json",
    ]


def test_the_model_names_columns_and_partitions() -> None:
    *parts, (_, content) = [(path, b"".join(chunks)) for path, chunks in Segment(REFRESHED, 10).files()]
    (entity,) = json.loads(content)["entities"]
    locations = [partition["location"] for partition in entity["partitions"]]
    assert [attribute["name"] for attribute in entity["attributes"]] == list(COLUMNS)
    assert locations == [
        f"https://segmentlanding.blob.core.windows.net/dynamics365customerinsights/{path}" for path, _ in parts
    ]
    assert entity["partitions"][0]["refreshTime"] == "2026-11-23T04:15:00.0000000+00:00"


def test_the_same_seed_makes_the_same_bytes_however_they_are_split() -> None:
    def content(partitions: int, seed: int) -> bytes:
        files = Segment(REFRESHED, 500, partitions, seed=seed).files()
        return b"".join(chunk for path, chunks in files for chunk in chunks if path.endswith(".csv"))

    assert content(3, seed=1) == content(7, seed=1)
    assert content(3, seed=1) != content(3, seed=2)


def test_a_row_far_down_a_large_segment_is_made_without_the_rows_before_it() -> None:
    assert row(999_999)[EMAIL].partition("@")[0].endswith(".999999")
