"""What an account holds, read from its answers: the key's user, lists, custom fields, limits, exclusions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from exporter.activecampaign.answers import UNEXPECTED, body_of, number, object_of
from exporter.activecampaign.bodies import address_key
from exporter.activecampaign.outcomes import ErrorOutcome, KeyRefused, NoAnswer
from exporter.activecampaign.wire import PAGE, Reply


@dataclass(frozen=True, slots=True)
class User:
    """The user that the API key belongs to."""

    id: int


@dataclass(frozen=True, slots=True)
class ContactList:
    """A list. `channel` is `email` or `sms`; None when the account does not say, which means e-mail."""

    id: int
    name: str
    channel: str | None


@dataclass(frozen=True, slots=True)
class CustomField:
    """A custom field of contacts.

    https://developers.activecampaign.com/reference/retrieve-fields
    """

    id: int
    title: str
    type: str
    tag: str
    """The personalization tag, without percent signs; may be empty."""

    @property
    def multiple(self) -> bool:
        """Whether it holds several values, written `||a||b||`."""
        return self.type in {"checkbox", "listbox", "multiselect"}


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """How many contacts the plan allows and how many there are; None where the account does not say."""

    contact_limit: int | None
    contacts: int | None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An entry of the e-mail exclusion list. `match_type`: "exact", "start" or "end"."""

    phrase: str = field(repr=False)  # may be an address
    match_type: str

    def matches(self, address: str) -> bool:
        """Whether this entry excludes the address. An unknown type is treated as "exact", the narrowest."""
        key, phrase = address_key(address), address_key(self.phrase)
        match self.match_type:
            case "start":
                return key.startswith(phrase)
            case "end":
                return key.endswith(phrase)
            case _:
                return key == phrase


@dataclass(frozen=True, slots=True)
class ListingPage[Item]:
    """A page of a listing; `next_offset` is None on the last one."""

    items: tuple[Item, ...]
    next_offset: int | None


def read_user(reply: Reply) -> User | ErrorOutcome:
    """Read the answer to `who_am_i`. Without a user in it, the key does not work, whatever the status."""
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    user_id = number(object_of(body.get("user")).get("id"))
    return KeyRefused() if user_id is None else User(user_id)


def read_list(reply: Reply) -> ContactList | ErrorOutcome:
    """Read the answer to `get_list`."""
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    return _contact_list(body.get("list")) or NoAnswer(UNEXPECTED)


def read_lists_page(reply: Reply, offset: int) -> ListingPage[ContactList] | ErrorOutcome:
    """Read the answer to `lists(offset)`."""
    return _read_page(reply, offset, "lists", _contact_list)


def read_fields_page(reply: Reply, offset: int) -> ListingPage[CustomField] | ErrorOutcome:
    """Read the answer to `fields(offset)`."""
    return _read_page(reply, offset, "fields", _custom_field)


def read_exclusions_page(reply: Reply, offset: int) -> ListingPage[Exclusion] | ErrorOutcome:
    """Read the answer to `exclusions(offset)`."""
    return _read_page(reply, offset, "exclusions", _exclusion)


def read_account(reply: Reply) -> AccountLimits | ErrorOutcome:
    """Read the answer to `account_limits`; only administrators' keys may ask."""
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    if not {"subscriber_limit", "subscriber_total"} & body.keys():
        return NoAnswer(UNEXPECTED)
    name = body.get("account")
    return AccountLimits(
        number(body.get("subscriber_limit")),
        number(body.get("subscriber_total")),
        name if isinstance(name, str) and name else None,
    )


def _contact_list(value: object) -> ContactList | None:
    item = object_of(value)
    list_id, channel = number(item.get("id")), item.get("channel")
    if list_id is None:
        return None
    return ContactList(list_id, str(item.get("name", "")), str(channel).lower() if channel else None)


def _custom_field(value: object) -> CustomField | None:
    item = object_of(value)
    field_id = number(item.get("id"))
    if field_id is None:
        return None
    return CustomField(
        field_id,
        str(item.get("title", "")),
        str(item.get("type", "")).lower(),
        str(item.get("perstag") or "").strip("%"),
    )


def _exclusion(value: object) -> Exclusion | None:
    item = object_of(value)
    phrase = item.get("matchPhrase")
    return Exclusion(phrase, str(item.get("matchType", "exact")).lower()) if isinstance(phrase, str) else None


def _read_page[Item](
    reply: Reply, offset: int, name: str, read: Callable[[object], Item | None]
) -> ListingPage[Item] | ErrorOutcome:
    """Read a page of a listing. `meta.total` is text or a number; without it, a full page means that there is more."""
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    values = body.get(name)
    if not isinstance(values, list):
        return NoAnswer(UNEXPECTED)
    items = tuple(item for item in map(read, values) if item is not None)
    if len(items) < len(values):
        return NoAnswer(UNEXPECTED)
    end = offset + len(items)
    total = number(object_of(body.get("meta")).get("total"))
    more = bool(items) and (len(items) >= PAGE if total is None else end < total)
    return ListingPage(items, end if more else None)
