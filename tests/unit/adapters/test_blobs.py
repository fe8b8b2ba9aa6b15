"""Conditional writes whose answers are lost, and what the service's own times say. No storage: that is in contracts."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceResponseError,
)

from exporter.adapters import blobs
from exporter.errors import Unavailable
from exporter.ports import Changed


def status(code: int) -> HttpResponseError:
    error = HttpResponseError("No.")
    error.status_code = code
    return error


def conflict(kind: type[HttpResponseError], code: int) -> HttpResponseError:
    error = kind("No.")
    error.status_code = code
    return error


LOST = ServiceResponseError("The connection broke off.")
EXISTS, MODIFIED = conflict(ResourceExistsError, 409), conflict(ResourceModifiedError, 412)
GONE = conflict(ResourceNotFoundError, 404)
DONE, OURS, THEIRS = "written", "ours", None


class Storage:
    """Plays what each write ends in, and what each reading back finds."""

    def __init__(self, writes: Sequence[Exception | str], found: Sequence[str | None] = ()) -> None:
        self.writes, self.found = list(writes), list(found)
        self.log: list[str] = []

    def write(self) -> str:
        self.log.append("write")
        result = self.writes.pop(0)
        if isinstance(result, Exception):
            raise result
        return result

    def stored(self) -> str | None:
        self.log.append("read")
        return self.found.pop(0)

    def settled(self) -> str:
        write: Callable[[], str] = self.write
        return blobs._settled(write, self.stored)


def test_a_write_that_succeeds_is_not_read_back() -> None:
    storage = Storage([DONE])
    assert storage.settled() == DONE
    assert storage.log == ["write"]


@pytest.mark.parametrize("lost", [LOST, status(500), status(503), status(408)])
def test_a_write_whose_answer_is_lost_is_read_back_and_not_written_again(lost: Exception) -> None:
    storage = Storage([lost], [OURS])
    assert storage.settled() == OURS
    assert storage.log == ["write", "read"]


def test_a_write_that_did_not_happen_is_tried_again() -> None:
    storage = Storage([LOST, DONE], [None])
    assert storage.settled() == DONE
    assert storage.log == ["write", "read", "write"]


# The last two are what the SDK makes of an append at another length than expected: it has no exception of its own.
@pytest.mark.parametrize("conflict", [EXISTS, MODIFIED, status(409), status(412)])
def test_a_conflict_with_an_own_write_that_arrived_late_is_no_conflict(conflict: Exception) -> None:
    storage = Storage([LOST, conflict], [None, OURS])
    assert storage.settled() == OURS
    assert storage.log == ["write", "read", "write", "read"]


@pytest.mark.parametrize("conflict", [EXISTS, MODIFIED, status(409), status(412), GONE])
def test_a_conflict_with_somebody_else_is_one_also_after_a_lost_answer(conflict: Exception) -> None:
    with pytest.raises(Changed):
        Storage([LOST, conflict], [THEIRS, THEIRS]).settled()


@pytest.mark.parametrize("conflict", [EXISTS, MODIFIED, status(409), status(412), GONE])
def test_a_conflict_of_a_first_try_is_somebody_elses_write_whatever_it_holds(conflict: Exception) -> None:
    storage = Storage([conflict])
    with pytest.raises(Changed):
        storage.settled()
    assert storage.log == ["write"]


@pytest.mark.parametrize("code", [408, 411, 413, 500])
def test_another_status_is_no_conflict(code: int) -> None:
    assert Storage([status(code), DONE], [None]).settled() == DONE


def test_the_fourth_try_may_succeed() -> None:
    storage = Storage([LOST, LOST, LOST, DONE], [None] * 3)
    assert storage.settled() == DONE
    assert storage.log.count("write") == 4


def test_there_is_no_fifth_try() -> None:
    storage = Storage([LOST, LOST, LOST, status(503), DONE], [None] * 4)
    with pytest.raises(Unavailable, match="status 503") as caught:
        storage.settled()
    assert caught.value.code == "storage_unavailable"
    assert storage.log.count("write") == 4


def test_blocks_have_the_size_that_memory_was_measured_with() -> None:
    assert blobs.BLOCK_BYTES == 4_194_304
