"""Every route, in one table: method, path, handler and the role it takes."""

from __future__ import annotations

import logging
from collections.abc import Callable

from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import Map, RequestRedirect, Rule

from exporter import log
from exporter.api import connections, exports, health, runs, segments
from exporter.api.access import Context, Role, caller
from exporter.api.http import Refusal, Request, Response, answer_error, answer_refusal
from exporter.errors import ExporterError
from exporter.ports import Services


Handler = Callable[..., Response]

ROUTES: tuple[tuple[str, str, Handler, Role], ...] = (
    ("GET", "/connections", connections.list_all, Role.CONTRIBUTOR),
    ("GET", "/connections/<id>", connections.get, Role.CONTRIBUTOR),
    ("PUT", "/connections/<id>", connections.put, Role.ADMIN),
    ("DELETE", "/connections/<id>", connections.delete, Role.ADMIN),
    ("GET", "/connections/<id>/lists", connections.lists, Role.CONTRIBUTOR),
    ("GET", "/connections/<id>/fields", connections.fields, Role.CONTRIBUTOR),
    ("GET", "/segments", segments.list_all, Role.CONTRIBUTOR),
    ("GET", "/segments/<path:name>", segments.get, Role.CONTRIBUTOR),
    ("GET", "/exports", exports.list_all, Role.VIEWER),
    ("GET", "/exports/<id>", exports.get, Role.VIEWER),
    ("PUT", "/exports/<id>", exports.put, Role.CONTRIBUTOR),
    ("DELETE", "/exports/<id>", exports.delete, Role.CONTRIBUTOR),
    ("POST", "/exports/<id>/runs", runs.start, Role.CONTRIBUTOR),
    ("GET", "/exports/<id>/runs", runs.history, Role.VIEWER),
    ("POST", "/runs", runs.start_all, Role.ADMIN),
    ("GET", "/runs/<id>", runs.get, Role.VIEWER),
    ("POST", "/runs/<id>/cancel", runs.cancel, Role.CONTRIBUTOR),
    ("GET", "/runs/<id>/rejects", runs.rejects, Role.CONTRIBUTOR),
)
_MAP = Map([Rule(path, methods=[method], endpoint=(handler, role)) for method, path, handler, role in ROUTES])
_URLS = _MAP.bind("app")


def answer(services: Callable[[], Services], request: Request) -> Response:
    """Answer a request. Never raises: what goes wrong is a problem answer, and a defect is logged without its data."""
    try:
        if request.path.rstrip("/") == "/health":
            return health.answer(services, request)
        (handler, role), parts = _find(request)
        available = services()
        who = caller(request.headers, signed_in_by_platform=available.settings.signed_in_by_platform)
        if who.role < role:
            raise Refusal(
                403, "role_missing", f"Expected the role {role.name.title()}; yours is {who.role.name.title()}."
            )
        return handler(Context(available, request, who), **parts)
    except Refusal as refusal:
        return answer_refusal(refusal)
    except ExporterError as error:
        return answer_error(error)
    except Exception as error:  # noqa: BLE001 - the last resort: the caller gets an answer, the log the kind of defect
        where = _where(error)
        log.event("defect", level=logging.ERROR, kind=type(error).__name__, where=where, method=request.method)
        return answer_refusal(
            Refusal(
                500, "defect", f"This is a defect of the service. Please report it ({type(error).__name__} at {where})."
            )
        )


def _find(request: Request) -> tuple[tuple[Handler, Role], dict[str, str]]:
    try:
        endpoint, parts = _URLS.match(request.path, request.method)
    except MethodNotAllowed as error:
        allowed = ", ".join(sorted(set(error.valid_methods or ()) - {"HEAD", "OPTIONS"}))
        raise Refusal(405, "method_not_allowed", f"Expected one of {allowed} here.", {"Allow": allowed}) from None
    except (NotFound, RequestRedirect):
        raise Refusal(404, "no_such_path", "There is nothing at this path. See docs/reference/api.md.") from None
    return endpoint, dict(parts)


def _where(error: BaseException) -> str:
    trace = error.__traceback__
    while trace and trace.tb_next:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_qualname}:{trace.tb_lineno}" if trace else "unknown"
