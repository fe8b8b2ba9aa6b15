"""What is asked of an account: at most so many questions, and nothing waits for what only explains."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest

from exporter.activecampaign.account import CustomField, FieldOption
from exporter.activecampaign.wire import Answer, NotSent, Reply, Request
from exporter.errors import CredentialsRefused, ExporterError, Throttled, Unavailable, Wait
from exporter.pipeline import questions
from exporter.pipeline.session import Session
from sandbox.activecampaign import CustomField as HeldField
from tests.builders import HOST
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


@pytest.fixture
def calls(fakes: Fakes) -> Session:
    return Session(fakes.services, HOST, "key-1")


def exclude(fakes: Fakes, count: int) -> None:
    for number in range(1, count + 1):
        fakes.account.exclude(f"p{number}@example.com")


@pytest.mark.parametrize(
    ("listed", "read", "requests"), [(0, 0, 1), (99, 99, 1), (101, 101, 2), (1_000, 1_000, 10), (1_001, 1_000, 10)]
)
def test_a_thousand_exclusions_are_read_with_ten_requests_and_not_more(
    fakes: Fakes, calls: Session, listed: int, read: int, requests: int
) -> None:
    exclude(fakes, listed)
    found = questions.exclusions(calls, 1)
    assert [entry.phrase for entry in found] == [f"p{number}@example.com" for number in range(1, read + 1)]
    assert len(fakes.activecampaign.requests) == requests


@pytest.mark.parametrize("reply", [NotSent("dns"), Answer(429, {"retry-after": "1"}, b""), Answer(503, {}, b"")])
def test_an_exclusion_list_that_does_not_answer_is_not_an_empty_one(fakes: Fakes, calls: Session, reply: Reply) -> None:
    exclude(fakes, 101)
    fakes.activecampaign.before = lambda request: reply if ("offset", "100") in request.query else None
    with pytest.raises(Wait):
        questions.exclusions(calls, 1)
    fakes.activecampaign.before = lambda request: None
    assert len(questions.exclusions(calls, 1)) == 101


def test_an_exclusion_list_that_the_key_may_not_see_excludes_nobody(fakes: Fakes, calls: Session) -> None:
    refusal = Answer(403, {}, b'{"message":"Forbidden"}')
    fakes.activecampaign.before = lambda request: refusal if "exclusions" in request.path else None
    assert questions.exclusions(calls, 1) == ()


TIER = CustomField(41, "Tier", "dropdown", "TIER", options=None)


def replying(fakes: Fakes, path: str, reply: Callable[[int], Reply]) -> list[int]:
    """Answer requests to `path` by their offset; returns the offsets that were asked for."""
    offsets: list[int] = []

    def answer(request: Request) -> Reply | None:
        if request.path != path:
            return None
        offsets.append(int(dict(request.query).get("offset", "0")))
        return reply(offsets[-1])

    fakes.activecampaign.before = answer
    return offsets


def page_of_options(first: int, count: int, total: int | None = None) -> Answer:
    options = [{"field": "41", "value": f"o{n}", "id": str(n)} for n in range(first, first + count)]
    meta = {} if total is None else {"meta": {"total": str(total)}}
    return json_answer({"fieldOptions": options, **meta})


def json_answer(body: object, status: int = 200) -> Answer:
    return Answer(status, {}, json.dumps(body).encode())


def test_options_that_came_with_the_field_are_not_asked_for(fakes: Fakes, calls: Session) -> None:
    offsets = replying(fakes, "/api/3/fields/41/options", lambda offset: page_of_options(offset, 1))
    gold = (FieldOption("Gold", "Gold"),)
    assert questions.field_options(calls, CustomField(41, "Tier", "dropdown", "TIER", options=gold)) == gold
    assert questions.field_options(calls, CustomField(41, "City", "text", "CITY")) == ()
    assert offsets == []


def test_options_are_read_page_after_page(fakes: Fakes, calls: Session) -> None:
    pages = {0: page_of_options(0, 100, 120), 100: page_of_options(100, 20, 120)}
    offsets = replying(fakes, "/api/3/fields/41/options", pages.__getitem__)
    assert questions.field_options(calls, TIER) == tuple(FieldOption(f"o{n}", f"o{n}") for n in range(120))
    assert offsets == [0, 100]


@pytest.mark.parametrize("tell", ["both", "by_field", "by_ids", "nothing"])
def test_options_are_found_however_the_account_tells_them(fakes: Fakes, calls: Session, tell: str) -> None:
    texts = tuple(f"Tier {number}" for number in range(150))
    fakes.account.put_field(HeldField(41, "Tier", "dropdown", texts, lists=(1, 3)))
    fakes.account.set_switches(fields_tell=tell)
    tier = next(field for field in questions.all_fields(calls) if field.id == 41)
    found = questions.field_options(calls, tier)
    assert found is not None
    assert tuple(option.value for option in found) == texts
    assert tier.lists == (None if tell == "nothing" else {1, 3})


def test_a_server_that_tells_all_options_whatever_the_offset_is_not_asked_for_ever(
    fakes: Fakes, calls: Session
) -> None:
    offsets = replying(fakes, "/api/3/fields/41/options", lambda _: page_of_options(0, 130))
    assert questions.field_options(calls, TIER) == tuple(FieldOption(f"o{n}", f"o{n}") for n in range(130))
    assert offsets == [0, 130]


NOT_TOLD = [
    json_answer({"message": "Forbidden"}, 403),
    json_answer({"message": "No Result found"}, 404),
    json_answer({"message": "Method Not Allowed"}, 405),
    json_answer({"something": "else"}),
    Answer(200, {}, b""),
    Answer(200, {}, b"<html>"),
]


@pytest.mark.parametrize("reply", NOT_TOLD)
def test_options_that_the_account_does_not_tell_are_unknown_and_nothing_fails(
    fakes: Fakes, calls: Session, reply: Reply
) -> None:
    replying(fakes, "/api/3/fields/41/options", lambda _: reply)
    assert questions.field_options(calls, TIER) is None
    replying(fakes, "/api/3/fields/41/options", lambda offset: reply if offset else page_of_options(0, 100, 120))
    assert questions.field_options(calls, TIER) is None


def test_the_size_of_a_list_counts_contacts_of_every_status(fakes: Fakes, calls: Session) -> None:
    for person in "abc":
        fakes.account.unsubscribe(f"{person}@example.com", 1)
    fakes.account.unsubscribe("d@example.com", 2)
    assert questions.list_size(calls, 1) == 3
    assert questions.list_size(calls, 2) == 1
    assert questions.list_size(calls, 3) == 0


@pytest.mark.parametrize("total", ["14", 14])
def test_the_size_of_a_list_as_text_or_number(fakes: Fakes, calls: Session, total: object) -> None:
    replying(fakes, "/api/3/contacts", lambda _: json_answer({"contacts": [{}], "meta": {"total": total}}))
    assert questions.list_size(calls, 3) == 14


@pytest.mark.parametrize("reply", [*NOT_TOLD, json_answer({"contacts": []})])
def test_the_size_of_a_list_that_the_account_does_not_tell_is_unknown(
    fakes: Fakes, calls: Session, reply: Reply
) -> None:
    replying(fakes, "/api/3/contacts", lambda _: reply)
    assert questions.list_size(calls, 3) is None


@pytest.mark.parametrize(
    ("reply", "error"),
    [
        (NotSent("dns"), Unavailable),
        (json_answer({"message": "Bad gateway"}, 502), Unavailable),
        (json_answer({"message": "Too Many Requests"}, 429), Throttled),
    ],
)
def test_what_may_be_answered_later_is_not_taken_for_unknown(
    fakes: Fakes, calls: Session, reply: Reply, error: type[ExporterError]
) -> None:
    replying(fakes, "/api/3/contacts", lambda _: reply)
    with pytest.raises(error):
        questions.list_size(calls, 3)
    replying(fakes, "/api/3/fields/41/options", lambda _: reply)
    with pytest.raises(error):
        questions.field_options(calls, TIER)


def test_a_key_that_does_not_work_is_not_taken_for_one_that_may_not_ask(fakes: Fakes) -> None:
    with pytest.raises(CredentialsRefused):
        questions.list_size(Session(fakes.services, HOST, "another"), 3)


def test_the_lists_of_fields_are_judged_over_all_pages(fakes: Fakes, calls: Session) -> None:
    first = {"fields": [{"id": n} for n in range(1, 101)], "meta": {"total": "101"}}
    last = {"fields": [{"id": 101}], "fieldRels": [{"field": 101, "relid": "3"}], "meta": {"total": "101"}}
    replying(fakes, "/api/3/fields", lambda offset: json_answer(last if offset else first))
    assert [field.lists for field in questions.all_fields(calls)] == [frozenset()] * 100 + [frozenset({3})]
    replying(fakes, "/api/3/fields", lambda offset: json_answer({**last, "fieldRels": []} if offset else first))
    assert [field.lists for field in questions.all_fields(calls)] == [None] * 101
