"""Whom a run for a few people is for: in the working copy, which is deleted with the run, and in no record."""

from __future__ import annotations

from pydantic import Field

from exporter.errors import Culprit, Stop
from exporter.model import Record
from exporter.records import store
from exporter.records.paths import few_path
from exporter.runs.run import Run
from exporter.services import Services


class Few(Record):
    """The addresses, as `addresses.key_of` returns them."""

    addresses: tuple[str, ...] = Field(repr=False)


def read_few(services: Services, run: Run) -> frozenset[str] | None:
    """Return the addresses of those whom a run is for; None: everybody.

    Raises `Stop` ("working_copy_missing") if they have been deleted, and what `store.get` raises.
    """
    if run.only is None:
        return None
    few = store.get(services.blobs, Few, few_path(run.run_id))
    if few is None:
        raise Stop.of("working_copy_missing", Culprit.SYSTEM)
    return frozenset(few.addresses)
