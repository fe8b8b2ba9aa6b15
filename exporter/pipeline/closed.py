"""Read who can get no mail of a list any more: some pages at a time, so that a lane does not stand still for it."""

from __future__ import annotations

from contextlib import suppress

from exporter.pipeline.questions import status_page
from exporter.pipeline.session import Session
from exporter.ports import Changed
from exporter.records import store
from exporter.records.closed import Closed, path_on
from exporter.services import Services

PAGES_AT_ONCE = 10
"""Requests of one call; with their turns they take about 6 s beside a running export."""


def read_on(services: Services, session: Session, list_id: int) -> Closed:
    """Return who of a list has unsubscribed or bounced, read today as far as `over` says; read on if it is not.

    An answer that is not clearly about these people ends the reading: then they stay unnamed. Raises the `Wait` of
    `questions.ask`; what was read before it is kept.
    """
    path = path_on(session.host, list_id, services.clock.now())
    store.create_or_get(services.blobs, path, Closed())
    blob = services.blobs.read(path)
    known = store.get(services.blobs, Closed, path) or Closed()
    before = known
    try:
        for _ in range(PAGES_AT_ONCE):
            if known.over:
                break
            page = status_page(session, list_id, known.status, known.after_id)
            known = (
                known.with_page(page.addresses, page.next_after) if page else known.model_copy(update={"over": True})
            )
    finally:
        if known != before and blob:
            with suppress(Changed):  # another worker reads it too
                services.blobs.replace(path, known.to_json(), blob.etag)
    return known
