"""Chromium, as people have it: nothing that the page depends on is switched off, and what it says is kept."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from playwright.sync_api import Browser, BrowserContext, Page, Request, sync_playwright

ROOT = Path(__file__).parents[2]
AXE = ROOT / "console/node_modules/axe-core/axe.min.js"
FLAGS = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    *(("--no-sandbox",) if hasattr(os, "geteuid") and os.geteuid() == 0 else ()),
)
"""It calls nobody but the page's own server, so that the log of requests shows what the page does."""
WIDE, PHONE, NARROW = (1280, 900), (360, 740), (320, 640)
TIME_ZONE = "Asia/Jakarta"
PATIENCE_MS = 30_000
"""However busy the machine is, something that takes so long will not come."""

TELL_VIOLATIONS = """
addEventListener("securitypolicyviolation", (event) => console.error(`Content Security: ${event.violatedDirective}`));
"""


def executable() -> str | None:
    """Return where Chromium is; None: it is not installed."""
    return shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@dataclass
class Tab:
    """A page with what it did: the requests it sent, and whatever Chromium complained about."""

    page: Page
    app: str
    requests: list[Request] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def open(self, path: str = "") -> Page:
        """Go to a view of the console and wait until it has settled."""
        self.page.goto(f"{self.app}/api/console/{path}")
        self.page.wait_for_load_state("networkidle")
        return self.page

    @property
    def hosts(self) -> set[str]:
        """The hosts that were asked for anything."""
        return {urlsplit(request.url).netloc for request in self.requests if not request.url.startswith("blob:")}

    def findings(self) -> list[str]:
        """What axe-core finds: WCAG 2.0 to 2.2, A and AA, and best practice."""
        self.page.evaluate(AXE.read_text(encoding="utf-8"))
        tags = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]
        found: dict[str, Any] = self.page.evaluate(
            "tags => axe.run(document, {runOnly: {type: 'tag', values: tags}})", tags
        )
        return [
            f"{one['id']}: {one['help']} ({node['html'][:120]})" for one in found["violations"] for node in one["nodes"]
        ]

    def sideways(self) -> int:
        """How many pixels of the page lie beside the window: 0 where nobody has to scroll sideways."""
        beside: int = self.page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        return beside


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable(), args=list(FLAGS))
        yield browser
        browser.close()


@contextmanager
def tab(
    browser: Browser,
    app: str,
    *,
    key: str | None = None,
    language: str = "en",
    size: tuple[int, int] = WIDE,
    **options: Any,
) -> Iterator[Tab]:
    """Open a tab of its own, signed in if there is a key. Afterwards it must have had nothing to complain about."""
    context: BrowserContext = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        locale={"en": "en-GB", "id": "id-ID"}[language],
        timezone_id=TIME_ZONE,
        reduced_motion="reduce",
        **options,
    )
    context.set_default_timeout(PATIENCE_MS)
    page = context.new_page()
    opened = Tab(page, app)
    page.on("request", lambda request: opened.requests.append(request))  # noqa: PLW0108 - it marks its handlers
    page.on("pageerror", lambda error: opened.complaints.append(f"error: {error}"))
    page.on("console", lambda said: opened.complaints.append(said.text) if "Content Security" in said.text else None)
    page.add_init_script(TELL_VIOLATIONS)
    page.goto(f"{app}/api/console{f'#key={key}' if key else ''}")
    page.wait_for_load_state("networkidle")
    try:
        yield opened
        assert not opened.complaints, opened.complaints
        assert opened.hosts <= {urlsplit(app).netloc}, opened.hosts
    finally:
        context.close()
