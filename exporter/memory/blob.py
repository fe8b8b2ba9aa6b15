"""A memory as bytes.

    magic 8 | version 4 | bytes of the header 4 | number of people 8      numbers unsigned, little-endian
    header: JSON, filled with blanks to a multiple of 8 bytes
    the columns of `people.COLUMNS`, one after the other
    SHA-256 of all that, 32 bytes

Reading makes views of the columns and copies nothing. Unknown members of the header are ignored, so that a release can
be rolled back; another layout of the columns is another version.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Buffer
from dataclasses import dataclass
from typing import Annotated, Any, Final

import numpy as np
import numpy.typing as npt
import orjson
from pydantic import Field, ValidationError

from exporter.memory.hashes import Addresses, Flags
from exporter.memory.keys import PeopleKey
from exporter.memory.lack import Lack, Unreadable
from exporter.memory.people import COLUMNS, LAST_DAY, NO_DAY, PERSON_BYTES, People, State
from exporter.model import Value

VERSION: Final = 1
MAGIC: Final = b"\x89PEOPLE\n"
_PRELUDE: Final = struct.Struct("<8sIIQ")
_ALIGNMENT: Final = 8
_CHECKSUM_BYTES: Final = 32
_MOST_GENERATIONS: Final = 1_000_000
_STATES: Final = [state.value for state in State]


class OpenRun(Value):
    """A run some of whose imports had no final status yet. The next plan asks for them and folds what they say."""

    run: str
    imports: tuple[str, ...]
    """The ids of those that were not folded yet."""


class Header(Value):
    """What a memory is of."""

    key_check: str
    """Names the people key: `PeopleKey.check`."""
    generation: Annotated[int, Field(ge=1, le=_MOST_GENERATIONS)]
    """Of the keys."""
    membership: str
    """The digest of who is exported whereto: `runs.membership`."""
    values: str
    """The digest of what is sent of them beside the address."""
    run: str
    """The run that wrote it."""
    refresh: str = ""
    """The refresh that this run took, so that a second one without somebody can be told from the same one again."""
    repeated_on: Annotated[int, Field(ge=NO_DAY, le=LAST_DAY)] = NO_DAY
    """The day whose part was the last to be repeated; `NO_DAY`: none was yet."""
    open: tuple[OpenRun, ...] = ()
    """The oldest first."""


@dataclass(frozen=True, slots=True, eq=False)
class Memory:
    """What an export remembers."""

    header: Header
    people: People


def write(memory: Memory) -> bytes:
    """Return a memory as bytes. Raises `ValueError` for people who are not ascending: a defect of this program."""
    if not memory.people.addresses.is_ascending():
        raise ValueError("memory: expected people by ascending address, each once, found another order")
    header = orjson.dumps(memory.header.model_dump(mode="json", by_alias=True))
    header += b" " * (-len(header) % _ALIGNMENT)
    stored = zip(memory.people.columns(), COLUMNS.values(), strict=True)
    columns = [np.ascontiguousarray(column, kind).view(np.uint8).data for column, kind in stored]
    parts: list[Buffer] = [_PRELUDE.pack(MAGIC, VERSION, len(header), len(memory.people)), header, *columns]
    checksum = hashlib.sha256()
    for part in parts:
        checksum.update(part)
    return b"".join([*parts, checksum.digest()])


def read(data: bytes, key: PeopleKey) -> Memory:
    """Return a memory whose columns are views of `data`. Raises `Unreadable`, and nothing else, whatever `data` is."""
    header_bytes, count = _prelude(data)
    checksum = hashlib.sha256(memoryview(data)[:-_CHECKSUM_BYTES]).digest()
    if checksum != data[-_CHECKSUM_BYTES:]:
        raise Unreadable(Lack.DAMAGED, f"SHA-256 {data[-_CHECKSUM_BYTES:].hex()}", checksum.hex())
    start = _PRELUDE.size + header_bytes
    header = _header(data[_PRELUDE.size : start])
    _check_key(header, key)
    columns: list[npt.NDArray[Any]] = []
    for kind in COLUMNS.values():
        columns.append(np.frombuffer(data, kind, count, start))
        start += columns[-1].nbytes
    people = People.of(columns)
    _check_people(people)
    return Memory(header, people)


def _prelude(data: bytes) -> tuple[int, int]:
    """Return the size of the header in bytes and the number of people, if the data has the size that follows."""
    if not data.startswith(MAGIC[: len(data)] or MAGIC):
        raise Unreadable(Lack.NO_MEMORY, f"bytes that begin with {MAGIC.hex()}", data[: len(MAGIC)].hex() or "none")
    if len(data) < _PRELUDE.size:
        raise Unreadable(Lack.TRUNCATED, f"at least {_PRELUDE.size} bytes", str(len(data)))
    _, version, header_bytes, count = _PRELUDE.unpack_from(data)
    if version != VERSION:
        raise Unreadable(Lack.UNKNOWN_VERSION, f"version {VERSION}", f"version {version}")
    size = _PRELUDE.size + header_bytes + count * PERSON_BYTES + _CHECKSUM_BYTES
    if len(data) < size:
        raise Unreadable(Lack.TRUNCATED, f"{size} bytes for {count} people", str(len(data)))
    if len(data) > size or header_bytes % _ALIGNMENT:
        raise Unreadable(Lack.DAMAGED, f"{size} bytes for {count} people, a header in eights", str(len(data)))
    return header_bytes, count


def _header(data: bytes) -> Header:
    try:
        return Header.model_validate_json(data)
    except ValidationError as error:
        where = ", ".join(sorted({".".join(map(str, each["loc"])) or each["type"] for each in error.errors()}))
        raise Unreadable(Lack.DAMAGED, "a header with all its members", f"faults in {where}") from None


def _check_key(header: Header, key: PeopleKey) -> None:
    expected = PeopleKey(key.secret, header.generation).check
    if header.generation > key.generation:
        raise Unreadable(Lack.OTHER_KEY, f"a generation up to {key.generation}", str(header.generation))
    if header.key_check != expected:
        raise Unreadable(Lack.OTHER_KEY, f"the key named {expected}", f"the one named {header.key_check[:16]}")


def _check_people(people: People) -> None:
    strange = people.states[~np.isin(people.states, _STATES)]
    if len(strange):
        raise Unreadable(Lack.DAMAGED, f"states from {_STATES[0]} to {_STATES[-1]}", f"the state {strange[0]}")
    if people.addresses.is_ascending():
        return
    ordered = people.addresses.take(people.addresses.order())
    if ordered.is_ascending():
        raise Unreadable(Lack.UNSORTED, "people by ascending address", "another order")
    doubles = int(np.count_nonzero(_equal_to_next(ordered)))
    raise Unreadable(Lack.DOUBLES, "each address once", f"{doubles} that are there again")


def _equal_to_next(addresses: Addresses) -> Flags:
    heads, tails = addresses.heads, addresses.tails
    equal: Flags = (heads[1:] == heads[:-1]) & (tails[1:] == tails[:-1])
    return equal
