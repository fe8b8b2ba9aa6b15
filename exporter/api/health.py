"""GET /health: is the app live and configured? No details to strangers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal

from exporter.api.http import Json
from exporter.errors import Stop
from exporter.model import Value
from exporter.services import Services


class Health(Value):
    """Whether the app can work at all; what is wrong is in the log and in other answers."""

    status: Literal["ok", "unusable"]
    code: str | None = None


def get(services: Callable[[], Services]) -> Json[Health]:
    """Say whether the app is live and its settings are usable."""
    try:
        services()
    except Stop as error:
        return Json(Health(status="unusable", code=error.code), 503)
    return Json(Health(status="ok"))
