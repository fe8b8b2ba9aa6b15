"""Conditional writes whose answers are lost, and what the service's own times say. No storage: that is in contracts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from azure.core.exceptions import (
    HttpResponseError,
    ResourceExistsError,
    ResourceModifiedError,
    ResourceNotFoundError,
    ServiceResponseError,
)

from exporter.adapters import blobs
from exporter.adapters.blobs import AzureBlobs
from exporter.errors import Culprit, Unavailable
from exporter.ports import Changed
from tests.unit.adapters.storage_wire import MODIFIED as WRITTEN
from tests.unit.adapters.storage_wire import Damaged, Wire, blob, service


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


@pytest.fixture(autouse=True)
def paused_s(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """How long was waited between tries, in seconds."""
    pauses: list[float] = []
    monkeypatch.setattr(blobs, "time", SimpleNamespace(sleep=pauses.append))
    return pauses


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
        return blobs._settled("b.blob.core.windows.net", write, self.stored)


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


def test_a_service_that_is_busy_is_given_time(paused_s: list[float]) -> None:
    assert Storage([status(503)] * 3 + [DONE], [None] * 3).settled() == DONE
    assert paused_s == [1, 3], "the first retry follows at once: most often, one connection broke off"


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


@pytest.mark.parametrize(
    ("http", "code"),
    [
        (412, "LeaseIdMissing"),
        (409, "BlobImmutableDueToPolicy"),
        (409, "ContainerBeingDeleted"),
    ],
)
def test_a_blob_that_somebody_has_locked_is_no_conflict_but_told(http: int, code: str) -> None:
    locked: Any = status(http)
    locked.error_code = code
    with pytest.raises(Unavailable, match=f"status {http}, {code}"):
        Storage([locked] * 4, [None] * 4).settled()


def test_a_blob_that_somebody_has_archived_is_no_conflict_but_told() -> None:
    archived: Any = status(409)
    archived.error_code = "BlobArchived"
    with pytest.raises(Unavailable, match=r"b\.blob\.core\.windows\.net is in the archive tier") as caught:
        Storage([archived] * 4, [None] * 4).settled()
    assert (caught.value.code, caught.value.culprit) == ("storage_archived", Culprit.USER)


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


def test_a_blob_is_as_old_as_the_service_says() -> None:
    wire = Wire(blob(b"record", WRITTEN + 90))
    found = AzureBlobs(service(wire)).read("records/x.json")
    assert found
    assert (found.data, found.age_s) == (b"record", 90)


def test_an_age_that_never_comes_is_an_outage() -> None:
    wire = Wire(*(answer for _ in range(4) for answer in (LOST, blob(b"record", WRITTEN))))
    with pytest.raises(Unavailable):
        AzureBlobs(service(wire)).read("records/x.json")


@pytest.mark.parametrize(
    "read",
    [
        lambda found: found.read("records/x"),
        lambda found: found.read_range("records/x", 0, 6),
        lambda found: found.stream("records/x"),
    ],
)
def test_a_body_that_is_damaged_on_its_way_is_an_outage_and_no_defect(read: Callable[[AzureBlobs], object]) -> None:
    with pytest.raises(Unavailable, match="SSLError"):
        read(AzureBlobs(service(Wire(blob(b"record", WRITTEN, Damaged())))))


def test_blocks_have_the_size_that_memory_was_measured_with() -> None:
    assert blobs.BLOCK_BYTES == 4_194_304
