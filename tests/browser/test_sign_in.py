"""Signing in with Microsoft Entra, through what stands before the app in Azure: no key, but a name and a role."""

from __future__ import annotations

import json
from collections.abc import Iterator

import pytest
import requests
from playwright.sync_api import Browser, expect

from sandbox.demo import CONNECTION, EXPORT
from sandbox.segment import Segment
from sandbox.world import World
from tests.browser.chromium import Tab, tab
from tests.e2e.app import QUICK, SEGMENT, inspected_world

pytestmark = pytest.mark.e2e


@pytest.fixture(scope="module")
def signed() -> Iterator[World]:
    with inspected_world(Segment(SEGMENT.refreshed, 300), settings=QUICK, with_sign_in=True) as started:
        started.start_host()
        assert started.sign_in
        caller = {"Authorization": f"Bearer {started.sign_in.token('admin')}"}
        for path, body in {"connections/demo": CONNECTION, "exports/newsletter": EXPORT}.items():
            answer = requests.put(f"{started.url}/api/{path}", json=body, headers=caller, timeout=60)
            assert answer.ok, answer.text
        yield started


def enter(tab: Tab, person: str, path: str = "") -> None:
    tab.open(path)
    tab.page.get_by_role("link", name="Sign in with Microsoft").click()
    tab.page.get_by_role("button", name=person).click()
    tab.page.wait_for_load_state("networkidle")


def test_one_comes_back_to_the_page_that_was_open_and_acts_under_ones_own_name(browser: Browser, signed: World) -> None:
    with tab(browser, signed.url) as ours:
        page = ours.page
        enter(ours, "Ayu Admin", "connections/new")
        assert page.url.endswith("/api/console/connections/new")
        expect(page.get_by_text("ayu@contoso.example · administrator")).to_be_visible()
        page.get_by_label("Display name").fill("Ours")
        page.get_by_label("REST endpoint hostname").fill(str(CONNECTION["host"]))
        page.get_by_label("API key").fill(str(CONNECTION["apiKey"]))
        page.get_by_label("I agree").check()
        page.get_by_role("button", name="Connect", exact=True).click()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("heading", level=1)).not_to_have_text("Add connection")
        kept = [blob.name for blob in signed.records.get_container_client("audit").list_blobs()]
        entries = [signed.records.get_blob_client("audit", name).download_blob().readall() for name in kept]
        saved = [json.loads(line) for entry in entries for line in entry.splitlines() if b"saveConnection" in line]
        assert {one["by"] for one in saved} == {"ayu@contoso.example"}
        assert page.evaluate("sessionStorage.length") == 0
        assert not [request for request in ours.requests if "x-functions-key" in request.headers]


def test_what_a_role_may_not_do_is_not_offered(browser: Browser, signed: World) -> None:
    with tab(browser, signed.url) as ours:
        enter(ours, "Vito Viewer")
        page = ours.page
        expect(page.get_by_role("heading", level=1)).to_have_text("Exports")
        expect(page.get_by_role("link", name="Connections")).to_have_count(0)
        expect(page.get_by_role("link", name="Add export")).to_have_count(0)
        assert not [r for r in ours.requests if (answer := r.response()) and answer.status == 403]


def test_whoever_has_no_role_is_told_whom_to_ask(browser: Browser, signed: World) -> None:
    with tab(browser, signed.url) as ours:
        enter(ours, "Nia Norole")
        expect(ours.page.get_by_role("alert")).to_contain_text("Ask an administrator")


def test_when_the_session_is_over_nothing_typed_is_lost(browser: Browser, signed: World) -> None:
    assert signed.sign_in
    with tab(browser, signed.url) as ours:
        enter(ours, "Citra Contributor", "people")
        page = ours.page
        page.get_by_role("textbox").fill("somebody@example.com")
        signed.sign_in.end_sessions()
        page.keyboard.press("Enter")
        expect(page.get_by_text("You are signed out").first).to_be_visible()
        expect(page.get_by_role("textbox").first).to_have_value("somebody@example.com")


def test_signing_out_ends_the_session(browser: Browser, signed: World) -> None:
    with tab(browser, signed.url) as ours:
        enter(ours, "Ayu Admin")
        ours.page.get_by_role("button", name="Sign out").click()
        expect(ours.page.get_by_role("link", name="Sign in with Microsoft")).to_be_visible()
