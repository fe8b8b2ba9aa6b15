"""A row becomes a contact, or the reason why not."""

from __future__ import annotations

import orjson
import pytest

from exporter.contacts.matching import Consent, Field, FieldMapping, Mapping, match_columns
from exporter.contacts.rules import Contact, Unfit, contact_of
from exporter.contacts.texts import Notice
from exporter.contacts.values import Flaw, Kind, Rule
from exporter.reasons import Reason
from exporter.source.rows import Column
from tests.unit.contacts.columns import contact


def sent(**values: str) -> dict[str, object]:
    found = contact(**values)
    assert isinstance(found, Contact)
    body: dict[str, object] = orjson.loads(found.text + b"}")
    return body


def test_a_contact_has_what_is_mapped_and_nothing_else() -> None:
    assert sent(Last="Lovelace", Phone="007", Tier="gold", Tags="a;b", Id="secret") == {
        "email": "a@example.com",
        "first_name": "Ada",
        "last_name": "Lovelace",
        "phone": "007",
        "fields": [{"id": 7, "value": "gold"}, {"id": 8, "value": "||a||b||"}],
    }


@pytest.mark.parametrize("blank", ["", " ", "\t", "\u00a0", " \r\n"])
def test_a_blank_value_is_left_out_since_it_could_erase_what_is_there(blank: str) -> None:
    assert sent(First=blank, Tier=blank, Tags=f"{blank};{blank}") == {"email": "a@example.com"}


def test_what_merely_looks_blank_is_a_value() -> None:
    assert sent(First="\u2003", Tags="a\u2003;b") == {
        "email": "a@example.com",
        "first_name": "\u2003",
        "fields": [{"id": 8, "value": "||a\u2003||b||"}],
    }


@pytest.mark.parametrize(
    "value",
    ["=1+1", "+49 (30) 1", "-x", "@home", "<b>hi</b>", "\U0001f600", 'say "hi"', "a\nb\tc", "\\", "O\u2019Brien"],
)
def test_a_value_is_sent_as_it_is(value: str) -> None:
    assert sent(First=value)["first_name"] == value
    assert sent(Tier=value)["fields"] == [{"id": 7, "value": value}]
    found = contact(First=value)
    assert isinstance(found, Contact)
    assert not found.notices


def test_blanks_around_a_name_are_dropped_and_those_around_a_text_stay() -> None:
    found = contact(First=" Ada\u00a0", Tier=" gold ")
    assert isinstance(found, Contact)
    assert orjson.loads(found.text + b"}")["first_name"] == "Ada"
    assert orjson.loads(found.text + b"}")["fields"] == [{"id": 7, "value": " gold "}]
    assert found.notices == (Notice.TRIMMED,)


@pytest.mark.parametrize("control", ["\x00", "\x01", "\x1b", "\x7f", "\x9f"])
@pytest.mark.parametrize("column", ["First", "Phone", "Tier", "Tags"])
def test_control_characters_cost_nobody_anything(column: str, control: str) -> None:
    found = contact(**{column: f"a{control}b"})
    assert isinstance(found, Contact)
    assert found.notices == (Notice.CONTROL_CHARACTERS,)
    assert b"ab" in found.text


def test_control_characters_elsewhere_do_not_matter() -> None:
    assert isinstance(contact(Id="\x00"), Contact)


@pytest.mark.parametrize(
    ("value", "stored"),
    [("a", "||a||"), ("a;b", "||a||b||"), (" a ; ;b;", "||a||b||"), ("a,b", "||a,b||"), ("a b;c", "||a b||c||")],
)
def test_several_values_are_written_as_activecampaign_does(value: str, stored: str) -> None:
    assert sent(Tags=value)["fields"] == [{"id": 8, "value": stored}]


@pytest.mark.parametrize("value", ["a||b", "|a", "a|", "x;|;y"])
def test_a_value_that_would_be_taken_for_two_is_left_out(value: str) -> None:
    found = contact(Tags=value, Tier=value)
    assert isinstance(found, Contact)
    assert orjson.loads(found.text + b"}")["fields"] == [{"id": 7, "value": value}]
    assert found.unfit == (Unfit(4, Flaw.SEPARATOR_IN_VALUE, value),)
    assert found.filled == (True, False, False, True, False)


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("Yes", True),
        (" yes\u00a0", True),
        ("No", False),
        ("", False),
        ("Y", False),
        ("Yes\u2003", True),
        ("\u200bYes\x00", True),
    ],
)
def test_without_consent_nobody_is_sent(value: str, *, allowed: bool) -> None:
    found = contact(Consent=value)
    assert isinstance(found, Contact) if allowed else found is Reason.NO_CONSENT


@pytest.mark.parametrize("value", ["NULL", "null", "NaN", "N/A", " #N/A "])
def test_names_of_nothing_are_left_out_and_counted(value: str) -> None:
    found = contact(Last=value, Tier=value)
    assert isinstance(found, Contact)
    assert found.notices == (Notice.NO_VALUE,)
    assert orjson.loads(found.text + b"}") == {"email": "a@example.com", "first_name": "Ada"}


def test_people_may_be_called_null() -> None:
    rules = match_columns(
        Mapping("EMail", first_name="First", no_values=False), [Column("EMail", ""), Column("First", "")]
    )
    found = contact_of(["a@example.com", "Null"], rules)
    assert isinstance(found, Contact)
    assert orjson.loads(found.text + b"}")["first_name"] == "Null"
    assert contact_of(["n/a", "Null"], rules) is Reason.INVALID_EMAIL_NO_AT


def test_a_value_that_does_not_fit_is_not_logged() -> None:
    assert "Ada" not in repr(Unfit(4, Flaw.NOT_A_DATE, "Ada"))


@pytest.mark.parametrize(
    ("cell", "no_values", "empty"),
    [("", True, True), (" \u200b", True, True), ("NULL", True, True), ("NULL", False, False), ("no", True, False)],
)
def test_an_empty_consent_column_may_hold_what_means_no_value(cell: str, *, no_values: bool, empty: bool) -> None:
    for holds in (True, False):
        mapping = Mapping("EMail", consent=Consent("OptOut", "", holds=holds), no_values=no_values)
        rules = match_columns(mapping, [Column("EMail", ""), Column("OptOut", "")])
        allowed = not isinstance(contact_of(["a@example.com", cell], rules), Reason)
        assert allowed is (empty is holds)


def test_a_value_that_is_asked_for_is_not_another_that_means_nothing() -> None:
    rules = match_columns(Mapping("EMail", consent=Consent("Tier", "None")), [Column("EMail", ""), Column("Tier", "")])
    assert isinstance(contact_of(["a@example.com", "none"], rules), Contact)
    assert contact_of(["a@example.com", "NULL"], rules) is Reason.NO_CONSENT


def test_an_address_that_is_no_value_is_missing() -> None:
    assert contact(EMail=" NULL ") is Reason.MISSING_EMAIL


@pytest.mark.parametrize("value", ["-6854", "-6854.5", "1E+10", "4,9E+11", "4.93012e11"])
def test_a_phone_that_a_spreadsheet_damaged_is_left_out(value: str) -> None:
    found = contact(Phone=value)
    assert isinstance(found, Contact)
    assert b"phone" not in found.text
    assert found.unfit == (Unfit(2, Flaw.DAMAGED_PHONE, value),)


def test_a_phone_that_was_a_number_is_one_without_decimals() -> None:
    assert sent(Phone="31612345678.0")["phone"] == "31612345678"


def test_a_value_that_must_not_be_left_out_costs_the_row() -> None:
    rule = Rule(Kind.DATE, reject_row=True)
    lenient = FieldMapping("Seen", Field(2), Rule(Kind.DATE))
    mapping = Mapping("EMail", fields=(FieldMapping("Born", Field(1), rule), lenient))
    rules = match_columns(mapping, [Column("EMail", ""), Column("Born", ""), Column("Seen", "")])
    for value, rejected in (("1980-05-03", False), ("n/k", True), ("", False), ("NULL", False)):
        found = contact_of(["a@example.com", value, "n/k"], rules)
        assert isinstance(found, Contact)
        assert found.rejected is rejected


@pytest.mark.parametrize(
    "value",
    [
        "-6854x",
        "1E+10 ext. 2",
        "4.93012e11/1",
        "983.566.0706x9509",
        "001-811-506-2553x442",
        "(067)681-4908",
        "+49 30 1",
        "787699373",
    ],
)
def test_a_phone_of_any_usual_form_is_not_pointed_out(value: str) -> None:
    found = contact(Phone=value)
    assert isinstance(found, Contact)
    assert not found.notices
    assert sent(Phone=value)["phone"] == value


def test_a_contact_is_a_value_with_the_key_that_makes_two_equal() -> None:
    matched = match_columns(Mapping("EMail"), [Column("EMail", "string")])
    found = contact_of([" Ada@Example.COM "], matched)
    assert isinstance(found, Contact)
    assert found.key == "ada@example.com"
