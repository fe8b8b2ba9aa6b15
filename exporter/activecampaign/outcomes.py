"""What an answer of ActiveCampaign means: an *outcome*, a small value whose class says what to do next."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from exporter import errors


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
class RateLimited:
    """ActiveCampaign wants fewer requests; nothing was done.

    Let the whole account wait for `retry_after_s`, then repeat the same request.
    """

    retry_after_s: float


@dataclass(frozen=True, slots=True)
class KeyRefused:
    """The API key was refused: it does not work any more, or its user may not do this; nothing was done.

    Read the key afresh and ask `who_am_i`: if that works, permission is missing; if not, wait for a new key.
    """


@dataclass(frozen=True, slots=True)
class NotFound:
    """What was asked for does not exist; nothing was done.

    Stop; but when it is an import, ask again later, and report it as unconfirmed in the end.
    """


@dataclass(frozen=True, slots=True)
class TariffLimit:
    """The account's plan does not allow it; nothing was done.

    Stop: the plan or the number of contacts has to change.
    """


@dataclass(frozen=True, slots=True)
class RequestRefused:
    """The request as such was refused, for a reason that is not one of the others; nothing was done.

    Stop: a person has to look. Nothing is lost, and a later run sends it all again.
    """

    reason: str  # one fixed word


@dataclass(frozen=True, slots=True)
class NoAnswer:
    """ActiveCampaign did not answer as it should; nothing was done, or repeating is harmless.

    Repeat after `retry_after_s`, or with growing pauses when it did not say.
    """

    reason: str  # one fixed word
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class Ambiguous:
    """The import may have been queued or not.

    Wait like for `NoAnswer`, then send the same contacts again and count it as a repeat.
    """

    reason: str  # one fixed word
    retry_after_s: float | None = None


@dataclass(frozen=True, slots=True)
class NotFinal:
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


ErrorOutcome = RateLimited | KeyRefused | NotFound | TariffLimit | RequestRefused | NoAnswer
BulkOutcome = Accepted | ContactsRefused | Ambiguous | ErrorOutcome
ImportOutcome = NotFinal | Completed | ImportFailed | ErrorOutcome


class ContactFault(StrEnum):
    """Why a contact was refused, as far as the server's sentence tells; the sentence itself may hold personal data."""

    EMAIL = "email"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    EXCLUDED = "excluded"
    LIST = "list"
    FIELD = "field"
    OTHER = "other"


def as_error(
    outcome: ErrorOutcome, asked: str, *, not_found: str = "not_found", key_works: bool = False
) -> errors.ExporterError:
    """Turn an outcome into the exception that is named by what to do next.

    `asked` names the request for people ("list 12"); `not_found` is the code when it does not exist. With `key_works`
    (`who_am_i` has answered) a refused key means a missing permission.
    """
    error: errors.ExporterError
    match outcome:
        case RateLimited(wait_s):
            found = f"it asked to wait {wait_s:.0f} s. Nothing to do: this is tried again."
            error = errors.Throttled("throttled", _sentence(asked, found), retry_after_s=wait_s)
        case NoAnswer(reason, wait_s):
            found = f"no answer of use came ({reason}). Nothing to do unless it lasts: this is tried again."
            error = errors.Unavailable("activecampaign_unavailable", _sentence(asked, found), retry_after_s=wait_s)
        case KeyRefused() if not key_works:
            found = (
                "the API key was refused. Store one that works, of a user who may do this, as the secret's new version."
            )
            error = errors.CredentialsRefused("credentials_refused", _sentence(asked, found), errors.Culprit.USER)
        case KeyRefused():
            found = (
                "the key works, but its user may not do this. Give the user's group the permission in ActiveCampaign."
            )
            error = errors.Stop("permission_refused", _sentence(asked, found))
        case NotFound():
            found = "there is none. Check the id in ActiveCampaign."
            error = errors.Stop(not_found, _sentence(asked, found))
        case TariffLimit():
            found = "the account's plan does not allow it. Raise its contact limit, or remove contacts."
            error = errors.Stop("plan_limit", _sentence(asked, found))
        case RequestRefused(reason):
            found = f"the request as such was refused ({reason}). Check that the host is the account's API host."
            error = errors.Stop("request_refused", _sentence(asked, found), errors.Culprit.EXTERNAL)
    return error


def _sentence(asked: str, found: str) -> str:
    return f"Expected an answer from ActiveCampaign for {asked}; {found}"
