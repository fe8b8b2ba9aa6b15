"""Parquet files as others write them: pyarrow in every encoding and compression, pandas, polars, DuckDB, fastparquet.

All hold the same people, each writer with the types that it has.
"""

from __future__ import annotations

import base64
import datetime as dt
import io
import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import fastparquet
import polars as pl
import pyarrow as pa
import pyarrow.parquet as pq
import pyarrow.parquet.encryption as pe

COUNT = 40
UTC = dt.UTC
TEXTS = ("Ada", "Jos\u00e9", "\u5c71\u7530", "\U0001f600", "", "a;b", 'say "hi"', "line\nbreak", None)
_CYCLE = list(itertools.islice(itertools.cycle(TEXTS), COUNT))
_DAYS = [dt.date(1969, 12, 28) + dt.timedelta(days=997 * number) for number in range(COUNT)]
_TIMES = [dt.datetime(2026, 1, 2, 3, 4, 5, 678901) + dt.timedelta(hours=31 * n) for n in range(COUNT)]  # noqa: DTZ001 - as they are


def _some[T](values: list[T]) -> list[T | None]:
    return [None if number % 7 == 3 else value for number, value in enumerate(values)]


def table() -> pa.Table:
    """Return the people with every type that is read as text."""
    return pa.table(
        {
            "email": [f"person{number:03}@example.com" for number in range(COUNT)],
            "text": pa.array(_CYCLE),
            "large": pa.array(_CYCLE, pa.large_string()),
            "bytes": pa.array(_CYCLE).cast(pa.binary()),
            "category": pa.array(_CYCLE).dictionary_encode(),
            "int": pa.array(_some([number - 5 for number in range(COUNT)]), pa.int64()),
            "small": pa.array(_some(list(range(COUNT))), pa.uint8()),
            "double": pa.array(_some([number / 8 for number in range(COUNT)])),
            "phone": pa.array(_some([31612345678.0 + number for number in range(COUNT)])),
            "float": pa.array(_some([number / 10 for number in range(COUNT)]), pa.float32()),
            "bool": pa.array(_some([number % 2 == 0 for number in range(COUNT)])),
            "decimal": pa.array(_some([Decimal(number - 9) / 4 for number in range(COUNT)]), pa.decimal128(12, 2)),
            "date": pa.array(_some(_DAYS)),
            "time": pa.array(_some([(time.replace(microsecond=0)).time() for time in _TIMES]), pa.time32("s")),
            "us": pa.array(_some(_TIMES), pa.timestamp("us")),
            "ms": pa.array(_some([time.replace(microsecond=678000) for time in _TIMES]), pa.timestamp("ms")),
            "ns": pa.array(_some(_TIMES), pa.timestamp("ns")),
            "zoned": pa.array(_some([time.replace(tzinfo=UTC) for time in _TIMES]), pa.timestamp("us", "UTC")),
            "list": pa.array(_some([["tea", "caf\u00e9"][: number % 3] for number in range(COUNT)])),
            "ints": pa.array(_some([list(range(number % 4)) for number in range(COUNT)])),
            "nothing": pa.nulls(COUNT, pa.string()),
            "struct": pa.array([{"a": number, "b": ["x"]} for number in range(COUNT)]),
        }
    )


NESTED = ("struct",)


def by_arrow(data: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    pq.write_table(data, file, **options)
    return file.getvalue()


def by_pandas(data: pa.Table) -> bytes:
    file = io.BytesIO()
    data.to_pandas().to_parquet(file, engine="pyarrow")
    return file.getvalue()


def by_polars(data: pa.Table, **options: Any) -> bytes:
    file = io.BytesIO()
    frame = pl.from_arrow(data)
    assert isinstance(frame, pl.DataFrame)
    frame.write_parquet(file, **options)
    return file.getvalue()


def by_duckdb(data: pa.Table, version: str, codec: str = "snappy") -> bytes:
    with tempfile.TemporaryDirectory() as folder, duckdb.connect() as connection:
        path = Path(folder) / "file.parquet"
        connection.execute("set timezone = 'UTC'")
        connection.register("people", data)
        connection.execute(
            f"copy people to '{path}' (format parquet, parquet_version {version}, codec {codec}, row_group_size 2048)"
        )
        return path.read_bytes()


def by_fastparquet(data: pa.Table, **options: Any) -> bytes:
    frame = data.drop_columns([name for name in data.column_names if name in _NOT_FASTPARQUET]).to_pandas()
    if options.get("times") == "int96":
        frame = frame.astype({"us": "datetime64[ns]", "ms": "datetime64[ns]", "zoned": "datetime64[ns, UTC]"})
    with tempfile.TemporaryDirectory() as folder, warnings.catch_warnings(action="ignore"):  # pandas will change
        path = Path(folder) / "file.parquet"
        fastparquet.write(str(path), frame, **options)
        return path.read_bytes()


_NOT_FASTPARQUET = ("list", "ints", "struct", "decimal", "date", "time", "nothing", "bytes")


class _Keys(pe.KmsClient):  # type: ignore[misc]  # ships no types
    """Keys that are held in memory."""

    def __init__(self, _config: object) -> None:
        super().__init__()

    def wrap_key(self, key_bytes: bytes, master_key_identifier: str) -> bytes:
        return base64.b64encode(master_key_identifier.encode() + b":" + key_bytes)

    def unwrap_key(self, wrapped_key: bytes, master_key_identifier: str) -> bytes:
        return base64.b64decode(wrapped_key).partition(b":")[2]


def encrypted(data: pa.Table, columns: list[str], *, plaintext_footer: bool) -> bytes:
    """Return a file of which some columns are encrypted, and the footer, unless it is plain."""
    properties = pe.CryptoFactory(_Keys).file_encryption_properties(
        pe.KmsConnectionConfig(),
        pe.EncryptionConfiguration(
            footer_key="footer", column_keys={"column": columns}, plaintext_footer=plaintext_footer
        ),
    )
    return by_arrow(data, encryption_properties=properties)


def _encodings() -> Iterator[tuple[str, dict[str, Any]]]:
    texts, numbers = ["email", "text", "large", "bytes"], ["int", "small", "date", "us", "ms"]
    for name, columns in (
        ("DELTA_BYTE_ARRAY", texts),
        ("DELTA_LENGTH_BYTE_ARRAY", texts),
        ("DELTA_BINARY_PACKED", numbers),
        ("BYTE_STREAM_SPLIT", ["double", "phone", "float", "int"]),
        ("RLE", ["bool"]),
        ("PLAIN", [*texts, *numbers]),
    ):
        options = {"use_dictionary": False, "column_encoding": dict.fromkeys(columns, name)}
        yield f"arrow {name}", options
        yield f"arrow {name}, pages V2", {**options, "data_page_version": "2.0"}


WRITERS: dict[str, Callable[[pa.Table], bytes]] = {
    **{
        f"arrow {codec}": lambda data, codec=codec: by_arrow(data, compression=codec)  # type: ignore[misc]
        for codec in ("none", "snappy", "gzip", "brotli", "zstd", "lz4")
    },
    **{name: lambda data, options=options: by_arrow(data, **options) for name, options in _encodings()},  # type: ignore[misc]
    "arrow version 1.0": lambda data: by_arrow(data, version="1.0", store_schema=False),
    "arrow pages V2": lambda data: by_arrow(data, data_page_version="2.0", write_page_checksum=True),
    "arrow, many row groups and pages": lambda data: by_arrow(
        data, row_group_size=7, data_page_size=1, write_batch_size=2
    ),
    "arrow INT96": lambda data: by_arrow(data, use_deprecated_int96_timestamps=True, store_schema=False),
    "arrow Spark": lambda data: by_arrow(data, flavor="spark", use_compliant_nested_type=False),
    "arrow page index": lambda data: by_arrow(data, write_page_index=True, store_decimal_as_integer=True),
    "pandas": by_pandas,
    "polars": by_polars,
    "polars gzip, row groups": lambda data: by_polars(data, compression="gzip", row_group_size=9),
    "DuckDB V1": lambda data: by_duckdb(data, "V1"),
    "DuckDB V2": lambda data: by_duckdb(data, "V2"),
    "DuckDB V2 brotli": lambda data: by_duckdb(data, "V2", "brotli"),
    "fastparquet": by_fastparquet,
    "fastparquet INT96": lambda data: by_fastparquet(data, times="int96", compression="GZIP"),
    "one column encrypted": lambda data: encrypted(data, ["double"], plaintext_footer=True),
}


def write_all(folder: Path) -> None:
    """Write the file of each writer, under its name."""
    for name, write in WRITERS.items():
        (folder / name).write_bytes(write(table()))
