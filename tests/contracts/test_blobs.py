"""What `ports.Blobs` promises."""

from __future__ import annotations

import itertools

import pytest

from exporter.adapters.blobs import AzureBlobs
from exporter.errors import Unavailable
from exporter.ports import Blobs, Changed
from sandbox.world import World

_numbers = itertools.count()


@pytest.fixture
def path() -> str:
    return f"records/contracts/{next(_numbers)}.json"


def test_what_is_not_there_is_none(blobs: Blobs, path: str) -> None:
    assert blobs.read(path) is None
    assert blobs.read_range(path, 0, 10) is None
    assert blobs.stream(path) is None
    blobs.delete(path)


@pytest.mark.e2e
def test_a_container_that_is_missing_is_not_taken_for_an_empty_one(azurite: World) -> None:
    blobs, path = AzureBlobs(azurite.records), "missing/contracts/1.json"
    for call in (
        lambda: blobs.read(path),
        lambda: blobs.read_range(path, 0, 10),
        lambda: blobs.stream(path),
        lambda: blobs.create(path, b"one"),
        lambda: blobs.replace(path, b"one", "etag"),
        lambda: blobs.append(path, b"one", 0),
        lambda: blobs.extension(path),
        lambda: list(blobs.names("missing/")),
        lambda: list(blobs.etags("missing/")),
    ):
        with pytest.raises(Unavailable, match="has no container"):
            call()


def test_create_is_once_and_the_same_content_counts_as_done(blobs: Blobs, path: str) -> None:
    etag = blobs.create(path, b"one")
    assert blobs.create(path, b"one") == etag
    with pytest.raises(Changed):
        blobs.create(path, b"two")
    found = blobs.read(path)
    assert found
    assert (found.data, found.etag) == (b"one", etag)
    assert 0 <= found.age_s < 60


def test_replace_needs_the_etag_that_was_read(blobs: Blobs, path: str) -> None:
    old = blobs.create(path, b"one")
    new = blobs.replace(path, b"two", old)
    assert new != old
    for data in (b"two", b"three"):
        with pytest.raises(Changed):
            blobs.replace(path, data, old)
    found = blobs.read(path)
    assert found
    assert found.data == b"two"


def test_replace_does_not_bring_back_what_was_deleted(blobs: Blobs, path: str) -> None:
    etag = blobs.create(path, b"one")
    blobs.delete(path)
    with pytest.raises(Changed):
        blobs.replace(path, b"two", etag)


def test_an_append_is_the_fence(blobs: Blobs, path: str) -> None:
    assert blobs.append(path, b"abc", 0) == 3
    assert blobs.append(path, b"de", 3) == 5
    for at in (0, 3, 4, 6):
        with pytest.raises(Changed):
            blobs.append(path, b"x", at)
    found = blobs.read(path)
    assert found
    assert found.data == b"abcde"


def test_a_range_is_cut_at_the_end(blobs: Blobs, path: str) -> None:
    blobs.create(path, b"0123456789")
    assert blobs.read_range(path, 2, 3) == b"234"
    assert blobs.read_range(path, 8, 10) == b"89"
    assert blobs.read_range(path, 20, 5) == b""


def test_names_are_listed_by_prefix_in_order(blobs: Blobs, path: str) -> None:
    folder = path.removesuffix(".json")
    for name in ("b", "a", "c/d"):
        blobs.create(f"{folder}/{name}", b"{}")
    assert list(blobs.names(f"{folder}/")) == [f"{folder}/a", f"{folder}/b", f"{folder}/c/d"]


def test_a_listing_has_the_etags_that_reading_and_writing_have(blobs: Blobs, path: str) -> None:
    folder = path.removesuffix(".json")
    written = {f"{folder}/{name}": blobs.create(f"{folder}/{name}", b"one") for name in ("b", "a", "c/d")}
    assert list(blobs.etags(f"{folder}/")) == sorted(written.items())
    for changed in (f"{folder}/b", f"{folder}/c/d"):
        before = written[changed]
        written[changed] = blobs.replace(changed, b"two", before)
        assert written[changed] != before
    blobs.delete(f"{folder}/a")
    del written[f"{folder}/a"]
    listed = list(blobs.etags(f"{folder}/"))
    assert listed == sorted(written.items())
    read = {name: blobs.read(name) for name, _ in listed}
    assert {name: blob.etag for name, blob in read.items() if blob} == written


def test_what_was_deleted_and_made_again_has_another_etag(blobs: Blobs, path: str) -> None:
    blobs.create(path, b"one")
    before = list(blobs.etags(path))
    blobs.delete(path)
    assert list(blobs.etags(path)) == []
    blobs.create(path, b"one")
    assert [name for name, _ in blobs.etags(path)] == [path]
    assert list(blobs.etags(path)) != before


def test_a_written_blob_appears_at_its_commit_and_not_before(blobs: Blobs, path: str) -> None:
    writer = blobs.writer(path)
    pieces = [bytes([n]) * 1_500_000 for n in range(6)]
    for piece in pieces:
        writer.write(piece)
    assert blobs.read(path) is None
    writer.commit()
    found = blobs.stream(path)
    assert found is not None
    assert b"".join(found) == b"".join(pieces)


def test_an_empty_blob_can_be_written(blobs: Blobs, path: str) -> None:
    blobs.writer(path).commit()
    assert blobs.read_range(path, 0, 5) == b""


def test_an_extension_follows_the_first_commit_and_replaces_the_extension_before(blobs: Blobs, path: str) -> None:
    writer = blobs.writer(path)
    writer.write(b"planned;")
    writer.commit()
    for extension in (b"first attempt, longer", b"second", b""):
        extend(blobs, path, extension)
        found = blobs.read(path)
        assert found
        assert found.data == b"planned;" + extension


def test_the_newer_of_two_extensions_stays(blobs: Blobs, path: str) -> None:
    """Also when the older one was written first, and is only committed later."""
    extend(blobs, path, b"")
    older = blobs.extension(path)
    assert older
    older.write(b"older")
    extend(blobs, path, b"newer")
    with pytest.raises(Changed):
        older.commit()
    found = blobs.read(path)
    assert found
    assert found.data == b"newer"


def test_two_extensions_at_once_do_not_mix(blobs: Blobs, path: str) -> None:
    extend(blobs, path, b"")
    first, second = blobs.extension(path), blobs.extension(path)
    assert first
    assert second
    first.write(b"1" * 5_000_000)
    second.write(b"2" * 5_000_000)
    first.commit()
    with pytest.raises(Changed):
        second.commit()
    found = blobs.read(path)
    assert found
    assert found.data == b"1" * 5_000_000


def test_what_is_not_there_cannot_be_extended(blobs: Blobs, path: str) -> None:
    assert blobs.extension(path) is None


def extend(blobs: Blobs, path: str, data: bytes) -> None:
    writer = blobs.extension(path) or blobs.writer(path)
    writer.write(data)
    writer.commit()


@pytest.mark.e2e
def test_a_log_that_was_created_and_never_written_is_not_there(azurite: World, path: str) -> None:
    """Whoever died between the two calls has left nothing that could be taken for a finished ledger."""
    container, _, name = path.partition("/")
    azurite.records.get_blob_client(container, name).create_append_blob()
    blobs = AzureBlobs(azurite.records)
    assert blobs.read(path) is None
    assert blobs.append(path, b"first\n", 0) == 6
