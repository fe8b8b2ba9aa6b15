"""Questions to an ActiveCampaign account: what it holds, asked at its turn."""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from typing import Final

from exporter.activecampaign import account, answers, outcomes, wire
from exporter.errors import Stop, Wait
from exporter.pipeline.session import Session

MAX_EXCLUSIONS = 1_000
"""Ten requests. With a longer list, some failures do not get this reason."""
_NOT_UNDERSTOOD: Final = (outcomes.NoAnswer(answers.EMPTY), outcomes.NoAnswer(answers.UNEXPECTED))


def account_limits(session: Session) -> account.AccountLimits | None:
    """Return the account's name and contact limit, or None if the key is not an administrator's."""
    try:
        return ask(session, wire.account_limits(), account.read_account, "the account's limits")
    except Stop as error:
        if error.code in ("permission_refused", "not_found"):
            return None
        raise


def ask[T](
    session: Session,
    request: wire.Request,
    read: Callable[[wire.Reply], T | outcomes.ErrorOutcome],
    what: str,
    not_found: str = "not_found",
) -> T:
    """Send a read-only request; return what was read, or raise what `outcomes.as_error` makes of the outcome."""
    value = read(session.call(request))
    if isinstance(value, outcomes.ErrorOutcome):
        if isinstance(value, outcomes.RateLimited):
            session.slow_down(value.retry_after_s)
        if isinstance(value, outcomes.KeyRefused) and request != wire.who_am_i():
            # Every check first asks whose key it is, so this is a missing permission, unless the key was replaced.
            ask(session, wire.who_am_i(), account.read_user, "the API key's user")
        raise outcomes.as_error(value, what, not_found=not_found, key_works=request != wire.who_am_i())
    return value


def _ask_for_what_may_be_unknown[T](
    session: Session, request: wire.Request, read: Callable[[wire.Reply], T | outcomes.ErrorOutcome], what: str
) -> T | None:
    """Return what was read, or None if the request is refused or its answer is not understood."""

    def read_or_none(reply: wire.Reply) -> T | outcomes.ErrorOutcome | None:
        value = read(reply)
        return None if value in _NOT_UNDERSTOOD else value

    try:
        return ask(session, request, read_or_none, what)
    except Stop:
        return None


def all_fields(session: Session) -> list[account.CustomField]:
    """Return every custom field of the account."""
    return account.with_known_lists(_pages(session, wire.fields, account.read_fields_page, "the custom fields"))


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
            f"the options of the custom field {field.id}",
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
    return _ask_for_what_may_be_unknown(session, request, account.read_contact_count, f"the size of list {list_id}")


def all_lists(session: Session) -> list[account.ContactList]:
    """Return every list that the key's user may see."""
    return list(_pages(session, wire.lists, account.read_lists_page, "the lists"))


def exclusions(session: Session) -> tuple[account.Exclusion, ...]:
    """Return the first `MAX_EXCLUSIONS` entries of the account's e-mail exclusion list; none if it cannot be read.

    The list only explains why someone was not imported, so nothing waits for it.
    """
    pages = _pages(session, wire.exclusions, account.read_exclusions_page, "the exclusion list")
    try:
        return tuple(itertools.islice(pages, MAX_EXCLUSIONS))
    except (Stop, Wait):
        return ()


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
