"""The connection resource: an ActiveCampaign account, who may use it, and the consent to send people there."""

from __future__ import annotations

import hashlib
from enum import StrEnum
from typing import Annotated

from pydantic import Field, StringConstraints

from exporter.records import Record, Time, Value

ID_PATTERN = r"^[a-z0-9](-?[a-z0-9]){0,62}$"
"""Ids of connections and exports, which are in blob names: lower-case letters, digits, single hyphens; at most 63."""
DisplayName = Annotated[str, StringConstraints(min_length=1, max_length=200, pattern=r"^\S([^\x00-\x1f\x7f]*\S)?$")]
"""A name for people: one line, no blanks around it."""


class UsableBy(StrEnum):
    """Who may use a connection in exports; administrators only by default, as in Customer Insights."""

    ADMINISTRATORS = "administrators"
    CONTRIBUTORS = "contributors"


class Consent(Value):
    """Somebody agreed that personal data leaves the compliance boundary for the account at the connection's host."""

    agreed_by: str
    """Who saved the connection with `consent: true`."""
    agreed_utc: Time
    """When."""


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
    """The account's name as ActiveCampaign gave it when the connection was last saved; None where it does not tell."""


def path(connection_id: str) -> str:
    """Return where the connection is kept."""
    return f"{PREFIX}{connection_id}.json"


def own_secret_name(connection_id: str, host: str) -> str:
    """Return the name of the secret that holds the API key given with a connection.

    A run keeps the host and the secret's name with which it began. The name depends on the host, so that a connection
    that moves to another account cannot hand that account's key to a run on its way to the first one.
    """
    return f"connection-{connection_id}-{hashlib.sha256(host.encode()).hexdigest()[:8]}"


PREFIX = "records/connections/"
