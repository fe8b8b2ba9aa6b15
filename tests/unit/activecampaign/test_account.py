"""What answers about the account mean: user, lists, fields, limits, exclusions."""

import pytest

from exporter.activecampaign.account import (
    AccountLimits,
    ContactList,
    CustomField,
    Exclusion,
    ListingPage,
    User,
    read_account,
    read_exclusions_page,
    read_fields_page,
    read_list,
    read_lists_page,
    read_user,
)
from exporter.activecampaign.outcomes import ErrorOutcome, KeyRefused, NoAnswer, NotFound
from tests.unit.activecampaign.answers import HTML, answer


def test_the_user_of_a_key() -> None:
    assert read_user(answer(200, {"user": {"id": "1", "username": "admin"}})) == User(1)
    assert read_user(answer(200, {"user": {"id": 1}})) == User(1)


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
    assert page.items[0] == CustomField(0, "text", "text", "TEXT")


@pytest.mark.parametrize(
    ("field", "expected"),
    [
        ({"id": "7"}, CustomField(7, "", "", "")),
        ({"id": 7, "title": "Tier", "type": "TEXT", "perstag": "%TIER%"}, CustomField(7, "Tier", "text", "TIER")),
        ({"id": 7, "perstag": None}, CustomField(7, "", "", "")),
        ({"id": 7, "perstag": "XTAXX"}, CustomField(7, "", "", "XTAXX")),
    ],
)
def test_a_field_may_lack_everything_but_its_id(field: dict[str, object], expected: CustomField) -> None:
    assert read_fields_page(answer(200, {"fields": [field]}), 0) == ListingPage((expected,), None)


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
