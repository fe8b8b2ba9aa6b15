"""The connection resource: an ActiveCampaign account, who may use it, and the consent to send people there."""

from __future__ import annotations

import hashlib
from enum import StrEnum

from pydantic import Field

from exporter.definitions.resources import ID_PATTERN, Versioned
from exporter.model import Time, Value


class UsableBy(StrEnum):
    """Who may use a connection in exports; administrators only by default, as in Customer Insights."""

    ADMINISTRATORS = "administrators"
    CONTRIBUTORS = "contributors"


class Consent(Value):
    """Someone agreed that personal data leaves the compliance boundary for the account at the connection's host."""

    agreed_by: str
    """Who saved the connection with `consent: true`."""
    agreed_utc: Time
    """When it was saved."""


class Connection(Versioned):
    """An ActiveCampaign account that exports may use. The API key itself is in Key Vault only, under `secret_name`."""

    id: str = Field(pattern=ID_PATTERN)
    display_name: str
    host: str
    secret_name: str
    usable_by: UsableBy = UsableBy.ADMINISTRATORS
    consent: Consent
    account_name: str | None = None
    """The account's name as ActiveCampaign gave it when the connection was last saved; None where it does not say."""


SECRET_PREFIXES = ("activecampaign-", "connection-")
"""What the name of a secret has to begin with: the vault may hold others, which must never be sent to anybody."""


def own_secret_name(connection_id: str, host: str) -> str:
    """Return the name of the secret that holds the API key given with a connection.

    A run keeps the host and the secret's name that it started with. The name depends on the host, so that when a
    connection moves to another account, a run for the first one never gets the other one's key.
    """
    return f"connection-{connection_id}-{hashlib.sha256(host.encode()).hexdigest()[:8]}"
