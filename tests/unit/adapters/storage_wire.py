"""Blob storage that answers by plan, below the real client of the Azure libraries."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from email.utils import format_datetime
from io import BytesIO
from typing import Any, cast

from azure.core.pipeline.transport import HttpRequest, HttpTransport, RequestsTransportResponse
from azure.storage.blob import BlobServiceClient
from requests import Response
from urllib3 import HTTPResponse
from urllib3.exceptions import SSLError

MODIFIED = datetime(2026, 11, 18, tzinfo=UTC).timestamp()


def date(seconds: float) -> str:
    """Return epoch seconds as headers have them."""
    return format_datetime(datetime.fromtimestamp(seconds, UTC), usegmt=True)


class Wire(HttpTransport[HttpRequest, RequestsTransportResponse]):
    """Takes each request to the next of `answers`: what to answer with, or the error of a try."""

    def __init__(self, *answers: Response | Exception) -> None:
        self.answers: Iterator[Response | Exception] = iter(answers)
        self.requests: list[HttpRequest] = []

    def open(self) -> None: ...

    def close(self) -> None: ...

    def __exit__(self, *_: object) -> None: ...

    def sleep(self, duration: float) -> None: ...

    def send(self, request: HttpRequest, **_: Any) -> RequestsTransportResponse:
        self.requests.append(request)
        answer = next(self.answers)
        if isinstance(answer, Exception):
            raise answer
        response: Any = RequestsTransportResponse(request, answer)
        response.read = response.body  # asked for of an error that comes instead of a stream
        return cast("RequestsTransportResponse", response)


def service(wire: Wire) -> BlobServiceClient:
    """Return a client that repeats a failed try once, and at once."""
    return BlobServiceClient(
        "https://b.blob.core.windows.net",
        {"account_name": "b", "account_key": base64.b64encode(b"key").decode()},
        transport=cast("Any", wire),
        retry_total=1,
        initial_backoff=0,
        increment_base=0,
        random_jitter_range=0,
    )


class Damaged:
    """A body that TLS finds altered."""

    def stream(self, *_: object, **__: object) -> None:
        raise SSLError("bad record mac")

    def close(self) -> None: ...


def answer(body: bytes, at: float, status: int = 200, raw: object = None, **headers: str) -> Response:
    """Return an answer of the service at a time, in epoch seconds."""
    response = Response()
    response.status_code = status
    response.headers.update({"Date": date(at), "Content-Length": str(len(body)), "x-ms-version": "2026-02-06"})
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    response.raw = raw or HTTPResponse(BytesIO(body), preload_content=False)
    return response


def blob(body: bytes, at: float, raw: object = None) -> Response:
    """Return the answer to a download of a whole blob."""
    found = {"ETag": '"0x1"', "Last_Modified": date(MODIFIED), "x_ms_blob_type": "BlockBlob"}
    return answer(body, at, 206, raw, Content_Range=f"bytes 0-{len(body) - 1}/{len(body)}", **found)


def page(at: float, *entries: str, more: str = "") -> Response:
    """Return a page of a listing; `more` is what the next page is asked for with."""
    body = (
        f"<?xml version='1.0' encoding='utf-8'?><EnumerationResults ContainerName='landing'>"
        f"<Blobs>{''.join(entries)}</Blobs><NextMarker>{more}</NextMarker></EnumerationResults>"
    )
    return answer(body.encode(), at, Content_Type="application/xml")


def entry(path: str, size: int = 1, *, properties: str = "", metadata: str = "") -> str:
    """Return an entry of a listing; `properties` and `metadata` are XML."""
    return (
        f"<Blob><Name>{path}</Name><Properties><Last-Modified>{date(MODIFIED)}</Last-Modified><Etag>0x1</Etag>"
        f"<Content-Length>{size}</Content-Length><BlobType>BlockBlob</BlobType>{properties}</Properties>"
        f"<Metadata>{metadata}</Metadata></Blob>"
    )
