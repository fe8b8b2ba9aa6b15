"""Which columns look like the members of a contact: a suggestion for the data matching."""

from __future__ import annotations

import re
from collections.abc import Sequence

from exporter.source.rows import Column


def suggest_matching(columns: Sequence[Column]) -> dict[str, str]:
    """Return the columns that look like the members of a contact: `email`, `firstName`, `lastName`, `phone`.

    Customer Insights prescribes no names, so a person has to confirm this.
    """
    suggested: dict[str, str] = {}
    for member, names in _USUAL_NAMES.items():
        by_plain_name = {re.sub(r"[^a-z]", "", column.name.lower()): column.name for column in reversed(columns)}
        match = next((by_plain_name[name] for name in names if name in by_plain_name), None)
        if match is not None:
            suggested[member] = match
    return suggested


_USUAL_NAMES = {
    "email": ("email", "emailaddress", "primaryemail", "mail"),
    "firstName": ("firstname", "givenname", "forename"),
    "lastName": ("lastname", "surname", "familyname"),
    "phone": ("telephone", "phone", "phonenumber", "primaryphone", "mobilephone"),
}
