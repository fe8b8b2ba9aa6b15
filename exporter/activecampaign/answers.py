"""What ActiveCampaign's answers mean: a reply becomes an *outcome*, a small value whose class says what to do next.

Answers are judged by their content, never by `Content-Type` (an accepted import is labeled text/html) and never by the
exact wording of a sentence (the documentation and the servers differ). The shapes are explained in
docs/explanation/activecampaign-answers.md.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any, Final

import orjson

from exporter.activecampaign.outcomes import (
    ErrorOutcome,
    KeyRefused,
    NoAnswer,
    NotFound,
    PaymentDue,
    RateLimited,
    RequestRefused,
    TariffLimit,
    WebPage,
)
from exporter.activecampaign.wire import Answer, AnswerLost, NotSent, Reply

type JsonObject = dict[str, Any]
EMPTY: Final = "empty"
UNEXPECTED: Final = "unexpected_answer"
REDIRECTED: Final = "redirected"
TOO_LARGE: Final = "payload_too_large"
DEFAULT_WAIT_S: Final = 60.0  # the bulk import's own limit is per minute and sends no Retry-After
MAX_WAIT_S: Final = 900.0


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait, from 1 to 900: `Retry-After` in seconds or as a date; 60 when absent or unreadable.

    A date is compared with the answer's own `Date`, so this machine's clock does not matter.
    https://www.rfc-editor.org/rfc/rfc9110#name-retry-after
    """
    text = headers.get("retry-after", "").strip()
    if re.fullmatch(r"[-+]?\d{1,30}(\.\d*)?", text, re.ASCII):
        wait_s = float(text)
    else:
        until, since = _http_date(text), _http_date(headers.get("date", ""))
        wait_s = DEFAULT_WAIT_S if until is None or since is None else until - since
    return min(max(wait_s, 1.0), MAX_WAIT_S)


def _http_date(text: str) -> float | None:
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None


def body_of(reply: Reply) -> JsonObject | ErrorOutcome:
    """Return the JSON object of a successful answer to a read-only request, or the outcome of any other reply."""
    if isinstance(reply, NotSent):
        return not_sent(reply)
    if isinstance(reply, AnswerLost):
        return NoAnswer(reply.reason)
    error = error_outcome(reply)
    if error is not None:
        return error
    return json_object(reply.body) or {}


def not_sent(reply: NotSent) -> ErrorOutcome:
    """Return the outcome of a request that never left this machine."""
    return KeyRefused() if reply.reason == "unusable_key" else NoAnswer(reply.reason)


def error_outcome(answer: Answer) -> ErrorOutcome | None:
    """Classify an answer that is an error for any request; None for a 2xx that may be a success."""
    body = json_object(answer.body) or {}
    match answer.status // 100, answer.status:
        case 2, _:
            return None if body else _no_object(answer.body)
        case _, HTTPStatus.TOO_MANY_REQUESTS:
            return RateLimited(_wait_s(answer, body) or DEFAULT_WAIT_S)
        case _, HTTPStatus.SERVICE_UNAVAILABLE:  # older reports: a rate limit sent as a 503
            return NoAnswer("status_503", _wait_s(answer, body) or DEFAULT_WAIT_S)
        case 3, _:
            return RequestRefused(REDIRECTED)
        case 4, status if status != HTTPStatus.REQUEST_TIMEOUT:
            return rate_or_tariff_limit(body) or _REFUSED.get(status) or _refused(status, body)
        case _, status:
            return NoAnswer(f"status_{status}", _wait_s(answer, body))


_REFUSED: Final[dict[int, ErrorOutcome]] = {
    HTTPStatus.UNAUTHORIZED: KeyRefused(),
    HTTPStatus.PAYMENT_REQUIRED: PaymentDue(),
    HTTPStatus.FORBIDDEN: KeyRefused(),  # for a bad key and for a missing permission alike
    HTTPStatus.NOT_FOUND: NotFound(),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: RequestRefused(TOO_LARGE),
}


def _refused(status: int, body: JsonObject) -> RequestRefused:
    too_large = _SAYS_TOO_LARGE.search(_text(body))
    return RequestRefused(TOO_LARGE if too_large else f"status_{status}")


def _no_object(body: bytes) -> ErrorOutcome:
    """Classify the body of a 2xx that is not a JSON object, or is an empty one."""
    # Seen for a bad key: https://github.com/rudderlabs/rudder-transformer/pull/5350
    if _HTML_PAGE.search(body, 0, 1024):
        return WebPage()
    return NoAnswer(UNEXPECTED if body.strip() else EMPTY)


def rate_or_tariff_limit(body: JsonObject) -> RateLimited | TariffLimit | None:
    """Recognize a limit by the sentences about the request: the bulk import's own rate limit is a 400."""
    text = _text(body)
    if any(isinstance(item, dict) for item in items(body.get("failurereasons"))):
        return None
    if _RATE_LIMIT.search(text):
        return RateLimited(DEFAULT_WAIT_S)
    return TariffLimit() if TARIFF_LIMIT.search(text) else None


_RATE_LIMIT: Final = re.compile(r"rate.?limit|too many (requests|imports)|per (second|minute)|throttl", re.IGNORECASE)
TARIFF_LIMIT: Final = re.compile(r"(account|contact|subscriber|plan)\S{0,2} limit|upgrade your", re.IGNORECASE)
_SAYS_TOO_LARGE: Final = re.compile(
    r"too (large|big|many contacts)|(payload|body|request) size|less than \S+ bytes|contacts may be included",
    re.IGNORECASE,
)
_HTML_PAGE: Final = re.compile(rb"<!doctype html|<html", re.IGNORECASE)


def _wait_s(answer: Answer, body: JsonObject) -> float | None:
    """Return the seconds that an answer asks to wait, in its header or (a gateway's) in its body, if it does."""
    if "retry-after" in answer.headers:
        return retry_after(answer.headers)
    in_body = number(body.get("retry_after"))
    return None if in_body is None else retry_after({"retry-after": str(in_body)})


def _text(body: JsonObject) -> str:
    """Return the sentences about the request. `errors` may be objects, strings or one string."""
    parts = [body.get("message"), body.get("title"), body.get("detail")]
    for item in (*items(body.get("errors")), *items(body.get("failurereasons"))):
        parts += [item.get("title"), item.get("detail")] if isinstance(item, dict) else [item]
    return " ".join(part for part in parts if isinstance(part, str))


def json_object(body: bytes) -> JsonObject | None:
    """Return a JSON object with its top-level names in lower case (`Success`, `success`); None for anything else."""
    try:
        parsed = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    return {name.lower(): value for name, value in parsed.items()} if isinstance(parsed, dict) else None


def items(value: object) -> list[Any]:
    """Return as a list what may be a list, a single string, an object keyed by number, or nothing."""
    match value:
        case list():
            return value
        case dict():
            return list(value.values()) if all(name.isdigit() for name in value) else [value]
        case str() if value:
            return [value]
    return []


def number(value: object) -> int | None:
    """Return a whole number that may be written as text; None for anything else."""
    if isinstance(value, int):  # True counts as 1
        return int(value)
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value, re.ASCII) else None


def object_of(value: object) -> JsonObject:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}
