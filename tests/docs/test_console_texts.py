"""The console has its own text for every sentence of the API, made from the same parameters in the same form."""

from __future__ import annotations

import json
import re
import string
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from exporter.sentences import PHRASES, SENTENCES, WORDS

TEXTS = Path(__file__).parents[2] / "console" / "src" / "texts"
LANGUAGES = ("id",)
"""Those whose sentences the page makes itself; English is the API's own."""
TYPED = re.compile(
    r"(?<![\w{])(?:[A-Z]+ /[\w/{}]+|\?\w+=\w+|[A-Z]+(?:_[A-Z]+)+|(?:[a-z]+\.)?[a-z]+[A-Z]\w*|[a-z]+(?:_[a-z]+)+)"
)
"""Operations of the API, queries, settings, members and codes."""


def flat(texts: Mapping[str, Any], before: str = "") -> dict[str, str]:
    """Return every text by its path."""
    found: dict[str, str] = {}
    for key, value in texts.items():
        found |= {f"{before}{key}": value} if isinstance(value, str) else flat(value, f"{before}{key}/")
    return found


def placeholders(text: str) -> set[str]:
    """Return the placeholders of a text with their formats; a doubled brace is none."""
    return {f"{name}:{form}" for _, name, form, _ in string.Formatter().parse(text) if name is not None}


ENGLISH = flat({"sentences": SENTENCES, "phrases": PHRASES, "words": WORDS})


def texts(language: str) -> dict[str, str]:
    return flat(json.loads((TEXTS / f"problems.{language}.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_page_has_a_text_for_every_sentence_phrase_and_word_and_no_other(language: str) -> None:
    there = texts(language)
    assert sorted(ENGLISH.keys() - there.keys()) == []
    assert sorted(there.keys() - ENGLISH.keys()) == []
    assert [key for key, text in there.items() if not text.strip()] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_text_of_the_page_takes_the_parameters_of_the_english_one_in_the_same_form(language: str) -> None:
    there = texts(language)
    both = ENGLISH.keys() & there.keys()
    assert both
    assert [key for key in sorted(both) if placeholders(there[key]) != placeholders(ENGLISH[key])] == []


@pytest.mark.parametrize("language", LANGUAGES)
def test_what_somebody_has_to_type_is_the_same_in_every_language(language: str) -> None:
    there = texts(language)
    typed = {key: set(TYPED.findall(text)) for key, text in ENGLISH.items()}
    assert sum(map(len, typed.values())) > 20
    assert [(key, name) for key, names in typed.items() for name in sorted(names) if name not in there[key]] == []


LABELS = {
    "allowOverContactLimit": "overLimit",
    "completeWhen": "complete",
    "consentColumn": "consent",
    "encoding": "encoding",
    "files": "files",
    "fillEmpty": "fillEmpty",
    "guards.maxRejectShare": "rejectShare",
    "guards.mayBeEmpty": "mayBeEmpty",
    "guards.sizeFactor": "sizeFactor",
    "ignore": "ignore",
    "maxContacts": "maxContacts",
    "separator": "separator",
    "skipUnchanged": "skipUnchanged",
    "whenEmpty": "whenEmpty",
    "yes": "yesValues",
}
"""What the API calls a setting of an export, and the text that the editor has for it."""
NAMED = re.compile(r"['“]([^'“”{}]+)['”] \(([a-z][\w.]*)\)")
MEMBER = re.compile(r"(?<![\w{.])(?:guards\.\w+|[a-z]+[A-Z]\w*)")


@pytest.mark.parametrize("language", ["en", *LANGUAGES])
def test_whoever_is_to_change_a_setting_reads_what_the_editor_calls_it(language: str) -> None:
    labels = json.loads((TEXTS / f"{language}.json").read_text(encoding="utf-8"))
    there = ENGLISH if language == "en" else texts(language)
    wrong = [
        (key, label, member)
        for key, text in there.items()
        for label, member in NAMED.findall(text)
        if member in LABELS and label != labels[f"editor.{LABELS[member]}"]
    ]
    assert wrong == []
    bare = [
        (key, member)
        for key, text in there.items()
        for member in MEMBER.findall(text)
        if member in LABELS and f"({member})" not in text
    ]
    assert bare == []
