"""Which addresses ActiveCampaign would refuse, and why."""

from __future__ import annotations

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts.addresses import address_of, email_flaw
from exporter.contacts.rules import Contact
from exporter.contacts.texts import Notice
from exporter.reasons import Reason
from tests.unit.contacts.columns import contact


@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("", Reason.MISSING_EMAIL),
        ("  \t\u00a0", Reason.MISSING_EMAIL),
        ("Yes", Reason.INVALID_EMAIL_NO_AT),
        ("No", Reason.INVALID_EMAIL_NO_AT),
        ("NULL", Reason.MISSING_EMAIL),
        ("-6854", Reason.INVALID_EMAIL_NO_AT),
        ("a@b@example.com", Reason.INVALID_EMAIL_SEVERAL),
        ("a@example.com;b@example.com", Reason.INVALID_EMAIL_SEVERAL),
        ("j\u00f6rg@example.com", Reason.INVALID_EMAIL_NOT_ASCII),
        ("\u212a@example.com", Reason.INVALID_EMAIL_NOT_ASCII),  # the Kelvin sign is a k in lower case
        ("o'brien@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ("a b@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ('"a"@example.com', Reason.INVALID_EMAIL_CHARACTER),
        ("a(b)@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ("a,b@example.com", Reason.INVALID_EMAIL_CHARACTER),
        ("a:b@example.com", Reason.INVALID_EMAIL_CHARACTER),
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
        ("a@xn--e1afmkfd.xn--p1ai", Reason.INVALID_EMAIL_DOMAIN),  # the documentation wants letters at the end
        ("a@\u043f\u0440\u0438\u043c\u0435\u0440.\u0440\u0444", Reason.INVALID_EMAIL_DOMAIN),
        ("a@exam_ple.com", Reason.INVALID_EMAIL_DOMAIN),
        ("a@example.com..", Reason.INVALID_EMAIL_DOMAIN),
        ("<a@example.com> <b@example.com>", Reason.INVALID_EMAIL_SEVERAL),
        ("j\u00f6rg@ex\u00e4mple.com", Reason.INVALID_EMAIL_NOT_ASCII),
        ("a@\u00e4..com", Reason.INVALID_EMAIL_NOT_ASCII),
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


@pytest.mark.parametrize(
    ("cell", "address", "notices"),
    [
        ("mailto:a@example.com", "a@example.com", [Notice.ADDRESS_CLEANED]),
        ("MAILTO:a@example.com?subject=Hi", "a@example.com", [Notice.ADDRESS_CLEANED]),
        ("Ada Lovelace <a@example.com>", "a@example.com", [Notice.ADDRESS_CLEANED]),
        ("<mailto:a@example.com>", "a@example.com", [Notice.ADDRESS_CLEANED]),
        ("a@example.com;", "a@example.com", [Notice.ADDRESS_CLEANED]),
        ("a@example.com ,", "a@example.com", [Notice.ADDRESS_CLEANED]),
        ("a@example.com.", "a@example.com", [Notice.ADDRESS_CLEANED]),
        ("\u200ba@exa\u200dmple.com\ufeff", "a@example.com", [Notice.INVISIBLE]),
        ("a\x00@example.com", "a@example.com", [Notice.CONTROL_CHARACTERS, Notice.INVISIBLE]),
        ("Ada <a@example.com>;", "a@example.com", [Notice.ADDRESS_CLEANED]),
        ("mailto:a%2Bb@example.com", "a+b@example.com", [Notice.ADDRESS_CLEANED]),
        ("a@\u043f\u0440\u0438\u043c\u0435\u0440.com", "a@xn--e1afmkfd.com", [Notice.PUNYCODE]),
        ("a@ex\u00e4mple.com", "a@xn--exmple-cua.com", [Notice.PUNYCODE]),
        ("a@EX\u00c4MPLE.com", "a@xn--exmple-cua.com", [Notice.PUNYCODE]),
        (" a@example.com ", "a@example.com", []),
    ],
)
def test_what_comes_with_an_address_is_cleaned_and_counted(cell: str, address: str, notices: list[Notice]) -> None:
    seen: set[Notice] = set()
    assert address_of(cell, seen) == address
    assert seen == set(notices)


@pytest.mark.parametrize("cell", ["j\u00f6rg@ex\u00e4mple.com", "a@b@ex\u00e4mple.com", "a@\u00e4..com"])
def test_a_domain_beyond_ascii_stays_where_the_address_is_none_anyway(cell: str) -> None:
    assert address_of(cell, set()) == cell


@pytest.mark.parametrize(("no_values", "address"), [({}, ""), ({"no_values": True}, ""), ({"no_values": False}, "n/a")])
def test_a_text_that_means_no_value_is_no_address(no_values: dict[str, bool], address: str) -> None:
    assert address_of(" n/a ", set(), **no_values) == address


@pytest.mark.parametrize(
    "cell",
    [
        *("mailto:", "Ada <>", "a@b;", "x@\u00e4", "mailto:a@example.com?\nb", "<mailto:a@example.com?\nb>"),
        *("<\u2003a@example.com>", "<mailto:\u2003a@example.com>", "a@example.com\u2003;"),
    ],
)
def test_what_is_no_address_when_cleaned_is_not_counted(cell: str) -> None:
    seen: set[Notice] = set()
    assert email_flaw(address_of(cell, seen)) is not None
    assert not seen
