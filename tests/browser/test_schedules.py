"""When exports run by themselves: their times and refreshes, pauses, and what comes next."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser.chromium import NARROW, PHONE
from tests.browser.conftest import Opens
from tests.browser.test_exports import CONNECTION, TALL, edit, saved
from tests.e2e.app import App

pytestmark = pytest.mark.e2e
NEVER, EVERY = {"kind": "none"}, {"kind": "withEveryRefresh"}
INSTANT = re.compile(r"\d{4}-\d\d-\d\dT")
"""As the API writes times, and no page does."""


@pytest.fixture(autouse=True)
def connection(app: App) -> Iterator[None]:
    assert app.call("PUT", "/connections/main", CONNECTION | {"apiKey": "demo-key"}).status_code in {201, 428}
    yield
    app.call("POST", "/connections/main/unpause")


def schedule_of(app: App, export_id: str) -> dict[str, str]:
    schedule: dict[str, str] = app.call("GET", f"/exports/{export_id}").json()["schedule"]
    return schedule


def save(page: Page) -> None:
    page.get_by_role("button", name="Save", exact=True).press("Enter")
    expect(page.locator("#saved")).to_be_focused()


def test_days_and_a_time_are_chosen_and_the_next_three_are_seen_before_they_are_saved(opened: Opens, app: App) -> None:
    saved(app, "timed", schedule=NEVER)
    with opened() as tab:
        page = edit(tab.open("exports/timed/edit"))
        page.get_by_role("radio", name="At a time of day").check()
        next_three = page.locator(".next3 li")
        expect(next_three).to_have_count(3)
        expect(page.get_by_label("Time zone", exact=True)).to_have_value("Asia/Jakarta")
        page.get_by_label("Time", exact=True).fill("07:45")
        page.get_by_label("Days", exact=True).select_option("Days that I choose")
        for day in ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat"):
            page.get_by_role("button", name=day, exact=True).click()
        expect(next_three).to_have_text([re.compile(r"^Sun.* 07:45$")] * 3)
        page.get_by_role("button", name="Sun", exact=True).click()
        expect(page.get_by_label("Time", exact=True)).to_have_accessible_description("Choose at least one day.")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Choose at least one day.")
        page.get_by_label("Days", exact=True).select_option("Monday to Friday")
        expect(next_three).to_have_count(3)
        save(page)
        assert schedule_of(app, "timed") == {"kind": "cron", "cron": "45 7 * * 1-5", "timeZone": "Asia/Jakarta"}
        expect(page.get_by_text(re.compile("^Next run: .* 07:45$", re.IGNORECASE))).to_be_visible()


def test_a_cron_is_typed_and_what_is_wrong_with_it_is_said_at_once_and_when_it_is_saved(
    opened: Opens, app: App
) -> None:
    times = {"kind": "cron", "cron": "0 6 * * *", "timeZone": "Europe/Amsterdam"}
    saved(app, "typed", schedule=times)
    with opened() as tab:
        page = edit(tab.open("exports/typed/edit"))
        page.get_by_role("button", name="Write it as cron").click()
        cron, next_three = page.get_by_label("Cron, five fields"), page.locator(".next3 li")
        expect(cron).to_have_value("0 6 * * *")
        for wrong, said in (
            ("0 0 6 * * 1", "without the seconds"),
            ("0 6", "Write five fields"),
            ("0 26 * * *", "hours 0-23"),
            ("0 0 30 2 *", "The date has to exist"),
        ):
            cron.fill(wrong)
            expect(cron).to_have_accessible_description(re.compile(said))
            expect(next_three).to_have_count(0)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Not saved: 1 place needs you.")
        page.get_by_role("alert").get_by_role("link", name="Cron, five fields").click()
        expect(cron).to_be_focused()
        assert schedule_of(app, "typed") == times
        cron.fill("0 6,18 * * *")
        expect(next_three).to_have_text([re.compile("(06|18):00$")] * 3)
        page.get_by_label("Time zone", exact=True).fill("Mars/Olympus")
        expect(page.get_by_label("Time zone", exact=True)).to_have_accessible_description(re.compile("such as"))
        page.get_by_label("Time zone", exact=True).fill("America/New_York")
        expect(next_three).to_have_count(3)
        save(page)
        assert schedule_of(app, "typed") == {"kind": "cron", "cron": "0 6,18 * * *", "timeZone": "America/New_York"}
        page.reload()
        expect(cron).to_have_value("0 6,18 * * *")
        expect(page.get_by_role("button", name="Choose days and a time")).to_have_count(0)


def test_times_of_the_app_stay_until_they_are_changed(opened: Opens, app: App) -> None:
    saved(app, "of-old", schedule={"kind": "cron"})
    with opened() as tab:
        page = edit(tab.open("exports/of-old/edit"))
        expect(page.get_by_role("radio", name="At the app's times (EXPORT_SCHEDULE)")).to_be_checked()
        page.get_by_label("Display name").fill("Of old")
        save(page)
        assert "cron" not in schedule_of(app, "of-old")
        page.get_by_role("radio", name="Only on demand").check()
        save(page)
        expect(page.get_by_role("radio", name="At the app's times (EXPORT_SCHEDULE)")).to_have_count(0)
        assert schedule_of(app, "of-old") == NEVER


def test_what_saving_does_not_export_is_said_and_run_with_one_button(opened: Opens, app: App) -> None:
    saved(app, "missed", schedule=NEVER)
    with opened() as tab:
        page = edit(tab.open("exports/missed/edit"))
        page.get_by_role("radio", name="With every scheduled refresh").check()
        save(page)
        told = page.locator("#saved")
        expect(told).to_contain_text("The refresh of ")
        expect(told).not_to_have_text(INSTANT)
        assert "lastRun" not in app.call("GET", "/exports/missed").json()
        page = tab.open("exports")
        row = page.get_by_role("row", name="missed")
        expect(row).to_contain_text("With the next refresh")
        expect(row).to_contain_text("not sent by itself: the refresh of ")
        page = edit(tab.open("exports/missed/edit"))
        page.get_by_role("radio", name="Only on demand").check()
        save(page)
        page.get_by_role("radio", name="With every scheduled refresh").check()
        save(page)
        told.get_by_role("button", name="Run it now").click()
        expect(page).to_have_url(re.compile("/runs/missed"))


def test_a_pause_is_begun_and_ended_where_one_is_and_nothing_typed_is_lost(opened: Opens, app: App) -> None:
    saved(app, "pausing", schedule=EVERY)
    with opened() as tab:
        page = tab.open("exports")
        row = page.get_by_role("row", name="pausing")
        row.get_by_role("button", name="Details of").click()
        panel = page.get_by_role("complementary")
        panel.get_by_role("button", name="Pause", exact=True).click()
        expect(row).to_contain_text("Paused")
        expect(row).to_contain_text("Function key has paused it, on ")
        expect(row).not_to_have_text(INSTANT)
        expect(row).to_contain_text("After you unpause it")
        expect(page.get_by_role("status").first).to_contain_text("paused")
        assert app.call("GET", "/exports/pausing").json()["state"] == "paused"
        panel.get_by_role("button", name="Unpause").click()
        expect(panel).to_contain_text("nor does the end of a pause")
        expect(row).to_contain_text("With the next refresh")
        page = edit(tab.open("exports/pausing/edit"))
        page.get_by_label("Display name").fill("Typed")
        page.get_by_role("button", name="Pause", exact=True).click()
        expect(page.get_by_text("Function key has paused it")).to_be_visible()
        expect(page.get_by_label("Display name")).to_have_value("Typed")
        save(page)
        now = app.call("GET", "/exports/pausing").json()
        assert (now["displayName"], now["paused"]["by"]) == ("Typed", "function key")
        page.get_by_role("button", name="Unpause").click()
        expect(page.get_by_role("button", name="Pause", exact=True)).to_be_visible()
        assert app.call("GET", "/exports/pausing").json()["state"] == "active"


def test_a_pause_of_what_runs_on_demand_only_is_explained_and_ended(opened: Opens, app: App) -> None:
    saved(app, "at-rest", schedule=NEVER)
    assert app.call("POST", "/exports/at-rest/pause").ok
    means = "It is paused, but nothing starts it by itself anyway."
    with opened() as tab:
        page = tab.open("exports")
        row = page.get_by_role("row", name="at-rest")
        expect(row.get_by_role("button", name="Run it now")).to_be_visible()
        expect(row.get_by_role("button", name="Unpause")).to_have_count(0)
        row.get_by_role("button", name="Details of").click()
        panel = page.get_by_role("complementary")
        expect(panel).to_contain_text(means)
        page = edit(tab.open("exports/at-rest/edit"))
        expect(page.get_by_text(means)).to_be_visible()
        page.get_by_role("button", name="Unpause").click()
        expect(page.get_by_role("button", name="Unpause")).to_have_count(0)
        expect(page.get_by_text(means)).to_have_count(0)
        expect(page.get_by_role("button", name="Pause", exact=True)).to_have_count(0)
        assert "paused" not in app.call("GET", "/exports/at-rest").json()
    app.call("DELETE", "/exports/at-rest")


def test_what_somebody_else_saved_is_not_overwritten_because_of_a_pause(opened: Opens, app: App) -> None:
    saved(app, "both", schedule=EVERY)
    with opened() as tab:
        page = edit(tab.open("exports/both/edit"))
        page.get_by_label("Display name").fill("Mine")
        saved(app, "both", schedule=EVERY, displayName="Theirs")
        page.get_by_role("button", name="Pause", exact=True).click()
        expect(page.get_by_role("button", name="Unpause")).to_be_visible()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Not saved: somebody else was first")
        assert app.call("GET", "/exports/both").json()["displayName"] == "Theirs"


def test_a_connection_is_paused_and_its_exports_say_so(opened: Opens, app: App) -> None:
    saved(app, "on-it", schedule=EVERY)
    with opened() as tab:
        page = tab.open("connections?open=main")
        panel = page.get_by_role("complementary")
        panel.get_by_role("button", name="Pause").click()
        expect(panel).to_contain_text(re.compile("Paused by Function key, today"))
        expect(panel).to_contain_text("People can still run")
        expect(panel.get_by_role("listitem").filter(has_text="on-it")).to_contain_text("Paused")
        expect(page.get_by_role("row", name=str(CONNECTION["displayName"]))).to_contain_text("Paused by")
        row = tab.open("exports").get_by_role("row", name="on-it")
        expect(row).to_contain_text("After its connection is unpaused")
        expect(row).to_contain_text("Function key has paused its connection main")
        page = tab.open("connections?open=main")
        panel.get_by_role("button", name="Unpause").click()
        expect(panel.get_by_role("button", name="Pause", exact=True)).to_be_visible()
        told = panel.get_by_role("listitem").filter(has_text="on-it: the refresh of ")
        expect(told).to_be_visible()
        expect(told).not_to_have_text(INSTANT)
        assert app.call("GET", "/exports/on-it").json()["state"] == "active"


def changed(route: Route, **members: Any) -> None:
    """Answer as the app does, but for these members."""
    answer = route.fetch()
    route.fulfill(response=answer, json=answer.json() | members)


def test_a_run_says_which_attempt_it_was_and_what_comes_next(opened: Opens, app: App) -> None:
    run_id = app.start(saved(app, "tried", schedule=EVERY))
    app.wait_for(run_id)
    params: dict[str, Any] = {"at": "2026-11-30T23:15:00.000Z", "attempt": 3, "most": 5}
    not_now = {"code": "waits_repair", "message": "Some have none: 2026-11-30T23:15:00.000Z", "params": params}
    newer = {"code": "superseded", "message": "The segments were refreshed again.", "culprit": "system"}
    with opened() as tab:
        page = tab.page
        page.route("**/api/runs/tried*", lambda route: changed(route, trigger="scheduled", attempt=2))
        page.route("**/api/exports/tried", lambda route: changed(route, notNow=not_now))
        tab.open(f"runs/{run_id}")
        expect(page.get_by_text("Started by the schedule, attempt 2 of 5")).to_be_visible()
        expect(page.get_by_text("Some have none: 1 Dec 2026, 06:15")).to_be_visible()
    with opened(language="id") as tab:
        page = tab.page
        page.route(
            "**/api/runs/tried*", lambda route: changed(route, trigger="scheduled", status="skipped", problem=newer)
        )
        page.route("**/api/exports/tried", lambda route: changed(route, notNow=not_now))
        tab.open(f"runs/{run_id}")
        expect(page.get_by_text("Refresh yang lebih baru datang")).to_be_visible()
        expect(page.get_by_text("Dimulai oleh jadwal")).to_be_visible()
        expect(page.get_by_text("Mereka dikirim lagi pada 1 Des 2026, 06.15: percobaan 3 dari 5.")).to_be_visible()


def test_schedules_and_pauses_are_said_in_indonesian(opened: Opens, app: App) -> None:
    times = {"kind": "cron", "cron": "0 6 * * 1-5", "timeZone": "Asia/Jakarta"}
    saved(app, "jadwal", schedule=times)
    with opened(language="id") as tab:
        page = tab.open("exports/jadwal/edit")
        expect(page.get_by_label("Hari", exact=True)).to_have_value("weekdays")
        expect(page.locator(".next3")).to_contain_text("Tiga berikutnya:")
        expect(page.locator(".next3 li")).to_have_text([re.compile(r"^(Sen|Sel|Rab|Kam|Jum), .* 06\.00$")] * 3)
        page.get_by_role("button", name="Jeda", exact=True).click()
        expect(page.get_by_text("Dijeda oleh Kunci fungsi pada")).to_be_visible()
        page = tab.open("exports")
        row = page.get_by_role("row", name="jadwal")
        expect(row).to_contain_text("Dijeda")
        expect(row).not_to_have_text(INSTANT)
        expect(row).to_contain_text("Setelah Anda akhiri jedanya")
        row.get_by_role("button", name="Akhiri jeda").click()
        expect(row).to_contain_text(re.compile(r"(Hari ini|Besok|\d+ \w+ \d{4}), 06\.00"))


@pytest.mark.parametrize("path", ["exports/shown/edit", "exports", "connections?open=main"])
def test_the_pages_are_accessible_and_fit_a_narrow_window(opened: Opens, app: App, path: str) -> None:
    saved(app, "rests", schedule=EVERY)
    app.call("POST", "/exports/rests/pause")
    saved(app, "shown", schedule={"kind": "cron", "cron": "0 6 * * 1,3", "timeZone": "Asia/Jakarta"})
    if path.startswith("connections"):
        app.call("POST", "/connections/main/pause")
    for scheme, size in (("light", TALL), ("dark", (PHONE[0], 9_000))):
        with opened(size=size, color_scheme=scheme, bypass_csp=True) as tab:
            page = tab.open(path)
            page.wait_for_timeout(800)
            assert tab.findings() == []
            assert tab.sideways() == 0
    with opened(size=NARROW) as tab:
        page = tab.open(path)
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert tab.sideways() == 0
