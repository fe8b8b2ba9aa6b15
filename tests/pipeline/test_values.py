"""Values on their whole way: from a segment into a contact; what does not fit, into the run, its report and a list."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson
import pytest

from exporter.definitions.exports import DataMatching, Export, FieldMatch, WhenEmpty
from exporter.delivery.manifest import Manifest
from exporter.pipeline.start import StartRequest, start
from exporter.records.paths import manifest_path
from exporter.runs.run import Run, RunStatus, Trigger
from sandbox.activecampaign import CustomField
from tests.builders import deliver, drive, logged, make_export, read_run, rejects_of, run_export, write_segment
from tests.fakes import Fakes, make_fakes

COLUMNS = ("EMail", "FirstName", "Telephone", "Born", "Seen", "Tier", "Drinks", "News", "Points", "Note")
FIELDS = (
    CustomField(1, "Born", "date"),
    CustomField(2, "Seen", "datetime"),
    CustomField(3, "Tier", "dropdown", ("Bronze", "Silver", "Gold")),
    CustomField(4, "Drinks", "listbox", ("Coffee", "Tea")),
    CustomField(5, "News", "checkbox", ("Yes",)),
    CustomField(6, "Points", "number"),
    CustomField(7, "Note", "textarea"),
)
GOOD = (
    *("ada@example.com", " Ada ", "31612345678.0", "1980-05-03T00:00:00.0000000Z", "2026-11-20 08:15:00", "gold"),
    *("Coffee,tea", "true", "1,234.50", "two\x0blines"),
)
STORED = {
    "1": "1980-05-03",
    "2": "2026-11-20T08:15:00+07:00",
    "3": "Gold",
    "4": "||Coffee||Tea||",
    "5": "||Yes||",
    "6": "1234.50",
    "7": "two\nlines",
}
BAD = (
    *("bob@example.com", "NULL", "3.16E+10", "5/3/1980 12:00:00 AM", "n/k", "Platinium", "Coffee,Wine"),
    *("perhaps", "1,234", "#REF!"),
)
EMPTY = ("cy@example.com", *[""] * 9)


def matching(**changes: dict[str, Any]) -> DataMatching:
    """Match every column; `changes` are further members of the match of a column."""
    about: dict[str, dict[str, Any]] = {"Drinks": {"separator": ","}, "News": {"yes": ("true", "1")}}
    fields = tuple(
        FieldMatch(
            column=field.title, field=str(field.id), **(about.get(field.title, {}) | changes.get(field.title, {}))
        )
        for field in FIELDS
    )
    return DataMatching(
        email="EMail", first_name="FirstName", phone="Telephone", fields=fields, time_zone="Asia/Jakarta"
    )


@pytest.fixture(params=["drop", "refuse"])
def fakes(request: pytest.FixtureRequest) -> Fakes:
    """Return a world whose ActiveCampaign drops values that do not fit, or refuses their contacts."""
    fakes = make_fakes()
    fakes.account.set_switches(unfit_values=request.param)
    for field in FIELDS:
        fakes.account.put_field(field)
    write_segment(fakes, [GOOD, BAD, EMPTY], COLUMNS)
    return fakes


def stored(fakes: Fakes, address: str) -> dict[str, str]:
    contact = fakes.account.contact(address)
    assert contact
    return {str(number): value for number, value in contact["fields"].items() if value}


def values_of(fakes: Fakes, run: Run) -> list[dict[str, str]]:
    manifest = Manifest.model_validate_json(fakes.blobs.stored[manifest_path(run.run_id)].data)
    assert manifest.values
    assert manifest.values.startswith(f"rejects/{run.run_id}/")
    return list(csv.DictReader(io.StringIO(fakes.blobs.stored[manifest.values].data.decode("utf-8-sig"))))


def counts(run: Run) -> dict[str, tuple[int, int, dict[str, int]]]:
    assert run.plan
    return {count.column: (count.fit, count.empty, count.unfit) for count in run.plan.values}


def test_nobody_is_lost_for_a_value_and_what_is_there_fits(fakes: Fakes) -> None:
    run = run_export(fakes, make_export(fakes, data_matching=matching()))
    assert run.end
    assert (run.end.tally.confirmed, run.end.status) == (3, RunStatus.SUCCESSFUL)
    assert stored(fakes, "ada@example.com") == STORED
    ada = fakes.account.contact("ada@example.com")
    assert ada
    assert (ada["first_name"], ada["phone"]) == ("Ada", "31612345678")
    assert stored(fakes, "bob@example.com") == {}
    assert stored(fakes, "cy@example.com") == {}


def test_what_does_not_fit_is_counted_by_column_and_reason(fakes: Fakes) -> None:
    run = run_export(fakes, make_export(fakes, data_matching=matching()))
    assert counts(run) == {
        "FirstName": (1, 2, {}),
        "Telephone": (1, 1, {"damaged_phone": 1}),
        "Born": (1, 1, {"date_order_unknown": 1}),
        "Seen": (1, 1, {"not_a_date": 1}),
        "Tier": (1, 1, {"not_an_option": 1}),
        "Drinks": (1, 1, {"not_an_option": 1}),
        "News": (1, 1, {"not_an_option": 1}),
        "Points": (1, 1, {"decimal_mark_unknown": 1}),
        "Note": (1, 2, {}),
    }
    assert run.plan
    warnings = "\n".join(run.plan.warnings)
    assert "1 of 2 values of the column Tier do not fit the field Tier (dropdown) (not_an_option: 1)." in warnings
    assert "1 of 2 values of the column Telephone do not fit phone (damaged_phone: 1)." in warnings
    assert "Contacts with a text that means no value, such as NULL, N/A or #REF!: 1. It was left out." in warnings
    assert [warning.message for warning in run.plan.warned] == [*run.plan.warnings]
    report = orjson.loads(fakes.blobs.stored[f"records/runs/{run.run_id}/report.json"].data)
    assert report["warnings"] == [warning["message"] for warning in report["warned"]] == [*run.plan.warnings]
    assert {one["column"]: one["unfit"] for one in report["values"]}["Born"] == {"date_order_unknown": 1}


def test_what_does_not_fit_is_listed_beside_the_rejects_and_nowhere_else(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    run = run_export(fakes, make_export(fakes, data_matching=matching()))
    tier = next(row for row in values_of(fakes, run) if row["column"] == "Tier")
    assert tier == {
        "file": "people/people_1.csv",
        "row": "2",
        "customerId": "",
        "email": "bob@example.com",
        "column": "Tier",
        "field": "Tier",
        "reason": "not_an_option",
        "value": "Platinium",
        "didYouMean": "",
        "explanation": "The value is none of the field's options.",
    }
    assert len(values_of(fakes, run)) == 7
    kept = b"".join(blob.data for path, blob in fakes.blobs.stored.items() if path.startswith(("records/", "audit/")))
    assert b"Platinium" not in kept
    assert "Platinium" not in str(logged(caplog))


def test_a_row_is_rejected_for_a_value_where_the_export_says_so(fakes: Fakes) -> None:
    run = run_export(fakes, make_export(fakes, data_matching=matching(Born={"on_bad_value": "rejectRow"})))
    assert run.end
    assert (run.end.tally.confirmed, run.end.tally.reasons) == (2, {"value_does_not_fit": 1})
    assert run.end.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert counts(run)["Born"] == (1, 1, {})
    assert [row["reason"] for row in values_of(fakes, run) if row["column"] == "Born"] == ["date_order_unknown"]
    (path,) = (path for path in fakes.blobs.names(f"rejects/{run.run_id}/") if not path.endswith(".values.csv"))
    assert b"value_does_not_fit" in fakes.blobs.stored[path].data


def test_a_text_may_be_sent_where_a_column_is_empty(fakes: Fakes) -> None:
    empty = {"when_empty": WhenEmpty(text="bronze")}
    run = run_export(fakes, make_export(fakes, data_matching=matching(Tier=empty)))
    assert stored(fakes, "cy@example.com") == {"3": "Bronze"}
    assert stored(fakes, "bob@example.com") == {}
    assert counts(run)["Tier"] == (2, 0, {"not_an_option": 1})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"Tier": {"when_empty": WhenEmpty(text="Tin")}}, "(whenEmpty) of the column Tier"),
        ({"Born": {"when_empty": WhenEmpty(text="NULL")}}, "(whenEmpty) of the column Born"),
        ({"Tier": {"yes": ("1",)}}, "it has: Bronze, Silver, Gold"),
    ],
)
def test_what_the_export_says_and_does_not_fit_any_more_costs_the_value_and_not_the_run(
    fakes: Fakes, changes: dict[str, dict[str, Any]], told: str
) -> None:
    run = run_export(fakes, make_export(fakes, data_matching=matching(**changes)))
    assert run.end
    assert run.end.tally.confirmed == 3
    assert run.plan
    assert told in "\n".join(run.plan.warnings)
    assert {warning.code for warning in run.plan.warned} & {"when_empty_does_not_fit", "yes_without_option"}
    assert stored(fakes, "cy@example.com") == {}


def scheduled(fakes: Fakes, export: Export, number: int) -> Run:
    run_id = f"newsletter.20261123T1{number}0500Z.{number:032x}"
    start(fakes.services, StartRequest(export, Trigger.SCHEDULED, "schedule"), run_id)
    deliver(fakes)
    return read_run(fakes, run_id) if read_run(fakes, run_id).end else drive(fakes, run_id)


def test_an_option_that_is_gone_is_told_and_a_new_one_lets_the_same_files_be_sent_again(fakes: Fakes) -> None:
    export = make_export(fakes, data_matching=matching())
    assert scheduled(fakes, export, 1).status is RunStatus.SUCCESSFUL
    assert scheduled(fakes, export, 2).status is RunStatus.SKIPPED
    fakes.account.put_field(CustomField(3, "Tier", "dropdown", ("Bronze", "Silver", "Platinium")))
    fakes.clock.sleep(60)  # what was seen is shared for so long
    run = scheduled(fakes, export, 3)
    assert run.status is RunStatus.SUCCESSFUL
    assert counts(run)["Tier"] == (1, 1, {"option_gone": 1})
    assert stored(fakes, "bob@example.com") == {"3": "Platinium"}
    assert stored(fakes, "ada@example.com")["3"] == "Gold"  # what is in ActiveCampaign stays
    assert scheduled(fakes, export, 4).status is RunStatus.SKIPPED
    assert counts(run_export(fakes, export))["Tier"] == (1, 1, {"option_gone": 1})  # as long as anybody has it


def test_a_field_that_nobody_would_see_is_told(fakes: Fakes) -> None:
    fakes.account.put_field(CustomField(3, "Tier", "dropdown", ("Gold",), lists=(9,)))
    fakes.account.put_field(CustomField(7, "Note", "holograph"))
    run = run_export(fakes, make_export(fakes, data_matching=matching()))
    assert run.plan
    warnings = "\n".join(run.plan.warnings)
    assert "Expected the custom field Tier to be related to list 1; it is not" in warnings
    assert "The custom field Note has a type that is not known here (holograph)" in warnings
    assert {"field_not_related", "field_type_unknown"} < {warning.code for warning in run.plan.warned}
    assert stored(fakes, "ada@example.com")["7"] == "two\nlines"


@pytest.mark.parametrize("fields_tell", ["by_field", "by_ids", "nothing"])
def test_options_are_found_in_every_shape_of_answer(fakes: Fakes, fields_tell: str) -> None:
    fakes.account.set_switches(fields_tell=fields_tell)
    run_export(fakes, make_export(fakes, data_matching=matching()))
    assert stored(fakes, "ada@example.com") == STORED


def test_a_list_of_rejects_is_as_before(fakes: Fakes) -> None:
    write_segment(fakes, [GOOD, ("nobody", *[""] * 9)], COLUMNS)
    run = run_export(fakes, make_export(fakes, data_matching=matching()))
    assert [row["reason"] for row in rejects_of(fakes, run.run_id)] == ["invalid_email_no_at"]


def test_another_title_of_a_field_changes_no_value(fakes: Fakes) -> None:
    export = make_export(fakes, data_matching=matching())
    assert scheduled(fakes, export, 1).status is RunStatus.SUCCESSFUL
    fakes.account.put_field(CustomField(3, "Loyalty", "dropdown", ("Bronze", "Silver", "Gold")))
    assert scheduled(fakes, export, 2).status is RunStatus.SKIPPED
