"""Questions to an ActiveCampaign account: what it holds, asked at its turn."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

from exporter.activecampaign import account, outcomes, wire
from exporter.errors import Stop, Wait
from exporter.pipeline.session import Session

MAX_EXCLUSIONS = 1_000
"""Ten requests. With a longer list, some failures do not get this reason."""


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


def all_fields(session: Session) -> list[account.CustomField]:
    """Return every custom field of the account."""
    return list(_pages(session, wire.fields, account.read_fields_page, "the custom fields"))


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
