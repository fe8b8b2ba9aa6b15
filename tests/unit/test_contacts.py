"""A row becomes a contact, or the reason why not; and what ActiveCampaign stores is what the file said."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts.addresses import email_flaw
from exporter.contacts.matching import FieldMapping, Mapping, Matched, match_columns
from exporter.contacts.rules import Contact, Notice, contact_of
from exporter.errors import Stop
from exporter.reasons import Reason
from exporter.source.rows import Column

COLUMNS = tuple(Column(name, "string") for name in ("Id", "EMail", "First", "Last", "Phone", "Tier", "Tags", "Consent"))
MAPPING = Mapping(
    email="EMail",
    first_name="First",
    last_name="Last",
    phone="Phone",
    fields=(FieldMapping("Tier", 7), FieldMapping("Tags", 8, multiple=True)),
    consent=("Consent", "Yes"),
)
ROW = {"Id": "1", "EMail": "a@example.com", "First": "Ada", "Consent": "Yes"}


def matched(mapping: Mapping = MAPPING) -> Matched:
    return match_columns(mapping, COLUMNS)


def contact(**values: str) -> Contact | Reason:
    row = ROW | values
    rules = matched()
    return contact_of([row.get(COLUMNS[place].name, "") for place in rules.wanted], rules)


def sent(**values: str) -> dict[str, object]:
    found = contact(**values)
    assert isinstance(found, Contact)
    body: dict[str, object] = orjson.loads(found.text + b"}")
    return body


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", Reason.MISSING_EMAIL),
        ("  \t\u00a0", Reason.MISSING_EMAIL),
        ("Yes", Reason.INVALID_EMAIL_NO_AT),
        ("No", Reason.INVALID_EMAIL_NO_AT),
        ("NULL", Reason.INVALID_EMAIL_NO_AT),
        ("-6854", Reason.INVALID_EMAIL_NO_AT),
        ("a@b@example.com", Reason.INVALID_EMAIL_SEVERAL),
        ("a@example.com;b@example.com", Reason.INVALID_EMAIL_SEVERAL),
        ("j\u00f6rg@example.com", Reason.INVALID_EMAIL_NOT_ASCII),
        ("a@ex\u00e4mple.com", Reason.INVALID_EMAIL_NOT_ASCII),
        ("\u212a@example.com", Reason.INVALID_EMAIL_NOT_ASCII),  # the Kelvin sign is a k in lower case
        ("o'brien@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ("a b@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ('"a"@example.com', Reason.INVALID_EMAIL_CHARACTER),
        ("a\x00@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ("a(b)@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ("a,b@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ("a:b@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ("<a@example.com>", Reason.INVALID_EMAIL_CHARACTER),
        ("a[1]@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ("a\\b@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ("@example.com", Reason.INVALID_EMAIL_LOCAL_PART),
        (".a@example.com", Reason.INVALID_EMAIL_LOCAL_PART),
        ("a.@example.com", Reason.INVALID_EMAIL_LOCAL_PART),
        ("a..b@example.com", Reason.INVALID_EMAIL_LOCAL_PART),
        ("a@localhost", Reason.INVALID_EMAIL_DOMAIN),
        ("a@", Reason.INVALID_EMAIL_DOMAIN),
        ("a@example.c", Reason.INVALID_EMAIL_DOMAIN),
        ("a@example.c0m", Reason.INVALID_EMAIL_DOMAIN),
        ("a@example..com", Reason.INVALID_EMAIL_DOMAIN),
        ("a@-example.com", Reason.INVALID_EMAIL_DOMAIN),
        ("a@exam_ple.com", Reason.INVALID_EMAIL_DOMAIN),
        ("a@example.com.", Reason.INVALID_EMAIL_DOMAIN),
        ("a@[127.0.0.1]", Reason.INVALID_EMAIL_DOMAIN),
        ("a@" + "b" * 64 + ".com", Reason.INVALID_EMAIL_DOMAIN),
        ("a@example." + "b" * 64, Reason.INVALID_EMAIL_DOMAIN),
        ("a@example.com-", Reason.INVALID_EMAIL_DOMAIN),
        ("a@example.com1", Reason.INVALID_EMAIL_DOMAIN),
        ("a'@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ("\u2003a@example.com", Reason.INVALID_EMAIL_NOT_ASCII),  # only usual blanks are trimmed
        ("x" * 65 + "@example.com", Reason.INVALID_EMAIL_TOO_LONG),
        ("a@" + "b.c" * 84 + ".com", Reason.INVALID_EMAIL_TOO_LONG),
        ("a@" + f"{'b' * 61}." * 4 + "comxx", Reason.INVALID_EMAIL_TOO_LONG),  # 255 characters
    ],
)
def test_an_address_that_activecampaign_would_refuse_has_its_reason(address: str, reason: Reason) -> None:
    assert contact(EMail=address) is reason


@pytest.mark.parametrize(
    "address",
    ["a@example.com", "A.B+c@Example.COM", "!#$%&*+/=?^_`{|}~-@x.org", "a@1.2.example.co", "x" * 64 + "@example.com",
     "a@" + "b" * 63 + ".museum", "a@xn--exmple-cua.com", "a@example." + "b" * 63, "a@example.co", "XaX@example.maX",
     "a@" + f"{'b' * 61}." * 4 + "comx"],  # the last one has 254 characters
)  # fmt: skip
def test_an_address_that_is_in_order_is_a_contact(address: str) -> None:
    found = contact(EMail=f" {address}\u00a0")
    assert isinstance(found, Contact)
    assert found.key == address.lower()
    assert orjson.loads(found.text + b"}")["email"] == address


@given(st.text(max_size=80) | st.from_regex(r"[ -~]{0,70}@[ -~]{0,70}", fullmatch=True))
def test_what_passes_keeps_all_rules_that_activecampaign_documents(address: str) -> None:
    if email_flaw(address) is None:
        local, domain = address.split("@")
        assert local
        assert not set(local) & set("\"(),:;<>@[\\]' ")
        assert domain.rpartition(".")[2].isalpha()
        assert len(domain.rpartition(".")[2]) >= 2
        assert address.isascii()


def test_an_address_of_any_length_is_judged_at_once() -> None:
    assert email_flaw("a." * 500_000 + "@" + "b-" * 500_000) is Reason.INVALID_EMAIL_TOO_LONG


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
    ["=1+1", "+49 (30) 1", "-x", "@home", "<b>hi</b>", "\U0001f600", "  Ada  ", 'say "hi"', "a\nb\tc", "\\", "\u2028"],
)
def test_a_value_is_sent_as_it_is(value: str) -> None:
    assert sent(First=value)["first_name"] == value
    assert sent(Tier=value)["fields"] == [{"id": 7, "value": value}]


@pytest.mark.parametrize("control", ["\x00", "\x01", "\x0b", "\x1b", "\x7f", "\x85", "\x9f"])
@pytest.mark.parametrize("column", ["First", "Phone", "Tier", "Tags"])
def test_control_characters_are_not_sent(column: str, control: str) -> None:
    assert contact(**{column: f"a{control}b"}) is Reason.CONTROL_CHARACTER


def test_control_characters_elsewhere_do_not_matter() -> None:
    assert isinstance(contact(Id="\x00"), Contact)


@pytest.mark.parametrize(
    ("value", "stored"),
    [("a", "||a||"), ("a;b", "||a||b||"), (" a ; ;b;", "||a||b||"), ("a,b", "||a,b||"), ("a b;c", "||a b||c||")],
)
def test_several_values_are_written_as_activecampaign_does(value: str, stored: str) -> None:
    assert sent(Tags=value)["fields"] == [{"id": 8, "value": stored}]


@pytest.mark.parametrize("value", ["a||b", "|a", "a|", "x;|;y"])
def test_a_value_that_would_be_taken_for_two_is_refused(value: str) -> None:
    assert contact(Tags=value) is Reason.SEPARATOR_IN_VALUE
    assert isinstance(contact(Tier=value), Contact)


@pytest.mark.parametrize(
    ("value", "allowed"),
    [
        ("Yes", True),
        (" yes\u00a0", True),
        ("No", False),
        ("", False),
        ("Y", False),
        ("ye\u017f", False),
        ("Yes\u2003", False),
    ],
)
def test_without_consent_nobody_is_sent(value: str, *, allowed: bool) -> None:
    found = contact(Consent=value)
    assert isinstance(found, Contact) if allowed else found is Reason.NO_CONSENT


@pytest.mark.parametrize("value", ["NULL", "null", "NaN", "N/A", "#N/A"])
def test_names_of_nothing_are_sent_and_pointed_out(value: str) -> None:
    found = contact(Last=value)
    assert isinstance(found, Contact)
    assert found.notices == (Notice.NULL_TEXT,)
    assert sent(Last=value)["last_name"] == value


@pytest.mark.parametrize("value", ["-6854", "-6854.5", "1E+10", "4,9E+11", "4.93012e11"])
def test_a_phone_that_a_spreadsheet_damaged_is_sent_and_pointed_out(value: str) -> None:
    found = contact(Phone=value)
    assert isinstance(found, Contact)
    assert found.notices == (Notice.DAMAGED_PHONE,)


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


# Columns.


def test_rows_are_labeled_by_the_customer_ids_where_a_segment_has_them() -> None:
    columns = [Column(name, "string") for name in ("PreviousCustomerId", "EMail", "CustomerId")]
    found = match_columns(Mapping("EMail"), columns)
    assert (found.wanted, found.customer_id, found.previous_customer_id) == ((1, 2, 0), 1, 2)
    found = match_columns(Mapping("EMail"), COLUMNS)
    assert (found.customer_id, found.previous_customer_id) == (None, None)
    found = match_columns(Mapping("EMail", customer_id=None, previous_customer_id="Id"), COLUMNS)
    assert (found.wanted, found.customer_id, found.previous_customer_id) == ((1, 0), None, 1)


def test_a_column_in_another_case_is_found_with_a_warning() -> None:
    found = match_columns(Mapping("email"), COLUMNS)
    assert found.wanted == (1,)
    assert found.warnings == ("The column email was found as EMail.",)


def test_the_exact_spelling_wins() -> None:
    columns = [Column("EMAIL", "string"), Column("EMail", "string")]
    assert match_columns(Mapping("EMail"), columns).wanted == (1,)


def test_only_what_is_mapped_is_wanted_and_each_column_once() -> None:
    mapping = Mapping("EMail", first_name="First", fields=(FieldMapping("First", 1), FieldMapping("EMail", 2)))
    assert match_columns(mapping, COLUMNS).wanted == (1, 2)


@pytest.mark.parametrize(
    ("mapping", "code"),
    [
        (Mapping("Mail"), "email_column_missing"),
        (Mapping("EMail", phone="Mobile"), "column_missing"),
        (Mapping("EMail", consent=("Newsletter", "Yes")), "column_missing"),
        (Mapping("EMail", fields=(FieldMapping("Rank", 1),)), "column_missing"),
        (Mapping("EMail", fields=(FieldMapping("First", 1), FieldMapping("Last", 1))), "field_mapped_twice"),
    ],
)
def test_a_mapping_that_does_not_fit_is_refused_with_the_columns_that_are_there(mapping: Mapping, code: str) -> None:
    with pytest.raises(Stop) as caught:
        match_columns(mapping, COLUMNS)
    assert caught.value.code == code
    assert "Id, EMail, First" in caught.value.message or code == "field_mapped_twice"


@pytest.mark.parametrize("names", [("EMail", "EMail"), ("EMAIL", "email")])
def test_a_column_that_is_there_twice_is_refused(names: tuple[str, ...]) -> None:
    with pytest.raises(Stop) as caught:
        match_columns(Mapping("EMail"), [Column(name, "string") for name in names])
    assert caught.value.code == "column_ambiguous"


def test_the_field_that_is_mapped_twice_is_named() -> None:
    with pytest.raises(Stop, match="the ActiveCampaign field 3"):
        match_columns(Mapping("EMail", fields=(FieldMapping("First", 1), *[FieldMapping("Last", 3)] * 2)), COLUMNS)


@pytest.mark.parametrize(("count", "end"), [(50, "c48, c49."), (51, "c48, c49 and 1 more."), (2_000, "and 1950 more.")])
def test_a_message_lists_a_bounded_number_of_columns(count: int, end: str) -> None:
    with pytest.raises(Stop) as caught:
        match_columns(Mapping("EMail"), [Column(f"c{number}", "string") for number in range(count)])
    assert caught.value.message.endswith(end)
