"""The audit trail, which administrators may read."""

from __future__ import annotations

import re

import orjson

from exporter.api import resources
from exporter.api.access import Context
from exporter.api.http import Json, Refusal
from exporter.api.resources import Page, PageQuery
from exporter.model import Time, Value
from exporter.records import audit


class AuditEntry(Value):
    """Who requested what, and the result."""

    at: Time
    action: str
    resource: str
    by: str
    by_id: str | None = None
    role: str
    from_address: str | None = None
    status: int | None = None
    """The status of the answer; absent if the app died before answering, so that the outcome is unknown."""
    code: str | None = None
    location: str | None = None


def list_day(context: Context, day: str, query: PageQuery) -> Json[Page[AuditEntry]]:
    """List the entries of a day (UTC, such as 2026-11-23) in chronological order."""
    if not re.fullmatch(r"\d{4}-\d\d-\d\d", day, re.ASCII):
        raise Refusal.of(404, "no_such_day")
    blobs = context.services.blobs
    prefix = f"{audit.PREFIX}{day}/"

    def show(name: str) -> AuditEntry | None:
        blob = blobs.read(f"{prefix}{name}")
        if blob is None:
            return None
        asked, *done = [orjson.loads(line) for line in blob.data.splitlines()]
        return AuditEntry.model_validate({**(done[0] if done else {}), **asked})

    names = [path.removeprefix(prefix) for path in blobs.names(prefix)]
    return Json(resources.page(context, names, query, show))
