"""Every code of a problem or a warning that the code can give is in the reference, and nothing else is."""

from __future__ import annotations

import ast
import re
import string
from collections.abc import Iterator
from pathlib import Path

from exporter.api.http import STATUS_OF
from exporter.sentences import PHRASES, SENTENCES, SITUATIONS, WARNINGS, Situation
from exporter.warned import OTHER

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "reference" / "problem-codes.md"
NEVER_ANSWERED = {"manifest_missing", "working_copy_altered"}
"""They have a status, but no operation meets them: only the steps read what they are about."""
CODE = re.compile(r"[a-z]+(?:_[a-z0-9]+)+|throttled|defect")


def text_of(node: ast.AST) -> str | None:
    """Return the text of a constant that is a code."""
    if isinstance(node, ast.Constant) and isinstance(node.value, str) and CODE.fullmatch(node.value):
        return node.value
    return None


def candidates(call: ast.Call) -> Iterator[ast.AST]:
    """Yield what may be the code in a call: Problem.said(code, ...), Refusal(status, code, ...), code=..."""
    name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    if ast.unparse(call.func) == "Problem.said":
        yield from call.args[:1]
    if name == "Refusal":
        yield from call.args[1:2]
    if name == "_refusal":
        yield from call.args[:1]
    yield from (k.value for k in call.keywords if k.arg in {"code", "not_found"})


def codes_in_the_code() -> dict[str, str]:
    """Return the file of each code. What is raised has its sentence, and `test_sentences` knows that it is raised."""
    noted = frozenset(Situation)
    found = {key.partition(".")[0]: "sentences.py" for key, shown in SITUATIONS.items() if shown != noted}
    found |= dict.fromkeys({*WARNINGS, OTHER}, "sentences.py")
    for path in sorted((ROOT / "exporter").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            nodes = list(candidates(node)) if isinstance(node, ast.Call) else []
            if isinstance(node, ast.FunctionDef):
                names = [*node.args.args, *node.args.kwonlyargs]
                defaults = [*node.args.defaults, *node.args.kw_defaults]
                nodes = [
                    d
                    for a, d in zip(reversed(names), reversed(defaults), strict=False)
                    if a.arg in {"code", "not_found"} and d
                ]
            for code in filter(None, map(text_of, nodes)):
                found[code] = path.name
    return found


def codes_in_the_page() -> list[str]:
    return re.findall(r"^\| `([a-z_0-9]+)` \|", PAGE.read_text(), re.MULTILINE)


def test_every_code_is_in_the_reference() -> None:
    missing = {code: file for code, file in codes_in_the_code().items() if code not in codes_in_the_page()}
    assert not missing


def test_the_reference_lists_no_code_that_is_not_given_and_none_twice() -> None:
    listed = codes_in_the_page()
    assert not set(listed) - codes_in_the_code().keys()
    assert len(set(listed)) == len(listed)


def test_the_search_finds_codes_in_each_form() -> None:
    found = codes_in_the_code()
    for code in (
        "host_refused",
        "run_is_over",
        "list_not_found",
        "invalid_body",
        "column_missing",
        "segment_unchanged",
    ):
        assert code in found


def test_the_reference_says_what_is_a_warning() -> None:
    page = PAGE.read_text().partition("## Warnings\n")
    also = set(re.findall(r"^\| `([a-z_0-9]+)` \| [^|]*\bwarning\b[^|]* \|", page[0], re.MULTILINE))
    table = dict(re.findall(r"^\| `([a-z_0-9]+)` \| ([^|]*) \|", page[2].partition("\n## ")[0], re.MULTILINE))
    assert also | table.keys() == {*WARNINGS, OTHER}
    wrong = {code: told for code, told in table.items() if set(re.findall(r"`(\w+)`", told)) != parameters_of(code)}
    assert not wrong


def parameters_of(code: str) -> set[str]:
    """Return the names of all parameters from which the sentences of a code are made."""
    found = set[str]()
    for key, text in SENTENCES.items():
        if key.partition(".")[0] == code:
            found |= {name for _, name, _, _ in string.Formatter().parse(text) if name}
            found |= {"case"} if "." in key else set()
    return found - PHRASES.keys()


def statuses_in_the_code() -> set[tuple[str, int]]:
    """Return each code with the status of an answer, where the code says both beside each other."""
    found = {(code, status) for code, status in STATUS_OF.items() if code not in NEVER_ANSWERED}
    for path in sorted((ROOT / "exporter/api").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text())):
            match call:
                case ast.Call(func=func, args=[ast.Constant(value=int(status)), ast.Constant(value=code), *_]) if (
                    ast.unparse(func) in {"Refusal", "Refusal.of"}
                ):
                    found.add((str(code), status))
    return found


def test_the_reference_tells_each_status_of_an_answer() -> None:
    told = dict(re.findall(r"^\| `([a-z_0-9]+)` \| ([^|]*) \|", PAGE.read_text(), re.MULTILINE))
    expected = statuses_in_the_code()

    assert len(expected) > 30
    assert {(code, status) for code, status in expected if str(status) not in told[code]} == set()
