"""The fast way through a CSV file reads what the careful one reads."""

from __future__ import annotations

from collections.abc import Generator

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from exporter.source import readers
from exporter.source.formats import csv_blocks
from exporter.source.formats.csv_records import Syntax
from exporter.source.rows import Row
from tests.unit.source.one_file import rows, small_limits


def one_by_one(data: bytes, column_count: int, *, delimiter: str = ",", quoted: bool = True) -> list[Row]:
    """Read a text as the careful reader does when it has all of it at once."""
    syntax = Syntax(delimiter, quoted=quoted)
    blocks = readers._one_by_one(data, syntax, column_count, range(column_count), final=True)
    return [row for block in blocks if isinstance(block, list) for row in block]


def test_the_fast_way_is_taken_where_nothing_is_unusual(monkeypatch: pytest.MonkeyPatch) -> None:
    def nothing_left(data: bytes, *_: object, **__: object) -> Generator[list[object], None, int]:
        assert data == b""
        yield from ()
        return 0

    monkeypatch.setattr(readers, "_one_by_one", nothing_left)
    data = b'a,"b\nc"\nd,e\n' * 1_000 + b"f\n" * csv_blocks.MOST_FLAWED_ROWS
    assert len(rows(data, 2)) == 2_000 + csv_blocks.MOST_FLAWED_ROWS


# Pieces that mean something to a CSV reader, so that short texts already have every kind of trouble.
PIECES = [
    b"a",
    b",",
    b'"',
    b"\n",
    b"\r\n",
    b"\r",
    b"a,b\n",
    b'"x","y"\n',
    b"\xc3\xa9",
    b'""',
    b'"x\ry"',
    b"c,d\r",
    b"\xff",
    b" ",
    b', "b ""c", ',
]
TEXTS = st.lists(st.sampled_from(PIECES), max_size=60).map(b"".join)


@example(data=b'"a\n"\r\n', column_count=1, quoted=True, sizes=(200, 64, 16))
@given(
    data=TEXTS,
    column_count=st.integers(1, 3),
    quoted=st.booleans(),
    sizes=st.tuples(st.integers(8, 80), st.integers(4, 64), st.integers(2, 16)),
)
def test_the_service_reads_what_the_careful_reader_reads_of_the_whole_text(
    *, data: bytes, column_count: int, quoted: bool, sizes: tuple[int, int, int]
) -> None:
    if data.startswith((b"\xff\xfe", b"\xfe\xff", b"\x1f\x8b")):
        return
    with small_limits(*sizes):
        assert rows(data, column_count, quoted=quoted) == one_by_one(data, column_count, quoted=quoted)
