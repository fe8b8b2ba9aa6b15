"""The app's own queues."""

from __future__ import annotations

import orjson
from azure.core.exceptions import AzureError
from azure.storage.queue import QueueClient, QueueServiceClient, TextBase64EncodePolicy

from exporter.adapters.storage_errors import host_of, refused_by
from exporter.errors import Unavailable

TIME_TO_LIVE_S = 3_600
"""A message is a hint that the sweep repeats. An hour is long enough for a busy queue, and keeps hints from piling up
during an outage."""


class AzureMessages:
    """`ports.Messages` on Azure Queue Storage, with the Base64 text that the Functions host expects by default."""

    def __init__(self, service: QueueServiceClient) -> None:
        """Keep the client; nothing is connected yet."""
        self._service = service

    def send(self, queue: str, body: dict[str, str | int], delay_s: int = 0) -> None:
        """Send a small JSON object, visible after `delay_s` seconds. Raises `Unavailable` ("queue_unavailable")."""
        client: QueueClient = self._service.get_queue_client(queue, message_encode_policy=TextBase64EncodePolicy())
        try:
            client.send_message(
                orjson.dumps(body).decode(), visibility_timeout=delay_s, time_to_live=TIME_TO_LIVE_S + delay_s
            )
        except AzureError as error:
            account = host_of(self._service.url)
            raise refused_by(error, account) or _unavailable(queue, account, error) from error


def _unavailable(queue: str, account: str, error: AzureError) -> Unavailable:
    status = str(getattr(error, "status_code", None))
    return Unavailable.of("queue_unavailable", queue=queue, account=account, status=status)
