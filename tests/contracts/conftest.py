"""Each port twice: the fake in memory, and the real adapter on Azurite or the Key Vault stand-in."""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from exporter.adapters.blobs import AzureBlobs
from exporter.adapters.queues import AzureMessages
from exporter.adapters.segment_files import AzureSegmentFiles
from exporter.adapters.vault import KeyVault
from exporter.ports import Blobs, Messages, Secrets
from exporter.source.files import SegmentFiles
from sandbox.world import SEGMENT_CONTAINER, World
from tests.fakes import FakeBlobs, FakeClock, FakeMessages, FakeSecrets, FakeSegmentFiles

BOTH = [pytest.param("fake"), pytest.param("real", marks=pytest.mark.e2e)]


@pytest.fixture(scope="session")
def azurite() -> Iterator[World]:
    with World() as world:
        yield world


@pytest.fixture(params=BOTH)
def blobs(request: pytest.FixtureRequest) -> Blobs:
    if request.param == "fake":
        return FakeBlobs(FakeClock())
    world: World = request.getfixturevalue("azurite")
    return AzureBlobs(world.records)


@dataclass
class Landing:
    """The container where segments land, and ways to write there as Customer Insights does, and to archive a file.

    In the real one, each directory has an entry of its own. The fake has files only.
    """

    files: SegmentFiles
    write: Callable[[str, bytes], Any]
    add_directory: Callable[[str], Any]
    archive: Callable[[str], Any]


@pytest.fixture(params=BOTH)
def landing(request: pytest.FixtureRequest) -> Landing:
    if request.param == "fake":
        fake = FakeSegmentFiles(FakeClock())
        return Landing(fake, fake.write, lambda _: None, fake.archive)
    world: World = request.getfixturevalue("azurite")
    service = segment_service(world)
    return Landing(
        AzureSegmentFiles(service, SEGMENT_CONTAINER),
        lambda path, data: world.upload_files([(path, data)]),
        world.add_directory,
        lambda path: world.segments.get_blob_client(path).set_standard_blob_tier("Archive"),
    )


def segment_service(world: World) -> BlobServiceClient:
    """Return a client of the landing account, made from the client that the sandbox has of its container."""
    url = world.segments.url.removesuffix(f"/{SEGMENT_CONTAINER}")
    options: dict[str, Any] = {"connection_verify": str(world.folder / "ca.pem"), "use_env_settings": False}
    return BlobServiceClient(url, credential=world.segments.credential, **options)


@dataclass
class Queue:
    """A queue, and a way to read its first visible message as the host does."""

    messages: Messages
    read: Callable[[str], bytes | None]


@pytest.fixture(params=BOTH)
def queue(request: pytest.FixtureRequest) -> Queue:
    if request.param == "fake":
        fake = FakeMessages(FakeClock())
        return Queue(fake, lambda name: None if (m := fake.take(name)) is None else _json(m))
    world: World = request.getfixturevalue("azurite")
    return Queue(AzureMessages(world.queues), lambda name: _receive(world.queues, name))


def _json(message: object) -> bytes:
    import orjson  # noqa: PLC0415

    return orjson.dumps(message)


def _receive(queues: QueueServiceClient, name: str) -> bytes | None:
    client = queues.get_queue_client(name)
    for message in client.receive_messages(max_messages=1):
        client.delete_message(message)
        return base64.b64decode(message.content)
    return None


@pytest.fixture(params=BOTH)
def secrets(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[Secrets]:
    if request.param == "fake":
        yield FakeSecrets()
        return
    world: World = request.getfixturevalue("azurite")
    for name, value in world.platform_settings().items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AZURE_CLIENT_ID", world.app_settings()["AZURE_CLIENT_ID"])
    from azure.identity import ManagedIdentityCredential  # noqa: PLC0415

    with (
        ManagedIdentityCredential(client_id=world.app_settings()["AZURE_CLIENT_ID"]) as credential,
        SecretClient(world.app_settings()["KEY_VAULT_URI"], credential) as client,
    ):
        yield KeyVault(client)
