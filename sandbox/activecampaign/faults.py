"""Scripted faults: which request goes wrong, how, and how often."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

from sandbox.activecampaign import answers
from sandbox.activecampaign.answers import Answer, ConnectionDropped

Kind = Literal["answer", "drop", "lose_answer", "delay", "drip", "truncate", "cut"]

CANNED: Mapping[str, Callable[..., Answer]] = {
    "login_page": answers.login_page,
    "html_error": answers.html_error,
    "cloudflare_502": answers.cloudflare_502,
    "redirect": answers.redirect,
    "empty": answers.empty,
    "huge": answers.huge,
    "gzip_bomb": answers.gzip_bomb,
}


@dataclass(slots=True)
class Fault:
    """What befalls the next `count` requests (None: all) whose "METHOD path" matches, after the first `after`.

    - `answer`: `answer` is sent and nothing is processed;
    - `drop`: the connection closes and nothing is processed;
    - `lose_answer`: the request is processed, then the connection closes;
    - `delay`: processed, answered `delay_s` seconds late;
    - `drip`: processed, the body sent with `delay_s` seconds after each byte;
    - `truncate`: processed, the body ends in its middle and the length says so;
    - `cut`: processed, the connection closes in the middle of the body.
    """

    kind: Kind
    match: str = ""
    count: int | None = 1
    after: int = 0
    delay_s: float = 0.0
    answer: Answer = field(default_factory=answers.html_error)

    def __post_init__(self) -> None:
        """Refuse a pattern that is none, at once rather than at the first request."""
        re.compile(self.match)

    def takes(self, request: str) -> bool:
        """Whether this fault befalls `request` ("METHOD path"); counts it if so."""
        if self.count == 0 or not re.search(self.match, request):
            return False
        if self.after:
            self.after -= 1
            return False
        if self.count is not None:
            self.count -= 1
        return True

    def befall(self, process: Callable[[], Answer]) -> Answer:
        """Return the answer that leaves instead of `process()`'s. Raises ConnectionDropped."""
        if self.kind == "answer":
            return self.answer
        if self.kind == "drop":
            raise ConnectionDropped
        answer = process()
        middle = len(answer.body) // 2
        match self.kind:
            case "lose_answer":
                raise ConnectionDropped
            case "delay":
                return replace(answer, delay_s=self.delay_s)
            case "drip":
                return replace(answer, drip_s=self.delay_s)
            case "truncate":
                return replace(answer, body=answer.body[:middle])
            case "cut":
                return replace(answer, cut_at=middle)


def from_json(value: Mapping[str, Any]) -> Fault:
    """Read a fault written as JSON: `kind` as in Fault, or a name of CANNED with that function's arguments in `with`.

    A fault of kind "answer" takes `status`, `headers` and `body` (text).
    Raises KeyError, TypeError, ValueError or re.PatternError.
    """
    given = dict(value)
    kind = given.pop("kind")
    if kind in CANNED:
        return Fault("answer", answer=CANNED[kind](**given.pop("with", {})), **given)
    if kind == "answer":
        body = str(given.pop("body", "")).encode()
        answer = Answer(int(given.pop("status")), dict(given.pop("headers", {"Content-Type": answers.JSON})), body)
        return Fault("answer", answer=answer, **given)
    if kind not in get_args(Kind):
        raise ValueError(f"expected a kind of fault ({', '.join([*get_args(Kind), *CANNED])}), found {kind!r}")
    return Fault(kind, **given)
