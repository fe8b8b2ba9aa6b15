"""What the triggers call: decode, call one step, answer. Also how a failure of the app's own storage is handled."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from exporter import bootstrap, log
from exporter.errors import ExporterError, Stop, Wait
from exporter.runs.run import RUN_ID

MAX_LANE = 64
HTTPS_ONLY: Mapping[str, str] = {"Strict-Transport-Security": "max-age=31536000"}
"""For a year, browsers that have seen this host over https use nothing else. They take notice of it over https only
(https://www.rfc-editor.org/rfc/rfc6797#section-8.1), so it is on every answer. Not for the hosts below ours, which may
be other people's under a domain of yours; and not for lists that browsers ship, which one leaves after months."""

_ENCODED_SLASH = re.compile("%2F", re.IGNORECASE)


class Junk(ValueError):
    """A message that this app did not send; the host moves it to the poison queue."""


def scheduled_start() -> None:
    """Start every export for which something is due, by its times or by a refresh of its segments."""
    from exporter.pipeline.schedule import run_schedule  # noqa: PLC0415 - heavy imports load with the first use

    def step() -> None:
        started = run_schedule(bootstrap.services())
        log.event("schedule_looked", runs=len(started))

    _quietly("scheduled_start", step)


def sweep() -> None:
    """Look for work that has stopped, and restart it."""
    from exporter.pipeline.sweep import sweep as step  # noqa: PLC0415

    _quietly("sweep", lambda: step(bootstrap.services()))


def check_door() -> None:
    """Test whether the app believes what a caller from outside claims to be."""
    from exporter.api.door import check_door as step  # noqa: PLC0415

    _quietly("check_door", lambda: step(bootstrap.services()))


def plan_run(body: bytes) -> None:
    """Plan the run that the message names. Raises `Junk`."""
    from exporter.pipeline.plan import plan_run as step  # noqa: PLC0415

    message = decode(body, {"runId"})
    _quietly("plan_run", lambda: step(bootstrap.services(), message["runId"]))


def upload_lane(body: bytes) -> None:
    """Work on the lane that the message names. Raises `Junk`."""
    from exporter.pipeline.upload import upload_lane as step  # noqa: PLC0415

    message = decode(body, {"runId", "lane"})
    _quietly("upload_lane", lambda: step(bootstrap.services(), message["runId"], message["lane"]))


def poisoned(queue: str, body: bytes) -> None:
    """Report a message that failed too often. Its run is in the records, so the sweep continues it."""
    try:
        message = decode(body, {"runId", "lane"} if queue == "upload-lane" else {"runId"})
    except Junk as error:
        log.event("junk_message", level=logging.ERROR, queue=queue, reason=str(error), bytes=len(body))
        return
    log.event("message_poisoned", level=logging.ERROR, queue=queue, **message)


def decode(body: bytes, members: set[str]) -> dict[str, Any]:
    """Return a message: a JSON object with exactly these members, all of them ids. Raises `Junk` with the reason."""
    try:
        message = orjson.loads(body)
    except orjson.JSONDecodeError:
        raise Junk("not JSON") from None
    if not isinstance(message, dict) or message.keys() != members:
        raise Junk(f"not an object with exactly {sorted(members)}")
    if not isinstance(message["runId"], str) or not RUN_ID.fullmatch(message["runId"]):
        raise Junk("runId is not a run id")
    lane = message.get("lane", 0)
    if isinstance(lane, bool) or not isinstance(lane, int) or not 0 <= lane < MAX_LANE:
        raise Junk("lane is not a lane number")
    return message


def answer(
    method: str, path: Sequence[str], url: str, headers: Mapping[str, str], body: bytes
) -> tuple[int, Mapping[str, str], bytes]:
    """Answer an HTTP request; return status, headers and body.

    `path` holds the parts after /api/, which the host has decoded except for `%2F`
    (https://github.com/dotnet/aspnetcore/issues/4718). Only the query is parsed from the URL, because the host joins
    the values of a repeated parameter and drops parameters without a value (azure-functions-host,
    GrpcMessageConversionExtensions).
    """
    from exporter.api.http import HttpRequest  # noqa: PLC0415
    from exporter.api.routes import answer as route  # noqa: PLC0415

    query = parse_qsl(urlsplit(url).query, keep_blank_values=True)
    lower = {name.lower(): value for name, value in headers.items()}
    response = route(bootstrap.services, HttpRequest(method.upper(), _joined(path), query, lower, body))
    return response.status, {**HTTPS_ONLY, **response.headers}, response.body


def console(method: str, path: str, headers: Mapping[str, str]) -> tuple[int, Mapping[str, str], bytes]:
    """Answer a request for the console; return status, headers and body. It works whatever the settings are."""
    from exporter.api.console import answer as file_of  # noqa: PLC0415

    lower = {name.lower(): value for name, value in headers.items()}
    try:
        sign_in = bootstrap.services().settings.sign_in
    except Stop:  # the page opens nevertheless, and the first call of the API says what is wrong
        sign_in = "key"
    response = file_of(method.upper(), path.strip("/"), lower, sign_in)
    return response.status, {**HTTPS_ONLY, **response.headers}, response.body


def _joined(path: Sequence[str]) -> str:
    """Return the path. An encoded slash is part of a segment's name; anywhere else, it is part of an unknown id."""
    parts = [part.replace("/", "%2F") for part in path]  # whoever decoded it, a part is a part
    if parts[0] == "segments":
        parts = [_ENCODED_SLASH.sub("/", part) for part in parts]
    return "/" + "/".join(parts)


def _quietly(step: str, call: Callable[[], None]) -> None:
    """Call a step and log any failure; the message does not fail, and the sweep repeats the step.

    An unexpected error is not passed to the host either, which would log its text; that may contain personal data.
    """
    try:
        call()
    except Wait as error:
        log.event("step_waits", level=logging.WARNING, step=step, code=error.code)
    except ExporterError as error:
        log.event("step_stopped", level=logging.ERROR, step=step, code=error.code, message=error.message)
    except Exception as error:  # noqa: BLE001 - as the docstring says
        log.defect(error, step=step)
