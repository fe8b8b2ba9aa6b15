"""The working copy of a run: its batches exactly as they were planned, read back from the payload blob."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import batched

from exporter.delivery.manifest import BatchEntry
from exporter.errors import Culprit, Stop
from exporter.services import Services

WORKING_COPY_S = 86_400.0
"""A working copy holds personal data and is deleted a day after it was made, whatever became of its run."""
LAST_CALL_S = WORKING_COPY_S - 3_600.0
"""A run that still has contacts to send by then is stopped, so that it ends while the copy can name them."""
LAST_ANSWER_S = WORKING_COPY_S - 1_800.0
"""An import without a final status by then is given up, for the same reason. It is asked for until the copy goes."""
READ_TOGETHER = 32
"""Batches that one read fetches where many are wanted, if they stand one after the other: at most some 13 MB."""


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
