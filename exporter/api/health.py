"""GET /health: is the app live and configured? No details to strangers."""

from __future__ import annotations

from collections.abc import Callable

from exporter.api.http import Request, Response, answer_json
from exporter.errors import Stop
from exporter.ports import Services


def answer(services: Callable[[], Services], _request: Request) -> Response:
    """Answer 200 when the settings are usable, 503 when not; which ones are not is in the log and in other answers."""
    try:
        services()
    except Stop as error:
        return answer_json({"status": "unusable", "code": error.code}, 503)
    return answer_json({"status": "ok"})
