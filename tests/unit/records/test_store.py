"""Changes of records: none is lost, and who loses every race says so."""

from __future__ import annotations

import pytest

from exporter.errors import Unavailable
from exporter.model import Record
from exporter.records import store
from tests.fakes import FakeBlobs, FakeClock

PATH = "records/counter.json"


class Counter(Record):
    count: int = 0


def one_more(counter: Counter) -> Counter:
    return Counter(count=counter.count + 1)


@pytest.fixture
def blobs() -> FakeBlobs:
    blobs = FakeBlobs(FakeClock())
    blobs.create(PATH, Counter().to_json())
    return blobs


def somebody_is_faster(blobs: FakeBlobs, times: int) -> list[str]:
    """Let somebody else change the record right before each of so many replacements; returns the attempts."""
    attempts: list[str] = []

    def before(operation: str, path: str) -> None:
        if operation == "replace":
            attempts.append(path)
            if len(attempts) <= times:
                now = store.get(blobs, Counter, path)
                assert now
                blobs.put(path, one_more(now).to_json())

    blobs.before = before
    return attempts


def test_a_change_that_loses_19_races_is_made_on_top_of_the_others(blobs: FakeBlobs) -> None:
    attempts = somebody_is_faster(blobs, 19)
    assert store.change(blobs, Counter, PATH, one_more) == Counter(count=20)
    assert store.get(blobs, Counter, PATH) == Counter(count=20)
    assert len(attempts) == 20


def test_a_change_that_loses_20_races_says_so(blobs: FakeBlobs) -> None:
    attempts = somebody_is_faster(blobs, 20)
    with pytest.raises(Unavailable, match="20 times") as caught:
        store.change(blobs, Counter, PATH, one_more)
    assert caught.value.code == "storage_contention"
    assert store.get(blobs, Counter, PATH) == Counter(count=20), "all of them by others"
    assert len(attempts) == 20


def test_a_record_that_is_to_be_left_as_it_is_is_not_written(blobs: FakeBlobs) -> None:
    writes = blobs.writes
    assert store.change(blobs, Counter, PATH, lambda counter: None) == Counter()
    assert blobs.writes == writes


def test_a_record_that_is_not_there_is_not_made(blobs: FakeBlobs) -> None:
    assert store.change(blobs, Counter, "records/other.json", one_more) is None
    assert "records/other.json" not in blobs.stored


def test_a_record_that_vanishes_while_it_is_listed_is_left_out(blobs: FakeBlobs) -> None:
    blobs.create("records/a.json", Counter(count=1).to_json())
    blobs.create("records/z.json", Counter(count=2).to_json())
    found = store.get_all(blobs, Counter, "records/")
    first = next(found)
    blobs.delete(PATH)
    assert [first, *found] == [Counter(count=1), Counter(count=2)]
