"""What ActiveCampaign's answers mean: every shape that is documented, recorded or reported, and garbage."""

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter import errors
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
from exporter.activecampaign.answers import retry_after
from exporter.activecampaign.imports import bulk_outcome, import_outcome
from exporter.activecampaign.outcomes import (
    Accepted,
    Ambiguous,
    BulkOutcome,
    Completed,
    ContactFault,
    ContactsRefused,
    ErrorOutcome,
    ImportFailed,
    ImportOutcome,
    KeyRefused,
    NoAnswer,
    NotFinal,
    NotFound,
    RateLimited,
    RequestRefused,
    TariffLimit,
    as_error,
)
from exporter.activecampaign.wire import Answer, AnswerLost, NotSent, Reply

OURS = Path(__file__).parents[1] / "shapes" / "activecampaign"
FOREIGN = Path(__file__).parents[3] / "shared" / "samples" / "activecampaign"
FOLDERS = [OURS, *([FOREIGN] if FOREIGN.is_dir() else [])]
HTML = b"<!DOCTYPE html>\n<html lang='en'><head><title>Login</title></head><body>...</body></html>"
CLOUDFLARE = {
    "type": "https://developers.cloudflare.com/error-502/",
    "title": "Error 502: Bad gateway",
    "status": 502,
    "cloudflare_error": True,
    "retryable": True,
    "retry_after": 60,
}
ID = "0641fbdd-f62f-4c2c-ba02-3a83d5d11ac9"
QUEUED = {"success": 1, "queued_contacts": 2, "batchId": ID, "message": "Contact import queued"}
NOT_VALID = "JSON payload did not pass validation. Please fix failureReasons and retry. The import was not queued."
RATE = "Up to 100 imports may be requested per minute.Please batch contacts into larger requests, or retry later."


def answer(status: int, body: object = b"", **headers: str) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


def refused(*failures: tuple[int, ContactFault]) -> ContactsRefused:
    return ContactsRefused(failures, tuple(dict.fromkeys(fault for _, fault in failures)))


# --- Bulk imports ---

ACCEPTED: dict[str, tuple[Reply, BulkOutcome]] = {
    "documented": (answer(200, {**QUEUED, "queued_contacts": 2}), Accepted(ID, 2)),
    "Success with a capital letter": (
        answer(200, {"Success": 1, "queued_contacts": 1, "batchId": ID}),
        Accepted(ID, 1),
    ),
    "labelled text/html": (answer(200, QUEUED, content_type="text/html; charset=UTF-8"), Accepted(ID, 2)),
    "excluded addresses: success 5, fewer queued": (
        answer(200, {"success": 5, "queued_contacts": 2, "batchId": ID}),
        Accepted(ID, 2),
    ),
    "success as true, count as text, id as number": (
        answer(200, {"success": True, "queued_contacts": "2", "batchId": 1234}),
        Accepted("1234", 2),
    ),
    "201": (answer(201, QUEUED), Accepted(ID, 2)),
    "an id of a hundred characters": (answer(200, {**QUEUED, "batchId": "x" * 100}), Accepted("x" * 100, 2)),
    "nobody queued": (answer(200, {**QUEUED, "queued_contacts": 0}), Accepted(ID, 0)),
    "with a byte order mark": (answer(200, b"\xef\xbb\xbf" + json.dumps(QUEUED).encode()), Accepted(ID, 2)),
}
REFUSED: dict[str, tuple[Reply, BulkOutcome]] = {
    "documented, typographic quotes": (
        answer(
            400,
            {
                "success": 0,
                "message": NOT_VALID,
                "failureReasons": [{"contact": 230, "failureReason": "Field‘ email’ incorrect format"}],  # noqa: RUF001
            },
        ),
        refused((230, ContactFault.EMAIL)),
    ),
    "probed, several": (
        answer(
            400,
            {
                "success": 0,
                "message": NOT_VALID,
                "failureReasons": [
                    {"contact": 1, "failureReason": "Field 'email' not found"},
                    {"contact": "17", "failureReason": "Contact has unsubscribed from list 7"},
                    {"contact": 250, "failureReason": "?"},
                ],
            },
        ),
        refused((1, ContactFault.EMAIL), (17, ContactFault.UNSUBSCRIBED), (250, ContactFault.OTHER)),
    ),
    "objects with a sentence that looks like the rate limit": (
        answer(400, {"message": "Rate limit exceeded.", "failureReasons": [{"contact": 3, "failureReason": "email"}]}),
        refused((3, ContactFault.EMAIL)),
    ),
    "the account's limit, for one of several contacts": (
        answer(
            400,
            {
                "failureReasons": [
                    {"contact": 1, "failureReason": "Contact limit reached"},
                    {"contact": 2, "failureReason": "EMAIL IS NOT VALID"},
                ]
            },
        ),
        refused((1, ContactFault.OTHER), (2, ContactFault.EMAIL)),
    ),
    "one object instead of a list": (
        answer(400, {"success": 0, "failureReasons": {"contact": 3, "failureReason": "phone field"}}),
        refused((3, ContactFault.FIELD)),
    ),
    "an object keyed by number": (
        answer(400, {"success": 0, "failureReasons": {"0": {"contact": 3, "failureReason": "listid"}}}),
        refused((3, ContactFault.LIST)),
    ),
    "no position": (
        answer(400, {"success": 0, "failureReasons": [{"failureReason": "email"}]}),
        ContactsRefused((), (ContactFault.EMAIL,)),
    ),
    "a position that is none": (
        answer(400, {"success": 0, "failureReasons": [{"contact": None, "failureReason": "on the bounced list"}]}),
        ContactsRefused((), (ContactFault.BOUNCED,)),
    ),
    "with 422": (
        answer(422, {"success": 0, "failureReasons": [{"contact": 0, "failureReason": "exclusion list"}]}),
        refused((0, ContactFault.EXCLUDED)),
    ),
    "with 200": (
        answer(200, {"success": 0, "failureReasons": [{"contact": 2, "failureReason": "email"}]}),
        refused((2, ContactFault.EMAIL)),
    ),
}
THROTTLED: dict[str, tuple[Reply, BulkOutcome]] = {
    "429": (answer(429, retry_after="30"), RateLimited(30)),
    "429 without Retry-After": (answer(429, b""), RateLimited(60)),
    "429 in HTML": (answer(429, HTML, retry_after="5"), RateLimited(5)),
    "documented 400 with strings": (
        answer(400, {"success": 0, "message": "Rate limit exceeded.", "failureReasons": [RATE]}),
        RateLimited(60),
    ),
    "400 with only the sentence": (answer(400, {"success": 0, "message": "Rate limit exceeded."}), RateLimited(60)),
    "400 with only the reason": (answer(400, {"success": 0, "failureReasons": [RATE]}), RateLimited(60)),
    "400 in other words": (answer(400, {"errors": "Too many requests"}), RateLimited(60)),
    "403 that is a rate limit": (
        answer(403, {"errors": [{"title": "Rate Limited", "detail": "slow"}]}),
        RateLimited(60),
    ),
    "200 with the refusal": (answer(200, {"success": 0, "failureReasons": [RATE]}), RateLimited(60)),
    "400 with the sentence as title": (answer(400, {"title": "TOO MANY REQUESTS"}), RateLimited(60)),
    "400 with the sentence as detail": (answer(400, {"detail": "Too many requests"}), RateLimited(60)),
    "400 with the sentence over title and detail": (
        answer(400, {"title": "Too many", "detail": "requests"}),
        RateLimited(60),
    ),
    "400 with the sentence in an error's detail": (
        answer(400, {"errors": [{"title": "No", "detail": "Too many requests"}]}),
        RateLimited(60),
    ),
    "400 with the sentence before other errors": (
        answer(400, {"message": "Rate limit exceeded.", "errors": ["Slow down"]}),
        RateLimited(60),
    ),
}
DEFINITE: dict[str, tuple[Reply, BulkOutcome]] = {
    "401": (answer(401), KeyRefused()),
    "403": (answer(403, {"message": "Forbidden"}), KeyRefused()),
    "403 in HTML": (answer(403, HTML), KeyRefused()),
    "403 that speaks of permission": (
        answer(403, {"errors": [{"status": 403, "detail": "You do not have permission to view lists."}]}),
        KeyRefused(),
    ),
    "200 with the login page": (answer(200, HTML, content_type="text/html"), KeyRefused()),
    "200 with a bare page": (answer(200, b"<html>"), KeyRefused()),
    "200 with a page that begins within 1,024 bytes": (answer(200, b" " * 1019 + b"<html>"), KeyRefused()),
    "200 with a login page after a comment": (answer(200, b"<!-- x -->\n<HTML>"), KeyRefused()),
    "a key that cannot be sent": (NotSent("unusable_key"), KeyRefused()),
    "402": (answer(402), TariffLimit()),
    "the account's limit, as a string": (
        answer(400, {"success": 0, "failureReasons": ["The imported contacts may not exceed your account limit"]}),
        TariffLimit(),
    ),
    "the account's limit, for every contact": (
        answer(400, {"failureReasons": [{"contact": 1, "failureReason": "Contact limit reached"}]}),
        TariffLimit(),
    ),
    "404": (answer(404, {"message": "No Result found for _List with id 7"}), NotFound()),
    "413": (answer(413, HTML), RequestRefused("payload_too_large")),
    "unparsable JSON": (
        answer(400, {"success": 0, "failureReasons": ["Invalid or unparsable json"]}),
        RequestRefused("status_400"),
    ),
    "400 with errors as a list of strings": (
        answer(400, {"errors": ["Field name is required", "Field type must be of type string"]}),
        RequestRefused("status_400"),
    ),
    "422 with errors as one string": (
        answer(422, {"errors": "Bulk operation failed. Request must contain an array."}),
        RequestRefused("status_422"),
    ),
    "400 with errors as objects": (
        answer(400, {"errors": [{"title": "Invalid value", "detail": "", "source": {"parameter": "x"}}]}),
        RequestRefused("status_400"),
    ),
    "400 with an empty object": (answer(400, {}), RequestRefused("status_400")),
    "400 with nothing": (answer(400), RequestRefused("status_400")),
    "a redirect": (answer(302, b"", location="https://evil.example/"), RequestRefused("redirected")),
    "a redirect that keeps the method": (answer(307, HTML), RequestRefused("redirected")),
    "nothing left this machine": (NotSent("connect"), NoAnswer("connect")),
}
AMBIGUOUS: dict[str, tuple[Reply, BulkOutcome]] = {
    "the answer was lost": (AnswerLost("read_timeout"), Ambiguous("read_timeout")),
    "200 with nothing": (answer(200), Ambiguous("empty")),
    "200 with spaces": (answer(200, b" \r\n"), Ambiguous("empty")),
    "204": (answer(204), Ambiguous("empty")),
    "200 cut off": (answer(200, b'{"success":1,"queued_con'), Ambiguous("unexpected_answer")),
    "200 with a PHP warning": (answer(200, b"<b>Warning</b>: x"), Ambiguous("unexpected_answer")),
    "200 with a page that begins later": (answer(200, b" " * 1020 + b"<html>"), Ambiguous("unexpected_answer")),
    "200 with nothing but a sentence": (answer(200, {"message": "Rate limit"}), Ambiguous("unexpected_answer")),
    "200 with a list": (answer(200, []), Ambiguous("unexpected_answer")),
    "200 with an empty object": (answer(200, {}), Ambiguous("unexpected_answer")),
    "success without an id": (answer(200, {"success": 1, "queued_contacts": 2}), Ambiguous("unexpected_answer")),
    "an empty id": (answer(200, {**QUEUED, "batchId": ""}), Ambiguous("unexpected_answer")),
    "an id that is no id": (answer(200, {**QUEUED, "batchId": "../x?y"}), Ambiguous("unexpected_answer")),
    "an id that begins like one": (answer(200, {**QUEUED, "batchId": "x?y"}), Ambiguous("unexpected_answer")),
    "an id of other letters": (answer(200, {**QUEUED, "batchId": "\u00e9"}), Ambiguous("unexpected_answer")),
    "an id that is too long": (answer(200, {**QUEUED, "batchId": "x" * 101}), Ambiguous("unexpected_answer")),
    "a count that begins like one": (answer(200, {**QUEUED, "queued_contacts": "2x"}), Ambiguous("unexpected_answer")),
    "a count in other digits": (answer(200, {**QUEUED, "queued_contacts": "\u0663"}), Ambiguous("unexpected_answer")),
    "no count": (answer(200, {"success": 1, "batchId": ID}), Ambiguous("unexpected_answer")),
    "success 0 without a reason": (answer(200, {**QUEUED, "success": 0}), Ambiguous("unexpected_answer")),
    "success false": (answer(200, {**QUEUED, "success": False}), Ambiguous("unexpected_answer")),
    "500": (answer(500, {"message": "x"}), Ambiguous("status_500")),
    "502 of a gateway, with its wait": (answer(502, CLOUDFLARE), Ambiguous("status_502", 60)),
    "502 of a gateway, with another wait": (answer(502, {"retry_after": 30}), Ambiguous("status_502", 30)),
    "503, which may be the rate limit": (answer(503, HTML), Ambiguous("status_503", 60)),
    "503 with a wait": (answer(503, b"", retry_after="120"), Ambiguous("status_503", 120)),
    "504": (answer(504, HTML), Ambiguous("status_504")),
    "524 of a gateway": (answer(524, HTML), Ambiguous("status_524")),
    "408": (answer(408), Ambiguous("status_408")),
}
BULK = ACCEPTED | REFUSED | THROTTLED | DEFINITE | AMBIGUOUS


@pytest.mark.parametrize(("reply", "outcome"), BULK.values(), ids=BULK)
def test_a_bulk_import(reply: Reply, outcome: BulkOutcome) -> None:
    assert bulk_outcome(reply) == outcome


def test_the_rate_limit_and_a_bad_contact_are_told_apart_by_strings_and_objects() -> None:
    texts = [RATE, "Rate limit exceeded.", "Field 'email' not found", ""]
    for text in texts:
        objects = answer(400, {"success": 0, "failureReasons": [{"contact": 1, "failureReason": text}]})
        strings = answer(400, {"success": 0, "failureReasons": [text]})
        assert isinstance(bulk_outcome(objects), ContactsRefused)
        assert not isinstance(bulk_outcome(strings), ContactsRefused)


def test_the_faults_are_named_as_ledgers_name_them() -> None:
    names = ["email", "unsubscribed", "bounced", "excluded", "list", "field", "other"]
    assert [fault.value for fault in ContactFault] == names


def test_refused_positions_are_given_once_each_in_order() -> None:
    body = {"failureReasons": [{"contact": n, "failureReason": "email"} for n in (7, 2, 7)]}
    outcome = bulk_outcome(answer(400, body))
    assert isinstance(outcome, ContactsRefused)
    assert outcome.positions == (2, 7)


def test_no_reason_carries_the_sentence_as_it_may_hold_personal_data() -> None:
    body = {"failureReasons": [{"contact": 1, "failureReason": "jane@example.com is no email"}], "message": "jane"}
    for status in (200, 400, 403, 422, 500):
        assert "jane" not in repr(bulk_outcome(answer(status, body)))


NAMES = [*QUEUED, "Success", "failureReasons", "contact", "failureReason", "errors", "title", "detail", "status"]
NAMES += [
    "failure",
    "user",
    "id",
    "list",
    "lists",
    "fields",
    "exclusions",
    "meta",
    "total",
    "retry_after",
    "email",
    "0",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=12,
)
bodies = st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode())
replies = (
    st.builds(
        Answer,
        st.integers(100, 599),
        st.dictionaries(st.sampled_from(["retry-after", "date", "content-type"]), st.text(max_size=30)),
        bodies,
    )
    | st.builds(NotSent, st.just("connect"))
    | st.builds(AnswerLost, st.just("connection"))
)


@given(replies)
def test_every_reply_has_an_outcome_and_none_is_accepted_without_an_id(reply: Reply) -> None:
    outcome = bulk_outcome(reply)
    if isinstance(outcome, Accepted):
        assert isinstance(reply, Answer)
        assert 200 <= reply.status < 300
        assert outcome.import_id.encode() in reply.body


@given(replies)
def test_a_bulk_import_is_only_refused_for_certain_by_an_answer_below_500(reply: Reply) -> None:
    certain = RequestRefused | ContactsRefused | KeyRefused | NotFound | TariffLimit | RateLimited
    if isinstance(bulk_outcome(reply), certain):
        assert isinstance(reply, Answer)
        assert reply.status < 500


@given(replies)
def test_every_reply_can_be_read_whatever_was_asked(reply: Reply) -> None:
    import_outcome(reply)
    read_user(reply)
    read_list(reply)
    read_account(reply)
    read_lists_page(reply, 0)
    read_fields_page(reply, 0)
    read_exclusions_page(reply, 0)


# --- The state of an import ---

INFO: dict[str, tuple[Reply, ImportOutcome]] = {
    "documented": (
        answer(200, {"status": "completed", "success": ["1", "2"], "failure": ["a@b.example", "c'd@b.example"]}),
        Completed(("a@b.example", "c'd@b.example"), 2),
    ),
    "nobody failed": (answer(200, {"status": "completed", "success": [], "failure": []}), Completed((), 0)),
    "no list of failures": (answer(200, {"status": "completed"}), Completed((), 0)),
    "failures are null": (answer(200, {"status": "completed", "success": None, "failure": None}), Completed((), 0)),
    "failures by number": (
        answer(200, {"status": "completed", "success": {"0": 7}, "failure": {"0": "a@b.example", "2": "c@b.example"}}),
        Completed(("a@b.example", "c@b.example"), 1),
    ),
    "failures are objects": (
        answer(200, {"status": "completed", "failure": [{"email": "a@b.example", "reason": "x"}]}),
        Completed(("a@b.example",), 0),
    ),
    "failures cannot be read": (answer(200, {"status": "completed", "failure": [7]}), NotFinal("unknown")),
    "failures are a number": (answer(200, {"status": "completed", "failure": 3}), NotFinal("unknown")),
    "asked within a second": (answer(200, {"status": False}), NotFinal("unset")),
    "no status": (answer(200, {"success": []}), NotFinal("unset")),
    "waiting": (answer(200, {"status": "waiting"}), NotFinal("waiting")),
    "claimed": (answer(200, {"status": "claimed"}), NotFinal("claimed")),
    "active": (answer(200, {"status": "active", "success": ["1"], "failure": []}), NotFinal("active")),
    "a new status": (answer(200, {"status": "jane@example.com"}), NotFinal("unknown")),
    "a status that is no text": (answer(200, {"status": [1]}), NotFinal("unknown")),
    "failed": (answer(200, {"status": "failed"}), ImportFailed("failed")),
    "interrupted": (answer(200, {"status": "interrupted", "failure": []}), ImportFailed("interrupted")),
    "an unknown import, 404": (answer(404, {"message": "No Result found"}), NotFound()),
    "an unknown import, 400": (answer(400, {"success": 0, "message": "'batchId' is a required field."}), NotFound()),
    "an unknown import, an empty list": (answer(200, []), NotFinal("unknown")),
    "an unknown import, nothing": (answer(200), NotFinal("unknown")),
    "an empty object": (answer(200, {}), NotFinal("unknown")),
    "the login page": (answer(200, HTML), KeyRefused()),
    "403": (answer(403), KeyRefused()),
    "429": (answer(429, retry_after="7"), RateLimited(7)),
    "the import's own rate limit": (answer(400, {"failureReasons": [RATE]}), RateLimited(60)),
    "500": (answer(500), NoAnswer("status_500")),
    "a redirect": (answer(301), RequestRefused("redirected")),
    "the answer was lost": (AnswerLost("deadline"), NoAnswer("deadline")),
    "not sent": (NotSent("name"), NoAnswer("name")),
}


@pytest.mark.parametrize(("reply", "outcome"), INFO.values(), ids=INFO)
def test_the_state_of_an_import(reply: Reply, outcome: ImportOutcome) -> None:
    assert import_outcome(reply) == outcome


def test_failed_addresses_are_in_no_representation() -> None:
    assert "jane" not in repr(Completed(("jane@example.com",), 0))


# --- What is asked before the first contact is sent ---


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


# --- Outcomes as exceptions ---


@pytest.mark.parametrize(
    ("outcome", "kind", "code", "culprit"),
    [
        (RateLimited(30), errors.Throttled, "throttled", errors.Culprit.EXTERNAL),
        (NoAnswer("status_502", 60), errors.Unavailable, "activecampaign_unavailable", errors.Culprit.EXTERNAL),
        (KeyRefused(), errors.CredentialsRefused, "credentials_refused", errors.Culprit.USER),
        (NotFound(), errors.Stop, "list_not_found", errors.Culprit.USER),
        (TariffLimit(), errors.Stop, "plan_limit", errors.Culprit.USER),
        (RequestRefused("redirected"), errors.Stop, "request_refused", errors.Culprit.EXTERNAL),
    ],
)
def test_an_error_outcome_becomes_the_exception_that_says_what_to_do_next(
    outcome: ErrorOutcome, kind: type[errors.ExporterError], code: str, culprit: errors.Culprit
) -> None:
    error = as_error(outcome, "list 12", not_found="list_not_found")
    assert type(error) is kind
    assert (error.code, error.culprit) == (code, culprit)
    assert re.fullmatch(r"Expected an answer from ActiveCampaign for list 12; .+\. .+\.", error.message)


def test_what_is_not_there_has_a_code_of_its_own_where_the_asker_gives_one() -> None:
    assert as_error(NotFound(), "list 12").code == "not_found"
    assert as_error(NotFound(), "list 12", not_found="list_missing").code == "list_missing"


def test_the_wait_that_was_asked_for_travels_along() -> None:
    throttled, down = as_error(RateLimited(30), "x"), as_error(NoAnswer("status_502", 60), "x")
    assert isinstance(throttled, errors.Throttled)
    assert isinstance(down, errors.Unavailable)
    assert (throttled.retry_after_s, down.retry_after_s) == (30, 60)


def test_a_refused_key_that_works_elsewhere_lacks_a_permission() -> None:
    error = as_error(KeyRefused(), "list 12", key_works=True)
    assert isinstance(error, errors.Stop)
    assert (error.code, error.culprit) == ("permission_refused", errors.Culprit.USER)
    assert re.fullmatch(r"Expected an answer from ActiveCampaign for list 12; the key works, but .+\.", error.message)


# --- Retry-After ---

DATE = "Mon, 23 Nov 2026 16:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "30"}, 30),
        ({"retry-after": " 30 "}, 30),
        ({"retry-after": "1.5"}, 1.5),
        ({}, 60),
        ({"retry-after": ""}, 60),
        ({"retry-after": "soon"}, 60),
        ({"retry-after": "nan"}, 60),
        ({"retry-after": "inf"}, 60),
        ({"retry-after": "٣"}, 60),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "-5"}, 1),
        ({"retry-after": "86400"}, 900),
        ({"retry-after": "9" * 30}, 900),
        ({"retry-after": "Mon, 23 Nov 2026 16:02:00 GMT", "date": DATE}, 120),
        ({"retry-after": "Mon, 23 Nov 2026 15:00:00 GMT", "date": DATE}, 1),
        ({"retry-after": "Tue, 24 Nov 2026 16:00:00 GMT", "date": DATE}, 900),
        ({"retry-after": "Mon, 23 Nov 2026 16:02:00 GMT"}, 60),
        ({"retry-after": "Mon, 99 Nov 2026 16:02:00 GMT", "date": DATE}, 60),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], wait_s: float) -> None:
    assert retry_after(headers) == wait_s


@given(st.text(), st.text())
def test_a_wait_is_always_between_a_second_and_fifteen_minutes(text: str, date: str) -> None:
    assert 1 <= retry_after({"retry-after": text, "date": date}) <= 900


# --- Answers as they were recorded and documented ---

RECORDED: dict[Path, tuple[Callable[[Reply], Any], object]] = {
    OURS / "get-fields.json": (
        lambda reply: read_fields_page(reply, 0),
        ListingPage(
            (CustomField(7, "Membership", "text", "MEMBERSHIP"), CustomField(12, "Interests", "listbox", "INTERESTS")),
            None,
        ),
    ),
    OURS / "get-field-that-is-not-there.json": (lambda reply: read_fields_page(reply, 0), NotFound()),
    OURS / "get-lists.json": (
        lambda reply: read_lists_page(reply, 0),
        ListingPage((ContactList(2, "Newsletter", None), ContactList(5, "Weekend offers", None)), None),
    ),
    OURS / "get-list.json": (read_list, ContactList(5, "Weekend offers", None)),
    OURS / "get-users-me.json": (read_user, User(4)),
    OURS / "post-import-bulk-import.json": (bulk_outcome, Accepted("7c0f2d3e-58ab-4f16-9d1b-2a6e90c4b713", 250)),
    FOREIGN / "recorded-get-fields-200-anmol.json": (
        lambda reply: read_fields_page(reply, 0),
        ListingPage((CustomField(2, "Custom text", "text", "PERSTAG"),), None),
    ),
    FOREIGN / "recorded-get-fields-200-mhenr.json": (
        lambda reply: read_fields_page(reply, 0),
        ListingPage((CustomField(414, "Custom text", "text", "PERSTAG"),), None),
    ),
    FOREIGN / "recorded-get-fields-N-404-mhenr.json": (lambda reply: read_fields_page(reply, 0), NotFound()),
    FOREIGN / "recorded-get-lists-200-mhenr.json": (
        lambda reply: read_lists_page(reply, 0),
        ListingPage((ContactList(1, "Awesome List", None),), None),
    ),
    FOREIGN / "recorded-get-lists-N-200-anmol.json": (read_list, ContactList(65, "Awesome List", None)),
    FOREIGN / "recorded-get-lists-N-200-mhenr.json": (read_list, ContactList(3, "Awesome List", None)),
    FOREIGN / "recorded-get-users-me-200-mhenr.json": (read_user, User(1)),
    FOREIGN / "recorded-post-import-bulk_import-200-anmol.json": (
        bulk_outcome,
        Accepted("3840817e-6908-41cc-92a6-469478d8994a", 1),
    ),
}
DOCUMENTED: dict[Path, tuple[list[BulkOutcome], list[ImportOutcome]]] = {
    OURS / "documented.json": (
        [
            Accepted("7c0f2d3e-58ab-4f16-9d1b-2a6e90c4b713", 12),
            refused((17, ContactFault.EMAIL)),
            RateLimited(60),
        ],
        [Completed(("no.dot@invalid", "apostrophe's@hotel.example"), 3), NotFound()],
    ),
    FOREIGN / "documented-bulk-import.json": (
        [Accepted(ID, 1), refused((230, ContactFault.EMAIL)), RateLimited(60)],
        [Completed(("invalid.email@invalidDomain", "invalid'character@example.com"), 4), NotFound()],
    ),
}


@pytest.mark.parametrize("folder", FOLDERS, ids=["ours", "foreign"][: len(FOLDERS)])
def test_every_answer_is_a_case(folder: Path) -> None:
    assert {*folder.iterdir()} == {path for path in (*RECORDED, *DOCUMENTED) if path.parent == folder}


@pytest.mark.parametrize("path", [path for path in RECORDED if path.parent in FOLDERS], ids=lambda path: path.stem)
def test_a_recorded_answer(path: Path) -> None:
    record = json.loads(path.read_text("utf-8"))
    headers = {key.lower(): value for key, value in record["headers"].items()}
    read, expected = RECORDED[path]
    assert read(Answer(record["status"], headers, record["response_body"].encode())) == expected


@pytest.mark.parametrize("path", [path for path in DOCUMENTED if path.parent in FOLDERS], ids=lambda path: path.stem)
def test_every_documented_answer(path: Path) -> None:
    pages = json.loads(path.read_text("utf-8"))

    def outcomes(page: str, read: Callable[[Reply], object]) -> list[object]:
        return [
            read(answer(int(status), example["value"].encode()))
            for status, response in pages[page]["responses"].items()
            for example in response["content"]["application/json"]["examples"].values()
        ]

    bulk_imports, infos = DOCUMENTED[path]
    assert outcomes("POST /import/bulk_import", bulk_outcome) == bulk_imports
    assert outcomes("GET /import/info", import_outcome) == infos
