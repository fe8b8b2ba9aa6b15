"""When the service does not answer, or says no: each has its sentence, and what was there stays."""

from __future__ import annotations

import json

import pytest
from playwright.sync_api import Dialog, Route, expect

from sandbox.demo import CONNECTION, EXPORT
from tests.browser.conftest import Opens
from tests.e2e.app import App

pytestmark = pytest.mark.e2e
NAMES = {
    "img": "<img src=x onerror=alert(1)>",
    "script": "</script><script>alert(1)</script>",
    "long": "Überlanger Name 😀 " * 11,
}


@pytest.fixture(scope="module", autouse=True)
def _exports(app: App) -> None:
    app.call("PUT", "/connections/demo", CONNECTION)
    for name, shown in NAMES.items():
        answer = app.call(
            "PUT", f"/exports/{name}", {**EXPORT, "displayName": shown.strip(), "schedule": {"kind": "none"}}
        )
        assert answer.ok, answer.text


def test_names_are_shown_as_they_are_and_never_run(opened: Opens) -> None:
    with opened(size=(360, 740)) as tab:
        said: list[str] = []

        def close(dialog: Dialog) -> None:
            said.append(dialog.message)
            dialog.dismiss()

        tab.page.on("dialog", close)
        page = tab.open("exports")
        for shown in NAMES.values():
            expect(page.get_by_text(shown.strip()).first).to_be_visible()
        assert tab.sideways() == 0
        tab.open("exports/img/edit")
        expect(page.get_by_label("Display name")).to_have_value(NAMES["img"])
        assert said == []


def test_without_an_answer_the_page_says_so_and_goes_on_when_asked(opened: Opens) -> None:
    with opened() as tab:
        page = tab.open("segments")
        page.context.set_offline(True)
        page.get_by_role("link", name="Exports", exact=True).click()
        expect(page.get_by_text("does not answer").first).to_be_visible()
        page.context.set_offline(False)
        page.get_by_role("button", name="Try again").first.click()
        expect(page.get_by_text(NAMES["img"]).first).to_be_visible()


def test_what_was_known_stays_while_the_service_asks_to_wait(opened: Opens) -> None:
    with opened() as tab:
        page = tab.open("exports")
        expect(page.get_by_text(NAMES["img"]).first).to_be_visible()

        def later(route: Route) -> None:
            body = json.dumps({"code": "reading_busy", "detail": "Busy.", "status": 429, "params": {"retryAfterS": 30}})
            route.fulfill(status=429, headers={"Retry-After": "30"}, content_type="application/problem+json", body=body)

        page.route("**/api/exports*", later)
        page.get_by_role("button", name="Reload").click()
        expect(page.get_by_role("status").filter(has_text="asks again in")).to_be_visible()
        expect(page.get_by_text(NAMES["img"]).first).to_be_visible()


def test_a_page_that_says_it_asks_again_does(opened: Opens) -> None:
    with opened() as tab:
        page = tab.open("segments")
        body = json.dumps({"code": "reading_busy", "detail": "Busy.", "status": 429, "params": {"retryAfterS": 2}})
        busy = {"status": 429, "headers": {"Retry-After": "2"}, "content_type": "application/problem+json"}
        page.route("**/api/segments*", lambda route: route.fulfill(**busy, body=body), times=1)
        page.get_by_role("button", name="Reload").click()
        banner = page.get_by_role("status").filter(has_text="asks again in")
        expect(banner).to_be_visible()
        expect(banner).to_be_hidden()


@pytest.mark.parametrize(("status", "body"), [(503, "<html>Service Unavailable</html>"), (502, "")])
def test_an_answer_that_is_no_use_is_told_with_the_next_step(opened: Opens, status: int, body: str) -> None:
    with opened() as tab:
        tab.page.route("**/api/segments*", lambda route: route.fulfill(status=status, body=body))
        page = tab.open("segments")
        alert = page.get_by_role("alert")
        expect(alert).to_contain_text(str(status))
        expect(alert.get_by_role("button", name="Try again")).to_be_visible()


def test_what_one_may_not_do_says_whom_to_ask(opened: Opens) -> None:
    with opened() as tab:
        body = json.dumps(
            {"code": "role_missing", "detail": "Expected the role Admin; yours is Viewer.", "status": 403}
        )
        tab.page.route("**/api/connections*", lambda route: route.fulfill(status=403, body=body))
        page = tab.open("connections")
        expect(page.get_by_role("alert")).to_contain_text("Expected the role Admin")
        expect(page.get_by_role("alert")).to_contain_text("role_missing")


def test_whoever_goes_on_while_a_save_is_slow_is_not_pulled_back(opened: Opens) -> None:
    with opened() as tab:
        page = tab.open("connections/new")
        page.get_by_label("Display name").fill("Slow")
        page.get_by_label("REST endpoint hostname").fill(str(CONNECTION["host"]))
        page.get_by_label("API key").fill(str(CONNECTION["apiKey"]))
        page.get_by_label("I agree").check()
        page.get_by_role("button", name="Connect", exact=True).click()
        save = page.get_by_role("button", name="Save", exact=True)
        expect(save).to_be_enabled()
        held: list[Route] = []
        page.route("**/api/connections/slow", lambda route: held.append(route))  # noqa: PLW0108 - it marks its handlers
        save.click()
        expect(page.get_by_role("listitem").filter(has=page.get_by_label("Display name")).first).to_have_attribute(
            "inert", ""
        )
        page.on("dialog", lambda dialog: dialog.accept())
        page.get_by_role("link", name="Segments", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Segments")
        with page.expect_response("**/api/connections/slow"):
            held[0].continue_()
        expect(page.get_by_role("heading", level=1)).to_have_text("Segments")
        assert page.url.endswith("/segments")
