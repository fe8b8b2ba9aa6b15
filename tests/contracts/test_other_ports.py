"""What the other ports promise."""

from __future__ import annotations

import itertools
from types import SimpleNamespace
from typing import Any

import orjson
import pytest

from exporter.errors import ExporterError
from exporter.ports import Changed, Secrets
from sandbox.world import World

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
    with landing.files.open(second) as stream:
        assert stream.read(1_000) == data[:1_000]
        stream.seek(5_000_000)
        assert stream.read(256) == data[5_000_000:5_000_256]
        assert stream.read() == data[5_000_256:]


def test_a_segment_file_that_is_not_there_is_none(landing: Any, folder: str) -> None:
    assert landing.files.read(f"{folder}/nothing.csv") is None
    assert landing.files.list(f"{folder}/").files == ()


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


def test_a_missing_secret_is_an_error_that_names_it_and_not_a_value(secrets: Secrets) -> None:
    with pytest.raises(ExporterError) as caught:
        secrets.get("connection-unknown")
    assert caught.value.code == "secret_not_found"
