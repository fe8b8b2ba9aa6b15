"""Read segments while somebody waits for the answer: everything that a run would read, and nothing is kept."""

from __future__ import annotations

import codecs
import csv
import threading
from collections.abc import Iterable, Iterator, Sequence
from typing import NamedTuple

from exporter.activecampaign.wire import Envelope
from exporter.batches import Limits, Planned, plan_batches
from exporter.contacts import Mapping
from exporter.errors import Culprit, NotReady, Stop, Unavailable
from exporter.pipeline.manifest import Manifest
from exporter.pipeline.plan import mapping
from exporter.ports import BlobWriter, Changed, Services
from exporter.reasons import BY_CODE, Reason
from exporter.runs import Run
from exporter.segments import Refresh, find_refresh

DEADLINE_S = 200.0
"""Azure cuts off an HTTP answer after 230 s; a million rows take 10 to 30 s.
https://learn.microsoft.com/azure/azure-functions/functions-scale#timeout"""
_ANY_NUMBER = 2**62
_READING = threading.Lock()


def newest(services: Services, segment: str, quiet_s: float = 0.0) -> Refresh:
    """Return what `segments.find_refresh` finds. Raises also `NotReady` ("source_changing")."""
    try:
        return find_refresh(services.segments, services.settings.segment_prefix, segment, services.clock.now(), quiet_s)
    except Changed:
        raise _source_changing() from None


def _source_changing() -> NotReady:
    return NotReady("source_changing", "The segment's files were replaced while they were read. Try again shortly.")


def read_all(
    services: Services,
    refreshes: Sequence[Refresh],
    columns: Mapping,
    around: Envelope,
    payload: BlobWriter,
    rejects: BlobWriter,
) -> Planned:
    """Plan, and leave it to the writers what becomes of it. One caller at a time in a process: it takes a core.

    Raises `Unavailable` ("reading_busy"), `NotReady` ("source_changing"), `Stop` ("reading_too_slow").
    """
    end = services.clock.now() + DEADLINE_S

    def look_at_the_clock() -> None:
        if services.clock.now() > end:
            raise Stop(
                "reading_too_slow",
                f"Expected to read the segments within {DEADLINE_S:.0f} s, as an answer has to come; it takes longer."
                " Start a run: it has no such limit.",
                Culprit.SYSTEM,
            )

    if not _READING.acquire(blocking=False):
        raise Unavailable(
            "reading_busy", "Another caller's segments are being read. Try again shortly.", Culprit.SYSTEM, 10.0
        )
    try:
        return plan_batches(
            refreshes, services.segments, columns, around, Limits(), payload, rejects, _ANY_NUMBER, look_at_the_clock
        )
    except Changed:
        raise _source_changing() from None
    finally:
        _READING.release()


class Discarded:
    """A `ports.BlobWriter` that keeps nothing."""

    def write(self, data: bytes) -> None:
        """Forget the bytes."""

    def commit(self) -> None:
        """Do nothing."""


def read_again(
    services: Services, run: Run, manifest: Manifest, payload: BlobWriter, rejects: BlobWriter
) -> Planned | None:
    """Read exactly the files that the run read, as `read_all` does; None when they are not the newest any more."""
    try:
        refreshes = [newest(services, name) for name in run.export.segments]
    except (Stop, NotReady):
        return None
    found = [(partition.file.path, partition.file.etag) for r in refreshes for partition in r.partitions]
    if found != [(source.path, source.etag) for source in manifest.sources]:
        return None
    columns = mapping(run.export, manifest.mapped_fields)
    return read_all(services, refreshes, columns, manifest.around, payload, rejects)


class RejectRow(NamedTuple):
    """A line of a reject report."""

    path: str
    row: int
    email: str
    reason: Reason


def reject_rows(pieces: Iterable[bytes]) -> Iterator[RejectRow]:
    """Read a reject report, or some whole lines of one, from its bytes in pieces."""
    for path, row, _, email, reason, _ in csv.reader(_lines(pieces)):
        if reason in BY_CODE:  # not so in the header
            yield RejectRow(path, int(row), email, BY_CODE[reason])


def _lines(pieces: Iterable[bytes]) -> Iterator[str]:
    rest = ""
    for text in codecs.iterdecode(pieces, "utf-8-sig"):
        *lines, rest = (rest + text).split("\n")
        for line in lines:
            yield f"{line}\n"
    if rest:
        yield rest
