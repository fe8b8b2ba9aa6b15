"""Azurite behind a network that loses requests and answers, and files that are larger than one request."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from enum import Enum, auto
from typing import Any

import pytest
from azure.core.exceptions import ServiceRequestError, ServiceResponseError
from azure.core.pipeline.transport import HttpRequest, RequestsTransport
from azure.storage.blob import BlobServiceClient

from exporter.adapters import blobs as module
from exporter.adapters import segment_files
from exporter.adapters.blobs import AzureBlobs
from exporter.adapters.segment_files import AzureSegmentFiles
from exporter.errors import Stop, Unavailable
from exporter.ports import Changed
from sandbox.world import SEGMENT_CONTAINER, World

pytestmark = pytest.mark.e2e


@pytest.fixture(autouse=True)
def no_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "PAUSES_S", (0, 0, 0))


STAGED = "comp=block&"
"""Of a block that is stored and is not part of the blob yet."""


class Fault(Enum):
    """What becomes of a request."""

    NONE = auto()
    LOST = auto()  # it does not arrive
    ANSWER_LOST = auto()  # it arrives, and its answer does not
    LATE = auto()  # it arrives when it was given up, right before the next one of its kind


class Network(RequestsTransport):  # type: ignore[misc]  # the SDK loads it in a way that hides its type
    """Befalls requests of one method with faults, one after the other; the rest arrives."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**options)
        self.method = "PUT"
        self.faults: list[Fault] = []
        self.sent = 0
        self._late: list[Callable[[], object]] = []

    def send(self, request: HttpRequest, *, proxies: Any = None, **options: Any) -> Any:
        def arrive() -> Any:
            return super(Network, self).send(request, proxies=proxies, **options)

        if request.method != self.method or STAGED in request.url:
            return arrive()
        self.sent += 1
        while self._late:
            self._late.pop()()
        match self.faults.pop(0) if self.faults else Fault.NONE:
            case Fault.NONE:
                return arrive()
            case Fault.LOST:
                raise ServiceRequestError("The connection was refused.")
            case Fault.ANSWER_LOST:
                arrive()
            case Fault.LATE:
                self._late.append(arrive)
        raise ServiceResponseError("The connection broke off.")


@pytest.fixture
def network(azurite: World) -> Iterator[Network]:
    with Network(connection_verify=str(azurite.folder / "ca.pem"), use_env_settings=False) as network:
        yield network


def client(azurite: World, network: Network, **options: Any) -> BlobServiceClient:
    return BlobServiceClient(
        azurite.records.url, azurite.records.credential, transport=network, retry_total=0, **options
    )


@pytest.fixture
def blobs(azurite: World, network: Network) -> AzureBlobs:
    return AzureBlobs(client(azurite, network))


_numbers = itertools.count()


@pytest.fixture
def path() -> str:
    return f"records/faults/{next(_numbers)}.json"


type Write = Callable[[AzureBlobs, str], tuple[Callable[[], object], bytes]]


def create(blobs: AzureBlobs, path: str) -> tuple[Callable[[], object], bytes]:
    return lambda: blobs.create(path, b"new"), b"new"


def replace(blobs: AzureBlobs, path: str) -> tuple[Callable[[], object], bytes]:
    etag = blobs.create(path, b"old")
    return lambda: blobs.replace(path, b"new", etag), b"new"


def append(blobs: AzureBlobs, path: str) -> tuple[Callable[[], object], bytes]:
    blobs.append(path, b"first;", 0)
    return lambda: blobs.append(path, b"second;", 6), b"first;second;"


def extend(blobs: AzureBlobs, path: str) -> tuple[Callable[[], object], bytes]:
    first = blobs.writer(path)
    first.write(b"first;")
    first.commit()
    extension = blobs.extension(path)
    assert extension
    extension.write(b"second;")
    return extension.commit, b"first;second;"


WRITES = pytest.mark.parametrize("write", [create, replace, append, extend])


@WRITES
@pytest.mark.parametrize(
    ("faults", "tries"),
    [
        ([Fault.ANSWER_LOST], 1),
        ([Fault.LOST], 2),
        ([Fault.LOST, Fault.ANSWER_LOST], 2),
        ([Fault.LOST] * 3, 4),
    ],
)
def test_a_write_is_made_once_whatever_is_lost(
    blobs: AzureBlobs, network: Network, path: str, write: Write, faults: list[Fault], tries: int
) -> None:
    call, expected = write(blobs, path)
    network.sent, network.faults = 0, list(faults)
    call()
    assert network.sent == tries
    found = blobs.read(path)
    assert found
    assert found.data == expected


def test_a_replacement_by_the_same_content_is_not_taken_for_done_when_it_did_not_arrive(
    blobs: AzureBlobs, network: Network, path: str
) -> None:
    etag = blobs.create(path, b"same")
    network.sent, network.faults = 0, [Fault.LOST]
    new = blobs.replace(path, b"same", etag)
    assert network.sent == 2
    assert new != etag
    found = blobs.read(path)
    assert found
    assert found.etag == new


@WRITES
def test_a_write_that_never_arrives_is_given_up_after_four_tries(
    blobs: AzureBlobs, network: Network, path: str, write: Write
) -> None:
    call, _ = write(blobs, path)
    before = blobs.read(path)
    network.sent, network.faults = 0, [Fault.LOST] * 4
    with pytest.raises(Unavailable) as caught:
        call()
    assert caught.value.code == "storage_unavailable"
    assert network.sent == 4
    after = blobs.read(path)
    assert (after and after.data) == (before and before.data)


@WRITES
def test_a_write_that_arrives_when_it_was_given_up_is_no_conflict_with_itself(
    blobs: AzureBlobs, network: Network, path: str, write: Write
) -> None:
    call, expected = write(blobs, path)
    network.sent, network.faults = 0, [Fault.LATE]
    call()
    assert network.sent == 2
    found = blobs.read(path)
    assert found
    assert found.data == expected


@WRITES
def test_who_wrote_something_else_while_an_answer_was_lost_is_not_overwritten(
    azurite: World, blobs: AzureBlobs, network: Network, path: str, write: Write
) -> None:
    call, _ = write(blobs, path)
    others = AzureBlobs(azurite.records)
    original = network.send

    def send(request: HttpRequest, **options: Any) -> Any:
        if request.method == "PUT" and STAGED not in request.url:
            network.send = original  # type: ignore[method-assign]  # once
            found = others.read(path)
            if found is None:
                others.create(path, b"theirs")
            elif write is append:
                others.append(path, b"theirs", len(found.data))
            else:
                others.replace(path, b"theirs", found.etag)
            raise ServiceResponseError("The connection broke off.")
        return original(request, **options)

    network.send = send  # type: ignore[method-assign]  # somebody else is faster
    with pytest.raises(Changed):
        call()
    found = others.read(path)
    assert found
    assert found.data.endswith(b"theirs")


@WRITES
def test_a_blob_that_somebody_has_leased_is_no_conflict(
    azurite: World, blobs: AzureBlobs, path: str, write: Write
) -> None:
    call, _ = write(blobs, path)
    container, _, name = path.partition("/")
    client = azurite.records.get_blob_client(container, name)
    if not client.exists():
        client.upload_blob(b"theirs")
    client.acquire_lease()
    if write is create:
        with pytest.raises(Changed):
            call()
        return
    with pytest.raises(Unavailable, match="LeaseIdMissing"):
        call()


def test_an_extension_of_several_blocks_follows_a_first_commit_of_several(
    blobs: AzureBlobs, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "BLOCK_BYTES", 4)
    writer = blobs.writer(path)
    for piece in (b"pl", b"anned, of thr", b"ee blocks;"):
        writer.write(piece)
    writer.commit()
    for extension in (b"an extension of five", b"", b"nine more", b"four", b"eight---"):
        added = blobs.extension(path)
        assert added
        added.write(extension)
        added.commit()
        found = blobs.read(path)
        assert found
        assert found.data == b"planned, of three blocks;" + extension


@pytest.fixture
def in_pieces(azurite: World, network: Network, path: str) -> AzureBlobs:
    """Store 30 bytes, and return blobs that are read ten bytes at a time."""
    blobs = AzureBlobs(client(azurite, network, max_single_get_size=10, max_chunk_get_size=10))
    blobs.create(path, b"0123456789" * 3)
    network.method = "GET"
    return blobs


def test_a_large_blob_comes_in_pieces(in_pieces: AzureBlobs, path: str) -> None:
    stream = in_pieces.stream(path)
    assert stream
    assert list(stream) == [b"0123456789"] * 3


@pytest.mark.parametrize("pieces", [1, 2])
def test_a_stream_that_breaks_off_says_that_storage_does_not_answer(
    in_pieces: AzureBlobs, network: Network, path: str, pieces: int
) -> None:
    network.faults = [*[Fault.NONE] * pieces, *[Fault.ANSWER_LOST] * 10]
    stream = in_pieces.stream(path)
    assert stream
    for _ in range(pieces):
        assert next(stream) == b"0123456789"
    with pytest.raises(Unavailable) as caught:
        next(stream)
    assert caught.value.code == "storage_unavailable"


def test_a_stream_never_mixes_two_versions(azurite: World, in_pieces: AzureBlobs, path: str) -> None:
    stream = in_pieces.stream(path)
    assert stream
    assert next(stream) == b"0123456789"
    others = AzureBlobs(azurite.records)
    found = others.read(path)
    assert found
    others.replace(path, b"abcdefghij" * 3, found.etag)
    with pytest.raises(Unavailable, match="ConditionNotMet"):
        list(stream)


def test_a_stream_that_does_not_even_begin_says_so_at_once(in_pieces: AzureBlobs, network: Network, path: str) -> None:
    network.faults = [Fault.LOST]
    with pytest.raises(Unavailable):
        in_pieces.stream(path)


@pytest.fixture
def landing(azurite: World, network: Network) -> AzureSegmentFiles:
    url = azurite.segments.url.removesuffix(f"/{SEGMENT_CONTAINER}")
    service = BlobServiceClient(url, azurite.segments.credential, transport=network, retry_total=0)
    return AzureSegmentFiles(service, SEGMENT_CONTAINER)


def test_a_small_file_is_read_up_to_its_limit_and_refused_by_name_beyond_it(
    azurite: World, landing: AzureSegmentFiles, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(segment_files, "SMALL_FILE_BYTES", 100)
    azurite.upload_files([("faults/100/model.json", b"x" * 100), ("faults/101/model.json", b"x" * 101)])
    found = landing.read("faults/100/model.json")
    assert found
    assert found[1] == b"x" * 100
    with pytest.raises(Stop, match=r"faults/101/model\.json.*at most 100 bytes; it has 101") as caught:
        landing.read("faults/101/model.json")
    assert caught.value.code == "file_too_large"


def test_a_segment_file_that_breaks_off_is_no_damaged_file(
    azurite: World, landing: AzureSegmentFiles, network: Network
) -> None:
    azurite.upload_files([("faults/rows.csv", b"a,b\n" * 100)])
    (file,) = landing.list("faults/rows.csv").files
    network.method, network.faults = "GET", [Fault.ANSWER_LOST]
    with landing.open(file) as stream, pytest.raises(Unavailable):
        stream.read(1)
