"""Parquet: the right text for each type, refusals for what holds no text, bounded pieces."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter.errors import Stop
from exporter.ports import Changed
from exporter.reasons import Reason
from exporter.source.files import SegmentFile
from exporter.source.formats import parquet
from exporter.source.rows import Row, rows_at

FILE = SegmentFile("segment.parquet", 0, "etag", 0.0)
PLUS_TWO = dt.timezone(dt.timedelta(hours=2))


def stored(columns: dict[str, object], **options: object) -> io.BytesIO:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file, **options)
    return file


def read(file: io.BytesIO, *names: str) -> list[Row]:
    found: list[Row] = []
    for block in parquet.rows_of(file, FILE, names):
        count = len(block) if isinstance(block, list) else block.num_rows
        found += rows_at(block, list(range(count)), range(len(names)))
    return found


@pytest.mark.parametrize(
    ("values", "texts"),
    [
        (pa.array(["a", "", None]), ["a", "", ""]),
        (pa.array(["a", None], pa.large_string()), ["a", ""]),
        (pa.array([b"a", b"\xc3\xa4"]), ["a", "\u00e4"]),
        (pa.array(["x", "y", "x"]).dictionary_encode(), ["x", "y", "x"]),
        (pa.array([1, -20, None]), ["1", "-20", ""]),
        (pa.array([7], pa.uint64()), ["7"]),
        (pa.array([1.0, 0.1, 1e22, float("nan"), None]), ["1.0", "0.1", "1e+22", "", ""]),
        (pa.array([True, False, None]), ["true", "false", ""]),
        (pa.array([Decimal("1.50"), Decimal("-0.01")]), ["1.50", "-0.01"]),
        (pa.array([dt.date(2026, 11, 3), None]), ["2026-11-03", ""]),
        (pa.array([dt.time(1, 2, 3)]), ["01:02:03"]),
        (pa.array([dt.datetime(2026, 1, 2, 3, 4, 5)], pa.timestamp("ns")), ["2026-01-02T03:04:05"]),  # noqa: DTZ001 - as it is
        (pa.array([dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=PLUS_TWO)]), ["2026-01-02T01:04:05Z"]),
        (pa.nulls(2), ["", ""]),
    ],
)
def test_each_type_has_one_text(values: pa.Array, texts: list[str]) -> None:
    assert read(stored({"c": values}), "c") == [(text,) for text in texts]


def test_bytes_that_are_not_utf8_reject_their_row_only() -> None:
    file = stored({"a": pa.array([b"x", b"\xff", b"z"]), "b": [1, 2, 3]})
    assert read(file, "a", "b") == [("x", "1"), Reason.NOT_UTF8, ("z", "3")]


@pytest.mark.parametrize(
    "column",
    [
        pa.array([0, 10**9, 0], pa.int32()).cast(pa.date32()),
        pa.array([0, 10**13, 0]).cast(pa.timestamp("s")),
        pa.array([0, 10**17, 0]).cast(pa.timestamp("ms", "UTC")),
    ],
)
def test_a_date_beyond_the_calendar_rejects_its_row_only(column: pa.Array) -> None:
    first, second, third = read(stored({"a": column}), "a")
    assert second is Reason.DATE_OUT_OF_RANGE
    assert first == third
    assert str(first[0]).startswith("1970-01-01")


@pytest.mark.parametrize("values", [[[1]], [{"x": 1}]])
def test_a_mapped_column_that_is_nested_is_refused(values: list[object]) -> None:
    file = stored({"a": ["x"], "b": values})
    assert read(file, "a") == [("x",)]
    with pytest.raises(Stop) as caught:
        read(file, "b")
    assert caught.value.code == "column_unreadable"


def test_a_column_that_is_missing_is_refused() -> None:
    with pytest.raises(Stop, match=r"segment\.parquet"):
        read(stored({"a": ["x"]}), "b")


@pytest.mark.parametrize("cut", [0, 4, 60, -1, -20])
def test_a_truncated_file_is_refused(cut: int) -> None:
    data = stored({"a": [f"{n}" for n in range(5_000)]}).getvalue()
    with pytest.raises(Stop) as caught:
        read(io.BytesIO(data[:cut]), "a")
    assert caught.value.code == "parquet_damaged"


def test_a_damaged_page_is_refused() -> None:
    data = bytearray(stored({"a": [f"value {n * 7919}" for n in range(5_000)]}).getvalue())
    data[40:4_000] = bytes(len(data[40:4_000]))
    with pytest.raises(Stop) as caught:
        read(io.BytesIO(bytes(data)), "a")
    assert caught.value.code == "parquet_damaged"


def test_a_column_whose_name_is_no_text_is_refused() -> None:
    data = stored({"na\u00efve": ["x"]}, store_schema=False).getvalue().replace(b"na\xc3\xafve", b"na\xc3.ve")
    for look in (lambda: read(io.BytesIO(data), "a"), lambda: parquet.columns_of(io.BytesIO(data), FILE)):
        with pytest.raises(Stop) as caught:
            look()
        assert caught.value.code == "parquet_damaged"


def test_a_replaced_file_is_noticed_and_not_taken_for_a_damaged_one() -> None:
    class Replaced(io.BytesIO):
        reads = 0

        def read(self, size: int | None = -1, /) -> bytes:
            self.reads += 1
            if self.reads > 4:
                raise Changed
            return super().read(size)

    data = stored({"a": [f"{n}" for n in range(200_000)]}, row_group_size=10_000).getvalue()
    with pytest.raises(Changed):
        read(Replaced(data), "a")


def test_a_text_that_is_too_large_rejects_its_row_only() -> None:
    file = stored({"a": ["x", "y" * (5 << 20), "z"], "b": [1, 2, 3]})
    assert read(file, "a", "b") == [("x", "1"), Reason.ROW_TOO_LARGE, ("z", "3")]


def test_a_dictionary_that_would_inflate_to_gigabytes_is_refused() -> None:
    large = pa.DictionaryArray.from_arrays(pa.array([0] * 2_000, pa.int32()), pa.array(["y" * (5 << 20)]))
    file = stored({"a": large})
    assert len(file.getvalue()) < 1 << 20
    with pytest.raises(Stop) as caught:
        read(file, "a")
    assert caught.value.code == "texts_too_large"


def test_pieces_are_bounded_whatever_the_row_group_holds() -> None:
    file = stored({"a": ["y" * 100_000] * 100})
    blocks = list(parquet.rows_of(file, FILE, ["a"]))
    assert sum(block.num_rows for block in blocks if isinstance(block, pa.RecordBatch)) == 100
    assert all(block.num_rows <= 11 for block in blocks if isinstance(block, pa.RecordBatch))


def test_the_columns_have_the_common_data_models_types() -> None:
    file = stored({"a": ["x"], "b": [1], "c": [[1]], "d": [dt.date(2026, 1, 1)]})
    assert parquet.columns_of(file, FILE) == [("a", "string"), ("b", "int64"), ("c", "nested"), ("d", "date")]


def rows_at_once(file: io.BytesIO, *names: str) -> int:
    return parquet._rows_at_once(pq.ParquetFile(file), file, FILE, 0, names)


def dictionary(text: str, count: int) -> pa.DictionaryArray:
    """Return a column in which each row refers to the same text."""
    return pa.DictionaryArray.from_arrays(pa.array([0] * count, pa.int32()), pa.array([text]))


@pytest.mark.parametrize(
    ("lengths", "rows"),
    [([1], 8_192), ([4_096], 8_192), ([4_097], 8_190), ([4_096, 4_096], 4_096), ([1 << 20], 32)],
)
def test_at_most_8192_rows_and_32_mib_are_decoded_at_once(lengths: list[int], rows: int) -> None:
    columns = {f"{number}": dictionary("y" * length, 100) for number, length in enumerate(lengths)}
    assert rows_at_once(stored(columns), *columns) == rows


@pytest.mark.parametrize(("length", "rows"), [(1_000, 2), (1_001, 1), (2_000, 1), (2_001, 1)])
def test_a_row_that_is_larger_than_that_is_decoded_alone(
    length: int, rows: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parquet, "BYTES_AT_ONCE", 2_000)
    assert rows_at_once(stored({"a": dictionary("y" * length, 100)}), "a") == rows


def test_columns_that_are_not_wanted_do_not_count() -> None:
    assert rows_at_once(stored({"a": dictionary("y", 100), "b": dictionary("y" * (1 << 20), 100)}), "a") == 8_192


@pytest.mark.parametrize(
    ("length", "rows", "fits"), [(20, 50, True), (20, 51, False), (10, 101, True), (11, 91, False)]
)
def test_a_row_group_is_decoded_up_to_a_limit_where_its_texts_are_too_large_to_be_sent(
    length: int, rows: int, *, fits: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert parquet.MOST_DECODED_BYTES == 4_294_967_296
    monkeypatch.setattr(parquet, "MOST_DECODED_BYTES", 1_000)
    monkeypatch.setattr(parquet, "MAX_ROW_BYTES", 10)
    monkeypatch.setattr(parquet, "BYTES_AT_ONCE", 1)
    file = stored({"a": dictionary("y" * length, rows)})
    if fits:
        assert len(read(file, "a")) == rows
    else:
        with pytest.raises(Stop, match=f"texts of {length} bytes for {rows} rows") as caught:
            read(file, "a")
        assert caught.value.code == "texts_too_large"


@pytest.mark.parametrize(
    ("length", "counts"), [(1 << 19, [2, 2]), ((1 << 19) + 1, [1] * 4), ((1 << 20) + 1, [1] * 4), (1 << 18, [4])]
)
def test_rows_come_in_pieces_of_1_mib(length: int, counts: list[int]) -> None:
    blocks = list(parquet.rows_of(stored({"a": ["y" * length] * 4}), FILE, ["a"]))
    assert [block.num_rows if isinstance(block, pa.RecordBatch) else len(block) for block in blocks] == counts


def test_a_row_of_4_mib_over_all_columns_is_read_and_one_byte_more_rejects_it() -> None:
    half = "y" * (2 << 20)
    first, second = read(stored({"a": [half, half], "b": [half, half + "y"]}), "a", "b")
    assert first == (half, half)
    assert second is Reason.ROW_TOO_LARGE
