"""Requests to ActiveCampaign and the replies to them, as values. No I/O.

What a reply means is in `answers`.
https://developers.activecampaign.com/reference/overview
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final


class Kind(StrEnum):
    """The classes of ActiveCampaign's limits."""

    BULK = "bulk"  # a bulk import of several contacts: 100 per minute
    SINGLE = "single"  # a bulk import of one contact: 20 per minute
    GENERAL = "general"  # anything else; all requests together: 5 per second


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTPS request: path from the root, query as pairs, body as JSON text or None."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = field(default=(), repr=False)  # may hold an address
    body: bytes | None = field(default=None, repr=False)  # personal data
    kind: Kind = Kind.GENERAL


PAGE: Final = 100  # the largest page, https://developers.activecampaign.com/reference/pagination


def who_am_i() -> Request:
    """Ask which user the API key belongs to; every user may ask.

    https://developers.activecampaign.com/reference/authentication
    """
    return Request("GET", "/api/3/users/me")


def get_list(list_id: int) -> Request:
    """Ask for one list.

    https://developers.activecampaign.com/reference/retrieve-a-list
    """
    return Request("GET", f"/api/3/lists/{list_id}")


def lists(offset: int = 0) -> Request:
    """Ask for a page of lists.

    https://developers.activecampaign.com/reference/retrieve-all-lists
    """
    return Request("GET", "/api/3/lists", _page(offset))


def fields(offset: int = 0) -> Request:
    """Ask for a page of custom fields.

    https://developers.activecampaign.com/reference/retrieve-fields
    """
    return Request("GET", "/api/3/fields", _page(offset))


def get_field(field_id: int) -> Request:
    """Ask for one custom field; the recorded answer for one that is gone is a 404.

    https://developers.activecampaign.com/reference/retrieve-a-field
    """
    return Request("GET", f"/api/3/fields/{field_id}")


def field_options(field_id: int, offset: int) -> Request:
    """Ask for a page of the options of one custom field; answers about fields link to it."""
    return Request("GET", f"/api/3/fields/{field_id}/options", _page(offset))


def contacts_of_list(list_id: int) -> Request:
    """Ask for one contact of a list, of whatever status: the answer tells how many there are.

    https://developers.activecampaign.com/reference/list-all-contacts
    """
    return Request("GET", "/api/3/contacts", (("listid", str(list_id)), ("status", "-1"), ("limit", "1")))


def contact_by_address(email: str) -> Request:
    """Ask for the contact with an address, with its lists and the values of its fields.

    Inclusions are not documented; programs rely on them. What an answer lacks, the next two requests ask for.
    https://developers.activecampaign.com/reference/list-all-contacts
    """
    return Request("GET", "/api/3/contacts", (("email", email), ("include", "contactLists,fieldValues")))


def lists_of_contact(contact_id: int) -> Request:
    """Ask on which lists a contact is, and with which status."""
    return Request("GET", f"/api/3/contacts/{contact_id}/contactLists", (("limit", str(PAGE)),))


def values_of_contact(contact_id: int) -> Request:
    """Ask for the values of a contact's custom fields."""
    return Request("GET", f"/api/3/contacts/{contact_id}/fieldValues", (("limit", str(PAGE)),))


def contacts_with_status(list_id: int, status: int, after_id: int = 0) -> Request:
    """Ask for a page of the contacts of a list that have a status there, by id.

    From an id on, because offsets become slow in large accounts.
    https://developers.activecampaign.com/reference/pagination
    """
    query = (("listid", f"{list_id}"), ("status", f"{status}"), ("orders[id]", "ASC"), ("id_greater", f"{after_id}"))
    return Request("GET", "/api/3/contacts", (*query, ("include", "contactLists"), ("limit", f"{PAGE}")))


def active_of_list(list_id: int) -> Request:
    """Ask for one active contact of a list, with its memberships: the answer tells how many there are."""
    query = (("listid", str(list_id)), ("status", "1"), ("include", "contactLists"), ("limit", "1"))
    return Request("GET", "/api/3/contacts", query)


def account_limits() -> Request:
    """Ask for the contact limit.

    https://developers.activecampaign.com/reference/retrieve-account-information
    """
    return Request("GET", "/api/3/settings/account")


def exclusions(offset: int = 0) -> Request:
    """Ask for a page of the e-mail exclusion list."""
    return Request("GET", "/api/3/lists/exclusions", _page(offset))


def bulk_import(body: bytes, count: int) -> Request:
    """Import contacts: at most 250, in at most 399,999 bytes.

    https://developers.activecampaign.com/reference/bulk-import-contacts
    """
    kind = Kind.SINGLE if count == 1 else Kind.BULK
    return Request("POST", "/api/3/import/bulk_import", body=body, kind=kind)


def import_info(import_id: str) -> Request:
    """Ask what became of an import.

    https://developers.activecampaign.com/reference/bulk-import-status-info
    """
    return Request("GET", "/api/3/import/info", (("batchId", import_id),))


def _page(offset: int) -> tuple[tuple[str, str], ...]:
    return (("limit", str(PAGE)), ("offset", str(offset)))


@dataclass(frozen=True, slots=True)
class Answer:
    """An HTTP answer: status, headers with lower-case names, and the whole body, bounded by the client."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)  # may hold personal data


@dataclass(frozen=True, slots=True)
class NotSent:
    """Nothing of the request left this machine; `reason` is one fixed word."""

    reason: str


@dataclass(frozen=True, slots=True)
class AnswerLost:
    """The request may have been processed, but its answer did not arrive whole; `reason` is one fixed word."""

    reason: str


type Reply = Answer | NotSent | AnswerLost
