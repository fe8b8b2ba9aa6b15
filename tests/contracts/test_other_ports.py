"""What the other ports promise."""

from __future__ import annotations

import gzip
import itertools
import random
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import orjson
import pytest
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobServiceClient, ContentSettings
from azure.storage.queue import QueueServiceClient

from exporter.adapters.blobs import AzureBlobs
from exporter.adapters.queues import AzureMessages
from exporter.adapters.segment_files import AzureSegmentFiles
from exporter.adapters.vault import KeyVault
from exporter.errors import Culprit, ExporterError, Stop, Unavailable
from exporter.ports import Changed, Secrets
from sandbox.world import SEGMENT_CONTAINER, World
from tests.contracts.conftest import segment_service

_numbers = itertools.count()


@pytest.fixture
def folder() -> str:
    return f"contracts-{next(_numbers)}"


def test_segment_files_are_listed_read_and_opened_at_one_version(landing: Any, folder: str) -> None:
    data = bytes(range(256)) * 40_000
    landing.write(f"{folder}/b.csv", data)
    landing.write(f"{folder}/a.csv", b"small")
    first, second = landing.files.list(f"{folder}/").files
    assert [(f.path, f.size_bytes) for f in (first, second)] == [(f"{folder}/a.csv", 5), (f"{folder}/b.csv", len(data))]
    read = landing.files.read(f"{folder}/a.csv")
    assert read == (first, b"small")
    assert landing.files.etag(first.path) == first.etag
    landing.write(first.path, b"small")
    assert landing.files.etag(first.path) != first.etag
    with landing.files.open(second) as stream:
        assert stream.read(1_000) == data[:1_000]
        stream.seek(5_000_000)
        assert stream.read(256) == data[5_000_000:5_000_256]
        assert stream.read() == data[5_000_256:]


def test_a_segment_file_that_is_not_there_is_none(landing: Any, folder: str) -> None:
    assert landing.files.read(f"{folder}/nothing.csv") is None
    assert landing.files.etag(f"{folder}/nothing.csv") is None
    assert landing.files.list(f"{folder}/").files == ()


def test_directories_are_no_files(landing: Any, folder: str) -> None:
    landing.write(f"{folder}/2026/11/a.csv", b"small")
    landing.write(f"{folder}/2026/_SUCCESS", b"")
    landing.add_directory(f"{folder}/2026/12")
    found = landing.files.list(folder).files
    assert [f.path for f in found] == [f"{folder}/2026/11/a.csv", f"{folder}/2026/_SUCCESS"]
    assert landing.files.read(f"{folder}/2026/12") is None
    assert landing.files.list(f"{folder}/2026/11/a").files == found[:1]


def test_a_listing_says_when_it_began_by_the_clock_that_dates_the_files(landing: Any, folder: str) -> None:
    landing.write(f"{folder}/a.csv", b"small")
    listing = landing.files.list(f"{folder}/")
    assert 0 <= listing.at - listing.files[0].modified < 60
    assert landing.files.list(f"{folder}/nothing").at >= listing.at


COMPRESSED = gzip.compress(random.Random(0).randbytes(5_000_000))
ENCODED = pytest.mark.parametrize(
    "data", [COMPRESSED, b"Anna,anna@example.com\n" * 300_000], ids=["compressed", "not compressed at all"]
)
"""Blobs with the property Content-Encoding gzip, larger than a read at a time: true to it or not, bytes are bytes."""


@pytest.mark.e2e
@ENCODED
def test_a_segment_file_is_read_as_it_is_stored_whatever_its_encoding_says(
    azurite: World, folder: str, data: bytes
) -> None:
    files = AzureSegmentFiles(segment_service(azurite), SEGMENT_CONTAINER)
    path = f"{folder}/a.csv"
    azurite.segments.upload_blob(path, data, content_settings=ContentSettings(content_encoding="gzip"))
    (file,) = files.list(path).files
    assert file.size_bytes == len(data)
    assert files.read(path) == (file, data)
    with files.open(file) as stream:
        assert stream.read() == data
        stream.seek(4_500_000)
        assert stream.read(10) == data[4_500_000:4_500_010]


@pytest.mark.e2e
@ENCODED
def test_the_apps_blobs_are_read_as_they_are_stored_whatever_their_encoding_says(
    azurite: World, folder: str, data: bytes
) -> None:
    blobs, path = AzureBlobs(azurite.records), f"working/{folder}"
    azurite.records.get_blob_client("working", folder).upload_blob(
        data, content_settings=ContentSettings(content_encoding="gzip")
    )
    found = blobs.read(path)
    assert found
    assert found.data == data
    assert blobs.read_range(path, 100, 50) == data[100:150]
    assert b"".join(blobs.stream(path) or ()) == data


def test_an_archived_file_is_listed_as_such_and_is_no_outage(landing: Any, folder: str) -> None:
    path = f"{folder}/a.csv"
    landing.write(path, b"small")
    landing.archive(path)
    (file,) = landing.files.list(path).files
    assert file.archived
    reads: tuple[Callable[[], object], ...] = (
        lambda: landing.files.read(path),
        lambda: landing.files.open(file).read(),
    )
    for read in reads:
        with pytest.raises(Stop) as caught:
            read()
        assert caught.value.code == "file_archived"
        assert path in caught.value.message


def test_a_file_that_was_replaced_is_never_mixed(landing: Any, folder: str) -> None:
    path = f"{folder}/x.csv"
    landing.write(path, b"a" * 10_000_000)
    (file,) = landing.files.list(path).files
    with landing.files.open(file) as stream:
        assert stream.read(10) == b"a" * 10
        landing.write(path, b"b" * 10_000_000)
        with pytest.raises(Changed):
            stream.read()


def test_a_message_arrives_as_the_json_that_was_sent(queue: Any) -> None:
    message = {"runId": "x.20261118T000000Z." + "0" * 32, "lane": 3}
    queue.messages.send("upload-lane", message)
    received = queue.read("upload-lane")
    assert received is not None
    assert orjson.loads(received) == message
    assert queue.read("upload-lane") is None


def test_a_delayed_message_is_not_there_yet(queue: Any) -> None:
    queue.messages.send("plan-run", {"runId": "x"}, 60)
    assert queue.read("plan-run") is None


def test_a_secret_is_read_back_and_a_new_version_replaces_it(secrets: Secrets) -> None:
    name = f"connection-contract-{next(_numbers)}"
    secrets.set(name, "one")
    assert secrets.get(name) == "one"
    secrets.set(name, "two")
    assert secrets.get(name) == "two"
    assert secrets.get(name, fresh=True) == "two"


@pytest.mark.parametrize("secrets", [pytest.param("real", marks=pytest.mark.e2e)], indirect=True)
def test_a_version_that_somebody_else_stored_is_seen_after_five_minutes_or_when_asked_for(
    secrets: Secrets, azurite: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = 1_000.0
    monkeypatch.setattr("exporter.adapters.vault.time", SimpleNamespace(monotonic=lambda: now))
    name = f"connection-contract-{next(_numbers)}"
    azurite.vault.set(name, "one")
    assert secrets.get(name) == "one"
    azurite.vault.set(name, "two")
    now += 299
    assert secrets.get(name) == "one"
    now += 2
    assert secrets.get(name) == "two"
    azurite.vault.set(name, "three")
    assert secrets.get(name) == "two"
    assert secrets.get(name, fresh=True) == "three"
    assert secrets.get(name) == "three"


@pytest.mark.parametrize("secrets", [pytest.param("real", marks=pytest.mark.e2e)], indirect=True)
def test_a_disabled_secret_is_told_from_a_refused_access(secrets: Secrets, azurite: World) -> None:
    name = f"connection-contract-{next(_numbers)}"
    azurite.vault.set(name, "one", enabled=False)
    with pytest.raises(ExporterError) as caught:
        secrets.get(name)
    assert caught.value.code == "secret_disabled"


@pytest.mark.parametrize("secrets", [pytest.param("real", marks=pytest.mark.e2e)], indirect=True)
def test_a_deleted_secret_keeps_its_name_until_it_is_recovered(secrets: Secrets, azurite: World) -> None:
    name = f"connection-contract-{next(_numbers)}"
    secrets.set(name, "one")
    azurite.vault.delete(name)
    with pytest.raises(ExporterError) as caught:
        secrets.set(name, "two")
    assert caught.value.code == "secret_deleted"
    assert f"az keyvault secret recover --name {name}" in caught.value.message
    azurite.vault.recover(name)
    secrets.set(name, "two")
    assert secrets.get(name) == "two"


@pytest.mark.e2e
@pytest.mark.parametrize(
    ("setting", "value", "code", "culprit"),
    [
        ("IDENTITY_HEADER", "of somebody else", "identity_unavailable", Culprit.EXTERNAL),
        ("AZURE_CLIENT_ID", "of-nobody", "identity_missing", Culprit.USER),
    ],
    ids=["endpoint fails", "not assigned"],
)
def test_without_an_identity_nothing_is_taken_for_a_refusal_of_who_was_not_asked(
    azurite: World, monkeypatch: pytest.MonkeyPatch, setting: str, value: str, code: str, culprit: Culprit
) -> None:
    settings = azurite.platform_settings() | azurite.app_settings()
    for name, each in (settings | {setting: value}).items():
        monkeypatch.setenv(name, each)
    options: dict[str, Any] = {"credential": DefaultAzureCredential(retry_total=0), "retry_total": 0}
    vault = KeyVault(SecretClient(settings["KEY_VAULT_URI"], **options))
    blobs = BlobServiceClient(settings["ExportStorage__blobServiceUri"], **options)
    messages = AzureMessages(QueueServiceClient(settings["ExportStorage__queueServiceUri"], **options))
    calls: tuple[Callable[[], object], ...] = (
        lambda: vault.get("connection-main"),
        lambda: vault.set("connection-main", "key"),
        lambda: AzureBlobs(blobs).read("records/x.json"),
        lambda: AzureSegmentFiles(blobs, SEGMENT_CONTAINER).list(""),
        lambda: messages.send("plan-run", {"runId": "x"}),
    )
    for call in calls:
        with pytest.raises(Unavailable) as caught:
            call()
        assert (caught.value.code, caught.value.culprit) == (code, culprit)
        assert value not in caught.value.message
