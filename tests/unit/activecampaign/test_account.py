"""What answers about the account mean: user, lists, fields, limits, exclusions."""

import pytest

from exporter.activecampaign.account import (
    AccountLimits,
    ContactList,
    CustomField,
    Exclusion,
    FieldOption,
    ListingPage,
    User,
    read_account,
    read_contact_count,
    read_exclusions_page,
    read_field_options_page,
    read_fields_page,
    read_list,
    read_lists_page,
    read_user,
    with_known_lists,
)
from exporter.activecampaign.outcomes import ErrorOutcome, KeyRefused, NoAnswer, NotFound
from tests.unit.activecampaign.answers import HTML, answer


def test_the_user_of_a_key() -> None:
    assert read_user(answer(200, {"user": {"id": "1", "username": "admin"}})) == User(1, "admin")
    assert read_user(answer(200, {"user": {"id": 1}})) == User(1)
    assert read_user(answer(200, {"user": {"id": 1, "username": 7}})) == User(1)


@pytest.mark.parametrize("body", [HTML, {"user": None}, {"user": {}}, {"user": []}, {"message": "Hello"}])
def test_without_a_user_in_the_answer_the_key_does_not_work(body: object) -> None:
    assert read_user(answer(200, body)) == KeyRefused()


def test_a_list_with_and_without_a_channel() -> None:
    assert read_list(answer(200, {"list": {"id": "3", "name": "News", "channel": "email"}})) == ContactList(
        3, "News", "email"
    )
    assert read_list(answer(200, {"list": {"id": "3", "name": "News"}})) == ContactList(3, "News", None)
    assert read_list(answer(200, {"list": {"id": 4, "name": "Texts", "channel": "SMS"}})) == ContactList(
        4, "Texts", "sms"
    )


def test_a_list_may_lack_its_name_but_not_its_id() -> None:
    assert read_list(answer(200, {"list": {"id": "3"}})) == ContactList(3, "", None)
    for bad in ("3x", "\u0663", "", None, 3.5):
        assert read_list(answer(200, {"list": {"id": bad, "name": "News"}})) == NoAnswer("unexpected_answer")


def test_a_list_that_is_not_there() -> None:
    assert read_list(answer(404, {"message": "No Result found for _List with id 7"})) == NotFound()
    assert read_list(answer(200, {"list": []})) == NoAnswer("unexpected_answer")


def test_a_field_knows_whether_it_holds_several_values() -> None:
    fields = [
        {"id": str(n), "title": kind, "type": kind, "perstag": kind.upper()}
        for n, kind in enumerate(("text", "checkbox", "listbox", "multiselect"))
    ]
    page = read_fields_page(answer(200, {"fields": fields, "meta": {"total": "4"}}), 0)
    assert isinstance(page, ListingPage)
    assert [item.multiple for item in page.items] == [False, True, True, True]
    assert page.items[0] == CustomField(0, "text", "text", "TEXT", (), frozenset())


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"id": "7"}, CustomField(7, "", "", "")),
        ({"id": 7, "title": "Tier", "type": "TEXT", "perstag": "%TIER%"}, CustomField(7, "Tier", "text", "TIER")),
        ({"id": 7, "perstag": None}, CustomField(7, "", "", "")),
        ({"id": 7, "perstag": "XTAXX"}, CustomField(7, "", "", "XTAXX")),
        ({"id": 7, "options": None, "relations": 5}, CustomField(7, "", "", "")),
    ],
)
def test_a_field_may_lack_everything_but_its_id(field: dict[str, object], expected: CustomField) -> None:
    assert all_of({"fields": [field]}) == [expected]


def one_field(kind: str = "dropdown", **members: object) -> dict[str, object]:
    return {"fields": [{"id": "1", "title": "Tier", "type": kind, "perstag": "TIER"}], **members}


def all_of(*pages: dict[str, object]) -> list[CustomField]:
    read = [read_fields_page(answer(200, page), 0) for page in pages]
    return with_known_lists(item for page in read if isinstance(page, ListingPage) for item in page.items)


def options_of(page: dict[str, object]) -> tuple[FieldOption, ...] | None:
    return all_of(page)[0].options


GOLD, SILVER = FieldOption("Gold", "Gold tier"), FieldOption("7", "7")


@pytest.mark.parametrize("field_id", ["1", 1])
def test_options_may_stand_beside_the_fields_and_name_theirs(field_id: object) -> None:
    beside = [
        {"field": field_id, "orderid": "2", "value": 7, "id": "8"},
        {"field": field_id, "orderid": 1, "value": "Gold", "label": "Gold tier", "id": "7"},
        {"field": "2", "orderid": "1", "value": "Other", "label": "Other", "id": "9"},
    ]
    assert options_of(one_field(fieldOptions=beside)) == (GOLD, SILVER)


def test_options_without_a_place_come_first_as_they_are_listed() -> None:
    beside = [{"field": 1, "value": value, "orderid": order} for value, order in (("a", "1"), ("b", None), ("c", "x"))]
    found = options_of(one_field(fieldOptions=beside))
    assert found is not None
    assert [option.value for option in found] == ["b", "c", "a"]


def naming(field: dict[str, object], **members: object) -> dict[str, object]:
    return {"fields": [{"id": "1", "type": "dropdown", **field}], **members}


def test_a_field_may_name_the_ids_of_the_options_that_stand_beside_it() -> None:
    beside: list[dict[str, object]] = [
        {"value": 7, "id": 8},
        {"value": "Gold", "label": "Gold tier", "id": "7"},
        {"value": "Other", "label": "Other", "id": "9"},
    ]
    assert options_of(naming({"options": ["7", 8]}, fieldOptions=beside)) == (GOLD, SILVER)
    assert options_of(naming({"options": ["8", 7]}, fieldOptions=beside)) == (SILVER, GOLD)
    both = [{"field": "1", **each} for each in beside[:2]]
    assert options_of(naming({"options": ["7", "8"]}, fieldOptions=both)) == (SILVER, GOLD)


ODD: tuple[object, ...] = (None, 5, "x", [], [None, 5, "x", []], {"id": "7"})


@pytest.mark.parametrize(
    "page",
    [
        naming({"options": ["7", "8"]}, fieldOptions=[{"value": "Gold", "id": "7"}]),
        naming({"options": ["7", "8"]}, fieldOptions=[{"field": "1", "value": "Gold", "id": "7"}]),
        naming({"options": ["7"]}, fieldOptions=[{"field": "2", "value": "Gold", "id": "7"}]),
        naming({"options": ["7"], "type": "text"}),
        one_field(fieldOptions=[{"field": "1", "value": None, "id": "7"}, {"field": "1", "value": "Gold"}]),
        one_field(fieldOptions=[{"field": "1", "value": True, "id": "7"}]),
        *(one_field(kind) for kind in ("dropdown", "radio", "checkbox", "listbox", "multiselect")),
        *(one_field(fieldOptions=odd) for odd in ODD),
    ],
)
def test_options_that_are_not_all_told_are_not_known(page: dict[str, object]) -> None:
    assert options_of(page) is None


@pytest.mark.parametrize("kind", ["text", "textarea", "date", "datetime", "hidden", "number", ""])
def test_a_field_of_another_type_that_names_no_options_has_none(kind: str) -> None:
    assert options_of(one_field(kind)) == ()


def two_fields(first: object = (), **members: object) -> dict[str, object]:
    return {"fields": [{"id": "1", "relations": first}, {"id": "2"}], **members}


@pytest.mark.parametrize(
    "page",
    [
        two_fields(fieldRels=[{"field": "1", "relid": "0", "id": "3"}, {"field": 1, "relid": 5, "id": 4}]),
        two_fields(["3", 4], fieldRels=[{"relid": "0", "id": "3"}, {"relid": 5, "id": 4}, {"relid": 6, "id": 5}]),
    ],
)
def test_a_field_knows_its_lists_in_both_shapes_and_without_relations_it_has_none(page: dict[str, object]) -> None:
    assert [field.lists for field in all_of(page)] == [frozenset({0, 5}), frozenset()]


def test_without_a_relation_of_any_field_on_any_page_nothing_is_known_of_lists() -> None:
    silent = two_fields([], fieldRels=[])
    assert [field.lists for field in all_of(silent, silent)] == [None] * 4
    telling: dict[str, object] = {"fields": [{"id": "3"}], "fieldRels": [{"field": "3", "relid": "5", "id": "1"}]}
    assert [field.lists for field in all_of(silent, telling)] == [frozenset(), frozenset(), frozenset({5})]


@pytest.mark.parametrize(
    "page",
    [
        two_fields(["3"]),
        two_fields(["3", "4"], fieldRels=[{"relid": "5", "id": "3"}]),
        two_fields(fieldRels=[{"field": "1", "relid": "all", "id": "3"}]),
    ],
)
def test_the_lists_of_a_field_whose_relations_are_not_all_told_are_not_known(page: dict[str, object]) -> None:
    assert [field.lists for field in all_of(page)] == [None, frozenset()]


def test_options_asked_for_alone() -> None:
    options = [{"field": "1", "value": "Gold", "label": "Gold tier", "id": "7"}, {"value": 7, "id": "8"}]
    reply = answer(200, {"fieldOptions": options, "meta": {"total": "3"}})
    assert read_field_options_page(reply, 0, 1) == ListingPage((GOLD, SILVER), 2)
    assert read_field_options_page(reply, 1, 1) == ListingPage((GOLD, SILVER), None)
    assert read_field_options_page(reply, 0, 2) == NoAnswer("unexpected_answer")
    for odd in (None, 5, [{"id": "7"}]):
        reply = answer(200, {"fieldOptions": odd, "options": []})
        assert read_field_options_page(reply, 0, 1) == NoAnswer("unexpected_answer")
    assert read_field_options_page(answer(404, {"message": "No Result found"}), 0, 1) == NotFound()


@pytest.mark.parametrize("total", ["14", 14])
def test_how_many_contacts_there_are(total: object) -> None:
    assert read_contact_count(answer(200, {"contacts": [], "meta": {"total": total}})) == 14


@pytest.mark.parametrize(
    "body", [{"contacts": []}, {"contacts": [], "meta": {"total": "many"}}, {"meta": {"total": "14"}}]
)
def test_an_answer_that_does_not_say_how_many_contacts_there_are(body: object) -> None:
    assert read_contact_count(answer(200, body)) == NoAnswer("unexpected_answer")


def test_there_are_never_fewer_than_no_contacts() -> None:
    assert read_contact_count(answer(200, {"contacts": [], "meta": {"total": "0"}})) == 0
    assert read_contact_count(answer(200, {"contacts": [], "meta": {"total": -1}})) == NoAnswer("unexpected_answer")
    assert read_contact_count(answer(403, {"message": "Forbidden"})) == KeyRefused()


@pytest.mark.parametrize("total", ["250", 250])
def test_pages_follow_each_other_until_the_total_as_text_or_number(total: object) -> None:
    def page(first: int, count: int) -> ListingPage[ContactList] | ErrorOutcome:
        lists = [{"id": str(n), "name": "x"} for n in range(first, first + count)]
        return read_lists_page(answer(200, {"lists": lists, "meta": {"total": total}}), first)

    offsets = []
    for first, count in ((0, 100), (100, 20), (120, 100), (220, 30)):
        got = page(first, count)
        assert isinstance(got, ListingPage)
        offsets.append(got.next_offset)
    assert offsets == [100, 120, 220, None]


def test_without_a_total_a_full_page_means_that_there_may_be_more() -> None:
    full = read_lists_page(answer(200, {"lists": [{"id": n} for n in range(100)]}), 0)
    assert isinstance(full, ListingPage)
    assert full.next_offset == 100
    last = read_lists_page(answer(200, {"lists": [], "meta": None}), 100)
    assert last == ListingPage((), None)


def test_an_empty_page_ends_the_paging_even_when_the_total_promises_more() -> None:
    assert read_lists_page(answer(200, {"lists": [], "meta": {"total": "7"}}), 0) == ListingPage((), None)


def test_an_item_that_cannot_be_read_spoils_the_page_rather_than_being_left_out() -> None:
    assert read_fields_page(answer(200, {"fields": [{"id": "x"}]}), 0) == NoAnswer("unexpected_answer")
    assert read_fields_page(answer(200, {"fields": None}), 0) == NoAnswer("unexpected_answer")


def test_the_contact_limit_of_the_account() -> None:
    body = {"account": "acme", "subscriber_limit": 25000, "subscriber_total": "24000", "trial": False}
    assert read_account(answer(200, body)) == AccountLimits(25000, 24000, "acme")
    assert read_account(answer(200, {"subscriber_limit": None, "subscriber_total": 3})) == AccountLimits(None, 3)
    assert read_account(answer(200, {"subscriber_limit": 7, "account": ""})) == AccountLimits(7, None, None)
    assert read_account(answer(200, {"subscriber_total": 7, "account": 5})) == AccountLimits(None, 7, None)
    assert read_account(answer(200, {"account": "acme"})) == NoAnswer("unexpected_answer")
    assert read_account(answer(403, {"message": "Forbidden"})) == KeyRefused()


def test_the_exclusion_list() -> None:
    body = {
        "exclusions": [{"id": "1", "matchPhrase": "example@domain.example", "matchType": "end"}],
        "meta": {"total": 1},
    }
    page = read_exclusions_page(answer(200, body), 0)
    assert page == ListingPage((Exclusion("example@domain.example", "end"),), None)
    assert "domain.example" not in repr(page)


def test_an_exclusion_is_exact_where_nothing_else_is_said_and_needs_a_phrase() -> None:
    page = read_exclusions_page(answer(200, {"exclusions": [{"matchPhrase": "a@b.example"}]}), 0)
    assert page == ListingPage((Exclusion("a@b.example", "exact"),), None)
    page = read_exclusions_page(answer(200, {"exclusions": [{"matchPhrase": "@", "matchType": "START"}]}), 0)
    assert page == ListingPage((Exclusion("@", "start"),), None)
    for bad in (None, 7):
        page = read_exclusions_page(answer(200, {"exclusions": [{"matchPhrase": bad, "matchType": "end"}]}), 0)
        assert page == NoAnswer("unexpected_answer")


@pytest.mark.parametrize(
    ("lists", "concerned"),
    [([], {1, 2}), (["2"], {2}), ([2, 0], {1, 2}), ([{"id": "2"}], {2}), (["x"], {1, 2}), (None, {1, 2})],
)
def test_which_lists_an_exclusion_concerns(lists: object, concerned: set[int]) -> None:
    body = {"exclusions": [{"matchPhrase": "a@b.example", "matchType": "exact", "lists": lists}]}
    page = read_exclusions_page(answer(200, body), 0)
    assert isinstance(page, ListingPage)
    assert {list_id for list_id in (1, 2) if page.items[0].concerns(list_id)} == concerned


@pytest.mark.parametrize(
    ("match_type", "phrase", "excluded"),
    [
        ("exact", "Jane@Example.com", True),
        ("exact", "example.com", False),
        ("start", "jane@", True),
        ("start", "example", False),
        ("end", "@EXAMPLE.com", True),
        ("end", "jane", False),
        ("regex", ".*", False),
        ("regex", "jane@example.com", True),
    ],
)
def test_whom_an_exclusion_means(match_type: str, phrase: str, excluded: object) -> None:
    assert Exclusion(phrase, match_type).matches(" jane@example.COM") is excluded
