"""The ledger of a lane: what happened to its batches, in order, one JSON line per event. No I/O.

The ledger is the record; everything else about a lane is folded from it. Each append is conditional on the length that
the writer last saw. That is the fence: a worker that was paused and has lost its lane fails its next append, and every
request that hands contacts over is preceded by an append.

Two kinds of things have an outcome. A *portion* is what has to be handed over: at first a whole batch, later the
contacts of an import that ActiveCampaign failed, or half of a request that was too large. A portion is one request when
all goes well, otherwise a search for the refused contacts (`activecampaign.refusals`). An *import* is an accepted
request; accepted is not delivered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

import orjson

from exporter.activecampaign import refusals
from exporter.delivery.events import VERSION, Event
from exporter.errors import Culprit, Stop
from exporter.model import check_version, to_epoch
from exporter.reasons import Reason


class PortionStatus(StrEnum):
    """The status of a portion."""

    PENDING = "pending"  # its next request has to be sent
    SENDING = "sending"  # a request was about to leave; its outcome is unknown until the next event
    SENT = "sent"  # each of its contacts is in an accepted import, refused, set aside or in another portion


class ImportStatus(StrEnum):
    """The status of an import."""

    ACCEPTED = "accepted"  # queued by ActiveCampaign; not delivered yet
    CONFIRMED = "confirmed"  # completed: its contacts are confirmed, except those in `failed`
    FAILED = "failed"  # ended by ActiveCampaign without completing: its contacts are a new portion
    GIVEN_UP = "givenUp"  # no outcome; `reason` says why; its contacts are unconfirmed


_P, _I = PortionStatus, ImportStatus
PORTION_EVENTS: dict[str, frozenset[PortionStatus]] = {
    "sending": frozenset({_P.PENDING, _P.SENDING}),  # from SENDING: a resend, since the outcome is unknown
    "notQueued": frozenset({_P.SENDING}),  # a definite no to the whole request, not about contacts: repeat it
    "refused": frozenset({_P.SENDING}),  # some contacts were refused, and with them the whole request
    "tooLarge": frozenset({_P.SENDING}),  # a definite no to its size
    "accepted": frozenset({_P.SENDING}),
}
IMPORT_EVENTS: dict[str, frozenset[ImportStatus]] = {
    "asked": frozenset({_I.ACCEPTED, _I.GIVEN_UP}),  # no final status yet
    "confirmed": frozenset({_I.ACCEPTED, _I.GIVEN_UP}),
    "importFailed": frozenset({_I.ACCEPTED}),
    "gaveUp": frozenset({_I.ACCEPTED, _I.GIVEN_UP}),
}
"""Which events a portion and an import may meet in which status. There is no other way from one status to the next."""


@dataclass(slots=True)
class Portion:
    """Contacts of a batch, by their positions (0-based, ascending), that have to be handed over."""

    batch: int
    number: int
    """0 is the whole batch; higher numbers are what failed imports left over, and halves of large requests."""
    positions: Sequence[int]
    to_send: Sequence[int]
    """The positions of the next request."""
    status: PortionStatus = PortionStatus.PENDING
    verdicts: list[refusals.Verdict] = field(default_factory=list)
    refused: tuple[int, ...] = ()
    left: tuple[int, ...] = ()
    """Those that were in refused requests only, with nothing proved against them; they are not sent any more."""
    alone: int | None = None
    """How many of its contacts may be sent alone, from its first refusal on; None in ledgers of former releases."""
    common: bool = False
    """Whether it was refused for a cause that all contacts share."""
    not_before: float = 0.0
    """When its next request may be sent (epoch seconds)."""
    handed_over: int = 0
    failed_imports: int = 0
    """How many imports of these contacts ActiveCampaign has failed."""
    left_by: BulkImport | None = None
    """The newest of those imports."""
    resends: int = 0
    """Requests that were sent again because the outcome of the previous one was unknown."""
    doubted: frozenset[int] = frozenset()
    """The positions in requests that were sent again because their outcome was unknown. A later refusal does not end
    the doubt: the list may be gone, or the key, since the first request was queued."""

    @property
    def key(self) -> tuple[int, int]:
        """Its name in events: its batch and its number."""
        return self.batch, self.number

    @property
    def open(self) -> int:
        """How many of its contacts are neither in an accepted import nor refused nor set aside."""
        return len(self.positions) - self.handed_over - len(self.refused) - len(self.left)

    @property
    def unknown(self) -> Sequence[int]:
        """The positions of open contacts that may have reached ActiveCampaign nevertheless."""
        left = self.open_positions()
        if self.failed_imports:
            return left
        doubted = self.doubted.union(self.to_send) if self.status is PortionStatus.SENDING else self.doubted
        return [position for position in left if position in doubted] if doubted else ()

    @property
    def unsent(self) -> Sequence[int]:
        """The positions of open contacts that certainly did not reach ActiveCampaign."""
        unknown = set(self.unknown)
        return [position for position in self.open_positions() if position not in unknown]

    def open_positions(self) -> Sequence[int]:
        """Return the positions of the open contacts."""
        if not self.open or not self.verdicts:
            return self.positions if self.open else ()
        search = refusals.search(self.positions, self.verdicts, self.alone)
        decided = search.bad.keys() | {*search.left} | {position for sent in search.accepted for position in sent}
        return [position for position in self.positions if position not in decided]


@dataclass(slots=True)
class BulkImport:
    """An accepted request: ActiveCampaign's `batchId` is our import id."""

    import_id: str
    batch: int
    positions: Sequence[int]
    failed_imports: int
    accepted_at: float
    asked_at: float
    status: ImportStatus = ImportStatus.ACCEPTED
    queued: int | None = None
    """How many of its contacts ActiveCampaign says it has queued."""
    asks: int = 0
    confirmed_at: float = 0.0
    """When it was found to be completed (epoch seconds); 0: it was not."""
    failed: dict[int, str] = field(default_factory=dict)
    """Reason code by position, of the contacts that failed in the import."""
    reason: str | None = None

    @property
    def mostly_failed(self) -> bool:
        """Whether most of its contacts have failed, or all with it."""
        return self.status is ImportStatus.FAILED or 2 * len(self.failed) > len(self.positions)


BOUNDED_SINCE = 3
"""The version of ledgers since which searches have bounds and repeats wait."""
REPEAT_AFTER_S = (60.0, 300.0, 1_800.0)
"""How long after ActiveCampaign has failed an import its contacts are sent again: the first, the second and the third
time. What made it fail may pass."""


@dataclass(slots=True)
class Lane:
    """The state of a lane, folded from its ledger."""

    version: int = VERSION
    """The version of the ledger."""
    length: int = 0
    """Bytes of the ledger that are folded in; the next append goes here."""
    age_s: float = 0.0
    """Seconds since the last event when the ledger was read, by the storage's clock."""
    portions: dict[tuple[int, int], Portion] = field(default_factory=dict)
    imports: dict[str, BulkImport] = field(default_factory=dict)
    holder: str | None = None
    """The worker that has the lane; None when it was released or waits."""
    waiting: Event | None = None
    waiting_since: float | None = None
    waits: int = 0
    """Waits in a row, without progress between them."""
    all_waits: int = 0
    requests: int = 0
    """How often a request with contacts was about to leave."""
    first_sent_at: float | None = None
    last_sent_at: float | None = None
    """When the first and the newest of them were about to leave (epoch seconds)."""
    expect_s: float = 5.0
    """Seconds after which an import is first asked for. It is learned: asking too early raises it, asking in time
    lowers it a little. It starts at 5 s: an import has no status in its first second, and a recorded one of a
    single contact took about 7 s (VCR of a real account, 2021-03-23)."""

    singles: int = 0
    """How many contacts searches have sent alone."""
    refused_at: float = 0.0
    """When the newest request was refused for its contacts (epoch seconds)."""
    faults: tuple[str, ...] = ()
    """What that refusal said."""
    closed: bool = False
    """Whether the run has ended with contacts of this lane that will never be sent. Only outcomes of imports may still
    arrive."""

    @property
    def done(self) -> bool:
        """Whether nothing is left to do: every contact has its outcome, or the lane is closed."""
        return self.closed or not (any(self.pending()) or any(self.accepted()))

    def pending(self) -> Iterable[Portion]:
        """Yield the portions that still have to be sent, in order."""
        return (p for p in self.portions.values() if p.status is not PortionStatus.SENT)

    def accepted(self) -> Iterable[BulkImport]:
        """Yield the imports whose outcome is not known yet."""
        return (i for i in self.imports.values() if i.status is ImportStatus.ACCEPTED)

    def late(self) -> Iterable[BulkImport]:
        """Yield the imports that merely timed out: their outcome may still arrive."""
        late = Reason.NOT_CONFIRMED_IN_TIME
        return (i for i in self.imports.values() if i.status is ImportStatus.GIVEN_UP and i.reason == late)

    @property
    def in_doubt(self) -> bool:
        """Whether a portion was refused, and none of its contacts accepted since."""
        return any(None not in portion.verdicts and portion.verdicts for portion in self.pending())

    @property
    def common(self) -> bool:
        """Whether a request was refused for a cause that all contacts share."""
        return any(portion.common for portion in self.portions.values())

    def held(self, stale_s: float) -> bool:
        """Whether a live worker had the lane when it was read."""
        return self.holder is not None and self.age_s < stale_s

    def idle_because(self, now: float, stale_s: float, *, halted: bool) -> str | None:
        """Return why the lane needs no worker now (`done`, `held` or `waits`); None when it does."""
        if self.done:
            return "done"
        if self.held(stale_s):
            return "held"
        return "waits" if self.waiting and to_epoch(self.waiting["until"]) > now and not halted else None

    def apply(self, event: Event) -> None:
        """Fold in one event.

        Raises `Stop` ("ledger_unreadable") for an event that cannot happen now, and `Wait` ("newer_release").
        """
        at, name = to_epoch(event["at"]), event["event"]
        if self.closed and name not in IMPORT_EVENTS:
            raise _unreadable(f"{name!r} after its end")
        if name in PORTION_EVENTS:
            portion = self.portions.get((event["batch"], event["portion"]))
            if portion is None or portion.status not in PORTION_EVENTS[name]:
                raise _unreadable(f"{name!r} where it cannot happen, in batch {event['batch']}")
            self._apply_to_portion(name, event, portion, at)
        elif name in IMPORT_EVENTS:
            bulk = self.imports.get(event["importId"])
            if bulk is None or bulk.status not in IMPORT_EVENTS[name]:
                raise _unreadable(f"{name!r} where it cannot happen, in import {event['importId']}")
            self._apply_to_import(name, event, bulk, at)
        else:
            self._apply_to_lane(name, event, at)

    def _apply_to_lane(self, name: str, event: Event, at: float) -> None:
        match name:
            case "opened":
                check_version(event["v"], "ledger", VERSION)
                self.version = event["v"]
                for batch, count in event["batches"]:
                    self.portions[batch, 0] = Portion(batch, 0, range(count), range(count))
            case "claimed":
                self.holder = event["by"]
            case "released":
                self.holder = None
            case "closed":
                self.holder, self.closed = None, True
            case "waiting":
                self.holder, self.waiting = None, event
                self.waits += 1
                self.all_waits += 1
                self.waiting_since = self.waiting_since or at
            case _:
                raise _unreadable(f"the event {name!r}")

    def _portion_of(self, failed: BulkImport) -> Portion:
        """Return a portion with what a failed import left over."""
        return Portion(
            failed.batch,
            self._next_number(failed.batch),
            failed.positions,
            failed.positions,
            failed_imports=failed.failed_imports + 1,
            left_by=failed,
        )

    def _next_number(self, batch: int) -> int:
        return sum(1 for each, _ in self.portions if each == batch)

    def _halve(self, portion: Portion) -> None:
        """Make two portions of what is open in one whose request was too large."""
        left = portion.open_positions()
        portion.positions = [position for position in portion.positions if position not in {*left}]
        portion.to_send, portion.status = (), PortionStatus.SENT
        middle = (len(left) + 1) // 2
        for half in filter(None, (left[:middle], left[middle:])):
            self.portions[portion.batch, self._next_number(portion.batch)] = Portion(
                portion.batch,
                self._next_number(portion.batch),
                half,
                half,
                failed_imports=portion.failed_imports,
                left_by=portion.left_by,
                doubted=portion.doubted.intersection(half),
            )

    def _apply_to_portion(self, name: str, event: Event, portion: Portion, at: float) -> None:
        match name:
            case "sending":
                if portion.status is PortionStatus.SENDING:
                    portion.resends += 1
                    portion.doubted |= {*portion.to_send}
                portion.status = PortionStatus.SENDING
                self.requests += 1
                self.first_sent_at, self.last_sent_at = self.first_sent_at or at, at
            case "notQueued":
                portion.status = PortionStatus.PENDING
            case "tooLarge":
                self._progress()
                self._halve(portion)
            case "refused":
                self._progress()
                self.refused_at, self.faults = at, tuple(event.get("faults", ()))
                self._judge(portion, tuple(event["named"]))
            case "accepted":
                self._progress()
                import_id = event["importId"]
                self.imports[import_id] = BulkImport(
                    import_id,
                    portion.batch,
                    portion.to_send,
                    portion.failed_imports,
                    accepted_at=at,
                    asked_at=at,
                    queued=event.get("queued"),
                )
                portion.handed_over += len(portion.to_send)
                portion.doubted -= {*portion.to_send}
                self._judge(portion, None)

    def _judge(self, portion: Portion, verdict: refusals.Verdict) -> None:
        if portion.alone is None and verdict is not None and self.version >= BOUNDED_SINCE:
            portion.alone = min(refusals.SINGLES_A_BATCH, max(refusals.SINGLES_A_LANE - self.singles, 0))
        self.singles += bool(portion.verdicts) and len(portion.to_send) == 1
        portion.verdicts.append(verdict)
        search = refusals.search(portion.positions, portion.verdicts, portion.alone)
        portion.to_send, portion.refused = search.send, tuple(sorted(search.bad))
        portion.left, portion.common = search.left, search.common
        portion.status = PortionStatus.PENDING if search.send else PortionStatus.SENT

    def _apply_to_import(self, name: str, event: Event, bulk: BulkImport, at: float) -> None:
        self._progress()
        match name:
            case "asked":
                bulk.asks += 1
                bulk.asked_at = at
                self.expect_s = min(max(self.expect_s, 1.25 * (at - bulk.accepted_at)), SLOWEST_ASK_S)
            case "confirmed":
                bulk.status, bulk.confirmed_at = ImportStatus.CONFIRMED, at
                bulk.failed = {int(position): reason for position, reason in event["failed"].items()}
                self.expect_s = max(0.98 * self.expect_s, FASTEST_ASK_S)
            case "importFailed":
                bulk.status = ImportStatus.FAILED
                portion = self._portion_of(bulk)
                if self.version >= BOUNDED_SINCE:
                    portion.not_before = at + REPEAT_AFTER_S[min(bulk.failed_imports, len(REPEAT_AFTER_S) - 1)]
                self.portions[portion.batch, portion.number] = portion
            case "gaveUp":
                bulk.status, bulk.reason = ImportStatus.GIVEN_UP, event["reason"]

    def _progress(self) -> None:
        self.waiting, self.waiting_since, self.waits = None, None, 0


def _unreadable(found: str) -> Stop:
    return Stop.of("ledger_unreadable", Culprit.SYSTEM, found=found)


def fold(data: bytes, age_s: float = 0.0) -> Lane:
    """Fold a whole ledger, whose last event is `age_s` old by the storage's clock.

    Raises `Stop` ("ledger_unreadable") and `Wait` ("newer_release").
    """
    lane = Lane(age_s=age_s)
    for line in data.splitlines():
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise _unreadable("a line that is not JSON") from None
        lane.apply(event)
    lane.length = len(data)
    return lane


FASTEST_ASK_S = 2.0
SLOWEST_ASK_S = 60.0
"""Bounds of the time between two requests about the same import, in seconds."""
