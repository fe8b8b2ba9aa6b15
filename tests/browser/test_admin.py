"""Connections, segments and the system, as an administrator uses them."""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, Route, expect

from sandbox.world import World
from tests.browser.chromium import NARROW, PHONE, Tab
from tests.browser.conftest import Opens
from tests.e2e.app import App

pytestmark = pytest.mark.e2e
HOST, KEY = "demo.api-us1.com", "demo-key"
NASTY = "🎉 <img src=x onerror=alert(1)> " + 160 * "x"


@pytest.fixture
def connection(app: App) -> Iterator[str]:
    """A connection, and an export that uses it."""
    body = {"displayName": NASTY, "host": HOST, "apiKey": KEY, "usableBy": "contributors", "consent": True}
    put(app, "/connections/admin-test", body)
    export = {"displayName": "Admin test", "connectionId": "admin-test", "listId": 1, "segments": [segment_of(app)]}
    put(app, "/exports/admin-test", {**export, "dataMatching": {"email": "EMail"}})
    yield "admin-test"
    app.call("DELETE", "/exports/admin-test")
    app.call("DELETE", "/connections/admin-test")


def put(app: App, path: str, body: object) -> None:
    headers = {"If-Match": "*"} if app.call("GET", path).ok else {}
    answer = app.call("PUT", path, body, headers=headers)
    assert answer.ok, answer.text


def segment_of(app: App) -> str:
    name: str = app.call("GET", "/segments").json()["value"][0]["name"]
    return name


def test_a_panel_that_nothing_opened_gives_the_focus_to_the_page(opened: Opens, connection: str) -> None:
    with opened() as tab:
        page = tab.open(f"connections?open={connection}")
        expect(page.get_by_role("complementary")).to_be_focused()
        page.keyboard.press("Escape")
        expect(page.get_by_role("complementary")).to_have_count(0)
        expect(page.locator("main")).to_be_focused()


def fill(page: Page, name: str, key: str) -> None:
    page.get_by_label("Display name").fill(name)
    page.get_by_label("REST endpoint hostname").fill(f"https://{HOST}/")
    page.get_by_label("API key").fill(key)
    page.get_by_label("I agree").check()


def test_nine_steps_lead_to_a_connection_and_its_key_is_nowhere_to_be_seen(opened: Opens, app: App) -> None:
    with opened() as tab:
        page = tab.open("connections/new")
        save = page.get_by_role("button", name="Save")
        expect(page.get_by_text("it needs a name, in step 3")).to_be_visible()
        fill(page, "Nine steps", "not-the-key")
        expect(save).to_be_disabled()
        page.get_by_role("button", name="Connect").click()
        expect(page.get_by_role("alert")).to_contain_text("ActiveCampaign refused the key.")
        expect(save).to_be_disabled()
        page.get_by_label("API key").fill(KEY)
        page.get_by_role("button", name="Connect").click()
        expect(page.get_by_text("Connected. The key works.")).to_be_visible()
        expect(page.get_by_text("in the plan")).to_be_visible()
        save.click()
        expect(page).to_have_url(re.compile(r"/connections\?open=nine-steps$"))
        expect(page.get_by_role("complementary")).to_contain_text("Function key")
        assert KEY not in page.content()
        saved = app.call("GET", "/connections/nine-steps").json()
        assert (saved["host"], saved["consent"]["agreedBy"]) == (HOST, "function key")
        assert not [request.url for request in tab.requests if KEY in request.url]
        page.get_by_role("complementary").get_by_role("link", name="Remove").click()
        page.get_by_role("button", name="Remove the connection").click()
        expect(page.get_by_text("Nine steps is removed.")).to_be_visible()


def stores_no_keys(tab: Tab) -> None:
    """Let the page see an app that was deployed with `STORE_API_KEYS=false`."""

    def told(route: Route) -> None:
        me = route.fetch().json() | {"storesApiKeys": False, "keyVault": "kv-of-ours"}
        route.fulfill(json=me)

    tab.page.route("**/api/me", told)


def test_where_no_key_can_be_stored_the_wizard_asks_for_the_secret(opened: Opens, app: App, world: World) -> None:
    world.vault.set("activecampaign-browser", KEY)
    with opened() as tab:
        stores_no_keys(tab)
        page = tab.open("connections/new")
        page.get_by_label("Display name").fill("By secret")
        page.get_by_label("REST endpoint hostname").fill(HOST)
        page.get_by_label("I agree").check()
        expect(page.get_by_label("API key")).to_have_count(0)
        expect(page.get_by_text("it needs the name of the secret")).to_be_visible()
        secret = page.get_by_label("Name of the secret in Key Vault")
        secret.fill("mailing")
        expect(secret).to_have_attribute("aria-invalid", "true")
        connect = page.get_by_role("button", name="Connect")
        expect(connect).to_be_disabled()
        secret.fill("activecampaign-missing")
        expect(page.locator("pre")).to_contain_text("--vault-name kv-of-ours --name activecampaign-missing")
        connect.click()
        expect(page.get_by_role("alert")).to_contain_text("has no secret named 'activecampaign-missing'")
        secret.fill("activecampaign-browser")
        page.get_by_role("button", name="Connect").click()
        expect(page.get_by_text("Connected. The key works.")).to_be_visible()
        page.get_by_role("button", name="Save").click()
        expect(page).to_have_url(re.compile(r"/connections\?open=by-secret$"))
        assert app.call("GET", "/connections/by-secret").json()["secretName"] == "activecampaign-browser"
        page.get_by_role("link", name="Enter a new key").first.click()
        expect(page.get_by_label("Another secret in Key Vault")).to_be_focused()
        expect(page.locator("pre")).to_contain_text("--name activecampaign-browser")
        page.get_by_role("button", name="Connect").click()
        expect(page.get_by_text("Connected. The key works.")).to_be_visible()
    app.call("DELETE", "/connections/by-secret")


@pytest.mark.parametrize(
    "options", [{}, {"language": "id", "size": PHONE, "color_scheme": "dark"}], ids=["wide", "phone"]
)
def test_the_wizard_that_asks_for_a_secret_is_accessible_and_fits(
    opened: Opens, connection: str, options: dict[str, object]
) -> None:
    with opened(**options, bypass_csp=True) as tab:
        stores_no_keys(tab)
        for view in ("connections/new", f"connections/{connection}"):
            tab.open(view)
            expect(tab.page.locator("pre")).to_be_visible()
            assert (view, faults(tab)) == (view, [])


def test_what_was_connected_is_not_what_was_typed_since(opened: Opens) -> None:
    held: list[Route] = []
    with opened() as tab:
        page = tab.open("connections/new")
        page.route("**/api/connection-tests", lambda route: held.append(route))  # noqa: PLW0108 - it marks its handlers
        fill(page, "Slow", KEY)
        page.get_by_role("button", name="Connect", exact=True).click()
        page.get_by_label("API key").fill("not-the-key")
        with page.expect_response("**/api/connection-tests"):
            held[0].continue_()
        expect(page.get_by_role("button", name="Connect", exact=True)).not_to_have_attribute("aria-busy", "true")
        expect(page.get_by_text("Connected. The key works.")).to_have_count(0)
        expect(page.get_by_role("button", name="Save", exact=True)).to_be_disabled()


def test_who_saved_meanwhile_is_named_and_nothing_typed_is_lost(opened: Opens, app: App, connection: str) -> None:
    with opened() as tab:
        page = tab.open(f"connections/{connection}")
        page.get_by_label("Display name").fill("Mine")
        put(app, f"/connections/{connection}", {"displayName": "Theirs", "host": HOST, "consent": True})
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_text("saved this connection meanwhile")).to_be_visible()
        expect(page.get_by_label("Display name")).to_have_value("Mine")
        page.get_by_role("button", name="Keep mine, then save").click()
        page.get_by_role("button", name="Save").click()
        expect(page.get_by_role("complementary")).to_contain_text("Mine")
        assert app.call("GET", f"/connections/{connection}").json()["displayName"] == "Mine"


def test_signed_out_while_typing_one_signs_in_again_and_goes_on(opened: Opens, world: World, connection: str) -> None:
    with opened() as tab:
        page = tab.open(f"connections/{connection}?key")
        expect(page.get_by_label("New API key")).to_be_focused()
        page.get_by_label("New API key").fill(KEY)
        page.evaluate("sessionStorage.setItem('function-key', 'an old one')")
        page.get_by_role("button", name="Connect").click()
        expect(page.get_by_role("alert")).to_contain_text("What you typed stays here")
        page.get_by_label("Function key").fill(world.function_key)
        page.get_by_label("Function key").press("Enter")
        expect(page.get_by_text("Connected. The key works.")).to_be_visible()


def test_what_is_in_use_is_removed_only_with_its_consequences(opened: Opens, app: App, connection: str) -> None:
    with opened() as tab:
        page = tab.open(f"connections?open={connection}&remove=")
        panel = page.get_by_role("complementary")
        expect(panel).to_contain_text("1 export uses it")
        expect(panel).to_contain_text("Admin test")
        page.keyboard.press("Escape")
        expect(panel).to_be_hidden()
        page.go_back()
        expect(panel).to_contain_text("1 export uses it")
        page.get_by_role("button", name="Detach 1 export and remove").click()
        expect(page.get_by_text("1 export has no connection now.")).to_be_visible()
        assert app.call("GET", "/exports/admin-test").json()["state"] == "noConnection"


def test_a_test_says_whose_key_is_refused(opened: Opens, world: World, app: App, connection: str) -> None:
    secret = app.call("GET", f"/connections/{connection}").json()["secretName"]
    world.vault.set(secret, "was-reset")
    with opened() as tab:
        page = tab.open(f"connections?open={connection}")
        page.get_by_role("button", name="Test now").click()
        expect(page.get_by_role("complementary")).to_contain_text("Key refused")
        page.get_by_role("row", name="onerror").get_by_role("link", name="Enter a new key").click()
        expect(page.get_by_label("New API key")).to_be_focused()


def test_examples_are_masked_until_an_administrator_looks_and_that_is_recorded(opened: Opens, app: App) -> None:
    name = segment_of(app)
    with opened() as tab:
        page = tab.open("segments")
        page.get_by_label("Filter by name").fill("nobody is called so")
        expect(page.get_by_text("No segment is called")).to_be_visible()
        page.get_by_label("Filter by name").fill("")
        page.get_by_role("link", name=name.rpartition("/")[2]).first.click()
        row = page.get_by_role("row", name="EMail")
        expect(row).to_contain_text("***")
        page.get_by_role("button", name="Show examples as they are (recorded)").click()
        expect(row).not_to_contain_text("***")
        page.reload()
        expect(row).to_contain_text("***")
        page = tab.open("system")
        expect(page.get_by_role("row", name="Look at examples as they are").first).to_contain_text("Done")


@pytest.mark.parametrize("language", ["en", "id"])
def test_every_column_of_the_segments_is_wide_enough_for_words(
    opened: Opens, app: App, connection: str, language: str
) -> None:
    export = app.call("GET", f"/exports/{connection}").json()
    run = {"runId": "r", "endedUtc": "2026-11-20T00:00:00Z", "rowsRead": 5000, "confirmed": 4899}
    others = [export | {"displayName": name, "lastSuccess": run} for name in ("Pelanggan setia Jakarta", "Newsletter")]
    with opened(language=language) as tab:
        tab.page.route(
            re.compile(r"/api/exports(\?|$)"), lambda route: route.fulfill(json={"value": [export, *others]})
        )
        page = tab.open("segments")
        expect(page.get_by_role("row", name="5,000" if language == "en" else "5.000").first).to_be_visible()
        widths = page.locator(".segments thead th").evaluate_all("all => all.map(each => each.clientWidth)")
        assert min(widths) > 100, widths


def test_a_segment_of_many_exports_names_three_and_says_how_many_more(opened: Opens, app: App, connection: str) -> None:
    export = app.call("GET", "/exports/admin-test").json()
    exports = [export | {"id": f"e{n}", "displayName": f"Export {n}"} for n in range(1, 6)]
    with opened() as tab:
        tab.page.route("**/api/exports", lambda route: route.fulfill(json={"value": exports}))
        row = tab.open("segments").get_by_role("row", name=segment_of(app).rpartition("/")[2]).first
        expect(row).to_contain_text("Export 1, Export 2, Export 3 and 2 more")
        expect(row).not_to_contain_text("Export 4")


def test_the_system_shows_a_day_of_the_audit_and_what_is_kept(opened: Opens, connection: str) -> None:
    with opened() as tab:
        page = tab.open("system")
        expect(page.get_by_text("Everything an export needs is there.")).to_be_visible()
        expect(page.get_by_role("row", name="Save Admin test").first).to_be_visible()
        expect(page.get_by_role("row", name="Reports of people who did not arrive")).to_contain_text("30 days")
        page.get_by_role("button", name="Day before").click()
        expect(page.get_by_text("on that day")).to_be_visible()
        expect(page).to_have_url(re.compile(r"day=\d{4}-\d\d-\d\d$"))


def test_on_a_phone_nothing_lies_over_a_panel(opened: Opens, connection: str) -> None:
    with opened(size=PHONE, language="id") as tab:
        head = tab.open(f"connections?open={connection}").locator("aside h2")
        expect(head).to_be_visible()
        assert head.evaluate(
            """head => { const {left, top} = head.getBoundingClientRect();
            return head.contains(document.elementFromPoint(left + 2, top + 2)); }"""
        )


@pytest.mark.parametrize(
    "options",
    [{"language": "en"}, {"language": "id", "size": PHONE, "color_scheme": "dark"}, {"language": "id", "size": NARROW}],
    ids=["wide", "phone", "narrow"],
)
def test_every_page_is_accessible_and_fits(
    opened: Opens, app: App, connection: str, options: dict[str, object]
) -> None:
    views = ("connections", f"connections?open={connection}", "connections/new", f"connections/{connection}")
    with opened(**options, bypass_csp=True) as tab:
        for view in (*views, "segments", f"segments/{segment_of(app)}", "system"):
            tab.open(view)
            assert (view, faults(tab)) == (view, [])


def faults(tab: Tab) -> list[str]:
    beside = tab.sideways()
    return [*tab.findings(), *([f"{beside} px beside the window"] if beside else [])]
