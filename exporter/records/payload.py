"""The working copy of a run and its reject report: written by a plan, and its batches read back as they were planned.

The payload is, batch after batch, the exact body of the request, directly followed by a JSON array with an entry for
each contact in their order: `[row, customer id or null]`, and the previous customer ids as a third item where there
are any. `row` is the running number of the data row over all files of the run, from 1.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import batched

from exporter.delivery.manifest import BatchEntry
from exporter.errors import Culprit, Stop
from exporter.ports import BlobWriter
from exporter.services import Services
from exporter.tally.rejects import HEADER, Reject, lines

WORKING_COPY_S = 86_400.0
"""A working copy holds personal data and is deleted a day after it was made, whatever became of its run."""
LAST_CALL_S = WORKING_COPY_S - 3_600.0
"""A run that still has contacts to send by then is stopped, so that it ends while the copy can name them."""
LAST_ANSWER_S = WORKING_COPY_S - 1_800.0
"""An import without a final status by then is given up, for the same reason. It is asked for until the copy goes."""
READ_TOGETHER = 32
"""Batches that one read fetches where many are wanted, if they stand one after the other: at most some 13 MB."""


class PlanWriter:
    """`batching.Sink` on the payload and the reject report. Both appear with their commit, and not before."""

    def __init__(self, payload: BlobWriter, rejects: BlobWriter) -> None:
        """Begin the report; the payload has no header."""
        self._payload, self._rejects = payload, rejects
        self._rejects.write(HEADER)

    def add_batch(self, body: bytes, references: bytes) -> None:
        """Write a batch."""
        self._payload.write(body)
        self._payload.write(references)

    def add_rejects(self, rejects: Iterable[Reject]) -> None:
        """Write lines of the report."""
        self._rejects.write(lines(rejects))


def read_batch(services: Services, payload: str, batch: BatchEntry) -> tuple[bytes, bytes]:
    """Return the request body of a batch and its row references as JSON. Raises what `read_batches` raises."""
    return next(read_batches(services, payload, [batch]))


def read_batches(services: Services, payload: str, batches: Iterable[BatchEntry]) -> Iterator[tuple[bytes, bytes]]:
    """Yield request body and row references of each of these batches; memory holds `READ_TOGETHER` of them.

    Raises `Stop` ("working_copy_missing", "working_copy_altered").
    """
    for some in batched(batches, READ_TOGETHER, strict=False):
        for together in _adjacent(some):
            yield from _read(services, payload, together)


def _adjacent(batches: Iterable[BatchEntry]) -> Iterator[list[BatchEntry]]:
    """Divide batches into those that stand one after the other in the payload."""
    together: list[BatchEntry] = []
    for batch in batches:
        if together and together[-1].end != batch.offset_bytes:
            yield together
            together = []
        together.append(batch)
    yield together


def _read(services: Services, payload: str, together: list[BatchEntry]) -> Iterator[tuple[bytes, bytes]]:
    start, end = together[0].offset_bytes, together[-1].end
    data = services.blobs.read_range(payload, start, end - start)
    if data is None or len(data) != end - start:
        raise Stop(
            "working_copy_missing",
            "The run's working copy is gone (it is deleted after a day at most). Start the export again.",
            Culprit.SYSTEM,
        )
    for batch in together:
        at = batch.offset_bytes - start
        body = data[at : at + batch.body_bytes]
        if not batch.matches(body):
            raise Stop(
                "working_copy_altered",
                "The run's working copy is not what was planned, so it is not sent. Find out who may write to the"
                " container `working`, then start the export again.",
                Culprit.SYSTEM,
            )
        yield body, data[at + batch.body_bytes : batch.end - start]
