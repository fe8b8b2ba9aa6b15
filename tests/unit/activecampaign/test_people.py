"""An answer about a person counts if it says itself that it is about that person; values are compared leniently."""

from __future__ import annotations

from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.activecampaign import people, wire
from exporter.activecampaign.outcomes import KeyRefused, NoAnswer, NotFound
from exporter.activecampaign.people import Person, Standing, StatusPage
from exporter.activecampaign.wire import Answer, Request

ADA, BOB = "ada@example.com", "bob@example.com"


def answer(**body: Any) -> Answer:
    return Answer(200, {}, orjson.dumps(body))


def contact(email: str = ADA, number: int = 7, **members: Any) -> dict[str, Any]:
    return {"email": email, "id": str(number), "firstName": "Ada", "lastName": "", "phone": "1", **members}


def membership(status: int, number: int = 7, list_id: int = 1) -> dict[str, str]:
    return {"contact": str(number), "list": str(list_id), "status": str(status), "id": "9"}


def value(text: str | None, field: int = 3, number: int = 7, own_id: int = 5) -> dict[str, Any]:
    return {"contact": str(number), "field": str(field), "value": text, "id": str(own_id)}


def read(**body: Any) -> object:
    return people.read_person(answer(**body), ADA, 1)


def standing(**body: Any) -> tuple[Standing, int | None]:
    found = read(**body)
    assert isinstance(found, Person)
    return found.standing, found.contact_id


def test_one_request_asks_for_a_person_with_lists_and_values_and_no_log_shows_the_address() -> None:
    request = wire.contact_by_address(ADA)
    assert request == Request("GET", "/api/3/contacts", (("email", ADA), ("include", "contactLists,fieldValues")))
    assert ADA not in repr(request)


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (0, Standing.UNCONFIRMED),
        (1, Standing.ON_THE_LIST),
        (2, Standing.UNSUBSCRIBED),
        (3, Standing.BOUNCED),
        (91, Standing.NOT_ON_THE_LIST),
    ],
)
def test_a_status_on_the_list_is_a_standing(status: int, expected: Standing) -> None:
    beside = [membership(1, list_id=2), membership(2, number=8), membership(status)]
    assert standing(contacts=[contact("Ada@Example.com ")], contactLists=beside) == (expected, 7)


def test_the_standings_are_named_as_answers_name_them() -> None:
    names = ["onTheList", "unsubscribed", "bounced", "unconfirmed", "notOnTheList", "notThere", "unknown"]
    assert [standing.value for standing in Standing] == names


def test_a_membership_without_a_status_is_none() -> None:
    beside = [membership(1) | {"status": None}]
    assert standing(contacts=[contact()], contactLists=beside) == (Standing.NOT_ON_THE_LIST, 7)


def test_the_members_of_a_contact_are_named_as_imports_name_them() -> None:
    found = read(contacts=[contact(lastName=None)])
    assert isinstance(found, Person)
    assert found.members == {"first_name": "Ada", "last_name": "", "phone": "1"}
    found = read(contacts=[{"email": ADA, "id": "7"}])
    assert isinstance(found, Person)
    assert found.members == {}


def test_data_about_a_person_is_in_no_representation() -> None:
    shown = repr(Person(Standing.ON_THE_LIST, 7, {"first_name": "Ada"}, {3: "Berlin"})) + repr(StatusPage((ADA,), 7))
    assert not any(secret in shown for secret in ("Ada", "Berlin", ADA))


def test_nobody_in_the_answer_is_nobody_there() -> None:
    assert standing(contacts=[], meta={"total": "0"}) == (Standing.NOT_THERE, None)
    assert standing(contacts=[], meta={"total": "12"}) == (Standing.UNKNOWN, None)


def test_the_first_of_an_answer_is_not_taken_for_whom_was_asked() -> None:
    everybody = [contact(BOB, 6), contact(ADA, 7), contact("eve@example.com", 8)]
    lists = [membership(1, 6), membership(2, 7), membership(3, 8)]
    assert standing(contacts=everybody, contactLists=lists) == (Standing.UNSUBSCRIBED, 7)
    assert standing(contacts=everybody[:1], contactLists=lists) == (Standing.UNKNOWN, None)


def test_two_contacts_of_one_address_are_unclear() -> None:
    assert standing(contacts=[contact(), contact(number=8)]) == (Standing.UNKNOWN, None)


def test_without_a_word_about_the_list_the_contact_is_known_and_its_standing_is_not() -> None:
    assert standing(contacts=[contact()]) == (Standing.UNKNOWN, 7)
    assert standing(contacts=[contact()], contactLists=[membership(1, list_id=2)]) == (Standing.UNKNOWN, 7)


@pytest.mark.parametrize("contacts", [None, {}, "x"])
def test_an_answer_without_contacts_is_none(contacts: object) -> None:
    assert read(contacts=contacts) == NoAnswer("unexpected_answer")


def test_what_is_no_answer_stays_what_it_is() -> None:
    assert people.read_person(Answer(403, {}, b""), ADA, 1) == KeyRefused()
    assert people.read_standing(Answer(404, {}, b""), 7, 1) == NotFound()
    assert people.read_values(Answer(404, {}, b""), 7) == NotFound()
    assert people.read_status_page(Answer(404, {}, b""), 1, 2, 0) == NotFound()


def test_the_lists_of_a_contact_tell_where_it_stands() -> None:
    def read_lists(*lists: object) -> object:
        return people.read_standing(answer(contactLists=lists), 7, 1)

    assert read_lists(membership(1, list_id=2), membership(2)) is Standing.UNSUBSCRIBED
    assert read_lists() is Standing.NOT_ON_THE_LIST
    assert read_lists(membership(2), membership(1, number=8)) is Standing.UNKNOWN
    assert people.read_standing(answer(contactLists=None), 7, 1) is Standing.UNKNOWN


def test_values_beside_a_contact_count_if_all_that_it_names_are_there() -> None:
    def values(**body: Any) -> object:
        found = read(**body)
        assert isinstance(found, Person)
        return found.fields

    beside = [value("Berlin"), value("||", 4, own_id=6), value("x", 3, number=8)]
    assert values(contacts=[contact(fieldValues=["5", "6"])], fieldValues=beside) == {3: "Berlin", 4: "||"}
    assert values(contacts=[contact(fieldValues=["5", "99"])], fieldValues=beside) is None
    assert values(contacts=[contact()], fieldValues=[]) is None
    assert values(contacts=[contact(fieldValues=["5"])]) is None


def test_the_values_of_a_contact_are_not_those_of_another() -> None:
    def read_values(*values: object) -> object:
        return people.read_values(answer(fieldValues=values), 7)

    assert read_values(value("Berlin"), value(None, 4)) == {3: "Berlin", 4: ""}
    assert read_values() == {}
    assert read_values(value("Berlin"), value("x", number=8)) is None
    assert read_values(*(value("x", field) for field in range(100))) is None  # there may be more
    assert people.read_values(answer(fieldValues=None), 7) is None


SENT = {"email": ADA, "first_name": "Ada", "fields": [{"id": 3, "value": "||a||b||"}]}


@pytest.mark.parametrize(
    ("person", "holds"),
    [
        (Person(Standing.ON_THE_LIST, 7, {"first_name": "Ada"}, {3: "||b||a||"}), True),
        (Person(Standing.ON_THE_LIST, 7, {"first_name": "Bob"}, {3: "||b||a||"}), False),
        (Person(Standing.ON_THE_LIST, 7, {"first_name": "Ada"}, {3: "||b||"}), False),
        (Person(Standing.ON_THE_LIST, 7, {"first_name": "Ada"}, {}), False),
        (Person(Standing.ON_THE_LIST, 7, {"first_name": "Ada"}, None), None),
        (Person(Standing.ON_THE_LIST, 7, {}, {3: "||b||a||"}), None),
        (Person(Standing.NOT_THERE), None),
        (people.UNKNOWN, None),
    ],
)
def test_what_was_sent_is_there_or_not_or_nobody_knows(person: Person, *, holds: bool | None) -> None:
    assert person.holds(SENT) is holds


def test_an_empty_text_is_held_where_a_field_has_no_value() -> None:
    emptied = {"email": ADA, "fields": [{"id": 3, "value": ""}]}
    assert Person(Standing.ON_THE_LIST, 7, {}, {}).holds(emptied) is True
    assert [people.has_value(fields, 3) for fields in ({}, {3: " "}, {3: "||"}, {3: "Berlin"})] == [False] * 3 + [True]


def test_a_person_without_values_has_them_all() -> None:
    assert Person(Standing.ON_THE_LIST, 7).holds({"email": ADA}) is True


@pytest.mark.parametrize(
    ("sent", "held"),
    [
        ("a", " a "),
        ("||a||b||", "||b||a||"),
        ("", "||"),
        ("5", "5.00"),
        ("2026-11-18T10:00:00+01:00", "2026-11-18T03:00:00-06:00"),
    ],
)
def test_what_activecampaign_writes_differently_is_the_same_value(sent: str, held: str) -> None:
    assert people.same_value(sent, held)


@pytest.mark.parametrize(
    ("sent", "held"),
    [
        ("a", "A"),
        ("a", ""),
        ("||a||", "a"),
        ("5", "6"),
        ("nan", "x"),
        ("inf", "Infinity"),
        ("2026-11-18T10:00:00", "2026-11-18 10:00:00"),
        ("2026-11-18T10:00:00+01:00", "2026-11-18T10:00:00-06:00"),
        ("2026-11-18T10:00:00", "2026-11-18 10:00:01"),
    ],
)
def test_other_differences_are_differences(sent: str, held: str) -> None:
    assert not people.same_value(sent, held)


@given(st.text(), st.text())
def test_comparing_is_symmetric_and_a_value_is_itself(one: str, other: str) -> None:
    assert people.same_value(one, one)
    assert people.same_value(one, other) == people.same_value(other, one)


def page(*contacts: Any, lists: Any, after: int = 0) -> object:
    return people.read_status_page(answer(contacts=contacts, contactLists=lists), 1, 2, after)


def test_those_who_have_a_status_are_read_page_by_page() -> None:
    request = wire.contacts_with_status(1, 2, 6)
    assert {("listid", "1"), ("status", "2"), ("id_greater", "6"), ("limit", "100")} <= set(request.query)
    both = [contact(ADA, 7), contact(BOB, 9)]
    lists = [membership(2, 7), membership(2, 9)]
    assert page(*both, lists=lists, after=6) == StatusPage((ADA, BOB), 9)
    eve = contact("eve@example.com", 11)
    assert page(*both, eve, lists=[*lists, membership(2, 11)]) == StatusPage((ADA, BOB, "eve@example.com"), 11)
    assert page(lists=[]) == StatusPage((), None)
    assert people.read_status_page(answer(contacts="x"), 1, 2, 0) == NoAnswer("unexpected_answer")


@pytest.mark.parametrize(
    ("contacts", "lists", "after"),
    [
        ([contact(ADA, 7)], [membership(1, 7)], 0),  # the status was ignored
        ([contact(ADA, 7)], [membership(2, 7, list_id=2)], 0),  # the list was
        ([contact(ADA, 7)], [], 0),  # the inclusion was
        ([contact(ADA, 7)], [membership(2, 7)], 7),  # the place to go on from was
        ([contact(ADA, 9), contact(BOB, 7)], [membership(2, 7), membership(2, 9)], 0),  # the order was
        ([contact(ADA, 7), {"email": BOB}], [membership(2, 7)], 0),
    ],
)
def test_a_page_that_does_not_say_that_it_is_about_them_is_not_believed(contacts: Any, lists: Any, after: int) -> None:
    assert page(*contacts, lists=lists, after=after) is None


def active(contact: object, lists: list[object], total: object = "14") -> object:
    contacts = [] if contact is None else [contact]
    return people.read_active_count(answer(contacts=contacts, contactLists=lists, meta={"total": total}), 1)


ON_LIST = {"contact": "7", "list": "1", "status": "1"}


@pytest.mark.parametrize("total", ["14", 14])
def test_the_active_contacts_of_a_list_are_counted(total: object) -> None:
    assert active({"id": "7"}, [ON_LIST], total) == 14


@pytest.mark.parametrize(
    ("contact", "lists"),
    [
        ({"id": "7"}, []),
        ({"id": "7"}, [ON_LIST | {"list": "2"}]),
        ({"id": "7"}, [ON_LIST | {"status": "2"}]),
        ({"id": "8"}, [ON_LIST]),
        ({}, [ON_LIST]),
        (None, []),
    ],
    ids=["inclusion ignored", "another list", "another status", "another contact", "no id", "nobody, yet some"],
)
def test_a_count_that_is_not_clearly_about_the_list_is_unknown(contact: object, lists: list[object]) -> None:
    assert active(contact, lists) is None


def test_a_list_without_anybody_is_empty_and_one_without_a_count_is_unexpected() -> None:
    assert active(None, [], "0") == 0
    assert active({"id": "7"}, [ON_LIST], None) == NoAnswer("unexpected_answer")
    assert people.read_active_count(Answer(404, {}, b""), 1) == NotFound()
