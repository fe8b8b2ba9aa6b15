"""Finding the newest complete refresh of a segment, in every layout, and saying what is wrong where there is none."""

from __future__ import annotations

import codecs
import contextlib
import gzip
import io
import json
import re
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import NotReady, Stop
from exporter.ports import Changed
from exporter.source.folders import LeftOut, Why
from exporter.source.readers import Partition
from exporter.source.rows import Column
from exporter.source.segments import Layout, Reading, Refresh, SegmentInfo, Segments, stale
from exporter.warned import Warned
from sandbox.segment import COLUMNS
from tests.fakes import START
from tests.unit.source.landing import CONTAINER, FOLDER, MODEL, PREFIX, REFRESHED, TABLE, Landing


def listed(landing: Landing, prefix: str = "") -> list[SegmentInfo]:
    segments = Segments(landing.files, prefix)
    return [segments.info(name) for name in segments.names()]


def missing(refresh: Refresh, *names: str) -> Stop:
    with pytest.raises(Stop) as caught:
        refresh.check_columns(names)
    return caught.value


def parquet(**columns: list[object]) -> bytes:
    file = io.BytesIO()
    pq.write_table(pa.table(columns), file)
    return file.getvalue()


def paths(refresh: Refresh) -> list[str]:
    return [partition.file.path for partition in refresh.partitions]


# The layout of Customer Insights.


def test_a_refresh_is_what_model_json_lists(landing: Landing) -> None:
    landing.export()
    refresh = landing.find()
    assert paths(refresh) == [f"{FOLDER}/{TABLE}_{number}.csv" for number in (1, 2, 3)]
    assert refresh.columns == tuple(Column(name, data_type) for name, data_type in COLUMNS.items())
    assert (refresh.layout, refresh.refreshed_at) == (Layout.MODEL, REFRESHED.timestamp())
    assert not refresh.warnings
    assert not any(partition.has_header for partition in refresh.partitions)


@pytest.mark.parametrize("name", [TABLE, f"{PREFIX}/{TABLE}", f"/{PREFIX}/{TABLE}/"])
def test_a_table_is_found_by_its_name_or_its_whole_path(landing: Landing, name: str) -> None:
    landing.export()
    assert landing.find(name).segment == f"{PREFIX}/{TABLE}"


def test_the_newest_refresh_is_the_one_of_model_json_and_old_folders_do_not_matter(landing: Landing) -> None:
    landing.export(refreshed=datetime(2026, 11, 17, 4, 15, tzinfo=UTC), partitions=5)
    landing.export(partitions=2)
    assert paths(landing.find()) == [f"{FOLDER}/{TABLE}_{number}.csv" for number in (1, 2)]


def test_a_newer_folder_that_model_json_does_not_list_is_waited_for(landing: Landing) -> None:
    landing.export()
    newer = datetime(2026, 11, 18, 16, 15, tzinfo=UTC)
    landing.write(f"{PREFIX}/{TABLE}/2026/11/18/1615/{TABLE}_1.csv", "a,b\n")
    assert "2026/11/18/1615 is newer" in landing.not_ready().message
    landing.export(refreshed=newer)
    assert landing.find().refreshed_at == newer.timestamp()


def test_files_that_are_no_part_of_a_refresh_do_not_hide_a_newer_one(landing: Landing) -> None:
    landing.export()
    landing.write(f"{PREFIX}/{TABLE}/2026/11/18/0415/more/{TABLE}_1.csv", "a,b\n")
    landing.write(f"{PREFIX}/A/notes.txt", "x")
    assert landing.find().partitions
    landing.write(f"{PREFIX}/{TABLE}/2026/11/18/1615/{TABLE}_1.csv", "a,b\n")
    assert landing.not_ready()


def test_files_below_the_folder_of_a_refresh_are_not_laid_out_by_time(landing: Landing) -> None:
    listed = "T/2026/11/18/0415/more/T_1.csv"
    for path in (listed, "T/2026/11/18/1615/T_1.csv"):
        landing.write(f"{PREFIX}/{path}", "1,a@example.com\n")
    landing.model(partitions=[{"location": listed}])
    assert paths(landing.find("T")) == [f"{PREFIX}/{listed}"]


def test_a_newer_folder_of_another_table_does_not_matter(landing: Landing) -> None:
    landing.export()
    landing.write(f"{PREFIX}/Customer/2026/11/18/1615/Customer_1.csv", "a,b\n")
    assert landing.find().partitions


def test_a_refresh_with_missing_files_is_waited_for(landing: Landing) -> None:
    landing.export()
    del landing.files.files[f"{FOLDER}/{TABLE}_2.csv"]
    assert f"lists 3 files, of which 1 are missing (first: '{FOLDER}/{TABLE}_2.csv')" in landing.not_ready().message


def test_a_refresh_is_left_alone_until_nothing_was_modified_for_a_while(landing: Landing) -> None:
    landing.export()
    landing.clock.sleep(100)
    assert landing.not_ready(quiet_s=300).retry_after_s == 200
    landing.clock.sleep(200)
    assert landing.find(quiet_s=300).partitions


def test_plain_files_are_left_alone_until_nothing_was_modified_for_a_while(landing: Landing) -> None:
    landing.write("people/1.csv", "Id,EMail\n1,a@example.com\n")
    landing.clock.sleep(100)
    for name in ("people", "people/1.csv"):
        assert landing.not_ready(name, quiet_s=300).retry_after_s == 200
    landing.clock.sleep(200)
    assert landing.find("people", quiet_s=300).partitions


def test_files_in_the_folder_that_model_json_does_not_list_are_not_ignored(landing: Landing) -> None:
    landing.export()
    landing.write(f"{FOLDER}/{TABLE}_4.csv", "a,b\n")
    assert landing.stop().code == "segment_mixed"


def test_a_folder_whose_name_begins_with_an_underscore_is_looked_at_as_any_other(landing: Landing) -> None:
    for number in (1, 2):
        landing.write(f"_exports/T/2026/11/18/0415/T_{number}.csv", "1,a@example.com\n")
    landing.model("_exports/model.json", partitions=[{"location": "T/2026/11/18/0415/T_1.csv"}])
    assert landing.stop("T", prefix="_exports").code == "segment_mixed"


@pytest.mark.parametrize("places", [("2026/11/18/0415", "2026/11/17/0415"), ("2026/11/18/0415", "2026/11/18/0415")])
def test_files_of_several_refreshes_or_listed_twice_are_refused(landing: Landing, places: tuple[str, ...]) -> None:
    listed = [f"T/{place}/T_1.csv" for place in places]
    for path in listed:
        landing.write(f"{PREFIX}/{path}", "1,a@example.com\n")
    landing.model(partitions=[{"location": path} for path in listed])
    assert landing.stop("T").code == "segment_mixed"


def test_a_table_without_files_is_an_empty_segment(landing: Landing) -> None:
    landing.model(partitions=None)
    refresh = landing.find("T")
    assert (refresh.partitions, refresh.columns) == ((), (Column("Id", "string"), Column("EMail", "unclassified")))
    assert landing.not_ready("T", marker="_DONE")
    landing.write(f"{PREFIX}/_DONE")
    assert landing.find("T", marker="_DONE")


@pytest.mark.parametrize("first", ["Id,EMail", '"ID","email"', "\ufeffid,EMAIL"])
def test_column_names_in_the_first_row_that_nobody_announced_are_skipped_with_a_warning(
    landing: Landing, first: str
) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", f"{first}\n1,a@example.com\n")
    landing.model()
    refresh = landing.find("T")
    assert refresh.partitions[0].has_header
    (warning,) = refresh.warnings
    assert warning == Warned.of("header_not_announced", file=f"{PREFIX}/T/T_1.csv")
    assert "begins with the column names although model.json does not say so" in warning.message


@pytest.mark.parametrize("name", ["T_1.parquet", "T_1.csv", "T_1"])
def test_parquet_is_told_by_its_bytes(landing: Landing, name: str) -> None:
    landing.write(f"{PREFIX}/T/{name}", parquet(EMail=["a@example.com"], Id=[1]))
    landing.model(partitions=[{"location": f"T/{name}"}])
    (partition,) = landing.find("T").partitions
    assert (partition.format, partition.columns, partition.keys) == ("parquet", ("EMail", "Id"), ())


def test_an_announced_first_row_of_column_names_is_no_surprise(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "Id,EMail\n1,a@example.com\n")
    landing.model(partitions=[{"location": "T/T_1.csv", "fileFormatSettings": {"columnHeaders": True}}])
    refresh = landing.find("T")
    assert (refresh.partitions[0].has_header, refresh.warnings) == (True, ())


def test_a_listed_file_is_read_as_model_json_says(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "sep=;\n1;Stra\u00dfe\n".encode("cp1252"))
    settings = {"encoding": "windows-1252", "quoteStyle": "QuoteStyle.None", "delimiter": "|"}
    landing.model(partitions=[{"location": "T/T_1.csv", "fileFormatSettings": settings}])
    (partition,) = landing.find("T").partitions
    assert partition == Partition(
        partition.file,
        "csv",
        ("Id", "EMail"),
        delimiter=";",
        encoding="windows-1252",
        has_header=False,
        separator_line=True,
        quoted=False,
    )


def test_a_listed_file_of_another_format_is_refused(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", b"PK\x03\x04" + bytes(40))
    landing.model()
    error = landing.stop("T")
    assert (error.code, f"{PREFIX}/T/T_1.csv to be CSV" in error.message) == ("format_unsupported", True)
    assert "it is a zip archive" in error.message


def test_a_first_row_with_the_column_names_in_another_order_says_where_each_column_is(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "email,ID\na@example.com,1\n")
    landing.model(partitions=[{"location": "T/T_1.csv", "fileFormatSettings": {"columnHeaders": True}}])
    refresh = landing.find("T")
    (partition,) = refresh.partitions
    assert (partition.has_header, partition.columns) == (True, ("email", "ID"))
    assert [column.name for column in refresh.columns] == ["Id", "EMail"]


def test_column_names_in_another_order_that_nobody_announced_say_where_each_column_is(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "email,ID\na@example.com,1\n")
    landing.model()
    refresh = landing.find("T")
    (partition,) = refresh.partitions
    assert (partition.columns, partition.has_header, len(refresh.warnings)) == (("email", "ID"), True, 1)


def test_names_that_differ_only_in_case_are_where_the_file_has_them(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "name,Name\nb,a\n")
    landing.model(attributes=[{"name": "Name"}, {"name": "name"}])
    assert landing.find("T").partitions[0].places(["Name", "name"]) == [1, 0]


@pytest.mark.parametrize("first", ["1,jane@example.com", "Jane,Doe", "Id", '"Id"x,EMail', "Id,Mail"])
def test_another_first_row_than_the_announced_one_is_refused_without_showing_it(landing: Landing, first: str) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", f"{first}\n2,b@example.com\n")
    landing.model(partitions=[{"location": "T/T_1.csv", "fileFormatSettings": {"columnHeaders": True}}])
    error = landing.stop("T")
    assert error.code == "header_differs"
    assert not {"example.com", "Jane"} & set(re.split("[ ,@]", error.message))


@pytest.mark.parametrize(
    "location",
    [
        f"https://x.blob.core.windows.net/{CONTAINER}/{PREFIX}/T/T_1.csv",
        f"https://x.dfs.core.windows.net/{CONTAINER}/{PREFIX}/T/T_1.csv?snapshot=2018-11-14T19:37:51.7526830Z",
        f"https://x.blob.core.windows.net:443/{CONTAINER}/{PREFIX}/T/%54_1.csv",
        f"abfss://{CONTAINER}@x.dfs.core.windows.net/{PREFIX}/T/T_1.csv",
        f"wasbs://{CONTAINER}@x.blob.core.windows.net/{PREFIX}/T/T_1.csv",
        "T/T_1.csv",
    ],
)
def test_a_file_is_found_however_its_place_is_written(landing: Landing, location: str) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1,a@example.com\n")
    landing.model(partitions=[{"location": location}])
    refresh = landing.find("T")
    assert (paths(refresh), refresh.warnings) == ([f"{PREFIX}/T/T_1.csv"], ())


@pytest.mark.parametrize(
    "location",
    [
        "https://x.blob.core.windows.net/landing/other/T_1.csv",
        f"https://x.blob.core.windows.net/landing/{PREFIX}/../../other/T_1.csv",
        f"https://x.blob.core.windows.net/landing/{PREFIX}/%2e%2e/%2e%2e/other.csv",
        f"https://x.blob.core.windows.net/landing/{PREFIX}//T_1.csv",
        f"https://x.blob.core.windows.net/landing/{PREFIX}/./T_1.csv",
        f"https://x.blob.core.windows.net/landing/{PREFIX}/T%0a_1.csv",
        "../T_1.csv",
    ],
)
def test_nothing_outside_of_the_configured_folder_is_read(landing: Landing, location: str) -> None:
    landing.write("other/T_1.csv", "1,a@example.com\n")
    landing.model(partitions=[{"location": location}])
    assert landing.stop("T", prefix=PREFIX).code == "partition_outside"


@pytest.mark.parametrize("data", ["", "{", "[]", '{"entities": 1}', '{"tables": []}', '{"entities": [{}]}', b"\xff"])
def test_a_model_json_that_cannot_be_read_is_named(landing: Landing, data: str | bytes) -> None:
    landing.write(MODEL, data)
    for name in ("T", MODEL):
        error = landing.stop(name)
        assert error.code == "model_unreadable"
        assert MODEL in error.message
    (info,) = listed(landing)
    assert (info.name, info.problem and info.problem.code) == (MODEL, "model_unreadable")


def test_a_model_json_may_begin_with_a_byte_order_mark(landing: Landing) -> None:
    landing.model(partitions=[])
    landing.write(MODEL, codecs.BOM_UTF8 + landing.files.files[MODEL][1])
    assert landing.find("T").layout is Layout.MODEL


def test_a_model_json_that_nobody_can_read_stops_at_once(landing: Landing) -> None:
    landing.model(partitions=[])
    landing.files.archive(MODEL)
    assert landing.stop("T").code == "file_archived"


def test_a_segment_has_at_most_2000_columns(landing: Landing) -> None:
    names = ["Email", *(f"c{number}" for number in range(2_000))]
    landing.model(attributes=[{"name": name} for name in names[:2_000]], partitions=[])
    landing.write("people.csv", ",".join(names[:2_000]) + "\n")
    assert len(landing.find("T").columns) == len(landing.find("people.csv").columns) == 2_000
    landing.model(attributes=[{"name": name} for name in names], partitions=[])
    landing.write("people.csv", ",".join(names) + "\n")
    for segment in ("T", "people.csv"):
        error = landing.stop(segment)
        assert error.code == "too_many_columns"
        assert f"{segment} has 2001 columns; at most 2000" in error.message


@pytest.mark.parametrize(("files", "signs"), [(255, 0), (256, 1), (511, 1), (512, 2)])
def test_a_sign_of_life_comes_after_every_256_files(landing: Landing, files: int, signs: int) -> None:
    for number in range(files):
        landing.write(f"people/{number}.csv", "Id,EMail\n")
    seen: list[int] = []
    Segments(landing.files, "", lambda: seen.append(1)).refresh("people", Reading())
    assert len(seen) == signs


def test_a_sign_of_life_comes_after_every_256_files_of_a_table(landing: Landing) -> None:
    for files, signs in ((255, 0), (256, 1)):
        for number in range(files):
            landing.write(f"{PREFIX}/T/T_{number}.csv", "1,a@example.com\n")
        landing.model(partitions=[{"location": f"T/T_{number}.csv"} for number in range(files)])
        seen: list[int] = []
        Segments(landing.files, "", lambda: seen.append(1)).refresh("T", Reading())  # noqa: B023 - called at once
        assert len(seen) == signs


def test_the_columns_of_a_segment_are_those_of_all_its_files_each_once(landing: Landing) -> None:
    newest_first = ("Id,EMail,City", "EMail,name,Name", "EMail,name,Name,City", "Id,EMail,name,Name")
    for number, header in enumerate(reversed(newest_first)):
        landing.write(f"people/{number}.csv", f"{header}\n")
        landing.clock.sleep(1)
    assert [column.name for column in landing.find("people").columns] == ["Id", "EMail", "City", "name", "Name"]


def test_somebody_who_only_looks_sees_everything_where_the_newest_cannot_be_told(landing: Landing) -> None:
    for name in ("at_20261125", "de_20261125", "de_20261126"):
        landing.write(f"people/{name}.csv", "Kanal,Wer\na@example.com,\u00dcmit\n".encode("cp1252"))
    refresh = landing.segments().look("people", ("kanal",))
    assert len(refresh.partitions) == 3
    ambiguous, no_newest, encoding = refresh.warnings
    assert "differ only in a date" in ambiguous.message
    assert "every kind of names" in no_newest.message
    assert (ambiguous.code, no_newest.code, no_newest.params["case"]) == ("files_ambiguous", "files_ambiguous", "kinds")
    assert "not UTF-8: 3 (first: people/" in encoding.message
    assert (encoding.code, encoding.params["encoding"]) == ("files_not_utf8", "windows-1252")


# Plain layouts.


def test_a_folder_of_files_with_headers_is_a_segment(landing: Landing) -> None:
    landing.write("people/1.csv", "Id,EMail\n1,a@example.com\n")
    landing.write("people/2.txt", "Id;EMail\n2;b@example.com\n")
    landing.write("people/3.csv", b"")
    landing.write("people/_SUCCESS", b"")
    landing.write("people/.hidden.csv", "x")
    landing.write("people/notes.pdf", "x")
    refresh = landing.find("people")
    assert [(p.file.path, p.delimiter, p.has_header) for p in refresh.partitions] == [
        ("people/1.csv", ",", True),
        ("people/2.txt", ";", True),
    ]
    assert (refresh.layout, refresh.columns) == (Layout.FOLDER, (Column("Id", "string"), Column("EMail", "string")))


def test_a_refresh_is_that_of_a_plain_folder_unless_it_says_otherwise() -> None:
    refresh = Refresh("people", 0.0, (), (), "")
    assert (refresh.layout, refresh.left_out, refresh.warnings) == (Layout.FOLDER, (), ())


def test_how_a_segment_is_stored_has_words_for_programs() -> None:
    assert [*Layout] == ["model.json", "file", "folder", "partitionedFolder"]


def test_a_single_file_is_a_segment(landing: Landing) -> None:
    landing.write("people.csv", "Id,EMail\n1,a@example.com\n")
    landing.write("people/country=FR/1.csv", "Id,EMail\n1,a@example.com\n")
    for name in ("people.csv", "people/country=FR/1.csv"):
        refresh = landing.find(name)
        assert (refresh.layout, paths(refresh)) == (Layout.FILE, [name])
        assert [column.name for column in refresh.columns] == ["Id", "EMail"]


@pytest.mark.parametrize("left", [("1.csv",), ("_started_1", "_committed_1")])
def test_a_folder_without_rows_has_no_columns(landing: Landing, left: tuple[str, ...]) -> None:
    for name in left:
        landing.write(f"people/{name}")
    refresh = landing.find("people")
    assert (refresh.columns, refresh.partitions) == ((), ())
    assert refresh.refreshed_at == (START if left == ("1.csv",) else 0.0)


def test_a_folder_of_parquet_files_is_a_segment(landing: Landing) -> None:
    landing.write("people/1.parquet", parquet(Id=[1], EMail=["a@example.com"], Tags=[["x"]], Place=[{"City": "Ulm"}]))
    assert landing.find("people").columns == (
        Column("Id", "int64"),
        Column("EMail", "string"),
        Column("Tags", "string"),
        Column("Place", "nested"),
    )


def test_a_truncated_parquet_file_is_refused_by_name(landing: Landing) -> None:
    landing.write("people/1.parquet", b"PAR1 and then nothing")
    error = landing.stop("people")
    assert (error.code, "people/1.parquet" in error.message) == ("parquet_damaged", True)


def test_files_are_read_by_the_names_of_their_columns(landing: Landing) -> None:
    landing.write("people/1.csv", "Email,City\n")
    landing.clock.sleep(1)
    landing.write("people/2.csv", "Id,EMail\n")
    refresh = landing.find("people")
    assert [column.name for column in refresh.columns] == ["Id", "EMail", "City"]
    refresh.check_columns(["EMail"])
    error = missing(refresh, "EMail", "City")
    assert (error.code, "column City; people/2.csv has none" in error.message) == ("column_missing_in_file", True)


@pytest.mark.parametrize("first", [1, 2])
def test_a_name_in_another_case_is_not_taken_for_one_of_two_that_differ_in_case(landing: Landing, first: int) -> None:
    files = {1: "EMail,name\n", 2: "EMail,Name,name\n"}
    for number in (3 - first, first):
        landing.write(f"people/{number}.csv", files[number])
        landing.clock.sleep(1)
    refresh = landing.find("people")
    assert {column.name for column in refresh.columns} == {"EMail", "Name", "name"}
    refresh.check_columns(["name"])
    assert "column Name; people/1.csv has none" in missing(refresh, "Name").message


def test_parquet_whose_columns_are_called_like_a_person_is_refused_without_showing_it(landing: Landing) -> None:
    columns: dict[str, list[object]] = {"jane@example.com": ["b"], "Jane": ["c"]}
    landing.write("people/1.parquet", parquet(**columns))
    error = landing.stop("people")
    assert (error.code, "ane" in error.message) == ("header_missing", False)


def test_names_of_columns_are_kept_once_however_many_files_have_them(landing: Landing) -> None:
    landing.write("people/1.csv", "EMail,City\n")
    landing.write("people/2.csv", "EMail,City\n")
    landing.write("people/3.csv", "City,EMail\n")
    first, second, third = (partition.columns for partition in landing.find("people").partitions)
    assert first is second
    assert {id(name) for columns in (first, second, third) for name in columns} == {id(first[0]), id(first[1])}


def test_with_too_many_columns_no_further_file_is_opened(landing: Landing) -> None:
    landing.write("people/1.csv", "EMail\n")
    landing.clock.sleep(1)
    landing.write("people/2.csv", "EMail" + ",x" * 2_000)
    segments = landing.segments()
    del landing.files.files["people/1.csv"]  # opening it would raise `Changed`
    with pytest.raises(Stop, match="2001 columns"):
        segments.refresh("people", Reading())


def test_the_folders_of_partitions_are_columns_of_their_files(landing: Landing) -> None:
    landing.write("people/country=FR/1.csv", "Id,EMail\n1,a@example.com\n")
    landing.write("people/country=DE/1.csv", "Id,EMail\n2,b@example.com\n")
    refresh = landing.find("people")
    assert refresh.layout is Layout.PARTITIONED_FOLDER
    assert refresh.columns == tuple(Column(name, "string") for name in ("Id", "EMail", "country"))
    assert {partition.keys for partition in refresh.partitions} == {(("country", "FR"),), (("country", "DE"),)}
    refresh.check_columns(["country"])
    assert [(info.name, info.layout) for info in listed(landing)] == [("people", Layout.PARTITIONED_FOLDER)]
    assert landing.stop("people/country=FR").code == "segment_not_found"


def test_the_folders_of_partitions_are_columns_of_parquet_files_too(landing: Landing) -> None:
    landing.write("people/country=FR/1.parquet", parquet(EMail=["a@example.com"]))
    (partition,) = landing.find("people").partitions
    assert partition.keys == (("country", "FR"),)


@pytest.mark.parametrize("key", ["country", "Country"])
def test_a_key_that_the_files_hold_as_well_is_one_column_with_the_values_of_the_files(
    landing: Landing, key: str
) -> None:
    landing.write(f"people/{key}=FR/1.csv", "EMail,country\na@example.com,DE\n")  # as DuckDB and Polars write it
    refresh = landing.find("people")
    assert [column.name for column in refresh.columns] == ["EMail", "country"]
    assert refresh.partitions[0].places([key]) == [1]


def test_a_file_that_is_not_read_is_named_in_a_warning(landing: Landing) -> None:
    landing.write("people/1.csv", "Id,EMail\n1,a@example.com\n")
    for name in ("b.csv.zip", "a.csv.zip", "old/1.csv"):
        landing.write(f"people/{name}", "x")
    refresh = landing.find("people")
    assert [(left.path, left.why) for left in refresh.left_out] == [
        ("people/a.csv.zip", Why.OTHER_FORMAT),
        ("people/b.csv.zip", Why.OTHER_FORMAT),
        ("people/old/1.csv", Why.SUBFOLDER),
    ]
    zips, old = refresh.warnings
    assert refresh.files_not_read == 3
    assert "not read: 2, of another format, by its name (first: people/a.csv.zip)" in zips.message
    assert "not read: 1, in a subfolder" in old.message
    assert [(each.code, each.params["case"]) for each in (zips, old)] == [
        ("files_not_read", "otherFormat"),
        ("files_not_read", "subfolder"),
    ]
    ignored = landing.find("people", ignore=("*.zip", "old/*"))
    assert ignored.files_not_read == 0
    (warning,) = ignored.warnings
    assert warning.message == "Files of people that are left out: 3, as the export says (first: people/a.csv.zip)."
    assert warning.params == {"segment": "people", "files": 3, "why": "ignored", "first": "people/a.csv.zip"}


def test_a_folder_of_which_nothing_can_be_read_says_what_is_there(landing: Landing) -> None:
    landing.write("people/a.xlsx", "x")
    error = landing.stop("people")
    assert error.code == "format_unsupported"
    assert "Expected people/ to hold CSV or Parquet files; none of its 1 files is read (first: people/a.xlsx" in (
        error.message
    )
    (info,) = listed(landing)
    assert (info.name, info.problem and info.problem.code) == ("people", "format_unsupported")


@pytest.mark.parametrize("name", ["people.csv", "people/1.csv", "people/part-00000"])
def test_a_file_is_what_its_bytes_are_whatever_its_name_says(landing: Landing, name: str) -> None:
    landing.write(name, b"PK\x03\x04" + bytes(40))
    error = landing.stop(name.split("/", maxsplit=1)[0])
    assert (error.code, f"{name} to be CSV" in error.message) == ("format_unsupported", True)


def test_an_empty_parquet_file_is_damaged(landing: Landing) -> None:
    landing.write("people/1.csv", "Id,EMail\n1,a@example.com\n")
    landing.write("people/2.parquet")
    assert landing.stop("people").code == "parquet_damaged"


def test_a_packed_file_that_holds_nothing_is_a_part_without_rows(landing: Landing) -> None:
    landing.write("people/1.csv", "Id,EMail\n1,a@example.com\n")
    landing.write("people/0.csv.gz", gzip.compress(b""))
    refresh = landing.find("people")
    assert paths(refresh) == ["people/1.csv"]
    assert refresh.left_out == (LeftOut("people/0.csv.gz", Why.EMPTY),)
    assert not refresh.warnings


def test_of_files_named_by_their_date_the_export_says_which_are_read(landing: Landing) -> None:
    text = "Id,EMail\n" + "1,a@example.com\n" * 9
    landing.write("people/Seg_20261125.csv", text)
    landing.write("people/Seg_20261126.csv", text[:60])
    assert landing.stop("people").code == "files_ambiguous"
    assert paths(landing.find("people", which="all")) == ["people/Seg_20261126.csv", "people/Seg_20261125.csv"]
    newest = landing.find("people", which="newest")
    assert paths(newest) == ["people/Seg_20261126.csv"]
    smaller, older = newest.warnings
    assert (
        "people/Seg_20261126.csv is the newest and less than half as large as people/Seg_20261125.csv"
        in smaller.message
    )
    assert "left out: 1, older than the newest (first: people/Seg_20261125.csv)" in older.message
    assert (smaller.code, older.code) == ("newest_is_smaller", "files_left_out")
    landing.write("people/Seg_20261125.csv", text[:-1])
    landing.write("people/Seg_20261126.csv", text[: len(text) // 2])
    assert len(landing.find("people", which="newest").warnings) == 1


def test_somebody_who_only_looks_sees_the_newest_file_and_that_the_export_has_to_say_which(landing: Landing) -> None:
    for day in (25, 26):
        landing.write(f"people/Seg_202611{day}.csv", "Id,EMail\n1,a@example.com\n")
    refresh = landing.segments().look("people")
    assert paths(refresh) == ["people/Seg_20261126.csv"]
    assert "differ only in a date" in refresh.warnings[0].message
    assert [(info.name, info.files, info.problem) for info in listed(landing)] == [("people", 2, None)]
    assert landing.segments().look("people/Seg_20261125.csv").layout is Layout.FILE


def test_a_table_of_another_format_is_listed_with_what_to_do(landing: Landing) -> None:
    landing.write("lake/people/_delta_log/0.json", "{}")
    landing.write("lake/people/country=FR/part-0.parquet", parquet(EMail=["a@example.com"]))
    landing.write("lake/ice/metadata/1.metadata.json", "{}")
    landing.write("lake/ice/data/part-0.parquet", parquet(EMail=["a@example.com"]))
    assert [(info.name, info.problem and info.problem.code) for info in listed(landing)] == [
        ("lake/ice", "table_format"),
        ("lake/people", "table_format"),
    ]
    assert landing.segments("lake/people").names() == []
    for name in ("lake/people", "lake/people/country=FR/part-0.parquet", "lake/ice/data", "lake/ice"):
        assert landing.stop(name).code == "table_format"


def test_a_job_that_is_writing_is_waited_for(landing: Landing) -> None:
    landing.write("people/_temporary/0/part-0", "x")  # a job that overwrites a folder first removes what was there
    assert "people/_temporary/0/part-0" in landing.not_ready("people").message
    landing.write("people/1.csv", "Id,EMail\n1,a@example.com\n")
    assert landing.not_ready("people")
    del landing.files.files["people/_temporary/0/part-0"]
    assert landing.find("people")


def test_an_empty_file_may_be_one_that_is_being_written(landing: Landing) -> None:
    landing.write("people/1.csv", "EMail\na@example.com\n")
    landing.write("people/_DONE")
    landing.clock.sleep(300)
    landing.write("people/2.csv")
    landing.not_ready("people", quiet_s=300)
    assert "people/2.csv is newer" in landing.not_ready("people", marker="_DONE").message
    landing.clock.sleep(300)
    assert paths(landing.find("people", quiet_s=300)) == ["people/1.csv"]


def test_a_newest_file_that_is_empty_is_a_segment_of_nobody(landing: Landing) -> None:
    landing.write("people/Seg_20261125.csv", "EMail\na@example.com\n")
    landing.write("people/Seg_20261126.csv")
    refresh = landing.find("people", which="newest")
    assert refresh.partitions == ()
    assert refresh.warnings[0].message.startswith("An empty file is the newest and less than half as large as")


def test_a_marker_makes_a_folder_complete_at_once(landing: Landing) -> None:
    landing.write("people/1.csv", "Id,EMail\n1,a@example.com\n")
    for name in ("people", "people/1.csv"):
        message = landing.not_ready(name, marker="_SUCCESS", quiet_s=300.0).message
        assert "Expected people/_SUCCESS to mark the segment as complete; there is none" in message
    landing.write("people/_SUCCESS")
    for name in ("people", "people/1.csv"):
        assert landing.find(name, marker="_SUCCESS", quiet_s=300.0)
    landing.clock.sleep(1)
    landing.write("people/2.csv", "Id,EMail\n2,b@example.com\n")
    assert "people/2.csv is newer" in landing.not_ready("people", marker="_SUCCESS").message


def test_a_marker_of_a_table_is_beside_its_files(landing: Landing) -> None:
    landing.export(partitions=1)
    assert f"Expected {FOLDER}/_DONE to mark" in landing.not_ready(marker="_DONE").message
    landing.write(f"{FOLDER}/_DONE")
    landing.clock.sleep(1)
    landing.write(MODEL, landing.files.files[MODEL][1])  # whoever writes model.json may do so after the marker
    assert landing.find(marker="_DONE", quiet_s=300.0)


def test_a_file_that_nobody_can_read_stops_at_once(landing: Landing) -> None:
    landing.write("people/1.csv", "Id,EMail\n1,a@example.com\n")
    landing.export()
    for path in ("people/1.csv", f"{FOLDER}/{TABLE}_2.csv"):
        landing.files.archive(path)
    for name in ("people", "people/1.csv", TABLE):
        error = landing.stop(name)
        assert (error.code, "archive tier" in error.message) == ("file_archived", True)


def test_a_list_tells_of_a_file_that_nobody_can_read_but_looks_into_the_first_one_only(landing: Landing) -> None:
    landing.write("people/1.csv", "Id,EMail\n1,a@example.com\n")
    landing.write("people/2.csv", "1,b@example.com\n")
    (info,) = listed(landing)
    assert (info.files, info.problem) == (2, None)
    landing.files.archive("people/2.csv")
    (info,) = listed(landing)
    assert info.problem
    assert info.problem.code == "file_archived"


def test_the_encoding_of_the_export_is_used(landing: Landing) -> None:
    landing.write("people.csv", "Email,Stra\u00dfe\na@example.com,\u00d6\n".encode("cp1252"))
    (partition,) = landing.find("people.csv").partitions
    assert (partition.columns, partition.looks_like) == (("Email", "Stra\u00dfe"), "windows-1252")
    (partition,) = landing.find("people.csv", encoding="windows-1252").partitions
    assert (partition.columns, partition.looks_like) == (("Email", "Stra\u00dfe"), None)
    error = landing.stop("people.csv", encoding="klingon")
    assert (error.code, "found 'klingon'" in error.message) == ("encoding_unknown", True)


# Places that a model.json names.


def test_files_that_are_missing_for_more_than_a_day_are_gone(landing: Landing) -> None:
    landing.export()
    del landing.files.files[f"{FOLDER}/{TABLE}_2.csv"]
    landing.clock.sleep(86_400)
    assert landing.not_ready()
    landing.clock.sleep(1)
    error = landing.stop()
    assert (error.code, "of which 1 are missing" in error.message) == ("files_missing", True)


@pytest.mark.parametrize("location", ["file:///data/T_1.csv", "s3://bucket/T/T_1.csv", "C:/data/T_1.csv"])
def test_a_file_of_another_kind_of_storage_is_refused(landing: Landing, location: str) -> None:
    landing.model(partitions=[{"location": location}])
    error = landing.stop("T")
    assert (error.code, f"files of {location.partition(':')[0]}:// for T" in error.message) == (
        "partition_foreign",
        True,
    )


def test_the_same_path_in_another_container_is_not_read_without_a_word(landing: Landing) -> None:
    landing.model(partitions=[{"location": f"https://x.blob.core.windows.net/other/{PREFIX}/T/T_1.csv"}])
    error = landing.stop("T")
    assert (error.code, "the container 'other'" in error.message) == ("partition_foreign", True)
    landing.write(f"{PREFIX}/T/T_1.csv", "1,a@example.com\n")
    (warning,) = landing.find("T").warnings
    assert warning == Warned.of("files_of_other_container", model=MODEL, other="other", container=CONTAINER)
    assert f"lists files of the container other; those of the same names in {CONTAINER}" in warning.message


def test_data_beside_the_files_of_a_table_is_named(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1,a@example.com\n")
    landing.write(f"{PREFIX}/T/U_1.csv", "1,a@example.com\n")
    landing.write(f"{PREFIX}/T/_SUCCESS")
    tables = [
        {
            "name": name,
            "attributes": [{"name": "Id"}, {"name": "EMail"}],
            "partitions": [{"location": f"T/{name}_1.csv"}],
        }
        for name in "TU"
    ]
    landing.write(MODEL, json.dumps({"entities": tables}))
    assert not landing.find("T").left_out
    landing.write(f"{PREFIX}/T/V_1.csv", "1,a@example.com\n")
    refresh = landing.find("T")
    assert refresh.left_out == (LeftOut(f"{PREFIX}/T/V_1.csv", Why.UNLISTED),)
    assert f"Files of {PREFIX}/T that are not read: 1, not listed by model.json" in refresh.warnings[0].message
    for pattern in ("V_*", "T/V_*"):
        assert landing.find("T", ignore=(pattern,)).left_out == (LeftOut(f"{PREFIX}/T/V_1.csv", Why.IGNORED),)


def test_data_that_is_not_listed_is_named_whatever_the_configured_folder_is_called(landing: Landing) -> None:
    for path in ("T/T_1.csv", "T/T_2.csv", "U/2026/11/18/0415/U_1.csv", "U/2026/11/18/0415/U_2.csv"):
        landing.write(f"_in/{path}", "1,a@example.com\n")
    landing.model("_in/model.json", partitions=[{"location": "T/T_1.csv"}])
    assert landing.find("T", prefix="_in").left_out == (LeftOut("_in/T/T_2.csv", Why.UNLISTED),)
    landing.model("_in/model.json", name="U", partitions=[{"location": "U/2026/11/18/0415/U_1.csv"}])
    assert landing.stop("U", prefix="_in").code == "segment_mixed"


@pytest.mark.parametrize("location", [None, "s3://bucket/U/U_1.csv"])
def test_what_cannot_be_found_of_another_table_does_not_matter(landing: Landing, location: str | None) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1,a@example.com\n")
    attributes = [{"name": "Id"}, {"name": "EMail"}]
    tables = [
        {"name": name, "attributes": attributes, "partitions": [{"location": place}]}
        for name, place in (("T", "T/T_1.csv"), ("U", location))
    ]
    landing.write(MODEL, json.dumps({"entities": tables}))
    assert paths(landing.find("T")) == [f"{PREFIX}/T/T_1.csv"]


def test_a_place_in_the_manner_of_a_data_lake_begins_with_the_container(landing: Landing) -> None:
    landing.write("X/T_1.csv", "1,a@example.com\n")
    landing.model("model.json", partitions=[{"location": f"abfss://{CONTAINER}@x.dfs.core.windows.net/X/T_1.csv"}])
    assert paths(landing.find("T")) == ["X/T_1.csv"]


@pytest.mark.parametrize("location", ["https://[x/T_1.csv", "https://a\u2100b/T_1.csv"])
def test_a_location_that_is_no_url_spoils_only_its_own_table(landing: Landing, location: str) -> None:
    landing.write("m/T/T_1.csv", "1,a@example.com\n")
    tables = [
        {"name": name, "attributes": [{"name": "Id"}, {"name": "EMail"}], "partitions": partitions}
        for name, partitions in (("T", [{"location": "T/T_1.csv"}]), ("U", [{"location": location}]), ("V", 5))
    ]
    landing.write("m/model.json", json.dumps({"entities": tables}))
    assert landing.stop("U").code == "partition_foreign"
    problems = {info.name: info.problem and info.problem.code for info in listed(landing)}
    assert problems == {"m/T": None, "m/U": "partition_foreign", "m/V": "model_unreadable"}


def test_two_tables_of_one_name_are_not_guessed_about(landing: Landing) -> None:
    table = {"name": "T", "attributes": [{"name": "EMail"}], "partitions": None}
    landing.write(MODEL, json.dumps({"entities": [table, table]}))
    assert "each with a name of its own" in landing.stop("T").message


def test_a_file_that_belongs_to_a_table_of_another_format_is_refused(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1,a@example.com\n")
    landing.write(f"{PREFIX}/T/_delta_log/00000000000000000000.json", "{}")
    landing.model()
    assert landing.stop("T").code == "table_format"


# What describes itself.


@pytest.mark.parametrize("first", ["1,jane@example.com", "1,2", "Jane,Doe,Berlin", "Email,jane@example.com"])
def test_a_plain_file_without_a_header_is_refused_without_showing_what_it_holds(landing: Landing, first: str) -> None:
    landing.write("people.csv", f"{first}\n2,b@example.com\n")
    error = landing.stop("people.csv")
    assert error.code == "header_missing"
    assert not {"example.com", "Jane", "Berlin"} & set(re.split("[ ,@]", error.message))
    (info,) = listed(landing)
    assert (info.columns, info.refreshed_at, info.problem and info.problem.code) == ((), None, "header_missing")


def test_names_that_the_caller_expects_tell_a_header(landing: Landing) -> None:
    landing.write("people.csv", "Kanal,Wer\njane@example.com,Jane\n")
    assert landing.stop("people.csv").code == "header_missing"
    refresh = landing.find("people.csv", known=("kanal",))
    assert [column.name for column in refresh.columns] == ["Kanal", "Wer"]


# Names.


def test_a_name_in_several_exports_has_to_be_told_in_full(landing: Landing) -> None:
    for folder in ("a", "b"):
        landing.model(f"{folder}/model.json", partitions=[])
    error = landing.stop("T")
    assert (error.code, "a/T, b/T" in error.message) == ("segment_ambiguous", True)
    assert landing.find("b/T").segment == "b/T"


def test_a_name_that_is_not_there_brings_the_nearest_ones(landing: Landing) -> None:
    landing.export()
    landing.write("people.csv", "Id\n")
    error = landing.stop(f"{PREFIX}/NewsleterSubscribers")
    assert (error.code, f"{PREFIX}/{TABLE}" in error.message) == ("segment_not_found", True)


def test_the_nearest_ones_are_not_sought_without_limits(landing: Landing, monkeypatch: pytest.MonkeyPatch) -> None:
    compared: list[tuple[int, int]] = []

    def get_close_matches(name: str, names: list[str], **_: object) -> list[str]:
        compared.append((max(map(len, [name, *names])), len(names)))
        return []

    monkeypatch.setattr("difflib.get_close_matches", get_close_matches)
    for number in range(1_500):
        landing.write(f"{number}-{'x' * (number % 400)}.csv", "EMail\n")
    assert landing.stop("y" * 900).code == "segment_not_found"
    ((characters, names),) = compared
    assert (characters <= 200, names <= 1_000) == (True, True)


def test_five_names_are_brought_the_nearest_or_the_first(landing: Landing) -> None:
    for name in ("a", "b", "c", "d", "g", "h", *(f"people{number}" for number in range(6))):
        landing.write(f"{name}/1.csv", "Id\n")
    near = landing.stop("pe").message.removesuffix(".").rpartition(": ")[2].split(", ")
    assert (len(near), {name[:-1] for name in near}) == (5, {"people"})
    assert "The nearest names are: a, b, c, d, g." in landing.stop("/xyz/").message


def test_an_empty_container_says_so(landing: Landing) -> None:
    assert "There is none at all" in landing.stop("T").message


def test_a_folder_whose_name_begins_like_the_prefix_is_not_in_it(landing: Landing) -> None:
    landing.write("landing-old/people.csv", "Id\n")
    assert landing.stop("people.csv", prefix="landing").code == "segment_not_found"


@pytest.mark.parametrize("prefix", ["Xtra=1/X", "/Xtra=1/X/"])
def test_below_a_configured_folder_everything_is_as_in_a_container(landing: Landing, prefix: str) -> None:
    for path in ("1.csv", "X/1.csv", "X/_SUCCESS", "parts/day=1/1.csv", "T/T_1.csv", "T/T_2.csv"):
        landing.write(f"Xtra=1/X/{path}", "Id,EMail\n1,a@example.com\n")
    landing.write("Xtra=1/X/lake/X/_delta_log/0.json", "{}")
    landing.model("Xtra=1/X/model.json", partitions=[{"location": "T/T_1.csv"}])
    for folder in ("old", "X"):
        landing.write(f"Xtra=1/X/{folder}/model.json", "{}")
    landing.files.archive("Xtra=1/X/old/model.json")
    segments = landing.segments(prefix)
    assert segments.names() == ["T", "X/model.json", "lake/X", "old/model.json"]
    del landing.files.files["Xtra=1/X/model.json"]
    names = ["1.csv", "T", "X", "X/model.json", "lake/X", "old/model.json", "parts"]
    assert landing.segments(prefix).names() == names
    assert [info.problem and info.problem.code for info in listed(landing, prefix)] == [
        *(None, None, None, "model_unreadable", "table_format", "file_archived", None)
    ]
    assert landing.find("parts", prefix=prefix).layout is Layout.PARTITIONED_FOLDER
    assert landing.find("parts", prefix=prefix).partitions[0].keys == (("day", "1"),)
    for name in ("X", "/X/"):
        refresh = landing.find(name, prefix=prefix)
        assert (refresh.segment, refresh.layout, paths(refresh)) == ("X", Layout.FOLDER, ["Xtra=1/X/X/1.csv"])


# Listing.


def test_segments_are_listed_with_refresh_time_files_bytes_and_columns(landing: Landing) -> None:
    landing.export()
    landing.write("people/1.csv", "Id,EMail\n1,a@example.com\n")
    landing.write("damaged/1.csv", "1,jane@example.com\n")
    tables, damaged, people = listed(landing, "")
    assert (tables.name, tables.refreshed_at, tables.files) == (f"{PREFIX}/{TABLE}", REFRESHED.timestamp(), 3)
    assert tables.size_bytes == sum(f.size_bytes for p, (f, _) in landing.files.files.items() if p.startswith(FOLDER))
    assert [column.name for column in tables.columns] == list(COLUMNS)
    assert (people.name, people.refreshed_at, people.files) == ("people", START, 1)
    assert [column.name for column in people.columns] == ["Id", "EMail"]
    assert (damaged.name, damaged.files, damaged.size_bytes, damaged.columns) == ("damaged", 0, 0, ())


def test_a_file_that_is_replaced_during_the_listing_does_not_spoil_it(landing: Landing) -> None:
    class Replaced(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise Changed

    landing.write("people.csv", "Id\n")
    landing.files.open = lambda file, buffer_bytes=0: Replaced()  # type: ignore[method-assign]  # replaced since it was listed
    (info,) = listed(landing, "")
    assert (info.name, info.columns, info.problem and info.problem.code) == ("people.csv", (), "source_changing")


def test_the_files_of_a_described_export_are_no_segments_of_their_own(landing: Landing) -> None:
    landing.export()
    assert [segment.name for segment in listed(landing, "")] == [f"{PREFIX}/{TABLE}"]


def test_names_are_relative_to_the_configured_folder(landing: Landing) -> None:
    landing.export()
    assert [segment.name for segment in listed(landing, f"/{PREFIX}/")] == [TABLE]


def test_the_fingerprint_changes_with_the_files_and_only_then(landing: Landing) -> None:
    landing.export()
    first = landing.find().fingerprint
    assert landing.find().fingerprint == first
    path = f"{FOLDER}/{TABLE}_2.csv"
    landing.write(path, landing.files.files[path][1])
    assert landing.find().fingerprint != first


def test_a_refresh_of_more_than_eight_days_ago_is_old(landing: Landing) -> None:
    landing.export()
    refresh = landing.find()
    eight_days_later = REFRESHED.timestamp() + 691_200
    assert stale([refresh], eight_days_later) == []
    (warning,) = stale([refresh], eight_days_later + 1)
    assert f"The segment {PREFIX}/{TABLE} was last refreshed 8 days ago" in warning.message
    assert warning.params == {"segment": f"{PREFIX}/{TABLE}", "days": 8}


PARTS = st.sampled_from(
    ["..", ".", "", "%2e%2e", "a", "T", "model.json", "x.csv", "\n", "\u202e", "x" * 300, "2026/11/18/0415"]
)
NAMES = st.lists(PARTS, min_size=1, max_size=6).map("/".join)


@given(st.lists(NAMES, max_size=6), NAMES, NAMES, st.sampled_from(["", "a", "a/../b", "/"]))
def test_whatever_the_files_are_called_the_answer_is_a_refresh_or_a_reason(
    names: list[str], name: str, location: str, prefix: str
) -> None:
    landing = Landing()
    for written in names:
        landing.write(written, "Id,EMail\n")
        if written.endswith("model.json"):
            landing.model(written, partitions=[{"location": location}])
    with contextlib.suppress(Stop, NotReady):
        assert all(path.startswith(prefix.strip("/")) for path in paths(landing.find(name, prefix=prefix)))
    listed(landing, prefix)
