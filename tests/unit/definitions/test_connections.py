"""Connections: who may use them when nothing is said, and where their keys are."""

from __future__ import annotations

from exporter.definitions import connections
from exporter.definitions.connections import Connection
from exporter.model import to_epoch
from tests.unit.definitions.members import CONNECTION


def test_a_connection_is_for_administrators_where_nothing_is_said() -> None:
    connection = Connection.model_validate(CONNECTION)
    assert (connection.usable_by, connection.account_name, connection.version) == ("administrators", None, 1)
    assert Connection.model_validate(CONNECTION | {"usableBy": "contributors"}).usable_by == "contributors"
    assert connection.updated_utc - connection.created_utc == 86_400
    assert connection.consent.agreed_utc == to_epoch("2026-11-18T11:06:40.000Z")


def test_a_connection_that_moves_to_another_account_gets_another_secret() -> None:
    name = connections.own_secret_name("main", "acme.api-us1.com")
    assert name == "connection-main-37f553da"
    assert name != connections.own_secret_name("main", "other.api-us1.com")


def test_secrets_of_connections_are_told_by_their_names() -> None:
    assert connections.SECRET_PREFIXES == ("activecampaign-", "connection-")
    assert connections.own_secret_name("main", "acme.api-us1.com").startswith(connections.SECRET_PREFIXES)
