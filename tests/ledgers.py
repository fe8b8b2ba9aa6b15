"""Events of a ledger by their name, also those that nobody writes; `exporter.delivery.events` makes the others."""

from __future__ import annotations

from exporter.delivery.events import Event
from exporter.delivery.ledger import BulkImport, Portion
from exporter.model import to_text


def lane_event(at: float, name: str, **data: object) -> Event:
    return {"at": to_text(at), "event": name, **data}


def portion_event(at: float, name: str, portion: Portion, **data: object) -> Event:
    return lane_event(at, name, batch=portion.batch, portion=portion.number, **data)


def import_event(at: float, name: str, bulk: BulkImport, **data: object) -> Event:
    return lane_event(at, name, importId=bulk.import_id, **data)
