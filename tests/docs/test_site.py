"""The documentation builds as a site, without a warning and without anything from elsewhere."""

from __future__ import annotations

import html
import re
import subprocess
from pathlib import Path

import pytest
from mkdocs.commands.build import build
from mkdocs.config import load_config

ROOT = Path(__file__).parents[2]
SECTIONS = ["Start", "Tutorial", "How-to", "Reference", "Explanation", "Decisions", "Glossary"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("site")
    config = load_config(str(ROOT / "mkdocs.yml"), site_dir=str(folder), strict=True)
    build(config)  # raises Abort on a warning: a page that is in no menu, a link or an anchor that is not there
    return folder


def pages(site: Path) -> list[Path]:
    return [path for path in sorted(site.rglob("*.html")) if path.name not in ("404.html", "search.html")]


def test_every_page_becomes_one_of_the_site(site: Path) -> None:
    sources = {path.relative_to(ROOT / "docs").with_suffix(".html") for path in (ROOT / "docs").rglob("*.md")}

    assert {path.relative_to(site) for path in pages(site)} == (sources - {Path("README.html")}) | {Path("index.html")}


def test_the_menu_is_in_the_order_of_learning() -> None:
    config = load_config(str(ROOT / "mkdocs.yml"))

    assert [name for entry in config.nav or [] for name in entry] == SECTIONS


def test_nothing_is_loaded_from_elsewhere(site: Path) -> None:
    loading = r"<(?:script|img|iframe|link)\b[^>]*(?:src|href)=\"(?:https?:)?//[^\"]*\""
    elsewhere = {found for path in site.rglob("*.html") for found in re.findall(loading, path.read_text())}
    elsewhere |= {
        found for path in site.rglob("*.css") for found in re.findall(r"url\([\"']?(?:https?:)?//", path.read_text())
    }

    assert elsewhere == set()


def test_a_block_of_code_is_one_on_the_site_as_it_is_on_github(site: Path) -> None:
    # GitHub takes a fence within a list; Python-Markdown makes running text of it.
    for page in pages(site):
        source = ROOT / "docs" / page.relative_to(site).with_suffix(".md")
        text = (source if source.exists() else ROOT / "docs/README.md").read_text()
        blocks = re.findall(r"<pre><code[^>]*>(.*?)</code></pre>", page.read_text(), re.DOTALL)
        fenced = re.findall(r"^ *```\w*\n(.*?)^ *```$", text, re.MULTILINE | re.DOTALL)

        assert set(fenced) <= {html.unescape(block) for block in blocks}, page.name


def test_a_warning_ends_the_build(tmp_path: Path) -> None:
    (tmp_path / "docs").mkdir()
    (tmp_path / "docs/index.md").write_text("[nowhere](nowhere.md)")
    settings = re.sub(r"nav:\n  - Start.*", "", (ROOT / "mkdocs.yml").read_text(), flags=re.DOTALL)
    (tmp_path / "mkdocs.yml").write_text(settings)
    config = load_config(str(tmp_path / "mkdocs.yml"), site_dir=str(tmp_path / "site"), strict=True)

    with pytest.raises(Exception, match="strict"):
        build(config)


@pytest.mark.skipif(not (ROOT / ".git").exists(), reason="this is no clone: git cannot say which files belong to it")
def test_no_file_holds_what_a_merge_left_behind() -> None:
    marks = rf"^({'<' * 7}|{'>' * 7}) "
    found = subprocess.run(["git", "grep", "-lE", marks], cwd=ROOT, capture_output=True, text=True, check=False)
    assert found.stdout == ""
