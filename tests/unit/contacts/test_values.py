"""A value is made to fit its field, or the reason is told why it does not."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts.texts import Notice
from exporter.contacts.values import ANY_TEXT, KINDS, Choices, Fitted, Flaw, Kind, Rule, fit

TIERS = Choices(("Bronze", "Silver", "Gold"))
DRINKS = Choices(("Coffee", "Tea", "Cocoa"))


def fitted(kind: Kind, value: str, **about: Any) -> str | Flaw | None:
    found = fit(value, Rule(kind, **about))
    return found.flaw or found.text


def test_what_is_wrong_has_a_stable_code_and_a_sentence() -> None:
    assert [flaw.value for flaw in Flaw] == [
        *("not_a_date", "date_order_unknown", "placeholder_date"),
        *("not_an_option", "option_gone", "option_ambiguous", "yes_unknown", "not_a_list", "separator_in_value"),
        *("not_a_number", "decimal_mark_unknown", "damaged_phone"),
    ]
    assert all(flaw.explanation.endswith(".") for flaw in Flaw)


def test_an_export_that_says_nothing_has_its_texts_sent_as_they_are() -> None:
    assert Rule(Kind.TEXT, reject_row=False) == ANY_TEXT
    assert fitted(Kind.TEXT, " a||b ") == " a||b "


@pytest.mark.parametrize(
    ("value", "day"),
    [
        ("1980-05-03", "1980-05-03"),
        ("1980-05-03T00:00:00.0000000Z", "1980-05-03"),
        ("1980-05-03T00:00:00", "1980-05-03"),
        ("1980-05-03 23:59:59.123456789", "1980-05-03"),
        ("1980-05-03T23:00:00-05:00", "1980-05-03"),
        ("1980-05-03T01:00+0700", "1980-05-03"),
        ("1980/5/3", "1980-05-03"),
        ("1980.05.03", "1980-05-03"),
        ("19800503", "1980-05-03"),
        ("3 May 1980", "1980-05-03"),
        ("03-May-1980", "1980-05-03"),
        ("May 3, 1980", "1980-05-03"),
        ("May  3 1980 12:00AM", "1980-05-03"),
        ("Sept 3, 1980", "1980-09-03"),
        ("Sat, 03 May 1980 08:15:00 GMT", "1980-05-03"),
        ("2024-02-29", "2024-02-29"),
        ("May 3rd, 1980", "1980-05-03"),
        ("1980-05-03, 10:15:00\u202fAM", "1980-05-03"),
        ("1980-05-03T10:00:00+01:00[Europe/Paris]", "1980-05-03"),
        ("1980-05-03 10:00:00 +0000 UTC", "1980-05-03"),
        ("9999-12-31", "9999-12-31"),
        (" 1980-05-03 ", "1980-05-03"),
        ("1000-01-01", "1000-01-01"),
    ],
)
def test_a_date_is_written_as_activecampaign_takes_it(value: str, day: str) -> None:
    assert fitted(Kind.DATE, value) == day


@pytest.mark.parametrize(
    "value",
    [
        *(
            "n/k",
            "true",
            "29344",
            "1980-13-03",
            "1980-02-30",
            "2023-02-29",
            "1980-05",
            "80-05-03",
            "1980503",
            "0980-05-03",
        ),
        *("May 1980", "3 Mai 1980", "Ma 3 1980", "1980-05-03T25:00:00", "1980-05-03T08:60:00", "1980-05-03 13:00 PM"),
        *("1980113", "1980-05-03x", "5/3/1980x", "3 May 1980x", "May 3, 1980x", "\u0665.3.1980", "\u0663 May 1980"),
        *(
            "May \u0663, 1980",
            "May 3, 198\u0660",
            "1980-05-03 08:15:60",
            "1980-05-03 08:15+07:60",
            "1980-05-03 08:15+07:75",
        ),
        *(
            "1980-05/03",
            "1980-05-03T08:15:00+15:00",
            "1980-05-03T",
            "1980-05-03 0:00 AM",
            "31/31/1980",
            "\u0661980-05-03",
        ),
    ],
)
def test_what_is_no_date_does_not_fit(value: str) -> None:
    assert fitted(Kind.DATE, value, date_order="dmy") is Flaw.NOT_A_DATE
    assert fitted(Kind.DATETIME, value) is Flaw.NOT_A_DATE


@pytest.mark.parametrize("length", [3, 4, 9])
def test_a_month_may_be_named_in_full_or_by_its_first_letters(length: int) -> None:
    for month in range(1, 13):
        name = f"{date(1980, month, 3):%B}"[:length]
        assert (
            fitted(Kind.DATE, f"3 {name} 1980") == fitted(Kind.DATE, f"{name.upper()} 3, 1980") == f"1980-{month:02}-03"
        )


@pytest.mark.parametrize(
    "value", ["0001-01-01T00:00:00", "1753-01-01", "1899-12-30", "1900-01-01", "1/1/0001", "30.12.1899"]
)
def test_a_date_that_stands_for_none_is_told_apart(value: str) -> None:
    assert fitted(Kind.DATE, value, date_order="dmy") is Flaw.PLACEHOLDER_DATE
    assert fitted(Kind.DATE, value) is Flaw.PLACEHOLDER_DATE


@pytest.mark.parametrize("value", ["5/3/1980 12:00:00 AM", "05.03.1980", "5-3-1980", "25/12/1980", "5 3 1980"])
def test_which_comes_first_day_or_month_is_never_guessed(value: str) -> None:
    assert fitted(Kind.DATE, value) is Flaw.DATE_ORDER_UNKNOWN


@pytest.mark.parametrize(
    ("value", "order", "day"),
    [
        ("5/3/1980 12:00:00 AM", "mdy", "1980-05-03"),
        ("5/3/1980 12:00:00 AM", "dmy", "1980-03-05"),
        ("25.12.1980", "dmy", "1980-12-25"),
        ("25.12.1980", "mdy", Flaw.NOT_A_DATE),
        ("1980-05-03", "mdy", "1980-05-03"),
    ],
)
def test_the_export_says_which_comes_first(value: str, order: str, day: str | Flaw) -> None:
    assert fitted(Kind.DATE, value, date_order=order) == day
    assert fitted(Kind.DATETIME, value, date_order=order) == (f"{day}T00:00:00+00:00" if isinstance(day, str) else day)


@pytest.mark.parametrize(
    ("value", "zone", "moment"),
    [
        ("2026-11-20 08:15:00", "UTC", "2026-11-20T08:15:00+00:00"),
        ("2026-11-20T08:15:00.0000000Z", "Asia/Jakarta", "2026-11-20T08:15:00+00:00"),
        ("2026-11-20T08:15:00+07:00", "UTC", "2026-11-20T08:15:00+07:00"),
        ("2026-11-20T08:15:00-0330", "UTC", "2026-11-20T08:15:00-03:30"),
        ("2026-11-20", "UTC", "2026-11-20T00:00:00+00:00"),
        ("2026-11-20", "Asia/Jakarta", "2026-11-20T00:00:00+07:00"),
        ("2026-11-20 08:15", "Europe/Amsterdam", "2026-11-20T08:15:00+01:00"),
        ("2026-07-20 08:15", "Europe/Amsterdam", "2026-07-20T08:15:00+02:00"),
        ("2026-07-20 08:15", "America/St_Johns", "2026-07-20T08:15:00-02:30"),
        ("2026-11-20 08:15 UTC", "Asia/Jakarta", "2026-11-20T08:15:00+00:00"),
        ("2026-11-20 08:15z", "Asia/Jakarta", "2026-11-20T08:15:00+00:00"),
        ("2026-11-20 08:15+07", "UTC", "2026-11-20T08:15:00+07:00"),
        ("2026-11-20 08:15+07:59", "UTC", "2026-11-20T08:15:00+07:59"),
        ("2026-11-20 08:15 -05", "UTC", "2026-11-20T08:15:00-05:00"),
        ("1880-01-01", "America/New_York", "1880-01-01T00:00:00-04:57"),  # 4:56:02 behind, before there were zones
        ("2026-11-20 1:15 AM", "UTC", "2026-11-20T01:15:00+00:00"),
        ("2026-11-20 1:15 P.M.", "UTC", "2026-11-20T13:15:00+00:00"),
        ("2026-11-20 8:15:30 PM", "UTC", "2026-11-20T20:15:30+00:00"),
        ("2026-11-20 12:15 am", "UTC", "2026-11-20T00:15:00+00:00"),
        ("2026-11-20 12:15 p.m.", "UTC", "2026-11-20T12:15:00+00:00"),
    ],
)
def test_a_time_has_its_own_zone_or_that_of_the_export(value: str, zone: str, moment: str) -> None:
    assert fitted(Kind.DATETIME, value, zone=zone) == moment


@given(
    st.datetimes(min_value=datetime(1900, 1, 2), max_value=datetime(9999, 12, 30)),  # noqa: DTZ001 - its zone is drawn
    st.none() | st.integers(-14 * 60, 14 * 60),
)
def test_every_moment_in_iso_format_is_read_as_what_it_is(moment: datetime, minutes: int | None) -> None:
    zone = None if minutes is None else timezone(timedelta(minutes=minutes))
    written = moment.replace(tzinfo=zone).isoformat()
    expected = moment.replace(microsecond=0, tzinfo=zone or timezone.utc)  # noqa: UP017 - as above
    assert fitted(Kind.DATETIME, written) == expected.isoformat()
    assert fitted(Kind.DATE, written) == moment.date().isoformat()


@given(st.dates(min_value=date(1900, 1, 2)), st.sampled_from("/.- "))
def test_a_day_is_the_same_in_every_order_that_is_stated(day: date, mark: str) -> None:
    first, second = f"{day.day}{mark}{day.month}{mark}{day.year}", f"{day.month}{mark}{day.day}{mark}{day.year}"
    assert fitted(Kind.DATE, first, date_order="dmy") == fitted(Kind.DATE, second, date_order="mdy") == day.isoformat()


@pytest.mark.parametrize(
    ("value", "option"),
    [
        ("Gold", "Gold"),
        ("gold", "Gold"),
        ("Gold ", "Gold"),
        (" GOLD\u00a0", "Gold"),
        ("Platinum", Flaw.NOT_AN_OPTION),
        ("3", Flaw.NOT_AN_OPTION),
        ("Gold;Silver", Flaw.NOT_AN_OPTION),
        ("true", Flaw.NOT_AN_OPTION),
        ("1", Flaw.NOT_AN_OPTION),
        ("", None),
        ("NULL", None),
    ],
)
def test_a_choice_is_an_option_of_the_field_whatever_its_case(value: str, option: str | Flaw | None) -> None:
    assert fitted(Kind.OPTION, value, choices=TIERS) == option


def test_an_option_may_be_what_else_means_no_value() -> None:
    assert fitted(Kind.OPTION, "none", choices=Choices(("None", "Some"))) == "None"
    assert fitted(Kind.OPTIONS, "N/A", choices=Choices(("N/A",))) == "||N/A||"


def test_choices_are_equal_when_they_were_made_from_the_same() -> None:
    made = [Choices(("a",)), Choices(("b",)), Choices(("a",), ("1",)), Choices(("a",), ("1",), ("c",))]
    assert len({*made, *made, Choices(("a",))}) == len(made)
    assert len({hash(one) for one in made}) == len(made)
    assert made[0] != ("a",)


def test_options_that_differ_in_case_only_are_told_apart_by_it() -> None:
    both = Choices(("gold", "Gold"))
    assert fitted(Kind.OPTION, "Gold", choices=both) == "Gold"
    assert fitted(Kind.OPTION, "gold", choices=both) == "gold"
    assert fitted(Kind.OPTION, "GOLD", choices=both) is Flaw.OPTION_AMBIGUOUS


def test_an_option_of_the_last_run_that_is_gone_is_told_apart() -> None:
    assert fitted(Kind.OPTION, "vip", choices=Choices(("Gold",), former=("VIP", "Gold"))) is Flaw.OPTION_GONE
    assert fitted(Kind.OPTION, "gold", choices=Choices(("Gold",), former=("VIP", "Gold"))) == "Gold"


@pytest.mark.parametrize(
    ("value", "separator", "stored"),
    [
        ("Coffee,Tea", ",", "||Coffee||Tea||"),
        ("coffee | TEA", "|", "||Coffee||Tea||"),
        ('["Coffee","Tea"]', "json", "||Coffee||Tea||"),
        ("[]", "json", None),
        ('["Coffee", null]', "json", "||Coffee||"),
        ('["Coffee", 1]', "json", Flaw.NOT_AN_OPTION),
        ("Coffee", "json", "||Coffee||"),
        ("Tea; Cocoa;", ";", "||Tea||Cocoa||"),
        ("||Coffee||Tea||", ",", "||Coffee||Tea||"),
        ("||", ";", None),
        ("Tea;Tea", ";", "||Tea||"),
        ("Tea", ";", "||Tea||"),
        ("Coffee;Wine", ";", Flaw.NOT_AN_OPTION),
        ("Coffee,Tea", ";", Flaw.NOT_AN_OPTION),
        ("Coffee;Tea", "json", "||Coffee||Tea||"),
        ("Coffee;Wine", "json", Flaw.NOT_A_LIST),
        ("Coffee;Tea", ",", "||Coffee||Tea||"),
        ("Coffee;NULL;Tea", ";", "||Coffee||Tea||"),
        ('{"Coffee": 1}', "json", Flaw.NOT_A_LIST),
        ('[["Coffee"]]', "json", Flaw.NOT_A_LIST),
        ("[" * 100_000, "json", Flaw.NOT_A_LIST),
    ],
)
def test_each_part_of_a_list_is_an_option(value: str, separator: str, stored: str | Flaw | None) -> None:
    assert fitted(Kind.OPTIONS, value, choices=DRINKS, separator=separator) == stored


def test_an_option_may_hold_the_separator() -> None:
    choices = Choices(("Coffee, black", "Tea"))
    assert fitted(Kind.OPTIONS, "coffee, black", choices=choices, separator=",") == "||Coffee, black||"


@pytest.mark.parametrize("value", [r'["\ud800"]', r'["a\u0000"]'])
def test_a_list_as_json_brings_nothing_that_cannot_be_sent(value: str) -> None:
    found = fitted(Kind.OPTIONS, value, separator="json")
    assert found is Flaw.NOT_A_LIST or found == "||a||"


YES = Choices(("Yes",), ("true", "1", "Y"))


@pytest.mark.parametrize("value", ["true", "TRUE", "1", "y", "Yes", " yes "])
def test_what_the_export_says_means_yes(value: str) -> None:
    assert fitted(Kind.OPTIONS, value, choices=YES) == "||Yes||"
    assert fitted(Kind.OPTION, value, choices=YES) == "Yes"


@pytest.mark.parametrize("value", ["true", "1", "Y", "yes", "T", "on", "false", "0", "n", "no", "F", "off"])
def test_without_that_nobody_knows(value: str) -> None:
    assert fitted(Kind.OPTIONS, value, choices=Choices(("Subscribed",))) is Flaw.YES_UNKNOWN


@pytest.mark.parametrize("value", ["false", "0", "No", "n", "F", "off"])
def test_no_is_an_option_or_nothing(value: str) -> None:
    assert fitted(Kind.OPTIONS, value, choices=YES) is None
    assert fitted(Kind.OPTION, value, choices=Choices(("Yes", "No"), ("true",))) == "No"


def test_yes_is_the_only_option_or_the_one_that_is_called_so() -> None:
    assert Choices(("Subscribed",), ("1",)).yes == "Subscribed"
    assert Choices(("No", "Yes"), ("1",)).yes == "Yes"
    assert Choices(("Nein", "Ja"), ("1", "ja")).yes == "Ja"
    assert Choices(("Bronze", "Gold"), ("1",)).yes is None


@pytest.mark.parametrize(
    ("value", "mark", "number"),
    [
        ("1234", None, "1234"),
        ("-12.50", None, "-12.50"),
        ("31612345678.0", None, "31612345678"),
        ("007", None, "7"),
        (".5", None, "0.5"),
        ("-0", None, "0"),
        ("+3", None, "3"),
        ("1,234.50", None, "1234.50"),
        ("1.234,50", None, "1234.50"),
        ("12,5", None, "12.5"),
        ("1,234,567", None, "1234567"),
        ("1.234.567", None, "1234567"),
        ("1'234.5", None, "1234.5"),
        ("1\u00a0234,5", None, "1234.5"),
        ("1,234", None, Flaw.DECIMAL_MARK_UNKNOWN),
        ("1,234", ".", "1234"),
        ("1,234", ",", "1.234"),
        ("1.234", None, "1.234"),
        ("1.234", ",", "1234"),
        ("1.23", ",", Flaw.NOT_A_NUMBER),
        ("\u20ac 12,50", None, "12.50"),
        ("12.50 EUR", None, "12.50"),
        ("Rp 1.000.000", None, "1000000"),
        ("Rp 150.000", None, Flaw.DECIMAL_MARK_UNKNOWN),
        ("12.500 EUR", ",", "12500"),
        ("1.5e3", None, "1500"),
        ("1.5E3", None, "1500"),
        ("1.5e3x", None, Flaw.NOT_A_NUMBER),
        ("\u0661e3", None, Flaw.NOT_A_NUMBER),
        ("1,\u0662\u0663\u0664", None, Flaw.NOT_A_NUMBER),
        ("1\u202f234,5", None, "1234.5"),
        ("1\u2019234.5", None, "1234.5"),
        ("1,2345", None, "1.2345"),
        ("1,234x", None, Flaw.NOT_A_NUMBER),
        ("1,2345.5", None, Flaw.NOT_A_NUMBER),
        ("1,234,567.5.5", None, Flaw.NOT_A_NUMBER),
        ("12 X", None, Flaw.NOT_A_NUMBER),
        ("$\u200312", None, Flaw.NOT_A_NUMBER),
        ("$ 12 EUR", None, Flaw.NOT_A_NUMBER),
        ("\u22125", None, "-5"),
        ("12 kg", None, Flaw.NOT_A_NUMBER),
        ("true", None, Flaw.NOT_A_NUMBER),
        ("1-2", None, Flaw.NOT_A_NUMBER),
        ("1,23,4.5", None, Flaw.NOT_A_NUMBER),
        (".", None, Flaw.NOT_A_NUMBER),
        ("9" * 30, None, "9" * 30),
        ("9" * 31, None, Flaw.NOT_A_NUMBER),
        ("1e99", None, Flaw.NOT_A_NUMBER),
        ("NaN", None, None),
        ("inf", None, Flaw.NOT_A_NUMBER),
        ("\u0661", None, Flaw.NOT_A_NUMBER),
    ],
)
def test_a_number_is_written_in_plain_digits(value: str, mark: str | None, number: str | Flaw | None) -> None:
    assert fitted(Kind.NUMBER, value, decimal_mark=mark) == number


@given(st.decimals(allow_nan=False, allow_infinity=False, places=3, min_value=-(10**12), max_value=10**12))
def test_a_number_keeps_its_value(number: Decimal) -> None:
    found = fitted(Kind.NUMBER, str(number))
    assert isinstance(found, str)
    assert Decimal(found) == number
    grouped = f"{number:,}".replace(",", " ").replace(".", ",")
    assert fitted(Kind.NUMBER, grouped, decimal_mark=",") == found


@pytest.mark.parametrize(
    ("value", "phone"),
    [
        ("+44 1632 960001", "+44 1632 960001"),
        ("31612345678.0", "31612345678"),
        ("31612345678.01", "31612345678.01"),
        *((value, Flaw.DAMAGED_PHONE) for value in ("-6854", "-6854.5", "1E+10", "4,9E+11", "4.93012e11")),
        *((value, value) for value in ("-6854x", "1E+10 x", "4.93012e11/1", "x-6854")),
    ],
)
def test_a_phone_number_is_sent_as_it_is_unless_its_digits_are_lost(value: str, phone: str | Flaw) -> None:
    assert fitted(Kind.PHONE, value) == phone


@pytest.mark.parametrize("kind", Kind)
@pytest.mark.parametrize("value", ["", "  ", "NULL", " n/a ", "#REF!", "\u200b"])
def test_nothing_is_sent_for_nothing_unless_the_export_says_what(kind: Kind, value: str) -> None:
    assert fitted(kind, value) is None
    assert fitted(kind, value, when_empty="x") == "x"


def test_a_value_that_does_not_fit_is_not_taken_for_an_empty_one() -> None:
    assert fitted(Kind.DATE, "n/k", when_empty="2000-01-01") is Flaw.NOT_A_DATE


def test_what_was_cleaned_is_told() -> None:
    assert fit("NULL", Rule(Kind.NAME)).notices == {Notice.NO_VALUE}
    assert fit(" Ada ", Rule(Kind.NAME)).notices == {Notice.TRIMMED}
    assert fit("1.0", Rule(Kind.PHONE)).notices == {Notice.WHOLE_NUMBER}
    assert fitted(Kind.NAME, " Ada ") == "Ada"
    assert fit("a\x00", Rule()) == Fitted("a", None, frozenset({Notice.CONTROL_CHARACTERS}))
    assert fit("n/k\x00", Rule(Kind.DATE)) == Fitted(None, Flaw.NOT_A_DATE, frozenset({Notice.CONTROL_CHARACTERS}))
    assert fit("a", Rule()) == Fitted("a", None, frozenset())


def test_where_nobody_knows_the_options_any_text_fits() -> None:
    assert fitted(Kind.OPTION, "whatever") == "whatever"
    assert fitted(Kind.OPTIONS, "a;b") == "||a||b||"
    assert fitted(Kind.OPTIONS, "[true, false, 1, 2.5]", separator="json") == "||true||false||1||2.5||"


@pytest.mark.parametrize("value", ["||a;b", "a;b||"])
def test_only_a_list_as_activecampaign_writes_it_has_its_separator_on_both_sides(value: str) -> None:
    assert fitted(Kind.OPTIONS, value) is Flaw.SEPARATOR_IN_VALUE


def test_only_usual_blanks_are_dropped() -> None:
    assert fitted(Kind.NAME, " \u2003 ") == "\u2003"
    assert fitted(Kind.OPTIONS, "a\u2003; b ") == "||a\u2003||b||"


def test_every_type_of_field_is_known_by_what_it_takes() -> None:
    assert KINDS.keys() == {
        *("text", "textarea", "hidden", "date", "datetime", "dropdown", "radio"),
        *("checkbox", "listbox", "multiselect", "number", "currency"),
    }


@given(st.sampled_from(list(Kind)), st.text(), st.sampled_from([None, TIERS, YES]))
def test_what_is_sent_has_neither_control_characters_nor_anything_that_cannot_be_sent(
    kind: Kind, value: str, choices: Choices | None
) -> None:
    found = fit(value, Rule(kind, choices, separator="json"))
    assert (found.text is None) or (found.flaw is None)
    assert found.text is None or found.text.encode()


def test_parts_of_a_list_that_mean_no_value_are_no_parts_and_no_no() -> None:
    assert fit("NULL; nan", Rule(Kind.OPTIONS, DRINKS)) == Fitted(None, None, frozenset({Notice.NO_VALUE}))
    assert fit("Tea;NULL", Rule(Kind.OPTIONS)).text == "||Tea||"
    assert fit("Tea;NULL", Rule(Kind.OPTIONS, DRINKS, no_values=False)).flaw is Flaw.NOT_AN_OPTION
