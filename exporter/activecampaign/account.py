"""What an account holds, read from its answers: the key's user, lists, custom fields, limits, exclusions."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace
from typing import Final

from exporter.activecampaign.answers import UNEXPECTED, JsonObject, body_of, items, number, object_of
from exporter.activecampaign.bodies import address_key
from exporter.activecampaign.outcomes import ErrorOutcome, KeyRefused, NoAnswer, WebPage
from exporter.activecampaign.wire import PAGE, Reply


@dataclass(frozen=True, slots=True)
class User:
    """The user that the API key belongs to; `name` as they sign in, where the answer says."""

    id: int
    name: str | None = None


@dataclass(frozen=True, slots=True)
class ContactList:
    """A list. `channel` is `email` or `sms`; None when the account does not say, which means e-mail."""

    id: int
    name: str
    channel: str | None = None


@dataclass(frozen=True, slots=True)
class FieldOption:
    """A choice that a custom field offers: `value` is what is sent, `label` what people see."""

    value: str
    label: str


MULTIPLE: Final = frozenset({"checkbox", "listbox", "multiselect"})
"""The types of fields that hold several values."""
WITH_OPTIONS: Final = MULTIPLE | {"dropdown", "radio"}
"""The types of fields that take only what is among their options."""


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
    options: tuple[FieldOption, ...] | None = ()
    """Its options, in their order; None: the answer does not tell all of them."""
    lists: frozenset[int] | None = None
    """The ids of the lists that it is related to, 0 for all lists; None: unknown. A contact that is on none of them
    loses the value without a word."""

    @property
    def multiple(self) -> bool:
        """Whether it holds several values, written `||a||b||`."""
        return self.type in MULTIPLE


@dataclass(frozen=True, slots=True)
class AccountLimits:
    """How many contacts the plan allows and how many there are; None where the account does not say."""

    contact_limit: int | None = None
    contacts: int | None = None
    name: str | None = None


@dataclass(frozen=True, slots=True)
class Exclusion:
    """An entry of the e-mail exclusion list. `match_type`: "exact", "start" or "end"."""

    phrase: str = field(repr=False)  # may be an address
    match_type: str
    lists: frozenset[int] = frozenset()
    """The ids of the lists that it keeps the address from; none: from all."""

    def concerns(self, list_id: int) -> bool:
        """Whether this entry keeps addresses from a list."""
        return not self.lists or bool(self.lists & {0, list_id})

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
        return KeyRefused() if isinstance(body, WebPage) else body
    user = object_of(body.get("user"))
    user_id, name = number(user.get("id")), user.get("username")
    return KeyRefused() if user_id is None else User(user_id, name if isinstance(name, str) and name else None)


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
    """Read the answer to `fields(offset)`: the fields, with the options and relations that stand beside them.

    A field without any relation gets an empty `lists`; what that means, only all pages together tell
    (`with_known_lists`).
    """
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    options, relations = _Beside.of(body.get("fieldoptions")), _Beside.of(body.get("fieldrels"))
    return _page_of(body, offset, "fields", lambda value: _custom_field(value, options, relations))


def read_field(reply: Reply, field_id: int) -> int | ErrorOutcome:
    """Read the answer to `get_field`: the id of the field, which is there; about another one it is unexpected."""
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    found = number(object_of(body.get("field")).get("id"))
    return field_id if found == field_id else NoAnswer(UNEXPECTED)


def read_field_options_page(reply: Reply, offset: int, field_id: int) -> ListingPage[FieldOption] | ErrorOutcome:
    """Read the answer to `field_options(field_id, offset)`; an option of another field makes it unexpected."""

    def read(value: object) -> FieldOption | None:
        of_field = number(object_of(value).get("field"))
        return _field_option(value) if of_field in (None, field_id) else None

    return _read_page(reply, offset, "fieldoptions", read)


def with_known_lists(fields: Iterable[CustomField]) -> list[CustomField]:
    """Return all fields of an account, their lists unknown if no field at all names a relation.

    Recorded answers name none for any field, although a field always has some.
    """
    fields = list(fields)
    told = any(each.lists != frozenset() for each in fields)
    return fields if told else [replace(each, lists=None) for each in fields]


def read_contact_count(reply: Reply) -> int | ErrorOutcome:
    """Read how many contacts the answer to `contacts_of_list` is about: its `meta.total`, text or number."""
    body = body_of(reply)
    if not isinstance(body, dict):
        return body
    total = number(object_of(body.get("meta")).get("total"))
    return NoAnswer(UNEXPECTED) if total is None or total < 0 or "contacts" not in body else total


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


def _custom_field(value: object, options: _Beside, relations: _Beside) -> CustomField | None:
    item = object_of(value)
    field_id = number(item.get("id"))
    if field_id is None:
        return None
    kind = str(item.get("type", "")).lower()
    found = options.of_field(field_id, item.get("options"), _field_option)
    lists = relations.of_field(field_id, item.get("relations"), lambda each: number(object_of(each).get("relid")))
    return CustomField(
        field_id,
        str(item.get("title", "")),
        kind,
        str(item.get("perstag") or "").strip("%"),
        None if kind in WITH_OPTIONS and not found else found,
        None if lists is None else frozenset(lists),
    )


def _field_option(value: object) -> FieldOption | None:
    item = object_of(value)
    text, label = _scalar(item.get("value")), _scalar(item.get("label"))
    return None if text is None else FieldOption(text, text if label is None else label)


def _scalar(value: object) -> str | None:
    """Return a text or a number as text; None for anything else."""
    return str(value) if isinstance(value, str | int | float) and not isinstance(value, bool) else None


@dataclass(frozen=True, slots=True)
class _Beside:
    """What stands beside the fields of a page: options, or relations.

    Sources show two shapes: each of these names its field (`field`), or the field names their ids.
    """

    by_field: dict[int, list[JsonObject]]
    by_id: dict[int, JsonObject]

    @classmethod
    def of(cls, value: object) -> _Beside:
        """Sort a list of the answer; what has neither of the two numbers belongs to nobody."""
        beside = cls({}, {})
        for each in map(object_of, items(value)):
            field_id, own_id = number(each.get("field")), number(each.get("id"))
            if field_id is not None:
                beside.by_field.setdefault(field_id, []).append(each)
            elif own_id is not None:
                beside.by_id[own_id] = each
        return beside

    def of_field[T](self, field_id: int, named: object, read: Callable[[object], T | None]) -> tuple[T, ...] | None:
        """Return what belongs to a field, in order; None if something that does is missing or cannot be read."""
        ids = dict.fromkeys(each for each in map(number, items(named)) if each is not None)
        own = [*self.by_field.get(field_id, ()), *(self.by_id[each] for each in ids if each in self.by_id)]
        found = tuple(item for item in map(read, sorted(own, key=_order)) if item is not None)
        complete = len(found) == len(own) and ids.keys() <= {number(each.get("id")) for each in own}
        return found if complete else None


def _order(item: JsonObject) -> int:
    """Return the place among its like; what has none comes first, as listed."""
    return number(item.get("orderid")) or 0


def _exclusion(value: object) -> Exclusion | None:
    item = object_of(value)
    phrase = item.get("matchPhrase")
    if not isinstance(phrase, str):
        return None
    lists = (number(object_of(each).get("id") if isinstance(each, dict) else each) for each in items(item.get("lists")))
    return Exclusion(
        phrase, str(item.get("matchType", "exact")).lower(), frozenset(each for each in lists if each is not None)
    )


def _read_page[Item](
    reply: Reply, offset: int, name: str, read: Callable[[object], Item | None]
) -> ListingPage[Item] | ErrorOutcome:
    body = body_of(reply)
    return _page_of(body, offset, name, read) if isinstance(body, dict) else body


def _page_of[Item](
    body: JsonObject, offset: int, name: str, read: Callable[[object], Item | None]
) -> ListingPage[Item] | NoAnswer:
    """Read a page of a listing. `meta.total` is text or a number; without it, a full page means that there is more."""
    values = body.get(name)
    if not isinstance(values, list):
        return NoAnswer(UNEXPECTED)
    found = tuple(item for item in map(read, values) if item is not None)
    if len(found) < len(values):
        return NoAnswer(UNEXPECTED)
    end = offset + len(found)
    total = number(object_of(body.get("meta")).get("total"))
    more = bool(found) and (len(found) >= PAGE if total is None else end < total)
    return ListingPage(found, end if more else None)
