"""The body of a bulk import: built around contacts, cut down to some of them, read back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson


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

    Automations run unless `exclude_automations` is true. The documentation shows the member inside a contact, but its
    users send it at the top level, so it is in both places. That is safe: a server that
    expects it in one place ignores it in the other.
    https://developers.activecampaign.com/reference/bulk-import-contacts
    """
    subscribe = b',"subscribe":[{"listid":%d}]' % list_id
    if run_automations:
        return Envelope(b'{"contacts":[', subscribe + b"}", b"]}")
    silent = b'"exclude_automations":true'
    return Envelope(b"{" + silent + b',"contacts":[', subscribe + b"," + silent + b"}", b"]}")


def select(body: bytes, envelope: Envelope, positions: Sequence[int]) -> bytes:
    """Return the body with only the contacts at these positions (0-based), each byte for byte unchanged.

    Every contact ends with `contact_tail`, and nothing else can look like it: inside a JSON string its quotes would be
    escaped. Raises `ValueError` for a body with another envelope.
    """
    if not (body.startswith(envelope.prefix) and body.endswith(envelope.contact_tail + envelope.suffix)):
        raise ValueError("expected a body in this envelope, found another one; use the envelope of the same run")
    inner = body[len(envelope.prefix) : -len(envelope.suffix)]
    contacts = [part.removeprefix(b",") for part in inner.split(envelope.contact_tail)]
    kept = (contacts[position] + envelope.contact_tail for position in positions)
    return envelope.prefix + b",".join(kept) + envelope.suffix


def contacts(body: bytes) -> list[dict[str, Any]]:
    """Return the contacts of a body as JSON, in their order."""
    found: list[dict[str, Any]] = orjson.loads(body)["contacts"]
    return found


def emptied(contact: Mapping[str, Any]) -> set[int]:
    """Return the ids of the custom fields that a contact of a body is sent empty, to erase what they hold."""
    return {each["id"] for each in contact.get("fields", ()) if each["value"] == ""}


def addresses(body: bytes) -> list[str]:
    """Return the e-mail addresses of a body, in the order of its contacts."""
    return [contact["email"] for contact in contacts(body)]


def failed_positions(failed: Sequence[str], sent: Sequence[str]) -> tuple[tuple[int, ...], int]:
    """Match the addresses that failed in an import to those sent, ignoring case and surrounding spaces.

    Returns the positions in `sent`, ascending, and how many failed addresses are not among those sent.
    """
    failed_keys = {address_key(address) for address in failed}
    positions = tuple(position for position, address in enumerate(sent) if address_key(address) in failed_keys)
    return positions, len(failed_keys - {address_key(address) for address in sent})


def address_key(address: str) -> str:
    """Return an address trimmed and in lower case, so that equal addresses compare equal."""
    return address.strip().lower()
