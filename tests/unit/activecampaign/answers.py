"""Answers as ActiveCampaign gives them, and any others."""

import json

from hypothesis import strategies as st

from exporter.activecampaign.outcomes import ContactFault, ContactsRefused
from exporter.activecampaign.wire import Answer, AnswerLost, NotSent

HTML = b"<!DOCTYPE html>\n<html lang='en'><head><title>Login</title></head><body>...</body></html>"
ID = "0641fbdd-f62f-4c2c-ba02-3a83d5d11ac9"
QUEUED = {"success": 1, "queued_contacts": 2, "batchId": ID, "message": "Contact import queued"}
NOT_VALID = "JSON payload did not pass validation. Please fix failureReasons and retry. The import was not queued."
RATE = "Up to 100 imports may be requested per minute.Please batch contacts into larger requests, or retry later."


def answer(status: int, body: object = b"", **headers: str) -> Answer:
    data = body if isinstance(body, bytes) else json.dumps(body, ensure_ascii=False).encode()
    return Answer(status, {name.replace("_", "-"): value for name, value in headers.items()}, data)


def refused(*failures: tuple[int, ContactFault]) -> ContactsRefused:
    return ContactsRefused(failures, tuple(dict.fromkeys(fault for _, fault in failures)))


NAMES = [*QUEUED, "Success", "failureReasons", "contact", "failureReason", "errors", "title", "detail", "status"]
NAMES += [
    "failure",
    "user",
    "id",
    "list",
    "lists",
    "fields",
    "fieldOptions",
    "fieldRels",
    "options",
    "relations",
    "field",
    "relid",
    "value",
    "contacts",
    "exclusions",
    "meta",
    "total",
    "retry_after",
    "email",
    "0",
]
json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(NAMES) | st.text(max_size=4), inner, max_size=5)
    ),
    max_leaves=12,
)
bodies = st.binary(max_size=60) | json_values.map(lambda value: json.dumps(value).encode())
replies = (
    st.builds(
        Answer,
        st.integers(100, 599),
        st.dictionaries(st.sampled_from(["retry-after", "date", "content-type"]), st.text(max_size=30)),
        bodies,
    )
    | st.builds(NotSent, st.just("connect"))
    | st.builds(AnswerLost, st.just("connection"))
)
