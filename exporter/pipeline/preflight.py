"""Check the account before the first contact is sent: the key works, the list and the matched fields exist."""

from __future__ import annotations

import difflib

from exporter.activecampaign import account, wire
from exporter.contacts.matching import FieldMapping
from exporter.definitions.exports import ExportDefinition
from exporter.errors import Stop
from exporter.pipeline.questions import account_limits, all_fields, ask, ask_page
from exporter.pipeline.session import Session


def check(session: Session, export: ExportDefinition) -> tuple[FieldMapping, ...]:
    """Check that the export can work; return its matched custom fields with their numeric ids.

    Raises what `questions.ask` raises, and `Stop` ("list_not_found", "list_not_email", "field_not_found",
    "field_mapped_twice").
    """
    ask(session, wire.who_am_i(), account.read_user, "the API key's user")
    contact_list = ask(
        session,
        wire.get_list(export.list_id),
        account.read_list,
        f"list {export.list_id}",
        not_found="list_not_found",
    )
    if contact_list.channel not in (None, "email"):
        raise Stop(
            "list_not_email",
            f"Expected list {export.list_id} to be for e-mail; it is for {contact_list.channel}. Choose another.",
        )
    if not export.data_matching.fields:
        return ()
    return resolve_fields(export, all_fields(session))


def check_connection(session: Session) -> str | None:
    """Check that the key works and may read lists and custom fields, which exports need.

    Returns the account's name, or None if the key may not read it. Raises what `questions.ask` raises.
    """
    ask(session, wire.who_am_i(), account.read_user, "the API key's user")
    ask_page(session, wire.lists, account.read_lists_page, "the lists")
    ask_page(session, wire.fields, account.read_fields_page, "the custom fields")
    limits = account_limits(session)
    return limits.name if limits else None


def resolve_fields(export: ExportDefinition, fields: list[account.CustomField]) -> tuple[FieldMapping, ...]:
    """Return the custom fields that the export names by id or personalization tag.

    Raises `Stop` ("field_not_found", "field_mapped_twice").
    """
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
