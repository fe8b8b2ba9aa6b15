"""Everybody whom the account knows: contacts by e-mail address, the lists they are on, and who may not be added."""

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from sandbox.activecampaign.contacts import (
    BOUNCED,
    SUBSCRIBED,
    UNSUBSCRIBED,
    Contact,
    SentContact,
    SentField,
    is_deliverable,
    list_ids,
)
from sandbox.activecampaign.shapes import FIELDS, LISTS, ContactList, CustomField
from sandbox.activecampaign.switches import Switches
from sandbox.activecampaign.values import fits

Refusal = Literal[
    "invalid_email",
    "excluded",
    "bounced",
    "unsubscribed",
    "unknown_list",
    "unknown_field",
    "unfit_value",
    "over_contact_limit",
]
MatchType = Literal["exact", "start", "end"]

_MATCHES: Final[dict[MatchType, Callable[[str, str], bool]]] = {
    "exact": str.__eq__,
    "start": str.startswith,
    "end": str.endswith,
}


@dataclass(slots=True)
class Audience:
    """The contacts and lists of an account. E-mail addresses that differ in case only are one contact."""

    contact_limit: int = 2_000_000
    lists: dict[int, ContactList] = field(default_factory=lambda: {each.id: each for each in LISTS})
    custom_fields: dict[int, CustomField] = field(default_factory=lambda: {each.id: each for each in FIELDS})
    exclusions: list[tuple[str, MatchType]] = field(default_factory=list)
    bounced: set[str] = field(default_factory=set)
    tags: set[str] = field(default_factory=set)
    automation_runs: int = 0
    _by_email: dict[str, Contact] = field(default_factory=dict)  # the address in lower case
    _by_id: list[Contact] = field(default_factory=list)  # id n at n - 1: ids are never given twice
    _archived: set[int] = field(default_factory=set)  # ids
    _shared: dict[Hashable, Any] = field(default_factory=dict)  # one copy of a value that many contacts have

    def __len__(self) -> int:
        """Count the contacts, whatever their status: so do plans of accounts created since November 2025."""
        return len(self._by_id) - len(self._archived)

    def contacts(self) -> list[Contact]:
        """Return all contacts, by id."""
        return [each for each in self._by_id if each.id not in self._archived] if self._archived else list(self._by_id)

    def find(self, email: str) -> Contact | None:
        """Return the contact with this address, in any case."""
        return self._by_email.get(email.lower())

    def contact(self, contact_id: int) -> Contact | None:
        """Return the contact with this id."""
        known = 1 <= contact_id <= len(self._by_id) and contact_id not in self._archived
        return self._by_id[contact_id - 1] if known else None

    def archive(self, email: str) -> None:
        """Take a contact out of everything that can be asked. An import of the address makes a new one, with a new id.

        What the old one had, and what it had left, is not remembered.
        """
        if contact := self._by_email.pop(email.lower(), None):
            self._archived.add(contact.id)

    def find_or_create(self, email: str, now: float) -> Contact:
        """Return the contact with this address, a new one if need be."""
        key = email.lower()
        contact = self._by_email.get(key)
        if contact is None:
            contact = Contact(len(self._by_id) + 1, key if key == email else email, now, now)
            self._by_email[key] = contact
            self._by_id.append(contact)
        return contact

    def refusal(self, sent: SentContact, switches: Switches) -> Refusal | None:
        """Return why an import skips this contact as a whole, or None."""
        email = sent["email"]
        contact = self.find(email)
        lists = list_ids(sent.get("subscribe", ()))
        if not is_deliverable(email):
            return "invalid_email"
        if email.lower() in self.bounced:
            return "bounced"
        if switches.unsubscribed != "update" and contact and _has_left_any(contact, lists):
            return "unsubscribed"
        if switches.unknown_list == "failure" and not self.lists.keys() >= set(lists):
            return "unknown_list"
        if switches.unknown_field == "failure" and self.unknown_field(sent):
            return "unknown_field"
        if switches.unfit_values == "refuse" and not all(map(self._fits, sent.get("fields", ()))):
            return "unfit_value"
        if contact is None and len(self) >= self.contact_limit and switches.over_contact_limit == "failure":
            return "over_contact_limit"
        return None

    def has_left(self, sent: SentContact) -> bool:
        """Tell whether somebody has left a list that an import would put them on."""
        contact = self.find(sent["email"])
        return contact is not None and _has_left_any(contact, list_ids(sent.get("subscribe", ())))

    def write(self, contact: Contact, sent: SentContact, now: float, switches: Switches) -> None:
        """Write the members that are present: absent ones keep what is there, empty ones erase it.

        Nobody is subscribed to a list that they have left. Unknown lists and custom fields are ignored, as are values
        of fields that are not related to any list of the contact, and by switch those that do not fit their field.
        """
        contact.first_name = self._share(sent.get("first_name", contact.first_name))
        contact.last_name = self._share(sent.get("last_name", contact.last_name))
        contact.phone = sent.get("phone", contact.phone)
        contact.customer_acct_name = self._share(sent.get("customer_acct_name", contact.customer_acct_name))
        if tags := sent.get("tags"):
            self.tags.update(tags)
            contact.tags = self._share(tuple(dict.fromkeys((*contact.tags, *tags))))
        if joins := sent.get("subscribe"):
            statuses = contact.statuses()
            open_lists = [each for each in list_ids(joins) if statuses.get(each) != UNSUBSCRIBED]
            self.set_status(contact, open_lists, SUBSCRIBED)
        if leaves := sent.get("unsubscribe"):
            self.set_status(contact, list_ids(leaves), UNSUBSCRIBED)
        if values := sent.get("fields"):
            on = {0, *contact.statuses()}
            related = [each for each in values if on.intersection(self._lists_of(each))]
            taken = related if switches.unfit_values == "store" else filter(self._fits, related)
            keep = switches.empty_text == "keep"
            contact.set_fields({each["id"]: each["value"] for each in taken if each["value"] or not keep})
        contact.updated_at = now

    def set_status(self, contact: Contact, lists: Iterable[int], status: int) -> None:
        """Set the status of a contact on lists, without any rule; unknown lists are ignored."""
        known = {each: status for each in lists if each in self.lists}
        if known:
            contact.lists = self._share(tuple({**contact.statuses(), **known}.items()))

    def run_automations(self, contact: Contact) -> None:
        """Count that automations would have run for the contact."""
        contact.automation_runs += 1
        self.automation_runs += 1

    def is_excluded(self, email: str) -> bool:
        """Tell whether the exclusion list matches the address."""
        lower = email.lower()
        return any(_MATCHES[match](lower, phrase.lower()) for phrase, match in self.exclusions)

    def bounce(self, email: str) -> None:
        """Let mail to the address come back: it leaves its lists, and imports refuse it."""
        self.bounced.add(email.lower())
        if contact := self.find(email):
            self.set_status(contact, contact.statuses(), BOUNCED)

    def delete_list(self, list_id: int) -> None:
        """Remove a list, and everybody from it."""
        self.lists.pop(list_id, None)
        for contact in self._by_id:
            contact.lists = self._share(tuple(each for each in contact.lists if each[0] != list_id))

    def unknown_list(self, sent: SentContact) -> bool:
        """Whether a contact is to join a list that is not there."""
        return not self.lists.keys() >= set(list_ids(sent.get("subscribe", ())))

    def unknown_field(self, sent: SentContact) -> bool:
        """Whether a contact has a value for a field that is not there."""
        return any(each["id"] not in self.custom_fields for each in sent.get("fields", ()))

    def _lists_of(self, sent: SentField) -> Sequence[int]:
        """Return the lists that a field is related to; an unknown field is related to none."""
        field = self.custom_fields.get(sent["id"])
        return field.lists if field else ()

    def _fits(self, sent: SentField) -> bool:
        field = self.custom_fields.get(sent["id"])
        return field is None or fits(sent["value"], field.type, field.options)

    def _share[T: Hashable](self, value: T) -> T:
        shared: T = self._shared.setdefault(value, value)
        return shared


def _has_left_any(contact: Contact, lists: Iterable[int]) -> bool:
    statuses = contact.statuses()
    return any(statuses.get(each) == UNSUBSCRIBED for each in lists)
