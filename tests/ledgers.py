"""Lanes and events of a ledger by name, also those that nobody writes; `exporter.delivery.events` makes the others."""

from __future__ import annotations

from exporter.delivery.events import Event, opened
from exporter.delivery.ledger import BulkImport, Lane, Portion
from exporter.delivery.steps import next_step
from exporter.model import to_text
from tests.fakes import START


def lane_event(at: float, name: str, **data: object) -> Event:
    return {"at": to_text(at), "event": name, **data}


def portion_event(at: float, name: str, portion: Portion, **data: object) -> Event:
    return lane_event(at, name, batch=portion.batch, portion=portion.number, **data)


def import_event(at: float, name: str, bulk: BulkImport, **data: object) -> Event:
    return lane_event(at, name, importId=bulk.import_id, **data)


def lane_of(*batches: tuple[int, int]) -> Lane:
    lane = Lane()
    lane.apply(opened(START, batches))
    return lane


def accept(lane: Lane, at: float = START, import_id: str = "i1", batch: int = 0) -> None:
    portion = lane.portions[batch, 0]
    lane.apply(portion_event(at, "sending", portion))
    lane.apply(portion_event(at, "accepted", portion, importId=import_id, queued=len(portion.to_send)))


def step(
    lane: Lane,
    now: float = START,
    *,
    may_send: bool = True,
    after_send: bool = False,
    confirm_within_s: float = 7_200,
) -> object:
    return next_step(lane, now, may_send=may_send, confirm_within_s=confirm_within_s, after_send=after_send)


def busy_lane() -> Lane:
    """Five batches of four: confirmed but for one, given up, on its way, being sent again, not sent yet."""
    lane = Lane()
    lane.apply(opened(START, [(number, 4) for number in range(5)]))
    for number in range(3):
        lane.apply(portion_event(START, "sending", lane.portions[number, 0]))
        lane.apply(portion_event(START, "accepted", lane.portions[number, 0], importId=f"i{number}"))
    lane.apply(import_event(START, "confirmed", lane.imports["i0"], failed={"2": "excluded"}))
    lane.apply(import_event(START, "gaveUp", lane.imports["i1"], reason="not_confirmed_in_time"))
    for _ in range(2):
        lane.apply(portion_event(START, "sending", lane.portions[3, 0]))
    return lane
