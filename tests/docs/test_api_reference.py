"""docs/reference/api.md lists every operation with the role that it takes, and the how-to guides use only real ones."""

from __future__ import annotations

import re
from pathlib import Path

from exporter.api.routes import ROUTES

DOCS = Path(__file__).parents[2] / "docs"


def template(path: str) -> str:
    return re.sub(r"<(?:path:)?(\w+)>", r"{\1}", path)


def test_every_operation_is_listed_with_its_role_and_nothing_else_is() -> None:
    page = (DOCS / "reference" / "api.md").read_text()
    listed = re.findall(r"^\| `([A-Z]+) (\S+)` \| (\w+) \|", page, re.MULTILINE)
    expected = [(r.method, template(r.path), r.role.name.title() if r.role else "none") for r in ROUTES]
    assert sorted(listed) == sorted(expected)


def test_every_call_in_the_guides_is_an_operation() -> None:
    operations = [(r.method, re.compile(re.sub(r"\{\w+\}", "[^/ ]+", template(r.path)))) for r in ROUTES]
    found_somewhere = 0
    for page in sorted([*DOCS.glob("how-to/*.md"), DOCS / "tutorial.md"]):
        text = page.read_text().replace("\\\n", " ")
        calls = re.findall(r"(?:^|[`(]|until | )api \"?([\w$/-]+)[^\s\"`)]*\"?([^\n|`]*)", text, re.MULTILINE)
        for path, options in calls:
            method = found[1] if (found := re.search(r"-X ([A-Z]+)", options)) else "GET"
            assert any(m == method and p.fullmatch(f"/{path}") for m, p in operations), f"{page.name}: {method} {path}"
        found_somewhere += len(calls)
    assert found_somewhere > 50
