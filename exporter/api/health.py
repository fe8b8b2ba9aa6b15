"""GET /health: is the app live and configured? It needs no sign-in, so it shows no details."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from exporter.api.http import Json
from exporter.errors import Stop
from exporter.model import Value
from exporter.services import Services


class Health(Value):
    """Whether the app can work; the log and other answers say what is wrong."""

    status: Literal["ok", "unusable"]
    code: str | None = None


def get(services: Callable[[], Services]) -> Json[Health]:
    """Report whether the app is live and its settings are usable."""
    try:
        services()
    except Stop as error:
        return Json(Health(status="unusable", code=error.code), 503)
    return Json(Health(status="ok"))
