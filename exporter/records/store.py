"""Read and change records in blobs, by compare and swap, so that no change is lost."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from exporter.errors import Unavailable
from exporter.model import Record, load
from exporter.ports import Blobs, Changed

MAX_TRIES = 20
"""How often a change is tried against concurrent changes; each lost race means that another writer made progress."""


def get[R: Record](blobs: Blobs, kind: type[R], path: str) -> R | None:
    """Return the record, or None if there is none.

    Raises `Stop` ("record_unreadable"), `Wait` ("newer_release") and `Unavailable`.
    """
    blob = blobs.read(path)
    return load(kind, blob.data) if blob else None


def get_all[R: Record](blobs: Blobs, kind: type[R], prefix: str) -> Iterator[R]:
    """Yield the records below `prefix`, without those that vanish in the meantime. Raises what `get` raises."""
    for path in blobs.names(prefix):
        if record := get(blobs, kind, path):
            yield record


def change[R: Record](blobs: Blobs, kind: type[R], path: str, update: Callable[[R], R | None]) -> R | None:
    """Apply `update` to the record and return what is then stored; None if there is no such record.

    `update` returns the new record, or None to leave it unchanged; it is called again if another writer was faster.
    Raises `Unavailable` ("storage_contention") after `MAX_TRIES` lost races.
    """
    for _ in range(MAX_TRIES):
        blob = blobs.read(path)
        if blob is None:
            return None
        old = load(kind, blob.data)
        new = update(old)
        if new is None:
            return old
        try:
            blobs.replace(path, new.to_json(), blob.etag)
        except Changed:
            continue
        return new
    raise contention()


def create_or_get[R: Record](blobs: Blobs, path: str, record: R) -> R:
    """Create the record, or return the one that already exists. Raises what `get` raises."""
    try:
        blobs.create(path, record.to_json())
    except Changed:
        return get(blobs, type(record), path) or record
    return record


def contention() -> Unavailable:
    """Return the error for a change that lost every race."""
    return Unavailable.of("storage_contention", times=MAX_TRIES)
