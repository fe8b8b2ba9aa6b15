"""Storage queue triggers and output bindings.

After `QueueListener` and `QueueProcessor` of https://github.com/Azure/azure-sdk-for-net
(Microsoft.Azure.WebJobs.Extensions.Storage.Queues). The host talks to Azurite over loopback with the account key, as
Azure's host talks to storage in its own right; the app's settings tell which account a connection means.
"""

import base64
import binascii
import json
import logging
import os
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as StillRunning
from contextlib import suppress
from typing import Any
from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ResourceExistsError, ResourceNotFoundError
from azure.storage.queue import QueueClient, QueueMessage, QueueServiceClient

from sandbox.host.settings import HostSettings, QueueOptions, SettingsError, resolve
from sandbox.host.worker import Function, Message, Outcome

log = logging.getLogger("sandbox.host")
quiet = logging.getLogger("sandbox.host.storage")
quiet.setLevel(logging.WARNING)

MIN_POLLING_INTERVAL_S = 0.1
"""The original's first pause after it found a queue empty; doubled up to `maxPollingInterval`."""


class Queues:
    """Queue clients by the connection names that bindings use."""

    def __init__(self, settings: HostSettings) -> None:
        """Open nothing yet: connections are looked up when they are used."""
        self._settings = settings
        self._services: dict[str, QueueServiceClient] = {}

    def client(self, binding: Mapping[str, Any], suffix: str = "") -> QueueClient:
        """Return the client of a binding's queue, or of its companion whose name has a suffix more.

        :raises SettingsError: the connection's `__queueServiceUri` is not set, or its account is not the sandbox's.
        """
        connection = binding.get("connection") or "AzureWebJobsStorage"
        if connection not in self._services:
            self._services[connection] = self._service(connection)
        return self._services[connection].get_queue_client(resolve(binding["queueName"]) + suffix)

    def _service(self, connection: str) -> QueueServiceClient:
        name = f"{connection}__queueServiceUri"
        uri = os.environ.get(name, "")
        account = (urlsplit(uri).hostname or "").partition(".")[0]
        if account not in self._settings.account_keys:
            known = ", ".join(sorted(self._settings.account_keys)) or "none"
            raise SettingsError(
                f"{name}: expected the queue endpoint of an account of the sandbox ({known}), found {uri!r}"
            )
        return QueueServiceClient(
            f"{self._settings.queue_endpoint}/{account}",
            credential={"account_name": account, "account_key": self._settings.account_keys[account]},
            connection_verify=self._settings.ca_file or True,
            use_env_settings=False,
            logger=quiet,
        )


class QueueListener:
    """Runs one function for the messages of one queue."""

    def __init__(
        self,
        function: Function,
        queues: Queues,
        options: QueueOptions,
        hidden_s: float,
        run: Callable[[Function, Message, dict[str, Message]], Outcome],
    ) -> None:
        """Take the queue of the function's trigger.

        :raises SettingsError: the trigger's connection or queue name cannot be resolved.
        """
        self.function = function
        self._queue = queues.client(function.trigger)
        is_poison_queue = self._queue.queue_name.endswith("-poison")
        self._poison = None if is_poison_queue else queues.client(function.trigger, suffix="-poison")
        self._options = options
        self._hidden_s = hidden_s
        self._run_function = run
        self._at_once = options.batch_size + options.new_batch_threshold
        self._in_flight = 0
        self._changed = threading.Condition()

    def start(self) -> None:
        """Begin to take messages."""
        threading.Thread(target=self._listen, name=f"queue-{self._queue.queue_name}", daemon=True).start()

    def run_now(self, body: str) -> None:
        """Invoke the function with a made-up message, as the admin endpoint does."""
        self._run_function(self.function, Message(string=body), {"DequeueCount": Message(json="1")})

    def _listen(self) -> None:
        pause_s = MIN_POLLING_INTERVAL_S
        with ThreadPoolExecutor(self._at_once) as processing, ThreadPoolExecutor(self._at_once) as invoking:
            while True:
                with self._changed:
                    self._changed.wait_for(lambda: self._in_flight <= self._options.new_batch_threshold)
                messages = self._receive()
                for message in messages:
                    with self._changed:
                        self._in_flight += 1
                    processing.submit(self._process_safely, message, invoking)
                if messages:
                    pause_s = MIN_POLLING_INTERVAL_S
                else:
                    time.sleep(pause_s)
                    pause_s = min(2 * pause_s, self._options.max_polling_interval_s)

    def _receive(self) -> Sequence[QueueMessage]:
        try:
            return list(
                self._queue.receive_messages(
                    max_messages=self._options.batch_size,
                    messages_per_page=self._options.batch_size,
                    visibility_timeout=round(self._hidden_s),
                )
            )
        except ResourceNotFoundError:
            return ()  # as in Azure: a queue that does not exist yet is an empty one
        except AzureError:
            log.exception("queue %s: cannot receive; trying again", self._queue.queue_name)
            return ()

    def _process_safely(self, message: QueueMessage, invoking: ThreadPoolExecutor) -> None:
        try:
            self._process(message, invoking)
        except Exception:  # whatever happens, the listener goes on; the message reappears when it is no longer hidden
            log.exception("queue %s: message %s was left to its timeout", self._queue.queue_name, message.id)
        finally:
            with self._changed:
                self._in_flight -= 1
                self._changed.notify()

    def _process(self, message: QueueMessage, invoking: ThreadPoolExecutor) -> None:
        count = message.dequeue_count or 0
        body = decode(message.content)
        if self._poison is not None and (body is None or count > self._options.max_dequeue_count):
            self._set_aside(message, self._poison)
            return
        arguments = (self.function, body or Message(string=""), metadata_of(message))
        outcome = self._wait(message, invoking.submit(self._run_function, *arguments))
        if outcome.error is None:
            self._queue.delete_message(message)
        elif self._poison is None:
            pass  # it stays hidden until its time is up; shown at once, it would fail in a fast loop for ever
        elif count >= self._options.max_dequeue_count:
            self._set_aside(message, self._poison)
        else:
            self._queue.update_message(message, visibility_timeout=round(self._options.visibility_timeout_s))

    def _wait(self, message: QueueMessage, running: Future[Outcome]) -> Outcome:
        """Keep the message hidden until the function has ended."""
        while True:
            try:
                return running.result(timeout=self._hidden_s / 2)
            except StillRunning:
                renewed = self._queue.update_message(message, visibility_timeout=round(self._hidden_s))
                message.pop_receipt = renewed.pop_receipt

    def _set_aside(self, message: QueueMessage, poison: QueueClient) -> None:
        limit, name = self._options.max_dequeue_count, poison.queue_name
        log.warning("Message has reached MaxDequeueCount of %d. Moving message to queue '%s'.", limit, name)
        create_if_absent(poison)
        poison.send_message(message.content)
        self._queue.delete_message(message)


def send(queue: QueueClient, value: Message) -> None:
    """Send what an output binding was given: one base64 message, or one for each element of a JSON array."""
    create_if_absent(queue)
    for text in messages_in(value):
        queue.send_message(base64.b64encode(text.encode()).decode())


def messages_in(value: Message) -> list[str]:
    """Return the messages in the value of an output binding; a text that happens to be a JSON array becomes several."""
    content = next(iter(vars(value).values()))
    text = content.decode() if isinstance(content, bytes) else str(content)
    try:
        elements = json.loads(text)
    except ValueError:
        return [text]
    if not isinstance(elements, list):
        return [text]
    return [element if isinstance(element, str) else json.dumps(element) for element in elements]


def create_if_absent(queue: QueueClient) -> None:
    """Create a queue unless it is there."""
    with suppress(ResourceExistsError):
        queue.create_queue()


def decode(content: str) -> Message | None:
    """Return the text of a base64 message, or None: such a message goes to the poison queue without a run."""
    try:
        return Message(string=base64.b64decode(content, validate=True).decode())
    except (binascii.Error, UnicodeDecodeError):
        return None


def metadata_of(message: QueueMessage) -> dict[str, Message]:
    """Return the trigger metadata, in the JSON form in which the worker gets it."""
    fields = {
        "Id": message.id,
        "DequeueCount": message.dequeue_count,
        "PopReceipt": message.pop_receipt,
        "InsertionTime": message.inserted_on,
        "ExpirationTime": message.expires_on,
        "NextVisibleTime": message.next_visible_on,
    }
    return {
        name: Message(json=json.dumps(value, default=lambda moment: moment.isoformat()))
        for name, value in fields.items()
    }
