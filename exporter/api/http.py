"""Requests and answers as values, and problem answers (RFC 9457)."""

from __future__ import annotations

import difflib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict, ValidationError
from pydantic.alias_generators import to_camel

from exporter.errors import ExporterError, Wait

MAX_BODY_BYTES = 64 * 1024
"""An export with all its mapped columns is a few kilobytes."""
DEFAULT_RETRY_S = 30


@dataclass(frozen=True, slots=True)
class Request:
    """An HTTP request: `path` without the prefix /api, headers with lower-case names."""

    method: str
    path: str
    query: Mapping[str, str] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes


class Refusal(Exception):  # noqa: N818 - a problem of the caller, not of the service
    """The request cannot be served as it is: becomes a problem answer."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        **members: Any,  # noqa: ANN401 - further members of the problem
    ) -> None:
        """`code` is stable; `detail` says what was expected, what was found and what to do."""
        super().__init__(detail)
        self.status, self.code, self.detail = status, code, detail
        self.headers, self.members = headers or {}, members


TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Body too large",
    415: "Wrong content type",
    422: "Not usable",
    428: "Precondition required",
    500: "Defect of the service",
    503: "Not available now",
}
STATUS_OF = {
    "no_connection": 409,
    "connection_not_found": 409,
    "idempotency_key_reused": 422,
    "segment_not_found": 404,
    "unusable_settings": 503,
    "record_unreadable": 500,
    "ledger_unreadable": 500,
}
"""The HTTP status of errors that are not simply unusable input (422) or a wait (503)."""


def answer_json(value: object, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Answer with JSON."""
    return Response(
        status,
        {"Content-Type": "application/json", "Cache-Control": "no-store", **(headers or {})},
        orjson.dumps(value),
    )


def answer_error(error: ExporterError) -> Response:
    """Answer with what an error means to the caller."""
    status = STATUS_OF.get(error.code, 503 if isinstance(error, Wait) else 422)
    headers = {}
    if isinstance(error, Wait):
        headers["Retry-After"] = str(int(error.retry_after_s or DEFAULT_RETRY_S))
    return answer_refusal(Refusal(status, error.code, error.message, headers, culprit=error.culprit))


def answer_refusal(refusal: Refusal) -> Response:
    """Answer with a problem (RFC 9457); `code` is the stable name of what went wrong."""
    body = {
        "type": "about:blank",
        "title": TITLES[refusal.status],
        "status": refusal.status,
        "code": refusal.code,
        "detail": refusal.detail,
        **refusal.members,
    }
    headers = {"Content-Type": "application/problem+json", "Cache-Control": "no-store", **refusal.headers}
    return Response(refusal.status, headers, orjson.dumps(body))


class Body(BaseModel):
    """A request body: camelCase members, unknown ones refused."""

    model_config = ConfigDict(alias_generator=to_camel, extra="forbid", frozen=True)


def read_body[B: BaseModel](kind: type[B], request: Request, *, optional: bool = False) -> B:
    """Read a JSON body. Raises `Refusal` that names every member that does not fit; values are not repeated."""
    if len(request.body) > MAX_BODY_BYTES:
        raise Refusal(413, "body_too_large", f"Expected at most {MAX_BODY_BYTES} bytes, found {len(request.body)}.")
    if not request.body and optional:
        return kind.model_validate({})
    content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if content_type != "application/json":
        raise Refusal(415, "wrong_content_type", "Expected a body with Content-Type: application/json.")
    try:
        value = orjson.loads(request.body)
    except orjson.JSONDecodeError as error:
        raise Refusal(400, "malformed_body", f"Expected JSON; the body breaks off at character {error.pos}.") from None
    if not isinstance(value, dict):
        raise Refusal(400, "malformed_body", "Expected a JSON object.")
    try:
        return kind.model_validate(value)
    except ValidationError as error:
        problems = [_member_problem(kind, e["loc"], e["type"], e["msg"]) for e in error.errors()]
        raise Refusal(422, "invalid_body", "; ".join(problems) + ".", members=problems) from None


def _member_problem(kind: type[BaseModel], where: tuple[int | str, ...], problem: str, message: str) -> str:
    name = ".".join(map(str, where)) or "body"
    if problem == "extra_forbidden":
        known = [str(f.alias or n) for n, f in kind.model_fields.items()] if len(where) == 1 else []
        near = difflib.get_close_matches(str(where[-1]), known, n=1, cutoff=0.5)
        return f"{name}: unknown member" + (f", did you mean {near[0]}?" if near else "")
    if problem == "missing":
        return f"{name}: is required"
    return f"{name}: {message.removeprefix('Value error, ')}"
