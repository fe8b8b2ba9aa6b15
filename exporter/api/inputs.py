"""Parse bodies, queries and headers into models, strictly: unknown names are refused, with the nearest known one."""

from __future__ import annotations

import difflib
import json
import re
from collections.abc import Iterable, Sequence
from copy import copy
from functools import cache
from typing import Any, get_args

from pydantic import BaseModel, BeforeValidator, ValidationError, create_model
from werkzeug.http import parse_options_header

from exporter.api.http import MAX_PROBLEMS, HttpRequest, Refusal, unfit
from exporter.definitions.resources import SENT
from exporter.model import Value

MAX_BODY_BYTES = 64 * 1024
"""An export with all its matched columns takes a few kilobytes."""
NOT_OURS = frozenset({"code", "clientId"})
"""Query parameters that Azure Functions reads: the function key and its name."""
_SHOWN_NAME = re.compile(r"[A-Za-z0-9_.-]{1,64}")


_BETWEEN = "\0"  # pydantic reads a query as texts, one a member; no name or id holds this character
REPEATED = BeforeValidator(lambda text: tuple(text.split(_BETWEEN)))
"""Marks a member of a query that may be given several times, as in `?column=EMail&column=City`: a tuple of texts."""


class NoQuery(Value):
    """The query of an operation that takes none."""


def read_body[M: BaseModel](kind: type[M], request: HttpRequest, default: M | None = None) -> M:
    """Read a JSON body; an empty one means `default`.

    Raises `Refusal` ("body_too_large", "wrong_content_type", "malformed_body", "invalid_body"). It names the invalid
    members but does not repeat their values.
    """
    if len(request.body) > MAX_BODY_BYTES:
        raise Refusal.of(413, "body_too_large", mostBytes=MAX_BODY_BYTES, sizeBytes=len(request.body))
    if not request.body and default is not None:
        return default
    content_type, options = parse_options_header(request.headers.get("content-type"))
    if content_type.lower() != "application/json" or options.get("charset", "utf-8").lower() != "utf-8":
        raise Refusal.of(415, "wrong_content_type")
    try:
        body = kind.model_validate_json(
            request.body, strict=True, extra="forbid", context=SENT, by_alias=True, by_name=False
        )
    except ValidationError as error:
        first = error.errors(include_url=False, include_input=False)[0]
        if first["type"] == "json_invalid":
            raise Refusal.of(400, "malformed_body", case="syntax", found=first["msg"]) from None
        if not first["loc"] and first["type"] == "model_type":
            raise Refusal.of(400, "malformed_body") from None
        raise _refusal("invalid_body", kind, error) from None
    _check_once(_names_in(request.body), code="invalid_body")
    return body


def read_no_body(request: HttpRequest) -> None:
    """Refuse a body if the operation takes none. Raises `Refusal` ("invalid_body")."""
    if request.body:
        raise unfit(["the whole: this operation does not accept a request body"], code="invalid_body")


def read_query[M: BaseModel](kind: type[M], request: HttpRequest) -> M:
    """Read the query; a member may be given more than once if it is `REPEATED`. Raises `Refusal` ("invalid_query")."""
    given = [(name, value) for name, value in request.query if name not in NOT_OURS]
    for field in kind.model_fields.values():
        values = [value for name, value in given if name == field.alias]
        if REPEATED in field.metadata and values:
            given = [(name, value) for name, value in given if name != field.alias]
            given.append((str(field.alias), _BETWEEN.join(values)))
    try:
        query = kind.model_validate_strings(dict(given), strict=True, extra="forbid", by_alias=True, by_name=False)
    except ValidationError as error:
        raise _refusal("invalid_query", kind, error) from None
    _check_once([[name for name, _ in given]], code="invalid_query")
    return query


def read_headers[M: BaseModel](kind: type[M], request: HttpRequest) -> M:
    """Read the headers that the model names, and no others. Raises `Refusal` ("invalid_header")."""
    names = [str(field.alias) for field in kind.model_fields.values()]
    values = {name: request.headers[name.lower()] for name in names if name.lower() in request.headers}
    try:
        return kind.model_validate_strings(values, by_alias=True, by_name=False)
    except ValidationError as error:
        raise _refusal("invalid_header", kind, error) from None


@cache
def with_read_only[M: BaseModel](kind: type[M], shown: type[BaseModel]) -> type[M]:
    """Return `kind` plus the members that only `shown` has, so that what GET shows can be edited and sent back whole.

    `resources.check_read_only` refuses those that were changed.
    """
    further: dict[str, Any] = {}
    for name, field in shown.model_fields.items():
        if name not in kind.model_fields:
            optional = copy(field)
            optional.default = None
            further[name] = (field.annotation, optional)
    return create_model(kind.__name__, __base__=kind, **further)


def _check_once(objects: Iterable[Sequence[str]], *, code: str) -> None:
    """Refuse names that occur more than once in an object: parsers disagree on which value counts."""
    repeated = {name for names in objects for name in names if names.count(name) > 1}
    if repeated:
        raise unfit([f"{name}: is given more than once" for name in sorted(repeated)], code=code)


def _names_in(body: bytes) -> list[list[str]]:
    """Return the member names of each object in a valid body."""
    names: list[list[str]] = []
    json.loads(body, object_pairs_hook=lambda members: names.append([name for name, _ in members]))
    return names


def _refusal(code: str, kind: type[BaseModel], error: ValidationError) -> Refusal:
    errors = error.errors(include_url=False, include_input=False)
    listed = errors[:MAX_PROBLEMS]
    problems = [_problem(kind, e["loc"], e["type"], e["msg"]) for e in listed]
    return unfit(problems, code=code, more=len(errors) - len(listed))


def _problem(kind: type[BaseModel], where: Sequence[int | str], problem: str, message: str) -> str:
    if problem == "extra_forbidden":
        names, owner = _walk(kind, where[:-1])
        # The name comes from the caller and could be anything, so it is repeated only if it looks like a name.
        unknown = str(where[-1]) if _SHOWN_NAME.fullmatch(str(where[-1])) else "(a name)"
        known = [str(field.alias or name) for name, field in owner.model_fields.items()]
        near = difflib.get_close_matches(str(where[-1]), known, n=1, cutoff=0.5)
        return ".".join([*names, unknown]) + ": unknown" + (f", did you mean {near[0]}?" if near else "")
    name = ".".join(_walk(kind, where)[0]) or "the whole"
    if problem == "missing":
        return f"{name}: is required"
    return f"{name}: {message.removeprefix('Value error, ').rstrip('.')}"


def _walk(kind: type[BaseModel], where: Sequence[int | str]) -> tuple[list[str], type[BaseModel]]:
    """Return the names on the path to a place, without the choices of unions, and the model of the object there."""
    names: list[str] = []
    kinds = [kind]
    for part in where:
        chosen = [one for one in kinds if "kind" in one.model_fields and one.model_fields["kind"].default == part]
        if isinstance(part, int):
            names.append(str(part))
        elif chosen and len(kinds) > 1:
            kinds = chosen
        elif field := next((f for one in kinds for n, f in one.model_fields.items() if part in (f.alias, n)), None):
            names.append(part)
            kinds = list(_models_in(field.annotation)) or kinds
    return names, kinds[0]


def _models_in(annotation: Any) -> Any:  # noqa: ANN401 - any annotation
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)
