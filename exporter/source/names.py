"""How columns of a person's data are usually named, which tells a header from a first row of data."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence

MEMBER_NAMES = {
    "email": ("email", "emailaddress", "primaryemail", "mail"),
    "firstName": ("firstname", "givenname", "forename"),
    "lastName": ("lastname", "surname", "familyname"),
    "phone": ("telephone", "phone", "phonenumber", "primaryphone", "mobilephone"),
}
"""By member of a contact, the plain names of the columns that usually fill it, the likeliest first."""
_OTHER_NAMES = """
    customerid previouscustomerid contactid userid contactemail customeremail personalemail workemail
    name fullname displayname middlename mobile mobilenumber
    birthday birthdate dateofbirth gender language
    address street streetaddress addressline city country region postcode postalcode zip zipcode
    company companyname jobtitle consent optin
""".split()  # noqa: SIM905 - a word in a line of its own each would be forty lines
_USUAL = frozenset(_OTHER_NAMES).union(*MEMBER_NAMES.values())
MAX_CHARACTERS = 128


def plain_name(name: str) -> str:
    """Return a name as it is compared: its letters a-z, in lower case."""
    return re.sub(r"[^a-z]", "", name.lower())


def is_usual(name: str) -> bool:
    """Return whether columns are usually named so."""
    return plain_name(name) in _USUAL


def is_header(row: Sequence[str], known: Collection[str]) -> bool:
    """Return whether a first row holds column names rather than somebody's data.

    Each cell has to look like a name, and one has to be a usual name or, in whatever case, one of those `known`.
    """
    usual = {name.lower() for name in known}
    return all(map(_may_be_name, row)) and any(plain_name(cell) in _USUAL or cell.lower() in usual for cell in row)


def _may_be_name(text: str) -> bool:
    return len(text) <= MAX_CHARACTERS and "@" not in text and text.isprintable() and any(map(str.isalpha, text))
