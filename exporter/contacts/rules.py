"""Turn a row into a contact, or the reason why it cannot be one. Pure rules; `blocks` applies them to whole blocks.

What ActiveCampaign accepts: https://developers.activecampaign.com/reference/bulk-import-contacts
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from exporter.contacts.addresses import email_flaw
from exporter.contacts.matching import BLANKS, Matched, plain
from exporter.reasons import Reason

_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_DAMAGED_PHONE = re.compile(r"-\d+(?:[.,]\d+)?|\d+(?:[.,]\d+)?[eE]\+?\d+")
_SOURCE_SEPARATOR = ";"  # how Customer Insights joins several values, as in its _Alternate columns
SEPARATOR = "||"  # how ActiveCampaign joins them; it is also before the first and after the last


class Notice(StrEnum):
    """Something odd in a value that is sent unchanged."""

    NULL_TEXT = "contacts hold the text NULL, N/A or NaN in a mapped column; values are sent unchanged"
    DAMAGED_PHONE = "contacts have a phone number that a spreadsheet seems to have damaged; values are sent unchanged"


_NULL_TEXTS = {"null", "nan", "n/a", "#n/a"}


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact: its address in lower case, and its JSON object without the closing brace."""

    key: str
    text: bytes
    notices: tuple[Notice, ...]


def agrees(cell: str, consent: tuple[int, str, bool]) -> bool:
    """Return whether a cell of the consent column says yes; `consent` is that of `Matched`."""
    _, value, holds = consent
    return (plain(cell) == value) is holds


def contact_of(row: Sequence[str], matched: Matched) -> Contact | Reason:
    """Return the contact of a row that holds the wanted columns, or why it cannot be sent.

    The address is trimmed; every other value is passed on unchanged. Empty and blank values are left out, since an
    empty text might erase what ActiveCampaign has.
    """
    if matched.consent is not None and not agrees(row[matched.consent[0]], matched.consent):
        return Reason.NO_CONSENT
    email = row[matched.email].strip(BLANKS)
    if (flaw := email_flaw(email)) is not None:
        return flaw
    sent = [row[position] for position in matched.sent]
    if any(map(_CONTROL.search, sent)):
        return Reason.CONTROL_CHARACTER
    contact: dict[str, object] = {"email": email}
    for member, position in matched.members:
        if row[position].strip(BLANKS):
            contact[member] = row[position]
    fields = []
    for position, field_id, multiple in matched.fields:
        value = _several(row[position]) if multiple else row[position]
        if value is None:
            return Reason.SEPARATOR_IN_VALUE
        if value.strip(BLANKS):
            fields.append({"id": field_id, "value": value})
    if fields:
        contact["fields"] = fields
    return Contact(email.lower(), orjson.dumps(contact)[:-1], tuple(_notices(row, matched, sent)))


def _several(value: str) -> str | None:
    """Return several values as ActiveCampaign writes them; None when one of them would be read as two."""
    values = [part for text in value.split(_SOURCE_SEPARATOR) if (part := text.strip(BLANKS))]
    if any(SEPARATOR in f"|{part}|" for part in values):
        return None
    return SEPARATOR.join(["", *values, ""]) if values else ""


def _notices(row: Sequence[str], matched: Matched, sent: Sequence[str]) -> Iterator[Notice]:
    if any(value.lower() in _NULL_TEXTS for value in sent):
        yield Notice.NULL_TEXT
    if matched.phone is not None and _DAMAGED_PHONE.fullmatch(row[matched.phone]):
        yield Notice.DAMAGED_PHONE
