"""What became of the few people whom a run was for, and what ActiveCampaign has of them afterwards."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import repeat

from exporter.activecampaign import bodies
from exporter.activecampaign.people import UNKNOWN, Person, has_value
from exporter.contacts.addresses import key_of
from exporter.delivery.manifest import Manifest
from exporter.errors import ExporterError, Stop, Unavailable
from exporter.pipeline.questions import few_people
from exporter.pipeline.session import session_of
from exporter.queries.lookup import FoundRow, counting, look_up
from exporter.queries.reading import one_who_waits_if_free
from exporter.records.payload import read_batches
from exporter.records.runs import read_manifest, read_run
from exporter.runs.run import Run
from exporter.services import Services

WAIT_S = 100.0
"""How long a caller waits for the end of the run. Azure cuts off an HTTP answer after 230 s, and after the wait, people
are looked up."""
POLL_S = 2.0


@dataclass(frozen=True, slots=True)
class Seen:
    """What became of a person whom a run was for.

    `row`: the row that counts; None: no row has the address, or, if not `complete`, that is not known. `person`: what
    ActiveCampaign has; None: it was not asked, since nobody in the segment has the address.
    """

    row: FoundRow | None
    complete: bool
    person: Person | None = field(default=None, repr=False)


def wait_for_end(services: Services, run: Run) -> Run:
    """Return the run once it is over, or as it is after `WAIT_S`; at once, if too many callers wait already."""
    until = services.clock.now() + WAIT_S
    with one_who_waits_if_free() as free:
        while free and run.end is None and services.clock.now() < until:
            services.clock.sleep(POLL_S)
            with suppress(Unavailable):
                run = read_run(services, run.run_id) or run
    return run


def see(services: Services, run: Run, addresses: Sequence[str]) -> tuple[tuple[Seen, ...], Mapping[int, str]]:
    """Return what became of each address in a run that is over, and the titles of the matched fields, by id.

    ActiveCampaign is asked only about those who are in the segment. What it does not answer in time is unknown. Nobody
    is returned if the run ended before it was planned. Raises `Wait` for the app's own storage.
    """
    manifest = read_manifest(services, run.run_id)
    if run.plan is None or manifest is None:
        return (), {}
    found = [look_up(services, run, address) for address in addresses]
    rows = [counting(one.rows) for one in found]
    people = _people(services, run, [key_of(a) for a, row in zip(addresses, rows, strict=True) if row])
    seen = tuple(Seen(row, one.complete, next(people) if row else None) for row, one in zip(rows, found, strict=True))
    return seen, _titles(manifest)


def emptied(services: Services, run: Run, people: Mapping[str, Person]) -> frozenset[int]:
    """Return the ids of the fields that somebody had a value of, was sent empty, and nobody who was has a value of now.

    `people`: what ActiveCampaign has, by address key; whoever's fields it does not tell of shows nothing. Nothing is
    shown either once the working copy is gone, which says who was sent what.
    """
    manifest = read_manifest(services, run.run_id)
    if manifest is None or not manifest.erases:
        return frozenset()
    erased: set[int] = set()
    kept: set[int] = set()
    try:
        copies = list(read_batches(services, manifest.payload, manifest.batches))
    except Stop:  # the working copy is gone or was altered
        return frozenset()
    contacts = (contact for body, _ in copies for contact in bodies.contacts(body))
    for contact, had in zip(contacts, manifest.erases, strict=True):
        held = people.get(bodies.address_key(contact["email"]), UNKNOWN).fields
        if held is not None:
            erased.update(had)
            kept.update(each for each in bodies.emptied(contact) if has_value(held, each))
    return frozenset(erased - kept)


def _titles(manifest: Manifest) -> dict[int, str]:
    return {entry.field_id: entry.title for entry in manifest.fields}


def _people(services: Services, run: Run, addresses: Sequence[str]) -> Iterator[Person]:
    """Yield what ActiveCampaign has of each address; of all nothing, if the connection cannot be used."""
    try:
        return few_people(session_of(services, run), addresses, run.export.list_id) if addresses else iter(())
    except ExporterError:
        return repeat(UNKNOWN)
