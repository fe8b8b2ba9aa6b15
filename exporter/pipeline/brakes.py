"""What stops a run before anything is sent: an implausible size, or no room in the account."""

from __future__ import annotations

from exporter.activecampaign.account import AccountLimits
from exporter.errors import Stop


def check_contacts(contacts: int, max_contacts: int) -> None:
    """Refuse more contacts than the export allows. Raises `Stop` ("too_many_contacts")."""
    if contacts > max_contacts:
        raise Stop(
            "too_many_contacts",
            f"Expected at most {max_contacts} contacts, found {contacts} in the segments. Raise maxContacts of the"
            " export, or split the segments among several exports.",
        )


def check_contact_limit(limits: AccountLimits | None, contacts: int, known: int) -> None:
    """Stop a run that could take the account over the contact limit of its plan.

    Over the limit, campaigns may stop, and ActiveCampaign's pages disagree on whether contacts are still added.
    `known`: how many of the contacts the account already has; the rest count as new.
    Nothing is checked if `limits` is None or has no limit. Raises `Stop` ("contact_limit").
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


def check_size(rows_read: int, last_rows_read: int | None, max_factor: float) -> None:
    """Stop a run whose size is implausible; not called for a forced run.

    `last_rows_read`: rows that the last successful run read, or None. `max_factor`: how many times more or fewer rows
    are plausible.

    Raises `Stop`: `segment_empty`, `size_changed`.
    """
    if rows_read == 0:
        raise Stop(
            "segment_empty",
            "Expected rows, found none: the segment is empty. Nothing was sent, and nobody was removed from the list."
            " Check the segment. To let an empty run succeed, start it with force.",
        )
    if last_rows_read and not last_rows_read / max_factor <= rows_read <= last_rows_read * max_factor:
        raise Stop(
            "size_changed",
            f"Expected at most {max_factor:g} times more or fewer rows than the {last_rows_read} of the last successful"
            f" run, found {rows_read}. Nothing was sent. If this is intended, start the run with force.",
        )
