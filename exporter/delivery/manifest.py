"""The manifest: what a run sends. Its creation is the commit point: nothing is sent before, nothing planned after."""

from __future__ import annotations

import hashlib
from typing import Self

from exporter.activecampaign.bodies import Envelope
from exporter.contacts.matching import Field, FieldMapping, field_mapping
from exporter.contacts.values import Kind
from exporter.definitions.exports import DataMatching
from exporter.delivery.plan import Plan
from exporter.model import Record, Time, Value


class BatchEntry(Value):
    """Where a batch is in the payload blob (bytes), and what it holds."""

    offset_bytes: int
    body_bytes: int
    references_bytes: int
    count: int
    sha256: str

    @property
    def end(self) -> int:
        """Where the next batch begins, if there is one."""
        return self.offset_bytes + self.body_bytes + self.references_bytes

    def matches(self, body: bytes) -> bool:
        """Whether this is the request body that was planned."""
        return hashlib.sha256(body).hexdigest() == self.sha256


class CarriedEntry(BatchEntry):
    """A batch of a resumed run that is not sent again: of each of its contacts, the outcome is known."""

    refused: tuple[int, ...] = ()
    """The positions of those who were finally refused; all others were confirmed."""

    @property
    def confirmed(self) -> tuple[int, ...]:
        """The positions of those who were confirmed."""
        return tuple(sorted({*range(self.count)} - {*self.refused}))


class SourceEntry(Value):
    """A file that was read: exactly this version of it."""

    path: str
    etag: str
    rows: int


class FieldEntry(Value):
    """A column and the custom field that it fills, found in the account when the run was planned."""

    column: str
    field_id: int
    multiple: bool = False
    """Whether it takes several values; former releases read this."""
    title: str = ""
    type: str | None = None
    """None in runs of former releases, which sent values as they were."""
    options: tuple[str, ...] | None = None
    former: tuple[str, ...] = ()
    """Options of earlier runs that are gone."""

    @classmethod
    def of(cls, mapped: FieldMapping) -> Self:
        """Return the entry for a column and its field."""
        multiple = mapped.rule.kind is Kind.OPTIONS
        return cls(
            column=mapped.column,
            field_id=mapped.field.id,
            multiple=multiple,
            title=mapped.field.title,
            type=mapped.field.type,
            options=mapped.field.options,
            former=mapped.rule.choices.gone if mapped.rule.choices else (),
        )

    @property
    def takes(self) -> tuple[object, ...]:
        """What the field takes: while it is equal, the same files give the same values."""
        return self.column, self.field_id, self.type, self.options

    @property
    def found(self) -> Field:
        """The field as it was found."""
        return Field(self.field_id, self.title, self.type or ("listbox" if self.multiple else "text"), self.options)


class Manifest(Record):
    """What a run sends, from which files, and with which mapping."""

    payload: str
    rejects: str
    values: str | None = None
    """Values that did not fit their fields; None where all did, or in runs of former releases."""
    fingerprint: str
    refreshed_utc: Time
    sources: tuple[SourceEntry, ...]
    fields: tuple[FieldEntry, ...] = ()
    envelope: tuple[str, str, str]
    batches: tuple[BatchEntry, ...]
    carried: tuple[CarriedEntry, ...] = ()
    """Of a run that resumes another, the batches that are not sent again. Empty in runs of former releases."""
    plan: Plan
    erases: tuple[tuple[int, ...], ...] = ()
    """For each contact in the order of the batches, the ids of the fields that it is sent empty and had a value of.

    Only of a run for a few people whose export clears fields.
    """

    @property
    def around(self) -> Envelope:
        """What surrounds the contacts in a body."""
        return Envelope(*(text.encode() for text in self.envelope))

    def mapped_fields(self, matching: DataMatching) -> tuple[FieldMapping, ...]:
        """Return the custom fields of the mapping; the rest of it is in `matching`, the run's copy of the export."""
        pairs = zip(matching.fields, self.fields, strict=True)
        return tuple(field_mapping(matching, match, entry.found)[0] for match, entry in pairs)

    def locate(self, row: int) -> tuple[str, int]:
        """Return the file and the row within it (from 1 on) of the run's row number `row` (from 1 on)."""
        for source in self.sources:
            if row <= source.rows:
                return source.path, row
            row -= source.rows
        raise ValueError("a row number beyond the last row of the run")
