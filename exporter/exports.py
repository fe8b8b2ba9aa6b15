"""The export resource: which segments go to which list, and how columns become contact fields."""

from __future__ import annotations

from pydantic import Field

from exporter.connections import ID_PATTERN, Audited
from exporter.records import Value

MAX_PROFILES = 1_000_000
"""Profiles an export, as in the connector of Customer Insights: its page names 1 million."""


class FieldMatch(Value):
    """A further column and the custom field it fills, by the field's numeric id or its personalisation tag."""

    column: str = Field(min_length=1, max_length=256)
    field: str = Field(min_length=1, max_length=64, pattern=r"^[A-Za-z0-9_%]+$")


class DataMatching(Value):
    """Which column holds what. The e-mail column is required, as in Customer Insights."""

    email: str = Field(min_length=1, max_length=256)
    first_name: str | None = Field(default=None, min_length=1, max_length=256)
    last_name: str | None = Field(default=None, min_length=1, max_length=256)
    phone: str | None = Field(default=None, min_length=1, max_length=256)
    fields: tuple[FieldMatch, ...] = Field(default=(), max_length=50)


class ConsentColumn(Value):
    """Only rows whose `column` equals `value` are exported; the others are reported as `no_consent`."""

    column: str = Field(min_length=1, max_length=256)
    value: str = Field(min_length=1, max_length=256)


class ExportDefinition(Value):
    """What a person decides about an export."""

    display_name: str = Field(min_length=1, max_length=200)
    connection_id: str | None = Field(default=None, pattern=ID_PATTERN)
    """None: the connection was detached; the export keeps its definition and does not run."""
    list_id: int = Field(ge=1, le=2**31 - 1)
    segments: tuple[str, ...] = Field(min_length=1, max_length=20)
    data_matching: DataMatching
    scheduled: bool = False
    run_automations: bool = False
    """Off by default: an import of a million people must not mail a million people."""
    consent_column: ConsentColumn | None = None
    max_profiles: int = Field(default=MAX_PROFILES, ge=1, le=MAX_PROFILES)
    allow_over_contact_limit: bool = False
    skip_unchanged: bool = True


class Export(Audited, ExportDefinition):
    """An export as it is kept."""

    id: str = Field(pattern=ID_PATTERN)


def path(export_id: str) -> str:
    """Return where the export is kept."""
    return f"records/exports/{export_id}.json"


PREFIX = "records/exports/"
