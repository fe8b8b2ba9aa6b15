"""A call to Azure whose first try breaks off gives what it gives in peace: the SDK repeats it, or the adapter does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import RequestsTransport
from azure.core.rest import HttpRequest
from azure.identity import ManagedIdentityCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from exporter.adapters.blobs import BLOCK_BYTES, AzureBlobs
from exporter.adapters.queues import AzureMessages
from exporter.adapters.segment_files import AzureSegmentFiles
from exporter.adapters.vault import KeyVault
from exporter.bootstrap import BACKOFF, TIMEOUTS
from exporter.ports import BlobWriter, Changed
from sandbox.world import SEGMENT_CONTAINER, World

pytestmark = [
    pytest.mark.e2e,
    # The SDK leaves the connection of a try that broke off to the garbage collector, which closes it.
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]
AT_ONCE = dict.fromkeys(BACKOFF, 0)
_numbers = itertools.count()


class Breaking(RequestsTransport):  # type: ignore[misc]  # azure.core re-exports it without its type
    """Breaks off the first try of each request since it was armed: before it left, or before its answer came."""

    def __init__(self, world: World, *, leaves: bool, through_proxy: bool = False) -> None:
        super().__init__(connection_verify=str(world.folder / "ca.pem"), use_env_settings=through_proxy)
        self._leaves = leaves
        self._met: set[str] | None = None
        self.broken = 0

    def arm(self) -> None:
        self._met = set()

    def send(self, request: HttpRequest, **options: Any) -> Any:
        kind = f"{request.method} {request.url}"
        first = self._met is not None and kind not in self._met
        if not first:
            return super().send(request, **options)
        assert self._met is not None
        self._met.add(kind)
        self.broken += 1
        if not self._leaves:
            raise ServiceRequestError("broken off before it left")
        super().send(request, **options).close()
        raise ServiceResponseError("broken off before the answer came")


@pytest.fixture(params=[False, True], ids=["not sent", "answer lost"])
def leaves(request: pytest.FixtureRequest) -> Any:
    """Whether the first try leaves this machine at all."""
    return request.param


@pytest.fixture
def transport(azurite: World, leaves: Any) -> Iterator[Breaking]:
    with Breaking(azurite, leaves=leaves) as transport:
        yield transport


def client[C](kind: type[C], like: Any, transport: Breaking) -> C:
    """Make a client that waits as the app's does, but for the pauses between tries."""
    url = f"{like.scheme}://{like.primary_hostname}"
    return kind(url, credential=like.credential, transport=transport, **(TIMEOUTS | AT_ONCE))  # type: ignore[call-arg]


@pytest.fixture
def blobs(azurite: World, transport: Breaking) -> AzureBlobs:
    return AzureBlobs(client(BlobServiceClient, azurite.records, transport))


@pytest.fixture
def path() -> str:
    return f"records/broken/{next(_numbers)}"


def written(blobs: AzureBlobs, path: str, data: bytes) -> str:
    writer = blobs.writer(path)
    writer.write(data)
    writer.commit()
    return path


def extended(writer: BlobWriter | None, data: bytes) -> None:
    assert writer
    writer.write(data)
    writer.commit()


def appended(blobs: AzureBlobs, path: str, data: bytes) -> str:
    blobs.append(path, data, 0)
    return path


LARGE = bytes(BLOCK_BYTES + 10)
CALLS: dict[str, tuple[Callable[[AzureBlobs, str], Any], Callable[[AzureBlobs, Any, str], Any], Any]] = {
    # name: what is there before, the call, and what it returns
    "read": (lambda b, p: b.create(p, b"one"), lambda b, _, p: b.read(p).data, b"one"),  # type: ignore[union-attr]
    "read a log": (lambda b, p: b.append(p, b"one", 0), lambda b, _, p: b.read(p).data, b"one"),  # type: ignore[union-attr]
    "age": (lambda b, p: b.create(p, b"one"), lambda b, _, p: 0 <= b.read(p).age_s < 60, True),  # type: ignore[union-attr]
    "read nothing": (lambda b, p: None, lambda b, _, p: b.read(p), None),
    "read_range": (lambda b, p: b.create(p, b"0123"), lambda b, _, p: b.read_range(p, 1, 2), b"12"),
    "stream": (lambda b, p: written(b, p, LARGE), lambda b, _, p: b"".join(b.stream(p) or ()), LARGE),
    "create": (lambda b, p: None, lambda b, _, p: bool(b.create(p, b"one")), True),
    "replace": (lambda b, p: b.create(p, b"one"), lambda b, etag, p: b.replace(p, b"two", etag) != etag, True),
    "append first": (lambda b, p: None, lambda b, _, p: b.append(p, b"abc", 0), 3),
    "append more": (lambda b, p: b.append(p, b"abc", 0), lambda b, at, p: b.append(p, b"de", at), 5),
    "delete": (lambda b, p: b.create(p, b"one"), lambda b, _, p: b.delete(p), None),
    "names": (lambda b, p: b.create(p, b"one"), lambda b, _, p: list(b.names(p)) == [p], True),
    "etags": (lambda b, p: b.create(p, b"one"), lambda b, etag, p: list(b.etags(p)) == [(p, etag)], True),
    "write": (lambda b, p: None, lambda b, _, p: written(b, p, LARGE) == p, True),
    "extend": (lambda b, p: written(b, p, b"one;"), lambda b, _, p: extended(b.extension(p), b"two"), None),
    "commit of an extension": (
        lambda b, p: b.extension(written(b, p, b"one;")),
        lambda b, w, p: extended(w, b"two"),
        None,
    ),
}
LEFT = {
    "create": b"one",
    "replace": b"two",
    "append first": b"abc",
    "append more": b"abcde",
    "write": LARGE,
    "extend": b"one;two",
    "commit of an extension": b"one;two",
}


@pytest.mark.parametrize("name", CALLS)
def test_a_call_to_the_apps_blobs(blobs: AzureBlobs, transport: Breaking, path: str, name: str) -> None:
    before, call, expected = CALLS[name]
    there = before(blobs, path)
    transport.arm()
    assert call(blobs, there, path) == expected
    assert transport.broken
    if name == "delete":
        assert not list(blobs.names(path))
    if name in LEFT:
        found = blobs.read(path)
        assert found
        assert found.data == LEFT[name]


def test_a_conflict_is_told_from_a_lost_answer(blobs: AzureBlobs, transport: Breaking, path: str) -> None:
    etag = blobs.create(path, b"one")
    blobs.replace(path, b"two", etag)
    transport.arm()
    with pytest.raises(Changed):
        blobs.replace(path, b"three", etag)
    with pytest.raises(Changed):
        blobs.create(path, b"three")


def test_calls_to_the_container_where_segments_land(azurite: World, transport: Breaking) -> None:
    folder = f"broken-{next(_numbers)}"
    azurite.upload_files([(f"{folder}/a.csv", LARGE)])
    files = AzureSegmentFiles(client(BlobServiceClient, azurite.segments, transport), SEGMENT_CONTAINER)
    transport.arm()
    (file,) = files.list(f"{folder}/").files
    transport.arm()
    assert files.read(file.path) == (file, LARGE)
    transport.arm()
    assert files.etag(file.path) == file.etag
    transport.arm()
    with files.open(file) as stream:
        assert stream.read() == LARGE
    assert transport.broken >= 4


def test_a_message_is_there_once_or_twice(azurite: World, transport: Breaking) -> None:
    messages = AzureMessages(client(QueueServiceClient, azurite.queues, transport))
    queue = azurite.queues.get_queue_client("plan-run")
    queue.clear_messages()
    transport.arm()
    messages.send("plan-run", {"runId": "x"})
    assert 1 <= len(list(queue.receive_messages())) <= 2
    queue.clear_messages()
    assert transport.broken


def test_calls_to_key_vault(azurite: World, leaves: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in azurite.platform_settings().items():
        monkeypatch.setenv(name, value)
    settings = azurite.app_settings()
    with (
        ManagedIdentityCredential(client_id=settings["AZURE_CLIENT_ID"]) as credential,
        Breaking(azurite, leaves=leaves, through_proxy=True) as transport,
    ):
        vault = KeyVault(
            SecretClient(settings["KEY_VAULT_URI"], credential, transport=transport, retry_backoff_factor=0, **TIMEOUTS)
        )
        transport.arm()
        vault.set("connection-broken", "one")
        transport.arm()
        assert vault.get("connection-broken", fresh=True) == "one"
        assert transport.broken >= 2
