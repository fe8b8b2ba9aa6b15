"""The list of exports and the editor, as people use them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

import pytest
from playwright.sync_api import Dialog, Page, expect

from sandbox.world import World
from tests.browser.chromium import NARROW, PHONE, WIDE
from tests.browser.conftest import Opens
from tests.e2e.app import App

pytestmark = pytest.mark.e2e
CONNECTION = {"displayName": "Our AC", "host": "demo.api-us1.com", "usableBy": "contributors", "consent": True}
NASTY = "🎉 **<img src=x onerror=alert(1)>** " + 160 * "x"
TALL = (1280, 4200)
"""Nothing is under the bar that saves, which axe-core would take for a control that is too small to be hit."""


@pytest.fixture(scope="module", autouse=True)
def connection(app: App) -> str:
    assert app.call("PUT", "/connections/main", CONNECTION | {"apiKey": "demo-key"}).status_code in {201, 428}
    return "main"


def saved(app: App, export_id: str, **changes: Any) -> str:
    """Save an export anew, with the members that are named, and return its id."""
    name: str = app.call("GET", "/segments").json()["value"][0]["name"]
    body = {"displayName": export_id, "connectionId": "main", "listId": 1, "segments": [name]}
    body |= {"dataMatching": {"email": "EMail", "firstName": "FirstName"}} | changes
    etag = app.call("GET", f"/exports/{export_id}").headers.get("ETag")
    answer = app.call("PUT", f"/exports/{export_id}", body, headers={"If-Match": etag} if etag else {})
    assert answer.ok, answer.text
    return export_id


@pytest.fixture
def gone(app: App) -> Iterator[str]:
    """The id of an export that never ran, removed after the test: a longer list is in groups, and says less of each."""
    export_id = f"gone-{uuid4().hex[:8]}"  # one of the same id has the runs of the one before
    yield export_id
    app.call("DELETE", f"/exports/{export_id}")


def edit(page: Page) -> Page:
    """Wait until the editor knows lists, fields and segments."""
    expect(page.get_by_label("ActiveCampaign list ID").locator("option", has_text="1 Newsletter")).to_be_attached()
    return page


def test_an_export_is_defined_previewed_saved_and_tried(opened: Opens, app: App) -> None:
    with opened() as tab:
        page = tab.open("exports/new")
        save = page.get_by_role("button", name="Save", exact=True)
        page.get_by_label("Connection").select_option("")
        save.click()
        expect(page.get_by_role("alert")).to_contain_text("Not saved: 5 places need you.")
        page.get_by_role("alert").get_by_role("link", name="Display name").click()
        expect(page.get_by_label("Display name")).to_be_focused()
        page.keyboard.type("Café, regulars")
        expect(page.get_by_label("ID in addresses and reports")).to_have_value("cafe-regulars")
        page.get_by_label("Connection").select_option("main")
        edit(page).get_by_label("ActiveCampaign list ID").select_option("1")
        page.get_by_role("checkbox", name="NewsletterSubscribers").check()
        expect(page.get_by_label("Column for Email")).to_have_value("EMail")
        page.get_by_role("button", name="City → City").click()
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_text("A run would send")).to_be_visible()
        assert app.call("GET", "/exports/cafe-regulars").status_code == 404
        expect(page.get_by_role("button", name="Try with a few people")).to_be_disabled()
        save.press("Enter")
        expect(page).to_have_url(re.compile("/exports/cafe-regulars/edit$"))
        expect(page.get_by_text("Nothing has been sent.")).to_be_visible()
        expect(page.locator("#saved")).to_be_focused()
        expect(page.get_by_text("A run would send")).to_be_visible()
        expect(page.get_by_text("The form has changed since this preview.")).to_have_count(0)
        edit(page).get_by_label("Display name").fill("Café, regular guests")
        page.get_by_role("button", name="Save", exact=True).press("Enter")
        expect(page.locator("#saved")).to_be_focused()
        definition = app.call("GET", "/exports/cafe-regulars").json()
        assert (definition["listId"], definition["schedule"]) == (1, {"kind": "withEveryRefresh"})
        assert [match["field"] for match in definition["dataMatching"]["fields"]] == ["CITY"]
        edit(page).get_by_role("button", name="Try with a few people").last.click()
        panel = page.get_by_role("complementary")
        panel.get_by_label("Addresses, one per line").fill("\n".join(f"p{n}@example.org" for n in range(21)))
        expect(panel.get_by_text("at most 20 can be tried")).to_be_visible()
        panel.get_by_label("Addresses, one per line").fill("nobody@example.org")
        panel.get_by_role("button", name="Send this 1 person").click()
        page.keyboard.press("Escape")
        expect(panel).to_have_count(0)
        page.get_by_role("button", name="Try with a few people").last.click()
        expect(panel.get_by_role("link", name="Open this run")).to_be_visible(timeout=110_000)


def test_the_editor_keeps_the_focus_of_whoever_uses_the_keyboard_alone(opened: Opens) -> None:
    with opened() as tab:
        page = tab.open("exports/new")
        keys = page.keyboard
        page.get_by_label("Connection").select_option("main")
        segment = edit(page).get_by_role("checkbox", name="NewsletterSubscribers")
        segment.press("Space")
        expect(page.get_by_label("Column for Email")).to_have_value("EMail")
        expect(segment).to_be_checked()
        expect(segment).to_be_focused()
        page.get_by_role("button", name="City → City").press("Enter")
        expect(page.get_by_label("Column for City")).to_be_focused()
        page.get_by_role("button", name="Add attribute").press("Enter")
        choice = page.get_by_label("Which field?")
        expect(choice).to_be_focused()
        keys.press("ArrowDown")
        keys.press("ArrowDown")
        expect(choice).to_be_focused()  # arrows choose, and take nothing yet
        keys.press("Tab")
        keys.press("Enter")
        expect(page.get_by_label("Column for Birthday")).to_be_focused()
        page.get_by_role("button", name="Options : Birthday").press("Enter")
        page.get_by_role("button", name="Take Birthday out").press("Enter")
        expect(page.get_by_role("button", name="Add attribute")).to_be_focused()
        examples = page.get_by_role("button", name="Show examples (recorded)")
        expect(page.get_by_role("columnheader", name="Examples, masked")).to_be_visible()
        examples.press("Enter")
        expect(page.get_by_role("columnheader", name="Examples, as they are")).to_be_visible()
        expect(examples).to_be_focused()
        examples.press("Enter")
        expect(page.get_by_role("columnheader", name="Examples, masked")).to_be_visible()


def test_what_has_the_focus_is_never_below_the_bar_that_saves(opened: Opens) -> None:
    with opened(size=(1280, 500)) as tab:
        page = edit(tab.open("exports/new"))
        bar = page.locator(".save")
        page.get_by_label("Connection", exact=True).focus()
        for _ in range(40):
            page.keyboard.press("Tab")
            if bar.evaluate("bar => bar.contains(document.activeElement)"):
                break
            below = bar.evaluate(
                "bar => document.activeElement.getBoundingClientRect().bottom - bar.getBoundingClientRect().top"
            )
            assert below <= 0, page.evaluate("document.activeElement.outerHTML")
        else:
            pytest.fail("the bar was never reached")


def test_a_segment_that_was_being_written_is_read_once_it_is_there(opened: Opens, app: App) -> None:
    there = app.call("GET", "/segments").json()["value"][0]
    params = {"case": "marker", "folder": "x/", "marker": "x/_started_1", "retryAfterS": 2}
    problem = {"code": "refresh_in_flight", "message": "Being written.", "culprit": "segment", "params": params}
    written = there | {"columns": [], "files": 0, "problem": problem}
    with opened() as tab:
        answers = iter([written])
        tab.page.route(
            re.compile(r"/api/segments(\?|$)"),
            lambda route: route.fulfill(json={"value": [next(answers, there)]}),
        )
        page = edit(tab.open("exports/new"))
        segment = page.get_by_role("checkbox", name="NewsletterSubscribers")
        expect(page.get_by_text("Being written.")).to_be_visible()
        segment.check()
        expect(page.get_by_text("Being written.")).to_have_count(0)
        page.get_by_label("Column for First name").select_option("LastName")


def test_what_the_api_refuses_is_said_at_the_field_and_nothing_typed_is_lost(opened: Opens, app: App) -> None:
    saved(app, "refused")
    with opened() as tab:
        page = edit(tab.open("exports/refused/edit"))
        page.get_by_label("Display name").fill("Typed")
        page.get_by_label("ActiveCampaign list ID").evaluate(
            """select => { select.querySelector('[value="3"]').disabled = false; select.value = "3";
            select.dispatchEvent(new Event("change", {bubbles: true})); }"""
        )
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("Not saved: 1 place needs you.")
        listed = page.get_by_label("ActiveCampaign list ID")
        expect(listed).to_have_attribute("aria-invalid", "true")
        expect(listed).to_have_accessible_description(re.compile("sms"))
        expect(page.get_by_label("Display name")).to_have_value("Typed")


def test_both_versions_are_shown_when_somebody_else_was_first(opened: Opens, app: App) -> None:
    saved(app, "raced")
    with opened() as tab:
        page = edit(tab.open("exports/raced/edit"))
        page.get_by_label("Display name").fill("Mine")
        page.get_by_label("Column for First name").select_option("")
        saved(app, "raced", displayName="Theirs", runAutomations=True)
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Not saved: somebody else was first")
        expect(page.get_by_text("3 things differ.")).to_be_visible()
        page.get_by_role("radio", name="Theirs").check()
        page.get_by_role("button", name="Save what is chosen").click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Edit export: Theirs")
        definition = app.call("GET", "/exports/raced").json()
        assert (definition["displayName"], definition["runAutomations"]) == ("Theirs", True)
        assert "firstName" not in definition["dataMatching"]


def test_signed_out_while_editing_what_was_typed_stays(opened: Opens, app: App, world: World) -> None:
    saved(app, "out")
    with opened() as tab:
        page = edit(tab.open("exports/out/edit"))
        page.get_by_label("Display name").fill("Typed")
        page.evaluate("sessionStorage.clear()")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_role("alert")).to_contain_text("What you typed stays here")
        page.get_by_label("Function key").fill(world.function_key)
        page.get_by_role("button", name="Go on").click()
        expect(page.get_by_text("Nothing has been sent.")).to_be_visible()
        assert app.call("GET", "/exports/out").json()["displayName"] == "Typed"


def test_unsaved_changes_are_asked_about_and_outlive_another_language(opened: Opens, app: App) -> None:
    saved(app, "kept")
    with opened() as tab:
        asked: list[str] = []

        def stay(dialog: Dialog) -> None:
            asked.append(dialog.message)
            dialog.dismiss()

        tab.page.on("dialog", stay)
        tab.open("exports")
        page = edit(tab.open("exports/kept/edit"))
        page.get_by_label("Display name").fill("Typed")
        page.get_by_role("link", name="4 Data matching").click()
        page.get_by_role("button", name="Bahasa Indonesia").click()
        expect(page.get_by_label("Nama tampilan")).to_have_value("Typed")
        assert not asked
        page.get_by_role("link", name="Segmen", exact=True).first.click()
        expect(page).to_have_url(re.compile("/exports/kept/edit"))
        assert len(asked) == 1


def test_the_only_connection_is_chosen_and_that_is_no_change_to_ask_about(opened: Opens, app: App) -> None:
    only = app.call("GET", "/connections/main").json()
    with opened() as tab:
        asked: list[str] = []

        def leave(dialog: Dialog) -> None:
            asked.append(dialog.message)
            dialog.accept()

        tab.page.on("dialog", leave)
        tab.page.route("**/api/connections", lambda route: route.fulfill(json={"value": [only]}))
        page = edit(tab.open("exports/new"))
        expect(page.get_by_label("Connection")).to_have_value("main")
        page.get_by_role("link", name="Segments", exact=True).first.click()
        expect(page.get_by_role("heading", level=1)).to_have_text("Segments")
        assert asked == []


@pytest.mark.parametrize("code", ["size_changed", "too_many_rows_rejected", "segment_empty"])
def test_a_link_that_opens_a_held_run_does_not_say_that_it_approves(opened: Opens, app: App, code: str) -> None:
    export = app.call("GET", f"/exports/{saved(app, 'held')}").json()
    cause = {"code": code, "numbers": {"rowsRead": 5, "lastRowsRead": 9, "rejected": 4}}
    run = {"runId": "one", "status": "held", "held": {"causes": [cause]}, "requestedUtc": "2026-11-01T00:00:00Z"}
    with opened() as tab:
        page = tab.page
        page.route("**/api/exports", lambda route: route.fulfill(json={"value": [export | {"lastRun": run}]}))
        row = tab.open("exports").get_by_role("row", name="held")
        expect(row.get_by_role("link", name="Look, then approve")).to_have_attribute("href", re.compile("/runs/one$"))


def test_why_a_segment_cannot_be_read_is_said_in_the_language_of_the_page(opened: Opens) -> None:
    params = {"folder": "sales/", "root": "sales/", "table": "Delta Lake"}
    unread: dict[str, Any] = {"name": "sales", "layout": "folder", "files": 0, "sizeBytes": 0}
    unread["problem"] = {"code": "table_format", "message": "Expected ...", "culprit": "user", "params": params}
    with opened(language="id") as tab:
        tab.page.route(re.compile(r"/api/segments(\?|$)"), lambda route: route.fulfill(json={"value": [unread]}))
        page = tab.open("exports/new")
        expect(page.get_by_text("sales/ harus berisi file biasa")).to_be_visible()
        expect(page.get_by_text("0 file")).to_have_count(0)


NIGHTLY = "zz-nightly"
"""A folder that sorts behind the segment that the other tests take."""


@pytest.fixture
def nightly(world: World) -> Iterator[str]:
    """A full export of each night, as a program on Windows writes it, and an older one of another layout."""
    rows = [f"p{n}@example.org;José;Café {n}\r\n".encode("cp1252") for n in range(30)]
    content = b"EMail;FirstName;City\r\n" + b"".join(rows)
    files = {f"{NIGHTLY}/people-2026-11-{day:02}.csv": content for day in (18, 19)}
    files[f"{NIGHTLY}/Old_layout.csv"] = b"Address\r\n" + b"".join(f"p{n}@example.org\r\n".encode() for n in range(30))
    world.upload_files(files.items())
    yield NIGHTLY
    for path in files:
        world.segments.delete_blob(path)


def test_how_files_are_read_is_set_where_sentences_lead(opened: Opens, app: App, nightly: str) -> None:
    with opened() as tab:
        page = edit(tab.open(f"exports/new?segment={nightly}"))
        page.get_by_label("Display name").fill("Nightly")
        page.get_by_label("ActiveCampaign list ID").select_option("1")
        told = page.locator("#segments .note")
        expect(told.filter(has_text="have names that differ only in a date or time")).to_be_visible()
        page.get_by_text("How the files are read").click()  # a problem has opened it already
        expect(page.get_by_role("group", name="Which files")).to_be_hidden()
        page.get_by_role("link", name="Go to “Which files”").click()
        expect(page.get_by_role("radio", name="Not said")).to_be_focused()
        expect(page.get_by_label("Column for Email")).to_have_value("EMail")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_role("alert")).to_contain_text("Which files: ")
        page.get_by_role("alert").get_by_role("link", name="Which files", exact=True).click()
        expect(page.get_by_role("radio", name="Not said")).to_be_focused()
        expect(page.get_by_role("group", name="Which files")).to_have_accessible_description(
            re.compile("only in a date")
        )
        page.get_by_role("radio", name="Only the newest").check()
        expect(told.filter(has_text="only in a date or time")).to_have_count(0)
        page.get_by_role("button", name="Preview").click()
        page.get_by_role("alert").get_by_role("link", name="Files to leave out", exact=True).click()
        page.keyboard.type("old_*\n\n*.bak")
        expect(page.get_by_label("Files to leave out")).to_have_value("old_*\n\n*.bak")
        page.get_by_role("button", name="Preview").click()
        preview = page.get_by_role("region", name="Preview")
        expect(preview).to_contain_text("not UTF-8")
        expect(page.get_by_text("1 file was left out in the preview.")).to_be_visible()
        page.get_by_role("link", name="Go to “Encoding”").first.click()
        expect(page.get_by_label("Encoding")).to_be_focused()
        page.keyboard.type("latin 1")
        page.get_by_role("radio", name="When a certain file is there").check()
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.locator("#faults")).to_contain_text("Not saved: 2 places need you.")
        expect(page.get_by_label("Encoding")).to_have_attribute("aria-invalid", "true")
        page.get_by_label("Encoding").fill("windows-1252")
        page.get_by_role("radio", name="When nobody has written").check()
        page.get_by_role("button", name="Preview").click()
        expect(preview).to_contain_text("A run would send 30 people")
        page.get_by_role("radio", name="After more minutes").check()
        page.get_by_label("Minutes without a write, 1 to 1440").fill("7")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Nothing has been sent.")).to_be_visible()
    definition = app.call("GET", "/exports/nightly").json()
    assert {name: definition[name] for name in ("files", "ignore", "completeWhen", "encoding")} == {
        "files": "newest",
        "ignore": ["old_*", "*.bak"],
        "completeWhen": {"minutes": 7},
        "encoding": "windows-1252",
    }


@pytest.fixture
def other(world: World) -> Iterator[str]:
    """A segment whose columns have other names."""
    rows = [f"p{n}@example.org,Ana,N{n}\n".encode() for n in range(30)]
    world.upload_files([("zz-other/people.csv", b"EmailAddress,FirstName,Nick\n" + b"".join(rows))])
    yield "zz-other"
    world.segments.delete_blob("zz-other/people.csv")


def test_another_segment_brings_its_own_suggestions_and_leaves_what_was_chosen(opened: Opens, other: str) -> None:
    with opened() as tab:
        page = edit(tab.open("exports/new"))
        email, first, last, phone = (
            page.get_by_label(f"Column for {name}", exact=True)
            for name in ("Email", "First name", "Last name", "Phone")
        )
        segment = page.get_by_role("checkbox", name="NewsletterSubscribers")
        segment.check()
        expect(email).to_have_value("EMail")
        expect(first).to_have_value("FirstName")
        expect(phone).to_have_value("Telephone")
        last.select_option("FullName")
        phone.select_option("")
        segment.uncheck()
        expect(email).to_have_value("")
        expect(first).to_have_value("")
        page.get_by_role("checkbox", name=other).check()
        expect(email).to_have_value("EmailAddress")
        expect(first).to_have_value("FirstName")
        expect(phone).to_have_value("")
        expect(last).to_have_value("FullName")
        expect(last).to_have_attribute("aria-invalid", "true")
        expect(last).to_have_accessible_description("No chosen segment has this column. Choose another.")
        expect(page.locator(".map .err")).to_have_count(1)
        last.select_option("Nick")
        expect(page.locator(".map .err")).to_have_count(0)


def test_for_how_many_a_run_is_stands_beside_its_button(opened: Opens, app: App, gone: str) -> None:
    saved(app, gone)
    with opened() as tab:
        page = edit(tab.open(f"exports/{gone}/edit"))
        told = page.locator("#saved")

        def save(name: str) -> None:
            page.get_by_label("Display name").fill(name)
            page.get_by_role("button", name="Save", exact=True).press("Enter")
            expect(told).to_be_focused()
            expect(told.get_by_role("button", name="Run it now")).to_be_visible()

        save("Never counted")
        expect(told).not_to_contain_text(NUMBERED)
        page.get_by_label("Display name").fill("Counted")
        page.get_by_role("button", name="Preview").click()
        expect(page.get_by_text("A run would send")).to_be_visible()
        page.get_by_role("button", name="Save", exact=True).press("Enter")
        app.wait_for(app.start(gone))
        tally = app.call("GET", f"/exports/{gone}").json()["lastRun"]["tally"]
        people = tally["rowsRead"] - tally["duplicates"] - tally["rejected"]
        expect(told).to_contain_text(f"last preview: {people:,} people")
        asked = len(tab.requests)
        page = edit(tab.open(f"exports/{gone}/edit"))
        save("Counted again")
        expect(told).to_contain_text(f"last time: {people:,} people")
        assert not [request for request in tab.requests[asked:] if "/previews" in request.url]
        page.get_by_label("Consent column").select_option("City")
        page.get_by_label("Value", exact=True).fill("yes")
        save("Others")
        expect(told).not_to_contain_text(NUMBERED)
        row = tab.open("exports").get_by_role("row", name="Others")
        row.get_by_role("button", name="Details of").click()
        expect(page.get_by_role("complementary")).to_contain_text(f"last time: {people:,} people")


NUMBERED = re.compile(r"\d (people|person|rows?)\b")


def test_types_of_fields_are_named_in_the_language_of_the_page(opened: Opens) -> None:
    with opened(language="id") as tab:
        page = tab.open("exports/new")
        expect(page.get_by_role("checkbox", name="NewsletterSubscribers")).to_be_visible()
        page.get_by_role("button", name="Tambah atribut").click()
        fields = page.get_by_label("Bidang yang mana?").locator("option")
        expect(fields.filter(has_text="Birthday (tanggal)")).to_be_attached()
        expect(fields.filter(has_text=re.compile(r"\((menu tarik-turun), \d pilihan\)"))).to_be_attached()
        expect(fields.filter(has_text=re.compile(r"\((text|date|dropdown)\b"))).to_have_count(0)


def test_a_phone_shows_no_place_for_what_is_not_sent(opened: Opens) -> None:
    for size, shown in ((WIDE, 8), (PHONE, 0)):
        with opened(size=size) as tab:
            page = edit(tab.open("exports/new"))
            assert page.locator("td.blank:visible").count() == shown


def test_a_phone_says_of_what_there_is_none_yet(opened: Opens, app: App, gone: str) -> None:
    saved(app, gone)
    with opened(size=PHONE) as tab:
        cell = tab.open("exports").get_by_role("row", name=gone).get_by_role("cell", name="none yet")
        label = "each => getComputedStyle(each, '::before').content"
        assert cell.evaluate(label) == '"On the list, last run"'


def test_the_panel_leaves_the_commands_in_one_line_and_names_no_run_by_its_id(
    opened: Opens, app: App, gone: str
) -> None:
    export = app.call("GET", f"/exports/{saved(app, gone)}").json()
    run = {"runId": "going.1", "status": "queued", "requestedBy": "schedule", "requestedUtc": "2026-11-01T00:00:00Z"}
    why = {"code": "waits_run", "message": "It is running: going.1.", "params": {"run": "going.1"}}
    with opened() as tab:
        page = tab.page
        page.route(
            "**/api/exports", lambda route: route.fulfill(json={"value": [export | {"lastRun": run, "notNow": why}]})
        )
        tab.open("exports").get_by_role("button", name="Details of").click()
        expect(page.get_by_role("complementary")).not_to_contain_text("going.1")
        middle = "each => { const box = each.getBoundingClientRect(); return box.top + box.height / 2; }"
        reload, search = (page.locator(f".cmd {each}").last.evaluate(middle) for each in (".btn", ".search"))
        assert abs(reload - search) < 2


def test_how_files_are_read_is_folded_unless_something_is_said_of_it(opened: Opens, app: App) -> None:
    saved(app, "plain")
    saved(app, "said", completeWhen={"marker": "_SUCCESS"}, maxContacts=5)
    with opened() as tab:
        page = edit(tab.open("exports/plain/edit"))
        expect(page.get_by_label("Encoding")).to_be_hidden()
        page = edit(tab.open("exports/said/edit"))
        expect(page.get_by_label("Name of that file")).to_have_value("_SUCCESS")
        page.get_by_label("Display name").fill("Said again")
        page.get_by_role("button", name="Save", exact=True).click()
        expect(page.get_by_text("Nothing has been sent.")).to_be_visible()
    definition = app.call("GET", "/exports/said").json()
    assert (definition["completeWhen"], definition["maxContacts"]) == ({"marker": "_SUCCESS"}, 5)


@pytest.mark.parametrize(
    "options",
    [{"size": TALL}, {"size": (PHONE[0], 9_000), "color_scheme": "dark", "language": "id"}],
    ids=["wide", "phone"],
)
def test_how_files_are_read_is_accessible_and_fits(opened: Opens, app: App, options: dict[str, Any]) -> None:
    saved(app, "read", files="all", ignore=["*" + 100 * "x"], completeWhen={"minutes": 9}, encoding="utf-16")
    with opened(**options, bypass_csp=True) as tab:
        page = tab.open("exports/read/edit")
        expect(page.locator("#encoding")).to_have_value("utf-16")
        assert (tab.findings(), tab.sideways()) == ([], 0)
        page.locator("#encoding").fill("utf 16")
        page.locator("#completeWhen input[type=number]").fill("0")
        page.get_by_role("button", name=re.compile("^(Save|Simpan)$")).click()
        expect(page.get_by_role("alert")).to_be_visible()
        assert (tab.findings(), tab.sideways()) == ([], 0)


def test_the_list_says_who_needs_somebody_and_asks_before_it_removes(opened: Opens, app: App) -> None:
    saved(app, "doomed", displayName=NASTY, maxContacts=1)
    app.wait_for(app.start("doomed"))
    with opened() as tab:
        page = tab.open("exports")
        expect(page.get_by_role("status").first).to_contain_text("failed: nobody was sent")
        first = page.get_by_role("row").nth(1)
        expect(first).to_contain_text("<img src=x onerror=alert(1)>")
        expect(first).to_contain_text("Failed")
        first.get_by_role("button", name="Details of").click()
        panel = page.get_by_role("complementary")
        panel.get_by_role("button", name="Create duplicate").click()
        panel.get_by_label("Name of the duplicate").fill("A copy")
        expect(panel.get_by_label("ID in addresses and reports")).to_have_value("a-copy")
        panel.get_by_role("button", name="Remove", exact=True).click()
        expect(panel).to_contain_text("nothing changes in ActiveCampaign")
        assert app.call("GET", "/exports/doomed").ok
        panel.get_by_role("button", name="Remove this export").click()
        expect(panel).to_be_hidden()
        assert app.call("GET", "/exports/doomed").status_code == 404


def test_the_list_is_asked_again_only_while_something_runs(opened: Opens, app: App) -> None:
    saved(app, "quiet")
    with opened() as tab:
        page = tab.open("exports")

        def looks() -> int:
            return sum(request.url.endswith("/api/exports") for request in tab.requests)

        before = looks()
        page.wait_for_timeout(3_000)
        assert looks() == before
        app.start("quiet")
        page.get_by_role("button", name="Reload").click()
        expect(page.get_by_text(re.compile("^(Queued|Reading the segments|Running)")).first).to_be_visible()
        expect(page.get_by_role("row", name="quiet").get_by_text(re.compile("^Done"))).to_be_visible(timeout=60_000)
        assert looks() > before + 1


@pytest.mark.parametrize("path", ["exports", "exports/new", "exports/odd/edit?preview=1"])
def test_the_pages_are_accessible_and_fit_a_narrow_window(opened: Opens, app: App, path: str) -> None:
    saved(app, "odd", displayName=NASTY)
    for scheme, size in (("light", TALL), ("dark", (PHONE[0], 9_000))):
        with opened(size=size, color_scheme=scheme, bypass_csp=True) as tab:
            page = tab.open(path)
            page.wait_for_timeout(500)
            assert tab.findings() == []
    with opened(size=NARROW) as tab:
        page = tab.open(path)
        assert tab.sideways() == 0
        page.evaluate("document.documentElement.style.fontSize = '200%'")
        assert tab.sideways() == 0
