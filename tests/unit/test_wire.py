"""Hosts, bodies and requests."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.activecampaign import bodies, hosts, wire
from exporter.activecampaign.bodies import Envelope, envelope
from exporter.activecampaign.hosts import check_host
from exporter.activecampaign.wire import Kind, Request
from exporter.errors import Stop

GOOD_HOSTS = {
    "acme.api-us1.com": "acme.api-us1.com",
    "acme.activehosted.com": "acme.activehosted.com",
    "https://acme.api-us1.com": "acme.api-us1.com",
    "https://acme.api-us1.com/": "acme.api-us1.com",
    "acme.api-us1.com/": "acme.api-us1.com",
    "HTTPS://Acme.API-us1.COM/": "acme.api-us1.com",
    "a.api-us1.com": "a.api-us1.com",
    "acme-2-eu.api-us1.com": "acme-2-eu.api-us1.com",
    "1234567.activehosted.com": "1234567.activehosted.com",
    "a" * 63 + ".api-us1.com": "a" * 63 + ".api-us1.com",
}

BAD_HOSTS = [
    "",
    " ",
    "/",
    "https://",
    "acme",
    "api-us1.com",
    ".api-us1.com",
    "https://.api-us1.com",
    "acme.api-us1.com.",
    "acme..api-us1.com",
    "acme.api-us1.com.evil.example",
    "acme.api-us1.com-evil.example",
    "evilapi-us1.com",
    "acme.evilapi-us1.com",
    "acme.api-us2.com",
    "acme.api-eu1.com",
    "acme.api-us1.co",
    "acme.api-us1.com.com",
    "acme.example.com",
    "eu.acme.api-us1.com",
    "www.acme.activehosted.com",
    "http://acme.api-us1.com",
    "ftp://acme.api-us1.com",
    "file:///etc/passwd",
    "//acme.api-us1.com",
    "https:/acme.api-us1.com",
    "https:acme.api-us1.com",
    "https:///acme.api-us1.com",
    "https://https://acme.api-us1.com",
    "javascript:alert(1)",
    "user@acme.api-us1.com",
    "user:secret@acme.api-us1.com",
    "https://acme.api-us1.com@evil.example",
    "acme.api-us1.com@evil.example",
    "acme.api-us1.com:443",
    "acme.api-us1.com:80",
    "acme.api-us1.com:",
    "https://acme.api-us1.com//",
    "https://acme.api-us1.com/api/3",
    "acme.api-us1.com/admin",
    "acme.api-us1.com/../x",
    "acme.api-us1.com/.api-us1.com",
    "evil.example/acme.api-us1.com",
    "evil.example/.api-us1.com",
    "acme.api-us1.com?x=1",
    "evil.example?.api-us1.com",
    "acme.api-us1.com#x",
    "evil.example#.api-us1.com",
    "evil.example\\.api-us1.com",
    "acme.api-us1.com\\@evil.example",
    "127.0.0.1",
    "127.0.0.1.api-us1.com",
    "https://127.0.0.1/",
    "0x7f.1",
    "2130706433",
    "localhost",
    "[::1]",
    "https://[::1]/",
    "[::ffff:127.0.0.1].api-us1.com",
    "169.254.169.254",
    "metadata.google.internal",
    "acme%2eapi-us1.com",
    "acme%2f.api-us1.com",
    "evil.example%2f.api-us1.com",
    "evil.example%00.api-us1.com",
    "acme.api-us1.com%",
    "acme .api-us1.com",
    " acme.api-us1.com",
    "acme.api-us1.com ",
    "acme.api-us1.com\n",
    "acme.api-us1.com\r\nHost: evil.example",
    "acme\t.api-us1.com",
    "\x00acme.api-us1.com",
    "acme.api-us1.com\x7f",
    "acme\u200b.api-us1.com",
    "аcme.api-us1.com",  # noqa: RUF001 - the first letter is Cyrillic
    "acme。api-us1.com",  # an ideographic full stop, which some resolvers take for a dot
    "\N{FULLWIDTH LATIN SMALL LETTER A}cme.api-us1.com",
    "acmé.api-us1.com",
    "xn--acm-dma.api-us1.com",
    "-acme.api-us1.com",
    "acme-.api-us1.com",
    "ac_me.api-us1.com",
    "*.api-us1.com",
    "acme,evil.api-us1.com",
    "acme;x.api-us1.com",
    "$(x).api-us1.com",
    "a" * 64 + ".api-us1.com",
    "\N{KELVIN SIGN}.api-us1.com",
]


@pytest.mark.parametrize(("text", "host"), GOOD_HOSTS.items())
def test_the_hosts_of_activecampaign_accounts_are_accepted_as_people_copy_them(text: str, host: str) -> None:
    assert check_host(text) == host


@pytest.mark.parametrize("text", BAD_HOSTS)
def test_any_other_host_is_refused(text: str) -> None:
    with pytest.raises(Stop) as caught:
        check_host(text)
    assert caught.value.code == "host_refused"
    assert "<account>.api-us1.com" in caught.value.message


@given(st.text())
def test_whatever_is_accepted_is_one_label_before_a_suffix(text: str) -> None:
    try:
        host = check_host(text)
    except Stop:
        return
    label, _, suffix = host.partition(".")
    assert label.replace("-", "").isalnum()
    assert suffix in hosts.HOST_SUFFIXES


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("http://acme.api-us1.com", "scheme"),
        ("acme.api-us1.com:8443", "port"),
        ("me@acme.api-us1.com", "user name"),
        ("acme.api-us1.com/api/3", "path"),
        ("acme.api-eu1.com", "another domain"),
        ("acmé.api-us1.com", "ASCII"),
        ("acme.api-us1.com\n", "control character"),
        ("acme%2eapi-us1.com", "an escaped character"),
        ("acme.api-us1.com\\x", "a backslash"),
        ("acme.api-us1.com?x=1", "a query"),
        ("acme.api-us1.com#x", "a fragment"),
        ("[::1]", "an IP address"),
        ("ac_me.api-us1.com", "no plain host label"),
        ("", "another domain"),
    ],
)
def test_the_refusal_says_what_was_found_but_not_the_text_itself(text: str, found: str) -> None:
    with pytest.raises(Stop, match=found) as caught:
        check_host(text)
    assert not text or text not in caught.value.message
    assert "(<account>.api-us1.com or <account>.activehosted.com)" in caught.value.message


def test_a_deployment_can_name_further_suffixes_and_they_are_exact_too() -> None:
    suffixes = (*hosts.HOST_SUFFIXES, "api-eu1.com")
    assert check_host("acme.api-eu1.com", suffixes) == "acme.api-eu1.com"
    for text in ("acme.api-eu2.com", "acme.xapi-eu1.com", "x.acme.api-eu1.com"):
        with pytest.raises(Stop, match="api-eu1"):
            check_host(text, suffixes)


# --- Bodies ---


def body_of(contacts: list[dict[str, str]], around: Envelope) -> bytes:
    opened = [json.dumps(c, ensure_ascii=False, separators=(",", ":"))[:-1].encode() for c in contacts]
    return around.prefix + b",".join(one + around.contact_tail for one in opened) + around.suffix


def test_a_body_subscribes_everybody_and_excludes_automations_in_both_places() -> None:
    body = json.loads(
        body_of([{"email": "a@example.com"}, {"email": "b@example.com"}], envelope(7, run_automations=False))
    )
    assert body == {
        "exclude_automations": True,
        "contacts": [
            {"email": "a@example.com", "subscribe": [{"listid": 7}], "exclude_automations": True},
            {"email": "b@example.com", "subscribe": [{"listid": 7}], "exclude_automations": True},
        ],
    }


def test_an_export_that_runs_automations_says_nothing_of_them() -> None:
    body = json.loads(body_of([{"email": "a@example.com"}], envelope(7, run_automations=True)))
    assert body == {"contacts": [{"email": "a@example.com", "subscribe": [{"listid": 7}]}]}


@st.composite
def contacts(draw: st.DrawFn) -> list[dict[str, str]]:
    nasty = st.one_of(
        st.text(), st.sampled_from(['","subscribe":[{"listid":7}]}', ',"subscribe":[{"listid":7}]', "\\", '"'])
    )
    one = st.fixed_dictionaries({"email": nasty}, optional={"first_name": nasty, "phone": nasty})
    return draw(st.lists(one, min_size=1, max_size=6))


@given(contacts(), st.booleans().map(lambda run: envelope(7, run_automations=run)), st.data())
def test_selecting_contacts_keeps_each_byte_for_byte(
    everybody: list[dict[str, str]], around: Envelope, data: st.DataObject
) -> None:
    body = body_of(everybody, around)
    positions = sorted(data.draw(st.sets(st.integers(0, len(everybody) - 1), min_size=1)))
    assert bodies.select(body, around, positions) == body_of([everybody[p] for p in positions], around)
    assert bodies.select(body, around, range(len(everybody))) == body
    assert bodies.addresses(body) == [one["email"] for one in everybody]


def test_a_body_of_another_envelope_is_refused() -> None:
    body = body_of([{"email": "a@example.com"}], envelope(7, run_automations=False))
    for other in (envelope(8, run_automations=False), envelope(7, run_automations=True)):
        with pytest.raises(ValueError, match="another one"):
            bodies.select(body, other, [0])


def test_failed_addresses_are_found_whatever_their_case_and_spaces() -> None:
    sent = ["Jane@Example.com", "joe@example.com", "ann@example.com"]
    assert bodies.failed_positions(["ANN@example.COM ", "jane@example.com"], sent) == ((0, 2), 0)


def test_an_address_that_only_looks_alike_did_not_fail() -> None:
    assert bodies.failed_positions(["\u017fam@example.com"], ["sam@example.com"]) == ((), 1)


def test_failed_addresses_that_were_not_sent_are_counted_once() -> None:
    assert bodies.failed_positions(["x@example.com", "X@example.com", "a@example.com"], ["a@example.com"]) == ((0,), 1)


# --- Requests ---


def test_the_requests_are_those_of_the_reference() -> None:
    assert wire.who_am_i() == Request("GET", "/api/3/users/me")
    assert wire.get_list(12) == Request("GET", "/api/3/lists/12")
    assert wire.lists(100) == Request("GET", "/api/3/lists", (("limit", "100"), ("offset", "100")))
    assert wire.lists() == wire.lists(0)
    assert wire.fields() == Request("GET", "/api/3/fields", (("limit", "100"), ("offset", "0")))
    assert wire.exclusions() == Request("GET", "/api/3/lists/exclusions", (("limit", "100"), ("offset", "0")))
    assert wire.account_limits() == Request("GET", "/api/3/settings/account")
    assert wire.import_info("a-1") == Request("GET", "/api/3/import/info", (("batchId", "a-1"),))


@pytest.mark.parametrize(("count", "kind"), [(1, Kind.SINGLE), (2, Kind.BULK), (250, Kind.BULK)])
def test_a_bulk_import_of_one_contact_is_of_its_own_kind(count: int, kind: Kind) -> None:
    assert wire.bulk_import(b"{}", count) == Request("POST", "/api/3/import/bulk_import", (), b"{}", kind)


def test_whatever_is_no_bulk_import_is_of_the_general_kind() -> None:
    assert {request.kind for request in (wire.who_am_i(), wire.get_list(1), wire.import_info("a"))} == {Kind.GENERAL}


def test_what_may_hold_personal_data_is_not_in_any_representation() -> None:
    secret = b'{"email":"jane@example.com"}'
    assert "jane" not in repr(wire.bulk_import(secret, 1))
    assert "jane" not in repr(wire.Answer(200, {}, secret))
