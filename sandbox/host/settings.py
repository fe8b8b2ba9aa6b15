"""What the host reads: `host.json`, app settings in trigger declarations, and what the sandbox tells it."""

import json
import os
import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

VARIABLE = "SANDBOX_HOST"
"""Environment variable with `HostSettings` as JSON. It holds keys, so it is removed before the app is imported."""


class SettingsError(Exception):
    """A declaration names an app setting that is not there, or one that cannot be used."""


@dataclass(frozen=True)
class HostSettings:
    """What the sandbox tells the host. Everything that Azure's own host would get from the platform."""

    function_key: str = "function-key"
    master_key: str = "master-key"
    queue_endpoint: str = ""
    """Azurite's queue endpoint over loopback, `https://127.0.0.1:PORT`."""
    account_keys: Mapping[str, str] = field(default_factory=dict)
    """Account name to key, for the queues of this app's connections."""
    ca_file: str = ""
    """Certificate authority of `queue_endpoint`."""
    state_folder: str = ""
    """Where schedule statuses survive a restart, in Azure the container `azure-webjobs-hosts`. Empty: nowhere."""
    message_hidden_s: float = 600.0
    """How long a message stays hidden while it is processed; renewed at half of it. In Azure 10 minutes, fixed."""

    @classmethod
    def take(cls) -> Self:
        """Take the settings out of the environment."""
        return cls(**json.loads(os.environ.pop(VARIABLE, "{}")))

    def variable(self) -> dict[str, str]:
        """Return the settings as the one environment variable that `take` reads."""
        return {VARIABLE: json.dumps(asdict(self))}


@dataclass(frozen=True)
class QueueOptions:
    """`extensions.queues` of host.json.

    Defaults: https://learn.microsoft.com/azure/azure-functions/functions-bindings-storage-queue#hostjson-settings
    """

    batch_size: int = 16
    new_batch_threshold: int = 8
    max_dequeue_count: int = 5
    visibility_timeout_s: float = 0.0
    max_polling_interval_s: float = 60.0

    @classmethod
    def from_host_json(cls, host: Mapping[str, Any]) -> Self:
        """Read the options that are given."""
        given = host.get("extensions", {}).get("queues", {})
        batch_size = int(given.get("batchSize", cls.batch_size))
        if given.get("messageEncoding", "base64") != "base64":
            raise SettingsError(
                "host.json: extensions.queues.messageEncoding must be base64, the only one this host models"
            )
        return cls(
            batch_size,
            int(given.get("newBatchThreshold", batch_size // 2)),
            int(given.get("maxDequeueCount", cls.max_dequeue_count)),
            seconds(given.get("visibilityTimeout", "00:00:00")),
            seconds(given.get("maxPollingInterval", "00:01:00")),
        )


def read_host_json(app: Path) -> dict[str, Any]:
    """Read the app's host.json; an app without one has the defaults."""
    path = app / "host.json"
    content: dict[str, Any] = json.loads(path.read_text()) if path.exists() else {}
    return content


def route_prefix(host: Mapping[str, Any]) -> str:
    """Return the path under which HTTP functions live, `api` unless host.json says otherwise."""
    return str(host.get("extensions", {}).get("http", {}).get("routePrefix", "api")).strip("/")


def seconds(span: str) -> float:
    """Seconds of a `hh:mm:ss` time span."""
    hours, minutes, rest = span.split(":")
    return 3600 * int(hours) + 60 * int(minutes) + float(rest)


def resolve(text: str) -> str:
    """Replace each `%NAME%` with the app setting of that name.

    :raises SettingsError: there is no such setting.
    """

    def value(match: re.Match[str]) -> str:
        name = match[1]
        if name not in os.environ:
            raise SettingsError(f"{match[0]} in a trigger: expected an app setting {name}, found none")
        return os.environ[name]

    return re.sub(r"%([^%]+)%", value, text)


def is_disabled(function_name: str) -> bool:
    """Tell whether the operator has switched a function off.

    https://learn.microsoft.com/azure/azure-functions/disable-function
    """
    return os.environ.get(f"AzureWebJobs.{function_name}.Disabled", "").lower() in {"true", "1"}
