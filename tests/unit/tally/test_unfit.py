"""values.csv: bounded, safe in a spreadsheet, with the option that was probably meant."""

from __future__ import annotations

import csv
import io

import pytest

from exporter.contacts.matching import Field, Target
from exporter.contacts.values import ANY_TEXT, Flaw
from exporter.delivery.plan import ValueCount
from exporter.tally.unfit import LONGEST_TOLD, UnfitReport, UnfitValue, warned_of

TIER = Target("Tier", 0, ANY_TEXT, field=Field(3, "Loyalty", "dropdown", ("Bronze", "Silver", "Gold")))
PHONE = Target("Mobile", 1, ANY_TEXT, member="phone")


def unfit(value: str, target: Target = TIER, flaw: Flaw = Flaw.NOT_AN_OPTION, row: int = 1) -> UnfitValue:
    return UnfitValue("people/1.csv", row, "c-1", "ada@example.com", target, flaw, value)


def rows(report: UnfitReport) -> list[dict[str, str]]:
    assert report.data
    return list(csv.DictReader(io.StringIO(report.data.decode("utf-8-sig"), newline="")))


@pytest.mark.parametrize(
    ("value", "nearest"),
    [("Golden", "Gold"), (" GOLDE", "Gold"), ("silvr", "Silver"), ("Tin", None), ("Goose", None), ("", None)],
)
def test_the_option_that_looks_most_like_the_value_is_named(value: str, nearest: str | None) -> None:
    assert unfit(value).nearest == nearest


def test_what_has_no_options_names_none() -> None:
    assert unfit("Gold", PHONE).nearest is None


def test_a_line_tells_where_the_value_stands_and_why_it_does_not_fit() -> None:
    report = UnfitReport()
    report.add([unfit("=Golden"), unfit("-1", PHONE, Flaw.DAMAGED_PHONE)])
    first, second = rows(report)
    assert list(first.items())[:4] == [
        *(("file", "people/1.csv"), ("row", "1"), ("customerId", "c-1"), ("email", "ada@example.com")),
    ]
    assert (first["column"], first["field"], first["value"]) == ("Tier", "Loyalty", "'=Golden")
    assert (first["reason"], first["didYouMean"]) == ("not_an_option", "Gold")
    assert (second["field"], second["value"], second["reason"]) == ("phone", "'-1", "damaged_phone")
    assert (second["file"], second["didYouMean"]) == ("people/1.csv", "")
    assert first["explanation"] == Flaw.NOT_AN_OPTION.explanation


def test_of_a_hidden_column_the_value_is_not_shown() -> None:
    report = UnfitReport(lambda column: column == "Tier")
    report.add([unfit("Golden"), unfit("-1", PHONE)])
    first, second = rows(report)
    assert (first["value"], first["didYouMean"], first["row"], first["field"]) == ("", "", "1", "Loyalty")
    assert second["value"] == "'-1"


def test_so_many_values_of_each_column_and_reason_are_listed() -> None:
    report = UnfitReport()
    assert report.data is None
    for row in range(1_005):
        report.add([unfit("x", row=row)])
    report.add([unfit("y", flaw=Flaw.OPTION_GONE), unfit("z", PHONE)])
    listed = rows(report)
    assert len(listed) == 1_002
    assert {row["value"] for row in listed} == {"x", "y", "z"}
    assert listed[-3]["row"] == "999"


def test_a_sentence_says_how_many_and_why() -> None:
    counts = (
        ValueCount(column="Tier", field_id=3, title="Rank", type="dropdown", fit=5, unfit={"not_an_option": 2}),
        ValueCount(column="Mobile", member="phone", fit=7),
        ValueCount(column="Tel", member="phone", unfit={"damaged_phone": 1, "x": 2}),
        ValueCount(column="Born", field_id=7, title="", type="date", unfit={"not_a_date": 1}),
    )
    end = ". They are left out, and the people are sent."
    assert [one.message.removesuffix(end) for one in warned_of(counts)] == [
        "2 of 7 values of the column Tier do not fit the field Rank (dropdown) (not_an_option: 2)",
        "3 of 3 values of the column Tel do not fit phone (damaged_phone: 1, x: 2)",
        "1 of 1 values of the column Born do not fit the field 7 (date) (not_a_date: 1)",
    ]
    assert {one.code for one in warned_of(counts)} == {"values_do_not_fit"}
    assert warned_of(counts)[1].params == {
        "case": "member",
        "column": "Tel",
        "member": "phone",
        "unfit": 3,
        "values": 3,
        "reasons": "damaged_phone: 1, x: 2",
    }


def test_of_a_long_value_the_beginning_is_listed() -> None:
    report = UnfitReport()
    report.add([unfit("x" * (LONGEST_TOLD + 1))])
    (row,) = rows(report)
    assert row["value"] == "x" * LONGEST_TOLD


def test_the_nearest_option_is_looked_for_once_for_each_value(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[str] = []

    def nearest(value: UnfitValue) -> str:
        asked.append(value.value)
        return value.value.upper()

    monkeypatch.setattr(UnfitValue, "nearest", property(nearest))
    report = UnfitReport()
    report.add([unfit("Golden"), unfit("Golden", row=2), unfit("Silvr")])
    assert asked == ["Golden", "Silvr"]
    assert [row["didYouMean"] for row in rows(report)] == ["GOLDEN", "GOLDEN", "SILVR"]


def test_the_nearest_of_many_options_is_found_though_few_are_compared() -> None:
    options = tuple(f"Branch office number {number:03}" for number in range(500))
    target = Target("Office", 0, ANY_TEXT, field=Field(3, "Office", "dropdown", options))
    assert unfit("branch ofice nummber 321", target).nearest == "Branch office number 321"
