"""Parquet as others write it: every value is the text that independent readers find."""

from __future__ import annotations

import datetime as dt
import io
import math
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from uuid import UUID

import duckdb
import numpy as np
import polars as pl
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.source.files import SegmentFile
from exporter.source.formats import parquet
from exporter.source.rows import Row, rows_at
from tests import parquet_files
from tests.parquet_files import COUNT, WRITERS, table

INT96 = ("arrow INT96", "arrow Spark", "fastparquet INT96")
"""The writers of timestamps that have no zone in the file: some readers take UTC, others none."""

FILE = SegmentFile("segment.parquet", 0, "etag", 0.0)
ENCRYPTED = "double"
"""The column that is encrypted in the one file that has such a column."""


def read(data: bytes, names: list[str]) -> list[Row]:
    found: list[Row] = []
    for block in parquet.rows_of(io.BytesIO(data), FILE, names):
        found += rows_at(block, list(range(len(block))), range(len(names)))
    return found


def wanted(writer: str, data: bytes) -> list[str]:
    """Return the names of the columns that can be read."""
    columns = parquet.columns_of(io.BytesIO(data), FILE)
    hidden = ENCRYPTED if "encrypted" in writer else None
    return [name for name, data_type in columns if data_type != parquet.NESTED and name != hidden]


def by_duckdb(data: bytes, names: list[str], folder: Path) -> list[dict[str, object]]:
    path = folder / "file.parquet"
    path.write_bytes(data)
    columns = ", ".join(f'"{name}"' for name in names)
    with duckdb.connect() as connection:
        connection.execute("set timezone = 'UTC'")
        found: list[dict[str, object]] = connection.sql(f"select {columns} from '{path}'").to_arrow_table().to_pylist()
    return found


def by_polars(data: bytes, names: list[str], _: Path) -> list[dict[str, object]]:
    return pl.read_parquet(io.BytesIO(data), columns=names).select(names).to_dicts()


def plain(name: str, value: object) -> str:
    """Return the text of a value that another reader found."""
    match value:
        case None:
            return ""
        case list():
            return ";".join(filter(None, (plain(name, one) for one in value)))
        case bytes():
            return value.decode()
        case bool():
            return str(value).lower()
        case float() if math.isnan(value):
            return ""
        case float() if value == int(value):
            return str(int(value))
        case float():
            return str(np.float32(value)) if name == "float" else str(value)
        case Decimal():
            return f"{value:f}"
        case dt.datetime() if value.tzinfo:
            return f"{value.astimezone(dt.UTC).replace(tzinfo=None).isoformat()}Z"
        case dt.date() | dt.time():
            return value.isoformat()
        case _:
            assert isinstance(value, str | int | UUID)
            return str(value)


@pytest.mark.parametrize(
    ("writer", "reader"),
    [
        (writer, reader)
        for writer in WRITERS
        for reader in (by_duckdb, by_polars)
        if (writer, reader) != ("fastparquet INT96", by_polars)  # it takes that file for a damaged one
    ],
)
def test_every_value_is_the_text_that_another_reader_finds(
    writer: str, reader: Callable[[bytes, list[str], Path], list[dict[str, object]]], tmp_path: Path
) -> None:
    data = WRITERS[writer](table())
    names = wanted(writer, data)
    ours = read(data, names)
    assert len(ours) == COUNT
    theirs = [tuple(plain(name, row[name]) for name in names) for row in reader(data, names, tmp_path)]
    for name, column, other in zip(names, zip(*ours, strict=True), zip(*theirs, strict=True), strict=True):
        assert column == (tuple(text.removesuffix("Z") for text in other) if writer in INT96 else other), name


@pytest.mark.parametrize("writer", WRITERS)
def test_all_writers_write_the_same_people(writer: str) -> None:
    data = WRITERS[writer](table())
    names = wanted(writer, data)
    assert {"email", "text", "int", "phone", "float", "bool", "us", "ns", "zoned"} <= set(names)
    first = read(WRITERS["arrow none"](table()), names)
    if writer in INT96:
        first = [tuple(text.removesuffix("Z") for text in row) for row in first if isinstance(row, tuple)]
    assert read(data, names) == first


def test_the_types_of_duckdb_that_others_do_not_have_are_read(tmp_path: Path) -> None:
    query = """select uuid '00010203-0405-0607-0809-0a0b0c0d0e0f' guid, '{"a": 1}'::json json, 'b'::kind kind,
        1::hugeint huge, timestamptz '2026-01-02 03:04:05+02' zoned, timestamp_ns '2026-01-02 03:04:05.678901234' ns,
        null::integer nothing, ['a', null, 'b'] list, interval 3 days as period, {'a': 1} struct, map {'a': 1} map"""
    path = tmp_path / "file.parquet"
    with duckdb.connect() as connection:
        connection.execute("create type kind as enum ('a', 'b')")
        connection.execute(f"copy ({query}) to '{path}' (format parquet)")
    data = path.read_bytes()
    types = dict(parquet.columns_of(io.BytesIO(data), FILE))
    assert (types["guid"], types["struct"], types["map"]) == ("guid", "nested", "nested")
    names = ["guid", "json", "kind", "huge", "zoned", "ns", "nothing", "list"]
    assert read(data, names) == [
        (
            *("00010203-0405-0607-0809-0a0b0c0d0e0f", '{"a": 1}', "b", "1"),
            *("2026-01-02T01:04:05Z", "2026-01-02T03:04:05.678901", "", "a;b"),
        )
    ]


@pytest.mark.parametrize("writer", WRITERS)
def test_a_table_without_rows_has_its_columns(writer: str) -> None:
    data = WRITERS[writer](table().slice(0, 0))
    names = wanted(writer, data)
    assert "email" in names
    assert read(data, names) == []


TEXT = st.one_of(st.none(), st.text(st.characters(codec="utf-8"), max_size=20), st.sampled_from(["a" * 300, "a" * 301]))


@settings(max_examples=60, deadline=None)
@given(
    texts=st.lists(TEXT, min_size=1, max_size=60),
    lists=st.lists(st.one_of(st.none(), st.lists(TEXT, max_size=5)), min_size=1, max_size=60),
    options=st.fixed_dictionaries(
        {
            "use_dictionary": st.just(value=False),
            "column_encoding": st.sampled_from(["PLAIN", "DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY"]).map(
                lambda encoding: {"a": encoding, "b.list.element": encoding}
            ),
            "data_page_version": st.sampled_from(["1.0", "2.0"]),
            "row_group_size": st.sampled_from([1, 7, 100]),
            "data_page_size": st.sampled_from([500, 1 << 20]),
            "write_batch_size": st.sampled_from([2, 1024]),
        }
    )
    | st.fixed_dictionaries({"use_dictionary": st.just(value=True), "row_group_size": st.sampled_from([1, 7, 100])}),
)
def test_any_texts_and_lists_come_back(
    texts: list[str | None], lists: list[list[str | None] | None], options: dict[str, object]
) -> None:
    count = min(len(texts), len(lists))
    columns = {"a": pa.array(texts[:count], pa.string()), "b": pa.array(lists[:count], pa.list_(pa.string()))}
    data = parquet_files.by_arrow(pa.table(columns), **options)
    expected = zip(texts, lists, strict=False)
    assert read(data, ["a", "b"]) == [(text or "", ";".join(filter(None, some or []))) for text, some in expected]
