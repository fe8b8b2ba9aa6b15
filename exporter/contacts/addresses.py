"""E-mail addresses: what is cleaned in them, and which ones ActiveCampaign would refuse."""

from __future__ import annotations

import re
from urllib.parse import unquote

from exporter.contacts.texts import BLANKS, Notice, cleaned, means_no_value, without_joiners
from exporter.reasons import Reason

# At least as strict as ActiveCampaign: its documentation refuses "(),:;<>@[\] before the @, and its import refuses an
# apostrophe although the request was accepted: https://developers.activecampaign.com/reference/bulk-import-status-info
_LOCAL_CHARACTERS = re.compile(r"[A-Za-z0-9.!#$%&*+/=?^_`{|}~-]*")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_ADDRESS_CHARACTERS, _LOCAL_PART_CHARACTERS = 254, 64  # https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1
_NAMED = re.compile(r"[^<>]*<([^<>]*)>")  # Ada Lovelace <ada@example.com>
_MAILTO = re.compile(r"mailto:([^?]*)(?:\?.*)?", re.IGNORECASE)
_TRAILING = (";", ",", ".")  # of a list, or a sentence


def address_of(text: str, notices: set[Notice], *, no_values: bool = True) -> str:
    """Return the address that a cell holds, as it is sent, or what the cell holds if that is none.

    A domain beyond ASCII comes in its ASCII form, if it is valid: https://www.rfc-editor.org/rfc/rfc5891. What was
    cleaned is added to `notices`. `no_values`: whether a text such as NULL means that there is none.
    """
    bare = text.strip(BLANKS)
    if email_flaw(bare) is None:
        return bare  # as nearly all are; nothing of what follows would change it
    if no_values and means_no_value(bare):
        return ""
    seen: set[Notice] = set()
    address = without_joiners(cleaned(bare, seen)).strip(BLANKS)
    if len(address) < len(bare):
        seen.add(Notice.INVISIBLE)
    before = address
    address = _without_trailing(address)
    if found := _NAMED.fullmatch(address):
        address = found[1].strip(BLANKS)
    if found := _MAILTO.fullmatch(address):
        address = unquote(found[1]).strip(BLANKS)
    if address != before:
        seen.add(Notice.ADDRESS_CLEANED)
    if not address.isascii() and (ascii_form := _with_ascii_domain(address)):
        address = ascii_form
        seen.add(Notice.PUNYCODE)
    if email_flaw(address) is None:
        notices |= seen
    return address


def key_of(text: str) -> str:
    """Return the address that somebody looks for, as a run reads it, in lower case."""
    return address_of(text, set(), no_values=False).strip().lower()


def _without_trailing(address: str) -> str:
    return address[:-1].rstrip(BLANKS) if address.endswith(_TRAILING) else address


def _with_ascii_domain(address: str) -> str | None:
    """Return an address with its domain in ASCII; None if the domain is not valid, or not all that is beyond ASCII."""
    import idna  # noqa: PLC0415 - its tables take 10 ms to load, and few segments have such domains

    local, _, domain = address.partition("@")
    if not local.isascii():
        return None
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return None


def email_flaw(address: str) -> Reason | None:
    """Return why ActiveCampaign would refuse this (trimmed) address, or None when nothing speaks against it."""
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
