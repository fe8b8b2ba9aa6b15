"""A run's working copy and reject report: planning writes them, and batches are read back as they were planned.

For each batch, the payload has the exact request body, directly followed by a JSON array with one entry per contact, in
order: `[row, customer id or null]`, with any previous customer ids as a third item. `row` numbers the data rows across
all files of the run, from 1.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import batched

from exporter.delivery.manifest import BatchEntry
from exporter.errors import Culprit, Stop
from exporter.ports import BlobWriter
from exporter.services import Services
from exporter.tally.rejects import HEADER, Reject, lines
from exporter.tally.unfit import UnfitReport, UnfitValue

WORKING_COPY_S = 86_400.0
"""A working copy holds personal data and is deleted a day after it was written, whatever the state of its run."""
LAST_CALL_S = WORKING_COPY_S - 3_600.0
"""A run that still has contacts to send by then is stopped, so that it ends while the copy can name them."""
LAST_ANSWER_S = WORKING_COPY_S - 1_800.0
"""An import without a final status by then times out, for the same reason. Asking goes on until the copy is deleted."""
READ_TOGETHER = 32
"""The most adjacent batches that one read fetches: at most about 13 MB."""


class PlanWriter:
    """A `batching.Sink` that writes payload and reject report. Each becomes visible only when it is committed."""

    def __init__(
        self, payload: BlobWriter, rejects: BlobWriter, hides: Callable[[str], bool] = lambda _: False
    ) -> None:
        """Write the report's header; the payload has none. `hides`: whether a column's values are not to be shown."""
        self.unfit = UnfitReport(hides)
        """What did not fit: bounded, so that it is written at once when everything is read."""
        self._payload, self._rejects = payload, rejects
        self._rejects.write(HEADER)

    def add_batch(self, body: bytes, references: bytes) -> None:
        """Write a batch."""
        self._payload.write(body)
        self._payload.write(references)

    def add_rejects(self, rejects: Iterable[Reject]) -> None:
        """Write rows to the report."""
        self._rejects.write(lines(rejects))

    def add_unfit(self, values: Iterable[UnfitValue]) -> None:
        """Keep values for the report of those that do not fit."""
        self.unfit.add(values)


def read_batch(services: Services, payload: str, batch: BatchEntry) -> tuple[bytes, bytes]:
    """Return the request body of a batch and its row references as JSON. Raises what `read_batches` raises."""
    return next(read_batches(services, payload, [batch]))


def read_batches(services: Services, payload: str, batches: Iterable[BatchEntry]) -> Iterator[tuple[bytes, bytes]]:
    """Yield the request body and row references of each batch; memory holds at most `READ_TOGETHER` batches.

    Raises `Stop` ("working_copy_missing", "working_copy_altered").
    """
    for chunk in batched(batches, READ_TOGETHER, strict=False):
        for adjacent in _adjacent(chunk):
            yield from _read(services, payload, adjacent)


def _adjacent(batches: Iterable[BatchEntry]) -> Iterator[list[BatchEntry]]:
    """Group batches that directly follow one another in the payload."""
    group: list[BatchEntry] = []
    for batch in batches:
        if group and group[-1].end != batch.offset_bytes:
            yield group
            group = []
        group.append(batch)
    yield group


def _read(services: Services, payload: str, adjacent: list[BatchEntry]) -> Iterator[tuple[bytes, bytes]]:
    start, end = adjacent[0].offset_bytes, adjacent[-1].end
    data = services.blobs.read_range(payload, start, end - start)
    if data is None or len(data) != end - start:
        raise Stop.of("working_copy_missing", Culprit.SYSTEM)
    for batch in adjacent:
        at = batch.offset_bytes - start
        body = data[at : at + batch.body_bytes]
        if not batch.matches(body):
            raise Stop.of("working_copy_altered", Culprit.SYSTEM)
        yield body, data[at + batch.body_bytes : batch.end - start]
