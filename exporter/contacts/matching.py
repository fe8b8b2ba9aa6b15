"""The data matching, resolved: which columns of a segment fill which members of a contact."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from exporter.contacts.texts import NO_VALUE_TEXTS, Notice, folded
from exporter.contacts.values import ANY_TEXT, KINDS, Choices, Kind, Rule, fit
from exporter.definitions.exports import DataMatching, ExportDefinition, FieldMatch
from exporter.errors import Culprit, Stop
from exporter.sentences import Situation, sentence
from exporter.source.rows import Column
from exporter.warned import Warned

MEMBERS = ("first_name", "last_name", "phone")
"""The members of a contact besides its address, as the data matching and ActiveCampaign's bulk import name them."""


@dataclass(frozen=True, slots=True)
class Field:
    """What the account says of a custom field; `options` is None where it has none, or nobody knows them."""

    id: int
    title: str = ""
    type: str = "text"
    options: tuple[str, ...] | None = None


@dataclass(frozen=True, slots=True)
class FieldMapping:
    """A column that fills a custom field, and what its values have to become."""

    column: str
    field: Field
    rule: Rule = ANY_TEXT


@dataclass(frozen=True, slots=True)
class Consent:
    """When a row says yes: its column holds the value, or (`holds` is False) anything else.

    Case, outer blanks and what nobody sees are ignored; an empty text stands for an empty cell.
    """

    column: str
    value: str
    holds: bool = True


@dataclass(frozen=True, slots=True)
class Mapping:
    """Which columns fill which members of a contact (data matching), and which row of an address counts.

    Of several rows with one address, the one with the largest value in the column `winner` counts, else the first;
    `fill_empty`: what it lacks comes from the others. The columns of customer ids only label rows in reports; a segment
    may lack them. `no_values`: whether texts such as NULL mean that there is no value.
    """

    email: str
    first_name: str | None = None
    last_name: str | None = None
    phone: str | None = None
    fields: tuple[FieldMapping, ...] = ()
    consent: Consent | None = None
    winner: str | None = None
    fill_empty: bool = False
    customer_id: str | None = "CustomerId"
    previous_customer_id: str | None = "PreviousCustomerId"
    no_values: bool = True


@dataclass(frozen=True, slots=True)
class Target:
    """Where values of a column go: a member of the contact, or a custom field; `position`: the column's.

    `column` is its name as the mapping has it.
    """

    column: str
    position: int
    rule: Rule
    member: str | None = None
    field: Field | None = None

    @property
    def name(self) -> str:
        """What people call it: the title of the custom field, or the member."""
        return (self.field.title or str(self.field.id)) if self.field else str(self.member)


@dataclass(frozen=True, slots=True)
class Matched:
    """A mapping resolved against the columns of a segment.

    `wanted` are the names of the columns to read, as the segment spells them; the other members refer to positions in a
    row of those. `targets` is everything that is sent besides the address: members of the contact before custom fields.
    `consent` is (position, folded texts, whether the column has to hold one of them).
    """

    wanted: tuple[str, ...]
    email: int
    targets: tuple[Target, ...]
    consent: tuple[int, frozenset[str], bool] | None
    winner: int | None
    customer_id: int | None
    previous_customer_id: int | None
    no_values: bool
    warnings: tuple[Warned, ...]

    @property
    def needed(self) -> tuple[str, ...]:
        """The names of the columns without which a row cannot be sent; those of customer ids only label it."""
        labels = (self.customer_id, self.previous_customer_id)
        return tuple(name for position, name in enumerate(self.wanted) if position not in labels)


def match_columns(mapping: Mapping, columns: Sequence[Column]) -> Matched:
    """Resolve a mapping. A name is found in its exact spelling or, with a warning, in another case.

    Raises `Stop`: `email_column_missing`, `column_missing`, `column_ambiguous`.
    """
    wanted = _Wanted([column.name for column in columns])
    email = wanted.position(mapping.email, code="email_column_missing")
    named = ((member, getattr(mapping, member)) for member in MEMBERS)
    members = [
        Target(name, wanted.position(name), _member_rule(member, mapping), member=member)
        for member, name in named
        if name is not None
    ]
    fields = [Target(f.column, wanted.position(f.column), f.rule, field=f.field) for f in mapping.fields]
    consent = mapping.consent
    return Matched(
        email=email,
        targets=(*members, *fields),
        consent=_resolved(consent, wanted, mapping) if consent else None,
        winner=None if mapping.winner is None else wanted.position(mapping.winner),
        customer_id=wanted.find(mapping.customer_id),
        previous_customer_id=wanted.find(mapping.previous_customer_id),
        no_values=mapping.no_values,
        wanted=tuple(columns[place].name for place in wanted.places),
        warnings=tuple(dict.fromkeys(wanted.warnings)),
    )


def _resolved(consent: Consent, wanted: _Wanted, mapping: Mapping) -> tuple[int, frozenset[str], bool]:
    texts = frozenset((folded(consent.value),))
    if mapping.no_values and texts == {""}:
        texts |= NO_VALUE_TEXTS  # as in every other column, these are what an empty cell may hold
    return wanted.position(consent.column), texts, consent.holds


def _member_rule(member: str, mapping: Mapping) -> Rule:
    return Rule(Kind.PHONE if member == "phone" else Kind.NAME, no_values=mapping.no_values)


def find_columns(names: Sequence[str], columns: Sequence[Column]) -> tuple[Column, ...]:
    """Return the columns with these names, each once. A name is found in its exact spelling or in another case.

    Raises `Stop`: `column_missing`, `column_ambiguous`.
    """
    wanted = _Wanted([column.name for column in columns])
    for name in names:
        wanted.position(name)
    return tuple(columns[place] for place in wanted.places)


class _Wanted:
    """The columns of a segment that a mapping names, in the order in which they are looked up."""

    def __init__(self, names: Sequence[str]) -> None:
        self._names = names
        self.places: list[int] = []  # in the segment
        self.warnings: list[Warned] = []

    def position(self, name: str, code: str = "column_missing") -> int:
        """Return the position of a column among those wanted. Raises `Stop` when the segment has none of that name."""
        position = self.find(name)
        if position is None:
            raise Stop.of(code, Culprit.USER, _listing(self._names), column=name, columns=len(self._names))
        return position

    def find(self, name: str | None) -> int | None:
        """Return the position of a column among those wanted, or None when the segment has none of that name."""
        place = None if name is None else _place_of(name, self._names)
        if place is None:
            return None
        if self._names[place] != name:
            self.warnings.append(Warned.of("column_in_other_case", column=str(name), found=self._names[place]))
        if place not in self.places:
            self.places.append(place)
        return self.places.index(place)


def _place_of(name: str, names: Sequence[str]) -> int | None:
    """Return where a name is among those of a file. Raises `Stop` ("column_ambiguous")."""
    places = [place for place, other in enumerate(names) if other == name] or [
        place for place, other in enumerate(names) if other.lower() == name.lower()
    ]
    if len(places) > 1:
        hint, count = _listing(names), len(places)
        raise Stop.of("column_ambiguous", Culprit.USER, hint, column=name, count=count, columns=len(names))
    return places[0] if places else None


def _listing(names: Sequence[str]) -> str:
    limit = 50
    listed: dict[str, str | int] = {"columns": ", ".join(names[:limit])}
    more: dict[str, str | int] = {"case": "more", "more": len(names) - limit} if len(names) > limit else {}
    return sentence("columns_listed", listed | more, Situation.ANSWERED)


def field_mapping(
    matching: DataMatching, match: FieldMatch, found: Field, former: Sequence[str] = ()
) -> tuple[FieldMapping, list[Stop]]:
    """Return how a column fills a custom field of the account, and what the export says that does not fit the field.

    What does not fit is left out of the mapping: "yes_without_option", "when_empty_does_not_fit". `former`: options
    that the field had at earlier runs.
    """
    errors: list[Stop] = []
    kind = KINDS.get(found.type, Kind.TEXT)
    choices = None
    if found.options and kind in {Kind.OPTION, Kind.OPTIONS}:
        choices = Choices(found.options, match.yes, tuple(former))
        if match.yes and choices.yes is None:
            errors.append(Stop.of("yes_without_option", field=found.title, options=", ".join(found.options[:20])))
    rule = Rule(
        kind=kind,
        choices=choices,
        date_order=match.date_order,
        zone=matching.time_zone,
        separator=match.separator,
        decimal_mark=match.decimal_mark,
        no_values=matching.no_value_texts,
        reject_row=match.on_bad_value == "rejectRow",
    )
    if match.when_empty is not None and match.when_empty.clear:
        rule = replace(rule, when_empty="")
    elif match.when_empty is not None:
        fitted = fit(match.when_empty.text or "", rule)
        if fitted.text is None:
            errors.append(
                Stop.of(
                    "when_empty_does_not_fit",
                    column=match.column,
                    field=found.title,
                    type=found.type,
                    reason=fitted.flaw.value if fitted.flaw else Notice.NO_VALUE.value,
                )
            )
        rule = replace(rule, when_empty=fitted.text)
    return FieldMapping(match.column, found, rule), errors


def mapping_of(export: ExportDefinition, fields: tuple[FieldMapping, ...]) -> Mapping:
    """Return the mapping of an export whose custom fields are resolved to `fields`."""
    matching, consent = export.data_matching, export.consent_column
    return Mapping(
        email=matching.email,
        **{member: getattr(matching, member) for member in MEMBERS},
        fields=fields,
        consent=Consent(consent.column, consent.value or "", consent.condition != "isNot") if consent else None,
        winner=matching.winner.column if matching.winner else None,
        fill_empty=matching.fill_empty,
        no_values=matching.no_value_texts,
    )
