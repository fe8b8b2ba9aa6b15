"""A row of a segment with every kind of column, and the contact that it becomes."""

from __future__ import annotations

from exporter.contacts.matching import Consent, Field, FieldMapping, Mapping, Matched, match_columns
from exporter.contacts.rules import Contact, contact_of
from exporter.contacts.values import Kind, Rule
from exporter.reasons import Reason
from exporter.source.rows import Column

COLUMNS = tuple(Column(name, "string") for name in ("Id", "EMail", "First", "Last", "Phone", "Tier", "Tags", "Consent"))
MAPPING = Mapping(
    email="EMail",
    first_name="First",
    last_name="Last",
    phone="Phone",
    fields=(FieldMapping("Tier", Field(7)), FieldMapping("Tags", Field(8), Rule(Kind.OPTIONS))),
    consent=Consent("Consent", "Yes"),
)
ROW = {"Id": "1", "EMail": "a@example.com", "First": "Ada", "Consent": "Yes"}


def matched(mapping: Mapping = MAPPING) -> Matched:
    return match_columns(mapping, COLUMNS)


def contact(**values: str) -> Contact | Reason:
    row = ROW | values
    rules = matched()
    return contact_of([row.get(name, "") for name in rules.wanted], rules)
