"""Changes that a browser asks for with its session have to come from the app's own pages."""

from __future__ import annotations

from werkzeug.http import parse_options_header

from exporter.api.http import HttpRequest, Refusal
from exporter.settings import Settings

SESSION_COOKIE = "AppServiceAuthSession"
"""Of App Service authentication; a large session has several, numbered from 1."""
REQUESTED_BY = "X-Requested-By"
_CHANGES_NOTHING = frozenset({"GET", "HEAD", "OPTIONS"})


def refuse_cross_site(request: HttpRequest, settings: Settings) -> None:
    """Refuse a change that a page of another site may have asked for. Raises `Refusal` ("cross_site_request").

    A browser sends the cookie of a session along with whatever any page has it send. What such a page cannot do without
    being asked for permission, which the app gives to none, is send JSON or a header of ours
    (https://fetch.spec.whatwg.org/#cors-safelisted-request-header); and it is the browser that says where a request
    comes from. Callers without the cookie have no session that a page could use: a key or a token has to be sent by
    whoever knows it.
    """
    if request.method in _CHANGES_NOTHING or not _has_session(request.headers.get("cookie", "")):
        return
    content_type, _ = parse_options_header(request.headers.get("content-type"))
    if request.body and content_type.lower() != "application/json":
        raise Refusal.of(403, "cross_site_request", case="contentType")
    if not request.headers.get(REQUESTED_BY.lower(), "").strip():
        raise Refusal.of(403, "cross_site_request", case="header", header=REQUESTED_BY)
    own = settings.page_origins
    foreign = request.headers.get("origin", "").lower() not in own
    # Older browsers do not say this.
    if foreign or request.headers.get("sec-fetch-site", "same-origin").lower() != "same-origin":
        raise Refusal.of(403, "cross_site_request", case="origin", origins=" or ".join(sorted(own)) or "the app")


def _has_session(cookies: str) -> bool:
    """Return whether there is a session among the cookies. What only looks like one counts: it is asked for more."""
    return SESSION_COOKIE.lower() in cookies.lower()
