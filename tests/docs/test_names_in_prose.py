"""Prose names only what exists: names in docstrings and comments of `exporter/`, modules and folders in the pages."""

from __future__ import annotations

import importlib
import re
import tokenize
from functools import cache
from pathlib import Path
from types import FunctionType, ModuleType

import pytest
from pydantic.alias_generators import to_camel

from tests.docs.test_names_and_figures import quoted

ROOT = Path(__file__).parents[2]
SOURCES = sorted((ROOT / "exporter").rglob("*.py"))
PAGES = [ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").rglob("*.md"))]
OUTSIDE = {
    *("HTTPS_PROXY", "NO_PROXY", "REQUESTS_CA_BUNDLE", "__"),  # the environment
    *("Date", "Success", "failureReasons", "meta.total", "sms"),  # ActiveCampaign
    *("QuoteStyle.None", "exceptionCulprit", "model.json", "parse_json"),  # Customer Insights and Azure
}
NAME = re.compile(r"`([A-Za-z_][\w.]*)(\([^`]*\)[^`]*)?`")
PATH = re.compile(r"(?<![\w/.])(?:exporter|tests|docs|sandbox|bench|infra)/[\w./-]*\w")


@cache
def split(source: Path) -> tuple[str, set[str]]:
    """Return the docstrings and comments of a module as one text, and the words of its code."""
    prose, words, before = [], set[str](), tokenize.NEWLINE
    with source.open("rb") as file:
        for token in tokenize.tokenize(file.readline):
            starts_line = before in (tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENCODING)
            if token.type == tokenize.COMMENT or (token.type == tokenize.STRING and starts_line):
                prose.append(token.string)
            else:
                words.update(re.findall(r"\w+", token.string))
            if token.type not in (tokenize.COMMENT, tokenize.NL):
                before = token.type
    return "\n".join(prose), words | {to_camel(word) for word in words}


@cache
def owners() -> dict[str, list[ModuleType | type]]:
    """Return the modules, rooms and classes of `exporter` by name; a name may have several."""
    found: dict[str, list[ModuleType | type]] = {}
    for source in SOURCES:
        name = ".".join(source.relative_to(ROOT).with_suffix("").parts).removesuffix(".__init__")
        module = importlib.import_module(name)
        found.setdefault(name.rpartition(".")[2], []).append(module)
        for value in vars(module).values():
            if isinstance(value, type) and value.__module__ == name:
                found.setdefault(value.__name__, []).append(value)
    return found


def has(owner: object, members: list[str]) -> bool:
    """Return whether the members lead on from the owner; what a module merely imports is not its own."""
    if not members:
        return True
    value = getattr(owner, members[0], None)
    if isinstance(owner, ModuleType) and isinstance(value, ModuleType | type | FunctionType):
        home = getattr(value, "__module__", value.__name__.rpartition(".")[0])
        return home == owner.__name__ and has(value, members[1:])
    fields = {name for kind in getattr(owner, "__mro__", ()) for name in getattr(kind, "__annotations__", {})}
    return members[0] in fields or (value is not None and has(value, members[1:]))


def exists(name: str, words: set[str]) -> bool:
    """Return whether a dotted name leads to something of ours, or a plain one is a word of our code."""
    head, *members = name.split(".")
    return any(has(owner, members) for owner in owners().get(head, [])) if members else head in words


@pytest.mark.parametrize("source", SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_name_or_path_in_a_docstring_or_comment_exists(source: Path) -> None:
    prose, words = split(source)[0], set[str]().union(*(split(path)[1] for path in SOURCES))
    names = {match[1] for match in NAME.finditer(prose)} - OUTSIDE
    assert {name for name in names if not exists(name, words)} == set()
    assert {path for path in PATH.findall(prose) if not (ROOT / path).exists()} == set()


@pytest.mark.parametrize("page", PAGES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_module_or_folder_that_a_page_quotes_exists(page: Path) -> None:
    paths = {text for text in quoted(page) if re.fullmatch(r"[\w/]+(?:\.py|/)", text)}
    places = ("", "exporter/**/", "tests/**/", "sandbox/**/")  # pages shorten paths
    assert {path for path in paths if not any(any(ROOT.glob(place + path)) for place in places)} == set()
