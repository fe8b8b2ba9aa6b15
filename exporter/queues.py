"""The names of the queues, and how to send a hint."""

from __future__ import annotations

import logging

from exporter import log
from exporter.errors import Unavailable
from exporter.services import Services

PLAN_QUEUE = "plan-run"
UPLOAD_QUEUE = "upload-lane"


def send_hint(services: Services, queue: str, body: dict[str, str | int], delay_s: int = 0) -> None:
    """Send a message; if the queue does not answer, the sweep will send another."""
    try:
        services.messages.send(queue, body, delay_s)
    except Unavailable as error:
        log.event("message_not_sent", level=logging.WARNING, queue=queue, code=error.code)
