"""Records that a process reads again and again: once, as long as their ETags stay the same.

Only for records of which the newest version is enough, and nothing is lost if that is as old as the listing. Who
changes a record reads it anew (`store.change`).
"""

from __future__ import annotations

from exporter.model import Record, load
from exporter.services import Services

MOST_REMEMBERED = 4_000
"""Records that a process remembers, of all kinds; the slot of a small export takes 7 kB, so all of them 26 MB or more.
What comes then is read each time."""


def listed(services: Services, prefix: str) -> list[tuple[str, str]]:
    """Return path and ETag of each record below `prefix`, by path, and forget those that are not there any more.

    One list operation for each 5,000 records. Raises `Unavailable`.
    """
    found = list(services.blobs.etags(prefix))
    known, there = services.memory.records, {path for path, _ in found}
    for path in [path for path in list(known) if path.startswith(prefix) and path not in there]:
        known.pop(path, None)
    return found


def get[R: Record](services: Services, kind: type[R], path: str, etag: str) -> R | None:
    """Return a record that was `listed` with this ETag, or None if it has vanished meanwhile.

    It is read unless this process has read exactly this version. A record that cannot be read is not remembered: it
    is an error each time. Raises what `store.get` raises.
    """
    known = services.memory.records
    version, record = known.get(path, (None, None))
    if version == etag and isinstance(record, kind):
        return record
    blob = services.blobs.read(path)
    if blob is None:
        known.pop(path, None)
        return None
    record = load(kind, blob.data)
    if path in known or len(known) < MOST_REMEMBERED:
        known[path] = blob.etag, record  # as it was read: it may be newer than the listing
    return record
