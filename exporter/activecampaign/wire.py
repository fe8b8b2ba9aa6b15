"""What is said to ActiveCampaign: hosts, requests and their bodies as values; and what can come back. No I/O.

A request is a `Request`; what came of it is a `Reply`. What a reply means is in `answers`.
https://developers.activecampaign.com/reference/overview
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final

import orjson

from exporter import errors

# --- Bodies ---


@dataclass(frozen=True, slots=True)
class Envelope:
    """What surrounds the contacts in the body of a bulk import.

    A body is `prefix`, the contacts joined by `,`, and `suffix`. A contact is an open JSON object whose first member is
    `email` (no closing brace), followed by `contact_tail`, which ends with the closing brace.
    """

    prefix: bytes
    contact_tail: bytes
    suffix: bytes


def envelope(list_id: int, *, run_automations: bool) -> Envelope:
    """Return the envelope for an ActiveCampaign list.

    Automations run unless `exclude_automations` is true. The documentation shows the member inside a contact, its users
    send it at the top level; it stands in both places. That is safe: a member that the server does not know is ignored
    (the documented example of a contact holds it, and the other reading never looks there).
    https://developers.activecampaign.com/reference/bulk-import-contacts
    """
    subscribe = b',"subscribe":[{"listid":%d}]' % list_id
    if run_automations:
        return Envelope(b'{"contacts":[', subscribe + b"}", b"]}")
    silent = b'"exclude_automations":true'
    return Envelope(b"{" + silent + b',"contacts":[', subscribe + b"," + silent + b"}", b"]}")


def select(body: bytes, envelope: Envelope, positions: Sequence[int]) -> bytes:
    """Return the body with only the contacts at these positions (from 0 on), each byte for byte as it was.

    Every contact ends with `contact_tail`, and nothing else can look like it: inside a JSON string its quotes would be
    escaped. Raises ValueError for a body of another envelope.
    """
    if not (body.startswith(envelope.prefix) and body.endswith(envelope.contact_tail + envelope.suffix)):
        raise ValueError("expected a body in this envelope, found another one; take the envelope of the same run")
    inner = body[len(envelope.prefix) : -len(envelope.suffix)]
    contacts = [part.removeprefix(b",") for part in inner.split(envelope.contact_tail)]
    kept = (contacts[position] + envelope.contact_tail for position in positions)
    return envelope.prefix + b",".join(kept) + envelope.suffix


def addresses(body: bytes) -> list[str]:
    """Return the e-mail addresses of a body, in the order of its contacts."""
    return [contact["email"] for contact in orjson.loads(body)["contacts"]]


def failed_positions(failed: Sequence[str], sent: Sequence[str]) -> tuple[tuple[int, ...], int]:
    """Match the addresses that failed in an import to those sent, whatever their case and outer spaces.

    Returns the positions in `sent`, ascending, and how many failed addresses are not among those sent.
    """
    failed_keys = {_address_key(address) for address in failed}
    positions = tuple(at for at, address in enumerate(sent) if _address_key(address) in failed_keys)
    return positions, len(failed_keys - {_address_key(address) for address in sent})


def _address_key(address: str) -> str:
    return address.strip().lower()


# --- Requests ---


class Kind(StrEnum):
    """The classes of ActiveCampaign's limits."""

    BULK = "bulk"  # a bulk import of several contacts: 100 a minute
    SINGLE = "single"  # a bulk import of one contact: 20 a minute
    GENERAL = "general"  # anything else; all requests together: 5 a second


@dataclass(frozen=True, slots=True)
class Request:
    """One HTTPS request: path from the root on, query as pairs, body as JSON text or None."""

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = ()
    body: bytes | None = field(default=None, repr=False)  # personal data
    kind: Kind = Kind.GENERAL


PAGE: Final = 100  # the largest page, https://developers.activecampaign.com/reference/pagination


def who_am_i() -> Request:
    """Ask whose key it is; every user may.

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


def account_limits() -> Request:
    """Ask for the contact limit.

    https://developers.activecampaign.com/reference/retrieve-account-information
    """
    return Request("GET", "/api/3/settings/account")


def exclusions(offset: int = 0) -> Request:
    """Ask for a page of the e-mail exclusion list."""
    return Request("GET", "/api/3/lists/exclusions", _page(offset))


def bulk_import(body: bytes, count: int) -> Request:
    """Import contacts: at most 250 and 399,999 bytes.

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


# --- Replies ---


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


# --- The host ---

HOST_SUFFIXES: Final = ("api-us1.com", "activehosted.com")


def check_host(text: str, suffixes: Sequence[str] = HOST_SUFFIXES) -> str:
    """Return the host of an ActiveCampaign account in lower case: one label before one of the exact suffixes.

    `https://` before it and one `/` after it are accepted, as people copy it from ActiveCampaign's developer settings.
    Anything else raises `Stop("host_refused")`: the key and personal data go to this host. No look-up is made here;
    behind a proxy this machine may not even be able to. https://developers.activecampaign.com/reference/url
    """
    host = text.lower().removeprefix("https://").removesuffix("/")
    problem = _host_problem(text, host, suffixes)
    if problem:
        names = " or ".join(f"<account>.{suffix}" for suffix in suffixes)
        raise errors.Stop(
            "host_refused",
            f"Expected the API host of an ActiveCampaign account ({names}); found {problem}. "
            "Copy the URL from ActiveCampaign: Settings, Developer.",
        )
    return host


def _host_problem(text: str, host: str, suffixes: Sequence[str]) -> str | None:
    label, _, suffix = host.partition(".")
    if not text.isascii():
        return "letters that are not ASCII"
    if re.search(r"[^!-~]", text):
        return "a space or control character"
    for character, name in _NOT_IN_HOSTS:
        if character in host:
            return name
    if suffix not in suffixes:
        return "another domain"
    if not re.fullmatch(r"(?!xn--)[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", label):
        return "an account name that is no plain host label"
    return None


_NOT_IN_HOSTS: Final = (
    ("://", "another scheme than https"),
    ("@", "a user name"),
    ("%", "an escaped character"),
    ("\\", "a backslash"),
    ("/", "a path"),
    ("?", "a query"),
    ("#", "a fragment"),
    ("[", "an IP address"),
    (":", "a port"),
)
