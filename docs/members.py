"""The reference pages of an export's and a connection's members, from the OpenAPI document that the app serves."""
# ruff: noqa: E501 - a row of a Markdown table is one line

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from docs.tables import table
from exporter.api.openapi import document
from exporter.api.operations import answer_of, inputs_of
from exporter.api.routes import ROUTES

type Schema = dict[str, Any]
SCHEMAS: Schema = document(ROUTES)["components"]["schemas"]

EXPORT = """{
  "displayName": "Newsletter",
  "connectionId": "main",
  "listId": 1,
  "segments": ["NewsletterSubscribers"],
  "dataMatching": {
    "email": "EMail", "firstName": "FirstName", "lastName": "LastName", "phone": "Telephone",
    "fields": [{"column": "CustomerId", "field": "CUSTOMER_ID"}]
  },
  "consentColumn": {"column": "EmailSubscriber", "value": "Yes"},
  "schedule": {"kind": "withEveryRefresh"}
}"""
CONNECTION = """{
  "displayName": "Our ActiveCampaign",
  "host": "demo.api-us1.com",
  "secretName": "activecampaign-main",
  "usableBy": "contributors",
  "consent": true
}"""

READ_ONLY = """The service writes these. In what is sent they may stay as GET shows them, so that an answer can be edited and sent
back, or be left out."""


def exports_page() -> str:
    """Return docs/reference/exports.md."""
    return f"""# Members of an export

What `PUT /exports/{{exportId}}` takes, and what `GET` shows. PUT replaces the whole definition: a member that is left out
goes back to its default.

```json
{EXPORT}
```

With this `consentColumn`, only people are sent for whom the column `EmailSubscriber` holds `Yes` in every row of their
address. The others are in the reject report as `no_consent`; those among them who are on the list already stay there.

{_members("saveExport")}"""


def connections_page() -> str:
    """Return docs/reference/connections.md."""
    return f"""# Members of a connection

What `PUT /connections/{{connectionId}}` takes, and what `GET` shows. The API key is never shown. PUT replaces the whole
definition; only the key stays when it is left out.

```json
{CONNECTION}
```

Here the key is in the secret `activecampaign-main` of the app's Key Vault. Unless it was deployed with
[`STORE_API_KEYS=false`](deployment-options.md), the app puts it there itself: send `apiKey` in place of `secretName`.

## What the user of the key has to be allowed

A key has the permissions of its ActiveCampaign user's group. Saving a connection tries the key, the lists, the custom fields
and the contact limit; whether it may import shows with the first run.

| call | for | without it |
|---|---|---|
| `GET /api/3/users/me` | to test the key; every user may | |
| `GET /api/3/lists`, `GET /api/3/lists/{{id}}` | to choose and to check the list | `permission_refused` |
| `GET /api/3/fields` | to choose and to check custom fields | `permission_refused` |
| `GET /api/3/fields/{{id}}` | to make sure that a matched field is gone, where that answer leaves it out | `permission_refused` |
| `GET /api/3/fields/{{id}}/options` | to know the options of a field, where the answer before does not tell them | values are sent as they are, with the problem `field_options_unknown` |
| `GET /api/3/settings/account` | the contact limit of the plan; ActiveCampaign answers keys of administrators only | the connection is saved anyway, and the contact limit is not checked |
| `GET /api/3/contacts` | to count those who are on the list already, when the account could exceed its contact limit | everybody counts as new whom the last run did not confirm |
| `POST /api/3/import/bulk_import`, `GET /api/3/import/info` | to send contacts, and to ask what became of them | the run waits with `credentials_refused` for a day at most, since ActiveCampaign answers a bad key and a missing permission alike |
| `GET /api/3/lists/exclusions` | to tell excluded addresses from other failures of an import | they are reported as `failed_in_import` |

{_members("saveConnection")}"""


SHOWN_ELSEWHERE = ("lastRun.", "lastSuccess.")
"""What runs look like is said of runs."""


def _members(operation: str) -> str:
    route = next(route for route in ROUTES if route.name == operation)
    body = _resolved({"$ref": inputs_of(route)["body"].__name__})
    sent = {**body, "properties": {name: of for name, of in body["properties"].items() if "readOnly" not in of}}
    shown = _resolved({"$ref": answer_of(route).__name__})  # type: ignore[union-attr]  # both answer with JSON
    of_answer = dict(_flat("", shown))
    taken = dict(_flat("", sent))
    parts = ["## What is sent"]
    for name, schema in _objects("", sent):
        kind = schema["properties"].get("kind", {}).get("const")
        of_kind = f" of the kind `{kind}`" if kind else ""
        parts += [f"## `{name}`{of_kind}", schema["description"]] if name else []
        rows = [
            [
                f"`{member}`",
                _takes(of),
                "**required**" if member in schema.get("required", ()) else _default(of),
                _sentence(of),
            ]
            for member, of in schema["properties"].items()
            if not _tells_the_kind(member, of)
        ]
        parts += [table(["member", "takes", "default", "what it is"], rows)] if rows else []
    rest = [
        [f"`{name}`", _sentence(of)]
        for name, of in of_answer.items()
        if name not in taken and not name.startswith(SHOWN_ELSEWHERE)
    ]
    parts += ["## Only in answers", READ_ONLY, table(["member", "what it is"], rest)]
    return "\n\n".join(parts) + "\n"


def _objects(name: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield the object and those in its members, each with its path."""
    yield name, schema
    for member, of in schema["properties"].items():
        inner = _resolved(of)
        inner = _resolved(inner.get("items", inner))
        for option in map(_resolved, inner.get("oneOf", [inner])):
            if "properties" in option:
                yield from _objects(f"{name}.{member}".removeprefix("."), option)


def _flat(name: str, schema: Schema) -> Iterator[tuple[str, Schema]]:
    """Yield every member with its path."""
    for path, found in _objects(name, schema):
        members = ((member, of) for member, of in found["properties"].items() if not _tells_the_kind(member, of))
        yield from ((f"{path}.{member}".removeprefix("."), of) for member, of in members)


def _tells_the_kind(member: str, schema: Schema) -> bool:
    return member == "kind" and "const" in schema


def _resolved(schema: Schema) -> Schema:
    """Return what a schema refers to, None left out."""
    for option in schema.get("anyOf", ()):
        if option != {"type": "null"}:
            return _resolved(option)
    return SCHEMAS[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema


def _takes(schema: Schema) -> str:
    inner = _resolved(schema)
    if "oneOf" in inner:
        kinds = (_resolved(option)["properties"]["kind"]["const"] for option in inner["oneOf"])
        return "an object whose `kind` is " + " or ".join(f"`{kind}`" for kind in kinds)
    if "enum" in inner:
        return " or ".join(f"`{value}`" for value in inner["enum"])
    match inner["type"]:
        case "array":
            return f"{inner.get('minItems', 0)} to {inner['maxItems']} times {_takes(inner['items'])}"
        case "string":
            return f"text of {inner['maxLength']} characters at most" if "maxLength" in inner else "text"
        case "integer":
            return f"{inner['minimum']:,} to {inner['maximum']:,}"
        case "number":
            return f"a number from {inner['minimum']:,} to {inner['maximum']:,}"
        case "boolean":
            return "`true` or `false`"
    return "an object"


def _default(schema: Schema) -> str:
    value = schema.get("default")
    return "none" if value is None else f"`{json.dumps(value)}`"


def _sentence(schema: Schema) -> str:
    """Return what the model says of the member; a member without a sentence is a mistake."""
    return " ".join(schema["description"].split())
