"""The console: the page in which people connect, define, run and look. Static, and open to anyone: it holds no data.

The page calls the public API only. Its files are built from `console/` into `exporter/console/` and never committed.
"""

from __future__ import annotations

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

from exporter.api.http import Refusal, Response, answer_refusal

BUILT = Path(__file__).parents[1] / "console"
PAGE = "index.html"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; form-action 'none'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'"
)
"""No inline script or style, nothing of a third host, no frames: https://www.w3.org/TR/CSP3/. What the page downloads
(the rejects as CSV) it gets by a call."""
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
}
ALWAYS_ASK = "no-cache"
FOREVER = "public, max-age=31536000, immutable"
"""For files whose names hold a digest of their content."""
METHODS = "GET, HEAD, OPTIONS"
TYPES = {".js": "text/javascript", ".html": "text/html; charset=utf-8"}
"""Where what the machine's own table of types says may differ."""


@dataclass(frozen=True, slots=True)
class _File:
    body: bytes = field(repr=False)
    packed: Mapping[str, bytes] = field(repr=False)
    """The body by its encoding, the best first."""
    etag: str
    media_type: str
    kept: str


def answer(method: str, path: str, headers: Mapping[str, str], sign_in: str, built: Path = BUILT) -> Response:
    """Answer a request for a file of the console; any other path is one of the page's own views.

    `path`: below the console's own, without a leading slash. `headers` have lower-case names. `sign_in`: how people
    sign in (`settings.Settings.sign_in`), which the page has to know before anyone has.
    """
    if method not in METHODS:
        return answer_refusal(Refusal.of(405, "method_not_allowed", {"Allow": METHODS}, allowed=METHODS))
    if method == "OPTIONS":
        return Response(204, {"Allow": METHODS, **HEADERS}, b"")
    files = _files(built, sign_in)
    file = files.get(path) or (None if path.startswith("assets/") else files.get(PAGE))
    if file is None:
        return answer_refusal(Refusal.of(404, "no_such_path" if files else "console_not_built"))
    shown = {
        "Content-Type": file.media_type,
        "Cache-Control": file.kept,
        "ETag": file.etag,
        "Vary": "Accept-Encoding",
        **HEADERS,
    }
    if file.etag in headers.get("if-none-match", ""):
        return Response(304, shown, b"")
    taken = {part.partition(";")[0].strip() for part in headers.get("accept-encoding", "").split(",")}
    encoding = next((each for each in file.packed if each in taken), None)
    if encoding:
        shown["Content-Encoding"] = encoding
    response = Response(200, shown, file.packed[encoding] if encoding else file.body)
    return response.without_body() if method == "HEAD" else response


@cache
def _files(built: Path, sign_in: str) -> Mapping[str, _File]:
    """Read all files once: some 200 kB."""
    return {
        path.relative_to(built).as_posix(): _file(path, path.relative_to(built).as_posix(), sign_in)
        for path in sorted(built.rglob("*"))
        if path.is_file() and path.suffix != ".br"
    }


def _file(path: Path, name: str, sign_in: str) -> _File:
    body = path.read_bytes()
    if name == PAGE:
        body = body.replace(b'data-sign-in="key"', f'data-sign-in="{sign_in}"'.encode())
    beside = path.with_name(f"{path.name}.br")  # made at the build, since Python has no Brotli
    packed = {"br": beside.read_bytes()} if beside.exists() else {}
    return _File(
        body,
        {**packed, "gzip": gzip.compress(body, mtime=0)},
        f'"{hashlib.sha256(body).hexdigest()[:32]}"',
        TYPES.get(path.suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream",
        FOREVER if name.startswith("assets/") else ALWAYS_ASK,
    )
