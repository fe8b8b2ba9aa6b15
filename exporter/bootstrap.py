"""Make services from the settings and the real adapters. The only place that reads the environment.

Importing this module connects to nothing, so the host can index the functions even if a setting is wrong; heavy
libraries load on first use. What indexing itself depends on, `SIGN_IN`, the functions read by themselves.
"""

from __future__ import annotations

import os
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from exporter import __version__
from exporter.adapters.system import RandomIds, SystemClock
from exporter.services import Services
from exporter.settings import Settings

if TYPE_CHECKING:
    import requests

TIMEOUTS: Final[dict[str, Any]] = {"connection_timeout": 5.0, "read_timeout": 20.0, "retry_total": 3}
BACKOFF: Final[dict[str, Any]] = {"initial_backoff": 1, "increment_base": 2, "random_jitter_range": 1}
"""Time-outs and retries of the Azure clients, in seconds: a call that is never answered fails within two minutes,
before its worker counts as dead after `LANE_STALE_S`. By default, the storage clients wait 60 s for an answer, and 15 s
or more before each of three retries, so a lost connection costs a lane 15 s, and a silent service five minutes
(https://learn.microsoft.com/azure/storage/blobs/storage-retry-policy-python). The Key Vault client
waits 300 s, eleven times (https://learn.microsoft.com/python/api/overview/azure/core-readme#configurations)."""
VAULT: Final[dict[str, Any]] = {"retry_status": 0}
"""The client of Key Vault would wait as long as an answer's Retry-After says, an hour if need be, within a call. A
refusal for now ends it instead: runs wait, and callers are told when to come back."""
IDENTITY: Final[dict[str, Any]] = {"retry_total": 0}
"""A token is asked for within a try of another client, which makes the next try. By default, this one would wait 300 s
for an answer, four times in each of them."""


def _session(threads: int) -> requests.Session:
    """Return a session for the SDK's clients that keeps one connection per thread.

    By default, they keep ten, and every further thread opens a new connection for each call. As in the SDK's own
    sessions, there are no redirects and no retries, because the SDK's policies handle those.
    """
    import requests  # noqa: PLC0415
    from urllib3.util import Retry  # noqa: PLC0415

    session = requests.Session()
    never = Retry(total=False, redirect=False, raise_on_status=False)
    session.mount("https://", requests.adapters.HTTPAdapter(pool_maxsize=threads, max_retries=never))
    return session


def settings() -> Settings:
    """Read and check the settings. Raises `Stop` ("unusable_settings") with all problems."""
    return Settings.from_environ(os.environ)


@cache
def services() -> Services:
    """Return the services of this process; they are made on first use, or on the next one after a failure.

    Raises `Stop` ("unusable_settings") with all problems.
    """
    values = settings()

    from azure.core.pipeline.transport import RequestsTransport  # noqa: PLC0415 - see the module's docstring
    from azure.identity import DefaultAzureCredential  # noqa: PLC0415
    from azure.keyvault.secrets import SecretClient  # noqa: PLC0415
    from azure.storage.blob import BlobServiceClient  # noqa: PLC0415
    from azure.storage.queue import QueueServiceClient  # noqa: PLC0415

    from exporter.adapters.activecampaign import Client  # noqa: PLC0415
    from exporter.adapters.blobs import AzureBlobs  # noqa: PLC0415
    from exporter.adapters.own_address import OwnAddress  # noqa: PLC0415
    from exporter.adapters.queues import AzureMessages  # noqa: PLC0415
    from exporter.adapters.segment_files import AzureSegmentFiles  # noqa: PLC0415
    from exporter.adapters.vault import KeyVault  # noqa: PLC0415

    # In Azure, AZURE_TOKEN_CREDENTIALS=ManagedIdentityCredential and AZURE_CLIENT_ID narrow this to the app's identity.
    credential = DefaultAzureCredential(**(TIMEOUTS | IDENTITY))

    def options(limits: dict[str, Any]) -> dict[str, Any]:
        return limits | {"transport": RequestsTransport(session=_session(values.threads), **limits)}

    storage = TIMEOUTS | BACKOFF
    return Services(
        settings=values,
        blobs=AzureBlobs(BlobServiceClient(values.export_blob_uri, credential, **options(storage))),
        segments=AzureSegmentFiles(
            BlobServiceClient(values.segment_blob_uri, credential, **options(storage)),
            values.segment_container,
        ),
        messages=AzureMessages(QueueServiceClient(values.export_queue_uri, credential, **options(storage))),
        secrets=KeyVault(SecretClient(values.key_vault_uri, credential, **options(TIMEOUTS | VAULT))),
        activecampaign=Client(f"segment-exporter/{__version__}", deadline_s=values.request_deadline_s),
        own_address=OwnAddress(),
        clock=SystemClock(),
        ids=RandomIds(),
    )
