"""What the answers about a bulk import mean: whether it was queued, and what became of it."""

from __future__ import annotations

import re
from typing import Final

from exporter.activecampaign.answers import (
    EMPTY,
    REDIRECTED,
    TARIFF_LIMIT,
    TOO_LARGE,
    UNEXPECTED,
    JsonObject,
    body_of,
    error_outcome,
    items,
    json_object,
    not_sent,
    number,
    rate_or_tariff_limit,
)
from exporter.activecampaign.outcomes import (
    Accepted,
    Ambiguous,
    BulkOutcome,
    Completed,
    ContactFault,
    ContactsRefused,
    ImportFailed,
    ImportOutcome,
    NoAnswer,
    NotFinal,
    NotFound,
    RateLimited,
    RequestRefused,
    TariffLimit,
    TooLarge,
)
from exporter.activecampaign.wire import AnswerLost, NotSent, Reply


def bulk_outcome(reply: Reply) -> BulkOutcome:
    """Return what became of a bulk import.

    Only an answer with an import id and a count of queued contacts is accepted. Any other 2xx is ambiguous, and so is a
    5xx: the contacts may have been queued. A refusal is definite: nothing was queued.
    https://developers.activecampaign.com/reference/bulk-import-contacts
    """
    if isinstance(reply, AnswerLost):
        return Ambiguous(reply.reason)
    if isinstance(reply, NotSent):
        return not_sent(reply)
    body = json_object(reply.body) or {}
    match error_outcome(reply):
        case None:
            return _accepted(body) or _refusal(body) or Ambiguous(UNEXPECTED)
        case NoAnswer(reason, wait_s):
            return Ambiguous(reason, wait_s)
        case RequestRefused(reason) as refused:
            return _refusal(body) or (TooLarge() if reason == TOO_LARGE else refused)
        case error:
            return error


def import_outcome(reply: Reply) -> ImportOutcome:
    """Return what became of an import, from the answer to `import_info`.

    Only `status` decides: `success` lists new contacts only, so it says nothing about updated ones. No list of failures
    (absent, null, empty) means that no contact failed. How ActiveCampaign answers about an import that it does not know
    is not documented; such an answer must not hold up other imports, so an unknown shape means "not final".
    https://developers.activecampaign.com/reference/bulk-import-status-info
    """
    body = body_of(reply)
    if isinstance(body, RequestRefused):
        return body if body.reason == REDIRECTED else NotFound()
    if isinstance(body, NoAnswer) and body.reason in {EMPTY, UNEXPECTED}:
        return NotFinal("unknown")
    if not isinstance(body, dict):
        return body
    match body.get("status"):
        case False | None:
            return NotFinal("unset")  # documented: asked within a second of the import
        case "completed" if (failed := _addresses(body.get("failure"))) is not None:
            return Completed(failed, len(items(body.get("success"))))
        case "failed" | "interrupted" as status:
            return ImportFailed(status)
        case "waiting" | "claimed" | "active" as status:
            return NotFinal(status)
    return NotFinal("unknown")


def _accepted(body: JsonObject) -> Accepted | None:
    """Return the acceptance, if there are `success` (any number but 0; 5 is documented), an import id and a count."""
    import_id, queued = str(body.get("batchid") or ""), number(body.get("queued_contacts"))
    if not number(body.get("success")) or queued is None or not re.fullmatch(r"[\w-]{1,100}", import_id, re.ASCII):
        return None
    return Accepted(import_id, queued)


def _refusal(body: JsonObject) -> ContactsRefused | RateLimited | TariffLimit | None:
    """Read `failureReasons`: objects are about contacts, strings about the request as a whole."""
    failures = [item for item in items(body.get("failurereasons")) if isinstance(item, dict)]
    if not failures:
        return rate_or_tariff_limit(body) if "failurereasons" in body else None
    texts = [str(failure.get("failureReason", "")) for failure in failures]
    if all(TARIFF_LIMIT.search(text) for text in texts):
        return TariffLimit()
    faults = [_contact_fault(text) for text in texts]
    positions = [number(failure.get("contact")) for failure in failures]
    named = ((position, fault) for position, fault in zip(positions, faults, strict=True) if position is not None)
    return ContactsRefused(tuple(named), tuple(dict.fromkeys(faults)))


def _contact_fault(text: str) -> ContactFault:
    return next((fault for word, fault in _FAULT_WORDS if word in text.lower()), ContactFault.OTHER)


_FAULT_WORDS: Final = (  # the first match counts: a sentence about bounces also says "email" and "list"
    ("unsubscribe", ContactFault.UNSUBSCRIBED),
    ("bounce", ContactFault.BOUNCED),
    ("exclu", ContactFault.EXCLUDED),
    ("email", ContactFault.EMAIL),
    ("list", ContactFault.LIST),
    ("field", ContactFault.FIELD),
)


def _addresses(value: object) -> tuple[str, ...] | None:
    """Return the failed addresses, or None when they cannot be read."""
    emails = [item.get("email") if isinstance(item, dict) else item for item in items(value)]
    addresses = tuple(email for email in emails if isinstance(email, str))
    return addresses if len(addresses) == len(emails) and bool(emails) == bool(value) else None
