"""Read connections."""

from __future__ import annotations

from exporter.definitions.connections import Connection
from exporter.records import store
from exporter.records.paths import connection_path
from exporter.services import Services


def read_connection(services: Services, connection_id: str) -> Connection | None:
    """Return the connection, or None if there is none. Raises what `store.get` raises."""
    return store.get(services.blobs, Connection, connection_path(connection_id))
