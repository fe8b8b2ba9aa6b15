"""Turn a row into a contact, or the reason why it cannot be one. Pure rules; `blocks` applies them to whole blocks.

What ActiveCampaign accepts: https://developers.activecampaign.com/reference/bulk-import-contacts
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import orjson

from exporter.contacts.addresses import address_of, email_flaw
from exporter.contacts.matching import Matched
from exporter.contacts.texts import Notice, folded
from exporter.contacts.values import Flaw, fit
from exporter.reasons import Reason


@dataclass(frozen=True, slots=True)
class Unfit:
    """A value that does not fit: `target` is the number of its target in the mapping, from 0."""

    target: int
    flaw: Flaw
    value: str = field(repr=False)  # personal data


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact: its address in lower case, and its JSON object without the closing brace.

    `filled` tells for each target of the mapping whether the contact has a value for it, `empty` whether the row holds
    nothing for it; `unfit` are the values that were left out. `rejected`: one of these must not be left out, so the row
    cannot be sent.
    """

    key: str
    text: bytes
    filled: tuple[bool, ...]
    empty: tuple[bool, ...]
    notices: tuple[Notice, ...]
    unfit: tuple[Unfit, ...]
    rejected: bool


def agrees(cell: str, consent: tuple[int, frozenset[str], bool]) -> bool:
    """Return whether a cell of the consent column says yes; `consent` is that of `Matched`."""
    _, texts, holds = consent
    return (folded(cell) in texts) is holds


def contact_of(row: Sequence[str], matched: Matched) -> Contact | Reason:
    """Return the contact of a row that holds the wanted columns, or why it cannot be sent.

    Values are cleaned (`texts`) and made to fit their fields (`values`). Empty values, and those that do not fit, are
    left out, since an empty text might erase what ActiveCampaign has.
    """
    if matched.consent is not None and not agrees(row[matched.consent[0]], matched.consent):
        return Reason.NO_CONSENT
    notices: set[Notice] = set()
    email = address_of(row[matched.email], notices, no_values=matched.no_values)
    if (flaw := email_flaw(email)) is not None:
        return flaw
    contact: dict[str, object] = {"email": email}
    fields: list[dict[str, object]] = []
    filled: list[bool] = []
    empty: list[bool] = []
    unfit: list[Unfit] = []
    rejected = False
    for number, target in enumerate(matched.targets):
        fitted = fit(row[target.position], target.rule)
        notices |= fitted.notices
        filled.append(fitted.text is not None)
        empty.append(fitted.text is None and fitted.flaw is None and not fitted.says_no)
        if fitted.flaw:
            unfit.append(Unfit(number, fitted.flaw, row[target.position]))
            rejected |= target.rule.reject_row
        elif fitted.text is not None and target.member:
            contact[target.member] = fitted.text
        elif fitted.text is not None and target.field:
            fields.append({"id": target.field.id, "value": fitted.text})
    if fields:
        contact["fields"] = fields
    text = orjson.dumps(contact)[:-1]
    return Contact(email.lower(), text, tuple(filled), tuple(empty), tuple(sorted(notices)), tuple(unfit), rejected)
