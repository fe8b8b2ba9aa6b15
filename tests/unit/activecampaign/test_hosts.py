"""Which hosts may be called."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.activecampaign import hosts
from exporter.activecampaign.hosts import check_host
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
        ("ac_me.api-us1.com", "not a plain host label"),
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
