"""Exports: what a person may decide, each limit on both of its sides, and what holds when nothing is said."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from exporter.definitions.exports import Export, ExportDefinition
from tests.unit.definitions.members import EXPORT


def export(**members: Any) -> ExportDefinition:
    return ExportDefinition.model_validate(EXPORT | members)


def matching(**members: Any) -> ExportDefinition:
    return export(dataMatching={"email": "EMail"} | members)


def fields(count: int) -> list[dict[str, str]]:
    return [{"column": "Tier", "field": str(number)} for number in range(count)]


@pytest.mark.parametrize(
    ("schedule", "paused", "starts"),
    [("withEveryRefresh", False, True), ("withEveryRefresh", True, False), ("none", False, False)],
)
def test_a_former_release_that_is_deployed_again_starts_what_starts_by_itself_now(
    schedule: str, *, paused: bool, starts: bool
) -> None:
    history = {"version": 1, "createdBy": "ada", "createdUtc": 0.0, "updatedBy": "ada", "updatedUtc": 0.0}
    pause = {"paused": {"by": "ada", "sinceUtc": 0.0}} if paused else {}
    stored = Export.model_validate(EXPORT | history | pause | {"id": "one", "schedule": {"kind": schedule}})
    assert stored.model_dump(by_alias=True)["scheduled"] is starts


def test_an_export_is_careful_where_nothing_is_said() -> None:
    assert export().model_dump() == {
        "display_name": "Newsletter",
        "connection_id": None,
        "list_id": 7,
        "segments": ("people",),
        "files": None,
        "ignore": (),
        "complete_when": None,
        "encoding": None,
        "data_matching": {
            "email": "EMail",
            "first_name": None,
            "last_name": None,
            "phone": None,
            "fields": (),
            "winner": None,
            "fill_empty": False,
            "time_zone": "UTC",
            "no_value_texts": True,
        },
        "schedule": None,
        "run_automations": False,
        "consent_column": None,
        "max_contacts": 1_000_000,
        "allow_over_contact_limit": False,
        "guards": {"may_be_empty": False, "size_factor": None, "max_reject_share": 0.5},
        "skip_unchanged": True,
    }


def test_of_a_field_nothing_more_has_to_be_said() -> None:
    (field,) = matching(fields=[{"column": "c", "field": "1"}]).data_matching.fields
    assert field.model_dump(exclude={"column", "field"}) == {
        "date_order": None,
        "decimal_mark": None,
        "separator": ";",
        "yes": (),
        "on_bad_value": "leaveOut",
        "when_empty": None,
    }
    consent = export(consentColumn={"column": "c", "value": "v"}).consent_column
    assert consent
    assert consent.condition == "equals"


@pytest.mark.parametrize(
    ("member", "good", "bad"),
    [
        ("files", [None, "all", "newest"], ["", "oldest", 1]),
        ("ignore", [[], ["x"], ["*.zip"], ["x" * 128], ["a b/c*"] * 20], [[""], ["x" * 129], ["a\n"], ["a"] * 21, "a"]),
        (
            "completeWhen",
            [None, {"marker": "m"}, {"marker": "_DONE"}, {"marker": "m" * 128}, {"minutes": 1}, {"minutes": 1440}],
            [{}],
        ),
        ("completeWhen", [None], [{"marker": "a/b"}, {"marker": ""}, {"marker": "m" * 129}, {"marker": "a\x00"}]),
        ("completeWhen", [None], [{"minutes": 0}, {"minutes": 1441}, {"minutes": 1, "marker": "_DONE"}]),
        ("encoding", [None, "e", "E", "windows-1252", "e" * 32], ["", "e" * 33, "utf 8", "\u00fc"]),
        ("listId", [1, 2_147_483_647], [0, 2_147_483_648, None]),
        ("maxContacts", [1, 1_000_000], [0, 1_000_001]),
        ("connectionId", [None, "a", "a-1", "0" * 63], ["", "0" * 64, "A", "-a", "a-", "a--b", "a_b", "a/b", "a\n"]),
        ("displayName", ["N", "n" * 200, "two words", "\u00e9"], ["", "n" * 201, " n", "n ", "a\nb", "a\x7fb", "n\n"]),
        ("segments", [["s"], ["s" * 512], [str(n) for n in range(20)]], [[], [str(n) for n in range(21)]]),
        ("segments", [["a", "A"], ["a b/c"]], [["a", "b", "a"], [""], ["s" * 513], ["a\x00"], ["a\x1f"], ["a\x7f"]]),
        ("consentColumn", [None, {"column": "c", "value": "v" * 256}], [{"column": "", "value": "v"}]),
        (
            "consentColumn",
            [{"column": "c" * 256, "value": "v"}],
            [{"column": "c", "value": "v" * 257}, {"column": "c"}],
        ),
        ("consentColumn", [{"column": "c", "value": " "}], [{"column": "c", "value": ""}, {"column": "c" * 257}]),
        (
            "consentColumn",
            [{"column": "c", "value": "v", "condition": condition} for condition in ("equals", "isNot")],
            [{"column": "c", "condition": condition} for condition in ("equals", "isNot", "isempty", None)],
        ),
        (
            "consentColumn",
            [{"column": "c", "condition": "isEmpty"}, {"column": "c", "condition": "isEmpty", "value": None}],
            [{"column": "c", "condition": "isEmpty", "value": "v"}],
        ),
    ],
)
def test_each_limit_of_an_export_holds_on_both_sides(member: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        export(**{member: value})
    for value in bad:
        with pytest.raises(ValidationError):
            export(**{member: value})


@pytest.mark.parametrize(
    ("member", "good", "bad"),
    [
        ("email", ["e", "e" * 256], ["", "e" * 257, None]),
        ("firstName", [None, "f", "f" * 256], ["", "f" * 257]),
        ("lastName", [None, "l" * 256], ["", "l" * 257]),
        ("phone", [None, "p" * 256], ["", "p" * 257]),
        ("fields", [[], fields(50)], [fields(51)]),
        ("winner", [None, {"column": "c" * 256}], [{}, {"column": ""}, {"column": "c" * 257}, "c"]),
        ("fillEmpty", [False, True], [None]),
        ("timeZone", ["UTC", "Asia/Jakarta"], [None, "", "Jakarta", "x" * 65]),
        ("fields", [[{"column": "c", "field": "%A_z9%"}]], [[{"column": "", "field": "1"}], [{"column": "c"}]]),
        ("fields", [[{"column": "c", "field": "f" * 64}]], [[{"column": "c", "field": "f" * 65}]]),
        (
            "fields",
            [[{"column": "c" * 256, "field": "1"}]],
            [[{"column": "c", "field": bad}] for bad in ("", "a-b", "1\n")],
        ),
    ],
)
def test_each_limit_of_the_data_matching_holds_on_both_sides(member: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        matching(**{member: value})
    for value in bad:
        with pytest.raises(ValidationError):
            matching(**{member: value})


@pytest.mark.parametrize(
    ("member", "good", "bad"),
    [
        ("dateOrder", [None, "dmy", "mdy"], ["ymd", ""]),
        ("decimalMark", [None, ".", ","], [";", ""]),
        ("separator", [";", " ", "json", "||||"], [None, "", "a", "1;", "csv", "|||||"]),
        (
            "yes",
            [[], ["1"], [str(number) for number in range(20)]],
            [None, [""], [str(number) for number in range(21)]],
        ),
        ("onBadValue", ["leaveOut", "rejectRow"], [None, ""]),
        (
            "whenEmpty",
            [None, {"text": "t"}, {"clear": True}, {"text": "t", "clear": False}],
            [{}, {"text": ""}, "t", {"clear": False}, {"text": "t", "clear": True}],
        ),
    ],
)
def test_each_limit_of_a_field_holds_on_both_sides(member: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        matching(fields=[{"column": "c", "field": "1", member: value}])
    for value in bad:
        with pytest.raises(ValidationError):
            matching(fields=[{"column": "c", "field": "1", member: value}])


@pytest.mark.parametrize(
    ("member", "good", "bad"),
    [
        ("mayBeEmpty", [True, False], [None, "perhaps"]),
        ("sizeFactor", [None, 1, 1.5, 1_000_000], [0.99, 1_000_001, -1, "inf", "nan"]),
        ("maxRejectShare", [0, 0.05, 1], [-0.01, 1.01, None, "nan"]),
    ],
)
def test_each_limit_of_the_guards_holds_on_both_sides(member: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        export(guards={member: value})
    for value in bad:
        with pytest.raises(ValidationError):
            export(guards={member: value})


def test_the_columns_of_an_export_are_those_that_it_names() -> None:
    full = {"email": "e", "firstName": "f", "lastName": "l", "phone": "p", "fields": [{"column": "c", "field": "1"}]}
    assert export(dataMatching=full, consentColumn={"column": "o", "value": "yes"}).columns == tuple("eflpco")
    assert export(dataMatching=full | {"winner": {"column": "w"}}).columns == tuple("eflpcw")
    assert export(dataMatching={"email": "e"}).columns == ("e",)


def test_a_segment_that_is_named_twice_is_pointed_out() -> None:
    with pytest.raises(ValidationError, match="each segment must be named only once"):
        export(segments=["a", "b", "a"])
