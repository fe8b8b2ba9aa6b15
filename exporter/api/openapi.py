"""The OpenAPI document, generated from the table of routes and the signatures of its handlers.

https://spec.openapis.org/oas/v3.1.1
"""

from __future__ import annotations

import ast
import inspect
import itertools
import re
import textwrap
from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

import orjson
from pydantic import BaseModel
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode, JsonSchemaValue, models_json_schema
from pydantic_core import core_schema

from exporter import __version__
from exporter.api.http import NEVER_KEPT, ProblemAnswer, Response
from exporter.api.resources import History
from exporter.definitions.resources import ID_PATTERN
from exporter.runs.run import RUN_ID

if TYPE_CHECKING:
    from exporter.api.operations import Route
from exporter.api.operations import answer_of, inputs_of, shown_beside

type Schema = dict[str, Any]
type Refs = Mapping[type[Any], Schema]
_REF = "#/components/schemas/{model}"
_REFERENCE = re.compile(r"#/components/schemas/([^\"]+)")
_PARAMETER = re.compile(r"<(?:path:)?(\w+)>")
DESCRIPTION = """Export customer segments to an ActiveCampaign list: connections, exports, runs.

Times are RFC 3339 in UTC. Errors are `application/problem+json` with a stable `code`. Unknown members and parameters
are refused. HEAD answers like GET without the body; OPTIONS lists the methods of a path in `Allow`. A browser that has
a session sends `X-Requested-By` with whatever changes something."""


class _Described(GenerateJsonSchema):
    """Schemas with the sentences below the members of a model as descriptions, and without titles made from names."""

    def field_title_should_be_set(self, schema: Any) -> bool:  # noqa: ANN401, ARG002 - as in pydantic
        return False

    def model_schema(self, schema: core_schema.ModelSchema) -> JsonSchemaValue:
        described = super().model_schema(schema)
        sentences = _sentences(schema["cls"])
        for name, field in schema["cls"].model_fields.items():
            member = described.get("properties", {}).get(field.alias or name)
            if member is not None and name in sentences:
                member["description"] = sentences[name]
        return described


def _sentences(kind: type) -> dict[str, str]:
    """Return the sentence below each member of a class, including its base classes."""
    sentences: dict[str, str] = {}
    for base in reversed(kind.__mro__):
        if not base.__module__.startswith("exporter.") or "__firstlineno__" not in vars(base):
            continue  # pydantic's own, or a generic model with its types filled in
        (definition,) = ast.parse(textwrap.dedent(inspect.getsource(base))).body
        members = definition.body if isinstance(definition, ast.ClassDef) else []
        for member, below in itertools.pairwise(members):
            match member, below:
                case ast.AnnAssign(target=ast.Name(id=name)), ast.Expr(value=ast.Constant(value=str(sentence))):
                    sentences[name] = inspect.cleandoc(sentence)
    return sentences


def answer(routes: Iterable[Route]) -> Response:
    """Return the answer with the document."""
    headers = {"Content-Type": "application/json", **NEVER_KEPT}
    return Response(200, headers, orjson.dumps(document(routes)))


def document(routes: Iterable[Route]) -> Schema:
    """Return the OpenAPI document of these routes."""
    routes = tuple(routes)
    bodies = [kind for route in routes if (kind := inputs_of(route).get("body"))]
    answers = [kind for route in routes if (kind := answer_of(route))]
    modes: dict[type[BaseModel], JsonSchemaMode] = {
        **dict.fromkeys(bodies, "validation"),
        **dict.fromkeys([*answers, ProblemAnswer], "serialization"),
    }
    references, definitions = models_json_schema(list(modes.items()), ref_template=_REF, schema_generator=_Described)
    schemas = definitions["$defs"]
    refs: Refs = {kind: schema for (kind, _), schema in references.items()}
    for kind in bodies:
        _refuse_unknown(refs[kind], schemas)
    for route in routes:
        if shown := shown_beside(route):
            _add_read_only(_resolved(refs[inputs_of(route)["body"]], schemas), _resolved(refs[shown], schemas))
    paths: dict[str, Schema] = {}
    for route in routes:
        paths.setdefault(_PARAMETER.sub(r"{\1}", route.path), {})[route.method.lower()] = _operation(route, refs)
    return {
        "openapi": "3.1.0",
        "info": {"title": "Segment exporter", "version": __version__, "description": DESCRIPTION},
        "servers": [{"url": "/api"}],
        "security": [{"functionKey": []}, {"entra": []}],
        "paths": paths,
        "components": {
            "schemas": schemas,
            "securitySchemes": {
                "functionKey": {"type": "apiKey", "in": "header", "name": "x-functions-key"},
                "entra": {"type": "http", "scheme": "bearer", "description": "App Service authentication"},
            },
        },
    }


def _operation(route: Route, refs: Refs) -> Schema:
    summary, _, description = (inspect.getdoc(route.handler) or "").partition("\n")
    inputs = inputs_of(route)
    operation: Schema = {
        "operationId": route.name,
        "summary": summary,
        "description": f"{description.strip()}\n\nRole: {route.role.name.title() if route.role else 'none'}.".strip(),
        "parameters": [
            *(_path_parameter(name) for name in _PARAMETER.findall(route.path)),
            *_parameters("query", inputs.get("query")),
            *_parameters("header", inputs.get("headers")),
        ],
        "responses": {
            **{str(status): _success(route, status, refs) for status in route.statuses},
            "default": {
                "description": "A problem",
                "content": {"application/problem+json": {"schema": refs[ProblemAnswer]}},
            },
        },
    }
    if route.role is None:
        operation["security"] = []
    else:
        operation["responses"]["401"] = {"description": "No valid function key (empty body), or not signed in"}
    if body := inputs.get("body"):
        required = route.signature.parameters["body"].default is inspect.Parameter.empty
        content = {"application/json": {"schema": refs[body]}}
        operation["requestBody"] = {"required": required, "content": content}
    return operation


def _path_parameter(name: str) -> Schema:
    schema: Schema = {"type": "string"}
    match name:
        case "connection_id" | "export_id":
            schema["pattern"] = ID_PATTERN
        case "run_id":
            schema["pattern"] = f"^{RUN_ID.pattern}$"
        case "day":
            schema["format"] = "date"
    return {"name": name, "in": "path", "required": True, "schema": schema}


def _parameters(where: str, kind: type[BaseModel] | None) -> list[Schema]:
    if kind is None:
        return []
    properties: Schema = kind.model_json_schema(ref_template=_REF, schema_generator=_Described)["properties"]
    return [
        {"name": name, "in": where, "description": schema.pop("description", ""), "schema": _not_null(schema)}
        for name, schema in properties.items()
    ]


def _not_null(schema: Schema) -> Schema:
    """Return the schema of a parameter, which may be absent but is never null."""
    if "anyOf" not in schema:
        return schema
    (not_null,) = (option for option in schema["anyOf"] if option != {"type": "null"})
    return dict(not_null)


def _success(route: Route, status: int, refs: Refs) -> Schema:
    success: Schema = {"description": HTTPStatus(status).phrase}
    kind = answer_of(route)
    shown = kind if status != HTTPStatus.NOT_MODIFIED else None
    content: Schema = {"application/json": {"schema": refs[shown]}} if shown else {}
    if status == HTTPStatus.OK:
        content.setdefault(route.media_type, {"schema": {}})
    if content:
        success["content"] = content
    seen = HTTPStatus.NOT_MODIFIED in route.statuses
    names = ["ETag"] if seen or (kind and issubclass(kind, History)) else []
    if status in (HTTPStatus.CREATED, HTTPStatus.ACCEPTED) and route.method == "POST":
        names.append("Location")
    if names:
        success["headers"] = {name: {"schema": {"type": "string"}} for name in names}
    return success


def _add_read_only(body: Schema, shown: Schema) -> None:
    """Add to a body the read-only members that GET shows."""
    for name, member in shown["properties"].items():
        body["properties"].setdefault(name, {**member, "readOnly": True})


def _resolved(ref: Schema, schemas: Schema) -> Schema:
    schema: Schema = schemas[ref["$ref"].rpartition("/")[2]]
    return schema


def _refuse_unknown(schema: Schema, schemas: Schema) -> None:
    """Declare for each object in a body that it has no other members."""
    for name in _REFERENCE.findall(orjson.dumps(schema).decode()):
        if "additionalProperties" not in schemas[name] and "properties" in schemas[name]:
            schemas[name]["additionalProperties"] = False
            _refuse_unknown(schemas[name], schemas)
