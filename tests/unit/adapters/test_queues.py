"""A message as it leaves, and a queue that does not take it."""

from __future__ import annotations

import base64
from typing import Any, cast
from urllib.parse import parse_qs, urlsplit
from xml.etree import ElementTree as ET

import orjson
import pytest
from azure.core.exceptions import AzureError, ServiceRequestError
from azure.core.pipeline.transport import HttpRequest, HttpTransport, RequestsTransportResponse
from azure.storage.queue import QueueServiceClient
from requests import Response

from exporter.adapters.queues import AzureMessages
from exporter.errors import Unavailable


class Wire(HttpTransport[HttpRequest, RequestsTransportResponse]):
    """Answers each request in the same way, and keeps it."""

    def __init__(self, status: int = 201, error: AzureError | None = None) -> None:
        self.status, self.error = status, error
        self.requests: list[HttpRequest] = []

    def open(self) -> None: ...

    def close(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def send(self, request: HttpRequest, **_: Any) -> RequestsTransportResponse:
        self.requests.append(request)
        if self.error:
            raise self.error
        response = Response()
        response.status_code = self.status
        response.headers["Content-Type"] = "application/xml"
        response._content = _TAKEN if self.status == 201 else b""
        return RequestsTransportResponse(request, response)


_TAKEN = b"""<?xml version="1.0"?><QueueMessagesList><QueueMessage><MessageId>1</MessageId>
<InsertionTime>Wed, 18 Nov 2026 00:00:00 GMT</InsertionTime>
<ExpirationTime>Wed, 18 Nov 2026 01:00:00 GMT</ExpirationTime><PopReceipt>r</PopReceipt>
<TimeNextVisible>Wed, 18 Nov 2026 00:00:00 GMT</TimeNextVisible></QueueMessage></QueueMessagesList>"""


def messages(wire: Wire) -> AzureMessages:
    service = QueueServiceClient(
        "https://q.queue.core.windows.net",
        {"account_name": "q", "account_key": base64.b64encode(b"key").decode()},
        transport=cast("Any", wire),
        retry_total=0,
    )
    return AzureMessages(service)


@pytest.mark.parametrize(("delay_s", "lives_s"), [(0, 3_600), (60, 3_660), (900, 4_500)])
def test_a_message_lives_for_an_hour_after_it_is_visible(delay_s: int, lives_s: int) -> None:
    wire = Wire()
    messages(wire).send("plan-run", {"runId": "x"}, delay_s)
    (request,) = wire.requests
    query = parse_qs(urlsplit(request.url).query)
    assert query.get("visibilitytimeout", ["0"]) == [f"{delay_s}"]
    assert query["messagettl"] == [f"{lives_s}"]


def test_a_message_is_the_base64_of_its_json_as_the_host_expects_it() -> None:
    wire = Wire()
    messages(wire).send("upload-lane", {"runId": "x", "lane": 3})
    text = ET.fromstring(cast("bytes", wire.requests[0].body)).findtext("MessageText")
    assert orjson.loads(base64.b64decode(str(text))) == {"runId": "x", "lane": 3}


@pytest.mark.parametrize(
    ("wire", "shown"),
    [(Wire(403), "status 403"), (Wire(503), "status 503"), (Wire(error=ServiceRequestError("q")), "status None")],
)
def test_a_queue_that_takes_no_message_is_named_with_its_status(wire: Wire, shown: str) -> None:
    with pytest.raises(Unavailable, match=shown) as caught:
        messages(wire).send("plan-run", {"runId": "x"})
    assert caught.value.code == "queue_unavailable"
    assert "plan-run" in caught.value.message
