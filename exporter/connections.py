"""The connection resource: an ActiveCampaign account, who may use it, and the consent to send people there."""

from __future__ import annotations

from enum import StrEnum

from pydantic import Field

from exporter.records import Record, Time, Value

ID_PATTERN = r"^[a-z0-9](-?[a-z0-9]){0,62}$"
"""Ids of connections and exports: lower-case letters, digits and single hyphens, at most 63 (they are in blob names)."""


class UsableBy(StrEnum):
    """Who may use a connection in exports; administrators only by default, as in Customer Insights."""

    ADMINISTRATORS = "administrators"
    CONTRIBUTORS = "contributors"


class Consent(Value):
    """Somebody agreed that personal data leaves the compliance boundary for ActiveCampaign."""

    agreed_by: str
    agreed_utc: Time


class Audited(Record):
    """What every resource records of its own history."""

    version: int = 1
    created_by: str
    created_utc: Time
    updated_by: str
    updated_utc: Time


class Connection(Audited):
    """An ActiveCampaign account that exports may use. The API key itself is in Key Vault only, under `secret_name`."""

    id: str = Field(pattern=ID_PATTERN)
    display_name: str
    host: str
    secret_name: str
    usable_by: UsableBy = UsableBy.ADMINISTRATORS
    consent: Consent
    account: str | None = None
    """The account's own name as ActiveCampaign gave it when the connection was tested."""


def path(connection_id: str) -> str:
    """Return where the connection is kept."""
    return f"records/connections/{connection_id}.json"


PREFIX = "records/connections/"
