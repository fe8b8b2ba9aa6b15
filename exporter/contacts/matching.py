"""The data matching, resolved: which columns of a segment fill which members of a contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from exporter.definitions.exports import ExportDefinition
from exporter.errors import Stop
from exporter.source.rows import Column

BLANKS = " \t\r\n\u00a0"  # the last one comes from spreadsheets and web pages


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
        consent=mapping.consent and (position(mapping.consent[0], "column_missing"), plain(mapping.consent[1])),
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


def plain(text: str) -> str:
    """Return a text without outer blanks and case."""
    return text.strip(BLANKS).lower()


def mapping_of(export: ExportDefinition, fields: tuple[FieldMapping, ...]) -> Mapping:
    """Return the mapping of an export whose custom fields were found to be `fields`."""
    matching, consent = export.data_matching, export.consent_column
    return Mapping(
        email=matching.email,
        first_name=matching.first_name,
        last_name=matching.last_name,
        phone=matching.phone,
        fields=fields,
        consent=(consent.column, consent.value) if consent else None,
    )
