"""What answers about bulk imports mean: every shape that is documented or reported, and garbage."""

import json

import pytest
from hypothesis import given

from exporter.activecampaign.imports import bulk_outcome, import_outcome
from exporter.activecampaign.outcomes import (
    Accepted,
    Ambiguous,
    BulkOutcome,
    Completed,
    ContactFault,
    ContactsRefused,
    ImportFailed,
    ImportOutcome,
    KeyRefused,
    NoAnswer,
    NotFinal,
    NotFound,
    PaymentDue,
    RateLimited,
    RequestRefused,
    TariffLimit,
    TooLarge,
    WebPage,
)
from exporter.activecampaign.wire import Answer, AnswerLost, NotSent, Reply
from tests.unit.activecampaign.answers import HTML, ID, NOT_VALID, QUEUED, RATE, answer, refused, replies

CLOUDFLARE = {
    "type": "https://developers.cloudflare.com/error-502/",
    "title": "Error 502: Bad gateway",
    "status": 502,
    "cloudflare_error": True,
    "retryable": True,
    "retry_after": 60,
}
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
    "200 with the login page": (answer(200, HTML, content_type="text/html"), WebPage()),
    "200 with a bare page": (answer(200, b"<html>"), WebPage()),
    "200 with a page that begins within 1,024 bytes": (answer(200, b" " * 1019 + b"<html>"), WebPage()),
    "200 with a login page after a comment": (answer(200, b"<!-- x -->\n<HTML>"), WebPage()),
    "a key that cannot be sent": (NotSent("unusable_key"), KeyRefused()),
    "402": (answer(402), PaymentDue()),
    "the account's limit, as a string": (
        answer(400, {"success": 0, "failureReasons": ["The imported contacts may not exceed your account limit"]}),
        TariffLimit(),
    ),
    "the account's limit, for every contact": (
        answer(400, {"failureReasons": [{"contact": 1, "failureReason": "Contact limit reached"}]}),
        TariffLimit(),
    ),
    "404": (answer(404, {"message": "No Result found for _List with id 7"}), NotFound()),
    "413": (answer(413, HTML), TooLarge()),
    "400 that speaks of the size": (
        answer(
            400, {"success": 0, "failureReasons": ["The payload must be less than 400K bytes (399999 bytes or less)."]}
        ),
        TooLarge(),
    ),
    "400 that speaks of too many contacts": (
        answer(400, {"failureReasons": ["Up to 250 contacts may be included in a single request."]}),
        TooLarge(),
    ),
    "422 that speaks of the size": (answer(422, {"message": "Request body is too large"}), TooLarge()),
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


def test_refused_positions_are_given_once_each_in_order() -> None:
    body = {"failureReasons": [{"contact": n, "failureReason": "email"} for n in (7, 2, 7)]}
    outcome = bulk_outcome(answer(400, body))
    assert isinstance(outcome, ContactsRefused)
    assert outcome.positions == (2, 7)


def test_no_reason_carries_the_sentence_as_it_may_hold_personal_data() -> None:
    body = {"failureReasons": [{"contact": 1, "failureReason": "jane@example.com is no email"}], "message": "jane"}
    for status in (200, 400, 403, 422, 500):
        assert "jane" not in repr(bulk_outcome(answer(status, body)))


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
    "the login page": (answer(200, HTML), WebPage()),
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
