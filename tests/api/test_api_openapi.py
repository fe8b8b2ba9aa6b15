"""The OpenAPI document says what the routes and the models do."""

from __future__ import annotations

import re
from typing import Any

import pytest

from exporter.api.routes import ROUTES
from tests.api.client import with_function_key


@pytest.fixture(scope="module")
def document() -> dict[str, Any]:
    answer = with_function_key().get("/openapi.json")
    assert answer.status == 200
    found: dict[str, Any] = answer.json
    return found


def test_every_route_is_in_it_with_its_statuses_and_parameters(document: dict[str, Any]) -> None:
    assert document["openapi"] == "3.1.0"
    for route in ROUTES:
        operation = document["paths"][re.sub(r"<(?:path:)?(\w+)>", r"{\1}", route.path)][route.method.lower()]
        assert operation["operationId"] == route.name
        without_key = {"401"} if route.role else set()
        assert set(operation["responses"]) == {"default", *without_key, *map(str, route.statuses)}
        assert operation["summary"].endswith(".")
    save = document["paths"]["/exports/{export_id}"]["put"]
    assert [(p["in"], p["name"]) for p in save["parameters"]] == [
        ("path", "export_id"),
        ("query", "validate"),
        ("header", "If-Match"),
        ("header", "If-None-Match"),
    ]


def test_bodies_have_no_other_members_and_each_member_has_its_sentence(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bodies = ("ConnectionBody", "ConnectionTestBody", "LookupBody", "ExportDefinition", "Held")
    for name in (*bodies, "DataMatching", "FieldMatch", "ConsentColumn", "Cause"):
        assert schemas[name]["additionalProperties"] is False
    assert "Key Vault" in schemas["ConnectionBody"]["properties"]["apiKey"]["description"]


def test_every_reference_leads_somewhere(document: dict[str, Any]) -> None:
    named = set(re.findall(r"'\$ref': '([^']+)'", str(document)))
    assert named <= {f"#/components/schemas/{name}" for name in document["components"]["schemas"]}


def test_no_answer_has_a_member_for_an_api_key(document: dict[str, Any]) -> None:
    with_key = [name for name, schema in document["components"]["schemas"].items() if "apiKey" in str(schema)]
    assert with_key == ["ConnectionBody", "ConnectionTestBody"]


@pytest.mark.parametrize(
    ("path", "shown"), [("exports/{export_id}", "ExportView"), ("connections/{connection_id}", "ConnectionView")]
)
def test_a_body_of_put_has_the_further_members_that_get_shows_as_read_only(
    document: dict[str, Any], path: str, shown: str
) -> None:
    schemas, operation = document["components"]["schemas"], document["paths"][f"/{path}"]["put"]
    body = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].rpartition("/")[2]
    taken = schemas[body]["properties"]
    assert schemas[shown]["properties"].keys() <= taken.keys()
    read_only = {name for name, member in taken.items() if member.get("readOnly")}
    assert read_only >= {"id", "version", "createdBy", "createdUtc", "updatedBy", "updatedUtc"}
    assert not read_only & set(schemas[body]["required"])
