"""A preview says what a run would come to, and sends nothing."""

from __future__ import annotations

import pytest

from exporter.queries import reading
from exporter.records import audit
from tests.api.client import CONNECTION, EXPORT, Api, signed_in, with_function_key
from tests.builders import drive, people, write_segment

ROWS = [
    *people(600),
    *[("d", "Dup", "", "P7@example.com", "")] * 7,
    ("b", "Bad", "", "nobody", ""),
    ("b", "two\nlines, and a comma", "", "nobody,\nnowhere", ""),
    ("b", "Bad", "", "", ""),
]


@pytest.fixture
def api() -> Api:
    api = with_function_key()
    write_segment(api.fakes, ROWS)
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    return api


def codes(api: Api) -> list[str]:
    answer = api.post("/exports/newsletter/preview")
    assert answer.status == 200, answer.json
    return [problem["code"] for problem in answer.json["problems"]]


def test_every_row_is_in_a_bucket_with_examples_by_row_number(api: Api) -> None:
    shown = api.post("/exports/newsletter/preview")
    assert shown.status == 200
    found = shown.json
    assert (found["rowsRead"], found["contacts"], found["duplicates"]) == (610, 600, 7)
    assert found["rejectedByReason"] == {"invalid_email_no_at": 2, "missing_email": 1}
    assert found["contacts"] + found["duplicates"] + sum(found["rejectedByReason"].values()) == found["rowsRead"]
    assert {e["reason"]: [row["row"] for row in e["rows"]] for e in found["examples"]} == {
        "duplicate_email": [601, 602, 603],
        "invalid_email_no_at": [608, 609],
        "missing_email": [610],
    }
    assert {row["file"] for e in found["examples"] for row in e["rows"]} == {"people/people_1.csv"}
    assert (found["requests"], found["secondsNeeded"]) == (3, 2)
    assert found["contactRoom"] == {"contactLimit": 2_000_000, "contacts": 0}
    assert found["problems"] == []


def test_no_address_is_shown(api: Api) -> None:
    body = api.post("/exports/newsletter/preview").response.body
    assert b"example.com" not in body
    assert b"nobody" not in body


def test_a_preview_sends_and_keeps_nothing(api: Api) -> None:
    kept = {path for path in api.fakes.blobs.stored if not path.startswith(audit.PREFIX)}
    api.post("/exports/newsletter/preview")
    assert {path for path in api.fakes.blobs.stored if not path.startswith(audit.PREFIX)} == kept
    assert {request.method for request in api.fakes.activecampaign.requests} == {"GET"}
    assert api.fakes.messages.queues == {}


def test_a_run_comes_to_what_the_preview_said(api: Api) -> None:
    shown = api.post("/exports/newsletter/preview").json
    run = drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    assert run.plan
    assert (run.plan.rows_read, run.plan.contacts, run.plan.batches) == (
        shown["rowsRead"],
        shown["contacts"],
        shown["requests"],
    )


def test_a_definition_that_is_not_saved_is_previewed_as_a_saved_one_is(api: Api) -> None:
    saved = api.post("/exports/newsletter/preview")
    kept = {path for path in api.fakes.blobs.stored if not path.startswith(audit.PREFIX)}
    shown = api.post("/previews", EXPORT)
    assert (shown.status, shown.json) == (200, saved.json)
    assert {path for path in api.fakes.blobs.stored if not path.startswith(audit.PREFIX)} == kept
    assert api.post("/previews", EXPORT | {"consentColumn": {"column": "LastName", "value": "x"}}).json["contacts"] == 0


def test_a_definition_is_compared_with_the_last_run_of_the_export_that_it_is_to_replace(api: Api) -> None:
    drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    write_segment(api.fakes, people(3))

    def found(**query: str) -> list[str]:
        return [problem["code"] for problem in api.post("/previews", EXPORT, query=query).json["problems"]]

    assert found() == []
    assert found(exportId="newsletter") == ["size_changed"]
    assert api.post("/previews", EXPORT, query={"exportId": "other"}).code == "export_not_found"


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"connectionId": None}, "connection_missing"),
        ({"connectionId": "other"}, "no_such_connection"),
        ({"listId": 99}, "list_not_found"),
        ({"segments": ["peeple"]}, "segment_not_found"),
        ({"id": "newsletter"}, "invalid_body"),
    ],
)
def test_a_definition_that_cannot_be_previewed_is_refused(api: Api, change: dict[str, object], code: str) -> None:
    refused = api.post("/previews", EXPORT | change)
    assert refused.code == code
    assert "validate=false" not in refused.json["detail"]


def test_contributors_preview_on_connections_that_are_shared_and_compare_with_exports_that_they_may_run() -> None:
    admin = signed_in("Admin")
    write_segment(admin.fakes, ROWS)
    for connection_id, usable_by in (("main", "contributors"), ("private", "administrators")):
        admin.put(f"/connections/{connection_id}", CONNECTION | {"usableBy": usable_by})
    admin.put("/exports/secret", EXPORT | {"connectionId": "private"})
    contributor = admin.as_user("Contributor")
    assert contributor.post("/previews", EXPORT).status == 200
    assert contributor.post("/previews", EXPORT | {"connectionId": "private"}).code == "no_such_connection"
    assert contributor.post("/previews", EXPORT, query={"exportId": "secret"}).code == "connection_not_shared"


def test_one_caller_at_a_time_previews_what_is_not_saved(api: Api) -> None:
    with reading.one_reader():
        refused = api.post("/previews", EXPORT)
    assert (refused.status, refused.code) == (429, "reading_busy")


def test_an_empty_segment_is_a_problem(api: Api) -> None:
    write_segment(api.fakes, [])
    assert codes(api) == ["segment_empty"]


def test_a_segment_of_very_different_size_than_last_time_is_a_problem(api: Api) -> None:
    drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    write_segment(api.fakes, people(3))
    assert codes(api) == ["size_changed"]


def test_a_segment_of_nobody_who_can_be_sent_is_a_problem(api: Api) -> None:
    write_segment(api.fakes, [("b", "Bad", "", "nobody", "")] * 3)
    assert codes(api) == ["no_contact"]


def test_a_segment_of_which_most_rows_are_rejected_is_a_problem(api: Api) -> None:
    write_segment(api.fakes, [*people(29), *[("b", "Bad", "", "nobody", "")] * 30])
    assert codes(api) == ["too_many_rows_rejected"]


def test_all_problems_are_shown_and_each_has_its_switch(api: Api) -> None:
    drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    write_segment(api.fakes, [("b", "Bad", "", "nobody", "")] * 30)
    assert codes(api) == ["no_contact", "too_many_rows_rejected", "size_changed"]
    guards = {"mayBeEmpty": True, "maxRejectShare": 1, "sizeFactor": 50}
    ahead = {"headers": {"If-Match": "*"}, "query": {"validate": "false"}}
    assert api.put("/exports/newsletter", EXPORT | {"guards": guards}, **ahead).status == 200
    assert codes(api) == []


def test_more_profiles_than_the_export_allows_are_a_problem_and_are_all_counted(api: Api) -> None:
    api.put("/exports/newsletter", EXPORT | {"maxContacts": 599}, headers={"If-Match": "*"})
    assert codes(api) == ["too_many_contacts"]
    assert api.post("/exports/newsletter/preview").json["contacts"] == 600


def test_an_account_without_room_is_a_problem_unless_the_export_allows_it(api: Api) -> None:
    api.fakes.account.set_contact_limit(599)
    assert codes(api) == ["contact_limit"]
    api.put("/exports/newsletter", EXPORT | {"allowOverContactLimit": True}, headers={"If-Match": "*"})
    api.fakes.activecampaign.requests.clear()
    assert codes(api) == []
    assert "/api/3/contacts" not in [request.path for request in api.fakes.activecampaign.requests]


def test_contacts_that_the_account_has_from_the_last_run_need_no_room(api: Api) -> None:
    api.fakes.account.set_contact_limit(600)
    assert drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"]).status == "completedWithWarnings"
    assert codes(api) == []
    write_segment(api.fakes, people(601))
    assert codes(api) == ["contact_limit"]


def test_people_on_the_list_need_no_room_whoever_put_them_there(api: Api) -> None:
    drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    api.fakes.account.set_contact_limit(600)
    api.put("/exports/other", EXPORT)
    assert api.post("/exports/other/preview").json["problems"] == []
    write_segment(api.fakes, people(602))
    (problem,) = api.post("/exports/other/preview").json["problems"]
    assert problem["code"] == "contact_limit"
    assert "up to 2 new contacts; the account has 600 of at most 600 contacts, and 600 of" in problem["message"]
    assert "A run would send nothing." in problem["message"]
    assert (problem["situation"], problem["params"]["newContacts"]) == ("preview", 2)


def test_a_run_without_room_in_the_account_sends_nothing(api: Api) -> None:
    api.fakes.account.set_contact_limit(599)
    run = drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    assert run.end
    assert run.end.problem
    assert (run.status, run.end.problem.code) == ("failed", "contact_limit")
    assert api.fakes.account.contacts() == []


def test_the_limit_of_an_account_whose_key_is_no_administrators_is_not_known(api: Api) -> None:
    api.fakes.account.set_key("key-1", admin=False)
    assert "account" not in api.post("/exports/newsletter/preview").json


def test_an_old_refresh_is_pointed_out(api: Api) -> None:
    api.fakes.clock.sleep(9 * 86_400)
    (warning,) = api.post("/exports/newsletter/preview").json["warnings"]
    assert "9 days ago" in warning["message"]
    assert (warning["code"], warning["params"]) == ("refresh_old", {"segment": "people", "days": 9})
    run = drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    assert api.get(f"/runs/{run.run_id}").json["plan"]["warnings"] == [warning]


def test_a_missing_column_is_told_as_when_saving(api: Api) -> None:
    write_segment(api.fakes, [("1",)], columns=("CustomerId",))
    refused = api.post("/exports/newsletter/preview")
    assert refused.code == "email_column_missing"
    assert refused.json["detail"].endswith("Its columns are: CustomerId.")


def test_the_record_of_a_run_does_not_repeat_the_columns_of_its_segment(api: Api) -> None:
    write_segment(api.fakes, [("1", "Berlin")], columns=("Surname", "Doe"))
    run_id = drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"]).run_id
    problem = api.get(f"/runs/{run_id}").json["problem"]
    assert (problem["code"], problem["message"]) == (
        "email_column_missing",
        (
            "The segment has no column EMail among its 2. Choose another column for 'Email' in the data matching "
            "(dataMatching.email) of the export."
        ),
    )
    assert not [path for path, blob in api.fakes.blobs.stored.items() if b"Doe" in blob.data]


def test_a_file_without_a_header_shows_nobody(api: Api) -> None:
    write_segment(api.fakes, [("John", "Roe", "Paris", "john-at-y")], columns=("Jane", "Doe", "Berlin", "mail-at-x"))
    run = drive(api.fakes, api.post("/exports/newsletter/runs").json["runId"])
    answers = [
        api.post("/exports/newsletter/preview"),
        api.get("/segments/people"),
        api.put("/exports/newsletter", EXPORT, headers={"If-Match": "*"}),
    ]
    assert {answer.code for answer in answers} == {"header_missing"}
    answers += [api.get("/segments"), api.get(f"/runs/{run.run_id}"), api.get("/exports/newsletter/runs")]
    shown = [answer.response.body for answer in answers] + [blob.data for blob in api.fakes.blobs.stored.values()]
    assert not [body for body in shown if b"Doe" in body or b"Berlin" in body]


def test_an_export_without_a_connection_has_no_preview(api: Api) -> None:
    api.post("/exports/newsletter/detach")
    assert api.post("/exports/newsletter/preview").code == "no_connection"


def test_a_segment_that_takes_too_long_is_not_waited_for(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.pipeline.batching.HEARTBEAT_ROWS", 100)
    api.fakes.activecampaign.request_s = 0.0
    monkeypatch.setattr(reading, "DEADLINE_S", -1.0)
    refused = api.post("/exports/newsletter/preview")
    assert (refused.status, refused.code) == (503, "reading_too_slow")


def test_files_that_are_replaced_while_they_are_read_are_read_another_time(api: Api) -> None:
    opened = api.fakes.segments.open

    def replaced(file: object, buffer_bytes: int = 0) -> object:
        reader = opened(file)  # type: ignore[arg-type]  # passed on
        write_segment(api.fakes, people(5))
        return reader

    api.fakes.segments.open = replaced  # type: ignore[method-assign,assignment]  # somebody writes meanwhile
    refused = api.post("/exports/newsletter/preview")
    assert (refused.status, refused.code) == (503, "source_changing")
