"""Bulk imports of the ActiveCampaign stand-in: what is refused at once, how long they take, what they do."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sandbox.activecampaign import CustomField
from sandbox.activecampaign.contacts import first_fault, is_deliverable
from tests.sandbox.activecampaign_client import (
    IMPORT,
    KEY,
    LONG_S,
    Client,
    client_with,
    emails,
    failure_reasons,
    stored,
    value_of,
)


@pytest.fixture
def client() -> Client:
    return client_with()


# -- the POST of a bulk import -----------------------------------------------------------------------------------------


def test_an_accepted_import_answers_json_as_html(client: Client) -> None:
    answer = client.bulk(*emails(3))
    value = value_of(answer)
    assert (answer.status, answer.headers["Content-Type"]) == (200, "text/html; charset=UTF-8")
    assert len(value.pop("batchId")) == 36
    assert value == {"success": 1, "queued_contacts": 3, "message": "Contact import queued"}


def test_success_may_be_spelled_as_documented() -> None:
    assert value_of(client_with(success_spelling="Success").bulk(*emails(2)))["Success"] == 1


def test_250_contacts_are_accepted_and_251_are_refused(client: Client) -> None:
    assert client.bulk(*emails(250)).status == 200
    assert isinstance(failure_reasons(client.bulk(*emails(251)))[0], str)
    assert client.account.state()["queued_contacts"] == 250


def padded(size_bytes: int) -> bytes:
    body = json.dumps({"contacts": emails(2)}).encode()
    return body + b" " * (size_bytes - len(body))


def test_399_999_bytes_are_accepted_and_400_000_are_refused(client: Client) -> None:
    assert client.account.handle("POST", IMPORT, "", KEY, padded(399_999)).status == 200
    assert isinstance(failure_reasons(client.account.handle("POST", IMPORT, "", KEY, padded(400_000)))[0], str)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"contacts": []}',
        b'{"contacts": {}}',
        b'{"contacts": [{"email": NaN}]}',
        b'{"contacts": [{"email": "a@example.com", "first_name": "\xff"}]}',
        b'{"contacts": [{"email": "a@example.com", "first_name": "\\ud800"}]}',
        b'\xef\xbb\xbf{"contacts": [{"email": "a@example.com"}]}',
    ],
)
def test_a_body_without_contacts_or_not_json_is_refused(client: Client, body: bytes) -> None:
    assert isinstance(failure_reasons(client.account.handle("POST", IMPORT, "", KEY, body))[0], str)
    assert client.account.state()["queued_contacts"] == 0


def test_one_bad_contact_refuses_all_and_each_bad_one_is_named_by_position(client: Client) -> None:
    answer = client.bulk({"email": "a@example.com"}, {"email": "no at sign"}, {"first_name": "Jane"})
    assert failure_reasons(answer) == [
        {"contact": 2, "failureReason": "Field 'email' incorrect format"},
        {"contact": 3, "failureReason": "Field 'email' not found"},
    ]
    assert client.account.state()["queued_contacts"] == 0


def test_positions_may_count_from_0_and_quotes_be_typographic() -> None:
    answer = client_with(index_base=0, typographic_quotes=True).bulk({"email": "x"}, {"email": "a@example.com"})
    assert failure_reasons(answer) == [{"contact": 0, "failureReason": "Field \u2018email\u2019 incorrect format"}]


@pytest.mark.parametrize(
    "email",
    [
        "",
        None,
        7,
        "no-at-sign",
        "@example.com",
        "a@",
        "a@b@example.com",
        "a b@example.com",
        " a@example.com",
        "a@example.com ",
        "a@example.com\n",
        *(f"a{character}b@example.com" for character in '"(),:;<>[\\]'),
    ],
)
def test_the_post_refuses_what_cannot_be_an_address(client: Client, email: object) -> None:
    assert failure_reasons(client.bulk({"email": email}))[0]["contact"] == 1


@pytest.mark.parametrize(
    "email",
    [
        "invalid.email@invalidDomain",
        "invalid'character@example.com",
        "a@example.c",
        "a@example.c0m",
        "a@exam_ple.com",
        "a@-example.com",
        "a@example..com",
        "jos\u00e9@example.com",
        "a@ex\u00e4mple.com",
        "a" * 250 + "@example.com",
    ],
)
def test_some_addresses_pass_the_post_and_fail_in_processing(client: Client, email: str) -> None:
    info = client.imported({"email": email}, {"email": "good@example.com"})
    assert (info["status"], info["success"], info["failure"]) == ("completed", ["1"], [email])
    assert client.account.state()["failures"] == {"invalid_email": 1}


@pytest.mark.parametrize(
    "email", ["a@example.com", "A.b+c_d-e@Sub.Example.CO", "1!#$%&*+/=?^`{|}~@x1.io", "a@xn--9.example"]
)
def test_plain_addresses_are_deliverable(client: Client, email: str) -> None:
    assert client.imported({"email": email})["failure"] == []


@given(st.one_of(st.text(), st.from_regex(r"[!-~]+@[a-z'.-]+\.[a-z]{1,3}", fullmatch=True)))
def test_whatever_is_deliverable_passes_the_post(email: str) -> None:
    assert not is_deliverable(email) or first_fault({"email": email}) is None


@pytest.mark.parametrize(
    "wrong",
    [
        {"first_name": 1},
        {"last_name": None},
        {"phone": 5551234},
        {"customer_acct_name": []},
        {"tags": "vip"},
        {"tags": [1]},
        {"fields": {"1": "x"}},
        {"fields": [{"id": "1", "value": "x"}]},
        {"fields": [{"id": 1, "value": 2}]},
        {"fields": [{"id": 1}]},
        {"subscribe": [1]},
        {"subscribe": [{"listid": "one"}]},
        {"unsubscribe": {"listid": 1}},
    ],
)
def test_members_of_another_type_than_documented_are_refused(client: Client, wrong: dict[str, object]) -> None:
    (member,) = wrong
    reasons = failure_reasons(client.bulk({"email": "a@example.com", **wrong}))
    assert reasons == [{"contact": 1, "failureReason": f"Field '{member}' incorrect format"}]


def test_names_in_camel_case_are_dropped_without_a_word(client: Client) -> None:
    client.imported({"email": "a@example.com", "firstName": "Jane", "last_name": "Doe"})
    contact = stored(client, "a@example.com")
    assert (contact["first_name"], contact["last_name"]) == ("", "Doe")


@pytest.mark.parametrize(("phrase", "match"), [("B@Example.com", "exact"), ("b@", "start"), ("b@example.com", "end")])
def test_excluded_addresses_make_success_5_and_fewer_queued(client: Client, phrase: str, match: Any) -> None:
    client.account.exclude(phrase, match)
    value = value_of(client.bulk({"email": "a@example.com"}, {"email": "b@example.com"}))
    client.wait()
    assert (value["success"], value["queued_contacts"]) == (5, 1)
    assert client.info(value["batchId"])["failure"] == ["b@example.com"]
    assert client.account.contact("b@example.com") is None


@pytest.mark.parametrize(
    ("excluded", "queued", "failure"),
    [("failure", 1, ["b@example.com"]), ("queued", 2, ["b@example.com"]), ("silent", 1, [])],
)
def test_excluded_people_are_queued_and_told_as_the_switch_says(excluded: str, queued: int, failure: list[str]) -> None:
    client = client_with(excluded=excluded)
    client.account.exclude("b@example.com")
    value = value_of(client.bulk({"email": "a@example.com"}, {"email": "b@example.com"}))
    client.wait()
    assert (value["queued_contacts"], client.info(value["batchId"])["failure"]) == (queued, failure)
    assert client.account.contact("b@example.com") is None


def test_who_left_the_list_may_not_even_be_queued() -> None:
    client = client_with(unsubscribed="not_queued")
    client.account.unsubscribe("b@example.com")
    on_it = [{"listid": 1}]
    value = value_of(
        client.bulk({"email": "a@example.com", "subscribe": on_it}, {"email": "b@example.com", "subscribe": on_it})
    )
    client.wait()
    assert (value["queued_contacts"], client.info(value["batchId"])["failure"]) == (1, [])


def test_exact_exclusions_match_the_whole_address_only(client: Client) -> None:
    client.account.exclude("b@example.com")
    assert value_of(client.bulk({"email": "bb@example.com"}, {"email": "b@example.com.au"}))["success"] == 1


# -- imports take time -------------------------------------------------------------------------------------------------


def test_the_status_is_false_and_then_moves_through_the_documented_words() -> None:
    client = client_with(processing_base_s=11.0, processing_per_contact_s=0.5)
    batch_id = value_of(client.bulk(*emails(2)))["batchId"]  # 12 seconds
    seen = []
    for _ in range(14):
        seen.append(client.info(batch_id)["status"])
        client.wait(1)
    assert seen == [False, *["waiting"] * 3, *["claimed"] * 2, *["active"] * 6, *["completed"] * 2]
    assert seen[0] is False


def test_the_first_second_tells_nothing_but_the_status_even_of_a_finished_import() -> None:
    client = client_with(processing_base_s=0.0, processing_per_contact_s=0.0)
    batch_id = value_of(client.bulk(*emails(2)))["batchId"]
    client.wait(0.99)
    assert client.info(batch_id) == {"status": False}
    client.wait(0.01)
    assert client.info(batch_id) == {"status": "completed", "success": ["1", "2"], "failure": []}


def test_nothing_is_stored_and_nothing_reported_before_the_end(client: Client) -> None:
    batch_id = value_of(client.bulk({"email": "a@example.com"}, {"email": "b@nodot"}))["batchId"]
    client.wait(1.5)
    assert client.info(batch_id) == {"status": "waiting", "success": [], "failure": []}
    assert client.account.contact("a@example.com") is None


def test_a_missing_batch_id_is_refused(client: Client) -> None:
    answer = client.get("import/info")
    assert (answer.status, value_of(answer)) == (400, {"success": 0, "message": "'batchId' is a required field."})


def test_an_unknown_batch_id_has_status_false_or_is_not_found() -> None:
    assert client_with().info("unknown") == {"status": False}
    assert client_with(unknown_import="not_found").get("import/info", "batchId=unknown").status == 404


def test_a_forgotten_import_is_unknown_and_its_contacts_stay(client: Client) -> None:
    batch_id = value_of(client.bulk({"email": "a@example.com"}))["batchId"]
    client.wait(60)
    client.account.forget_import(batch_id)
    assert client.info(batch_id) == {"status": False}
    assert client.account.contact("a@example.com")


@pytest.mark.parametrize(("outcome", "arrived"), [("failed", 0), ("interrupted", 2)])
def test_an_import_can_end_badly(client: Client, outcome: Any, arrived: int) -> None:
    client.account.end_next_imports(outcome)
    assert client.imported(*emails(4))["status"] == outcome
    assert client.account.state()["contacts"] == arrived
    assert client.imported(*emails(4))["status"] == "completed"


def test_a_stuck_import_stays_active_until_it_is_ended(client: Client) -> None:
    client.account.end_next_imports("stuck")
    batch_id = value_of(client.bulk(*emails(2)))["batchId"]
    client.wait()
    assert client.info(batch_id)["status"] == "active"
    client.account.end_import(batch_id, "completed")
    assert client.info(batch_id)["status"] == "completed"
    assert client.account.state()["contacts"] == 2


def test_an_import_in_process_can_be_made_to_fail_but_a_finished_one_cannot(client: Client) -> None:
    batch_id = value_of(client.bulk(*emails(2)))["batchId"]
    client.account.end_import(batch_id, "failed")
    client.wait()
    assert client.info(batch_id)["status"] == "failed"
    with pytest.raises(ValueError, match="in process"):
        client.account.end_import(batch_id, "completed")


def test_success_lists_ids_of_new_contacts_and_by_switch_of_updated_ones() -> None:
    client = client_with()
    assert client.imported(*emails(2))["success"] == ["1", "2"]
    assert client.imported(*emails(3))["success"] == ["3"]
    client.account.set_switches(success_lists="created_and_updated")
    assert client.imported(*emails(4))["success"] == ["4", "1", "2", "3"]


def test_failures_are_told_as_sent_or_in_lower_case() -> None:
    assert client_with().imported({"email": "Ann@NoDot"})["failure"] == ["Ann@NoDot"]
    assert client_with(failure_case="lower").imported({"email": "Ann@NoDot"})["failure"] == ["ann@nodot"]


def test_an_earlier_import_can_be_overtaken_by_a_later_one(client: Client) -> None:
    client.account.set_switches(processing_base_s=60.0)
    client.bulk({"email": "a@example.com", "first_name": "earlier"})
    client.account.set_switches(processing_base_s=5.0)
    client.bulk({"email": "a@example.com", "first_name": "later"})
    client.wait(30)
    assert stored(client, "a@example.com")["first_name"] == "later"
    client.wait(60)
    assert stored(client, "a@example.com")["first_name"] == "earlier"


def test_the_status_list_counts_batches_and_contacts_by_day_as_text() -> None:
    client = client_with()
    assert value_of(client.get("import/bulk_import")) == {"outstanding": [], "recentlyCompleted": []}
    client.clock.now = 1_800_000_000.0  # 2027-01-15
    client.bulk(*emails(3))
    client.bulk(*emails(2))
    today = [{"forDate": "2027-01-15", "batches": "2", "contacts": "5"}]
    assert value_of(client.get("import/bulk_import")) == {"outstanding": today, "recentlyCompleted": []}
    client.wait()
    assert value_of(client.get("import/bulk_import")) == {"outstanding": [], "recentlyCompleted": today}
    client.wait(7 * 86_400 - LONG_S)
    assert value_of(client.get("import/bulk_import"))["recentlyCompleted"] == today
    client.wait(60)
    assert value_of(client.get("import/bulk_import")) == {"outstanding": [], "recentlyCompleted": []}


# -- what an import does -----------------------------------------------------------------------------------------------


def test_all_members_are_stored(client: Client) -> None:
    client.imported(
        {
            "email": "Jane@Example.com",
            "first_name": "Jane",
            "last_name": "Doe",
            "phone": " +1 (555) 123 ",
            "customer_acct_name": "Contoso",
            "tags": ["new", "vip"],
            "fields": [{"id": 6, "value": "Ulm"}, {"id": 4, "value": "||Tea||Coffee||"}],
            "subscribe": [{"listid": 1}, {"listid": "2"}],
        }
    )
    contact = stored(client, "jane@example.com")
    assert contact.pop("created_at") == contact.pop("updated_at")
    assert contact == {
        "id": 1,
        "email": "Jane@Example.com",
        "first_name": "Jane",
        "last_name": "Doe",
        "phone": " +1 (555) 123 ",
        "customer_acct_name": "Contoso",
        "tags": ["new", "vip"],
        "fields": {"6": "Ulm", "4": "||Tea||Coffee||"},
        "lists": {"1": 1, "2": 1},
        "automation_runs": 1,
    }


def test_addresses_that_differ_in_case_are_one_contact(client: Client) -> None:
    client.imported({"email": "Jane@Example.com"}, {"email": "jane@example.COM", "first_name": "Jane"})
    assert client.account.state()["contacts"] == 1
    assert stored(client, "JANE@example.com")["first_name"] == "Jane"


def test_absent_members_keep_what_is_there_and_empty_ones_erase_it(client: Client) -> None:
    fields = [{"id": 1, "value": "C-1"}, {"id": 6, "value": "Ulm"}]
    client.imported({"email": "a@example.com", "first_name": "Ann", "last_name": "Ash", "phone": "1", "fields": fields})
    client.imported({"email": "a@example.com", "last_name": "", "fields": [{"id": 1, "value": ""}]})
    contact = stored(client, "a@example.com")
    assert (contact["first_name"], contact["last_name"], contact["phone"]) == ("Ann", "", "1")
    assert contact["fields"] == {"6": "Ulm"}


def test_unknown_fields_are_ignored_and_unknown_lists_too_unless_switched() -> None:
    sent = {"email": "a@example.com", "fields": [{"id": 99, "value": "x"}], "subscribe": [{"listid": 99}]}
    client = client_with()
    assert client.imported(sent)["failure"] == []
    assert (stored(client, "a@example.com")["fields"], stored(client, "a@example.com")["lists"]) == ({}, {})
    assert client_with(unknown_list="failure").imported(sent)["failure"] == ["a@example.com"]


def with_value(field_id: int, value: str) -> dict[str, Any]:
    return {"email": "a@example.com", "subscribe": [{"listid": 1}], "fields": [{"id": field_id, "value": value}]}


UNFIT = [
    (2, "02/03/2026"),
    (2, "2026-3-2"),
    (2, "2026-02-30"),
    (2, "2026-02-03T10:00:00Z"),
    (8, "2026-02-03"),
    (8, "2026-02-03T10:00:00"),
    (8, "2026-02-03 10:00:00Z"),
    (8, "2026-02-03T25:00:00Z"),
    (3, "gold"),
    (3, " Gold"),
    (3, "||Gold||"),
    (9, "Fax"),
    (4, "Tea"),
    (4, "||Tea||Milk||"),
    (4, "||Tea||Cocoa"),
    (4, "Tea;Cocoa"),
    (5, "||airport||"),
    (11, "||true||"),
    (12, "1,000"),
    (12, "1e3"),
    (12, "+1"),
    (12, "five"),
]
FIT = [
    (1, "anything"),
    (2, "2026-02-03"),
    (3, "Gold"),
    (4, "||Tea||"),
    (4, "||Tea||Cocoa||"),
    (4, "||"),
    (5, "||Airport||"),
    (7, "two\nlines"),
    (8, "2026-02-03T10:00:00Z"),
    (8, "2026-02-03T10:00:00.5+01:00"),
    (9, "E-mail"),
    (10, "||x"),
    (11, "||Yes||"),
    (12, "1000"),
    (12, "-10.50"),
]


@pytest.mark.parametrize(("field_id", "value"), UNFIT)
def test_a_value_that_does_not_fit_its_field_is_dropped_refused_or_stored_as_the_switch_says(
    field_id: int, value: str
) -> None:
    def outcome(**switches: Any) -> tuple[list[str], dict[str, str] | None]:
        client = client_with(**switches)
        failed = client.imported(with_value(field_id, value))["failure"]
        contact = client.account.contact("a@example.com")
        return failed, contact["fields"] if contact else None

    assert outcome() == ([], {})
    assert outcome(unfit_values="refuse") == (["a@example.com"], None)
    assert outcome(unfit_values="store") == ([], {str(field_id): value})


@pytest.mark.parametrize(("field_id", "value"), FIT)
def test_a_value_that_fits_its_field_is_stored_whatever_the_switch_says(field_id: int, value: str) -> None:
    for unfit in ("drop", "refuse", "store"):
        client = client_with(unfit_values=unfit)
        assert client.imported(with_value(field_id, value))["failure"] == []
        assert stored(client, "a@example.com")["fields"] == {str(field_id): value}


def test_a_dropped_value_leaves_the_old_one_and_the_others(client: Client) -> None:
    client.imported({"email": "a@example.com", "fields": [{"id": 3, "value": "Gold"}]})
    values = [{"id": 3, "value": "Platinum"}, {"id": 6, "value": "Ulm"}]
    client.imported({"email": "a@example.com", "fields": values})
    assert stored(client, "a@example.com")["fields"] == {"3": "Gold", "6": "Ulm"}


@pytest.mark.parametrize("unfit", ["drop", "refuse"])
def test_an_empty_value_erases_a_field_of_any_type(unfit: str) -> None:
    client = client_with(unfit_values=unfit)
    client.imported(with_value(3, "Gold"))
    assert client.imported(with_value(3, ""))["failure"] == []
    assert stored(client, "a@example.com")["fields"] == {}


@pytest.mark.parametrize(
    ("lists", "kept"), [((0,), True), ((1,), True), ((2, 1), True), ((2,), False), ((2, 3), False), ((), False)]
)
def test_a_value_of_a_field_that_is_related_to_no_list_of_the_contact_is_dropped(
    client: Client, lists: tuple[int, ...], *, kept: bool
) -> None:
    client.account.put_field(CustomField(6, "City", lists=lists))
    assert client.imported(with_value(6, "Ulm"))["failure"] == []
    assert stored(client, "a@example.com")["fields"] == ({"6": "Ulm"} if kept else {})


def test_tags_add_up_and_are_never_removed(client: Client) -> None:
    client.imported({"email": "a@example.com", "tags": ["one"]}, {"email": "b@example.com", "tags": ["one"]})
    client.imported({"email": "a@example.com", "tags": ["two", "one"]})
    client.imported({"email": "a@example.com", "tags": []})
    assert stored(client, "a@example.com")["tags"] == ["one", "two"]
    assert client.account.state()["tags"] == 2


LEAVER = {"email": "Left@example.com", "first_name": "New", "subscribe": [{"listid": 2}, {"listid": 1}]}


def leaver(**switches: Any) -> Client:
    client = client_with(**switches)
    client.imported({**LEAVER, "first_name": "Old", "subscribe": [{"listid": 1}]})
    client.account.unsubscribe("left@example.com")
    return client


def test_who_left_a_list_is_skipped_as_a_whole_and_told(client: Client) -> None:
    client = leaver()
    assert client.imported(LEAVER, *emails(1))["failure"] == ["Left@example.com"]
    contact = stored(client, "left@example.com")
    assert (contact["first_name"], contact["lists"]) == ("Old", {"1": 2})
    assert client.account.state()["failures"] == {"unsubscribed": 1}


def test_who_left_a_list_may_be_skipped_in_silence() -> None:
    client = leaver(unsubscribed="silent")
    assert client.imported(LEAVER) == {"status": "completed", "success": [], "failure": []}
    assert stored(client, "left@example.com")["first_name"] == "Old"
    assert client.account.state()["failures"] == {"unsubscribed": 1}


def test_who_left_a_list_may_be_updated_but_is_never_subscribed_again() -> None:
    client = leaver(unsubscribed="update")
    assert client.imported(LEAVER)["failure"] == []
    contact = stored(client, "left@example.com")
    assert (contact["first_name"], contact["lists"]) == ("New", {"1": 2, "2": 1})


def test_who_left_one_list_may_join_another(client: Client) -> None:
    client = leaver()
    assert client.imported({"email": "left@example.com", "subscribe": [{"listid": 2}]})["failure"] == []
    assert stored(client, "left@example.com")["lists"] == {"1": 2, "2": 1}


def test_an_import_that_unsubscribes_is_a_one_way_door(client: Client) -> None:
    client.imported({"email": "a@example.com", "subscribe": [{"listid": 1}]})
    client.imported({"email": "a@example.com", "unsubscribe": [{"listid": 1}]})
    assert client.imported({"email": "a@example.com", "subscribe": [{"listid": 1}]})["failure"] == ["a@example.com"]
    assert stored(client, "a@example.com")["lists"] == {"1": 2}


def test_a_bounced_address_fails_and_leaves_its_lists(client: Client) -> None:
    client.imported({"email": "a@example.com", "subscribe": [{"listid": 1}]})
    client.account.bounce("A@example.com")
    client.account.bounce("unknown@example.com")
    info = client.imported({"email": "a@example.com", "first_name": "x"}, {"email": "Unknown@example.com"})
    assert info["failure"] == ["a@example.com", "Unknown@example.com"]
    assert stored(client, "a@example.com")["lists"] == {"1": 3}
    assert client.account.contact("unknown@example.com") is None


def test_new_contacts_over_the_limit_fail_and_known_ones_are_updated() -> None:
    client = client_with()
    client.account.set_contact_limit(2)
    assert client.imported(*emails(3))["failure"] == ["person2@example.com"]
    assert client.imported({"email": "person0@example.com", "first_name": "x"})["failure"] == []
    client.account.set_switches(over_contact_limit="accept")
    assert client.imported(*emails(3))["failure"] == []


@pytest.mark.parametrize(("switch", "at_top", "in_contact"), [("either", 0, 0), ("top", 0, 1), ("contact", 1, 0)])
def test_automations_run_unless_excluded_where_it_is_honoured(switch: Any, at_top: int, in_contact: int) -> None:
    client = client_with(exclude_automations_at=switch)
    client.imported({"email": "top@example.com"}, exclude_automations=True)
    client.imported({"email": "contact@example.com", "exclude_automations": True})
    client.imported({"email": "neither@example.com", "exclude_automations": False}, exclude_automations=False)
    runs = [stored(client, f"{name}@example.com")["automation_runs"] for name in ("top", "contact", "neither")]
    assert runs == [at_top, in_contact, 1]
    assert client.account.state()["automation_runs"] == sum(runs)


def test_an_import_sent_twice_runs_automations_twice(client: Client) -> None:
    client.imported(*emails(1))
    client.imported(*emails(1))
    assert stored(client, "person0@example.com")["automation_runs"] == 2


addresses = st.sampled_from(
    [
        "a@example.com",
        "A@example.com",
        "b@example.com",
        "c@nodot",
        "gone@example.com",
        "back@example.com",
        "no@spam.org",
    ]
)
sent_contacts = st.fixed_dictionaries(
    {"email": addresses},
    optional={
        "first_name": st.sampled_from(["", "Ann", "Bob"]),
        "fields": st.lists(
            st.fixed_dictionaries({"id": st.sampled_from([1, 2, 99]), "value": st.sampled_from(["", "x"])}), max_size=2
        ),
        "tags": st.lists(st.sampled_from(["one", "two"]), max_size=2),
        "subscribe": st.lists(st.fixed_dictionaries({"listid": st.sampled_from([1, "2", 99])}), max_size=2),
    },
)


def troubled() -> Client:
    client = client_with()
    client.account.unsubscribe("gone@example.com", 1)
    client.account.bounce("back@example.com")
    client.account.exclude("@spam.org", "end")
    client.account.set_contact_limit(2)
    return client


def people(client: Client) -> list[dict[str, Any]]:
    """What the account knows of people, without times and counts."""
    return [
        {k: v for k, v in each.items() if k not in ("updated_at", "automation_runs")}
        for each in client.account.contacts()
    ]


@given(st.lists(sent_contacts, min_size=1, max_size=8))
def test_every_contact_sent_is_created_updated_or_refused(contacts: list[dict[str, Any]]) -> None:
    client = troubled()
    client.imported(*contacts)
    state = client.account.state()
    assert state["created"] + state["updated"] + state["failures"].total() == len(contacts)


@given(st.lists(sent_contacts, min_size=1, max_size=8))
def test_sending_an_import_again_changes_nobody(contacts: list[dict[str, Any]]) -> None:
    client = troubled()
    client.imported(*contacts)
    once = people(client)
    client.imported(*contacts)
    assert people(client) == once
