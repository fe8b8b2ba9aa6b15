"""What ActiveCampaign's answers mean: a reply becomes an *outcome*, a small value whose class says what to do next.

Answers are read by what they hold, never by `Content-Type` (an accepted import is labelled text/html) and never by the
exact wording of a sentence (it differs between the documentation and the servers). The shapes are explained in
docs/explanation/activecampaign-answers.md.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from email.utils import parsedate_to_datetime
from enum import StrEnum
from http import HTTPStatus
from typing import Any, Final

import orjson

from exporter import errors
from exporter.activecampaign.wire import PAGE, Answer, AnswerLost, NotSent, Reply

type Json = dict[str, Any]


# --- Outcomes: what to do next ---
# The first line of each docstring is the meaning, the second one what to do; the documentation shows both.


@dataclass(frozen=True, slots=True)
class Accepted:
    """The import is queued, which is not yet delivered.

    Ask `import_info(import_id)` until it is final; `queued` may be less than was sent (excluded addresses).
    """

    import_id: str
    queued: int


@dataclass(frozen=True, slots=True)
class ContactsRefused:
    """Some contacts were refused, and with them the whole import: nothing is queued.

    Send the others again: `refusals.search` says which. `failures` are (position as the server counts, reason).
    """

    failures: tuple[tuple[int, ContactFault], ...]
    reasons: tuple[ContactFault, ...]  # of all failures, also of those without a position; distinct, at least one

    @property
    def positions(self) -> tuple[int, ...]:
        """The distinct positions as the server gave them, ascending; the base is not documented."""
        return tuple(sorted({position for position, _ in self.failures}))


@dataclass(frozen=True, slots=True)
class Throttled:
    """ActiveCampaign wants fewer requests; nothing was done.

    Let the whole account wait for `retry_after_s`, then repeat the same request.
    """

    retry_after_s: float


@dataclass(frozen=True, slots=True)
class CredentialsRefused:
    """The API key was refused: it does not work any more, or its user may not do this; nothing was done.

    Read the key afresh and ask `who_am_i`: if that works, permission is missing; if not, wait for a new key.
    """


@dataclass(frozen=True, slots=True)
class NotFound:
    """What was asked for does not exist; nothing was done.

    Stop; but when it is an import, ask again later, and report it as unconfirmed in the end.
    """


@dataclass(frozen=True, slots=True)
class PlanLimit:
    """The account's plan does not allow it; nothing was done.

    Stop: the plan or the number of contacts has to change.
    """


@dataclass(frozen=True, slots=True)
class Refused:
    """The request as such was refused, for a reason that is not one of the others; nothing was done.

    Stop: a person has to look. Nothing is lost, and a later run sends it all again.
    """

    reason: str  # one fixed word


@dataclass(frozen=True, slots=True)
class Unavailable:
    """ActiveCampaign did not answer as it should; nothing was done, or repeating is harmless.

    Repeat after `retry_after_s`, or with growing pauses when it did not say.
    """

    reason: str  # one fixed word
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The import may have been queued or not.

    Wait like for `Unavailable`, then send the same contacts again and count it as a repeat.
    """

    reason: str  # one fixed word
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Pending:
    """The import is not final yet.

    Ask again, less and less often.
    """

    status: str  # "waiting", "claimed", "active", "unset" (the documented `false`), or "unknown"


@dataclass(frozen=True, slots=True)
class Completed:
    """The import is final: everybody in it is confirmed, except those who failed.

    Match `failed_emails` with `failed_positions`; do not count `created`: it holds new contacts only.
    """

    failed_emails: tuple[str, ...] = field(repr=False)
    created: int


@dataclass(frozen=True, slots=True)
class ImportFailed:
    """The import ended without completing, and ActiveCampaign will not retry it.

    Send the same contacts again, a bounded number of times, then report them.
    """

    status: str  # "failed" or "interrupted"


ErrorOutcome = Throttled | CredentialsRefused | NotFound | PlanLimit | Refused | Unavailable
BulkOutcome = Accepted | ContactsRefused | Ambiguous | ErrorOutcome
ImportOutcome = Pending | Completed | ImportFailed | ErrorOutcome


class ContactFault(StrEnum):
    """Why a contact was refused, as far as the server's sentence tells; the sentence itself may hold personal data."""

    EMAIL = "email"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    EXCLUDED = "excluded"
    LIST = "list"
    FIELD = "field"
    OTHER = "other"


# --- Reading answers ---


def bulk_outcome(reply: Reply) -> BulkOutcome:
    """Say what became of a bulk import.

    Accepted is only what has an import id and a count of queued contacts. Whatever else a 2xx holds is ambiguous, and
    so is a 5xx: the contacts may have been queued. A refusal is definite: nothing was.
    https://developers.activecampaign.com/reference/bulk-import-contacts
    """
    if isinstance(reply, AnswerLost):
        return Ambiguous(reply.reason)
    if isinstance(reply, NotSent):
        return _not_sent(reply)
    body = _json_object(reply.body) or {}
    match _error_outcome(reply):
        case None:
            return _accepted(body) or _refusal(body) or Ambiguous(UNEXPECTED)
        case Unavailable(reason, wait_s):
            return Ambiguous(reason, wait_s)
        case Refused() as refused:
            return _refusal(body) or refused
        case error:
            return error


def import_outcome(reply: Reply) -> ImportOutcome:
    """Say what became of an import, from the answer to `import_info`.

    Judged by `status` alone: `success` lists new contacts only, so it says nothing of who was updated. No list of
    failures (absent, null, empty) means that nobody failed. How ActiveCampaign answers for an import that it does not
    know is not documented; no such answer may hold up the other imports, so a shape that is not understood is pending.
    https://developers.activecampaign.com/reference/bulk-import-status-info
    """
    body = _body(reply)
    if isinstance(body, Refused):
        return body if body.reason == REDIRECTED else NotFound()
    if isinstance(body, Unavailable) and body.reason in {EMPTY, UNEXPECTED}:
        return Pending("unknown")
    if not isinstance(body, dict):
        return body
    match body.get("status"):
        case False | None:
            return Pending("unset")  # documented: asked within a second of the import
        case "completed" if (failed := _addresses(body.get("failure"))) is not None:
            return Completed(failed, len(_items(body.get("success"))))
        case "failed" | "interrupted" as status:
            return ImportFailed(status)
        case "waiting" | "claimed" | "active" as status:
            return Pending(status)
    return Pending("unknown")


@dataclass(frozen=True, slots=True)
class User:
    """The user whose key it is."""

    id: int


@dataclass(frozen=True, slots=True)
class ContactList:
    """A list. `channel` is `email` or `sms`; None where the account does not tell (then it is for e-mail)."""

    id: int
    name: str
    channel: str | None


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field of contacts.

    https://developers.activecampaign.com/reference/retrieve-fields
    """

    id: int
    title: str
    type: str
    tag: str
    """The personalization tag, without percent signs; may be empty."""

    @property
    def multiple(self) -> bool:
        """Whether it holds several values, written `||a||b||`."""
        return self.type in {"checkbox", "listbox", "multiselect"}


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """How many contacts the plan allows and how many there are; None where the account does not tell."""

    contact_limit: int | None
    contacts: int | None
    account: str | None = None  # its name


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An entry of the e-mail exclusion list. `match_type`: "exact", "start" or "end"."""

    phrase: str = field(repr=False)  # may be an address
    match_type: str

    def matches(self, address: str) -> bool:
        """Whether the address is excluded by this entry. An unknown type is taken for "exact", the narrowest."""
        key, phrase = address.strip().lower(), self.phrase.strip().lower()
        match self.match_type:
            case "start":
                return key.startswith(phrase)
            case "end":
                return key.endswith(phrase)
            case _:
                return key == phrase


@dataclass(frozen=True, slots=True)
class Page[Item]:
    """A page of a listing; `next_offset` is None on the last one."""

    items: tuple[Item, ...]
    next_offset: int | None


def read_user(reply: Reply) -> User | ErrorOutcome:
    """Read the answer to `who_am_i`. Without a user in it the key does not work, whatever the status says."""
    body = _body(reply)
    if not isinstance(body, dict):
        return body
    user_id = _number(_object(body.get("user")).get("id"))
    return CredentialsRefused() if user_id is None else User(user_id)


def read_list(reply: Reply) -> ContactList | ErrorOutcome:
    """Read the answer to `get_list`."""
    body = _body(reply)
    if not isinstance(body, dict):
        return body
    return _contact_list(body.get("list")) or Unavailable(UNEXPECTED)


def read_lists_page(reply: Reply, offset: int) -> Page[ContactList] | ErrorOutcome:
    """Read the answer to `lists(offset)`."""
    return _read_page(reply, offset, "lists", _contact_list)


def read_fields_page(reply: Reply, offset: int) -> Page[CustomField] | ErrorOutcome:
    """Read the answer to `fields(offset)`."""
    return _read_page(reply, offset, "fields", _custom_field)


def read_exclusions_page(reply: Reply, offset: int) -> Page[Exclusion] | ErrorOutcome:
    """Read the answer to `exclusions(offset)`."""
    return _read_page(reply, offset, "exclusions", _exclusion)


def read_account(reply: Reply) -> AccountLimits | ErrorOutcome:
    """Read the answer to `account_limits`; only keys of administrators may ask."""
    body = _body(reply)
    if not isinstance(body, dict):
        return body
    if not {"subscriber_limit", "subscriber_total"} & body.keys():
        return Unavailable(UNEXPECTED)
    name = body.get("account")
    return AccountLimits(
        _number(body.get("subscriber_limit")),
        _number(body.get("subscriber_total")),
        name if isinstance(name, str) and name else None,
    )


def as_error(
    outcome: ErrorOutcome, asked: str, *, not_found: str = "not_found", key_works: bool = False
) -> errors.ExporterError:
    """Turn an outcome into the exception that is named by what to do next.

    `asked` names the request for people ("list 12"); `not_found` is the code when it does not exist. With `key_works`
    (`who_am_i` has answered) a refused key means a missing permission.
    """
    error: errors.ExporterError
    match outcome:
        case Throttled(wait_s):
            found = f"it asked to wait {wait_s:.0f} s. Nothing to do: this is tried again."
            error = errors.Throttled("throttled", _sentence(asked, found), retry_after_s=wait_s)
        case Unavailable(reason, wait_s):
            found = f"no answer of use came ({reason}). Nothing to do unless it lasts: this is tried again."
            error = errors.Unavailable("activecampaign_unavailable", _sentence(asked, found), retry_after_s=wait_s)
        case CredentialsRefused() if not key_works:
            found = (
                "the API key was refused. Store one that works, of a user who may do this, as the secret's new version."
            )
            error = errors.CredentialsRefused("credentials_refused", _sentence(asked, found), errors.Culprit.USER)
        case CredentialsRefused():
            found = (
                "the key works, but its user may not do this. Give the user's group the permission in ActiveCampaign."
            )
            error = errors.Stop("permission_refused", _sentence(asked, found))
        case NotFound():
            found = "there is none. Check the id in ActiveCampaign."
            error = errors.Stop(not_found, _sentence(asked, found))
        case PlanLimit():
            found = "the account's plan does not allow it. Raise its contact limit, or remove contacts."
            error = errors.Stop("plan_limit", _sentence(asked, found))
        case Refused(reason):
            found = f"the request as such was refused ({reason}). Check that the host is the account's API host."
            error = errors.Stop("request_refused", _sentence(asked, found), errors.Culprit.EXTERNAL)
    return error


def _sentence(asked: str, found: str) -> str:
    return f"Expected an answer from ActiveCampaign for {asked}; {found}"


EMPTY: Final = "empty"
UNEXPECTED: Final = "unexpected_answer"
REDIRECTED: Final = "redirected"

DEFAULT_WAIT_S: Final = 60.0  # the bulk import's own limit counts a minute and sends no Retry-After
MAX_WAIT_S: Final = 900.0


def retry_after(headers: Mapping[str, str]) -> float:
    """Return the seconds to wait, from 1 to 900: `Retry-After` in seconds or as a date; 60 when absent or unreadable.

    A date counts from the answer's own `Date`, so that this machine's clock does not matter.
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


# --- Inside answers ---


def _body(reply: Reply) -> Json | ErrorOutcome:
    """Return the JSON object of a good answer to a request that only reads, or the outcome of any other reply."""
    if isinstance(reply, NotSent):
        return _not_sent(reply)
    if isinstance(reply, AnswerLost):
        return Unavailable(reply.reason)
    error = _error_outcome(reply)
    if error is not None:
        return error
    return _json_object(reply.body) or {}


def _not_sent(reply: NotSent) -> ErrorOutcome:
    return CredentialsRefused() if reply.reason == "unusable_key" else Unavailable(reply.reason)


def _error_outcome(answer: Answer) -> ErrorOutcome | None:
    """Classify what is no success whatever was asked; None for a 2xx that may be one."""
    body = _json_object(answer.body) or {}
    match answer.status // 100, answer.status:
        case 2, _:
            return None if body else _no_object(answer.body)
        case _, HTTPStatus.TOO_MANY_REQUESTS:
            return Throttled(_wait_s(answer, body) or DEFAULT_WAIT_S)
        case _, HTTPStatus.SERVICE_UNAVAILABLE:  # older reports: the rate limit came as a 503
            return Unavailable("status_503", _wait_s(answer, body) or DEFAULT_WAIT_S)
        case 3, _:
            return Refused(REDIRECTED)
        case 4, status if status != HTTPStatus.REQUEST_TIMEOUT:
            return _limit(body) or _REFUSED.get(status) or Refused(f"status_{status}")
        case _, status:
            return Unavailable(f"status_{status}", _wait_s(answer, body))


_REFUSED: Final[dict[int, ErrorOutcome]] = {
    HTTPStatus.UNAUTHORIZED: CredentialsRefused(),
    HTTPStatus.PAYMENT_REQUIRED: PlanLimit(),
    HTTPStatus.FORBIDDEN: CredentialsRefused(),  # for a bad key as well as for a missing permission
    HTTPStatus.NOT_FOUND: NotFound(),
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: Refused("payload_too_large"),
}


def _no_object(body: bytes) -> ErrorOutcome:
    """Classify the body of a 2xx that is no JSON object, or an empty one."""
    if _HTML_PAGE.search(
        body, 0, 1024
    ):  # seen for a bad key: https://github.com/rudderlabs/rudder-transformer/pull/5350
        return CredentialsRefused()
    return Unavailable(UNEXPECTED if body.strip() else EMPTY)


def _accepted(body: Json) -> Accepted | None:
    """Return the acceptance: `success` (any number but 0; 5 is documented), an import id and a count."""
    import_id, queued = str(body.get("batchid") or ""), _number(body.get("queued_contacts"))
    if not _number(body.get("success")) or queued is None or not re.fullmatch(r"[\w-]{1,100}", import_id, re.ASCII):
        return None
    return Accepted(import_id, queued)


def _refusal(body: Json) -> ContactsRefused | Throttled | PlanLimit | None:
    """Read `failureReasons`: objects are about contacts, strings about the request as a whole."""
    failures = [item for item in _items(body.get("failurereasons")) if isinstance(item, dict)]
    if not failures:
        return _limit(body) if "failurereasons" in body else None
    texts = [str(failure.get("failureReason", "")) for failure in failures]
    if all(_PLAN_LIMIT.search(text) for text in texts):
        return PlanLimit()
    faults = [_contact_fault(text) for text in texts]
    positions = [_number(failure.get("contact")) for failure in failures]
    named = ((position, fault) for position, fault in zip(positions, faults, strict=True) if position is not None)
    return ContactsRefused(tuple(named), tuple(dict.fromkeys(faults)))


def _limit(body: Json) -> Throttled | PlanLimit | None:
    """Recognise a limit by the texts about the request: the bulk import's own rate limit is a 400."""
    text = _text(body)
    if any(isinstance(item, dict) for item in _items(body.get("failurereasons"))):
        return None
    if _RATE_LIMIT.search(text):
        return Throttled(DEFAULT_WAIT_S)
    return PlanLimit() if _PLAN_LIMIT.search(text) else None


def _contact_fault(text: str) -> ContactFault:
    return next((fault for word, fault in _FAULT_WORDS if word in text.lower()), ContactFault.OTHER)


_FAULT_WORDS: Final = (  # the first one counts: a sentence about bounces says "email" and "list" as well
    ("unsubscribe", ContactFault.UNSUBSCRIBED),
    ("bounce", ContactFault.BOUNCED),
    ("exclu", ContactFault.EXCLUDED),
    ("email", ContactFault.EMAIL),
    ("list", ContactFault.LIST),
    ("field", ContactFault.FIELD),
)
_RATE_LIMIT: Final = re.compile(r"rate.?limit|too many (requests|imports)|per (second|minute)|throttl", re.IGNORECASE)
_PLAN_LIMIT: Final = re.compile(r"(account|contact|subscriber|plan)\S{0,2} limit|upgrade your", re.IGNORECASE)
_HTML_PAGE: Final = re.compile(rb"<!doctype html|<html", re.IGNORECASE)


def _wait_s(answer: Answer, body: Json) -> float | None:
    """Return how long the answer asks to wait, in its header or (a gateway's) in its body; None when it does not."""
    if "retry-after" in answer.headers:
        return retry_after(answer.headers)
    in_body = _number(body.get("retry_after"))
    return None if in_body is None else retry_after({"retry-after": str(in_body)})


def _text(body: Json) -> str:
    """Return the sentences about the request. `errors` may be objects, strings or one string."""
    parts = [body.get("message"), body.get("title"), body.get("detail")]
    for item in (*_items(body.get("errors")), *_items(body.get("failurereasons"))):
        parts += [item.get("title"), item.get("detail")] if isinstance(item, dict) else [item]
    return " ".join(part for part in parts if isinstance(part, str))


def _json_object(body: bytes) -> Json | None:
    """Return a JSON object with its outer names in lower case (`Success`, `success`); None for anything else."""
    try:
        parsed = orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError:
        return None
    return {name.lower(): value for name, value in parsed.items()} if isinstance(parsed, dict) else None


def _items(value: object) -> list[Any]:
    """Return a list of what may be a list, one string, an object keyed by number, or nothing."""
    match value:
        case list():
            return value
        case dict():
            return list(value.values()) if all(name.isdigit() for name in value) else [value]
        case str() if value:
            return [value]
    return []


def _addresses(value: object) -> tuple[str, ...] | None:
    """Return the failed addresses, or None when they cannot be read."""
    items = [item.get("email") if isinstance(item, dict) else item for item in _items(value)]
    addresses = tuple(item for item in items if isinstance(item, str))
    return addresses if len(addresses) == len(items) and bool(items) == bool(value) else None


def _number(value: object) -> int | None:
    """Return a whole number that may be written as text."""
    if isinstance(value, int):  # True counts as 1
        return int(value)
    return int(value) if isinstance(value, str) and re.fullmatch(r"-?\d{1,18}", value, re.ASCII) else None


def _object(value: object) -> Json:
    return value if isinstance(value, dict) else {}


def _contact_list(value: object) -> ContactList | None:
    item = _object(value)
    list_id, channel = _number(item.get("id")), item.get("channel")
    if list_id is None:
        return None
    return ContactList(list_id, str(item.get("name", "")), str(channel).lower() if channel else None)


def _custom_field(value: object) -> CustomField | None:
    item = _object(value)
    field_id = _number(item.get("id"))
    if field_id is None:
        return None
    return CustomField(
        field_id,
        str(item.get("title", "")),
        str(item.get("type", "")).lower(),
        str(item.get("perstag") or "").strip("%"),
    )


def _exclusion(value: object) -> Exclusion | None:
    item = _object(value)
    phrase = item.get("matchPhrase")
    return Exclusion(phrase, str(item.get("matchType", "exact")).lower()) if isinstance(phrase, str) else None


def _read_page[Item](
    reply: Reply, offset: int, name: str, read: Callable[[object], Item | None]
) -> Page[Item] | ErrorOutcome:
    """Read a page of a listing. `meta.total` is text or a number; without it, a full page means that there is more."""
    body = _body(reply)
    if not isinstance(body, dict):
        return body
    values = body.get(name)
    if not isinstance(values, list):
        return Unavailable(UNEXPECTED)
    items = tuple(item for item in map(read, values) if item is not None)
    if len(items) < len(values):
        return Unavailable(UNEXPECTED)
    end = offset + len(items)
    total = _number(_object(body.get("meta")).get("total"))
    more = bool(items) and (len(items) >= PAGE if total is None else end < total)
    return Page(items, end if more else None)
