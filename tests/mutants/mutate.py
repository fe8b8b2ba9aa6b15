"""The mutants of a module: its source with one small change each, as mutmut makes them.

mutmut itself changes the bodies of plain functions only, since it keeps all mutants of a file in one module. Our limits
are constants, and many of our rules are properties, so its operators are applied to the whole source here.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import libcst as cst
from libcst.metadata import WhitespaceInclusivePositionProvider
from mutmut.mutation.file_mutation import MutationVisitor
from mutmut.mutation.mutators import mutation_operators, operator_arg_removal, operator_assignment, operator_string
from mutmut.mutation.pragma_handling import IgnoredCode

SENTENCE = re.compile(r"[a-z,;:.)}'] [a-zA-Z({]")
"""Words for people: tests hold their code, not their wording."""


@dataclass(frozen=True)
class Mutant:
    """A module with one change.

    `place` is the function or class that was changed ("" for the rest of the module), `change` the lines before and
    after, `source` the whole module. `function` tells whether the change is in the body of `place` and nowhere else.
    """

    place: str
    change: str
    source: str
    function: bool


def mutants(source: str) -> Iterator[Mutant]:
    """Make all mutants of a module."""
    wrapper = cst.MetadataWrapper(cst.parse_module(source))
    visitor = _Everywhere(_OPERATORS, IgnoredCode(set(), set(), set()))
    module = wrapper.visit(visitor)
    places = dict(_places(module.body, ""))
    positions = wrapper.resolve(WhitespaceInclusivePositionProvider)
    line_starts = [0, *itertools.accumulate(map(len, source.splitlines(keepends=True)))]
    for mutation in visitor.mutations:
        before, after = mutation.original_node, mutation.mutated_node
        where = positions[before]
        start, end = (line_starts[at.line - 1] + at.column for at in (where.start, where.end))
        if source[start:end] == module.code_for_node(before):
            changed = source[:start] + module.code_for_node(after) + source[end:]
        else:  # a statement of several lines: slow, but it knows the indentation
            changed = cst.ensure_type(module.deep_replace(before, after), cst.Module).code
        place, function = places.get(before, ("", False))
        yield Mutant(place, _change(source, changed), changed, function)


class _Everywhere(MutationVisitor):
    """mutmut's choice of nodes, and decorated functions too; but no words for people, and no types."""

    def _skip_node_and_children(self, node: cst.CSTNode) -> bool:
        match node:
            case cst.TypeAlias() | cst.ImportFrom() | cst.Arg(keyword=cst.Name("strict")):
                return True
            case cst.FunctionDef():
                return False
            case cst.BaseString():
                return _is_sentence(node)
        return super()._skip_node_and_children(node)


def _is_sentence(node: cst.CSTNode) -> bool:
    return isinstance(node, cst.BaseString) and bool(SENTENCE.search(cst.Module([]).code_for_node(node)))


def _other_arguments(node: cst.Call) -> Iterable[cst.Call]:
    """Leave out each argument, or make it None; but no sentence, and not `zip`'s own check of lengths."""
    kept = [
        argument
        for argument in node.args
        if _is_sentence(argument.value) or (argument.keyword and argument.keyword.value == "strict")
    ]
    return (call for call in operator_arg_removal(node) if all(argument in call.args for argument in kept))


def _other_value(node: cst.Assign | cst.AnnAssign) -> Iterable[cst.CSTNode]:
    """Assign None; but not in place of None or False, which count as false as well."""
    return (
        () if isinstance(node.value, cst.Name) and node.value.value in {"None", "False"} else operator_assignment(node)
    )


def _one_other_text(node: cst.BaseString) -> Iterable[cst.CSTNode]:
    """Change a text once; but a pattern in each of mutmut's ways."""
    pattern = isinstance(node, cst.SimpleString) and "r" in node.prefix
    return itertools.islice(operator_string(node), None if pattern else 1)


def _no_call(node: cst.Expr) -> Iterable[cst.CSTNode]:
    """Leave out a call that is a statement, which mutmut never does."""
    return [cst.Pass()] if isinstance(node.value, cst.Call) else []


def _only_begins(node: cst.Call) -> Iterable[cst.Call]:
    """Be content with a text that only begins like the pattern, which mutmut never is."""
    if isinstance(node.func, cst.Attribute) and node.func.attr.value == "fullmatch":
        yield node.with_deep_changes(node.func.attr, value="match")


type _Operator = Callable[[Any], Iterable[cst.CSTNode]]
_IN_PLACE_OF: dict[_Operator, _Operator] = {
    operator_arg_removal: _other_arguments,
    operator_assignment: _other_value,
    operator_string: _one_other_text,
}
_OPERATORS: list[tuple[type, _Operator]] = [
    *[(kind, _IN_PLACE_OF.get(operator, operator)) for kind, operator in mutation_operators],
    (cst.Expr, _no_call),
    (cst.Call, _only_begins),
]


def _places(body: Iterable[cst.CSTNode], name: str) -> Iterator[tuple[cst.CSTNode, tuple[str, bool]]]:
    for statement in body:
        match statement:
            case cst.ClassDef():
                yield from _places(statement.body.body, f"{name}{statement.name.value}.")
            case cst.FunctionDef():
                place = f"{name}{statement.name.value}"
                yield from ((node, (place, False)) for node in _walk(statement))
                yield from ((node, (place, True)) for node in _walk(statement.body))
            case _:
                yield from ((node, (name.removesuffix("."), False)) for node in _walk(statement))


def _walk(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    yield node
    for child in node.children:
        yield from _walk(child)


def _change(before: str, after: str) -> str:
    old, new = before.splitlines(), after.splitlines()
    same = [a == b for a, b in zip(old, new, strict=False)]
    start = [*same, False].index(False)
    while old[start:] and new[start:] and old[-1] == new[-1]:
        del old[-1], new[-1]
    old_text, new_text = (
        " ".join(re.sub(r"(^|\s+)# .*", "", line).strip() for line in lines[start:]) for lines in (old, new)
    )
    return f"{old_text}  ->  {new_text}"
