"""What a process has read is not read again, and is never taken for what storage does not say any more."""

from __future__ import annotations

import pytest

from exporter.errors import Stop, Unavailable, Wait
from exporter.model import Record
from exporter.records import remembered
from tests.fakes import Fakes, make_fakes

FOLDER = "records/counters/"


class Counter(Record):
    count: int = 0


class Other(Record):
    name: str = "other"


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


@pytest.fixture
def asked(fakes: Fakes) -> list[str]:
    """Return what storage is asked from here on, as it grows."""
    operations: list[str] = []
    fakes.blobs.before = lambda operation, path: operations.append(f"{operation} {path.removeprefix(FOLDER)}")
    return operations


def put(fakes: Fakes, name: str, count: int) -> None:
    fakes.blobs.put(f"{FOLDER}{name}", Counter(count=count).to_json())


def look(fakes: Fakes) -> dict[str, int | None]:
    """List and get all counters, and return what each says."""
    found = {}
    for path, etag in remembered.listed(fakes.services, FOLDER):
        counter = remembered.get(fakes.services, Counter, path, etag)
        found[path.removeprefix(FOLDER)] = counter.count if counter else None
    return found


def test_what_has_not_changed_is_read_once(fakes: Fakes, asked: list[str]) -> None:
    put(fakes, "a", 1)
    put(fakes, "b", 2)
    assert [look(fakes) for _ in range(3)] == [{"a": 1, "b": 2}] * 3
    assert asked == ["etags ", "read a", "read b", "etags ", "etags "]


def test_what_has_changed_is_read_again_and_nothing_else(fakes: Fakes, asked: list[str]) -> None:
    put(fakes, "a", 1)
    put(fakes, "b", 2)
    look(fakes)
    put(fakes, "b", 3)
    asked.clear()
    assert [look(fakes) for _ in range(2)] == [{"a": 1, "b": 3}] * 2
    assert asked == ["etags ", "read b", "etags "]


def test_what_comes_back_with_the_same_content_is_read_again(fakes: Fakes, asked: list[str]) -> None:
    put(fakes, "a", 1)
    look(fakes)
    put(fakes, "a", 1)
    asked.clear()
    assert look(fakes) == {"a": 1}
    assert asked == ["etags ", "read a"]


def test_what_changes_between_the_listing_and_the_reading_is_remembered_as_it_was_read(
    fakes: Fakes, asked: list[str]
) -> None:
    put(fakes, "a", 1)
    ((path, etag),) = remembered.listed(fakes.services, FOLDER)
    put(fakes, "a", 2)
    assert remembered.get(fakes.services, Counter, path, etag) == Counter(count=2)
    asked.clear()
    assert look(fakes) == {"a": 2}
    assert asked == ["etags "]


def test_what_was_deleted_is_forgotten(fakes: Fakes) -> None:
    put(fakes, "a", 1)
    put(fakes, "b", 2)
    look(fakes)
    fakes.blobs.delete(f"{FOLDER}a")
    assert look(fakes) == {"b": 2}
    assert list(fakes.services.memory.records) == [f"{FOLDER}b"]


def test_what_is_deleted_between_the_listing_and_the_reading_is_none_and_forgotten(fakes: Fakes) -> None:
    put(fakes, "a", 1)
    look(fakes)
    put(fakes, "a", 2)
    ((path, etag),) = remembered.listed(fakes.services, FOLDER)
    fakes.blobs.delete(path)
    assert remembered.get(fakes.services, Counter, path, etag) is None
    assert fakes.services.memory.records == {}


@pytest.mark.parametrize(
    ("data", "error"), [(b"not JSON", Stop), (b'{"schemaVersion":99}', Wait), (b'{"count":"many"}', Stop)]
)
def test_what_cannot_be_read_is_an_error_each_time(
    fakes: Fakes, asked: list[str], data: bytes, error: type[Exception]
) -> None:
    put(fakes, "a", 1)
    look(fakes)
    fakes.blobs.put(f"{FOLDER}a", data)
    asked.clear()
    for _ in range(2):
        with pytest.raises(error):
            look(fakes)
    assert asked == ["etags ", "read a"] * 2
    put(fakes, "a", 2)
    assert look(fakes) == {"a": 2}


def test_while_storage_does_not_answer_nothing_is_taken_from_memory(fakes: Fakes) -> None:
    """Whoever lists asks storage what there is; only what it says is taken from memory."""
    put(fakes, "a", 1)
    look(fakes)

    def fail(operation: str, path: str) -> None:
        raise Unavailable.of("storage_contention", times=1)

    fakes.blobs.before = fail
    with pytest.raises(Unavailable):
        look(fakes)
    fakes.blobs.before = lambda operation, path: None
    assert look(fakes) == {"a": 1}


def test_no_more_is_remembered_than_there_is_room_for(
    fakes: Fakes, asked: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(remembered, "MOST_REMEMBERED", 2)
    for number, name in enumerate("abcd"):
        put(fakes, name, number)
    look(fakes)
    assert len(fakes.services.memory.records) == 2
    asked.clear()
    assert look(fakes) == {"a": 0, "b": 1, "c": 2, "d": 3}
    assert asked == ["etags ", "read c", "read d"], "what comes too late is read each time"
    put(fakes, "a", 7)
    look(fakes)
    asked.clear()
    assert look(fakes) == {"a": 7, "b": 1, "c": 2, "d": 3}
    assert asked == ["etags ", "read c", "read d"], "what changes keeps its place"
    fakes.blobs.delete(f"{FOLDER}b")
    look(fakes)
    asked.clear()
    assert look(fakes) == {"a": 7, "c": 2, "d": 3}
    assert asked == ["etags ", "read d"], "what goes makes room"


def test_other_folders_are_not_forgotten(fakes: Fakes, asked: list[str]) -> None:
    put(fakes, "a", 1)
    look(fakes)
    assert remembered.listed(fakes.services, "records/others/") == []
    asked.clear()
    assert look(fakes) == {"a": 1}
    assert asked == ["etags "]


def test_a_record_is_not_taken_for_one_of_another_kind(fakes: Fakes) -> None:
    put(fakes, "a", 1)
    look(fakes)
    ((path, etag),) = remembered.listed(fakes.services, FOLDER)
    assert remembered.get(fakes.services, Other, path, etag) == Other()


def test_a_new_process_knows_nothing(fakes: Fakes, asked: list[str]) -> None:
    put(fakes, "a", 1)
    look(fakes)
    asked.clear()
    again = make_fakes()
    again.blobs.stored, again.blobs.before = fakes.blobs.stored, fakes.blobs.before
    assert look(again) == {"a": 1}
    assert asked == ["etags ", "read a"]
