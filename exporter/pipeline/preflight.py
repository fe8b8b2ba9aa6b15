"""Check the account before the first contact is sent: the key works, the list and the matched fields exist."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from exporter.activecampaign import account, wire
from exporter.contacts.matching import Field, FieldMapping, field_mapping
from exporter.contacts.values import KINDS
from exporter.definitions.exports import ExportDefinition
from exporter.delivery.manifest import FieldEntry
from exporter.errors import Culprit, Stop
from exporter.pipeline.questions import account_limits, all_fields, ask, ask_page, field_options
from exporter.pipeline.session import Session
from exporter.records.runs import read_manifest
from exporter.records.slots import LastSuccess
from exporter.runs.run import Problem
from exporter.services import Services

type Options = Mapping[int, tuple[str, ...]]
"""The options of custom fields, by the fields' ids."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The matched custom fields. `problems` stop no run; they are why ActiveCampaign may not show some values."""

    mapped: tuple[FieldMapping, ...] = ()
    problems: tuple[Problem, ...] = ()


def check(
    session: Session, export: ExportDefinition, former: Options = MappingProxyType({}), *, saving: bool = False
) -> Fields:
    """Check that the export can work; return its matched custom fields, as they are in ActiveCampaign now.

    `former`: the options that fields had at earlier runs. `saving`: what the export says has to fit its fields; later,
    when options may have been renamed, it costs these values and not the run.

    Raises what `questions.ask` raises, and `Stop` ("list_not_found", "list_not_email", "field_not_found",
    "field_mapped_twice"; when saving also "yes_without_option", "when_empty_does_not_fit").
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
        return Fields()
    found = resolve_fields(export, all_fields(session))
    options = [_options(session, field) for field in found]
    matching = export.data_matching
    mapped: list[FieldMapping] = []
    problems = [_problem(field, texts, export.list_id) for field, texts in zip(found, options, strict=True)]
    for match, field, texts in zip(matching.fields, found, options, strict=True):
        seen = Field(field.id, field.title, field.type, texts)
        mapping, errors = field_mapping(matching, match, seen, former.get(field.id, ()))
        if saving:
            for error in errors:
                raise error
        mapped.append(mapping)
        problems += map(Problem.of, errors)
    return Fields(tuple(mapped), tuple(filter(None, problems)))


def _options(session: Session, field: account.CustomField) -> tuple[str, ...] | None:
    """Return the texts of a field's options; None where it has none, or nobody knows them."""
    if field.type not in account.WITH_OPTIONS:
        return None
    return tuple(option.value for option in field_options(session, field) or ()) or None


def _problem(field: account.CustomField, options: tuple[str, ...] | None, list_id: int) -> Problem | None:
    if field.lists is not None and not field.lists & {0, list_id}:
        return Problem.said("field_not_related", Culprit.USER, field=field.title, listId=list_id)
    if field.type not in KINDS:
        return Problem.said("field_type_unknown", Culprit.EXTERNAL, field=field.title, type=field.type)
    if field.type in account.WITH_OPTIONS and options is None:
        return Problem.said("field_options_unknown", Culprit.EXTERNAL, field=field.title, type=field.type)
    return None


def last_fields(services: Services, last: LastSuccess | None) -> tuple[FieldEntry, ...]:
    """Return the custom fields of the last successful run, as they were in ActiveCampaign then."""
    manifest = read_manifest(services, last.run_id) if last else None
    return manifest.fields if manifest else ()


def options_of(fields: Iterable[FieldEntry]) -> Options:
    """Return the options that fields had, at that run or at earlier ones."""
    return {field.field_id: (*(field.options or ()), *field.former) for field in fields}


def check_connection(session: Session) -> str | None:
    """Check that the key works and may read lists and custom fields, which exports need.

    Returns the account's name, or None if the key may not read it. Raises what `questions.ask` raises.
    """
    ask(session, wire.who_am_i(), account.read_user, "the API key's user")
    ask_page(session, wire.lists, account.read_lists_page, "the lists")
    ask_page(session, wire.fields, account.read_fields_page, "the custom fields")
    limits = account_limits(session)
    return limits.name if limits else None


def resolve_fields(export: ExportDefinition, fields: list[account.CustomField]) -> tuple[account.CustomField, ...]:
    """Return the custom fields that the export names by id or personalization tag.

    Raises `Stop` ("field_not_found", "field_mapped_twice").
    """
    by_id = {str(f.id): f for f in fields}
    by_tag = {f.tag.upper(): f for f in fields if f.tag}
    mapped: list[account.CustomField] = []
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
        if found in mapped:
            raise Stop(
                "field_mapped_twice", f"Two columns are matched to the custom field {found.id}. Remove one of them."
            )
        mapped.append(found)
    return tuple(mapped)
