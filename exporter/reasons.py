"""Why a row did not become a confirmed contact: the registry of reason codes.

Codes are stable: the reject report, the report and docs/reference/reject-reasons.md use them.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Self

from exporter.errors import Culprit, Wait


class Bucket(StrEnum):
    """Where a row ends: its name in the API, the member of the tally that counts it, and what people read.

    `warns`: a run with such rows does not count as `successful`.
    """

    member: str
    words: str
    warns: bool

    def __new__(cls, name: str, member: str, words: str, warns: bool) -> Self:  # noqa: FBT001 - a column of the table
        """Make a member that equals its name."""
        bucket = str.__new__(cls, name)
        bucket._value_ = name
        bucket.member, bucket.words, bucket.warns = member, words, warns
        return bucket

    CONFIRMED = ("confirmed", "confirmed", "confirmed by ActiveCampaign", False)
    DUPLICATE = ("duplicate", "duplicates", "duplicate of another row", False)
    REJECTED = ("rejected", "rejected", "rejected here, before sending", True)
    REJECTED_BY_ACTIVECAMPAIGN = (
        "rejectedByActiveCampaign",
        "rejected_by_active_campaign",
        "rejected by ActiveCampaign",
        True,
    )
    UNCONFIRMED = ("unconfirmed", "unconfirmed", "unconfirmed", True)


class Group(StrEnum):
    """Who set the row aside, the bucket that counts it, and the heading of its reasons."""

    bucket: Bucket
    heading: str

    def __new__(cls, name: str, bucket: Bucket, heading: str) -> Self:
        """Make a member that equals its name."""
        group = str.__new__(cls, name)
        group._value_ = name
        group.bucket, group.heading = bucket, heading
        return group

    FILE = ("file", Bucket.REJECTED, "The row cannot be read")
    PROFILE = ("profile", Bucket.REJECTED, "The row was read, but the profile cannot be sent")
    DUPLICATE = ("duplicate", Bucket.DUPLICATE, "Another row has the same address")
    ACTIVECAMPAIGN = ("activecampaign", Bucket.REJECTED_BY_ACTIVECAMPAIGN, "ActiveCampaign rejected the contact")
    UNCONFIRMED = ("unconfirmed", Bucket.UNCONFIRMED, "The outcome is not known")


class Reason(StrEnum):
    """A reason code with its group and the sentence that people read."""

    group: Group
    explanation: str

    def __new__(cls, code: str, group: Group, explanation: str) -> Self:
        """Make a member that equals its code."""
        member = str.__new__(cls, code)
        member._value_ = code
        member.group = group
        member.explanation = explanation
        return member

    # The row cannot be read.
    WRONG_FIELD_COUNT = (
        "wrong_field_count",
        Group.FILE,
        "The row has more or fewer fields than the segment has columns.",
    )
    NOT_UTF8 = ("not_utf8", Group.FILE, "The row contains bytes that are not UTF-8 text.")
    MALFORMED_QUOTES = (
        "malformed_quotes",
        Group.FILE,
        "A quoted field is followed by further text; a quote inside a quoted field must be doubled.",
    )
    UNCLOSED_QUOTE = ("unclosed_quote", Group.FILE, "A quoted field does not end before the end of the file.")
    ROW_TOO_LARGE = (
        "row_too_large",
        Group.FILE,
        "The row is larger than 4 MiB; most often a quoted field that does not end.",
    )
    DATE_OUT_OF_RANGE = (
        "date_out_of_range",
        Group.FILE,
        "A mapped column holds a date outside the years 1 to 9999, or an invalid time.",
    )

    # The row was read, but the profile cannot be sent.
    MISSING_EMAIL = ("missing_email", Group.PROFILE, "The profile has no e-mail address.")
    INVALID_EMAIL_NO_AT = ("invalid_email_no_at", Group.PROFILE, "The e-mail address has no @.")
    INVALID_EMAIL_SEVERAL = (
        "invalid_email_several",
        Group.PROFILE,
        "The e-mail column holds more than one @; one address is expected.",
    )
    INVALID_EMAIL_NOT_ASCII = (
        "invalid_email_not_ascii",
        Group.PROFILE,
        "The e-mail address contains characters outside ASCII.",
    )
    INVALID_EMAIL_CHARACTER = (
        "invalid_email_character",
        Group.PROFILE,
        "The part before the @ contains a space, an apostrophe or another character that ActiveCampaign refuses.",
    )
    INVALID_EMAIL_LOCAL_PART = (
        "invalid_email_local_part",
        Group.PROFILE,
        "The part before the @ is empty, begins or ends with a dot, or has two dots in a row.",
    )
    INVALID_EMAIL_DOMAIN = (
        "invalid_email_domain",
        Group.PROFILE,
        "The part after the @ is not a domain name that ends with a dot and at least two letters.",
    )
    INVALID_EMAIL_TOO_LONG = (
        "invalid_email_too_long",
        Group.PROFILE,
        "The e-mail address is longer than 254 characters, or longer than 64 before the @.",
    )
    CONTROL_CHARACTER = (
        "control_character",
        Group.PROFILE,
        "A mapped column contains a control character. Only former releases rejected this; they are dropped now.",
    )
    SEPARATOR_IN_VALUE = (
        "separator_in_value",
        Group.PROFILE,
        "A value of a multi-value field contains ||. Only former releases rejected this; the value is left out now.",
    )
    VALUE_DOES_NOT_FIT = (
        "value_does_not_fit",
        Group.PROFILE,
        "A value does not fit its field, and the export rejects such rows (onBadValue).",
    )
    NO_CONSENT = ("no_consent", Group.PROFILE, "The consent column does not allow sending.")
    CONTACT_TOO_LARGE = (
        "contact_too_large",
        Group.PROFILE,
        "The contact alone is larger than the 399,999 bytes that ActiveCampaign accepts in a request.",
    )

    # Another row has the same address.
    DUPLICATE_EMAIL = ("duplicate_email", Group.DUPLICATE, "Another row has the same e-mail address.")

    # ActiveCampaign refused the contact.
    REFUSED_BY_ACTIVECAMPAIGN = (
        "refused_by_activecampaign",
        Group.ACTIVECAMPAIGN,
        "ActiveCampaign's check of the request named this contact as invalid.",
    )
    FAILED_IN_IMPORT = (
        "failed_in_import",
        Group.ACTIVECAMPAIGN,
        "ActiveCampaign accepted the contact and then listed it among the failures of the import.",
    )
    UNSUBSCRIBED = (
        "unsubscribed",
        Group.ACTIVECAMPAIGN,
        "The person has unsubscribed from the list in ActiveCampaign and is not subscribed again.",
    )
    BOUNCED = ("bounced", Group.ACTIVECAMPAIGN, "Mail to the address has bounced, so ActiveCampaign does not take it.")
    ACCOUNT_FULL = (
        "account_full",
        Group.ACTIVECAMPAIGN,
        "ActiveCampaign made no contact of this address: the account has as many contacts as its plan allows.",
    )
    ADDRESS_NOT_TAKEN = (
        "address_not_taken",
        Group.ACTIVECAMPAIGN,
        "ActiveCampaign made no contact though the account has room: the address counts as invalid or as bounced.",
    )
    EXCLUDED = (
        "excluded",
        Group.ACTIVECAMPAIGN,
        "The address is on the e-mail exclusion list of the ActiveCampaign account.",
    )

    # Sent or planned, outcome unknown.
    OUTCOME_UNKNOWN = (
        "outcome_unknown",
        Group.UNCONFIRMED,
        "The contact was sent, but ActiveCampaign did not report what became of it.",
    )
    REFUSED_WITH_OTHERS = (
        "refused_with_others",
        Group.UNCONFIRMED,
        "The contact was in requests that ActiveCampaign refused as a whole; nothing shows that it was at fault.",
    )
    NOT_SENT = ("not_sent", Group.UNCONFIRMED, "The run ended before the contact was sent.")
    NOT_CONFIRMED_IN_TIME = (
        "not_confirmed_in_time",
        Group.UNCONFIRMED,
        "ActiveCampaign accepted the contact, but its import had no final status within the time that a run waits.",
    )
    QUEUED_FEWER = (
        "queued_fewer",
        Group.UNCONFIRMED,
        "ActiveCampaign left out some contacts of the request, and it could not be found out which.",
    )
    IMPORT_FAILED = (
        "import_failed",
        Group.UNCONFIRMED,
        "ActiveCampaign ended the contact's import as failed or interrupted, and no later one brought it.",
    )
    LIST_GONE = (
        "list_gone",
        Group.UNCONFIRMED,
        "The contact was imported, but the list was deleted in ActiveCampaign before the run ended.",
    )
    FIELD_GONE = (
        "field_gone",
        Group.UNCONFIRMED,
        "The contact was imported, but a matched field was deleted in ActiveCampaign before the run ended.",
    )


BY_CODE: dict[str, Reason] = {reason.value: reason for reason in Reason}
"""The reasons by their codes."""


def reason_of(code: str) -> Reason:
    """Return the reason with this code. Raises `Wait` ("newer_release") for one that this release does not know."""
    if reason := BY_CODE.get(code):
        return reason
    raise Wait.of("newer_release", Culprit.SYSTEM, case="reason", reason=code)
