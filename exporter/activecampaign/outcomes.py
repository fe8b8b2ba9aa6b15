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


ErrorOutcome = RateLimited | KeyRefused | NotFound | TariffLimit | RequestRefused | NoAnswer
BulkOutcome = Accepted | ContactsRefused | Ambiguous | ErrorOutcome
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
    outcome: ErrorOutcome, asked: str, *, not_found: str = "not_found", key_works: bool = False
) -> errors.ExporterError:
    """Return the exception for an outcome, named by what to do next.

    `asked` names the request in the message ("list 12"); `not_found` is the code if that does not exist. With
    `key_works` (`who_am_i` succeeded), a refused key means a missing permission.
    """
    error: errors.ExporterError
    match outcome:
        case RateLimited(wait_s):
            found = f"it asked to wait {wait_s:.0f} s. No action is needed: the request is retried."
            error = errors.Throttled("throttled", _sentence(asked, found), retry_after_s=wait_s)
        case NoAnswer(reason, wait_s):
            found = f"no useful answer came ({reason}). No action is needed unless this lasts: the request is retried."
            error = errors.Unavailable("activecampaign_unavailable", _sentence(asked, found), retry_after_s=wait_s)
        case KeyRefused() if not key_works:
            found = (
                "the API key was refused. Store a working key, of a user who may do this, as the secret's new version."
            )
            error = errors.CredentialsRefused("credentials_refused", _sentence(asked, found), errors.Culprit.USER)
        case KeyRefused():
            found = (
                "the key works, but its user may not do this. Give the user's group the permission in ActiveCampaign."
            )
            error = errors.Stop("permission_refused", _sentence(asked, found))
        case NotFound():
            found = "it has none. Check the id in ActiveCampaign."
            error = errors.Stop(not_found, _sentence(asked, found))
        case TariffLimit():
            found = "the account's plan does not allow it. Raise its contact limit, or remove contacts."
            error = errors.Stop("plan_limit", _sentence(asked, found))
        case RequestRefused(reason):
            found = f"the request itself was refused ({reason}). Check that the host is the account's API host."
            error = errors.Stop("request_refused", _sentence(asked, found), errors.Culprit.EXTERNAL)
    return error


def _sentence(asked: str, found: str) -> str:
    return f"Expected an answer from ActiveCampaign for {asked}; {found}"
