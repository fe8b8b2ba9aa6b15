"""Check the account before the first contact is sent: the key works, the list and the matched fields exist."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

from exporter.activecampaign import account, bodies, wire
from exporter.activecampaign.people import has_value
from exporter.contacts.matching import Field, FieldMapping, field_mapping
from exporter.contacts.values import KINDS
from exporter.definitions.exports import ExportDefinition
from exporter.delivery.manifest import FieldEntry
from exporter.errors import Culprit, Stop
from exporter.pipeline.questions import account_limits, all_fields, all_lists, ask, ask_page, few_people, field_options
from exporter.pipeline.questions import contact_list as contact_list_of
from exporter.pipeline.session import Session
from exporter.records.looks import Seen
from exporter.records.runs import read_manifest
from exporter.records.slots import LastSuccess
from exporter.runs.run import Problem
from exporter.services import Services
from exporter.warned import Warned

type Options = Mapping[int, tuple[str, ...]]
"""The options of custom fields, by the fields' ids."""


@dataclass(frozen=True, slots=True)
class Fields:
    """The matched custom fields. `problems` stop no run; they are why ActiveCampaign may not show some values."""

    mapped: tuple[FieldMapping, ...] = ()
    problems: tuple[Problem, ...] = ()

    @property
    def warned(self) -> tuple[Warned, ...]:
        """The problems as warnings, for those whom they do not keep from anything."""
        return tuple(Warned.of(problem.code, **(problem.params or {})) for problem in self.problems)


def check(
    session: Session,
    export: ExportDefinition,
    former: Options = MappingProxyType({}),
    *,
    saving: bool = False,
    seen: Seen | None = None,
) -> Fields:
    """Check that the export can work; return its matched custom fields, as they are in ActiveCampaign now.

    `former`: the options that fields had at earlier runs. `saving`: what the export says has to fit its fields; later,
    when options may have been renamed, it costs these values and not the run. `seen`: what the account held a short
    while ago; only what is not in it is asked for.

    Raises what `questions.ask` raises, and `Stop` ("list_not_found", "list_not_email", "field_not_found",
    "field_mapped_twice"; when saving also "yes_without_option", "when_empty_does_not_fit").
    """
    if seen is None:
        ask(session, wire.who_am_i(), account.read_user, "user")
    known = (each for each in (seen.lists if seen else ()) if each.id == export.list_id)
    contact_list = next(known, None) or contact_list_of(session, export.list_id)
    if contact_list.channel not in (None, "email"):
        raise Stop.of("list_not_email", listId=export.list_id, channel=contact_list.channel)
    if not export.data_matching.fields:
        return Fields()
    found = _find_fields(session, export, seen)
    options = [_options(session, field) for field in found]
    matching = export.data_matching
    mapped: list[FieldMapping] = []
    problems = [_problem(field, texts, export.list_id) for field, texts in zip(found, options, strict=True)]
    for match, field, texts in zip(matching.fields, found, options, strict=True):
        as_found = Field(field.id, field.title, field.type, texts)
        mapping, errors = field_mapping(matching, match, as_found, former.get(field.id, ()))
        if saving:
            for error in errors:
                raise error
        mapped.append(mapping)
        problems += map(Problem.of, errors)
    return Fields(tuple(mapped), tuple(filter(None, problems)))


def _find_fields(session: Session, export: ExportDefinition, seen: Seen | None) -> tuple[account.CustomField, ...]:
    """Return the fields that the export names. Raises as `resolve_fields` does, and what `questions.ask` raises."""
    if seen:
        try:
            return resolve_fields(export, seen.fields)
        except Stop:
            pass  # it may have been made since
    return resolve_fields(export, all_fields(session))


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


def untried(export: ExportDefinition, mapped: Iterable[FieldMapping], cleared: Collection[int]) -> tuple[Stop, ...]:
    """Return what stops a run for everybody that would erase values: whether that works is not known of some field.

    `cleared`: ids of the fields of which a run for a few people has shown it. Each is "clear_not_tried".
    """
    return tuple(
        Stop.of("clear_not_tried", column=mapping.column, field=mapping.field.title)
        for mapping in _clearing(export, mapped)
        if mapping.field.id not in cleared
    )


def erases(
    session: Session,
    export: ExportDefinition,
    mapped: Iterable[FieldMapping],
    contacts: Iterable[Mapping[str, Any]],
    heartbeat: Callable[[], None],
) -> tuple[tuple[int, ...], ...]:
    """Return for each of a few contacts, as they will be sent, the ids of the fields that it loses a value of.

    Nothing if the export clears no field. What ActiveCampaign does not tell counts as no value: whoever had none shows
    nothing afterwards. `heartbeat` is called before each contact.
    """
    if not any(_clearing(export, mapped)):
        return ()
    emptied = [(contact["email"], bodies.emptied(contact)) for contact in contacts]
    people = few_people(session, [email for email, fields in emptied if fields], export.list_id)
    found: list[tuple[int, ...]] = []
    for _, fields in emptied:
        heartbeat()
        held = (next(people).fields if fields else None) or {}
        found.append(tuple(sorted(each for each in fields if has_value(held, each))))
    return tuple(found)


def _clearing(export: ExportDefinition, mapped: Iterable[FieldMapping]) -> Iterator[FieldMapping]:
    for match, mapping in zip(export.data_matching.fields, mapped, strict=True):
        if match.when_empty and match.when_empty.clear:
            yield mapping


def last_fields(services: Services, last: LastSuccess | None) -> tuple[FieldEntry, ...]:
    """Return the custom fields of the last successful run, as they were in ActiveCampaign then."""
    manifest = read_manifest(services, last.run_id) if last else None
    return manifest.fields if manifest else ()


def options_of(fields: Iterable[FieldEntry]) -> Options:
    """Return the options that fields had, at that run or at earlier ones."""
    return {field.field_id: (*(field.options or ()), *field.former) for field in fields}


@dataclass(frozen=True, slots=True)
class Tested:
    """What a connection reaches: whose key it is, how many lists that user may see, and the account's limits.

    `limits`: None if the key may not read them.
    """

    user: account.User
    lists: int
    limits: account.AccountLimits | None


def check_connection(session: Session) -> Tested:
    """Check that the key works and may read lists and custom fields, which exports need.

    Raises what `questions.ask` raises.
    """
    user = ask(session, wire.who_am_i(), account.read_user, "user")
    lists = len(all_lists(session))
    ask_page(session, wire.fields, account.read_fields_page, "fields")
    return Tested(user, lists, account_limits(session))


def resolve_fields(export: ExportDefinition, fields: Sequence[account.CustomField]) -> tuple[account.CustomField, ...]:
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
            similar: dict[str, str] = {"case": "near", "near": ", ".join(near)} if near else {}
            raise Stop.of("field_not_found", field=match.field, **similar)
        if found in mapped:
            raise Stop.of("field_mapped_twice", field=found.title, fieldId=found.id)
        mapped.append(found)
    return tuple(mapped)
