"""What an account holds about single people, read from its answers: who they are, where they stand on a list, values.

ActiveCampaign ignores a filter that it does not know and then answers about everybody. So nothing is read from an
answer unless it says itself that it is about whom was asked; what does not say so is unknown.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Final

from exporter.activecampaign.answers import UNEXPECTED, JsonObject, body_of, items, number, object_of
from exporter.activecampaign.bodies import address_key
from exporter.activecampaign.outcomes import ErrorOutcome, NoAnswer
from exporter.activecampaign.wire import PAGE, Reply


class Standing(StrEnum):
    """How a person stands on a list."""

    ON_THE_LIST = "onTheList"
    UNSUBSCRIBED = "unsubscribed"
    BOUNCED = "bounced"
    UNCONFIRMED = "unconfirmed"  # on the list, but mail waits for an opt-in
    NOT_ON_THE_LIST = "notOnTheList"  # a contact, which this list does not have
    NOT_THERE = "notThere"  # no contact has the address
    UNKNOWN = "unknown"  # no answer was clearly about this person


STATUS_UNSUBSCRIBED: Final = 2
STATUS_BOUNCED: Final = 3
_STANDINGS: Final = {
    0: Standing.UNCONFIRMED,
    1: Standing.ON_THE_LIST,
    STATUS_UNSUBSCRIBED: Standing.UNSUBSCRIBED,
    STATUS_BOUNCED: Standing.BOUNCED,
}
"""By the status that ActiveCampaign gives a contact on a list; any other means that the list does not have it."""
_MEMBERS: Final = {"first_name": "firstName", "last_name": "lastName", "phone": "phone"}
"""What a bulk import calls differently."""


@dataclass(frozen=True, slots=True)
class Person:
    """What ActiveCampaign has of one address: `standing` on the list that was asked for, and its values.

    `members`: `first_name`, `last_name` and `phone` as far as told; `fields`: text by the id of the custom field, None
    where nothing is told about custom fields. `contact_id` is None if there is no such contact, or it is unknown.
    """

    standing: Standing
    contact_id: int | None = None
    members: Mapping[str, str] = field(default_factory=dict, repr=False)
    fields: Mapping[int, str] | None = field(default=None, repr=False)

    def holds(self, sent: Mapping[str, object]) -> bool | None:
        """Return whether it has the values of a contact of a bulk import; None if that is unknown."""
        members = {name: sent[name] for name in _MEMBERS if name in sent}
        fields = {each["id"]: each["value"] for each in map(object_of, items(sent.get("fields")))}
        if self.contact_id is None or not members.keys() <= self.members.keys() or (fields and self.fields is None):
            return None
        held = self.fields or {}
        return all(same_value(str(value), self.members[name]) for name, value in members.items()) and all(
            same_value(str(value), held.get(field_id, "")) for field_id, value in fields.items()
        )


UNKNOWN: Final = Person(Standing.UNKNOWN)


def same_value(sent: str, held: str) -> bool:
    """Return whether a value is what was sent, as far as ActiveCampaign writes it differently.

    It trims, turns times into the account's zone, reorders several values, and shows none of several as `||`.
    """
    sent, held = sent.strip(), held.strip()
    return sent == held or any(
        one is not None and one == other for one, other in ((read(sent), read(held)) for read in _READINGS)
    )


def has_value(fields: Mapping[int, str], field_id: int) -> bool:
    """Return whether a contact with these values, text by field id, has one of this field."""
    return not same_value("", fields.get(field_id, ""))


def _several(text: str) -> frozenset[str] | None:
    return frozenset(filter(None, text.split("||"))) if "||" in text or not text else None


def _number(text: str) -> Decimal | None:
    try:
        value = Decimal(text)
    except InvalidOperation:
        return None
    return value if value.is_finite() else None


def _time(text: str) -> datetime | None:
    try:
        value = datetime.fromisoformat(text)
    except ValueError:
        return None
    return value if value.tzinfo else None


_READINGS: Final[tuple[Callable[[str], object], ...]] = (_several, _number, _time)


def read_person(reply: Reply, email: str, list_id: int) -> Person | ErrorOutcome:
    """Read the answer to `contact_by_address(email)`.

    Nobody at all in it means that there is no such contact; somebody else only, that the filter was ignored. Where it
    says nothing about the list, the standing is `UNKNOWN` with a `contact_id`: ask `lists_of_contact`.
    """
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    contacts = body.get("contacts")
    if not isinstance(contacts, list):
        return NoAnswer(UNEXPECTED)
    if not contacts:
        return UNKNOWN if number(object_of(body.get("meta")).get("total")) else Person(Standing.NOT_THERE)
    same = [each for each in map(object_of, contacts) if address_key(str(each.get("email"))) == address_key(email)]
    ids = {number(each.get("id")) for each in same}
    contact_id = ids.pop() if len(ids) == 1 else None
    if contact_id is None:
        return UNKNOWN
    members = {name: str(same[0][theirs] or "") for name, theirs in _MEMBERS.items() if theirs in same[0]}
    standing = _standing(body, contact_id, list_id) or Standing.UNKNOWN
    return Person(standing, contact_id, members, _values_beside(body, same[0], contact_id))


def read_standing(reply: Reply, contact_id: int, list_id: int) -> Standing | ErrorOutcome:
    """Read the answer to `lists_of_contact(contact_id)`; `UNKNOWN` if it is about another contact too."""
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    if _about_others(body.get("contactlists"), contact_id):
        return Standing.UNKNOWN
    return _standing(body, contact_id, list_id) or Standing.NOT_ON_THE_LIST


def read_values(reply: Reply, contact_id: int) -> Mapping[int, str] | ErrorOutcome | None:
    """Read the answer to `values_of_contact(contact_id)`: text by field id; None if it is about another contact too."""
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    values = body.get("fieldvalues")
    if _about_others(values, contact_id) or len(items(values)) >= PAGE:  # there may be more
        return None
    return _values(values, contact_id)


def read_active_count(reply: Reply, list_id: int) -> int | ErrorOutcome | None:
    """Read the answer to `active_of_list`: how many there are; None unless its contact is on that list.

    A filter that is ignored would count everybody.
    """
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    contacts, total = body.get("contacts"), number(object_of(body.get("meta")).get("total"))
    if not isinstance(contacts, list) or total is None:
        return NoAnswer(UNEXPECTED)
    if not contacts:
        return 0 if total == 0 else None
    contact_id = number(object_of(contacts[0]).get("id"))
    on_it = contact_id is not None and _standing(body, contact_id, list_id) is Standing.ON_THE_LIST
    return total if on_it else None


@dataclass(frozen=True, slots=True)
class StatusPage:
    """A page of `contacts_with_status`: the addresses that have the status, and the id to go on from; None: the end."""

    addresses: tuple[str, ...] = field(repr=False)
    next_after: int | None


def read_status_page(reply: Reply, list_id: int, status: int, after_id: int) -> StatusPage | ErrorOutcome | None:
    """Read the answer to `contacts_with_status`; None if it does not say that it is about that list and status.

    Those in it of another status are left out: whoever has it says so beside the contacts. An answer that says nothing
    of the kind, or goes on from another place, shows that a filter or the inclusion was ignored.
    """
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    contacts = body.get("contacts")
    if not isinstance(contacts, list):
        return NoAnswer(UNEXPECTED)
    if not contacts:
        return StatusPage((), None)
    found = []
    ids = [number(object_of(each).get("id")) for each in contacts]
    known = [each for each in ids if each is not None]
    if len(known) < len(ids) or known != sorted(set(known)) or known[0] <= after_id:
        return None
    for contact_id, contact in zip(known, contacts, strict=True):
        if _standing(body, contact_id, list_id) is not _STANDINGS[status]:
            return None
        found.append(str(object_of(contact).get("email")))
    return StatusPage(tuple(found), known[-1])


def _standing(body: JsonObject, contact_id: int, list_id: int) -> Standing | None:
    """Return what the memberships in an answer say of a contact and a list; None: nothing."""
    for each in map(object_of, items(body.get("contactlists"))):
        if (number(each.get("contact")), number(each.get("list"))) == (contact_id, list_id):
            status = number(each.get("status"))
            return Standing.NOT_ON_THE_LIST if status is None else _STANDINGS.get(status, Standing.NOT_ON_THE_LIST)
    return None


def _about_others(value: object, contact_id: int) -> bool:
    """Return whether a list of an answer is none, or holds something of another contact."""
    return not isinstance(value, list) or any(number(object_of(each).get("contact")) != contact_id for each in value)


def _values_beside(body: JsonObject, contact: JsonObject, contact_id: int) -> Mapping[int, str] | None:
    """Return the values that stand beside a contact; None unless the answer tells of all that the contact names."""
    values, named = body.get("fieldvalues"), contact.get("fieldValues")
    if not isinstance(values, list) or not isinstance(named, list):
        return None
    beside = {
        number(object_of(each).get("id")) for each in values if number(object_of(each).get("contact")) == contact_id
    }
    return _values(values, contact_id) if set(map(number, named)) <= beside else None


def _values(values: object, contact_id: int) -> dict[int, str]:
    found = {}
    for each in map(object_of, items(values)):
        field_id = number(each.get("field"))
        if field_id is not None and number(each.get("contact")) == contact_id:
            found[field_id] = str(each.get("value") or "")
    return found
