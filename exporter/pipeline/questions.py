"""Questions to an ActiveCampaign account: what it holds, asked at its turn."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Final

from exporter.activecampaign import account, answers, outcomes, people, wire
from exporter.activecampaign.people import Standing
from exporter.errors import ExporterError, Stop
from exporter.pipeline.session import Session

MAX_EXCLUSIONS = 1_000
"""Ten requests. With a longer list, some failures do not get this reason."""
FEW_S = 60.0
"""How long a few people are looked up while somebody waits for it; whoever is left then is unknown."""
_NOT_UNDERSTOOD: Final = (outcomes.NoAnswer(answers.EMPTY), outcomes.NoAnswer(answers.UNEXPECTED), outcomes.WebPage())


def account_limits(session: Session) -> account.AccountLimits | None:
    """Return the account's name and contact limit, or None if the key is not an administrator's."""
    try:
        return ask(session, wire.account_limits(), account.read_account, "account_limits")
    except Stop as error:
        if error.code in ("permission_refused", "not_found"):
            return None
        raise


def contact_list(session: Session, list_id: int) -> account.ContactList:
    """Return the list. Raises what `ask` raises, and `Stop` ("list_not_found")."""
    request = wire.get_list(list_id)
    return ask(session, request, account.read_list, "list", not_found="list_not_found", listId=list_id)


def ask[T](
    session: Session,
    request: wire.Request,
    read: Callable[[wire.Reply], T | outcomes.ErrorOutcome],
    what: str,
    not_found: str = "not_found",
    **about: int,
) -> T:
    """Send a read-only request; return what was read, or raise what `outcomes.as_error` makes of the outcome.

    `what` is one of `sentences.WORDS["asked"]`; `about`: the ids that it names.
    """
    value = read(session.call(request))
    if isinstance(value, outcomes.ErrorOutcome):
        if isinstance(value, outcomes.RateLimited):
            session.slow_down(value.retry_after_s)
        if isinstance(value, outcomes.KeyRefused | outcomes.WebPage) and request != wire.who_am_i():
            # Every check first asks whose key it is, so this is a missing permission, unless the key was replaced.
            ask(session, wire.who_am_i(), account.read_user, "user")
        key_works = request != wire.who_am_i()
        raise outcomes.as_error(value, what, session.host, not_found=not_found, key_works=key_works, **about)
    return value


def _ask_for_what_may_be_unknown[T](
    session: Session,
    request: wire.Request,
    read: Callable[[wire.Reply], T | outcomes.ErrorOutcome | None],
    what: str,
    **about: int,
) -> T | None:
    """Return what was read, or None if the request is refused or its answer is not understood."""

    def read_or_none(reply: wire.Reply) -> T | outcomes.ErrorOutcome | None:
        value = read(reply)
        return None if value in _NOT_UNDERSTOOD else value

    try:
        return ask(session, request, read_or_none, what, "not_found", **about)
    except Stop:
        return None


def all_fields(session: Session) -> list[account.CustomField]:
    """Return every custom field of the account."""
    return account.with_known_lists(_pages(session, wire.fields, account.read_fields_page, "fields"))


def has_field(session: Session, field_id: int) -> bool:
    """Return whether the account has a custom field, asked for by its id. Raises what `ask` raises for the rest."""
    read = functools.partial(account.read_field, field_id=field_id)
    try:
        ask(session, wire.get_field(field_id), read, "field", fieldId=field_id)
    except Stop as error:
        if error.code == "not_found":
            return False
        raise
    return True


def field_options(session: Session, field: account.CustomField) -> tuple[account.FieldOption, ...] | None:
    """Return all options of a custom field, asking for them if the field's own are not complete; None if unknown.

    They are unknown if the key may not ask, or the answer is not understood. Raises the `Wait` of `ask`.
    """
    if field.options is not None:
        return field.options
    options: dict[account.FieldOption, None] = {}
    offset: int | None = 0
    while offset is not None:
        page = _ask_for_what_may_be_unknown(
            session,
            wire.field_options(field.id, offset),
            functools.partial(account.read_field_options_page, offset=offset, field_id=field.id),
            "field_options",
            fieldId=field.id,
        )
        if page is None:
            return None
        known = len(options)
        options.update(dict.fromkeys(page.items))
        # A server that knows no offset tells the same again and again.
        offset = page.next_offset if len(options) > known else None
    return tuple(options)


def list_size(session: Session, list_id: int) -> int | None:
    """Return how many contacts a list has, of whatever status; None if unknown.

    It is an upper bound: ActiveCampaign ignores a filter that it does not know, and then counts everybody. It is
    unknown if the key may not ask, or the answer does not say. Raises the `Wait` of `ask`.
    """
    request = wire.contacts_of_list(list_id)
    return _ask_for_what_may_be_unknown(session, request, account.read_contact_count, "list_size", listId=list_id)


def list_active(session: Session, list_id: int) -> int | None:
    """Return how many active contacts a list has; None if the answer is not clearly about that.

    Raises the `Wait` of `ask`.
    """
    read = functools.partial(people.read_active_count, list_id=list_id)
    return _ask_for_what_may_be_unknown(session, wire.active_of_list(list_id), read, "list_size", listId=list_id)


def all_lists(session: Session) -> list[account.ContactList]:
    """Return every list that the key's user may see."""
    return list(_pages(session, wire.lists, account.read_lists_page, "lists"))


def exclusions(session: Session, list_id: int) -> tuple[account.Exclusion, ...]:
    """Return those that concern a list, of the first `MAX_EXCLUSIONS` entries of the account's e-mail exclusion list.

    None if the key may not ask.

    Raises the `Wait` of `ask`: no answer does not mean that nobody is excluded.
    """
    pages = _pages(session, wire.exclusions, account.read_exclusions_page, "exclusions")
    try:
        return tuple(each for each in itertools.islice(pages, MAX_EXCLUSIONS) if each.concerns(list_id))
    except Stop:
        return ()


def person(session: Session, email: str, list_id: int, *, values: bool = True) -> people.Person:
    """Look one address up: whether ActiveCampaign has it, where it stands on a list, and its values if asked for.

    One request, and two more for what its answer lacks. What is refused, or not clearly about this address, is unknown.
    Raises the `Wait` of `ask`.
    """
    what = "person"

    def read(reply: wire.Reply) -> people.Person | outcomes.ErrorOutcome:
        return people.read_person(reply, email, list_id)

    found = _ask_for_what_may_be_unknown(session, wire.contact_by_address(email), read, what) or people.UNKNOWN
    contact_id = found.contact_id
    if contact_id is None:
        return found
    if found.standing is Standing.UNKNOWN:
        read_standing = functools.partial(people.read_standing, contact_id=contact_id, list_id=list_id)
        standing = _ask_for_what_may_be_unknown(session, wire.lists_of_contact(contact_id), read_standing, what)
        found = replace(found, standing=standing or Standing.UNKNOWN)
    if values and found.fields is None:
        read_values = functools.partial(people.read_values, contact_id=contact_id)
        fields = _ask_for_what_may_be_unknown(session, wire.values_of_contact(contact_id), read_values, what)
        found = replace(found, fields=fields)
    return found


def few_people(session: Session, addresses: Iterable[str], list_id: int) -> Iterator[people.Person]:
    """Yield what ActiveCampaign has of each address; after no answer, or after `FEW_S`, the rest are unknown."""
    until = session.services.clock.now() + FEW_S
    silent = False
    for address in addresses:
        seen = people.UNKNOWN
        if not silent and session.services.clock.now() < until:
            try:
                seen = person(session, address, list_id)
            except ExporterError:
                silent = True
        yield seen


def status_page(session: Session, list_id: int, status: int, after_id: int) -> people.StatusPage | None:
    """Return a page of those who have a status on a list; None if the answer is not clearly about them.

    Raises the `Wait` of `ask`, also for an answer that is garbled: the next one may not be.
    """
    read = functools.partial(people.read_status_page, list_id=list_id, status=status, after_id=after_id)
    try:
        return ask(
            session, wire.contacts_with_status(list_id, status, after_id), read, "people_of_list", listId=list_id
        )
    except Stop:
        return None


def ask_page[T](
    session: Session,
    request: Callable[[int], wire.Request],
    read: Callable[[wire.Reply, int], account.ListingPage[T] | outcomes.ErrorOutcome],
    what: str,
    offset: int = 0,
) -> account.ListingPage[T]:
    """Return a page of a listing. Raises what `ask` raises."""
    return ask(session, request(offset), lambda reply: read(reply, offset), what)


def _pages[T](
    session: Session,
    request: Callable[[int], wire.Request],
    read: Callable[[wire.Reply, int], account.ListingPage[T] | outcomes.ErrorOutcome],
    what: str,
) -> Iterator[T]:
    offset: int | None = 0
    while offset is not None:
        page = ask_page(session, request, read, what, offset)
        yield from page.items
        offset = page.next_offset
