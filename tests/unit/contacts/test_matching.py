"""Which columns fill which members of a contact."""

from __future__ import annotations

import dataclasses
from dataclasses import replace

import pytest
from pydantic.alias_generators import to_camel, to_snake

from exporter.api.segments import MatchingSuggestion
from exporter.contacts.matching import (
    MEMBERS,
    Consent,
    Field,
    FieldMapping,
    Mapping,
    Target,
    field_mapping,
    find_columns,
    mapping_of,
    match_columns,
)
from exporter.contacts.values import ANY_TEXT, Choices, Kind, Rule, fit
from exporter.definitions.exports import ConsentColumn, DataMatching, ExportDefinition, FieldMatch
from exporter.errors import Stop
from exporter.source.names import MEMBER_NAMES
from exporter.source.rows import Column
from exporter.warned import Warned
from tests.unit.contacts.columns import COLUMNS


def test_rows_are_labeled_by_the_customer_ids_where_a_segment_has_them() -> None:
    columns = [Column(name, "string") for name in ("PreviousCustomerId", "EMail", "CustomerId")]
    found = match_columns(Mapping("EMail"), columns)
    assert (found.wanted, found.customer_id, found.previous_customer_id) == (
        ("EMail", "CustomerId", "PreviousCustomerId"),
        1,
        2,
    )
    found = match_columns(Mapping("EMail"), COLUMNS)
    assert (found.customer_id, found.previous_customer_id) == (None, None)
    found = match_columns(Mapping("EMail", customer_id=None, previous_customer_id="Id"), COLUMNS)
    assert (found.wanted, found.customer_id, found.previous_customer_id) == (("EMail", "Id"), None, 1)


def test_a_column_in_another_case_is_found_with_a_warning() -> None:
    found = match_columns(Mapping("email"), COLUMNS)
    assert found.wanted == ("EMail",)
    assert found.warnings == (Warned.of("column_in_other_case", column="email", found="EMail"),)
    assert found.warnings[0].message == "The column email was found as EMail."


def test_the_exact_spelling_wins() -> None:
    columns = [Column("EMAIL", "string"), Column("EMail", "string")]
    assert match_columns(Mapping("EMail"), columns).wanted == ("EMail",)


def test_only_what_is_mapped_is_wanted_and_each_column_once() -> None:
    mapping = Mapping(
        "EMail", first_name="First", fields=(FieldMapping("First", Field(1)), FieldMapping("EMail", Field(2)))
    )
    assert match_columns(mapping, COLUMNS).wanted == ("EMail", "First")


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        (Mapping("Mail"), "email_column_missing"),
        (Mapping("EMail", phone="Mobile"), "column_missing"),
        (Mapping("EMail", consent=Consent("Newsletter", "Yes")), "column_missing"),
        (Mapping("EMail", winner="Modified"), "column_missing"),
        (Mapping("EMail", fields=(FieldMapping("Rank", Field(1)),)), "column_missing"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_with_the_columns_that_are_there(mapping: Mapping, code: str) -> None:
    with pytest.raises(Stop) as caught:
        match_columns(mapping, COLUMNS)
    assert caught.value.code == code
    assert "Id, EMail, First" in caught.value.hint


@pytest.mark.parametrize("names", [("EMail", "EMail"), ("EMAIL", "email")])
def test_a_column_that_is_there_twice_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(Stop) as caught:
        match_columns(Mapping("EMail"), [Column(name, "string") for name in names])
    assert caught.value.code == "column_ambiguous"
    assert (caught.value.message, caught.value.hint) == (
        "The segment has 2 columns named EMail among its 2. Rename one of them.",
        f"Its columns are: {names[0]}, {names[1]}.",
    )


@pytest.mark.parametrize(("count", "end"), [(50, "c48, c49."), (51, "c48, c49 and 1 more."), (2_000, "and 1950 more.")])
def test_a_message_lists_a_bounded_number_of_columns(count: int, end: str) -> None:
    with pytest.raises(Stop) as caught:
        match_columns(Mapping("EMail"), [Column(f"c{number}", "string") for number in range(count)])
    assert caught.value.hint.endswith(end)
    assert caught.value.message == (
        f"The segment has no column EMail among its {count}. Choose another column for 'Email' in the data matching "
        "(dataMatching.email) of the export."
    )


def test_the_mapping_of_an_export_is_its_data_matching_and_its_consent() -> None:
    export = ExportDefinition(
        display_name="Newsletter",
        list_id=1,
        segments=("people",),
        data_matching=DataMatching(email="EMail", first_name="First", last_name="Last", phone="Phone"),
    )
    fields = (FieldMapping("Tier", Field(7)),)
    expected = Mapping(email="EMail", first_name="First", last_name="Last", phone="Phone", fields=fields)
    assert mapping_of(export, fields) == expected
    asking = export.model_copy(update={"consent_column": ConsentColumn(column="Consent", value="Yes")})
    assert mapping_of(asking, fields) == replace(expected, consent=Consent("Consent", "Yes"))


@pytest.mark.parametrize(
    ("said", "consent"),
    [
        ({"condition": "equals", "value": "Yes"}, Consent("C", "Yes")),
        ({"condition": "isNot", "value": "No"}, Consent("C", "No", holds=False)),
        ({"condition": "isEmpty"}, Consent("C", "")),
    ],
)
def test_what_an_export_says_of_a_person_is_in_its_mapping(said: dict[str, str], consent: Consent) -> None:
    matching = {"email": "E", "winner": {"column": "Modified"}, "fillEmpty": True, "noValueTexts": False}
    export = ExportDefinition.model_validate(
        {
            "displayName": "x",
            "listId": 1,
            "segments": ["x"],
            "dataMatching": matching,
            "consentColumn": {"column": "C"} | said,
        }
    )
    expected = Mapping("E", consent=consent, winner="Modified", fill_empty=True, no_values=False)
    assert mapping_of(export, ()) == expected
    assert export.columns == ("E", "C", "Modified")


def test_every_member_of_the_data_matching_is_looked_up_and_suggested() -> None:
    settings = {"time_zone", "no_value_texts", "winner", "fill_empty"}
    matched = DataMatching.model_fields.keys() - {"email", "fields"} - settings
    assert matched == set(MEMBERS) <= {field.name for field in dataclasses.fields(Mapping)}
    assert {"email", *(to_camel(member) for member in MEMBERS)} == MEMBER_NAMES.keys()
    assert {to_snake(name) for name in MEMBER_NAMES} == MatchingSuggestion.model_fields.keys()
    named = DataMatching.model_validate({"email": "E"} | {member: member.upper() for member in MEMBERS})
    export = ExportDefinition(display_name="x", list_id=1, segments=("x",), data_matching=named)
    mapping = mapping_of(export, ())
    assert [getattr(mapping, member) for member in MEMBERS] == [member.upper() for member in MEMBERS]
    columns = [Column(name, "string") for name in ("E", *(member.upper() for member in MEMBERS))]
    assert {target.member for target in match_columns(mapping, columns).targets} == set(MEMBERS)


TIER = Field(3, "Tier", "dropdown", ("Gold", "Silver"))


def resolved(found: Field, former: tuple[str, ...] = (), **said: object) -> FieldMapping:
    match = FieldMatch.model_validate({"column": "C", "field": "3"} | said)
    mapping, errors = field_mapping(DataMatching(email="E"), match, found, former)
    for error in errors:
        raise error
    return mapping


def test_what_the_export_says_of_a_field_is_in_its_rule() -> None:
    found = Field(3, "Born", "datetime")
    matching = DataMatching(email="E", time_zone="Asia/Jakarta", no_value_texts=False)
    said = {"dateOrder": "dmy", "decimalMark": ",", "separator": "|", "onBadValue": "rejectRow"}
    match = FieldMatch.model_validate({"column": "C", "field": "3"} | said)
    rule = Rule(
        Kind.DATETIME,
        date_order="dmy",
        decimal_mark=",",
        separator="|",
        zone="Asia/Jakarta",
        no_values=False,
        reject_row=True,
    )
    assert field_mapping(matching, match, found) == (FieldMapping("C", found, rule), [])


@pytest.mark.parametrize(
    ("found", "rule"),
    [
        (Field(3), Rule()),
        (Field(3, "", "of the future", ("a",)), Rule()),
        (Field(3, "", "text", ("a",)), Rule()),
        (Field(3, "", "number"), Rule(Kind.NUMBER)),
        (Field(3, "", "radio"), Rule(Kind.OPTION)),
        (Field(3, "", "dropdown", ()), Rule(Kind.OPTION)),
        (TIER, Rule(Kind.OPTION, Choices(("Gold", "Silver"), (), ("Bronze",)))),
        (Field(3, "", "listbox", ("a",)), Rule(Kind.OPTIONS, Choices(("a",), (), ("Bronze",)))),
    ],
)
def test_what_a_field_takes_follows_from_its_type_and_options(found: Field, rule: Rule) -> None:
    assert resolved(found, ("Bronze",)) == FieldMapping("C", found, rule)


def test_the_options_of_the_last_run_need_not_be_known() -> None:
    assert resolved(TIER).rule.choices == Choices(("Gold", "Silver"))
    assert resolved(TIER, yes=["gold"]).rule.choices == Choices(("Gold", "Silver"), ("gold",))


def test_a_value_that_means_yes_needs_an_option() -> None:
    field = Field(3, "Tier", "dropdown", tuple(f"o{number}" for number in range(30)))
    with pytest.raises(Stop) as caught:
        resolved(field, yes=["1"])
    assert caught.value.code == "yes_without_option"
    assert caught.value.parameters == {"field": "Tier", "options": ", ".join(f"o{number}" for number in range(20))}


@pytest.mark.parametrize(("text", "reason"), [("Bronze", "not_an_option"), ("NULL", "no_value")])
def test_what_is_sent_for_nothing_has_to_fit(text: str, reason: str) -> None:
    assert resolved(TIER, whenEmpty={"text": "gold"}).rule == Rule(
        Kind.OPTION, Choices(("Gold", "Silver")), when_empty="Gold"
    )
    with pytest.raises(Stop) as caught:
        resolved(TIER, whenEmpty={"text": text})
    assert caught.value.code == "when_empty_does_not_fit"
    assert caught.value.parameters == {"column": "C", "field": "Tier", "type": "dropdown", "reason": reason}


def test_a_target_has_the_name_that_people_know() -> None:
    assert Field(3) == Field(3, "", "text", None)
    assert Target("c", 0, ANY_TEXT, field=TIER).name == "Tier"
    assert Target("c", 0, ANY_TEXT, field=Field(3)).name == "3"
    assert Target("c", 0, ANY_TEXT, member="phone").name == "phone"


@pytest.mark.parametrize("no_values", [True, False])
def test_each_target_has_its_rule(*, no_values: bool) -> None:
    rule = Rule(Kind.DATE)
    mapping = Mapping(
        "EMail",
        last_name="Last",
        phone="phone",
        fields=(FieldMapping("Tier", TIER, rule),),
        winner="id",
        no_values=no_values,
    )
    found = match_columns(mapping, COLUMNS)
    assert found.targets == (
        Target("Last", 1, Rule(Kind.NAME, no_values=no_values), member="last_name"),
        Target("phone", 2, Rule(Kind.PHONE, no_values=no_values), member="phone"),
        Target("Tier", 3, rule, field=TIER),
    )
    assert (found.winner, found.wanted, found.no_values) == (4, ("EMail", "Last", "Phone", "Tier", "Id"), no_values)
    assert [warning.message for warning in found.warnings] == [
        "The column phone was found as Phone.",
        "The column id was found as Id.",
    ]


def test_what_only_labels_a_row_is_not_needed() -> None:
    mapping = Mapping("EMail", first_name="First", customer_id="Id", previous_customer_id="Last")
    found = match_columns(mapping, COLUMNS)
    assert (found.wanted, found.needed) == (("EMail", "First", "Id", "Last"), ("EMail", "First"))


def test_columns_are_found_by_name_each_once() -> None:
    assert [column.name for column in find_columns(["tier", "Id", "Tier"], COLUMNS)] == ["Tier", "Id"]
    with pytest.raises(Stop) as caught:
        find_columns(["Id", "Nobody"], COLUMNS)
    assert (caught.value.code, caught.value.message) == (
        "column_missing",
        f"The segment has no column Nobody among its {len(COLUMNS)}. Name one that it has.",
    )


def test_what_is_to_be_erased_is_sent_as_an_empty_text_whatever_the_field_takes() -> None:
    for field in (TIER, replace(TIER, type="date"), replace(TIER, type="text", options=None)):
        rule = resolved(field, whenEmpty={"clear": True}).rule
        assert (fit("", rule).text, fit(" NULL ", rule).text) == ("", "")
