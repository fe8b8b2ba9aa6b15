"""HTTP triggers and the admin endpoint.

Keys: https://learn.microsoft.com/azure/azure-functions/function-keys-how-to
"""

import hmac
import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

from sandbox.host.routes import Route
from sandbox.host.settings import HostSettings
from sandbox.host.worker import Function, Message, Outcome
from sandbox.loopback import Answer, Request

_HOST = re.compile(r"[A-Za-z0-9._~!$&'()*+,;=%-]*(:\d*)?|\[[0-9A-Fa-f:.]+\](:\d*)?")


class Site:
    """Everything that answers HTTP."""

    def __init__(
        self,
        functions: Sequence[Function],
        prefix: str,
        settings: HostSettings,
        run: Callable[[Function, Message, dict[str, Message]], Outcome],
        run_now: Mapping[str, Callable[[str], None]],
    ) -> None:
        """Build the routing table.

        :param run: invokes an HTTP function.
        :param run_now: name of a timer or queue function to what runs it, given the text of an admin request.
        :raises ValueError: a route template is not one that this host models.
        """
        self._settings = settings
        self._run_function = run
        self._run_now = run_now
        routes = [(route_of(function, prefix), function) for function in functions]
        self._routes = sorted(routes, key=lambda entry: entry[0].precedence)

    def answer(self, request: Request) -> Answer:
        """Answer a request. A `Host` that is no host is refused, as by Kestrel (`HttpUtilities.ValidateHostHeader`)."""
        if not _HOST.fullmatch(request.headers.get("host", "")):
            return Answer(HTTPStatus.BAD_REQUEST)
        if request.path.startswith("/admin/"):
            return self._answer_admin(request)
        for route, function in self._routes:
            parameters = route.match(request.method, request.path)
            if parameters is not None:
                if not self._may_call(request, function.trigger.get("authLevel", "FUNCTION")):
                    return Answer(HTTPStatus.UNAUTHORIZED)
                return self._invoke(function, request, parameters)
        return Answer(HTTPStatus.NOT_FOUND)

    def _may_call(self, request: Request, level: str) -> bool:
        function_key, master_key = self._settings.function_key, self._settings.master_key
        keys = {"FUNCTION": (function_key, master_key), "ADMIN": (master_key,)}.get(level.upper(), ())
        given = request.headers.get("x-functions-key") or request.query.get("code") or ""
        return level.upper() == "ANONYMOUS" or any(hmac.compare_digest(given.encode(), key.encode()) for key in keys)

    def _invoke(self, function: Function, request: Request, parameters: dict[str, str]) -> Answer:
        value = Message(
            http=Message(
                method=request.method,
                url=f"http://{request.headers.get('host', 'localhost')}{request.target}",
                headers=request.headers,
                params=parameters,
                query=request.query,
                body=Message(bytes=request.body),
            )
        )
        outcome = self._run_function(function, value, {})
        if outcome.error is not None:
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR)
        return answer_of(outcome.outputs.get("$return"))

    def _answer_admin(self, request: Request) -> Answer:
        if not self._may_call(request, "ADMIN"):
            return Answer(HTTPStatus.UNAUTHORIZED)
        name = request.path.removeprefix("/admin/functions/")
        if request.method != "POST" or name not in self._run_now:
            return Answer(HTTPStatus.NOT_FOUND)
        try:
            text = json.loads(request.body or b"{}").get("input") or ""
        except (ValueError, AttributeError):
            return Answer(HTTPStatus.BAD_REQUEST)
        threading.Thread(target=self._run_now[name], args=(text,), daemon=True).start()
        return Answer(HTTPStatus.ACCEPTED)


def route_of(function: Function, prefix: str) -> Route:
    """Return where an HTTP function lives: its `route`, or its name."""
    template = function.trigger.get("route") or function.name
    return Route.parse(f"{prefix}/{template}", function.trigger.get("methods") or [])


def answer_of(returned: Message | None) -> Answer:
    """Translate what the function returned: a response, a plain text, or nothing."""
    if returned is None:
        return Answer(HTTPStatus.NO_CONTENT)
    if returned.WhichOneof("data") != "http":
        content: Any = next(iter(vars(returned).values()))
        return Answer(HTTPStatus.OK, {"content-type": "text/plain; charset=utf-8"}, str(content).encode())
    response = returned.http
    return Answer(int(response.status_code), response.headers, response.body.bytes)
