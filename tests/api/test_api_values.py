"""What a person sees of values that do not fit: before the first run, when an export is saved, and after a run."""

from __future__ import annotations

import csv
import io
from typing import Any

import orjson
import pytest

from sandbox.activecampaign import CustomField
from tests.api.client import CONNECTION, EXPORT, Api, signed_in, with_function_key
from tests.builders import drive, people, write_segment
from tests.fakes import make_fakes

COLUMNS = ("EMail", "Tier", "Born", "Secret")
TIER, BORN = {"column": "Tier", "field": "TIER"}, {"column": "Born", "field": "BORN"}
ROWS = [
    *((f"p{number}@example.com", "gold", "1980-05-03", "x") for number in range(30)),
    ("q@example.com", "Golden", "5/3/1980", ""),
    ("r@example.com", "", "NULL", ""),
]


def exported(*fields: dict[str, Any]) -> dict[str, Any]:
    return EXPORT | {"dataMatching": {"email": "EMail", "fields": list(fields)}}


def prepare(api: Api) -> Api:
    api.fakes.account.put_field(CustomField(31, "Tier", "dropdown", ("Bronze", "Silver", "Gold")))
    api.fakes.account.put_field(CustomField(32, "Born", "date"))
    write_segment(api.fakes, ROWS, COLUMNS)
    api.put("/connections/main", CONNECTION)
    return api


@pytest.fixture
def api() -> Api:
    return prepare(with_function_key())


def preview(api: Api) -> dict[str, Any]:
    answer = api.post("/exports/newsletter/preview")
    assert answer.status == 200, answer.json
    return dict(answer.json)


def test_the_preview_shows_for_each_column_what_fits_and_examples_of_what_does_not(api: Api) -> None:
    api.put("/exports/newsletter", exported(TIER, BORN))
    tier, born = preview(api)["values"]
    assert tier == {
        "column": "Tier",
        "fieldId": 31,
        "title": "Tier",
        "type": "dropdown",
        "fit": 30,
        "empty": 1,
        "unfit": {"not_an_option": 1},
        "keep": 2,
        "examples": [
            {
                "reason": "not_an_option",
                "explanation": "The value is none of the field's options.",
                "contacts": 1,
                "examples": [
                    {"file": "people/people_1.csv", "row": 31, "value": "G***", "didYouMean": "Gold"},
                ],
            }
        ],
    }
    assert born["unfit"] == {"date_order_unknown": 1}
    assert born["examples"][0]["examples"] == [{"file": "people/people_1.csv", "row": 31, "value": "*/*/1***"}]


def test_three_examples_are_shown_of_each_reason(api: Api) -> None:
    write_segment(api.fakes, [*ROWS, *((f"s{number}@example.com", "Tin", "", "") for number in range(9))], COLUMNS)
    api.put("/exports/newsletter", exported(TIER))
    (tier,) = preview(api)["values"]
    (found,) = tier["examples"]
    assert (found["contacts"], [one["row"] for one in found["examples"]]) == (10, [31, 33, 34])


def test_a_hidden_column_shows_no_value_before_or_after_a_run() -> None:
    api = prepare(Api(make_fakes(HIDDEN_COLUMNS="tier"), {}))
    api.put("/exports/newsletter", exported(TIER))
    (tier,) = preview(api)["values"]
    assert tier["examples"][0]["examples"] == [{"file": "people/people_1.csv", "row": 31}]
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id)
    (row,) = values(api, run_id)
    assert (row["reason"], row["value"], row["didYouMean"]) == ("not_an_option", "", "")


def test_problems_of_fields_stop_no_run(api: Api) -> None:
    api.put("/exports/newsletter", exported(TIER))
    api.fakes.account.put_field(CustomField(31, "Tier", "dropdown", ("Gold",), lists=(9,)))
    found = preview(api)["problems"]
    assert [(problem["code"], problem["stopsRun"]) for problem in found] == [("field_not_related", False)]
    write_segment(api.fakes, [], COLUMNS)
    assert [problem["stopsRun"] for problem in preview(api)["problems"]] == [True, False]


def test_an_option_that_is_gone_since_the_last_run_is_a_problem_with_the_number_of_people(api: Api) -> None:
    api.put("/exports/newsletter", exported(TIER))
    drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    api.fakes.account.put_field(CustomField(31, "Tier", "dropdown", ("Bronze", "Silver")))
    (problem,) = preview(api)["problems"]
    assert (problem["code"], problem["stopsRun"]) == ("options_changed", False)
    assert problem["message"].startswith(
        "30 people have a value of the column Tier that was an option of the field Tier"
    )


def test_saving_warns_of_a_column_that_fits_in_under_half_of_its_rows(api: Api) -> None:
    write_segment(api.fakes, [(f"p{n}@example.com", "Gold", "n/k", "") for n in range(9)] + ROWS[:8], COLUMNS)
    saved = api.put("/exports/newsletter", exported(TIER, BORN))
    assert saved.status == 201
    (warning,) = saved.json["warnings"]
    assert warning["message"].startswith(
        "Of 17 values in the first rows of the column Born, 9 do not fit Born (not_a_date: 9)."
    )
    assert (warning["code"], warning["params"]["unfit"]) == ("column_fits_seldom", 9)
    assert "warnings" not in api.get("/exports/newsletter").json
    again = api.put("/exports/newsletter", saved.json, headers={"If-Match": saved.headers["ETag"]})
    assert again.status == 200, again.json
    assert again.json["warnings"] == saved.json["warnings"]


def test_saving_says_nothing_where_half_fits(api: Api) -> None:
    write_segment(api.fakes, [(f"p{n}@example.com", "Gold", "n/k", "") for n in range(8)] + ROWS[:8], COLUMNS)
    assert "warnings" not in api.put("/exports/newsletter", exported(TIER, BORN)).json


def test_saving_refuses_what_the_field_cannot_hold(api: Api) -> None:
    refused = api.put("/exports/newsletter", exported(TIER | {"whenEmpty": {"text": "Tin"}}))
    assert (refused.status, refused.code) == (422, "when_empty_does_not_fit")
    refused = api.put("/exports/newsletter", exported(TIER | {"yes": ["true"]}))
    assert (refused.status, refused.code) == (422, "yes_without_option")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"dateOrder": "ymd"}, "dataMatching.fields.0.dateOrder: "),
        ({"separator": ""}, "dataMatching.fields.0.separator: "),
        ({"separator": "and"}, "dataMatching.fields.0.separator: expected punctuation, a blank or json"),
        ({"decimalMark": ";"}, "dataMatching.fields.0.decimalMark: "),
        ({"onBadValue": "reject"}, "dataMatching.fields.0.onBadValue: "),
        ({"whenEmpty": "clear"}, "dataMatching.fields.0.whenEmpty: "),
    ],
)
def test_what_an_export_says_of_values_is_one_of_a_few_words(api: Api, change: dict[str, Any], told: str) -> None:
    refused = api.put("/exports/newsletter", exported(TIER | change))
    assert refused.status == 422
    assert told in refused.json["detail"]


def test_a_time_zone_is_one_that_exists(api: Api) -> None:
    body = exported(TIER)
    body["dataMatching"]["timeZone"] = "Europe/Atlantis"
    assert (
        "dataMatching.timeZone: expected the name of a time zone" in api.put("/exports/newsletter", body).json["detail"]
    )
    body["dataMatching"]["timeZone"] = "Asia/Jakarta"
    assert api.put("/exports/newsletter", body).status == 201


def values(api: Api, run_id: str) -> list[dict[str, str]]:
    answer = api.get(f"/runs/{run_id}/values")
    assert answer.status == 200, answer.json
    assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
    return list(csv.DictReader(io.StringIO(answer.response.body.decode("utf-8-sig"))))


def test_after_a_run_the_list_has_the_values_as_they_are(api: Api) -> None:
    api.put("/exports/newsletter", exported(TIER, BORN))
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    assert api.get(f"/runs/{run_id}/values").code == "values_not_found"
    drive(api.fakes, run_id)
    shown = api.get(f"/runs/{run_id}").json
    assert shown["valuesUrl"] == f"/api/runs/{run_id}/values"
    assert [(one["column"], one["unfit"]) for one in shown["plan"]["values"]] == [
        ("Tier", {"not_an_option": 1}),
        ("Born", {"date_order_unknown": 1}),
    ]
    assert [(row["column"], row["value"], row["didYouMean"]) for row in values(api, run_id)] == [
        ("Tier", "Golden", "Gold"),
        ("Born", "5/3/1980", ""),
    ]
    for path in list(api.fakes.blobs.names("rejects/")):
        api.fakes.blobs.delete(path)
    gone = api.get(f"/runs/{run_id}/values")
    assert (gone.status, gone.code) == (404, "values_not_found")
    assert "has been deleted" in gone.json["detail"]


def test_where_all_values_fit_there_is_no_list(api: Api) -> None:
    write_segment(api.fakes, ROWS[:5], COLUMNS)
    api.put("/exports/newsletter", exported(TIER))
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id)
    assert "valuesUrl" not in api.get(f"/runs/{run_id}").json
    none = api.get(f"/runs/{run_id}/values")
    assert (none.code, none.json["detail"]) == ("values_not_found", "All values fit their fields.")


def test_the_list_is_for_those_who_may_see_people() -> None:
    api = signed_in("Admin")
    prepare(api)
    api.put("/exports/newsletter", exported(TIER))
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id)
    assert api.as_user("Viewer").get(f"/runs/{run_id}/values").status == 403
    assert api.as_user("Contributor").get(f"/runs/{run_id}/values").code == "connection_not_shared"
    assert api.get(f"/runs/{run_id}/values").status == 200


def test_an_export_that_was_sent_by_a_former_release_says_what_changes(api: Api) -> None:
    api.put("/exports/newsletter", exported(TIER, BORN))
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id)
    blobs, path = api.fakes.blobs, f"records/runs/{run_id}/manifest.json"
    manifest = orjson.loads(blobs.stored[path].data)
    for field in manifest["fields"]:
        del field["type"]
    blobs.put(path, orjson.dumps(manifest))
    changed = [warning for warning in preview(api)["warnings"] if warning["code"] == "values_change"]
    assert [warning["message"].partition(" were sent as they are")[0] for warning in changed] == [
        "So far, the values of the column Tier",
        "So far, the values of the column Born",
    ]


def test_names_and_phone_numbers_are_counted_too(api: Api) -> None:
    write_segment(api.fakes, people(3))
    matching = {"email": "EMail", "firstName": "FirstName", "lastName": "LastName", "phone": "Telephone"}
    api.put("/exports/newsletter", EXPORT | {"dataMatching": matching})
    assert [(one["column"], one["member"], one["fit"]) for one in preview(api)["values"]] == [
        ("FirstName", "firstName", 3),
        ("LastName", "lastName", 3),
        ("Telephone", "phone", 3),
    ]


def test_each_field_of_a_column_has_its_own_examples(api: Api) -> None:
    api.fakes.account.put_field(CustomField(33, "Rank", "dropdown", ("Golden", "Tin")))
    write_segment(api.fakes, [*ROWS, ("s@example.com", "Silver", "", "")], COLUMNS)
    api.put("/exports/newsletter", exported(TIER, {"column": "Tier", "field": "RANK"}))
    tier, rank = preview(api)["values"]
    assert [(one["row"], one.get("didYouMean")) for one in tier["examples"][0]["examples"]] == [(31, "Gold")]
    assert [one["row"] for one in rank["examples"][0]["examples"]] == [1, 2, 3]
