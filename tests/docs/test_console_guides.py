"""What the pages show and say of the console: the pictures are there, and the words are those of the console."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from docs import pictures
from tests.docs.test_reference import PAGES, ROOT

SHOWN = re.compile(r"!\[([^\]]*)\]\(([^)\s]+)\)")
MOST_BYTES = 900_000
GUIDES = [*sorted((ROOT / "docs/how-to").glob("console-*.md")), ROOT / "docs/tutorial.md"]
WITH_CURL = "## The same with curl"
OF_OTHERS = {"Settings", "Developer", "The console"}
"""Words of ActiveCampaign, and of what `make serve` prints."""


def shown() -> dict[Path, list[str]]:
    """Return every picture that a page shows, with what stands for it where it is not seen."""
    found: dict[Path, list[str]] = {}
    for page in PAGES:
        for text, path in SHOWN.findall(page.read_text()):
            if "://" not in path:
                found.setdefault((page.parent / path).resolve(), []).append(text)
    return found


def test_every_picture_that_is_shown_is_there_and_every_one_there_is_shown() -> None:
    assert set(shown()) == set((ROOT / "docs/pictures").iterdir())


def test_the_script_takes_the_pictures_that_are_there_and_no_others() -> None:
    taken = set(re.findall(r"\"([a-z-]+)\", \d{3}\b", source()))
    assert taken == {path.stem for path in (ROOT / "docs/pictures").iterdir()}


def source() -> str:
    return Path(pictures.__file__).read_text()


def test_who_cannot_see_a_picture_is_told_what_it_shows() -> None:
    assert [path.name for path, texts in shown().items() if min(map(len, texts)) < 30] == []


def test_the_pictures_are_small_together() -> None:
    assert sum(path.stat().st_size for path in (ROOT / "docs/pictures").iterdir()) < MOST_BYTES


@pytest.mark.parametrize("page", GUIDES, ids=lambda page: page.stem)
def test_what_a_guide_says_in_italics_stands_in_the_console(page: Path) -> None:
    texts = json.loads((ROOT / "console/src/texts/en.json").read_text()).values()
    guide = page.read_text().partition(WITH_CURL)[0]
    said = {" ".join(words.split()) for words in re.findall(r"(?<!\*)\*([^*|]+?)\*(?!\*)", guide)}
    assert said
    assert {words for words in said - OF_OTHERS if not any(matches(words, text) for text in texts)} == set()


def matches(words: str, text: str) -> bool:
    """Return whether a guide quotes a text, or a sentence of it; `…` stands for what differs from time to time."""
    plain = re.sub(r"\{\w+\}", "…", text.replace("**", ""))
    pattern = ".+".join(map(re.escape, words.split("…")))
    return bool(re.fullmatch(pattern, plain) or re.search(rf"(?:^|[.:] ){pattern}(?:$|(?<=[.]) )", plain))
