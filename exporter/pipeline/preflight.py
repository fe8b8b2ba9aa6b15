"""Check the account before the first contact is sent: the key works, the list and the mapped fields exist."""

from __future__ import annotations

import difflib
import functools
import itertools
from collections.abc import Callable, Iterator

from exporter.activecampaign import answers, wire
from exporter.contacts import FieldMapping
from exporter.errors import Stop, Wait
from exporter.exports import ExportDefinition
from exporter.pipeline.account import AccountCalls

MAX_EXCLUSIONS = 1_000
"""Ten requests; a longer list leaves some failures without this reason."""


def check(calls: AccountCalls, export: ExportDefinition) -> tuple[FieldMapping, ...]:
    """Check that the export can work; return its mapped custom fields with their numeric ids.

    Raises what `answers.as_error` makes of ActiveCampaign's answer, and `Stop` ("list_not_found", "list_not_email",
    "field_not_found", "field_mapped_twice").
    """
    ask(calls, wire.who_am_i(), answers.read_user, "the API key's user")
    found = ask(
        calls,
        wire.get_list(export.list_id),
        answers.read_list,
        f"list {export.list_id}",
        not_found="list_not_found",
    )
    if found.channel not in (None, "email"):
        raise Stop(
            "list_not_email",
            f"Expected list {export.list_id} to be for e-mail; it is for {found.channel}. Choose another.",
        )
    if not export.data_matching.fields:
        return ()
    return resolve_fields(export, all_fields(calls))


def test_connection(calls: AccountCalls) -> str | None:
    """Check that the key works and may see lists and custom fields, which exports need.

    Returns the account's own name, None where ActiveCampaign does not tell. Raises what `ask` raises.
    """
    ask(calls, wire.who_am_i(), answers.read_user, "the API key's user")
    ask(calls, wire.lists(), functools.partial(_read_at, answers.read_lists_page, 0), "the lists")
    ask(calls, wire.fields(), functools.partial(_read_at, answers.read_fields_page, 0), "the custom fields")
    limits = account_limits(calls)
    return limits.account if limits else None


def account_limits(calls: AccountCalls) -> answers.AccountLimits | None:
    """Return name and contact limit of the account, or None: only keys of administrators may ask."""
    try:
        return ask(calls, wire.account_limits(), answers.read_account, "the account's limits")
    except Stop as error:
        if error.code in ("permission_refused", "not_found"):
            return None
        raise


def check_contact_limit(limits: answers.AccountLimits | None, contacts: int, known: int) -> None:
    """Hold a run that could bring the account over the contact limit of its plan.

    Over it, campaigns may stop, and ActiveCampaign's pages disagree on whether contacts are still added.
    `known`: how many of the contacts the account has already; the others count as new.
    Nothing is checked where `limits` is None or holds no limit. Raises `Stop` ("contact_limit").
    https://help.activecampaign.com/hc/en-us/articles/115000364264-What-happens-when-I-reach-my-contact-limit
    """
    if limits is None or limits.contact_limit is None or limits.contacts is None:
        return
    new = max(contacts - known, 0)
    if limits.contacts + new > limits.contact_limit:
        raise Stop(
            "contact_limit",
            f"Expected room for up to {new} new contacts; the account has {limits.contacts} of at most"
            f" {limits.contact_limit}. Nothing was sent. Raise the limit of the account's plan, remove contacts, or set"
            " allowOverContactLimit on the export.",
        )


def ask[T](
    calls: AccountCalls,
    request: wire.Request,
    read: Callable[[wire.Reply], T | answers.ErrorOutcome],
    what: str,
    not_found: str = "not_found",
) -> T:
    """Send a request that only reads; return what was read, or raise what `answers.as_error` makes of it."""
    value = read(calls.call(request))
    if isinstance(value, answers.ErrorOutcome):
        if isinstance(value, answers.Throttled):
            calls.slow_down(value.retry_after_s)
        if isinstance(value, answers.CredentialsRefused) and request != wire.who_am_i():
            # Every check first asks whose key it is, so this is a matter of permission, unless the key was replaced.
            ask(calls, wire.who_am_i(), answers.read_user, "the API key's user")
        raise answers.as_error(value, what, not_found=not_found, key_works=request != wire.who_am_i())
    return value


def all_fields(calls: AccountCalls) -> list[answers.CustomField]:
    """Return every custom field of the account."""
    return list(_pages(calls, wire.fields, answers.read_fields_page, "the custom fields"))


def all_lists(calls: AccountCalls) -> list[answers.ContactList]:
    """Return every list that the key's user may see."""
    return list(_pages(calls, wire.lists, answers.read_lists_page, "the lists"))


def exclusions(calls: AccountCalls) -> tuple[answers.Exclusion, ...]:
    """Return the account's e-mail exclusion list, its first `MAX_EXCLUSIONS` entries; empty where it cannot be read.

    It only explains why somebody was not imported, so nothing waits for it.
    """
    pages = _pages(calls, wire.exclusions, answers.read_exclusions_page, "the exclusion list")
    try:
        return tuple(itertools.islice(pages, MAX_EXCLUSIONS))
    except (Stop, Wait):
        return ()


def _pages[T](
    calls: AccountCalls,
    request: Callable[[int], wire.Request],
    read: Callable[[wire.Reply, int], answers.Page[T] | answers.ErrorOutcome],
    what: str,
) -> Iterator[T]:
    offset: int | None = 0
    while offset is not None:
        at = offset
        page = ask(calls, request(at), functools.partial(_read_at, read, at), what)
        yield from page.items
        offset = page.next_offset


def _read_at[T](
    read: Callable[[wire.Reply, int], answers.Page[T] | answers.ErrorOutcome], offset: int, reply: wire.Reply
) -> answers.Page[T] | answers.ErrorOutcome:
    return read(reply, offset)


def resolve_fields(export: ExportDefinition, fields: list[answers.CustomField]) -> tuple[FieldMapping, ...]:
    """Find the custom fields that the export names by id or personalization tag."""
    by_id = {str(f.id): f for f in fields}
    by_tag = {f.tag.upper(): f for f in fields if f.tag}
    mapped: list[FieldMapping] = []
    for match in export.data_matching.fields:
        tag = match.field.strip("%").upper()
        found = by_id.get(match.field) or by_tag.get(tag)
        if found is None:
            near = difflib.get_close_matches(tag, by_tag, n=3)
            hint = f" (similar: {', '.join(near)})" if near else ""
            raise Stop(
                "field_not_found",
                f"Expected a custom field {match.field!r} in ActiveCampaign; the account has none{hint}."
                " GET /connections/{id}/fields lists them.",
            )
        if any(found.id == other.field_id for other in mapped):
            raise Stop(
                "field_mapped_twice", f"Two columns are matched to the custom field {found.id}. Remove one of them."
            )
        mapped.append(FieldMapping(column=match.column, field_id=found.id, multiple=found.multiple))
    return tuple(mapped)
