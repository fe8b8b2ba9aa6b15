"""Signing in, the frame of every page, and what the browser is told and asks for."""

from __future__ import annotations

import re
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import expect

from sandbox.world import World
from tests.browser.chromium import ROOT, WIDE
from tests.browser.conftest import Opens

pytestmark = pytest.mark.e2e
BUILT = ROOT / "exporter/console"
MOST_BYTES = 60_000
"""Compressed, for everything that opens with the first page: frame, parts, texts of one language, styles."""


def test_the_key_is_typed_once_and_stays_in_the_tab(opened: Opens, world: World) -> None:
    with opened(key=None) as tab:
        page = tab.page
        page.get_by_label("Function key").fill("not the key")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("alert")).to_contain_text("This key does not open the service")
        page.get_by_label("Function key").fill(world.function_key)
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("link", name="Exports")).to_be_visible()
        assert page.evaluate("Object.values(localStorage)") == ["en"]
        tab.open("segments")
        expect(page.get_by_role("link", name="Segments")).to_have_attribute("aria-current", "page")
        page.get_by_role("button", name="Forget the key").click()
        expect(page.get_by_label("Function key")).to_be_visible()
        assert page.evaluate("sessionStorage.length") == 0
        assert not [r.url for r in tab.requests if world.function_key in r.url]


def test_whoever_forgot_the_key_is_not_let_in_with_a_wrong_one(opened: Opens) -> None:
    with opened() as tab:
        page = tab.page
        page.get_by_role("button", name="Forget the key").click()
        page.get_by_label("Function key").fill("not the key")
        page.get_by_role("button", name="Open").click()
        expect(page.get_by_role("alert")).to_contain_text("This key does not open the service")
        expect(page.get_by_role("link", name="Segments")).to_have_count(0)


def test_a_link_with_the_key_leaves_it_neither_in_the_address_nor_in_the_history(opened: Opens, world: World) -> None:
    with opened() as tab:
        assert "#" not in tab.page.url
        expect(tab.page.get_by_role("link", name="Exports")).to_be_visible()
        tab.open("segments")
        tab.page.go_back()
        assert world.function_key not in tab.page.url


def test_the_language_is_the_browsers_until_another_is_chosen(opened: Opens) -> None:
    with opened(language="id") as tab:
        page = tab.page
        expect(page.get_by_role("link", name="Ekspor", exact=True)).to_be_visible()
        expect(page.locator("html")).to_have_attribute("lang", "id")
        page.get_by_role("button", name="English").click()
        expect(page.get_by_role("link", name="Exports")).to_be_visible()
        tab.open("segments")
        expect(page.get_by_role("link", name="Exports")).to_be_visible()
        tab.open("segments?lang=id")
        expect(page.get_by_role("link", name="Ekspor", exact=True)).to_be_visible()


def test_a_page_that_is_not_there_says_where_to_go(opened: Opens) -> None:
    with opened() as tab:
        page = tab.open("nothing/like/this")
        expect(page.get_by_role("heading", level=1)).to_have_text("There is no such page")
        page.get_by_role("link", name="Go to the exports").click()
        expect(page).to_have_url(re.compile("/api/console$"))
        expect(page.get_by_role("heading", level=1)).to_have_text(re.compile("Exports|Three steps to the first export"))


def test_on_a_phone_the_menu_opens_and_closes(opened: Opens) -> None:
    with opened(size=(360, 740)) as tab:
        page = tab.open("system")
        expect(page.get_by_role("link", name="Segments")).to_be_hidden()
        page.get_by_role("button", name="Menu").click()
        page.get_by_role("link", name="Segments").click()
        expect(page).to_have_url(re.compile("/segments$"))
        expect(page.get_by_role("link", name="Segments")).to_be_hidden()


def test_by_keyboard_one_comes_to_the_content_first(opened: Opens) -> None:
    with opened() as tab:
        page = tab.open("system")
        page.keyboard.press("Tab")
        expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
        page.keyboard.press("Enter")
        expect(page.locator("main")).to_be_focused()


def test_a_new_page_takes_the_focus_and_begins_at_its_top(opened: Opens) -> None:
    with opened(size=(1280, 300)) as tab:
        page = tab.open("system")
        expect(page.locator("body")).to_be_focused()
        page.evaluate("scrollTo(0, 200)")
        page.get_by_role("link", name="Segments").press("Enter")
        expect(page.get_by_role("heading", level=1)).to_have_text("Segments")
        expect(page.locator("main")).to_be_focused()
        assert page.evaluate("scrollY") == 0


@pytest.mark.parametrize("language", ["en", "id"])
def test_what_the_first_page_needs_is_small(opened: Opens, language: str) -> None:
    with opened(language=language) as tab:
        tab.open("exports")
        paths = {urlsplit(request.url).path.removeprefix("/api/console/") for request in tab.requests}
        files = [BUILT / path for path in paths if (BUILT / path).is_file()]
        assert any(file.suffix == ".css" for file in files)
        packed = {file.name: file.with_name(f"{file.name}.br") for file in files}
        sizes = {name: (br if br.exists() else BUILT / name).stat().st_size for name, br in packed.items()}
        assert sum(sizes.values()) <= MOST_BYTES, sizes


def test_the_sign_in_page_is_accessible(opened: Opens) -> None:
    for scheme in ("light", "dark"):
        with opened(key=None, size=WIDE, color_scheme=scheme, bypass_csp=True) as tab:
            assert tab.findings() == []


def test_a_page_in_a_tab_behind_asks_once_somebody_looks_and_then_no_more_than_it_should(opened: Opens) -> None:
    with opened() as tab:
        page = tab.page
        page.add_init_script("Object.defineProperty(document, 'hidden', {get: () => window.shown !== true});")
        turn = "window.shown = !window.shown; document.dispatchEvent(new Event('visibilitychange'));"
        tab.requests.clear()
        tab.open("system")
        assert not [request.url for request in tab.requests if "/api/health" in request.url]
        page.evaluate(turn)
        expect(page.get_by_text("Everything an export needs is there.")).to_be_visible()
        assert len([request.url for request in tab.requests if urlsplit(request.url).path == "/api/health"]) == 1
        tab.requests.clear()
        for _ in range(10):
            page.evaluate(turn)
        assert len([request.url for request in tab.requests if "/api/runs" in request.url]) <= 1
