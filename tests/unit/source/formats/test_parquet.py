"""Parquet: the right text for each type, refusals for what holds no text, bounded pieces."""

from __future__ import annotations

import datetime as dt
import io
from decimal import Decimal
from types import SimpleNamespace

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter.errors import Stop
from exporter.ports import Changed
from exporter.reasons import Reason
from exporter.source.files import SegmentFile
from exporter.source.formats import parquet
from exporter.source.rows import Row, rows_at
from tests.parquet_files import encrypted

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
        (pa.array([1.0, 0.1, 1e22, float("nan"), None]), ["1", "0.1", "1e+22", "", ""]),
        (
            pa.array([31612345678.0, -0.0, 2.0**53 - 1, 2.0**53]),
            ["31612345678", "0", f"{2**53 - 1}", "9007199254740992.0"],
        ),
        (pa.array([0.1, 20.0, float("nan"), None], pa.float32()), ["0.1", "20", "", ""]),
        (pa.array([1.5, 20.0], pa.float16()), ["1.5", "20"]),
        (pa.array([True, False, None]), ["true", "false", ""]),
        (pa.array([Decimal("1.50"), Decimal("-0.01")]), ["1.50", "-0.01"]),
        (pa.array([dt.date(2026, 11, 3), None]), ["2026-11-03", ""]),
        (pa.array([dt.time(1, 2, 3)]), ["01:02:03"]),
        (pa.array([3_723_000_000_789], pa.time64("ns")), ["01:02:03"]),
        (pa.array([dt.datetime(2026, 1, 2, 3, 4, 5)], pa.timestamp("ns")), ["2026-01-02T03:04:05"]),  # noqa: DTZ001 - as it is
        (pa.array([dt.datetime(2026, 1, 2, 3, 4, 5, tzinfo=PLUS_TWO)]), ["2026-01-02T03:04:05+02:00"]),
        (pa.array([1_767_315_845], pa.timestamp("s", "Asia/Jakarta")), ["2026-01-02T08:04:05+07:00"]),
        (pa.array([1_767_315_845_000], pa.timestamp("ms", "UTC")), ["2026-01-02T01:04:05Z"]),
        (pa.array([1_767_315_845], pa.timestamp("s", "Mars/Olympus")), ["2026-01-02T01:04:05Z"]),
        (pa.nulls(2), ["", ""]),
        (pa.array([bytes(range(16)), None], pa.uuid()), ["00010203-0405-0607-0809-0a0b0c0d0e0f", ""]),
        (pa.array(['{"a":1}', None], pa.json_()), ['{"a":1}', ""]),
        (pa.array(["x", "y"], pa.string_view()), ["x", "y"]),
        (pa.array([["tea", "a;b", None, ""], [], None, ["\u00e4"]]), ["tea;a;b", "", "", "\u00e4"]),
        (pa.array([["x", "y"], None, ["z", None]], pa.list_(pa.string(), 2)), ["x;y", "", "z"]),
        (
            pa.array([[1, 2], [3, 4]], pa.list_(pa.int32(), 2)).cast(pa.fixed_shape_tensor(pa.int32(), [2])),
            ["1;2", "3;4"],
        ),
        (pa.array([[1, 2], [3]], pa.large_list(pa.int64())), ["1;2", "3"]),
        (pa.array([[dt.date(2026, 11, 3)], [None]]), ["2026-11-03", ""]),
        (pa.array([[1.0, 2.5]]), ["1;2.5"]),
        (pa.array([["x", "y"], ["x"]], pa.list_(pa.dictionary(pa.int32(), pa.string()))), ["x;y", "x"]),
    ],
)
def test_each_type_has_one_text(values: pa.Array, texts: list[str]) -> None:
    assert read(stored({"c": values}), "c") == [(text,) for text in texts]


@pytest.mark.parametrize("of", [pa.time64("ns"), pa.timestamp("ns")])
def test_nanoseconds_are_cut_before_python_sees_them_since_it_takes_pandas_for_those(of: pa.DataType) -> None:
    assert parquet._raw(pa.array([3_723_000_000_789]).cast(of)).type.unit == "us"


def test_lists_are_divided_by_row_in_every_piece_of_a_file() -> None:
    lists = [None if number % 5 == 0 else [f"{number}", "x"][: number % 3] for number in range(20_000)]
    texts = [(";".join(values or []),) for values in lists]
    assert read(stored({"a": pa.array(lists)}, row_group_size=9_000), "a") == texts


def test_old_timestamps_of_spark_reach_to_the_year_9999() -> None:
    times = [dt.datetime(9999, 12, 31), dt.datetime(1600, 1, 1), dt.datetime(2026, 1, 2, 3, 4, 5, 600_000)]  # noqa: DTZ001 - as they are
    file = stored({"a": pa.array(times, pa.timestamp("us"))}, use_deprecated_int96_timestamps=True, store_schema=False)
    assert b"PAR1" in file.getvalue()
    assert str(pq.ParquetFile(file).schema.column(0).physical_type) == "INT96"
    assert read(file, "a") == [("9999-12-31T00:00:00",), ("1600-01-01T00:00:00",), ("2026-01-02T03:04:05.600000",)]


def test_bytes_that_are_not_utf8_reject_their_row_only() -> None:
    file = stored({"a": pa.array([b"x", b"\xff", b"z"]), "b": [1, 2, 3]})
    assert read(file, "a", "b") == [("x", "1"), Reason.NOT_UTF8, ("z", "3")]


def test_bytes_in_a_list_that_are_not_utf8_reject_their_row_only() -> None:
    file = stored({"a": pa.array([[b"x", b"y"], [b"x", b"\xff"], [], None, [b"z", None]])})
    assert read(file, "a") == [("x;y",), Reason.NOT_UTF8, ("",), ("",), ("z",)]


def test_a_date_in_a_list_beyond_the_calendar_rejects_its_row_only() -> None:
    dates = pa.array([[0], [0, 10**9], []], pa.list_(pa.int32())).cast(pa.list_(pa.date32()))
    assert read(stored({"a": dates}), "a") == [("1970-01-01",), Reason.DATE_OUT_OF_RANGE, ("",)]


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


@pytest.mark.parametrize(
    "values",
    [[{"x": 1}], [[{"x": 1}]], [[["x"]]], pa.array([[("x", 1)]], pa.map_(pa.string(), pa.int64()))],
)
def test_a_mapped_column_that_is_nested_is_refused(values: list[object]) -> None:
    file = stored({"a": ["x"], "b": values})
    assert read(file, "a") == [("x",)]
    with pytest.raises(Stop) as caught:
        read(file, "b")
    assert caught.value.code == "column_unreadable"


def test_a_column_that_is_missing_is_refused() -> None:
    with pytest.raises(Stop, match=r"segment\.parquet"):
        read(stored({"a": ["x"]}), "b")


def test_a_column_that_is_there_twice_is_refused() -> None:
    file = io.BytesIO()
    pq.write_table(pa.table([["x"], ["y"], ["z"]], ["a", "a", "b"]), file)
    assert read(file, "b") == [("z",)]
    with pytest.raises(Stop) as caught:
        read(file, "a")
    assert caught.value.code == "column_unreadable"


def test_an_encrypted_column_that_is_not_wanted_does_not_matter() -> None:
    file = io.BytesIO(encrypted(pa.table({"a": ["x"], "b": ["y"], "c": ["z"]}), ["b"], plaintext_footer=True))
    assert parquet.columns_of(file, FILE) == [("a", "string"), ("b", "string"), ("c", "string")]
    assert read(file, "c", "a") == [("z", "x")]


def test_an_encrypted_column_that_is_wanted_is_refused_by_name() -> None:
    file = io.BytesIO(encrypted(pa.table({"a": ["x"], "b": ["y"]}), ["b"], plaintext_footer=True))
    with pytest.raises(Stop, match=r"^The column b of segment\.parquet is encrypted") as caught:
        read(file, "b")
    assert caught.value.code == "parquet_encrypted"


def test_a_file_that_is_encrypted_as_a_whole_is_refused() -> None:
    file = io.BytesIO(encrypted(pa.table({"a": ["x"]}), ["a"], plaintext_footer=False))
    for look in (lambda: read(file, "a"), lambda: parquet.columns_of(file, FILE)):
        with pytest.raises(Stop, match=r"segment\.parquet is encrypted") as caught:
            look()
        assert caught.value.code == "parquet_encrypted"


@pytest.mark.parametrize(
    "data", [b"", b"PAR1", b"PAR1PAR1", b"PAR1\0\0\0\0PAR1", b"PAR1\xff\xff\xff\xffPAR1", b"a,b\r\n"]
)
def test_a_file_that_holds_nothing_is_refused(data: bytes) -> None:
    for look in (lambda: read(io.BytesIO(data), "a"), lambda: parquet.columns_of(io.BytesIO(data), FILE)):
        with pytest.raises(Stop) as caught:
            look()
        assert caught.value.code == "parquet_damaged"


def test_a_table_without_rows_or_row_groups_has_no_rows() -> None:
    file = io.BytesIO()
    with pq.ParquetWriter(file, pa.schema([("a", pa.string())])):
        pass
    assert pq.ParquetFile(file).num_row_groups == 0
    assert read(file, "a") == []
    assert read(stored({"a": pa.array([], pa.string())}), "a") == []


@pytest.mark.parametrize("other", [b"\xd6\x04", b"\xda\x04"])
def test_other_rows_than_the_footer_counts_are_noticed(other: bytes) -> None:
    """Whether it is damaged or Arrow loses rows, as it does where a list column begins with an empty page."""
    data = stored({"a": ["x"] * 300}).getvalue()
    at = data.index(b"\xd8\x04", len(data) - 8 - int.from_bytes(data[-8:-4], "little"))  # 300, as the footer has it
    assert len(read(io.BytesIO(data), "a")) == 300
    with pytest.raises(Stop) as caught:
        read(io.BytesIO(data[:at] + other + data[at + 2 :]), "a")
    assert caught.value.code == "parquet_damaged"


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


def test_delta_encoded_texts_are_decoded_a_few_rows_at_a_time_where_they_are_long() -> None:
    """Each of them is the one before, so that the file says nothing of their length."""
    texts = pa.array(["y" * (1 << 20)] * 100)
    file = stored({"a": texts, "b": ["x"] * 100}, use_dictionary=["b"], column_encoding={"a": "DELTA_BYTE_ARRAY"})
    assert len(file.getvalue()) < 1 << 20
    assert rows_at_once(file, "a", "b") == 31


def test_long_lists_are_decoded_a_few_rows_at_a_time() -> None:
    file = stored({"a": pa.array([["y" * 1_000] * 1_000] * 100)})
    assert len(file.getvalue()) < 1 << 20
    assert rows_at_once(file, "a") == 31


def test_pieces_are_bounded_whatever_the_row_group_holds() -> None:
    file = stored({"a": ["y" * 100_000] * 100})
    blocks = list(parquet.rows_of(file, FILE, ["a"]))
    assert sum(block.num_rows for block in blocks if isinstance(block, pa.RecordBatch)) == 100
    assert all(block.num_rows <= 11 for block in blocks if isinstance(block, pa.RecordBatch))


def test_the_columns_have_the_common_data_models_types() -> None:
    file = stored({"a": ["x"], "b": [1], "c": [{"x": 1}], "d": [dt.date(2026, 1, 1)], "e": [["x"]]})
    types = ["string", "int64", "nested", "date", "string"]
    assert parquet.columns_of(file, FILE) == list(zip("abcde", types, strict=True))


def rows_at_once(file: io.BytesIO, *names: str) -> int:
    whole = parquet._open(file, FILE)
    return parquet._rows_at_once(whole, parquet._with_dictionaries(whole, file, names), FILE, 0, names)


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


def test_texts_of_columns_that_are_not_wanted_do_not_count() -> None:
    assert rows_at_once(stored({"a": dictionary("y", 1_000), "b": dictionary("y" * (1 << 20), 1_000)}), "a") == 8_192


@pytest.mark.parametrize(
    ("rows", "size_bytes", "at_once"),
    [(1, 4_096, 8_192), (10, 40_970, 8_190), (0, 1, 8_192), (0, 1 << 62, 8), (1, 1 << 62, 8), (1 << 62, 1, 8_192)],
)
def test_a_row_group_is_read_by_its_average_row_which_is_4_mib_at_most(
    rows: int, size_bytes: int, at_once: int
) -> None:
    assert at_once_of(rows, size_bytes) == at_once


@pytest.mark.parametrize(("rows", "size_bytes"), [(-1, 1), (1, -1)])
def test_a_row_group_of_a_negative_size_is_refused(rows: int, size_bytes: int) -> None:
    with pytest.raises(Stop) as caught:
        at_once_of(rows, size_bytes)
    assert caught.value.code == "parquet_damaged"


def at_once_of(rows: int, size_bytes: int) -> int:
    """Return how many rows are decoded at once of a row group that claims this size, of which a row has one byte."""
    group = SimpleNamespace(num_rows=rows, total_byte_size=size_bytes)
    metadata = SimpleNamespace(row_group=lambda _: group)
    probe = pq.ParquetFile(stored({"a": ["x"]}))
    return parquet._rows_at_once(SimpleNamespace(metadata=metadata), probe, FILE, 0, ["a"])


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
