"""The ledger of a lane: what happened to its batches, in order, one JSON line an event. No I/O.

The ledger is the record; everything else about a lane is folded from it. Each append is conditional on the length that
the writer last saw. That is the fence: a worker that was paused and has lost its lane fails its next append, and every
request that hands contacts over is preceded by an append.

Two things have a fate. A *portion* is what is to be handed over: at first a whole batch, later the contacts of an
import that ActiveCampaign failed. A portion is one request when all goes well, and a search for the refused contacts
when not (`activecampaign.refusals`). An *import* is an accepted request; accepted is not delivered.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

import orjson

from exporter.activecampaign import refusals
from exporter.errors import Culprit, Stop
from exporter.reasons import Reason
from exporter.records import check_version, to_epoch, to_text

type Json = dict[str, Any]


class PortionStatus(StrEnum):
    """Where a portion is."""

    PENDING = "pending"  # its next request is to be sent
    SENDING = "sending"  # a request was about to leave; its outcome is unknown until the next event
    SENT = "sent"  # each of its contacts is in an accepted import, or refused


class ImportStatus(StrEnum):
    """Where an import is."""

    ACCEPTED = "accepted"  # queued by ActiveCampaign; not delivered yet
    CONFIRMED = "confirmed"  # completed: its contacts are confirmed, but for those in `rejected`
    FAILED = "failed"  # ended by ActiveCampaign without completing: its contacts are a new portion
    GIVEN_UP = "givenUp"  # no outcome; `reason` says why; its contacts are unconfirmed


_P, _I = PortionStatus, ImportStatus
PORTION_EVENTS: dict[str, frozenset[PortionStatus]] = {
    "sending": frozenset({_P.PENDING, _P.SENDING}),  # from SENDING: sent again, since the outcome is unknown
    "notQueued": frozenset({_P.SENDING}),  # a definite no to the whole request, not about contacts: repeat it
    "refused": frozenset({_P.SENDING}),  # some contacts were refused, and with them the whole request
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
    """Contacts of a batch, by their positions (0-based, ascending), that are to be handed over."""

    batch: int
    number: int
    """0 is the whole batch; the others are what failed imports left over."""
    positions: Sequence[int]
    to_send: Sequence[int]
    """The positions of the next request."""
    status: PortionStatus = PortionStatus.PENDING
    verdicts: list[refusals.Verdict] = field(default_factory=list)
    refused: tuple[int, ...] = ()
    handed_over: int = 0
    failed_imports: int = 0
    """How many imports of these contacts ActiveCampaign has failed."""
    left_by: Import | None = None
    """The newest of those imports."""
    resends: int = 0
    """Requests that were sent again because the outcome of the one before was unknown."""
    doubtful: bool = False
    """Whether an earlier request for `to_send` may have been queued, whatever becomes of the next one."""

    @property
    def open(self) -> int:
        """How many of its contacts are neither in an accepted import nor refused."""
        return len(self.positions) - self.handed_over - len(self.refused)

    @property
    def unknown(self) -> Sequence[int]:
        """The positions of those that may have reached ActiveCampaign all the same."""
        if self.failed_imports:
            return self._open_positions()
        return self.to_send if self.status is PortionStatus.SENDING or self.doubtful else ()

    @property
    def unsent(self) -> Sequence[int]:
        """The positions of the others: they certainly did not reach it."""
        unknown = set(self.unknown)
        return [position for position in self._open_positions() if position not in unknown]

    def _open_positions(self) -> Sequence[int]:
        if not self.open or not self.verdicts:
            return self.positions if self.open else ()
        found = refusals.search(self.positions, self.verdicts)
        decided = found.bad.keys() | {position for sent in found.accepted for position in sent}
        return [position for position in self.positions if position not in decided]


@dataclass(slots=True)
class Import:
    """An accepted request: ActiveCampaign's `batchId` is our import id."""

    import_id: str
    batch: int
    positions: Sequence[int]
    failed_imports: int
    accepted_at: float
    asked_at: float
    status: ImportStatus = ImportStatus.ACCEPTED
    asks: int = 0
    rejected: dict[int, str] = field(default_factory=dict)
    """Reason code by position, of the contacts that failed in the import."""
    reason: str | None = None


@dataclass(slots=True)
class Lane:
    """The state of a lane, folded from its ledger."""

    length: int = 0
    """Bytes of the ledger that are folded in; the next append goes here."""
    portions: dict[tuple[int, int], Portion] = field(default_factory=dict)
    imports: dict[str, Import] = field(default_factory=dict)
    holder: str | None = None
    """The worker that has the lane; None when it was released or waits."""
    waiting: Json | None = None
    waiting_since: float | None = None
    waits: int = 0
    """Waits in a row, without progress between them."""
    expect_s: float = 5.0
    """After how long an import is first asked for. Learnt: a question that came too early raises it, each that came in
    time lowers it a little. It starts at 5 s: an import has no status in its first second, and a recorded one of a
    single contact took about 7 s (VCR of a real account, 2021-03-23)."""

    closed: bool = False
    """Whether the run has ended with contacts of this lane that are not sent, and will not be. Only the outcomes of
    imports may still come."""

    @property
    def finished(self) -> bool:
        """Whether nothing is left to do: every contact has its outcome, or the lane is closed."""
        return self.closed or not (any(self.pending()) or any(self.accepted()))

    def pending(self) -> Iterable[Portion]:
        """Yield the portions that are to be sent, in order."""
        return (p for p in self.portions.values() if p.status is not PortionStatus.SENT)

    def accepted(self) -> Iterable[Import]:
        """Yield the imports whose outcome is not known yet."""
        return (i for i in self.imports.values() if i.status is ImportStatus.ACCEPTED)

    def late(self) -> Iterable[Import]:
        """Yield the imports that were given up for the time alone: their outcome may still come."""
        late = Reason.NOT_CONFIRMED_IN_TIME
        return (i for i in self.imports.values() if i.status is ImportStatus.GIVEN_UP and i.reason == late)

    def held(self, age_s: float, stale_s: float) -> bool:
        """Whether a living worker has the lane; `age_s` is the time since the last append, by the storage's clock."""
        return self.holder is not None and age_s < stale_s

    def apply(self, event: Json) -> None:
        """Take one event in.

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
            found = self.imports.get(event["importId"])
            if found is None or found.status not in IMPORT_EVENTS[name]:
                raise _unreadable(f"{name!r} where it cannot happen, in import {event['importId']}")
            self._apply_to_import(name, event, found, at)
        else:
            self._apply_to_lane(name, event, at)

    def _apply_to_lane(self, name: str, event: Json, at: float) -> None:
        match name:
            case "opened":
                check_version(event["v"], "ledger")
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
                self.waiting_since = self.waiting_since or at
            case _:
                raise _unreadable(f"the event {name!r}")

    def _portion_of(self, failed: Import) -> Portion:
        """Make a portion of what a failed import left over."""
        number = sum(1 for batch, _ in self.portions if batch == failed.batch)
        failures = failed.failed_imports + 1
        return Portion(
            failed.batch, number, failed.positions, failed.positions, failed_imports=failures, left_by=failed
        )

    def _apply_to_portion(self, name: str, event: Json, portion: Portion, at: float) -> None:
        match name:
            case "sending":
                if portion.status is PortionStatus.SENDING:
                    portion.resends += 1
                    portion.doubtful = True
                portion.status = PortionStatus.SENDING
            case "notQueued":
                portion.status = PortionStatus.PENDING
            case "refused":
                self._progress()
                self._judge(portion, tuple(event["named"]))
            case "accepted":
                self._progress()
                import_id = event["importId"]
                self.imports[import_id] = Import(
                    import_id, portion.batch, portion.to_send, portion.failed_imports, accepted_at=at, asked_at=at
                )
                portion.handed_over += len(portion.to_send)
                self._judge(portion, None)

    @staticmethod
    def _judge(portion: Portion, verdict: refusals.Verdict) -> None:
        portion.verdicts.append(verdict)
        found = refusals.search(portion.positions, portion.verdicts)
        portion.to_send, portion.refused = found.send, tuple(sorted(found.bad))
        portion.status = PortionStatus.PENDING if found.send else PortionStatus.SENT
        portion.doubtful = False

    def _apply_to_import(self, name: str, event: Json, one: Import, at: float) -> None:
        self._progress()
        match name:
            case "asked":
                one.asks += 1
                one.asked_at = at
                self.expect_s = min(max(self.expect_s, 1.25 * (at - one.accepted_at)), SLOWEST_ASK_S)
            case "confirmed":
                one.status = ImportStatus.CONFIRMED
                one.rejected = {int(position): reason for position, reason in event["failed"].items()}
                self.expect_s = max(0.98 * self.expect_s, FASTEST_ASK_S)
            case "importFailed":
                one.status = ImportStatus.FAILED
                portion = self._portion_of(one)
                self.portions[portion.batch, portion.number] = portion
            case "gaveUp":
                one.status, one.reason = ImportStatus.GIVEN_UP, event["reason"]

    def _progress(self) -> None:
        self.waiting, self.waiting_since, self.waits = None, None, 0


def _unreadable(what: str) -> Stop:
    return Stop(
        "ledger_unreadable",
        f"A ledger holds {what}, which this release does not expect. It was left as it is; deploy the release that"
        " wrote it, or a newer one.",
        Culprit.SYSTEM,
    )


def fold(data: bytes) -> Lane:
    """Fold a whole ledger. Raises `Stop` ("ledger_unreadable") and `Wait` ("newer_release")."""
    lane = Lane()
    for line in data.splitlines():
        try:
            event = orjson.loads(line)
        except orjson.JSONDecodeError:
            raise _unreadable("a line that is not JSON") from None
        lane.apply(event)
    lane.length = len(data)
    return lane


def encode(events: Iterable[Json]) -> bytes:
    """Write events as lines."""
    return b"".join(orjson.dumps(e) + b"\n" for e in events)


def opened(at: float, batches: Iterable[tuple[int, int]]) -> Json:
    """Begin a ledger: the lane's batches as (number, contacts)."""
    return {"at": to_text(at), "event": "opened", "v": 1, "batches": [list(b) for b in batches]}


def lane_event(at: float, name: str, **data: object) -> Json:
    """Make an event about the lane: claimed, released, waiting, closed."""
    return {"at": to_text(at), "event": name, **data}


def portion_event(at: float, name: str, portion: Portion, **data: object) -> Json:
    """Make one of `PORTION_EVENTS`."""
    return {"at": to_text(at), "event": name, "batch": portion.batch, "portion": portion.number, **data}


def import_event(at: float, name: str, one: Import, **data: object) -> Json:
    """Make one of `IMPORT_EVENTS`."""
    return {"at": to_text(at), "event": name, "importId": one.import_id, **data}


# --- what to do next -------------------------------------------------------------------------------------------------

FASTEST_ASK_S = 2.0
SLOWEST_ASK_S = 60.0
"""Bounds of the time between two questions for the same import, in seconds."""


@dataclass(frozen=True, slots=True)
class Send:
    """Send the next request of this portion."""

    portion: Portion


@dataclass(frozen=True, slots=True)
class Ask:
    """Ask for the outcome of this import."""

    one: Import


@dataclass(frozen=True, slots=True)
class GiveUp:
    """No outcome came in time."""

    one: Import
    reason: Reason


@dataclass(frozen=True, slots=True)
class Pause:
    """Nothing to do before `until` (epoch seconds)."""

    until: float


@dataclass(frozen=True, slots=True)
class Finished:
    """Every contact has its outcome, or may not be sent any more."""


type Step = Send | Ask | GiveUp | Pause | Finished


def ask_at(one: Import, expect_s: float) -> float:
    """Return when to ask next (epoch seconds): first when the answer is likely, then less and less often."""
    if one.asks == 0:
        return one.accepted_at + expect_s
    return one.asked_at + min(FASTEST_ASK_S * 2.0 ** min(one.asks - 1, 10), SLOWEST_ASK_S)


def next_step(lane: Lane, now: float, *, may_send: bool, confirm_within_s: float, after_send: bool) -> Step:
    """Decide what a worker does next with its lane.

    Sending goes before asking, except that after a request (`after_send`) one due question goes first, so that
    confirmations keep pace with the uploads.
    """
    next_ask = min(lane.accepted(), key=lambda i: ask_at(i, lane.expect_s), default=None)
    if next_ask and now - next_ask.accepted_at > confirm_within_s:
        return GiveUp(next_ask, Reason.NOT_CONFIRMED_IN_TIME)
    due = next_ask is not None and ask_at(next_ask, lane.expect_s) <= now
    if next_ask and due and after_send:
        return Ask(next_ask)
    if may_send and (portion := next(iter(lane.pending()), None)):
        return Send(portion)
    if next_ask:
        return Ask(next_ask) if due else Pause(ask_at(next_ask, lane.expect_s))
    return Finished()
