"""Records: what is stored, what is read back, and what is left to another release."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError
from pydantic.json_schema import JsonSchemaMode

from exporter.errors import Culprit, Stop, Wait
from exporter.model import VERSION, Record, Time, Value, check_version, load, to_epoch, to_text, upgrade


class Place(Value):
    row: int


class Note(Record):
    written_by: str
    at_utc: Time = 0.0
    comment: str | None = None
    place: Place | None = None


STORED = {"schemaVersion": VERSION, "writtenBy": "ada", "atUtc": "2026-11-18T11:06:40.250Z"}


def test_a_record_is_stored_in_camel_case_with_its_version_and_without_what_is_absent() -> None:
    assert orjson.loads(Note(written_by="ada", at_utc=1_795_000_000.25).to_json()) == STORED


def test_a_record_is_read_back_and_members_of_a_later_release_are_ignored() -> None:
    note = load(Note, orjson.dumps(STORED | {"invented": 1}))
    assert note == Note(written_by="ada", at_utc=1_795_000_000.25)
    with pytest.raises(ValidationError):
        note.written_by = "bob"


def test_a_time_may_be_given_as_seconds_or_as_text() -> None:
    assert Note(written_by="", at_utc=12).at_utc == 12.0
    assert Note(written_by="", at_utc="1970-01-01T00:00:12.000Z").at_utc == 12.0  # type: ignore[arg-type]
    with pytest.raises(ValidationError, match="Invalid isoformat"):
        Note(written_by="", at_utc="yesterday")  # type: ignore[arg-type]
    assert Note(written_by="", at_utc=12).model_dump()["at_utc"] == 12.0


@pytest.mark.parametrize("mode", ["validation", "serialization"])
def test_the_json_schema_of_a_time_is_that_of_a_text(mode: JsonSchemaMode) -> None:
    schema = Note.model_json_schema(mode=mode)["properties"]["atUtc"]
    assert (schema["type"], schema["format"]) == ("string", "date-time")


@pytest.mark.parametrize(
    "stored",
    [
        {"writtenBy": 5},
        {"schemaVersion": 0},
        {"schemaVersion": "2"},
        {"schemaVersion": None},
        {"schemaVersion": VERSION, "writtenBy": None},
        {"atUtc": 12},  # seconds, as they stand in Python only
        {"place": {"row": "x"}},
    ],
)
def test_a_record_that_does_not_fit_is_refused_and_says_where(stored: dict[str, Any]) -> None:
    with pytest.raises(
        Stop, match=r"A stored Note does not fit this release \(at: (schemaVersion|writtenBy|atUtc|place\.row)\)"
    ) as stop:
        load(Note, orjson.dumps(STORED | stored))
    assert (stop.value.code, stop.value.culprit) == ("record_unreadable", Culprit.SYSTEM)


def test_a_refusal_names_each_member_once_and_none_of_the_values() -> None:
    with pytest.raises(Stop, match=r"\(at: atUtc, writtenBy\)") as stop:
        load(Note, orjson.dumps(STORED | {"writtenBy": ["secret"], "atUtc": "secret"}))
    assert "secret" not in str(stop.value)


@pytest.mark.parametrize("data", [b"", b"{", b"[]", b"7", b"null"])
def test_what_is_no_record_at_all_is_refused(data: bytes) -> None:
    with pytest.raises(Stop, match="does not fit this release") as stop:
        load(Note, data)
    assert stop.value.code == "record_unreadable"


def test_a_record_of_a_newer_version_is_left_to_that_release() -> None:
    with pytest.raises(Wait, match="Expected a Note of schema version 2 or lower, found 3") as wait:
        load(Note, orjson.dumps(STORED | {"schemaVersion": VERSION + 1}))
    assert (wait.value.code, wait.value.culprit) == ("newer_release", Culprit.SYSTEM)


@pytest.mark.parametrize("version", [0, 1, True, None, "2"])
def test_no_other_version_counts_as_newer(version: object) -> None:
    check_version(version, "record")


def test_a_record_of_version_1_is_read_as_one_of_today() -> None:
    class Connection(Note):
        account_name: str

    old = STORED | {"schemaVersion": 1, "account": "acme", "place": {"row": 7}}
    assert load(Connection, orjson.dumps(old)) == Connection(
        written_by="ada", at_utc=1_795_000_000.25, place=Place(row=7), account_name="acme"
    )


@pytest.mark.parametrize(
    ("kind", "old", "new"),
    [
        ("Run", {"end": {"account": {"account": 1}}}, {"end": {"tally": {"account": 1}}}),
        ("Run", {"amended": {"account": 1}}, {"amended": {"tally": 1}}),
        ("Report", {"account": 1}, {"tally": 1}),
        ("Connection", {"account": "acme"}, {"accountName": "acme"}),
        ("Export", {"maxProfiles": 9}, {"maxContacts": 9}),
        ("Run", {"export": {"maxProfiles": 9}, "maxProfiles": 9}, {"export": {"maxContacts": 9}, "maxProfiles": 9}),
        ("Run", {"plan": {"rejected": {}}, "rejected": 1}, {"plan": {"rejectedByReason": {}}, "rejected": 1}),
        (
            "Manifest",
            {"batches": [{"offset": 0, "length": 5, "rowsLength": 3, "count": 1}], "length": 1},
            {"batches": [{"offsetBytes": 0, "bodyBytes": 5, "referencesBytes": 3, "count": 1}], "length": 1},
        ),
        ("Slot", {"schemaVersion": 1, "run": {"schemaVersion": 1}}, {"schemaVersion": 2, "run": {"schemaVersion": 2}}),
    ],
)
def test_members_of_version_1_have_the_names_of_today_where_they_were_renamed(
    kind: str, old: dict[str, Any], new: dict[str, Any]
) -> None:
    assert upgrade(old, kind) == new


def test_times_are_written_in_utc_with_milliseconds() -> None:
    assert to_text(1_795_000_000) == "2026-11-18T11:06:40.000Z"
    assert to_text(1_795_000_000.2504) == "2026-11-18T11:06:40.250Z"
    assert to_epoch("2026-11-18T12:06:40.250+01:00") == 1_795_000_000.25


@given(st.integers(0, 4_000_000_000_000))
def test_a_time_comes_back_to_the_millisecond(epoch_ms: int) -> None:
    assert to_epoch(to_text(epoch_ms / 1000)) == pytest.approx(epoch_ms / 1000, abs=0.0011)
