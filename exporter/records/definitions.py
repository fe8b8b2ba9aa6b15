"""Read connections, and what follows from them for an export."""

from __future__ import annotations

from exporter.definitions.connections import Connection, UsableBy
from exporter.definitions.exports import Export
from exporter.records import store
from exporter.records.paths import connection_path
from exporter.services import Services


def read_connection(services: Services, connection_id: str) -> Connection | None:
    """Return the connection, or None if there is none. Raises what `store.get` raises."""
    return store.get(services.blobs, Connection, connection_path(connection_id))


def is_on_hold(export: Export, connection: Connection | None) -> bool:
    """Return whether the schedule passes over the export, which only administrators may run now.

    A contributor has saved it last, on a `connection` that is not shared with contributors any more.
    """
    saved_by_contributor = export.updated_by_role == "contributor"
    return saved_by_contributor and connection is not None and connection.usable_by is UsableBy.ADMINISTRATORS
