"""What happened to a person in a run: the rows with an address, and the fate of each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass, replace

import orjson

from exporter.activecampaign import bodies
from exporter.contacts.addresses import key_of
from exporter.delivery.ledger import BulkImport
from exporter.delivery.manifest import Manifest
from exporter.errors import Stop
from exporter.queries import reading
from exporter.queries.reading import one_reader, read_again
from exporter.reasons import Bucket, Group, Reason
from exporter.records.lanes import read_lanes
from exporter.records.payload import read_batches
from exporter.records.runs import read_findings, read_manifest, read_run
from exporter.runs.run import Run
from exporter.services import Services
from exporter.tally.fates import Fate, fates
from exporter.tally.findings import Findings
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
    """The rows with the address, and what is known of rows that were not found."""

    rows: tuple[FoundRow, ...]
    complete: bool
    """Whether every row of the run was checked."""
    rest_confirmed: bool
    """Whether every row that is not confirmed was checked, so that a row that was not found can only be confirmed."""
    unreadable: int
    """Rows that cannot be read: nobody knows whose they are, and none of them was sent."""


@dataclass(frozen=True, slots=True)
class _Contact:
    batch: int
    position: int
    row: int


def look_up(services: Services, run: Run, address: str) -> Found:
    """Return the rows of a run that have an address, ignoring case and surrounding spaces.

    Searches the working copy while it exists, and after that the files that the run read, if they are still the newest.
    Otherwise, only the reject report tells. Raises `Stop` ("run_not_planned") and what `reading.one_reader` and
    `reading.read_all` raise.
    """
    with one_reader() if run.only is None else nullcontext():  # no files are read for a few people
        return look_up_within(services, run, address, reading.DEADLINE_S)


def look_up_within(services: Services, run: Run, address: str, within_s: float) -> Found:
    """Return what `look_up` returns; call it within `one_reader`.

    `within_s`: how long files may be read, those of the runs that it resumes included.
    """
    begun = services.clock.now()
    manifest = read_manifest(services, run.run_id)
    if run.end and run.plan is None:
        raise Stop.of("run_not_planned", case="ended", status=run.status)
    if manifest is None:
        raise Stop.of("run_not_planned")
    key = key_of(address)
    contact, set_aside, complete, told = _search(services, run, manifest, key, within_s)
    rows = {place: FoundRow(*place, reason.group.bucket, reason) for place, reason in set_aside.items()}
    if contact:
        place = manifest.locate(contact.row)
        fate = fate_of(services, run, contact.batch, contact.position)
        is_open = fate.open and run.end is None
        bucket, reason = (None, None) if is_open else (fate.bucket, fate.reason)
        rows[place] = FoundRow(*place, bucket, reason, contact.batch, run.run_id, fate.newest)
    elif run.resumes and (earlier := read_run(services, run.resumes)):
        left_s = max(0.0, within_s - (services.clock.now() - begun))
        before = look_up_within(services, earlier, address, left_s)
        kept = (row for row in before.rows if not _is_sent_again(services, row, manifest))
        rows |= {(row.path, row.row): _as_gone(row, run.gone) for row in kept}
        complete = complete and before.complete
    unreadable = sum(manifest.plan.rejected_by_reason.get(reason, 0) for reason in Reason if reason.group is Group.FILE)
    return Found(tuple(rows[place] for place in sorted(rows)), complete, complete or told, unreadable)


def counting(rows: Iterable[FoundRow]) -> FoundRow | None:
    """Return the row that says what became of the person: the one that was sent, or why none was."""
    return min(rows, key=lambda row: (row.batch is None, row.bucket is Bucket.DUPLICATE), default=None)


def _as_gone(row: FoundRow, gone: Reason | None) -> FoundRow:
    """Return what an earlier run tells of a row, as it is if its destination is `gone` by now."""
    return replace(row, bucket=gone.group.bucket, reason=gone) if gone and row.bucket is Bucket.CONFIRMED else row


def _is_sent_again(services: Services, row: FoundRow, manifest: Manifest) -> bool:
    """Return whether what an earlier run tells of a row counts no more: the run of this manifest tells of it itself."""
    before = read_manifest(services, row.run_id) if row.run_id else None
    if before is None or row.batch is None:  # a row that was set aside is set aside again
        return True
    return before.batches[row.batch].sha256 in {batch.sha256 for batch in manifest.batches}


type _SetAside = dict[tuple[str, int], Reason]


def _search(
    services: Services, run: Run, manifest: Manifest, key: str, within_s: float
) -> tuple[_Contact | None, _SetAside, bool, bool]:
    """Return the contact with the address, and the rows with it that were set aside.

    Then, whether every row of the run was checked, and whether every row was that is not confirmed, by this run or by
    one that it resumes: the reject report names them, if it has as many rows as the tally counts.
    """
    report = services.blobs.stream(manifest.rejects)
    set_aside, reasons = _set_aside(report or (), key)
    told = report is not None and run.tally is not None and reasons == run.tally.reasons
    with suppress(Stop):  # the working copy is gone or was altered
        copies = enumerate(read_batches(services, manifest.payload, manifest.batches))
        contacts = (_contact_in(number, body, references, key) for number, (body, references) in copies)
        contact = next(filter(None, contacts), None)
        if contact or report is not None:
            return contact, set_aside, report is not None, report is not None
    if run.only is not None:  # who else was asked for is not known any more, so the batches cannot be made again
        return None, set_aside, False, told
    search = _Search(key)
    planned = read_again(services, run, manifest, search, within_s)
    numbers = {batch.sha256: number for number, batch in enumerate(manifest.batches)}
    if planned is None or not numbers.keys() <= {batch.sha256 for batch in planned.batches}:
        return None, set_aside, False, told
    contact = search.contact
    number = numbers.get(planned.batches[contact.batch].sha256) if contact else None
    sent = replace(contact, batch=number) if contact and number is not None else None
    return sent, search.set_aside | set_aside, True, told


def _set_aside(report: Iterable[bytes], key: str) -> tuple[_SetAside, Counter[str]]:
    """Return the rows of a report that have the address, and how many it has in all, by reason."""
    same: _SetAside = {}
    reasons = Counter[str]()
    for row in reject_rows(report):
        reasons[row.reason] += 1
        if key_of(row.email) == key:
            same[row.path, row.row] = row.reason
    return same, reasons


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
        same = (reject for reject in rejects if key_of(reject.email) == self._key)
        self.set_aside.update({(reject.path, reject.row): reject.reason for reject in same})

    def add_unfit(self, values: Sequence[UnfitValue]) -> None:
        """Ignore values that do not fit: their contacts are in a batch, or set aside."""


def fate_of(services: Services, run: Run, batch: int, position: int) -> Fate:
    """Return the fate of the contact at a position in a batch: open and not sent if no ledger has the batch yet."""
    findings = read_findings(services, run.run_id) or Findings()
    found = fates(read_lanes(services, run).values(), findings.reasons, run.gone)
    matches = (fate for fate in found if fate.batch == batch and position in fate.positions)
    return next(matches, Fate(batch, (position,), Reason.NOT_SENT, open=True))
