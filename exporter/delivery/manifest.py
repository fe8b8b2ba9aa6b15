"""The manifest: what a run sends. Its creation is the commit point: nothing is sent before, nothing planned after."""

from __future__ import annotations

import hashlib

from exporter.activecampaign.bodies import Envelope
from exporter.contacts.matching import FieldMapping
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


class SourceEntry(Value):
    """A file that was read: exactly this version of it."""

    path: str
    etag: str
    rows: int


class FieldEntry(Value):
    """A column and the custom field that it fills, found in the account when the run was planned."""

    column: str
    field_id: int
    multiple: bool


class Manifest(Record):
    """What a run sends, from which files, and with which mapping."""

    payload: str
    rejects: str
    fingerprint: str
    refreshed_utc: Time
    sources: tuple[SourceEntry, ...]
    fields: tuple[FieldEntry, ...] = ()
    envelope: tuple[str, str, str]
    batches: tuple[BatchEntry, ...]
    plan: Plan

    @property
    def around(self) -> Envelope:
        """What surrounds the contacts in a body."""
        return Envelope(*(text.encode() for text in self.envelope))

    @property
    def mapped_fields(self) -> tuple[FieldMapping, ...]:
        """The custom fields of the mapping; the rest of it is in the run's copy of the export."""
        return tuple(FieldMapping(f.column, f.field_id, f.multiple) for f in self.fields)

    def locate(self, row: int) -> tuple[str, int]:
        """Return the file and the row within it (from 1 on) of the run's row number `row` (from 1 on)."""
        for source in self.sources:
            if row <= source.rows:
                return source.path, row
            row -= source.rows
        raise ValueError("a row number beyond the last row of the run")
