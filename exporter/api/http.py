"""Requests and answers as values, and problem answers (RFC 9457)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import orjson
from pydantic import BaseModel, ConfigDict

from exporter.errors import DEFAULT_RETRY_S, Culprit, ExporterError, Wait
from exporter.model import Value
from exporter.runs.run import Problem
from exporter.sentences import Parameter, Situation, sentence

MAX_PROBLEMS = 20
"""At most this many problems of an input are reported; a 64 KiB request could name thousands of unknown members."""
NEVER_KEPT = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
"""On every answer: the content changes, and browsers should not guess its type."""


@dataclass(frozen=True, slots=True)
class HttpRequest:
    """An HTTP request: `path` without the prefix /api, headers with lower-case names."""

    method: str
    path: str
    query: Sequence[tuple[str, str]] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = field(default=b"", repr=False)  # may hold a key or personal data


@dataclass(frozen=True, slots=True)
class Response:
    """An HTTP answer."""

    status: int
    headers: Mapping[str, str]
    body: bytes = field(repr=False)  # may hold personal data
    code: str | None = None
    """The problem code, if the answer is a problem."""

    def without_body(self) -> Response:
        """Return the answer to HEAD; Content-Length is that of the answer to GET."""
        return replace(self, headers={**self.headers, "Content-Length": str(len(self.body))}, body=b"")


@dataclass(frozen=True, slots=True)
class Json[T: BaseModel]:
    """A JSON answer, as handlers return it. Members that are None are omitted."""

    value: T
    status: int = 200
    headers: Mapping[str, str] = field(default_factory=dict)

    def render(self) -> Response:
        """Return the bytes to send."""
        headers = {"Content-Type": "application/json", **NEVER_KEPT, **self.headers}
        body = self.value.model_dump_json(by_alias=True, exclude_none=True).encode()
        return Response(self.status, headers, body)


class Refusal(Exception):
    """The request cannot be served; it becomes a problem answer."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        headers: Mapping[str, str] | None = None,
        culprit: Culprit = Culprit.USER,
        **members: Any,  # noqa: ANN401 - further members of the problem
    ) -> None:
        """Keep what the answer shows. `code` is stable; `detail` says what was expected, what was found, what to do."""
        super().__init__(detail)
        self.status, self.code, self.detail, self.culprit = status, code, detail, culprit
        self.headers, self.members = headers or {}, members

    @classmethod
    def of(
        cls, status: int, code: str, headers: Mapping[str, str] | None = None, /, **parameters: Parameter
    ) -> Refusal:
        """Return the refusal whose sentence `sentences` makes from the code and these parameters."""
        refusal = cls(status, code, sentence(code, parameters, Situation.ANSWERED), headers)
        refusal.members |= {"params": parameters} if parameters else {}
        return refusal


def unfit(problems: Sequence[str], *, code: str, more: int = 0) -> Refusal:
    """Return the refusal of an input with its problems; `more` is the number of further problems not listed."""
    rest = (f"and {more} more",) if more else ()
    return Refusal(422, code, f"{'; '.join([*problems, *rest])}.", members=[*problems, *rest])


class ProblemAnswer(Value):
    """Why a request was refused or failed (RFC 9457)."""

    model_config = ConfigDict(extra="allow")

    type: str = "about:blank"
    title: str
    status: int
    code: str
    """Stable; docs/reference/problem-codes.md lists all of them."""
    detail: str
    """What was expected, what was found, what to do."""
    culprit: Culprit
    """Who has to act: the caller or an administrator (user), this service (system), or a third party (external)."""
    params: dict[str, Parameter] | None = None
    """What `detail` is made from, together with `code`: numbers and names; absent where it says the same always."""


TITLES = {
    400: "Bad request",
    401: "Not signed in",
    403: "Not allowed",
    404: "Not found",
    405: "Method not allowed",
    409: "Conflict",
    412: "Changed meanwhile",
    413: "Too large",
    415: "Wrong content type",
    422: "Not usable",
    428: "If-Match required",
    429: "Too many requests",
    500: "Defect of the service",
    503: "Not available now",
}
STATUS_OF = {
    "defect": 500,
    "no_connection": 409,
    "connection_not_found": 409,
    "credentials_refused": 422,  # a run waits on these, but a caller should not repeat the same request
    "secret_not_found": 422,
    "secret_disabled": 422,
    "secret_deleted": 409,
    "segment_not_found": 404,
    "run_not_planned": 409,
    "not_resumable": 409,
    "run_is_going": 409,
    "few_are_tried": 409,
    "newer_run": 409,
    "membership_changed": 409,
    "reading_busy": 429,
    "reading_too_slow": 503,
    "unusable_settings": 503,
    "record_unreadable": 500,
    "ledger_unreadable": 500,
    "manifest_missing": 500,
    "working_copy_altered": 500,
}
"""The HTTP status of errors that are not simply unusable input (422) or a wait (503)."""


def answer_error(error: ExporterError) -> Response:
    """Return the problem answer for an error."""
    status = STATUS_OF.get(error.code, 503 if isinstance(error, Wait) else 422)
    headers = {}
    if isinstance(error, Wait) and status in (429, 503):
        headers["Retry-After"] = str(math.ceil(error.retry_after_s or DEFAULT_RETRY_S))
    said = Problem.of(error, Situation.ANSWERED)
    params = {"params": said.params} if said.params else {}
    detail = f"{said.message} {error.hint}".rstrip()
    return answer_refusal(Refusal(status, error.code, detail, headers, error.culprit, **params))


def answer_refusal(refusal: Refusal) -> Response:
    """Return the problem answer for a refusal."""
    problem = ProblemAnswer(
        title=TITLES[refusal.status],
        status=refusal.status,
        code=refusal.code,
        detail=refusal.detail,
        culprit=refusal.culprit,
    )
    body = {**problem.model_dump(mode="json", exclude_none=True), **refusal.members}
    headers = {"Content-Type": "application/problem+json", **NEVER_KEPT, **refusal.headers}
    return Response(refusal.status, headers, orjson.dumps(body), refusal.code)
