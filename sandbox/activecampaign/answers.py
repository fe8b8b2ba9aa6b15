"""Answers as values, and the odd bodies that the real service and what stands in front of it are known to send."""

import gzip
from collections.abc import Mapping
from dataclasses import dataclass, field

import orjson

JSON = "application/json"
HTML = "text/html; charset=UTF-8"


@dataclass(frozen=True, slots=True)
class Answer:
    """One HTTP answer, and how it travels.

    `delay_s`: seconds before the first byte; whoever carries the answer (server, simulator) does the waiting.
    `drip_s`: seconds after each byte of the body; 0 sends the body at once.
    `cut_at`: number of body bytes sent before the connection closes, although all were announced; None sends all.
    """

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""
    delay_s: float = 0.0
    drip_s: float = 0.0
    cut_at: int | None = None


class ConnectionDropped(ConnectionError):
    """The connection closes without an answer. The request may have been processed, or not."""


def as_json(status: int, value: object, content_type: str = JSON) -> Answer:
    """Return an answer with `value` as its JSON body."""
    return Answer(status, {"Content-Type": content_type}, orjson.dumps(value))


def login_page() -> Answer:
    """Return what some hosts send for an invalid key: 200, and a page for people."""
    page = "<!DOCTYPE html><html><head><title>Login</title></head><body><form action='/admin/'></form></body></html>"
    return Answer(200, {"Content-Type": HTML}, page.encode())


def html_error(status: int = 503) -> Answer:
    """Return a failure page of the front."""
    return Answer(status, {"Content-Type": HTML}, f"<html><body><h1>Error {status}</h1></body></html>".encode())


def cloudflare_502(retry_after_s: int = 60) -> Answer:
    """Return Cloudflare's failure as a problem document."""
    return as_json(
        502,
        {
            "type": "https://developers.cloudflare.com/support/troubleshooting/http-status-codes/error-502/",
            "title": "Error 502: Bad gateway",
            "status": 502,
            "error_code": 502,
            "cloudflare_error": True,
            "retryable": True,
            "retry_after": retry_after_s,
        },
        "application/problem+json",
    )


def redirect(location: str, status: int = 302) -> Answer:
    """Return a redirect to `location`, an absolute URL."""
    return Answer(status, {"Location": location, "Content-Type": HTML})


def empty(status: int = 200) -> Answer:
    """Return no body at all."""
    return Answer(status, {"Content-Type": JSON})


def huge(size_bytes: int = 32 * 1024 * 1024) -> Answer:
    """Return a body of `size_bytes`: valid JSON, if anybody reads to its end."""
    return Answer(200, {"Content-Type": JSON}, b"[" + b" " * (size_bytes - 2) + b"]")


def gzip_bomb(size_bytes: int = 256 * 1024 * 1024) -> Answer:
    """Return a small compressed body that inflates to `size_bytes`."""
    return Answer(200, {"Content-Type": JSON, "Content-Encoding": "gzip"}, gzip.compress(huge(size_bytes).body, 1))
