"""What the triggers call: decode, call one step, answer. Also how a failure of the app's own storage is handled."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import orjson

from exporter import bootstrap, log
from exporter.errors import ExporterError, Wait
from exporter.model import to_epoch
from exporter.runs.run import RUN_ID

MAX_LANE = 64
SCHEDULE_TRIES, SCHEDULE_PAUSE_S = 10, 30.0
"""During a storage outage, a timer tries for five minutes; starting an occurrence is safe to repeat."""


_ENCODED_SLASH = re.compile("%2F", re.IGNORECASE)


class Junk(ValueError):
    """A message that this app did not send; the host moves it to the poison queue."""


def scheduled_start(schedule_status: Mapping[str, Any] | None, *, past_due: bool) -> None:
    """Start every export with an active schedule, once per occurrence of the timer."""
    from exporter.pipeline.start import start_scheduled  # noqa: PLC0415 - heavy imports load with the first use

    services = bootstrap.services()
    occurrence = occurrence_of(schedule_status, services.clock.now())
    for attempt in range(1, SCHEDULE_TRIES + 1):
        try:
            started = start_scheduled(services, occurrence)
        except Wait as error:
            # The host counts this occurrence as done whatever happens here, so nothing else would start it.
            log.event("schedule_waits", level=logging.WARNING, code=error.code, attempt=attempt)
            services.clock.sleep(SCHEDULE_PAUSE_S)
        else:
            log.event("schedule_fired", runs=len(started), pastDue=int(past_due))
            return
    log.event("schedule_missed", level=logging.ERROR, occurrence=occurrence)


def occurrence_of(schedule_status: Mapping[str, Any] | None, now: float) -> float:
    """Return the occurrence being executed, in epoch seconds.

    The host passes the status before it advances it, so `Next` is the occurrence that fires now, even if it fires late
    or twice (azure-webjobs-sdk-extensions, TimerListener). Without a status, it is the start of the current minute.
    """
    text = str((schedule_status or {}).get("Next") or "")
    try:
        occurrence = to_epoch(text)
    except ValueError:
        return now - now % 60
    # Before a timer has a stored status, the host passes a date long past. Instances' clocks may differ by minutes.
    return occurrence if -600 <= now - occurrence < 86_400 else now - now % 60  # noqa: PLR2004


def sweep() -> None:
    """Look for work that has stopped, and restart it."""
    from exporter.pipeline.sweep import sweep as step  # noqa: PLC0415

    _quietly("sweep", lambda: step(bootstrap.services()))


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
    return response.status, response.headers, response.body


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
