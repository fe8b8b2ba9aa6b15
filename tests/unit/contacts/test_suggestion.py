"""Which columns look like the members of a contact."""

from __future__ import annotations

from exporter.contacts.suggestion import suggest_matching
from exporter.source.rows import Column


def test_columns_that_look_like_members_of_a_contact_are_suggested() -> None:
    columns = [Column(name, "string") for name in ("Id", "E_Mail", "email", "FirstName", "Surname", "MobilePhone")]
    assert suggest_matching(columns) == {
        "email": "E_Mail",
        "firstName": "FirstName",
        "lastName": "Surname",
        "phone": "MobilePhone",
    }
    assert suggest_matching([Column("Id", "string")]) == {}
