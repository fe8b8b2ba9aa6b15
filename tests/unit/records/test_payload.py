"""The working copy is read back exactly as it was planned, or not at all."""

from __future__ import annotations

import hashlib

import pytest

from exporter.delivery.manifest import BatchEntry
from exporter.errors import Stop
from exporter.records.payload import read_batch, read_batches
from tests.fakes import Fakes, make_fakes

PAYLOAD = "working/x.batches"


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


def write(fakes: Fakes, count: int) -> list[BatchEntry]:
    """Write a payload of so many batches; return where they are."""
    pieces = [(f'{{"batch":{number}}}'.encode(), f"[{number}]".encode()) for number in range(count)]
    fakes.blobs.put(PAYLOAD, b"".join(body + rows for body, rows in pieces))
    batches: list[BatchEntry] = []
    for body, rows in pieces:
        digest = hashlib.sha256(body).hexdigest()
        offset = batches[-1].end if batches else 0
        batches.append(
            BatchEntry(offset_bytes=offset, body_bytes=len(body), references_bytes=len(rows), count=1, sha256=digest)
        )
    return batches


def change(fakes: Fakes, old: bytes, new: bytes) -> None:
    fakes.blobs.put(PAYLOAD, fakes.blobs.stored[PAYLOAD].data.replace(old, new))


def stop(fakes: Fakes, batch: BatchEntry) -> str:
    with pytest.raises(Stop) as caught:
        read_batch(fakes.services, PAYLOAD, batch)
    return caught.value.code


def test_a_batch_is_its_body_and_its_rows(fakes: Fakes) -> None:
    batches = write(fakes, 3)
    assert read_batch(fakes.services, PAYLOAD, batches[1]) == (b'{"batch":1}', b"[1]")


def test_a_copy_that_is_a_byte_short_lacks_its_last_batch_only(fakes: Fakes) -> None:
    batches = write(fakes, 3)
    fakes.blobs.put(PAYLOAD, fakes.blobs.stored[PAYLOAD].data[:-1])
    assert read_batch(fakes.services, PAYLOAD, batches[1])
    assert stop(fakes, batches[2]) == "working_copy_missing"


def test_a_body_with_one_other_byte_is_not_read(fakes: Fakes) -> None:
    batches = write(fakes, 3)
    change(fakes, b'"batch":2', b'"batch":3')
    assert read_batch(fakes.services, PAYLOAD, batches[1])
    assert stop(fakes, batches[2]) == "working_copy_altered"


def test_a_copy_that_is_gone_lacks_every_batch(fakes: Fakes) -> None:
    batches = write(fakes, 3)
    fakes.blobs.delete(PAYLOAD)
    assert [stop(fakes, batch) for batch in batches] == ["working_copy_missing"] * 3


@pytest.mark.parametrize(("count", "reads"), [(0, 0), (1, 1), (32, 1), (33, 2), (64, 2), (65, 3)])
def test_at_most_32_batches_that_follow_each_other_are_read_at_once(fakes: Fakes, count: int, reads: int) -> None:
    batches = write(fakes, count)
    asked: list[str] = []
    fakes.blobs.before = lambda operation, path: asked.append(operation)
    found = list(read_batches(fakes.services, PAYLOAD, batches))
    assert found == [(f'{{"batch":{number}}}'.encode(), f"[{number}]".encode()) for number in range(count)]
    assert asked == ["read_range"] * reads


def test_what_is_between_wanted_batches_is_not_read(fakes: Fakes) -> None:
    batches = write(fakes, 9)
    lengths: list[int] = []
    original = fakes.blobs.read_range

    def read_range(path: str, offset: int, length: int) -> bytes | None:
        lengths.append(length)
        return original(path, offset, length)

    fakes.blobs.read_range = read_range  # type: ignore[method-assign]  # watched
    found = [rows for _, rows in read_batches(fakes.services, PAYLOAD, [batches[n] for n in (0, 1, 4, 7, 8)])]
    assert found == [b"[0]", b"[1]", b"[4]", b"[7]", b"[8]"]
    assert lengths == [28, 14, 28]
