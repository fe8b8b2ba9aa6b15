"""Contacts as sent, with the two rules that a bulk import applies to them, and contacts as stored."""

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Required, TypedDict

UNCONFIRMED: Final = 0
SUBSCRIBED: Final = 1
UNSUBSCRIBED: Final = 2
BOUNCED: Final = 3
STATUSES: Final = {UNCONFIRMED: "unconfirmed", SUBSCRIBED: "active", UNSUBSCRIBED: "unsubscribed", BOUNCED: "bounced"}

# One @ with something on both sides, and none of the characters that the bulk import page rules out.
_LOOSE: Final = re.compile(r'[^\x00-\x20\x7f"(),:;<>@\[\\\]]+@[^\x00-\x20\x7f"(),:;<>@\[\\\]]+')
# "." in the domain, at least two letters after it, no special characters; no apostrophe, by the example of failures.
_LABEL: Final = "[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
_STRICT: Final = re.compile(rf"[A-Za-z0-9.!#$%&*+/=?^_`{{|}}~-]+@(?:{_LABEL}\.)+[A-Za-z]{{2,}}")
_MAX_EMAIL_LENGTH: Final = 254  # RFC 5321 4.5.3.1.3; nothing is known of the original

_TEXT_MEMBERS: Final = ("first_name", "last_name", "phone", "customer_acct_name")


class SentField(TypedDict):
    """A custom field value of a contact; multi-value fields hold `||a||b||`."""

    id: int
    value: str


class ListReference(TypedDict):
    """A list to join or to leave: a number by every example, text by the schema; both are met."""

    listid: int | str


class SentContact(TypedDict, total=False):
    """The members that a bulk import knows. Others, names in camelCase included, are dropped without a word."""

    email: Required[str]
    first_name: str
    last_name: str
    phone: str
    customer_acct_name: str
    tags: list[str]
    fields: list[SentField]
    subscribe: list[ListReference]
    unsubscribe: list[ListReference]
    exclude_automations: bool


def first_fault(contact: object) -> tuple[str, str] | None:
    """Apply the loose rule, that of the POST: return (member, what is wrong with it), or None for a SentContact.

    Beyond the e-mail address it holds a contact to the documented types.
    """
    if not isinstance(contact, dict):
        return "contact", "incorrect format"
    if not contact.get("email"):
        return "email", "not found"
    wrong = (member for member, rule in _MEMBERS.items() if member in contact and not rule(contact[member]))
    member = next(wrong, None)
    return (member, "incorrect format") if member else None


def is_deliverable(email: str) -> bool:
    """Apply the strict rule, that of the processing."""
    return len(email) <= _MAX_EMAIL_LENGTH and _STRICT.fullmatch(email) is not None


def list_ids(references: Iterable[ListReference]) -> list[int]:
    """Return the ids of the lists in `subscribe` or `unsubscribe`."""
    return [int(each["listid"]) for each in references]


@dataclass(slots=True)
class Contact:
    """A stored contact, kept compact: a million must fit in memory. Times in epoch seconds."""

    id: int
    email: str
    created_at: float
    updated_at: float
    first_name: str = ""
    last_name: str = ""
    phone: str = ""
    customer_acct_name: str = ""
    fields: tuple[int | str, ...] = ()  # id, value, id, value and so on: half the memory of a dict
    lists: tuple[tuple[int, int], ...] = ()  # (list id, status)
    tags: tuple[str, ...] = ()
    automation_runs: int = 0

    def field_values(self) -> dict[int, str]:
        """Return custom field id -> value."""
        return dict(zip(self.fields[::2], self.fields[1::2], strict=True))  # type: ignore[arg-type]  # pairs, flattened

    def set_fields(self, values: Mapping[int, str]) -> None:
        """Write custom fields; an empty value erases one."""
        merged = {**self.field_values(), **values}
        self.fields = tuple(part for number, value in merged.items() if value for part in (number, value))

    def statuses(self) -> dict[int, int]:
        """Return list id -> status."""
        return dict(self.lists)

    def as_json(self) -> dict[str, Any]:
        """Return the contact with text as the keys of `fields` and `lists`."""
        return {
            **asdict(self),
            "fields": {str(number): value for number, value in self.field_values().items()},
            "lists": {str(number): status for number, status in self.lists},
            "tags": list(self.tags),
        }


def _is_email(value: object) -> bool:
    return isinstance(value, str) and _LOOSE.fullmatch(value) is not None


def _is_text(value: object) -> bool:
    return isinstance(value, str)


def _is_field(value: object) -> bool:
    return isinstance(value, dict) and type(value.get("id")) is int and isinstance(value.get("value"), str)


def _is_list_reference(value: object) -> bool:
    number = value.get("listid") if isinstance(value, dict) else None
    return type(number) is int or (isinstance(number, str) and number.isdecimal())


def _is_list_of(rule: Callable[[object], bool]) -> Callable[[object], bool]:
    return lambda value: isinstance(value, list) and all(map(rule, value))


_MEMBERS: Final[Mapping[str, Callable[[object], bool]]] = {
    "email": _is_email,
    **dict.fromkeys(_TEXT_MEMBERS, _is_text),
    "tags": _is_list_of(_is_text),
    "fields": _is_list_of(_is_field),
    "subscribe": _is_list_of(_is_list_reference),
    "unsubscribe": _is_list_of(_is_list_reference),
}
