"""What became of a person in a run: the rows with an address, and the fate of each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum

import orjson

from exporter import store
from exporter.activecampaign import wire
from exporter.errors import Stop
from exporter.ledger import ImportStatus, Lane
from exporter.pipeline import finish
from exporter.pipeline.manifest import Manifest, manifest_path
from exporter.pipeline.reading import Discarded, read_again, reject_rows
from exporter.ports import Services
from exporter.reasons import BY_CODE, Group, Reason
from exporter.runs import Run, run_path


class Bucket(StrEnum):
    """Where a row is in the account of its run."""

    CONFIRMED = "confirmed"
    DUPLICATE = "duplicate"
    REJECTED = "rejected"
    REJECTED_BY_ACTIVECAMPAIGN = "rejectedByActiveCampaign"
    UNCONFIRMED = "unconfirmed"
    OPEN = "open"  # the run is going, and has no answer for this row yet


BUCKETS = {
    Group.FILE: Bucket.REJECTED,
    Group.PROFILE: Bucket.REJECTED,
    Group.DUPLICATE: Bucket.DUPLICATE,
    Group.ACTIVECAMPAIGN: Bucket.REJECTED_BY_ACTIVECAMPAIGN,
    Group.UNCONFIRMED: Bucket.UNCONFIRMED,
}
NOT_SENT_AS_CONTACT = (Group.FILE, Group.PROFILE, Group.DUPLICATE)


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a contact; `import_id` is ActiveCampaign's `batchId` of the newest import that held it."""

    bucket: Bucket
    reason: Reason | None = None
    import_id: str | None = None
    import_status: ImportStatus | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """A row with the address: `row` is its number among the data rows of the file, from 1; `batch` counts from 0.

    `run_id` is the run that sent it: this one, or one that this one resumes.
    """

    path: str
    row: int
    fate: Fate
    batch: int | None = None
    run_id: str | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """The rows with the address. `complete`: whether every row of the run was looked at, or only those set aside."""

    rows: tuple[Row, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class _Contact:
    batch: int
    position: int
    row: int


def look_up(services: Services, run: Run, address: str) -> Found:
    """Find the rows of a run that hold an address, whatever its case and the blanks around it.

    Looks into the working copy while there is one, later into the files that the run read, while they are there.
    Raises `Stop` ("run_not_planned") and what `reading.read_all` raises.
    """
    manifest = store.get(services.blobs, Manifest, manifest_path(run.run_id))
    if manifest is None:
        raise Stop("run_not_planned", "The run has read nothing (yet), so nobody can be found in it.")
    key = address.strip().lower()
    contact, set_aside, complete = _search(services, run, manifest, key)
    rows = [
        Row(*place, Fate(BUCKETS[reason.group], reason))
        for place, reason in set_aside.items()
        if contact is None or reason.group in NOT_SENT_AS_CONTACT
    ]
    if contact:
        lanes = [lane for lane, _ in finish.lanes(services, run)]
        fate = fate_of(lanes, contact.batch, contact.position, over=run.end is not None)
        rows.append(Row(*manifest.locate(contact.row), fate, contact.batch, run.run_id))
    elif run.resumes and (earlier := store.get(services.blobs, Run, run_path(run.resumes))):
        before = look_up(services, earlier, address)
        rows += [row for row in before.rows if row.batch is not None]
        complete = complete and before.complete
    return Found(tuple(sorted(rows, key=lambda row: (row.path, row.row))), complete)


type _SetAside = dict[tuple[str, int], Reason]


def _search(services: Services, run: Run, manifest: Manifest, key: str) -> tuple[_Contact | None, _SetAside, bool]:
    """Return the contact with the address, the rows with it that were set aside, and whether every row was seen."""
    report = services.blobs.stream(manifest.rejects)
    set_aside = _set_aside(report or (), key)
    batches = _working_copy(services, manifest)
    if batches is not None:
        found = (_contact_in(number, body, references, key) for number, body, references in batches)
        return next(filter(None, found), None), set_aside, report is not None
    contacts, rejects = _Contacts(key), _Rejects(key)
    planned = read_again(services, run, manifest, contacts, rejects)
    numbers = {batch.sha256: number for number, batch in enumerate(manifest.batches)}
    if planned is None or not numbers.keys() <= {batch.sha256 for batch in planned.batches}:
        return None, set_aside, False
    contact = contacts.found
    number = numbers.get(planned.batches[contact.batch].sha256) if contact else None
    here = replace(contact, batch=number) if contact and number is not None else None
    return here, rejects.found | set_aside, True


def _set_aside(report: Iterable[bytes], key: str) -> _SetAside:
    # An address that a spreadsheet would run has an apostrophe before it.
    same = (row for row in reject_rows(report) if row.email.removeprefix("'").strip().lower() == key)
    return {(row.path, row.row): row.reason for row in same}


def _working_copy(services: Services, manifest: Manifest) -> Iterator[tuple[int, bytes, bytes]] | None:
    """Yield number, request body and row references of each batch, or return None when the copy is not there."""
    pieces = services.blobs.stream(manifest.payload)
    return None if pieces is None else _batches(pieces, manifest)


def _batches(pieces: Iterator[bytes], manifest: Manifest) -> Iterator[tuple[int, bytes, bytes]]:
    data, start = b"", 0
    for number, batch in enumerate(manifest.batches):
        end = batch.offset + batch.length + batch.rows_length
        while start + len(data) < end:
            used = min(len(data), max(0, batch.offset - start))
            data, start = data[used:] + next(pieces), start + used
        at = batch.offset - start
        yield number, data[at : at + batch.length], data[at + batch.length : end - start]


def _contact_in(batch: int, body: bytes, references: bytes, key: str) -> _Contact | None:
    if key.encode() not in body.lower():
        return None
    for position, address in enumerate(wire.addresses(body)):
        if address.lower() == key:
            return _Contact(batch, position, orjson.loads(references)[position][0])
    return None


class _Contacts(Discarded):
    """Looks for an address in a payload as it is written: for each batch its body, then its row references."""

    def __init__(self, key: str) -> None:
        self.found: _Contact | None = None
        self._key = key
        self._batch = 0
        self._body: bytes | None = None

    def write(self, data: bytes) -> None:
        if self._body is None:
            self._body = data
            return
        if self.found is None:
            self.found = _contact_in(self._batch, self._body, data, self._key)
        self._body = None
        self._batch += 1


class _Rejects(Discarded):
    """Looks for an address in a reject report as it is written."""

    def __init__(self, key: str) -> None:
        self.found: _SetAside = {}
        self._key = key

    def write(self, data: bytes) -> None:
        self.found.update(_set_aside([data], self._key))


def fate_of(lanes: Iterable[Lane], batch: int, position: int, *, over: bool) -> Fate:
    """Say what the ledgers tell of the contact at a position of a batch; `over`: the run has ended."""
    last = Fate(Bucket.UNCONFIRMED, Reason.NOT_SENT) if over else Fate(Bucket.OPEN)
    for lane in lanes:
        for portion in lane.portions.values():
            if portion.batch == batch and position in portion.refused:
                return Fate(Bucket.REJECTED_BY_ACTIVECAMPAIGN, Reason.REFUSED_BY_ACTIVECAMPAIGN)
            doubtful = portion.positions if portion.failed_imports else portion.to_send if portion.unknown else ()
            if portion.batch == batch and position in doubtful and over:
                last = Fate(Bucket.UNCONFIRMED, Reason.OUTCOME_UNKNOWN)
        for one in lane.imports.values():
            if one.batch != batch or position not in one.positions:
                continue
            about = (one.import_id, one.status)
            match one.status:
                case ImportStatus.CONFIRMED if position in one.rejected:
                    return Fate(Bucket.REJECTED_BY_ACTIVECAMPAIGN, BY_CODE[one.rejected[position]], *about)
                case ImportStatus.CONFIRMED:
                    return Fate(Bucket.CONFIRMED, None, *about)
                case ImportStatus.GIVEN_UP:
                    return Fate(Bucket.UNCONFIRMED, BY_CODE[one.reason or Reason.OUTCOME_UNKNOWN], *about)
                case ImportStatus.ACCEPTED if over:
                    return Fate(Bucket.UNCONFIRMED, Reason.OUTCOME_UNKNOWN, *about)
                case _:
                    last = Fate(last.bucket, last.reason, *about)
    return last
