"""The answer about the few people whom a run was for: the only one, beside the reports, that shows their data."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Annotated, Literal, NamedTuple

from pydantic import Field, StringConstraints, model_validator

from exporter.activecampaign.people import Person, Standing
from exporter.contacts.addresses import key_of
from exporter.model import Value
from exporter.queries.few import Seen, emptied, see
from exporter.reasons import Bucket
from exporter.records.slots import remember_cleared
from exporter.runs.run import Run
from exporter.services import Services

MOST = 20
NOT_OVER = (
    "The run is not over yet; it goes on by itself. Watch it, then ask POST /runs/{id}/lookup about each person. The"
    " same request with the same Idempotency-Key answers once the run is over."
)
NOT_PLANNED = "The run ended before anybody was sent; `problem` says why."


class StartBody(Value):
    """Whom to send: everybody, unless it names some people."""

    only: (
        Annotated[
            tuple[Annotated[str, StringConstraints(min_length=1, max_length=320, pattern=r"\S")], ...],
            Field(min_length=1, max_length=MOST),
        ]
        | None
    ) = Field(default=None, repr=False, examples=[["ada@example.com", "grace@example.com"]])
    """The addresses of at most 20 people to try the export with; each once. Who is not in the segment is not sent.
    Absent: everybody."""

    @model_validator(mode="after")
    def _each_once(self) -> StartBody:
        keys = [key_of(address) for address in self.only or ()]
        if not all(keys):
            raise ValueError("only: each has to be an e-mail address")
        if len(set(keys)) < len(keys):
            raise ValueError("only: an address is given more than once; case does not matter")
        return self


class TriedField(Value):
    """A custom field that the export fills, and its value in ActiveCampaign."""

    field_id: int
    title: str
    value: str


class ContactView(Value):
    """A contact as ActiveCampaign has it after the run."""

    standing: Standing
    """On the export's list. `unknown`: ActiveCampaign gave no clear answer about this address."""
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    fields: tuple[TriedField, ...] | None = None
    """The fields that the export fills; empty values included. Absent if unknown."""


class TriedPerson(Value):
    """What became of one of the few people."""

    email: str
    """As it was asked for."""
    bucket: Bucket | Literal["notInSegment", "unknown"]
    """`notInSegment`: no row that can be read has the address. `unknown`: the copy that could tell is gone."""
    reason: str | None = None
    explanation: str | None = None
    active_campaign: ContactView | None = None
    """Absent for whom is not in the segment: ActiveCampaign is not asked about them."""


class Tried(NamedTuple):
    """What became of the few people, and which fields an empty text has erased, by title."""

    people: tuple[TriedPerson, ...] = ()
    cleared: tuple[str, ...] = ()


def tried(services: Services, run: Run, addresses: Sequence[str]) -> Tried:
    """Return what became of each, in the order asked; nobody if the run ended before it was planned.

    Fields that an empty text has erased are remembered: runs for everybody may erase them from now on.
    """
    seen, titles = see(services, run, addresses)
    pairs = list(zip(addresses, seen, strict=bool(seen)))
    cleared = emptied(services, run, {key_of(address): one.person for address, one in pairs if one.person})
    if cleared:
        remember_cleared(services, run.export_id, run.host, cleared)
    return Tried(
        tuple(_tried(address, one, titles) for address, one in pairs),
        tuple(title for field_id, title in titles.items() if field_id in cleared),
    )


def _tried(address: str, seen: Seen, titles: Mapping[int, str]) -> TriedPerson:
    row = seen.row
    if row is None:
        return TriedPerson(email=address, bucket="notInSegment" if seen.complete else "unknown")
    return TriedPerson(
        email=address,
        bucket=row.bucket or "unknown",
        reason=row.reason,
        explanation=row.reason.explanation if row.reason else None,
        active_campaign=_contact(seen.person, titles) if seen.person else None,
    )


def _contact(person: Person, titles: Mapping[int, str]) -> ContactView:
    held = person.fields
    return ContactView(
        standing=person.standing,
        first_name=person.members.get("first_name"),
        last_name=person.members.get("last_name"),
        phone=person.members.get("phone"),
        fields=None
        if held is None
        else tuple(TriedField(field_id=one, title=title, value=held.get(one, "")) for one, title in titles.items()),
    )
