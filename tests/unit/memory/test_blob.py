"""A memory as bytes: what was written comes back, in place; anything else has a name."""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.memory.blob import MAGIC, Memory, OpenRun, read, write
from exporter.memory.keys import PeopleKey
from exporter.memory.lack import Lack, Unreadable
from exporter.memory.people import COLUMNS, State
from tests.memories import KEY, Known, addresses, header, memory, people, table

KNOWN = st.builds(
    Known,
    st.sampled_from(State),
    *[st.integers(0, 2**64 - 1)] * 2,
    *[st.integers(0, 65_535)] * 3,
    *[st.integers(0, 255)] * 2,
)
OPEN = st.lists(st.builds(OpenRun, run=st.text(max_size=9), imports=st.lists(st.text(max_size=9)).map(tuple)))
SOME = {
    1: Known(State.CONFIRMED, 2**64 - 1, 7, 5, since=20_000),
    2: Known(State.REFUSED, 3, next_try=20_784, refusals=4, reason=3),
    5: Known(State.IN_DOUBT, customer=9),
}
SAMPLE = write(memory(SOME, "run-1", open=(OpenRun(run="run-0", imports=("a", "b")),), refresh="r", repeated_on=20_783))
PRELUDE = 24


def refusal(data: bytes, key: PeopleKey = KEY) -> Unreadable:
    with pytest.raises(Unreadable) as refused:
        read(data, key)
    return refused.value


def sealed(data: bytes) -> bytes:
    """Return bytes with the checksum that they should have."""
    return data + hashlib.sha256(data).digest()


def resealed(data: bytes) -> bytes:
    """Return bytes with the checksum that they should have, so that more than the checksum has to notice."""
    return sealed(data[:-32])


def test_the_format_stays_as_it_is_since_releases_have_written_it() -> None:
    assert hashlib.sha256(SAMPLE).hexdigest() == "ab9d1192e60f3cdbf45d7f0b45eaf2e9e73f55741874af882621384677972576"


@given(st.dictionaries(st.integers(0, 40), KNOWN), st.text(), OPEN)
def test_what_was_written_comes_back(known: dict[int, Known], run: str, opened: list[OpenRun]) -> None:
    before = memory(known, run, open=tuple(opened))
    after = read(write(before), KEY)

    assert after.header == before.header
    assert table(after.people) == dict(sorted(known.items()))
    assert [column.dtype for column in after.people.columns()] == list(COLUMNS.values())


def test_reading_copies_nothing_and_each_column_begins_where_its_numbers_can() -> None:
    whole = np.frombuffer(SAMPLE, np.uint8)
    columns = list(read(SAMPLE, KEY).people.columns())

    assert all(np.shares_memory(column, whole) for column in columns)
    base = whole.__array_interface__["data"][0]
    assert [(column.__array_interface__["data"][0] - base) % column.itemsize for column in columns] == [0] * len(
        COLUMNS
    )


def test_unknown_members_of_the_header_are_ignored() -> None:
    data = SAMPLE[:-32].replace(b'"refresh"', b'"someday"')

    assert read(sealed(data), KEY).header == read(SAMPLE, KEY).header.model_copy(update={"refresh": ""})


def test_a_million_people_take_at_most_42_megabytes() -> None:
    imports = tuple(f"{number:036}" for number in range(4_000))  # all requests of a run

    size = len(write(memory({}, open=(OpenRun(run="r", imports=imports),)))) + 37 * 1_000_000

    assert size <= 42_000_000


@pytest.mark.parametrize(
    ("data", "lack", "message"),
    [
        (b"", Lack.NO_MEMORY, f"memory: expected bytes that begin with {MAGIC.hex()}, found none"),
        (
            b'{"schemaVersion": 2}',
            Lack.NO_MEMORY,
            f"memory: expected bytes that begin with {MAGIC.hex()}, found 7b22736368656d61",
        ),
        (MAGIC[:3], Lack.TRUNCATED, "memory: expected at least 24 bytes, found 3"),
        (SAMPLE[:23], Lack.TRUNCATED, "memory: expected at least 24 bytes, found 23"),
        (SAMPLE[:-1], Lack.TRUNCATED, f"memory: expected {len(SAMPLE)} bytes for 3 people, found {len(SAMPLE) - 1}"),
        (
            SAMPLE + b"\0",
            Lack.DAMAGED,
            f"memory: expected {len(SAMPLE)} bytes for 3 people, a header in eights, found {len(SAMPLE) + 1}",
        ),
        (
            SAMPLE[:8] + struct.pack("<I", 2) + SAMPLE[12:],
            Lack.UNKNOWN_VERSION,
            "memory: expected version 1, found version 2",
        ),
    ],
)
def test_other_bytes_are_refused_by_name(data: bytes, lack: Lack, message: str) -> None:
    refused = refusal(data)

    assert (refused.lack, str(refused)) == (lack, message)
    assert message == f"memory: expected {refused.expected}, found {refused.found}"


@given(st.integers(0, len(SAMPLE) - 1), st.integers(1, 255))
def test_no_byte_can_change_unnoticed(place: int, change: int) -> None:
    data = bytearray(SAMPLE)
    data[place] ^= change

    assert refusal(bytes(data)).lack in {
        *(Lack.NO_MEMORY, Lack.UNKNOWN_VERSION, Lack.TRUNCATED, Lack.DAMAGED),
    }


@given(st.integers(0, len(SAMPLE) - 1))
def test_every_end_that_is_missing_is_noticed(size: int) -> None:
    assert refusal(SAMPLE[:size]).lack is (Lack.TRUNCATED if size else Lack.NO_MEMORY)


PATCHES = st.lists(
    st.tuples(st.integers(0, len(SAMPLE)), st.binary(max_size=9), st.integers(0, 12)), min_size=1, max_size=4
)


@given(PATCHES, st.sampled_from([bytes, resealed]))
@example([(12, b"\xff\xff\xff\xff", 4)], resealed)
@example([(16, b"\xff" * 8, 8)], resealed)
@example([(16, struct.pack("<Q", 2**57), 8)], resealed)
@example([(PRELUDE, b"[" * 40, 40)], resealed)
@example([(PRELUDE, b"\xff", 1)], resealed)
def test_whatever_bytes_come_only_one_kind_of_error_leaves(
    patches: list[tuple[int, bytes, int]], finished: Callable[[bytes], bytes]
) -> None:
    data = SAMPLE
    for place, put, taken in patches:
        data = data[:place] + put + data[place + taken :]
    with suppress(Unreadable):
        found = read(finished(data), KEY)
        assert found.people.addresses.is_ascending()
        assert set(found.people.states.tolist()) <= set(State)


@given(st.binary(max_size=200))
def test_nor_from_any_other_bytes(data: bytes) -> None:
    assert isinstance(refusal(data), Unreadable)
    assert isinstance(refusal(SAMPLE[:12] + data), Unreadable)


def with_people(change: Callable[[dict[str, Any]], None]) -> bytes:
    """Return a memory with other columns, as a program with a defect might leave it."""
    before = read(SAMPLE, KEY)
    columns = {name: column.copy() for name, column in zip(COLUMNS, before.people.columns(), strict=True)}
    change(columns)
    start = len(SAMPLE) - 32 - 37 * 3
    return sealed(SAMPLE[:start] + b"".join(column.tobytes() for column in columns.values()))


def test_another_order_and_doubles_are_told_apart() -> None:
    def turn(columns: dict[str, Any]) -> None:
        columns["heads"][:] = [9, 7, 8]

    def double(columns: dict[str, Any]) -> None:
        columns["tails"][:2] = columns["tails"][0]

    unsorted, doubles = refusal(with_people(turn)), refusal(with_people(double))

    assert (unsorted.lack, str(unsorted)) == (
        Lack.UNSORTED,
        "memory: expected people by ascending address, found another order",
    )
    assert (doubles.lack, str(doubles)) == (
        Lack.DOUBLES,
        "memory: expected each address once, found 1 that are there again",
    )


@pytest.mark.parametrize("state", [0, 6, 255])
def test_a_state_that_means_nothing_is_damage(state: int) -> None:
    def spoil(columns: dict[str, Any]) -> None:
        columns["states"][1] = state

    refused = refusal(with_people(spoil))

    assert (refused.lack, str(refused)) == (
        Lack.DAMAGED,
        f"memory: expected states from 1 to 5, found the state {state}",
    )


def test_a_header_that_lacks_something_is_damage() -> None:
    refused = refusal(sealed(SAMPLE[:-32].replace(b'"membership"', b'"memberless"')))

    assert (refused.lack, refused.found) == (Lack.DAMAGED, "faults in membership")


def test_another_key_is_named() -> None:
    other = PeopleKey(bytes(32))
    refused = refusal(SAMPLE, other)

    assert refused.lack is Lack.OTHER_KEY
    assert str(refused) == f"memory: expected the key named {other.check}, found the one named {KEY.check}"


def test_an_older_generation_of_the_key_is_read_and_a_newer_one_is_not() -> None:
    newer = PeopleKey(KEY.secret, 2)

    assert table(read(SAMPLE, newer).people) == SOME
    refused = refusal(write(Memory(header(key_check=newer.check, generation=2), people(SOME))))
    assert (refused.lack, refused.expected, refused.found) == (Lack.OTHER_KEY, "a generation up to 1", "2")


def test_people_in_another_order_are_never_written() -> None:
    turned = people(SOME).take(np.array([1, 0, 2]))

    assert not addresses([2, 1]).is_ascending()
    with pytest.raises(ValueError, match="each once, found another order"):
        write(Memory(header(), turned))
