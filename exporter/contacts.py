"""A row becomes a contact, or the reason why not. Pure rules; `exporter.batches` applies them to whole files.

What ActiveCampaign takes: https://developers.activecampaign.com/reference/bulk-import-contacts
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import StrEnum

import orjson

from exporter.errors import Stop
from exporter.readers import Column
from exporter.reasons import Reason

# At least as strict as ActiveCampaign: its documentation refuses "(),:;<>@[\] before the @, and its import refuses an
# apostrophe although the request was accepted: https://developers.activecampaign.com/reference/bulk-import-status-info
_LOCAL_CHARACTERS = re.compile(r"[A-Za-z0-9.!#$%&*+/=?^_`{|}~-]*")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_ADDRESS_CHARACTERS, _LOCAL_PART_CHARACTERS = 254, 64  # https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
_BLANKS = " \t\r\n\u00a0"  # the last one comes from spreadsheets and web pages
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")
_DAMAGED_PHONE = re.compile(r"-\d+(?:[.,]\d+)?|\d+(?:[.,]\d+)?[eE]\+?\d+")
_SOURCE_SEPARATOR = ";"  # how Customer Insights joins several values, as in its _Alternate columns
SEPARATOR = "||"  # how ActiveCampaign does, before, between and after


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """A column that fills a custom field; `multiple`: the field takes several values, in the file joined by `;`."""

    column: str
    field_id: int
    multiple: bool = False


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which columns fill which members of a contact (data matching); a consent is a column and the value it must have.

    The columns of customer ids only label rows in reports; a segment may lack them.
    """

    email: str
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    fields: tuple[FieldMapping, ...] = ()
    consent: tuple[str, str] | None = None
    customer_id: str | None = "CustomerId"
    previous_customer_id: str | None = "PreviousCustomerId"


@dataclass(frozen=True, slots=True)
class Matched:
    """A mapping resolved against the columns of a segment.

    `wanted` are the positions in the file of the only columns that are read; the other members are positions in a row
    of those. `members` are (member of a contact, position), `fields` are (position, field id, multiple), `consent` is
    (position, value in lower case), `sent` are the positions of all that is sent beside the address.
    """

    wanted: tuple[int, ...]
    email: int
    members: tuple[tuple[str, int], ...]
    fields: tuple[tuple[int, int, bool], ...]
    consent: tuple[int, str] | None
    customer_id: int | None
    previous_customer_id: int | None
    phone: int | None
    sent: tuple[int, ...]
    warnings: tuple[str, ...]


class Notice(StrEnum):
    """Something odd in a value that is sent unchanged."""

    NULL_TEXT = "contacts hold the text NULL, N/A or NaN in a mapped column; values are sent unchanged"
    DAMAGED_PHONE = "contacts have a phone number that a spreadsheet seems to have damaged; values are sent unchanged"


_NULL_TEXTS = {"null", "nan", "n/a", "#n/a"}


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact: the address in the form in which two are equal, and the JSON object without its closing brace."""

    key: str
    text: bytes
    notices: tuple[Notice, ...]


def match_columns(mapping: Mapping, columns: Sequence[Column]) -> Matched:
    """Resolve a mapping. A name is found in its exact spelling or, with a warning, in another case.

    Raises `Stop`: `email_column_missing`, `column_missing`, `column_ambiguous`, `field_mapped_twice`.
    """
    names = [column.name for column in columns]
    wanted: dict[int, int] = {}
    warnings: dict[str, None] = {}

    def find(name: str) -> int | None:
        found = [place for place, known in enumerate(names) if known == name]
        if not found:
            found = [place for place, known in enumerate(names) if known.lower() == name.lower()]
            warnings.update({f"The column {name} was found as {names[place]}.": None for place in found})
        if len(found) > 1:
            raise Stop("column_ambiguous", f"The segment has {len(found)} columns named {name}: {_listing(names)}.")
        return wanted.setdefault(found[0], len(wanted)) if found else None

    def position(name: str, code: str) -> int:
        place = find(name)
        if place is None:
            raise Stop(code, f"The segment has no column {name}. Its columns are: {_listing(names)}.")
        return place

    def optional_position(name: str | None) -> int | None:
        return None if name is None else find(name)

    ids = [field.field_id for field in mapping.fields]
    if len(set(ids)) < len(ids):
        twice = next(field_id for field_id in ids if ids.count(field_id) > 1)
        raise Stop(
            "field_mapped_twice", f"Two columns are mapped to the ActiveCampaign field {twice}. Remove one of them."
        )
    email = position(mapping.email, "email_column_missing")
    named = (("first_name", mapping.first_name), ("last_name", mapping.last_name), ("phone", mapping.phone))
    members = [(member, position(name, "column_missing")) for member, name in named if name is not None]
    fields = [(position(field.column, "column_missing"), field.field_id, field.multiple) for field in mapping.fields]
    return Matched(
        email=email,
        members=tuple(members),
        fields=tuple(fields),
        consent=mapping.consent and (position(mapping.consent[0], "column_missing"), _plain(mapping.consent[1])),
        customer_id=optional_position(mapping.customer_id),
        previous_customer_id=optional_position(mapping.previous_customer_id),
        phone=dict(members).get("phone"),
        sent=tuple(place for _, place in members) + tuple(place for place, _, _ in fields),
        wanted=tuple(wanted),
        warnings=tuple(warnings),
    )


def _listing(names: Sequence[str]) -> str:
    most = 50
    return ", ".join(names[:most]) + (f" and {len(names) - most} more" if len(names) > most else "")


def contact_of(row: Sequence[str], matched: Matched) -> Contact | Reason:
    """Return the contact of a row that holds the wanted columns, or why it cannot be sent.

    The address is trimmed, every other value is passed on unchanged; an empty or blank value is left out, since an
    empty text might erase what ActiveCampaign has.
    """
    if matched.consent is not None and _plain(row[matched.consent[0]]) != matched.consent[1]:
        return Reason.NO_CONSENT
    email = row[matched.email].strip(_BLANKS)
    if (flaw := email_flaw(email)) is not None:
        return flaw
    sent = [row[position] for position in matched.sent]
    if any(map(_CONTROL.search, sent)):
        return Reason.CONTROL_CHARACTER
    contact: dict[str, object] = {"email": email}
    for member, position in matched.members:
        if row[position].strip(_BLANKS):
            contact[member] = row[position]
    fields = []
    for position, field_id, multiple in matched.fields:
        value = _several(row[position]) if multiple else row[position]
        if value is None:
            return Reason.SEPARATOR_IN_VALUE
        if value.strip(_BLANKS):
            fields.append({"id": field_id, "value": value})
    if fields:
        contact["fields"] = fields
    return Contact(email.lower(), orjson.dumps(contact)[:-1], tuple(_notices(row, matched, sent)))


def _plain(text: str) -> str:
    return text.strip(_BLANKS).lower()


def _several(value: str) -> str | None:
    """Return several values as ActiveCampaign writes them; None when one of them would be taken for two."""
    values = [part for text in value.split(_SOURCE_SEPARATOR) if (part := text.strip(_BLANKS))]
    if any(SEPARATOR in f"|{part}|" for part in values):
        return None
    return SEPARATOR.join(["", *values, ""]) if values else ""


def _notices(row: Sequence[str], matched: Matched, sent: Sequence[str]) -> Iterator[Notice]:
    if any(value.lower() in _NULL_TEXTS for value in sent):
        yield Notice.NULL_TEXT
    if matched.phone is not None and _DAMAGED_PHONE.fullmatch(row[matched.phone]):
        yield Notice.DAMAGED_PHONE


def email_flaw(address: str) -> Reason | None:
    """Return why ActiveCampaign would refuse this (trimmed) address, or None when nothing is known against it."""
    if not address:
        return Reason.MISSING_EMAIL
    local, _, domain = address.partition("@")
    if "@" not in address:
        return Reason.INVALID_EMAIL_NO_AT
    if "@" in domain:
        return Reason.INVALID_EMAIL_SEVERAL
    if not address.isascii():
        return Reason.INVALID_EMAIL_NOT_ASCII
    if len(address) > _ADDRESS_CHARACTERS or len(local) > _LOCAL_PART_CHARACTERS:
        return Reason.INVALID_EMAIL_TOO_LONG
    if not _LOCAL_CHARACTERS.fullmatch(local):
        return Reason.INVALID_EMAIL_CHARACTER
    if not local or local.startswith(".") or local.endswith(".") or ".." in local:
        return Reason.INVALID_EMAIL_LOCAL_PART
    if not _DOMAIN.fullmatch(domain):
        return Reason.INVALID_EMAIL_DOMAIN
    return None
