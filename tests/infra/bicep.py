"""Bicep files as plain Python values, so that tests can ask what a template says.

Literals become dict, list, str, int, bool and None; everything else (names, calls, conditions) stays an `Expression`
with its source text. Nothing is evaluated: this is no compiler.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import tree_sitter_bicep
from tree_sitter import Language, Node, Parser

INFRA = Path(__file__).parents[2] / "infra"
FILES = sorted(INFRA.rglob("*.bicep"))
_parser = Parser(Language(tree_sitter_bicep.language()))


class Expression(str):
    """Source text that is no literal."""

    __slots__ = ()


@dataclass(frozen=True)
class Declaration:
    """A param, var, output, resource or module: its kind, name, what it is (type or file) and its value."""

    kind: str
    name: str
    of: str
    value: Any
    existing: bool = False
    decorators: dict[str, Any] = field(default_factory=dict)
    file: str = ""

    @property
    def properties(self) -> dict[str, Any]:
        """The `properties` of a resource."""
        found: dict[str, Any] = self.value.get("properties", {})
        return found


@cache
def declarations(path: Path) -> list[Declaration]:
    """Return everything that the file declares, nested resources included."""
    root = _parser.parse(path.read_bytes()).root_node
    assert not root.has_error, f"{path} is no Bicep"
    return list(_declared(root, path.name, ""))


def named(file: str, name: str) -> Declaration:
    """Return the param, variable, resource or module of that name in `infra/<file>`."""
    return next(one for one in declarations(INFRA / file) if one.name == name and one.kind != "output")


def parameters(file: str) -> list[Declaration]:
    """Return the parameters of `infra/<file>`."""
    return [one for one in declarations(INFRA / file) if one.kind == "parameter"]


def resources(of: str = "") -> list[Declaration]:
    """Return the resources of all files that are deployed (not `existing` ones), of one type if given."""
    return [
        one
        for path in FILES
        for one in declarations(path)
        if one.kind == "resource" and not one.existing and (not of or one.of.partition("@")[0] == of)
    ]


def _declared(node: Node, file: str, outer: str) -> Iterator[Declaration]:
    decorators: dict[str, Any] = {}
    for part in node.named_children:
        nested = part.type == "object_property" and part.named_children[0].type == "resource_declaration"
        child = part.named_children[0] if nested else part
        kind = child.type.removesuffix("_declaration")
        if child.type in ("decorators", "decorator"):
            decorators |= dict(_decorator(call) for call in _all(child, "call_expression"))
            continue
        if kind in ("parameter", "variable", "output", "resource", "module"):
            inner = [one for one in child.named_children if one.type not in ("decorators", "decorator", "comment")]
            for one in child.named_children:
                if one.type in ("decorators", "decorator"):
                    decorators |= dict(_decorator(call) for call in _all(one, "call_expression"))
            of = _literal(inner[1]) if kind in ("resource", "module") else _text(inner[1]) if len(inner) > 1 else ""
            if kind == "resource" and outer:
                of = f"{outer.partition('@')[0]}/{of}@{outer.partition('@')[2]}"
            body = _body(child) if kind in ("resource", "module") else None
            value = (
                _value(body) if body else _value(inner[-1]) if len(inner) > (1 if kind == "variable" else 2) else None
            )
            existing = any(not one.is_named and one.type == "existing" for one in child.children)
            yield Declaration(kind, _text(inner[0]), str(of), value, existing, decorators, file)
            if body:
                yield from _declared(body, file, str(of))
        decorators = {}


def _body(node: Node) -> Node | None:
    """Return the object of a resource or module, also inside `if (...) {}` and `[for ...: {}]`."""
    for child in node.named_children:
        if child.type == "object":
            return child
        if child.type in ("if_statement", "for_statement") and (found := _body(child)):
            return found
    return None


def _value(node: Node) -> Any:
    match node.type:
        case "object":
            pairs = [part for part in node.named_children if part.type == "object_property"]
            return {
                _key(pair.named_children[0]): _value(pair.named_children[-1])
                for pair in pairs
                if pair.named_children[0].type != "resource_declaration"
            }
        case "array":
            return [_value(part) for part in node.named_children if part.type != "comment"]
        case "string":
            return _literal(node)
        case "number":
            return int(_text(node))
        case "boolean":
            return _text(node) == "true"
        case "null":
            return None
        case _:
            return Expression(_text(node))


def _literal(node: Node) -> str:
    text = _text(node)
    if any(part.type == "interpolation" for part in node.named_children):
        return Expression(text)
    return text.removeprefix("'").removesuffix("'").replace("\\'", "'")


def _key(node: Node) -> str:
    return _literal(node) if node.type == "string" else _text(node)


def _decorator(call: Node) -> tuple[str, Any]:
    name, *arguments = call.named_children
    values = [_value(part) for part in arguments[0].named_children] if arguments else []
    return _text(name), values[0] if values else None


def _all(node: Node, kind: str) -> Iterator[Node]:
    for child in node.named_children:
        if child.type == kind:
            yield child
        else:
            yield from _all(child, kind)


def _text(node: Node) -> str:
    assert node.text is not None
    return node.text.decode()
