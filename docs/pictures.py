"""Take the pictures of the console that the pages show: `python -m docs.pictures`, some minutes with Chromium.

They show the sandbox, so nobody in them exists. What differs from one time to the next is the date; so they are taken
again when a page of the console looks different, not at every change.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

from playwright.sync_api import FloatRect, Locator, Page, expect

from sandbox.demo import CONNECTION, TERMINAL, Api
from sandbox.processes import SandboxError
from sandbox.segment import COLUMNS, Segment, row
from sandbox.world import API_KEY, World
from tests.browser.chromium import PATIENCE_MS, Tab, chromium, executable, tab

PICTURES = Path(__file__).parent / "pictures"
WIDE, PHONE = 1200, 390
NAME = "Newsletter account"
PROFILES, FEWER = 5_000, 1_900
"""Of the segment, and of its next refresh, which is so small that a run is held."""
SEED = 28
"""The first people of this segment have names in letters that each machine can show, and have agreed."""
LIMIT_S = 600.0
SETTLED_MS = 400
"""For a picture to be still: a panel slides in, a bar grows."""
NEWSLETTER: Mapping[str, Any] = {
    "displayName": "Newsletter",
    "connectionId": "newsletter-account",
    "listId": 1,
    "segments": ["NewsletterSubscribers"],
    "dataMatching": {
        "email": "EMail",
        "firstName": "FirstName",
        "lastName": "LastName",
        "phone": "Telephone",
        "fields": [{"column": "City", "field": "CITY"}, {"column": "DateOfBirth", "field": "BIRTHDAY"}],
    },
    "consentColumn": {"column": "EmailSubscriber", "condition": "equals", "value": "Yes"},
    "schedule": {"kind": "withEveryRefresh"},
}
LOYALTY: Mapping[str, Any] = {**NEWSLETTER, "displayName": "Loyalty members", "listId": 2, "guards": {"sizeFactor": 2}}
SALE: Mapping[str, Any] = {**NEWSLETTER, "displayName": "Winter sale", "schedule": {"kind": "none"}}


def main() -> None:
    """Start the sandbox, use it as the guides say, and take a picture where they have one.

    :raises SandboxError: Chromium is missing, or a call or a run did not do what the pictures are to show.
    """
    if not executable():
        raise SandboxError("expected Chromium, which takes the pictures, and found none: apt-get install -y chromium")
    PICTURES.mkdir(exist_ok=True)
    now = datetime.now(UTC)
    with World() as world, chromium() as browser:
        world.upload_files(Segment(now - timedelta(hours=3), PROFILES, seed=SEED).files())
        world.start_host()
        open_tab = partial(tab, browser, world.url, key=world.function_key, size=(WIDE, 900))
        api = Api(world)
        with open_tab() as opened:
            connect(opened)
            api.call("PUT", f"/connections/{NEWSLETTER['connectionId']}", {**CONNECTION, "displayName": NAME})
            for export in (NEWSLETTER, LOYALTY, SALE):
                api.call("PUT", f"/exports/{id_of(export)}", export)
            define(opened)
            people = [row(index, SEED)[list(COLUMNS).index("EMail")] for index in (1, 2, 3)]
            try_a_few(opened, people)
            run_id = run(api, NEWSLETTER)
            run(api, LOYALTY)
            look(opened, run_id)
            find(opened, people[0])
            world.upload_files(Segment(now, FEWER, seed=SEED).files())
            held(opened, run(api, LOYALTY))
            take(opened.open("exports"), "exports", 700)
        with open_tab(size=(PHONE, 780)) as opened:
            take(opened.open("exports"), "exports-phone", 720)


def id_of(export: Mapping[str, Any]) -> str:
    """Return what the console makes of the name of an export."""
    return str(export["displayName"]).lower().replace(" ", "-")


def run(api: Api, export: Mapping[str, Any]) -> str:
    """Run an export to its end; returns the run's id."""
    run_id: str = api.call("POST", f"/exports/{id_of(export)}/runs").json()["runId"]
    deadline = time.monotonic() + LIMIT_S
    while api.call("GET", f"/runs/{run_id}").json()["status"] not in TERMINAL:
        if time.monotonic() > deadline:
            raise SandboxError(f"the run {run_id} did not end within {LIMIT_S:.0f} s")
        time.sleep(1)
    return run_id


def take(page: Page, name: str, height: int, *, begin: Locator | None = None, only: Locator | None = None) -> None:
    """Write one picture: of the window, or of what is inside `only`, which then begins with `begin`.

    `height`: of the window, CSS pixels, which are those of the picture.
    """
    width = (page.viewport_size or {"width": WIDE})["width"]
    page.set_viewport_size({"width": width, "height": height})
    page.wait_for_load_state("networkidle")
    if begin:
        begin.evaluate("place => window.scrollTo(0, place.getBoundingClientRect().top + window.scrollY - 16)")
    page.evaluate("document.activeElement.blur()")
    page.wait_for_timeout(SETTLED_MS)
    left = int((only.bounding_box() or {"x": 0})["x"]) if only else 0
    area = FloatRect(x=left, y=0, width=width - left, height=height)
    page.screenshot(path=PICTURES / f"{name}.png", scale="css", clip=area)
    print(f"{name}.png  {(PICTURES / f'{name}.png').stat().st_size:,} bytes", flush=True)  # noqa: T201


def connect(opened: Tab) -> None:
    """Go through the nine steps of a connection, up to the one that saves it."""
    page = opened.open("connections/new")
    page.get_by_label("Display name").fill(NAME)
    page.get_by_role("radio").last.check()
    page.get_by_label("REST endpoint hostname").fill(str(CONNECTION["host"]))
    page.get_by_label("API key").fill(API_KEY)
    page.get_by_label("I agree").check()
    page.get_by_role("button", name="Connect").click()
    expect(page.get_by_text("Connected. The key works.")).to_be_visible(timeout=PATIENCE_MS)
    take(page, "connection", 920, begin=page.get_by_text("Where to, and the key"), only=page.locator("main"))


def define(opened: Tab) -> None:
    """Show the data matching of an export, and its preview."""
    page = opened.open("exports/newsletter/edit")
    expect(page.get_by_role("row", name="EMail").first).to_contain_text("***", timeout=PATIENCE_MS)
    page.get_by_role("button", name="Preview").click()
    expect(page.get_by_text("A run would send")).to_be_visible(timeout=PATIENCE_MS)
    form = page.locator("main")
    take(page, "matching", 690, begin=page.get_by_role("heading", name="Data matching"), only=form)
    take(page, "preview", 720, begin=page.get_by_role("heading", name="Preview"), only=form)


def try_a_few(opened: Tab, people: list[str]) -> None:
    """Send people of the segment, and name one who is not in it."""
    page = opened.open("exports/newsletter/edit")
    page.get_by_role("button", name="Try with a few people").last.click()
    panel = page.get_by_role("complementary")
    panel.get_by_label("Addresses, one per line").fill("\n".join([*people, "stranger@example.com"]))
    panel.get_by_role("button", name="Send these").click()
    expect(panel.get_by_role("link", name="Open this run")).to_be_visible(timeout=150_000)
    take(page, "few", 690, only=panel)


def look(opened: Tab, run_id: str) -> None:
    """Show a run that is over, and who is not on the list."""
    page = opened.open(f"runs/{run_id}")
    expect(page.get_by_text("Checked afterwards")).to_be_visible(timeout=PATIENCE_MS)
    take(page, "run", 720)
    page = opened.open(f"runs/{run_id}/rejects")
    expect(page.locator("table.rejects tbody tr").first).to_be_visible(timeout=PATIENCE_MS)
    take(page, "rejects", 610, begin=page.get_by_role("link", name="Not on the list"), only=page.locator("main"))


def find(opened: Tab, address: str) -> None:
    """Find a person, in all exports."""
    page = opened.open("people")
    page.get_by_label("Email address").fill(address)
    page.keyboard.press("Enter")
    expect(page.locator(".ans").first).to_be_visible(timeout=PATIENCE_MS)
    take(page, "person", 600, only=page.locator("main"))


def held(opened: Tab, run_id: str) -> None:
    """Show a run that waits for somebody's word."""
    page = opened.open(f"runs/{run_id}")
    take(page, "held", 970, begin=page.locator("nav.crumb"), only=page.locator("main"))


if __name__ == "__main__":
    main()
