"""What can be read from the ActiveCampaign stand-in, single contacts, and its control."""

import json
from pathlib import Path
from typing import Any

import pytest

from sandbox.activecampaign import (
    Account,
    Answer,
    ContactList,
    CustomField,
    Switches,
)
from tests.sandbox.activecampaign_client import IMPORT, KEY, Client, Clock, client_with, emails, stored, value_of

OURS = Path(__file__).parents[1] / "shapes" / "activecampaign"
FOREIGN = Path(__file__).parents[3] / "shared" / "samples" / "activecampaign"
RECORDED = {
    OURS: {
        "get-users-me": "users/me",
        "get-lists": "lists",
        "get-list": "lists/1",
        "get-fields": "fields",
        "get-field-that-is-not-there": "fields/409",
        "post-import-bulk-import": "import/bulk_import",
    },
    FOREIGN: {
        "recorded-get-users-me-200-mhenr": "users/me",
        "recorded-get-lists-200-mhenr": "lists",
        "recorded-get-lists-N-200-mhenr": "lists/1",
        "recorded-get-lists-N-200-anmol": "lists/1",
        "recorded-get-fields-200-mhenr": "fields",
        "recorded-get-fields-200-anmol": "fields",
        "recorded-get-fields-N-404-mhenr": "fields/409",
        "recorded-post-import-bulk_import-200-anmol": "import/bulk_import",
    },
}
FOLDERS = [folder for folder in RECORDED if folder.is_dir()]
DOCUMENTED = {OURS: "documented.json", FOREIGN: "documented-bulk-import.json"}


@pytest.fixture
def client() -> Client:
    return client_with()


# -- the key -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("headers", [{}, {"Api-Token": "wrong"}, {"Authorization": "demo-key"}])
def test_a_missing_or_wrong_key_is_forbidden(client: Client, headers: dict[str, str]) -> None:
    answer = client.account.handle("GET", "/api/3/users/me", "", headers)
    assert (answer.status, value_of(answer)) == (403, {"message": "Forbidden"})


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_wrong_key_may_get_the_login_page_with_status_200(method: str) -> None:
    account = client_with(bad_key="login_page").account
    answer = account.handle(method, IMPORT, "", {"Api-Token": "wrong"}, b"{}")
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert answer.body.startswith(b"<!DOCTYPE html>")


def test_header_names_have_no_case(client: Client) -> None:
    assert client.account.handle("GET", "/api/3/users/me", "", {"api-token": "demo-key"}).status == 200


def test_a_rotated_key_is_the_only_valid_one(client: Client) -> None:
    client.account.set_key("new-key")
    assert client.get("users/me").status == 403
    assert client.account.handle("GET", "/api/3/users/me", "", {"Api-Token": "new-key"}).status == 200


def test_no_key_is_valid_after_revoking(client: Client) -> None:
    client.account.set_key(None)
    assert client.get("users/me").status == 403


def test_a_request_with_a_wrong_key_queues_nothing(client: Client) -> None:
    client.account.handle("POST", IMPORT, "", {}, json.dumps({"contacts": emails(3)}).encode())
    assert client.account.state()["queued_contacts"] == 0


def test_only_administrators_read_the_account_settings(client: Client) -> None:
    assert client.get("settings/account").status == 200
    client.account.set_key("demo-key", admin=False)
    assert client.get("settings/account").status == 403
    assert client.get("users/me").status == 200


# -- shapes ------------------------------------------------------------------------------------------------------------


def kinds(value: object) -> object:
    """A JSON value reduced to its members and types; a list to those of its first item."""
    match value:
        case dict():
            return {name: kinds(each) for name, each in value.items()}
        case list():
            return [kinds(value[0])] if value else []
        case None:
            return "nullable"
        case _:
            return type(value).__name__


def agrees(ours: object, theirs: object) -> bool:
    """The same members with the same types, but that ours may have more, and a null says nothing of its type."""
    match ours, theirs:
        case dict(), dict():
            return theirs.keys() <= ours.keys() and all(agrees(ours[name], theirs[name]) for name in theirs)
        case list(), list():
            return not theirs or not ours or agrees(ours[0], theirs[0])
        case _:
            return ours == theirs or "nullable" in (ours, theirs)


@pytest.mark.parametrize(
    ("sample", "path"),
    [
        pytest.param(folder / f"{name}.json", path, id=name)
        for folder in FOLDERS
        for name, path in RECORDED[folder].items()
    ],
)
def test_answers_have_the_members_and_types_of_recorded_ones(client: Client, sample: Path, path: str) -> None:
    recorded = json.loads(sample.read_text())
    if path == "import/bulk_import":
        answer = client.post(path, json.loads(recorded.get("request_body", '{"contacts": [{"email": "a@b.example"}]}')))
    else:
        answer = client.get(path)
    theirs = kinds(json.loads(recorded["response_body"]))
    assert answer.status == recorded["status"]
    assert answer.headers["Content-Type"] == recorded["headers"]["Content-Type"]
    assert agrees(kinds(value_of(answer)), theirs), f"expected {theirs}"


@pytest.mark.parametrize("folder", FOLDERS, ids=lambda folder: folder.parent.name)
def test_the_documented_import_request_is_accepted(client: Client, folder: Path) -> None:
    documented = json.loads((folder / DOCUMENTED[folder]).read_text())
    content = documented["POST /import/bulk_import"]["request"]["application/json"]
    answer = client.post("import/bulk_import", content["examples"]["Request Example"]["value"])
    assert (answer.status, value_of(answer)["queued_contacts"]) == (200, 1)


def test_every_answer_has_its_own_request_id(client: Client) -> None:
    ids = {client.get("users/me").headers["X-Request-Id"] for _ in range(5)}
    assert len(ids) == 5


@pytest.mark.parametrize("path", ["import/bulkImport", "nothing", "lists/x"])
def test_an_unknown_path_is_not_found(client: Client, path: str) -> None:
    assert client.get(path).status == 404


def test_paths_outside_of_the_api_are_not_found(client: Client) -> None:
    assert client.account.handle("GET", "/users/me", "", KEY).status == 404


# -- lists, fields, account --------------------------------------------------------------------------------------------


def ids_of(answer: Answer, member: str) -> list[int]:
    return [int(each["id"]) for each in value_of(answer)[member]]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", range(1, 21)),
        ("limit=30", range(1, 31)),
        ("limit=100", range(1, 101)),
        ("limit=1000", range(1, 101)),
        ("limit=50&offset=90", range(91, 121)),
        ("offset=200", range(0)),
    ],
)
def test_lists_and_fields_come_in_pages_of_20_and_at_most_100(client: Client, query: str, expected: range) -> None:
    for number in range(1, 121):
        client.account.put_list(ContactList(number, f"List {number}"))
        client.account.put_field(CustomField(number, f"Field {number}"))
    for member in ("lists", "fields"):
        answer = client.get(member, query)
        assert ids_of(answer, member) == list(expected)
        assert value_of(answer)["meta"]["total"] == "120"


def test_lists_are_filtered_by_name(client: Client) -> None:
    answer = client.get("lists", "filters%5Bname%5D=VIP")
    assert (ids_of(answer, "lists"), value_of(answer)["meta"]["total"]) == ([2], "1")


def test_the_lists_are_two_for_email_and_one_for_sms(client: Client) -> None:
    lists = value_of(client.get("lists"))["lists"]
    assert [(each["name"], each["channel"]) for each in lists] == [
        ("Newsletter", "email"),
        ("VIP", "email"),
        ("SMS", "sms"),
    ]


def test_an_unknown_list_is_not_found_and_named_as_the_original_names_it(client: Client) -> None:
    answer = client.get("lists/7")
    assert (answer.status, value_of(answer)) == (404, {"message": "No Result found for _List with id 7"})


def test_a_deleted_list_is_not_found_and_has_no_members(client: Client) -> None:
    client.imported({"email": "a@example.com", "subscribe": [{"listid": 1}, {"listid": 2}]})
    client.account.delete_list(1)
    assert client.get("lists/1").status == 404
    assert stored(client, "a@example.com")["lists"] == {"2": 1}


def test_a_hidden_list_is_forbidden_and_not_listed(client: Client) -> None:
    client.account.put_list(ContactList(2, "VIP", hidden=True))
    answer = client.get("lists/2")
    assert (answer.status, value_of(answer)["errors"][0]["title"]) == (403, "Forbidden")
    assert ids_of(client.get("lists"), "lists") == [1, 3]


def test_exclusions_are_listed_with_a_number_as_their_total(client: Client) -> None:
    client.account.exclude("@example.org", "end")
    assert value_of(client.get("lists/exclusions")) == {
        "exclusions": [{"id": "1", "matchPhrase": "@example.org", "matchType": "end", "lists": []}],
        "meta": {"total": 1},
    }
    assert value_of(client.get("lists/exclusions", "filters[matchPhrase]=other"))["exclusions"] == []


def test_fields_of_every_type_are_there_with_their_options(client: Client) -> None:
    page = value_of(client.get("fields", "limit=100"))
    types = {each["type"] for each in page["fields"]}
    several = {"dropdown", "listbox", "radio", "checkbox"}
    assert types == {"text", "textarea", "date", "datetime", "number", "hidden"} | several
    labels = {each["id"]: each["label"] for each in page["fieldOptions"]}
    tier = next(each for each in page["fields"] if each["title"] == "Loyalty tier")
    assert [labels[number] for number in tier["options"]] == ["Bronze", "Silver", "Gold"]


def test_fields_are_filtered_by_perstag(client: Client) -> None:
    assert ids_of(client.get("fields", "filters[perstag]=CITY"), "fields") == [6]


def test_options_and_relations_are_tied_to_their_field_as_the_switch_says() -> None:
    client = client_with()
    for number in range(1, 13):
        client.account.delete_field(number)
    client.account.put_field(CustomField(3, "Tier", "dropdown", ("Gold",), lists=(1, 2)))

    def told(tell: str) -> tuple[object, ...]:
        client.account.set_switches(fields_tell=tell)
        page = value_of(client.get("fields"))
        field = page["fields"][0]
        options = [(each.get("field"), each["value"], each["id"]) for each in page["fieldOptions"]]
        relations = [(each.get("field"), each["relid"], each["id"]) for each in page["fieldRels"]]
        return field["options"], options, field["relations"], relations

    by_field = [("3", "Gold", "3001")], [("3", "1", "3001"), ("3", "2", "3002")]
    by_ids = [(None, "Gold", "3001")], [(None, "1", "3001"), (None, "2", "3002")]
    ids = ["3001"], ["3001", "3002"]
    assert told("both") == (ids[0], by_field[0], ids[1], by_field[1])
    assert told("by_field") == ([], by_field[0], [], by_field[1])
    assert told("by_ids") == (ids[0], by_ids[0], ids[1], by_ids[1])
    assert told("nothing") == ([], [], [], [])


def test_the_options_of_one_field_come_in_pages(client: Client) -> None:
    client.account.put_field(CustomField(3, "Tier", "dropdown", [f"Tier {number}" for number in range(120)]))
    answer = value_of(client.get("fields/3/options", "limit=100&offset=100"))
    assert [each["value"] for each in answer["fieldOptions"]] == [f"Tier {number}" for number in range(100, 120)]
    assert answer["meta"]["total"] == "120"
    assert client.get("fields/99/options").status == 404


def test_a_deleted_field_is_not_found(client: Client) -> None:
    client.account.delete_field(6)
    answer = client.get("fields/6")
    assert (answer.status, value_of(answer)) == (404, {"message": "No Result found for Field with id 6"})


def test_the_account_settings_count_contacts_in_numbers(client: Client) -> None:
    client.account.set_contact_limit(5)
    client.imported(*emails(3))
    settings = value_of(client.get("settings/account"))
    assert (settings["subscriber_limit"], settings["subscriber_total"]) == (5, 3)


# -- contacts ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", "abcd"),
        ("listid=1", "abc"),
        ("listid=1&status=-1", "abc"),
        ("listid=1&status=1", "a"),
        ("listid=1&status=2", "b"),
        ("listid=2", "a"),
        ("listid=7", ""),
        ("status=3", "c"),
        ("email=B@example.com", "b"),
        ("email=B@example.com&listid=2", ""),
        ("email=nobody@example.com", ""),
        ("unknown=1", "abcd"),
    ],
)
def test_contacts_are_filtered_by_address_list_and_status_and_by_nothing_else(
    client: Client, query: str, expected: str
) -> None:
    both, one = [{"listid": 1}, {"listid": 2}], [{"listid": 1}]
    client.imported(
        {"email": "a@example.com", "subscribe": both},
        {"email": "b@example.com", "subscribe": one},
        {"email": "c@example.com", "subscribe": one},
        {"email": "d@example.com"},
    )
    client.account.unsubscribe("b@example.com")
    client.account.bounce("c@example.com")
    answer = value_of(client.get("contacts", query))
    assert [each["email"] for each in answer["contacts"]] == [f"{letter}@example.com" for letter in expected]
    assert answer["meta"]["total"] == str(len(expected))


def test_contacts_come_in_pages_and_the_total_counts_all(client: Client) -> None:
    client.imported(*emails(30))
    answer = value_of(client.get("contacts", "limit=1&offset=7"))
    assert [each["id"] for each in answer["contacts"]] == ["8"]
    assert answer["meta"]["total"] == "30"


def test_contacts_go_on_from_an_id(client: Client) -> None:
    client.imported(*emails(30))
    answer = value_of(client.get("contacts", "orders[id]=ASC&id_greater=27"))
    assert [each["id"] for each in answer["contacts"]] == ["28", "29", "30"]


@pytest.mark.parametrize(
    ("includes", "beside"),
    [("all", {"contactLists", "fieldValues"}), ("lists", {"contactLists"}), ("ignored", set())],
)
def test_what_stands_beside_contacts_is_what_was_included_and_the_switch_allows(
    includes: str, beside: set[str]
) -> None:
    client = client_with(includes=includes)
    client.imported({"email": "a@example.com", "subscribe": [{"listid": 1}], "fields": [{"id": 6, "value": "Oslo"}]})
    plain = value_of(client.get("contacts", "email=a@example.com"))
    assert not {"contactLists", "fieldValues"} & (plain.keys() | plain["contacts"][0].keys())
    answer = value_of(client.get("contacts", "email=a@example.com&include=contactLists,fieldValues"))
    assert {"contactLists", "fieldValues"} & answer.keys() == beside
    lists, values = value_of(client.get("contacts/1/contactLists")), value_of(client.get("contacts/1/fieldValues"))
    assert [(each["contact"], each["list"], each["status"]) for each in lists["contactLists"]] == [("1", "1", "1")]
    assert [(each["contact"], each["field"], each["value"]) for each in values["fieldValues"]] == [("1", "6", "Oslo")]
    for name in beside:
        own = (lists | values)[name]
        assert answer[name] == own
        assert answer["contacts"][0][name] == [each["id"] for each in own]


def test_when_filters_are_ignored_everybody_comes_back() -> None:
    client = client_with(contact_filters="ignored")
    client.imported(*emails(3))
    assert value_of(client.get("contacts", "email=nobody@example.com&id_greater=2"))["meta"]["total"] == "3"


def test_an_archived_contact_is_in_no_answer_and_an_import_makes_a_new_one(client: Client) -> None:
    client.imported({"email": "a@example.com", "first_name": "Ada", "subscribe": [{"listid": 1}]})
    client.account.unsubscribe("a@example.com")
    client.account.archive("A@example.com")
    assert value_of(client.get("contacts", "email=a@example.com"))["contacts"] == []
    assert client.get("contacts/1/contactLists").status == client.get("contacts/1/fieldValues").status == 404
    assert value_of(client.get("settings/account"))["subscriber_total"] == 0
    client.wait()
    assert client.imported({"email": "a@example.com", "subscribe": [{"listid": 1}]})["success"] == ["2"]
    contact = client.account.contact("a@example.com")
    assert contact
    assert (contact["first_name"], contact["lists"]) == ("", {"1": 1})
    client.account.archive("nobody@example.com")


# -- single contacts ---------------------------------------------------------------------------------------------------


def test_sync_creates_with_201_and_updates_with_200(client: Client) -> None:
    contact = {"email": "a@example.com", "firstName": "Ann", "fieldValues": [{"field": "6", "value": "Ulm"}]}
    created = client.post("contact/sync", {"contact": contact})
    updated = client.post("contact/sync", {"contact": {"email": "A@example.com", "lastName": "Ash"}})
    assert (created.status, updated.status) == (201, 200)
    assert value_of(created)["contact"]["id"] == value_of(updated)["contact"]["id"] == "1"
    person = stored(client, "a@example.com")
    assert (person["first_name"], person["last_name"], person["fields"]) == ("Ann", "Ash", {"6": "Ulm"})


def test_sync_refuses_a_missing_or_bad_address(client: Client) -> None:
    missing = client.post("contact/sync", {"contact": {"firstName": "Ann"}})
    bad = client.post("contact/sync", {"contact": {"email": "a@nodot"}})
    assert (missing.status, bad.status) == (400, 422)
    assert value_of(bad)["errors"][0]["code"] == "email_invalid"


def test_a_contact_list_status_subscribes_again_who_had_left(client: Client) -> None:
    client.account.unsubscribe("a@example.com", 1)
    answer = client.post("contactLists", {"contactList": {"list": 1, "contact": "1", "status": 1}})
    assert answer.status == 200
    assert stored(client, "a@example.com")["lists"] == {"1": 1}


def test_a_new_membership_is_created(client: Client) -> None:
    client.post("contact/sync", {"contact": {"email": "a@example.com"}})
    answer = client.post("contactLists", {"contactList": {"list": 2, "contact": 1, "status": 2}})
    assert (answer.status, value_of(answer)["contactList"]["status"]) == (201, "2")
    assert stored(client, "a@example.com")["lists"] == {"2": 2}


@pytest.mark.parametrize(
    ("sent", "code"),
    [
        ({"list": 1, "contact": 1, "status": 4}, "field_invalid"),
        ({"list": 9, "contact": 1, "status": 1}, "related_missing"),
        ({"list": 1, "contact": 9, "status": 1}, "related_missing"),
        ({"list": 1, "contact": 0, "status": 1}, "related_missing"),
        ({"list": 1, "contact": 1}, "field_missing"),
        (None, "field_missing"),
    ],
)
def test_a_membership_that_cannot_be_is_refused(client: Client, sent: object, code: str) -> None:
    client.post("contact/sync", {"contact": {"email": "a@example.com"}})
    answer = client.post("contactLists", {"contactList": sent})
    assert (answer.status, value_of(answer)["errors"][0]["code"]) == (422, code)


# -- control -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "wrong",
    [
        {"colour": "red"},
        {"counting": "lunar"},
        {"retry_after_s": "30"},
        {"retry_after_s": -1},
        {"retry_after_s": True},
        {"typographic_quotes": 1},
        {"other_share": None},
    ],
)
def test_a_switch_refuses_what_it_does_not_know(client: Client, wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="expected"):
        client.account.set_switches(**wrong)
    assert client.account.switches == Switches()


def test_unknown_outcomes_and_matches_are_refused(client: Client) -> None:
    with pytest.raises(ValueError, match="interrupted"):
        client.account.end_next_imports("exploded")  # type: ignore[arg-type]  # the point
    with pytest.raises(ValueError, match="exact"):
        client.account.exclude("x", "middle")  # type: ignore[arg-type]  # the point


def test_every_request_is_logged(client: Client) -> None:
    client.get("lists", "limit=5")
    client.wait(1)
    client.bulk(*emails(3))
    first, second = client.account.requests()
    assert (first.at + 1, first.method, first.path, first.status) == (second.at, "GET", "/api/3/lists", 200)
    assert (second.contacts, second.status) == (3, 200)
    assert second.body_bytes == len(json.dumps({"contacts": emails(3)}))


def test_a_reset_forgets_everything_and_repeats_ids(client: Client) -> None:
    first = client.imported(*emails(2))
    ids = [answer.headers["X-Request-Id"] for answer in [client.get("users/me")]]
    client.account.set_key("other")
    client.account.set_switches(counting="fixed")
    client.account.reset()
    assert client.account.state()["contacts"] == client.account.state()["requests"] == 0
    assert client.imported(*emails(2)) == first
    assert [answer.headers["X-Request-Id"] for answer in [client.get("users/me")]] == ids
    assert client.account.switches == Switches()


def test_ids_depend_on_the_seed() -> None:
    batch_ids = [
        value_of(Client(Account(clock=Clock(), seed=seed), Clock()).bulk(*emails(1)))["batchId"] for seed in (1, 1, 2)
    ]
    assert batch_ids[0] == batch_ids[1] != batch_ids[2]
