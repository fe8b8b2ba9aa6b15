"""Read segments, as a run would, while a caller waits for the answer; nothing is stored."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager

from exporter.activecampaign.bodies import Envelope
from exporter.contacts.matching import Mapping, mapping_of
from exporter.definitions.exports import ExportDefinition
from exporter.delivery.batches import RequestSize
from exporter.delivery.manifest import Manifest
from exporter.errors import Culprit, NotReady, Stop, Unavailable
from exporter.pipeline.batching import Planned, Sink, Task, plan_batches
from exporter.pipeline.sources import refreshes_of
from exporter.ports import Changed
from exporter.runs.run import Run
from exporter.services import Services
from exporter.source.segments import Refresh, Segments

DEADLINE_S = 200.0
"""Azure cuts off an HTTP answer after 230 s; a million rows take 10 to 30 s.
https://learn.microsoft.com/azure/azure-functions/functions-scale#timeout"""
_READING = threading.BoundedSemaphore(1)
_LISTING = threading.BoundedSemaphore(4)
_WAITING = threading.BoundedSemaphore(2)
"""Concurrent callers per process. Reading takes a core and up to 200 MB; listing 5,000 files, a core and 20 MB.
Who waits for the end of a run takes a thread, which runs need too."""
_THREAD = ThreadPoolExecutor(1, "reading")
"""The thread that reads rows. glibc and Arrow keep freed memory per thread: with 16 threads that read in turn, a
process kept 682 MB, with a single one 298 MB (docs/reference/cost.md)."""


@contextmanager
def _place(places: threading.Semaphore) -> Iterator[None]:
    with _place_if_free(places) as free:
        if not free:
            raise Unavailable.of("reading_busy", Culprit.SYSTEM, 10.0)
        yield


@contextmanager
def _place_if_free(places: threading.Semaphore) -> Iterator[bool]:
    free = places.acquire(blocking=False)
    try:
        yield free
    finally:
        if free:
            places.release()


def one_reader() -> AbstractContextManager[None]:
    """Reserve this process for one waiting caller, or raise `Unavailable` ("reading_busy") at once.

    Enter it before doing anything else for the caller.
    """
    return _place(_READING)


def one_reader_if_free() -> AbstractContextManager[bool]:
    """Reserve this process as `one_reader` does, for what can be answered without; False while another one reads."""
    return _place_if_free(_READING)


def one_of_few_listers() -> AbstractContextManager[None]:
    """Reserve one of the few places in this process for callers who list segments.

    Raises `Unavailable` ("reading_busy") at once if there is none.
    """
    return _place(_LISTING)


def one_who_waits_if_free() -> AbstractContextManager[bool]:
    """Reserve one of the few places in this process for callers who wait for a run; False if there is none."""
    return _place_if_free(_WAITING)


def refreshes_now(services: Services, export: ExportDefinition, *, settled: bool) -> tuple[Refresh, ...]:
    """Return what `sources.refreshes_of` returns; call it within `one_reader` or `one_of_few_listers`."""
    try:
        return refreshes_of(services, export, settled=settled)
    except Changed:
        raise source_changing() from None


def look(services: Services, segment: str, known: Sequence[str] = ()) -> Refresh:
    """Return what `segments.Segments.look` returns; call it within `one_reader` or `one_of_few_listers`."""
    try:
        return Segments(services.segments, services.settings.segment_prefix).look(segment, known)
    except Changed:
        raise source_changing() from None


def source_changing() -> NotReady:
    """Return the failure of a caller whose files were replaced meanwhile."""
    return NotReady.of("source_changing")


def in_the_reading_thread[T](read: Callable[[], T]) -> T:
    """Return what `read` returns; call it within `one_reader`. Raises `NotReady` ("source_changing")."""
    try:
        return _THREAD.submit(read).result()
    except Changed:
        raise source_changing() from None


def read_all(
    services: Services,
    refreshes: Sequence[Refresh],
    mapping: Mapping,
    envelope: Envelope,
    sink: Sink,
    within_s: float | None = None,
) -> Planned:
    """Read all rows as planning does and pass the result to the sink; call it within `one_reader`.

    `within_s`: seconds that this may take; None: `DEADLINE_S`.

    Raises `NotReady` ("source_changing"), `Stop` ("reading_too_slow"), and what `batching.plan_batches` raises.
    """
    deadline_s = DEADLINE_S if within_s is None else within_s
    end = services.clock.now() + deadline_s

    def look_at_the_clock() -> None:
        if services.clock.now() > end:
            raise Stop.of("reading_too_slow", Culprit.SYSTEM, deadlineS=deadline_s)

    task = Task(refreshes=refreshes, mapping=mapping, envelope=envelope, secret=services.ids.new(), size=RequestSize())
    return in_the_reading_thread(lambda: plan_batches(task, services.segments, sink, look_at_the_clock))


def read_again(services: Services, run: Run, manifest: Manifest, sink: Sink, within_s: float) -> Planned | None:
    """Read exactly the files that the run read, as `read_all` does; None if they are no longer the newest."""
    try:
        refreshes = refreshes_now(services, run.export, settled=False)
    except (Stop, NotReady):
        return None
    newest_files = [(partition.file.path, partition.file.etag) for r in refreshes for partition in r.partitions]
    if newest_files != [(source.path, source.etag) for source in manifest.sources]:
        return None
    return read_all(
        services,
        refreshes,
        mapping_of(run.export, manifest.mapped_fields(run.export.data_matching)),
        manifest.around,
        sink,
        within_s,
    )
