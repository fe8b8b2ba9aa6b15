"""CSV files as others write them: each holds the same table, however it was told to write."""

from __future__ import annotations

import codecs
import csv
import gzip
import io
from collections.abc import Callable
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.csv as pa_csv
import pytest

from exporter.source.readers import read_rows
from exporter.source.rows import rows_at
from tests.unit.source.landing import Landing

NAMES = ["CustomerId", "EMail", "First Name", "Note, free"]
ROWS = [
    ("1", "a@example.com", "Zo\u00eb", 'says "hi"'),
    ("2", "b@example.com", "J\u00f6rg", "two\nlines"),
    ("3", "c@example.com", "O'Neil; Jr.", "tab\there"),
    ("4", "d@example.com", "", "a, b | c"),
    ("5", "e@example.com", " Ada ", "\u20ac 5"),
]
TABLE = {name: [row[place] for row in ROWS] for place, name in enumerate(NAMES)}


def python_csv(*, encoding: str = "utf-8", before: str = "", **form: object) -> bytes:
    text = io.StringIO(before, newline="")
    text.seek(0, io.SEEK_END)
    csv.writer(text, **form).writerows([NAMES, *ROWS])  # type: ignore[arg-type]  # a dialect's members
    return text.getvalue().encode(encoding)


def pandas_csv(**form: object) -> Callable[[Path], None]:
    return lambda path: pd.DataFrame(TABLE).to_csv(path, index=False, **form)  # type: ignore[call-overload]


def polars_csv(**form: object) -> Callable[[Path], None]:
    return lambda path: pl.DataFrame(TABLE).write_csv(path, **form)  # type: ignore[call-overload]


def duckdb_csv(options: str) -> Callable[[Path], None]:
    table = pa.table(TABLE)

    def write(path: Path) -> None:
        with duckdb.connect() as connection:
            connection.register("people", table)
            connection.execute(f"COPY people TO '{path}' ({options})")

    return write


WRITERS: dict[str, bytes | Callable[[Path], None]] = {
    "python": python_csv(),
    "python, LF": python_csv(lineterminator="\n"),
    "python, all quoted": python_csv(quoting=csv.QUOTE_ALL),
    "Excel in Germany": python_csv(delimiter=";", encoding="utf-8-sig"),
    "Excel, sep=": python_csv(delimiter=";", before="sep=;\r\n"),
    "Excel, Unicode text": python_csv(delimiter="\t", encoding="utf-16"),
    "big endian": codecs.BOM_UTF16_BE + python_csv(encoding="utf-16-be"),
    "pipes": python_csv(delimiter="|"),
    "gzip of tabs": gzip.compress(python_csv(delimiter="\t")),
    "pandas": pandas_csv(),
    "pandas, semicolons": pandas_csv(sep=";"),
    "pandas, gzip": pandas_csv(compression="gzip"),
    "pandas, all quoted, BOM": pandas_csv(quoting=csv.QUOTE_ALL, encoding="utf-8-sig"),
    "polars": polars_csv(),
    "polars, BOM and CRLF": polars_csv(include_bom=True, line_terminator="\r\n"),
    "polars, always quoted": polars_csv(quote_style="always", separator=";"),
    "DuckDB": duckdb_csv("FORMAT csv, HEADER"),
    "DuckDB, pipes, all quoted": duckdb_csv("FORMAT csv, HEADER, DELIMITER '|', FORCE_QUOTE *"),
    "DuckDB, gzip": duckdb_csv("FORMAT csv, HEADER, COMPRESSION gzip"),
    "Arrow": lambda path: pa_csv.write_csv(pa.table(TABLE), path),
}


@pytest.mark.parametrize("writer", WRITERS.values(), ids=WRITERS.keys())
@pytest.mark.parametrize("name", ["people.csv", "part-00000"])
def test_a_table_is_read_back_as_it_was_whoever_wrote_it(
    landing: Landing, tmp_path: Path, writer: bytes | Callable[[Path], None], name: str
) -> None:
    if not isinstance(writer, bytes):
        path = tmp_path / "table"
        writer(path)
        writer = path.read_bytes()
    landing.write(f"people/{name}", writer)
    refresh = landing.find("people")
    (partition,) = refresh.partitions
    assert [column.name for column in refresh.columns] == NAMES
    blocks = read_rows(landing.files, partition, NAMES)
    found = [row for block in blocks for row in rows_at(block, list(range(len(block))), list(range(len(NAMES))))]
    assert found == ROWS
