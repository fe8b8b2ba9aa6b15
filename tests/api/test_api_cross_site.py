"""A browser's session changes something only from the app's own pages; who has none is not asked."""

from __future__ import annotations

from itertools import product

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.api.cross_site import refuse_cross_site
from exporter.api.http import HttpRequest, Refusal
from exporter.api.routes import ROUTES
from exporter.settings import Settings
from tests.api.client import CONNECTION, Api, principal, signed_in
from tests.api.test_api_access import CASES, prepared
from tests.fakes import SETTINGS, make_fakes

HOSTS = {"WEBSITE_HOSTNAME": "func-1.azurewebsites.net", "CONSOLE_ORIGINS": "https://exports.contoso.com"}
SETTINGS_HERE = Settings.from_environ(SETTINGS | HOSTS)
OWN = ("https://func-1.azurewebsites.net", "https://exports.contoso.com")
SESSION = {"cookie": "ai_user=x; AppServiceAuthSession=abc"}
CUSTOM = {"x-requested-by": "console"}
PAGE = CUSTOM | {"origin": OWN[0], "sec-fetch-site": "same-origin", "content-type": "application/json"}

METHODS = st.sampled_from(["POST", "PUT", "PATCH", "DELETE"])
NAMES = st.text("abcdefghijklmnopqrstuvwxyz-0123456789_", min_size=1, max_size=12)
COOKIES = st.sampled_from(
    ["AppServiceAuthSession=a", "AppServiceAuthSession1=a; AppServiceAuthSession2=b"]
) | st.builds("{}={}; AppServiceAuthSession=a; {}=1".format, NAMES, NAMES, NAMES)
OTHER_ORIGINS = st.sampled_from(
    [
        "",
        "null",
        "http://func-1.azurewebsites.net",
        "https://func-1.azurewebsites.net:8443",
        "https://func-1.azurewebsites.net.evil.example",
        "https://evil-func-1.azurewebsites.net",
        "https://func-2.azurewebsites.net",
        "https://contoso.com",
        "https://app.exports.contoso.com",
    ]
) | st.builds("https://{}.example".format, NAMES)
FORMS = st.sampled_from(
    [
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "multipart/form-data; boundary=x",
        "text/plain; application/json",
    ]
)


def case_of(method: str, headers: dict[str, str], body: bytes = b"{}") -> object:
    """Return why the request is refused, or None."""
    try:
        refuse_cross_site(HttpRequest(method, "/exports/newsletter", headers=headers, body=body), SETTINGS_HERE)
    except Refusal as refusal:
        return refusal.members["params"]["case"]
    return None


@given(METHODS, COOKIES, st.sampled_from(OWN), st.sampled_from([b"", b"{}"]), st.booleans())
def test_the_apps_own_pages_may(method: str, cookie: str, origin: str, body: bytes, says_where: bool) -> None:  # noqa: FBT001
    headers = {**PAGE, "cookie": cookie, "origin": origin}
    if not says_where:
        del headers["sec-fetch-site"]
    if not body:
        del headers["content-type"]
    assert case_of(method, headers, body) is None


@given(METHODS, COOKIES, OTHER_ORIGINS)
@example("POST", "AppServiceAuthSession=a", "https://func-1.azurewebsites.net/")
def test_no_other_page_may_whatever_it_sends(method: str, cookie: str, origin: str) -> None:
    headers = {**PAGE, "cookie": cookie, "origin": origin}
    assert case_of(method, headers) == "origin"
    del headers["origin"]
    assert case_of(method, headers) == "origin"


@given(METHODS, COOKIES, st.sampled_from(["cross-site", "same-site", "none", "", "x"]))
def test_the_browser_has_to_agree_on_where_it_asks_from(method: str, cookie: str, site: str) -> None:
    assert case_of(method, {**PAGE, "cookie": cookie, "sec-fetch-site": site}) == "origin"


@given(METHODS, COOKIES, st.sampled_from(["", " "]))
def test_what_a_form_cannot_send_has_to_be_there(method: str, cookie: str, value: str) -> None:
    assert case_of(method, {**PAGE, "cookie": cookie, "x-requested-by": value}) == "header"
    assert (
        case_of(method, {name: v for name, v in {**PAGE, "cookie": cookie}.items() if name not in CUSTOM}) == "header"
    )


@given(METHODS, COOKIES, FORMS)
def test_a_body_has_to_be_json(method: str, cookie: str, content_type: str) -> None:
    assert case_of(method, {**PAGE, "cookie": cookie, "content-type": content_type}) == "contentType"


@given(
    METHODS,
    st.dictionaries(
        st.sampled_from(["origin", "content-type", "sec-fetch-site", "authorization"]), st.text(max_size=20)
    ),
    st.sampled_from(["", "ai_session=1", "ARRAffinity=x; theme=dark"]),
)
def test_who_has_no_session_is_asked_nothing(method: str, headers: dict[str, str], cookie: str) -> None:
    assert case_of(method, {**headers, "cookie": cookie}) is None


@pytest.mark.parametrize("method", ["GET", "HEAD", "OPTIONS"])
def test_what_changes_nothing_is_not_asked_either(method: str) -> None:
    assert case_of(method, SESSION, b"") is None


def test_without_a_known_address_no_page_is_the_apps_own() -> None:
    nowhere = Settings.from_environ(SETTINGS)
    for origin in ("https://", "https:///", ""):
        with pytest.raises(Refusal, match="from a page of the app"):
            refuse_cross_site(HttpRequest("POST", "/runs", headers=SESSION | PAGE | {"origin": origin}), nowhere)


CHANGES = [case for case in CASES for route in ROUTES if route.name == case[0] and route.method != "GET"]
PEOPLE = {"viewer", "contributor", "admin"}


@pytest.mark.parametrize(("operation", "caller", "result"), [case for case in CHANGES if case[1] in PEOPLE])
def test_a_session_may_what_the_table_says_from_the_apps_pages_and_nothing_from_others(
    operation: str, caller: str, result: str
) -> None:
    api, route, path = prepared(operation, caller)
    host = HOSTS["WEBSITE_HOSTNAME"]
    fakes = make_fakes(SIGN_IN="entra", WEBSITE_AUTH_ENABLED="True", WEBSITE_HOSTNAME=host)
    api = Api(fakes, {**api.headers, **SESSION})
    before = dict(api.fakes.blobs.stored)
    for headers in ({}, PAGE | {"origin": "https://evil.example"}, PAGE | {"sec-fetch-site": "same-site"}):
        refused = api.call(route.method, path, headers=headers)
        assert (refused.status, refused.code) == (403, "cross_site_request")
    assert api.fakes.blobs.stored == before
    code = api.call(route.method, path, headers=PAGE).code
    assert code != "cross_site_request"
    assert (code == "role_missing") == (result == "403")


def test_a_refused_page_is_named_in_the_log_and_leaves_nothing(caplog: pytest.LogCaptureFixture) -> None:
    api = signed_in("Admin")
    refused = api.put("/connections/main", CONNECTION, headers=SESSION | {"origin": "https://evil.example"})
    assert refused.code == "cross_site_request"
    assert "evil" not in refused.json["detail"]
    assert api.fakes.blobs.stored == {}
    (line,) = [r.message for r in caplog.records if "access_refused" in r.message]
    assert '"code":"cross_site_request","byId":"0b1e"' in line


@pytest.mark.parametrize(("method", "path"), list(product(["GET", "HEAD"], ["/exports", "/health"])))
def test_a_session_reads_from_anywhere_since_a_page_of_others_cannot_see_the_answer(method: str, path: str) -> None:
    api = Api(signed_in().fakes, {**principal("Viewer"), **SESSION})
    answer = api.call(method, path, headers={"origin": "https://evil.example", "sec-fetch-site": "cross-site"})
    assert answer.status == 200
    assert not [name for name in answer.headers if name.lower().startswith("access-control-")]
