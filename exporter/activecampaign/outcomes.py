"""What an answer from ActiveCampaign means: an *outcome*, a small value whose class says what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from exporter import errors


@dataclass(frozen=True, slots=True)
class Accepted:
    """The import is queued, but not yet delivered.

    Ask `import_info(import_id)` until it is final; `queued` may be less than was sent (excluded addresses).
    """

    import_id: str
    queued: int


@dataclass(frozen=True, slots=True)
class ContactsRefused:
    """Some contacts were refused, and with them the whole import: nothing is queued.

    Send the rest again: `refusals.search` says which. `failures` are (position as the server counts, reason).
    """

    failures: tuple[tuple[int, ContactFault], ...]
    reasons: tuple[ContactFault, ...]  # of all failures, including those without a position; distinct, at least one

    @property
    def positions(self) -> tuple[int, ...]:
        """The distinct positions as the server gave them, ascending; the base is not documented."""
        return tuple(sorted({position for position, _ in self.failures}))


@dataclass(frozen=True, slots=True)
class RateLimited:
    """ActiveCampaign asks for fewer requests; nothing was done.

    Pause the whole account for `retry_after_s`, then repeat the same request.
    """

    retry_after_s: float


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """The API key was refused: it no longer works, or its user may not do this; nothing was done.

    Read the key again and ask `who_am_i`: if that works, a permission is missing; if not, wait for a new key.
    """


@dataclass(frozen=True, slots=True)
class WebPage:
    """A web page came instead of an answer: the login page, if the key no longer works, or that of a proxy.

    Whether anything was done is unknown. Ask `who_am_i`: if that works, treat it as `NoAnswer`, or `Ambiguous` for an
    import; if not, as `KeyRefused`.
    """


@dataclass(frozen=True, slots=True)
class NotFound:
    """What was asked for does not exist; nothing was done.

    Stop. For an import, ask again later, and finally report it as unconfirmed.
    """


@dataclass(frozen=True, slots=True)
class TariffLimit:
    """The account's plan does not allow it; nothing was done.

    Stop: the plan or the number of contacts has to change.
    """


@dataclass(frozen=True, slots=True)
class PaymentDue:
    """The account has a payment problem; nothing was done.

    Stop, if it is said twice: somebody has to pay. https://developers.activecampaign.com/reference/errors
    """


@dataclass(frozen=True, slots=True)
class TooLarge:
    """The import is too large for the server, or for what is in between; nothing was queued.

    Send the same contacts in two halves.
    """


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """The request itself was refused, for any other reason; nothing was done.

    Stop: a person has to investigate. Nothing is lost, and a later run sends everything again.
    """

    reason: str  # one fixed word


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """ActiveCampaign gave no useful answer; nothing was done, or the request is safe to repeat.

    Repeat after `retry_after_s` or, without one, with growing pauses.
    """

    reason: str  # one fixed word
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The import may or may not have been queued.

    Wait as for `NoAnswer`, then send the same contacts again and count a resend.
    """

    reason: str  # one fixed word
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class NotFinal:
    """The import is not final yet.

    Ask again, at growing intervals.
    """

    status: str  # "waiting", "claimed", "active", "unset" (the documented `false`), or "unknown"


@dataclass(frozen=True, slots=True)
class Completed:
    """The import is final: every contact in it is confirmed, except those that failed.

    Match `failed_emails` with `failed_positions`. Do not rely on `created`: it counts new contacts only.
    """

    failed_emails: tuple[str, ...] = field(repr=False)
    created: int


@dataclass(frozen=True, slots=True)
class ImportFailed:
    """The import ended without completing, and ActiveCampaign will not retry it.

    Send the same contacts again, a bounded number of times, then report them.
    """

    status: str  # "failed" or "interrupted"


ErrorOutcome = RateLimited | KeyRefused | WebPage | NotFound | TariffLimit | PaymentDue | RequestRefused | NoAnswer
BulkOutcome = Accepted | ContactsRefused | TooLarge | Ambiguous | ErrorOutcome
ImportOutcome = NotFinal | Completed | ImportFailed | ErrorOutcome


class ContactFault(StrEnum):
    """Why a contact was refused, as far as the server's sentence says; the sentence itself may hold personal data."""

    EMAIL = "email"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    EXCLUDED = "excluded"
    LIST = "list"
    FIELD = "field"
    OTHER = "other"


def as_error(
    outcome: ErrorOutcome,
    asked: str,
    host: str,
    *,
    not_found: str = "not_found",
    key_works: bool = False,
    **about: int,
) -> errors.ExporterError:
    """Return the exception for an outcome, named by what to do next.

    `asked`: what the account at `host` was asked for, one of `sentences.WORDS["asked"]`; `about`: the ids that it
    names. `not_found`: the code if that does not exist. With `key_works` (`who_am_i` succeeded), a refused key means a
    missing permission.
    """
    found: dict[str, str | int] = {"asked": asked, "host": host, **about}
    error: errors.ExporterError
    match outcome:
        case RateLimited(wait_s):
            error = errors.Throttled.of("throttled", errors.Culprit.EXTERNAL, wait_s, **found)
        case NoAnswer(reason, wait_s):
            error = errors.Unavailable.of(
                "activecampaign_unavailable", errors.Culprit.EXTERNAL, wait_s, reason=reason, **found
            )
        case KeyRefused() | WebPage() if not key_works:
            error = errors.CredentialsRefused.of("credentials_refused", errors.Culprit.USER, **found)
        case KeyRefused():
            error = errors.Stop.of("permission_refused", **found)
        case WebPage():
            error = errors.Unavailable.of("activecampaign_unavailable", reason="web_page", **found)
        case NotFound():
            error = errors.Stop.of(not_found, **found)
        case TariffLimit():
            error = errors.Stop.of("plan_limit", **found)
        case PaymentDue():
            error = errors.Stop.of("payment_due", **found)
        case RequestRefused(reason):
            case = {"case": reason} if reason == "redirected" else {}
            error = errors.Stop.of("request_refused", errors.Culprit.EXTERNAL, reason=reason, **case, **found)
    return error
