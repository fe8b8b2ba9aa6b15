"""Every operation in one table, and how a request reaches its handler.

A handler's signature is its contract: body, query and headers are parsed into the models that it declares, and the
OpenAPI document is generated from the same signatures.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable
from functools import partial
from typing import Any

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, Rule

from exporter import log
from exporter.api import (
    connections,
    exports,
    health,
    lookup,
    me,
    openapi,
    operations,
    preview,
    reports,
    runs,
    schedules,
    segments,
    trail,
)
from exporter.api.access import Caller, Context, Role, admit, came_from, principal
from exporter.api.cross_site import refuse_cross_site
from exporter.api.http import NEVER_KEPT, HttpRequest, Json, Refusal, Response, answer_error, answer_refusal
from exporter.api.inputs import NoQuery, read_body, read_headers, read_no_body, read_query, with_read_only
from exporter.api.operations import Route
from exporter.definitions.resources import ID_PATTERN
from exporter.errors import Culprit, ExporterError, Stop
from exporter.records import audit
from exporter.runs.run import RUN_ID
from exporter.services import Services


def _me(context: Context) -> Json[me.Me]:
    """Show who is calling, how they signed in, and what they may do."""
    return me.show(context, ROUTES)


def _openapi(_context: Context) -> Response:
    """Return this document."""
    return openapi.answer(ROUTES)


ROUTES: tuple[Route, ...] = (
    Route("getMe", "GET", "/me", _me, Role.VIEWER),
    Route("listConnections", "GET", "/connections", connections.list_all, Role.CONTRIBUTOR),
    Route("getConnection", "GET", "/connections/<connection_id>", connections.get, Role.CONTRIBUTOR),
    Route("saveConnection", "PUT", "/connections/<connection_id>", connections.put, Role.ADMIN, (200, 201)),
    Route("removeConnection", "DELETE", "/connections/<connection_id>", connections.delete, Role.ADMIN),
    Route("pauseConnection", "POST", "/connections/<connection_id>/pause", connections.pause, Role.ADMIN),
    Route("unpauseConnection", "POST", "/connections/<connection_id>/unpause", connections.unpause, Role.ADMIN),
    Route("listLists", "GET", "/connections/<connection_id>/lists", connections.lists, Role.CONTRIBUTOR),
    Route("listFields", "GET", "/connections/<connection_id>/fields", connections.fields, Role.CONTRIBUTOR),
    Route("testConnection", "POST", "/connection-tests", connections.test, Role.ADMIN),
    Route("listSegments", "GET", "/segments", segments.list_all, Role.CONTRIBUTOR),
    Route("getSegment", "GET", "/segments/<path:name>", segments.get, Role.CONTRIBUTOR, unmasked_by="unmasked"),
    Route("listExports", "GET", "/exports", exports.list_all, Role.VIEWER, (200, 304)),
    Route("getExport", "GET", "/exports/<export_id>", exports.get, Role.VIEWER),
    Route("saveExport", "PUT", "/exports/<export_id>", exports.put, Role.CONTRIBUTOR, (200, 201)),
    Route("removeExport", "DELETE", "/exports/<export_id>", exports.delete, Role.CONTRIBUTOR, (204,)),
    Route("duplicateExport", "POST", "/exports/<export_id>/duplicate", exports.duplicate, Role.CONTRIBUTOR, (201,)),
    Route("detachExport", "POST", "/exports/<export_id>/detach", exports.detach, Role.CONTRIBUTOR),
    Route("pauseExport", "POST", "/exports/<export_id>/pause", exports.pause, Role.CONTRIBUTOR),
    Route("unpauseExport", "POST", "/exports/<export_id>/unpause", exports.unpause, Role.CONTRIBUTOR),
    Route("listNextTimes", "GET", "/schedule-times", schedules.next_times, Role.VIEWER),
    Route("previewExport", "POST", "/exports/<export_id>/preview", preview.preview_export, Role.CONTRIBUTOR),
    Route("previewDefinition", "POST", "/previews", preview.preview_definition, Role.CONTRIBUTOR),
    Route(
        "startRun",
        "POST",
        "/exports/<export_id>/runs",
        runs.start_run,
        Role.CONTRIBUTOR,
        (200, 202),
        personal_data=True,
    ),
    Route("listRuns", "GET", "/exports/<export_id>/runs", runs.history, Role.VIEWER),
    Route("startAllRuns", "POST", "/runs", runs.start_all, Role.ADMIN, (202,)),
    Route("listAllRuns", "GET", "/runs", runs.list_all, Role.VIEWER, (200, 304)),
    Route("getRun", "GET", "/runs/<run_id>", runs.get, Role.VIEWER, (200, 304)),
    Route("cancelRun", "POST", "/runs/<run_id>/cancel", runs.cancel, Role.CONTRIBUTOR, (202,)),
    Route("resumeRun", "POST", "/runs/<run_id>/resume", runs.resume, Role.CONTRIBUTOR, (202,)),
    Route("approveRun", "POST", "/runs/<run_id>/approve", runs.approve, Role.CONTRIBUTOR, (202,)),
    Route("findPerson", "POST", "/lookup", lookup.find_person, Role.CONTRIBUTOR, personal_data=True),
    Route("lookUpInRun", "POST", "/runs/<run_id>/lookup", lookup.look_up, Role.CONTRIBUTOR, personal_data=True),
    Route(
        "getRejects",
        "GET",
        "/runs/<run_id>/rejects",
        reports.rejects,
        Role.CONTRIBUTOR,
        personal_data=True,
        media_type="text/csv",
    ),
    Route(
        "getValues",
        "GET",
        "/runs/<run_id>/values",
        reports.values,
        Role.CONTRIBUTOR,
        personal_data=True,
        media_type="text/csv",
    ),
    Route("listAuditEntries", "GET", "/audit/<day>", trail.list_day, Role.ADMIN),
    Route("getHealth", "GET", "/health", health.get, None, (200, 503)),
    Route("getOpenApi", "GET", "/openapi.json", _openapi, Role.VIEWER),
)
_URLS = Map([Rule(r.path, methods=[r.method], endpoint=r) for r in ROUTES], merge_slashes=False).bind("app")
_FORBIDDEN = 403
_ID_FORMS = {"connection_id": re.compile(ID_PATTERN), "export_id": re.compile(ID_PATTERN), "run_id": RUN_ID}
"""By part of a path, how an id looks; nothing else may be there that the audit trail keeps."""


def answer(services: Callable[[], Services], request: HttpRequest) -> Response:
    """Answer a request. Never raises: an error becomes a problem answer, and a defect is logged without its data."""
    response = _rendered(lambda: _serve(services, request))
    return response.without_body() if request.method == "HEAD" else response


def _serve(services: Callable[[], Services], request: HttpRequest) -> Json[Any] | Response:
    if request.method == "OPTIONS":  # needs no role: the documentation lists the methods of a path anyway
        return Response(204, {"Allow": _allowed(request.path), **NEVER_KEPT}, b"")
    route, parts = _find(request)
    role = route.role
    if role is None:
        _inputs(route, request)
        return route.handler(services)
    available = services()
    try:
        who = principal(request.headers, available.settings)
    except Refusal as refusal:
        _log_refused(route, request, refusal.code, None)
        raise

    def answered() -> Json[Any] | Response:
        refuse_cross_site(request, available.settings)
        return _answered(available, request, route, parts, admit(who, role))

    response = _rendered(answered)
    if response.status == _FORBIDDEN:
        _log_refused(route, request, response.code, who.id)
    return response


def _answered(
    services: Services, request: HttpRequest, route: Route, parts: dict[str, str], who: Caller
) -> Json[Any] | Response:
    inputs = _inputs(route, request)
    call = partial(route.handler, Context(services, request, who), **parts, **inputs)
    unmasked = bool(route.unmasked_by and getattr(inputs["query"], route.unmasked_by))
    if unmasked and who.role < Role.ADMIN:
        yours, switch = who.role.name.title(), str(route.unmasked_by)
        raise Refusal.of(403, "role_missing", case="unmasked", switch=switch, yours=yours)
    # HEAD changes nothing and shows no personal data.
    audited = (route.audited or unmasked) and request.method != "HEAD"
    return _audited(services, request, who, route, parts, call) if audited else call()


def _log_refused(route: Route, request: HttpRequest, code: str | None, by_id: str | None) -> None:
    """Log who was refused, as the audit trail does not have those who were refused at the door."""
    log.event(
        "access_refused",
        level=logging.WARNING,
        operation=route.name,
        code=code,
        byId=by_id,
        fromAddress=came_from(request.headers),
    )


def _find(request: HttpRequest) -> tuple[Route, dict[str, str]]:
    """Return the operation and the parts of its path; HEAD finds the operation of GET."""
    try:
        route, parts = _URLS.match(request.path, request.method)
    except MethodNotAllowed:
        allowed = _allowed(request.path)
        raise Refusal.of(405, "method_not_allowed", {"Allow": allowed}, allowed=allowed) from None
    except NotFound:
        raise _no_such_path() from None
    return route, dict(parts)


def _allowed(path: str) -> str:
    """Return the methods of a path, as in the header Allow."""
    methods = _URLS.allowed_methods(path)
    if not methods:
        raise _no_such_path()
    return ", ".join(sorted({*methods, "OPTIONS"}))


def _no_such_path() -> Refusal:
    return Refusal.of(404, "no_such_path")


def _inputs(route: Route, request: HttpRequest) -> dict[str, Any]:
    """Read the inputs that the handler's signature declares, and refuse any others."""
    inputs: dict[str, Any] = {}
    parameters = route.signature.parameters
    if body := parameters.get("body"):
        default = None if body.default is body.empty else body.default
        shown = operations.shown_beside(route)
        kind = with_read_only(body.annotation, shown) if shown else body.annotation
        inputs["body"] = read_body(kind, request, default)
    else:
        read_no_body(request)
    query = parameters.get("query")
    values = read_query(query.annotation if query else NoQuery, request)
    if query:
        inputs["query"] = values
    if headers := parameters.get("headers"):
        inputs["headers"] = read_headers(headers.annotation, request)
    return inputs


def _audited(
    services: Services,
    request: HttpRequest,
    who: Caller,
    route: Route,
    parts: dict[str, str],
    call: Callable[[], Json[Any] | Response],
) -> Response:
    ids = all(name in _ID_FORMS and _ID_FORMS[name].fullmatch(part) for name, part in parts.items())
    asked = audit.Asked(
        at=services.clock.now(),
        action=route.name,
        # Anything else than an id may be personal data.
        resource=request.path if ids else "(not an id)",
        by=who.name,
        by_id=who.id,
        role=who.role.name.lower(),
        from_address=came_from(request.headers),
    )
    trail = audit.open_trail(services.blobs, asked, services.ids.new())
    response = _rendered(call)
    trail.close(
        audit.Done(
            at=services.clock.now(),
            status=response.status,
            code=response.code,
            location=response.headers.get("Location") or response.headers.get("Content-Location"),
        )
    )
    return response


def _rendered(call: Callable[[], Json[Any] | Response]) -> Response:
    try:
        result = call()
        return result if isinstance(result, Response) else result.render()
    except Refusal as refusal:
        return answer_refusal(refusal)
    except ExporterError as error:
        return answer_error(error)
    except Exception as error:  # noqa: BLE001 - the last resort: the caller gets an answer, the log gets the defect
        what = log.defect(error)
        return answer_error(Stop.of("defect", Culprit.SYSTEM, place=what))
