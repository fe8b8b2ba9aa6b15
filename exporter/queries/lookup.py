"""What happened to a person in a run: the rows with an address, and the fate of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass, replace

import orjson

from exporter.activecampaign import bodies
from exporter.contacts.addresses import address_of
from exporter.delivery.ledger import BulkImport, Lane
from exporter.delivery.manifest import Manifest
from exporter.errors import Stop
from exporter.queries.reading import one_reader, read_again
from exporter.reasons import Bucket, Reason
from exporter.records.lanes import read_lanes
from exporter.records.payload import read_batches
from exporter.records.runs import read_manifest, read_run
from exporter.runs.run import Run
from exporter.services import Services
from exporter.tally.fates import Fate, fates
from exporter.tally.rejects import Reject, reject_rows
from exporter.tally.unfit import UnfitValue


@dataclass(frozen=True, slots=True)
class FoundRow:
    """A row with the address: `row` is its number among the data rows of the file, from 1; `batch` counts from 0.

    `run_id`: the run that sent it, which is this run or one that it resumes.
    """

    path: str
    row: int
    bucket: Bucket | None
    """None: the run is in progress, and has no answer for this row yet."""
    reason: Reason | None = None
    batch: int | None = None
    run_id: str | None = None
    newest: BulkImport | None = None
    """The newest import that held the contact."""


@dataclass(frozen=True, slots=True)
class Found:
    """The rows with the address. `complete`: whether every row of the run was checked."""

    rows: tuple[FoundRow, ...]
    complete: bool


@dataclass(frozen=True, slots=True)
class _Contact:
    batch: int
    position: int
    row: int


def look_up(services: Services, run: Run, address: str) -> Found:
    """Return the rows of a run that have an address, ignoring case and surrounding spaces.

    Searches the working copy while it exists, and after that the files that the run read, if they are still the newest.
    Raises `Stop` ("run_not_planned") and what `reading.one_reader` and `reading.read_all` raise.
    """
    manifest = read_manifest(services, run.run_id)
    if manifest is None:
        raise Stop(
            "run_not_planned",
            "Expected a run that has read its segments; this one has not, so nobody can be found in it. If it is still"
            " planning, try again later.",
        )
    key = _key(address)
    with one_reader():
        contact, set_aside, complete = _search(services, run, manifest, key)
    rows = {place: FoundRow(*place, reason.group.bucket, reason) for place, reason in set_aside.items()}
    if contact:
        place = manifest.locate(contact.row)
        fate = fate_of(read_lanes(services, run).values(), contact.batch, contact.position)
        is_open = fate.open and run.end is None
        bucket, reason = (None, None) if is_open else (fate.bucket, fate.reason)
        rows[place] = FoundRow(*place, bucket, reason, contact.batch, run.run_id, fate.newest)
    elif run.resumes and (earlier := read_run(services, run.resumes)):
        before = look_up(services, earlier, address)
        rows |= {(row.path, row.row): row for row in before.rows if row.batch is not None}
        complete = complete and before.complete
    return Found(tuple(rows[place] for place in sorted(rows)), complete)


type _SetAside = dict[tuple[str, int], Reason]


def _search(services: Services, run: Run, manifest: Manifest, key: str) -> tuple[_Contact | None, _SetAside, bool]:
    """Return the contact with the address, the rows with it that were set aside, and whether every row was checked."""
    report = services.blobs.stream(manifest.rejects)
    set_aside = _set_aside(report or (), key)
    with suppress(Stop):  # the working copy is gone or was altered
        copies = enumerate(read_batches(services, manifest.payload, manifest.batches))
        contacts = (_contact_in(number, body, references, key) for number, (body, references) in copies)
        contact = next(filter(None, contacts), None)
        if contact or report is not None:
            return contact, set_aside, report is not None
    search = _Search(key)
    planned = read_again(services, run, manifest, search)
    numbers = {batch.sha256: number for number, batch in enumerate(manifest.batches)}
    if planned is None or not numbers.keys() <= {batch.sha256 for batch in planned.batches}:
        return None, set_aside, False
    contact = search.contact
    number = numbers.get(planned.batches[contact.batch].sha256) if contact else None
    sent = replace(contact, batch=number) if contact and number is not None else None
    return sent, search.set_aside | set_aside, True


def _set_aside(report: Iterable[bytes], key: str) -> _SetAside:
    # An address that a spreadsheet would take for a formula has an apostrophe before it.
    same = (row for row in reject_rows(report) if _key(row.email.removeprefix("'")) == key)
    return {(row.path, row.row): row.reason for row in same}


def _contact_in(batch: int, body: bytes, references: bytes, key: str) -> _Contact | None:
    if key.encode() not in body.lower():
        return None
    for position, address in enumerate(bodies.addresses(body)):
        if address.lower() == key:
            return _Contact(batch, position, orjson.loads(references)[position][0])
    return None


class _Search:
    """A `batching.Sink` that looks for an address in what the rows become."""

    def __init__(self, key: str) -> None:
        self.contact: _Contact | None = None
        self.set_aside: _SetAside = {}
        self._key = key
        self._batches = 0

    def add_batch(self, body: bytes, references: bytes) -> None:
        """Search a batch."""
        self.contact = self.contact or _contact_in(self._batches, body, references, self._key)
        self._batches += 1

    def add_rejects(self, rejects: Sequence[Reject]) -> None:
        """Search rows that are in no batch."""
        same = (reject for reject in rejects if _key(reject.email) == self._key)
        self.set_aside.update({(reject.path, reject.row): reject.reason for reject in same})

    def add_unfit(self, values: Sequence[UnfitValue]) -> None:
        """Ignore values that do not fit: their contacts are in a batch, or set aside."""


def _key(text: str) -> str:
    """Return the address that a text holds, as a run reads it, in lower case."""
    return bodies.address_key(address_of(text, set(), no_values=False))


def fate_of(lanes: Iterable[Lane], batch: int, position: int) -> Fate:
    """Return the fate of the contact at a position in a batch: open and not sent if no ledger has the batch yet."""
    matches = (fate for fate in fates(lanes) if fate.batch == batch and position in fate.positions)
    return next(matches, Fate(batch, (position,), Reason.NOT_SENT, open=True))
