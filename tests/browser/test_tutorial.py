"""The tutorial's part in the console leads where it says, with what it says to type."""

from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from playwright.sync_api import Browser, expect

from sandbox.segment import Segment
from tests.browser.chromium import ROOT, tab
from tests.e2e.app import QUICK, inspected_world

pytestmark = pytest.mark.e2e
TUTORIAL = " ".join((ROOT / "docs/tutorial.md").read_text().partition("## The same with curl")[0].split())
RUN_MS = 150_000


def typed(text: str) -> str:
    """Return what the tutorial says to type, which it sets in quotes or as code."""
    assert f'"{text}"' in TUTORIAL or f"`{text}`" in TUTORIAL, text
    return text


def test_the_tutorial_leads_from_nothing_to_an_export_whose_rows_add_up(browser: Browser) -> None:
    with (
        inspected_world(Segment(refreshed=datetime.now(UTC)), settings=QUICK) as world,
        tab(browser, world.start_host(), key=world.function_key) as opened,
    ):
        page = opened.page
        expect(page.get_by_role("heading", level=1)).to_have_text("Three steps to the first export")
        page.get_by_role("link", name="Add connection").click()
        page.get_by_label("Display name").fill(typed("Newsletter account"))
        page.get_by_label("Administrators and contributors").check()
        page.get_by_label("REST endpoint hostname").fill(typed("demo.api-us1.com"))
        page.get_by_label("API key").fill(typed("demo-key"))
        page.get_by_label("I agree").check()
        page.get_by_role("button", name="Connect", exact=True).click()
        expect(page.get_by_text("Connected. The key works.")).to_be_visible()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page).to_have_url(re.compile("open=newsletter-account"))

        page.get_by_role("link", name="Exports").click()
        page.get_by_role("link", name="Add export").click()
        page.get_by_label("Connection", exact=True).select_option(label="Newsletter account")
        page.get_by_label("Display name").fill(typed("Newsletter of the shop"))
        lists = page.get_by_label("ActiveCampaign list ID")
        expect(lists.locator("option", has_text=typed("1 Newsletter"))).to_be_attached()
        lists.select_option("1")
        page.get_by_role("checkbox", name=typed("NewsletterSubscribers")).check()
        expect(page.get_by_label("Column for Email")).to_have_value("EMail")
        page.get_by_label("Consent column").select_option(typed("EmailSubscriber"))
        page.get_by_label("Value", exact=True).fill(typed("Yes"))
        page.get_by_role("button", name="Preview").click()
        would = page.get_by_text("A run would send")
        expect(would).to_be_visible()
        assert "some 3,300 people" in TUTORIAL
        (people,) = re.findall(r"send ([\d,]+) people", would.first.inner_text())
        assert round(int(people.replace(",", "")), -2) == 3_300
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Nothing has been sent.")).to_be_visible()

        page.get_by_role("button", name="Try with a few people").last.click()
        panel = page.get_by_role("complementary")
        few = typed("padraig.nidhomhnaill.1@news.example.org"), typed("stranger@example.com")
        panel.get_by_label("Addresses, one per line").fill("\n".join(few))
        panel.get_by_role("button", name="Send these 2").click()
        expect(panel.get_by_text("On the list, active")).to_be_visible(timeout=RUN_MS)
        expect(panel.get_by_text("Not in the segment, so not sent")).to_be_visible()

        opened.open("exports")
        page.get_by_role("button", name="Run it now").click()
        expect(page.get_by_role("button", name="Run it now")).to_be_hidden()
        page.get_by_role("link", name="Newsletter of the shop").click()
        expect(page.locator(".meta .st")).to_have_text("Done with warnings", timeout=RUN_MS)
        expect(page.locator(".say")).to_contain_text(f"{people} of 5,000")
        page.get_by_role("link", name="Not on the list").click()
        expect(page.get_by_role("button", name="No consent")).to_be_visible()
