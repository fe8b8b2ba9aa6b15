"""Which e-mail addresses ActiveCampaign would refuse."""

from __future__ import annotations

import re

from exporter.reasons import Reason

# At least as strict as ActiveCampaign: its documentation refuses "(),:;<>@[\] before the @, and its import refuses an
# apostrophe although the request was accepted: https://developers.activecampaign.com/reference/bulk-import-status-info
_LOCAL_CHARACTERS = re.compile(r"[A-Za-z0-9.!#$%&*+/=?^_`{|}~-]*")
_DOMAIN = re.compile(r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?\.)+[A-Za-z]{2,63}")
_ADDRESS_CHARACTERS, _LOCAL_PART_CHARACTERS = 254, 64  # https://www.rfc-editor.org/rfc/rfc5321#section-4.5.3.1


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
