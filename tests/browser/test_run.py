"""A run, as whoever started it sees it; and finding a person."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from urllib.parse import parse_qs, urlsplit

import pytest
from playwright.sync_api import Route, expect

from sandbox.world import World
from tests.browser.chromium import NARROW, PHONE, WIDE, Tab
from tests.browser.conftest import Opens
from tests.e2e.app import App, no_import_is_done

pytestmark = pytest.mark.e2e
SETTLED = "new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => setTimeout(done))))"
"""What an answer changes is drawn."""
NASTY = "🎉 <img src=x onerror=alert(1)> " + 160 * "x"
HELD = {
    "causes": [{"code": "size_changed", "numbers": {"rowsRead": 1112, "lastRowsRead": 2322}}],
    "membership": 64 * "f",
}


@pytest.fixture(scope="module")
def export(app: App) -> Iterator[str]:
    """An export of a thousand rows, of which some cannot be sent, and with values that do not fit."""
    body = {"displayName": "Main", "host": "demo.api-us1.com", "apiKey": "demo-key"}
    saved = app.call("PUT", "/connections/run-test", {**body, "usableBy": "contributors", "consent": True})
    assert saved.ok, saved.text
    yield app.export(
        "run-test",
        displayName=NASTY,
        connectionId="run-test",
        dataMatching={"email": "EMail", "fields": [{"column": "LoyaltyTier", "field": "LOYALTY_TIER"}]},
    )
    app.call("DELETE", "/exports/run-test")
    app.call("DELETE", "/connections/run-test")


@pytest.fixture(scope="module")
def over(app: App, export: str) -> str:
    """A run that is over."""
    run_id = app.start(export)
    app.wait_for(run_id)
    return run_id


def test_a_run_is_watched_canceled_and_continued(opened: Opens, app: App, world: World, export: str) -> None:
    assert world.account is not None
    with opened() as tab:
        with no_import_is_done(world.account):
            page = tab.open(f"runs/{app.start(export)}")
            expect(page.get_by_text("people are on the list so far")).to_be_visible()
            expect(page.get_by_role("progressbar")).to_have_count(3)
            page.get_by_role("button", name="Cancel run").click()
            expect(page.locator(".meta")).to_contain_text(re.compile("Cancel"))
            expect(page.get_by_role("button", name="Cancel run")).to_be_hidden()
        expect(page.locator(".meta .st")).to_have_text("Canceled")
        canceled = page.url
        others = page.get_by_role("button", name="Send the other")
        if others.count():  # else everybody had been sent before
            others.click()
            expect(page).not_to_have_url(canceled)
            expect(page.get_by_role("link", name="Continues an earlier run")).to_be_visible()
            expect(page.locator(".meta .st")).to_have_text("Done with warnings")
        looks = [r.response() for r in tab.requests if "/api/runs/" in r.url and r.method == "GET"]
        assert {look.status for look in looks if look} <= {200, 304}


def test_what_became_of_every_row_adds_up(opened: Opens, app: App, over: str) -> None:
    tally = app.run(over)["tally"]
    with opened() as tab:
        page = tab.open(f"runs/{over}")
        expect(page.get_by_role("heading", level=1)).to_have_text(NASTY)
        expect(page.locator(".say")).to_contain_text(f"{tally['confirmed']:,} of {tally['rowsRead']:,}")
        amounts = [int(n.replace(",", "")) for n in page.locator("table.stmt td.a").all_inner_texts()]
        assert sum(amounts) == tally["rowsRead"]
        shares = [round(100 * float(n.rstrip("%"))) for n in page.locator(".sum .share").all_inner_texts()]
        assert sum(shares) == 10_000


def test_an_older_look_does_not_undo_what_cancelling_answered(opened: Opens, app: App, over: str) -> None:
    now = datetime.now(UTC).isoformat()
    none = {"plan": None, "progress": None, "tally": None, "sample": None, "endedUtc": None}
    going = app.run(over) | none | {"runId": "going", "status": "running", "requestedUtc": now}
    looks: list[Route] = []

    def look(route: Route) -> None:
        looks.append(route)
        if len(looks) == 1:
            route.fulfill(json=going)

    with opened() as tab:
        page = tab.page
        page.route("**/api/runs/going", look)
        page.route("**/api/runs/going/cancel", lambda route: route.fulfill(json=going | {"status": "canceling"}))
        with page.expect_request(lambda request: len(looks) > 0 and request.url.endswith("/runs/going")):
            page.goto(f"{tab.app}/api/console/runs/going")
        page.get_by_role("button", name="Cancel run").click()
        state = page.locator(".meta .st")
        expect(state).to_have_text("Canceling")
        with page.expect_response("**/api/runs/going"):
            looks[1].fulfill(json=going)
        page.evaluate(SETTLED)
        expect(state).to_have_text("Canceling")


def test_more_of_one_reason_does_not_come_among_the_rows_of_another(opened: Opens, over: str) -> None:
    later: list[Route] = []

    def answer(route: Route) -> None:
        query = parse_qs(urlsplit(route.request.url).query)
        if "later" in query:
            later.append(route)
            return
        only = query.get("reason", [None])[0]
        row = {"email": f"{only}@example.org", "reason": only or "no_consent", "explanation": "", "customerId": ""}
        body = {"value": [row | {"file": "part", "row": 1}], "reasons": {"no_consent": 1, "duplicate_email": 1}}
        route.fulfill(json=body if only else body | {"nextLink": f"/api/runs/{over}/rejects?later=1"})

    with opened() as tab:
        page = tab.page
        page.route("**/api/runs/*/rejects*", answer)
        tab.open(f"runs/{over}/rejects")
        rows = page.locator("table.rejects tbody tr")
        page.get_by_role("button", name="Show 1 more").click()
        page.get_by_role("button", name="Duplicate", exact=False).click()
        expect(rows).to_contain_text("Duplicate")
        row = {"email": "late@example.org", "reason": "no_consent", "explanation": "", "customerId": ""}
        with page.expect_response("**/rejects?later=1"):
            later[0].fulfill(json={"value": [row | {"file": "part", "row": 2}], "reasons": {}})
        page.evaluate(SETTLED)
        expect(rows).to_have_count(1)


def test_who_is_not_on_the_list_is_masked_filtered_and_downloaded(opened: Opens, app: App, over: str) -> None:
    reasons = app.run(over)["tally"]["reasons"]
    with opened() as tab:
        page = tab.open(f"runs/{over}")
        page.get_by_role("link", name="Not on the list").click()
        expect(page).to_have_url(re.compile("/rejects$"))
        rows = page.locator("table.rejects tbody tr")
        expect(rows).to_have_count(min(50, sum(reasons.values())))
        page.get_by_role("button", name="Duplicate", exact=False).click()
        expect(page).to_have_url(re.compile(r"\?reason=duplicate_email$"))
        expect(rows).to_have_count(min(50, reasons["duplicate_email"]))
        first = rows.first.get_by_role("rowheader")
        expect(first).to_contain_text("•••")
        page.get_by_role("button", name="Show addresses").click()
        expect(first).not_to_contain_text("•••")
        with page.expect_download() as file:
            page.get_by_role("button", name="Download CSV").click()
        assert file.value.path().read_text(encoding="utf-8-sig").count("duplicate_email") == reasons["duplicate_email"]
        page.reload()
        expect(first).to_contain_text("•••")
        expect(page.get_by_role("button", name="Duplicate", exact=False)).to_have_attribute("aria-pressed", "true")


def test_values_that_did_not_fit_are_counted_and_their_examples_masked(opened: Opens, app: App, over: str) -> None:
    (unfit,) = (value["unfit"] for value in app.run(over)["plan"]["values"] if value["unfit"])
    with opened() as tab:
        page = tab.open(f"runs/{over}/values")
        row = page.locator("table.values tbody tr")
        expect(row).to_contain_text("Not an option of this field.")
        expect(row).to_contain_text(f"{unfit['not_an_option']:,}")
        expect(row).to_contain_text("•••")


def test_what_is_approved_is_exactly_what_holds_the_run(opened: Opens, app: App, over: str) -> None:
    held = app.run(over) | {"status": "held", "held": HELD, "plan": None, "tally": None, "runId": "held-run"}
    sent: list[object] = []

    def refuse(route: Route) -> None:
        sent.append(route.request.post_data_json)
        answer = {"code": "newer_run", "detail": "A newer run exists.", "params": {"run": over}, "status": 409}
        route.fulfill(status=409, content_type="application/problem+json", body=json.dumps(answer))

    with opened() as tab:
        page = tab.page
        page.route("**/api/runs/held-run", lambda route: route.fulfill(json=held))
        page.route(
            "**/api/exports/run-test", lambda route: route.fulfill(status=404, json={"code": "export_not_found"})
        )
        page.route("**/api/runs/held-run/approve", refuse)
        tab.open("runs/held-run")
        expect(page.locator(".say")).to_have_text("The segment has 1,210 fewer rows than last time. Nothing was sent.")
        page.get_by_role("button", name="Approve 1,210 fewer rows").click()
        expect(page.get_by_role("alert")).to_contain_text("A newer run exists.")
        page.get_by_role("link", name="Open the newer run").click()
        expect(page).to_have_url(re.compile(f"{re.escape(over)}$"))
    assert sent == [HELD]


def test_a_person_is_found_and_their_address_is_in_no_address_bar(opened: Opens, over: str) -> None:
    with opened() as tab:
        page = tab.open("people")
        page.get_by_label("Email address").fill("nobody@here.example")
        page.keyboard.press("Enter")
        expect(page.locator(".ans").filter(has_text="not in the segment").first).to_be_visible()
        expect(page.locator(".say")).to_contain_text("nobody@here.example")
        assert over in (page.locator(".ans a").first.get_attribute("href") or "") or page.locator(".ans").count() > 1
        assert not [request.url for request in tab.requests if "nobody" in request.url]
        assert "nobody" not in page.url


def test_the_pages_are_accessible_and_fit_any_width(opened: Opens, over: str) -> None:
    def look(tab: Tab, path: str) -> None:
        tab.open(path)
        assert (path, tab.findings()) == (path, [])
        assert (path, tab.sideways()) == (path, 0)

    for size, scheme, language in ((PHONE, "dark", "id"), (NARROW, "light", "en"), (WIDE, "dark", "en")):
        with opened(size=size, color_scheme=scheme, language=language, bypass_csp=True) as tab:
            for path in (f"runs/{over}", f"runs/{over}/rejects", f"runs/{over}/values", "people"):
                look(tab, path)
