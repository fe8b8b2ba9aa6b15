"""Which function answers a request: ASP.NET Core route templates, most specific first.

https://learn.microsoft.com/aspnet/core/fundamentals/routing#route-templates
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import unquote

CONSTRAINTS: Mapping[str, Callable[[str, str], bool]] = {
    "alpha": lambda value, _: re.fullmatch(r"[A-Za-z]*", value) is not None,
    "bool": lambda value, _: value.lower() in {"true", "false"},
    "guid": lambda value, _: (
        re.fullmatch(r"\{?[0-9A-Fa-f]{8}-?(?:[0-9A-Fa-f]{4}-?){3}[0-9A-Fa-f]{12}\}?", value) is not None
    ),
    "int": lambda value, _: re.fullmatch(r"[+-]?\d+", value) is not None and -(2**31) <= int(value) < 2**31,
    "length": lambda value, bounds: in_bounds(len(value), bounds),
    "long": lambda value, _: re.fullmatch(r"[+-]?\d+", value) is not None and -(2**63) <= int(value) < 2**63,
    "max": lambda value, bound: re.fullmatch(r"[+-]?\d+", value) is not None and int(value) <= int(bound),
    "maxlength": lambda value, bound: len(value) <= int(bound),
    "min": lambda value, bound: re.fullmatch(r"[+-]?\d+", value) is not None and int(value) >= int(bound),
    "minlength": lambda value, bound: len(value) >= int(bound),
    "range": lambda value, bounds: re.fullmatch(r"[+-]?\d+", value) is not None and in_bounds(int(value), bounds),
    "regex": lambda value, pattern: re.search(pattern, value, re.IGNORECASE) is not None,
}


def in_bounds(number: int, bounds: str) -> bool:
    """Tell whether a number lies within `low,high`, or equals the one that is given."""
    low, _, high = bounds.partition(",")
    return int(low) <= number <= int(high or low)


@dataclass(frozen=True)
class Segment:
    """One part of a template: a literal, or a parameter with constraints `(name, argument)`."""

    text: str
    is_parameter: bool = False
    is_catch_all: bool = False
    is_optional: bool = False
    constraints: tuple[tuple[str, str], ...] = ()

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read a literal, `{name}`, `{name:constraint(argument)}`, `{name?}` or `{*name}`.

        :raises ValueError: it is none of these.
        """
        if "{" not in text:
            return cls(text)
        match = re.fullmatch(r"\{(\*{0,2})(\w+)((?::\w+(?:\(.*?\))?)*)(\?)?\}", text)
        if match is None:
            raise ValueError(f"route segment {text!r}: expected a literal or one parameter, all that this host models")
        constraints = tuple(re.findall(r":(\w+)(?:\((.*?)\))?", match[3]))
        for name, _ in constraints:
            if name not in CONSTRAINTS:
                raise ValueError(f"route segment {text!r}: constraint {name!r} is unknown to this host")
        return cls(
            match[2],
            is_parameter=True,
            is_catch_all=bool(match[1]),
            is_optional=bool(match[4]),
            constraints=constraints,
        )

    @property
    def precedence(self) -> int:
        """Smaller is more specific. The numbers are those of ASP.NET Core's `RoutePrecedence`."""
        if not self.is_parameter:
            return 1
        return (5 if self.is_catch_all else 3) - bool(self.constraints)

    def accepts(self, value: str) -> bool:
        """Tell whether a value of the path fits."""
        if not self.is_parameter:
            return value.lower() == self.text.lower()
        return all(CONSTRAINTS[name](value, argument) for name, argument in self.constraints)


@dataclass(frozen=True)
class Route:
    """A template and the methods it answers; no methods means all."""

    segments: tuple[Segment, ...]
    methods: frozenset[str]

    @classmethod
    def parse(cls, template: str, methods: list[str]) -> Self:
        """Read a template such as `exports/{id}/runs`."""
        parts = [part for part in template.strip("/").split("/") if part]
        return cls(tuple(map(Segment.parse, parts)), frozenset(method.upper() for method in methods))

    @property
    def precedence(self) -> tuple[int, ...]:
        """Sort key: the route that is tried first has the smallest."""
        return tuple(segment.precedence for segment in self.segments)

    def match(self, method: str, path: str) -> dict[str, str] | None:
        """Return the route parameters of a path, or None where the route does not fit."""
        if self.methods and method.upper() not in self.methods:
            return None
        # Kestrel decodes all but the slash: https://github.com/dotnet/aspnetcore/issues/4718
        parts = path.strip("/").split("/") if path.strip("/") else []
        values = [unquote(re.sub("%(?=2f)", "%25", part, flags=re.IGNORECASE)) for part in parts]
        parameters: dict[str, str] = {}
        for index, segment in enumerate(self.segments):
            if segment.is_catch_all:
                rest = "/".join(values[index:])
                return {**parameters, segment.text: rest} if segment.accepts(rest) else None
            if index >= len(values):
                if not segment.is_optional:
                    return None
            elif not segment.accepts(values[index]):
                return None
            elif segment.is_parameter:
                parameters[segment.text] = values[index]
        return parameters if len(values) <= len(self.segments) else None
