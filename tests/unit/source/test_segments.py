"""Finding the newest complete refresh of a segment, in every layout, and saying what is wrong where there is none."""

from __future__ import annotations

import contextlib
import io
import re
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import NotReady, Stop
from exporter.ports import Changed
from exporter.source.rows import Column
from exporter.source.segments import Refresh, find_refresh, list_segments
from sandbox.segment import COLUMNS
from tests.fakes import START
from tests.unit.source.landing import FOLDER, MODEL, PREFIX, REFRESHED, TABLE, Landing


def paths(refresh: Refresh) -> list[str]:
    return [partition.file.path for partition in refresh.partitions]


# The layout of Customer Insights.


def test_a_refresh_is_what_model_json_lists(landing: Landing) -> None:
    landing.export()
    refresh = landing.find()
    assert paths(refresh) == [f"{FOLDER}/{TABLE}_{number}.csv" for number in (1, 2, 3)]
    assert refresh.columns == tuple(Column(name, data_type) for name, data_type in COLUMNS.items())
    assert refresh.refreshed_at == REFRESHED.timestamp()
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


def test_files_in_the_folder_that_model_json_does_not_list_are_not_ignored(landing: Landing) -> None:
    landing.export()
    landing.write(f"{FOLDER}/{TABLE}_4.csv", "a,b\n")
    assert landing.stop().code == "segment_mixed"


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
    assert (refresh.partitions, len(refresh.columns)) == ((), 2)


@pytest.mark.parametrize("first", ["Id,EMail", '"ID","email"', "\ufeffid,EMAIL"])
def test_column_names_in_the_first_row_that_nobody_announced_are_skipped_with_a_warning(
    landing: Landing, first: str
) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", f"{first}\n1,a@example.com\n")
    landing.model()
    refresh = landing.find("T")
    assert refresh.partitions[0].has_header
    (warning,) = refresh.warnings
    assert "begins with the column names although model.json does not say so" in warning


def test_parquet_is_told_by_its_name(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.parquet", "PAR1")
    landing.model(partitions=[{"location": "T/T_1.parquet"}])
    assert landing.find("T").partitions[0].format == "parquet"


@pytest.mark.parametrize(
    "location",
    [
        f"https://x.blob.core.windows.net/landing/{PREFIX}/T/T_1.csv",
        f"https://x.dfs.core.windows.net/landing/{PREFIX}/T/T_1.csv?snapshot=2018-11-14T19:37:51.7526830Z",
        f"https://x.blob.core.windows.net:443/landing/{PREFIX}/T/%54_1.csv",
        "T/T_1.csv",
    ],
)
def test_a_file_is_found_however_its_place_is_written(landing: Landing, location: str) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1,a@example.com\n")
    landing.model(partitions=[{"location": location}])
    assert paths(landing.find("T")) == [f"{PREFIX}/T/T_1.csv"]


@pytest.mark.parametrize(
    "location",
    [
        "https://x.blob.core.windows.net/landing/other/T_1.csv",
        f"https://x.blob.core.windows.net/landing/{PREFIX}/../../other/T_1.csv",
        f"https://x.blob.core.windows.net/landing/{PREFIX}/%2e%2e/%2e%2e/other.csv",
        f"https://x.blob.core.windows.net/landing/{PREFIX}//T_1.csv",
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
    error = landing.stop("T")
    assert error.code == "model_unreadable"
    assert MODEL in error.message


def test_a_segment_has_at_most_2000_columns(landing: Landing) -> None:
    names = ["Email", *(f"c{number}" for number in range(2_000))]
    landing.model(attributes=[{"name": name} for name in names[:2_000]], partitions=[])
    landing.write("people.csv", ",".join(names[:2_000]) + "\n")
    assert len(landing.find("T").columns) == len(landing.find("people.csv").columns) == 2_000
    landing.model(attributes=[{"name": name} for name in names], partitions=[])
    landing.write("people.csv", ",".join(names) + "\n")
    for segment in ("T", "people.csv"):
        error = landing.stop(segment)
        assert (error.code, "2001 columns; at most 2000" in error.message) == ("too_many_columns", True)


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
    assert [column.name for column in refresh.columns] == ["Id", "EMail"]


def test_a_single_file_is_a_segment(landing: Landing) -> None:
    landing.write("people.csv", "Id,EMail\n1,a@example.com\n")
    assert paths(landing.find("people.csv")) == ["people.csv"]


def test_a_folder_of_parquet_files_is_a_segment(landing: Landing) -> None:
    file = io.BytesIO()
    pq.write_table(pa.table({"Id": [1], "EMail": ["a@example.com"], "Tags": [["x"]]}), file)
    landing.write("people/1.parquet", file.getvalue())
    assert landing.find("people").columns == (
        Column("Id", "int64"),
        Column("EMail", "string"),
        Column("Tags", "nested"),
    )


def test_a_truncated_parquet_file_is_refused_by_name(landing: Landing) -> None:
    landing.write("people/1.parquet", b"PAR1 and then nothing")
    error = landing.stop("people")
    assert (error.code, "people/1.parquet" in error.message) == ("parquet_damaged", True)


def test_files_with_different_columns_are_refused(landing: Landing) -> None:
    landing.write("people/1.csv", "Id,EMail\n")
    landing.write("people/2.csv", "Id,Email\n")
    assert landing.stop("people").code == "columns_differ"


@pytest.mark.parametrize("first", ["1,jane@example.com", "", "1,2", "Email,b@example.com", "Jane,Doe,Berlin"])
def test_a_plain_file_without_a_header_is_refused_without_showing_what_it_holds(landing: Landing, first: str) -> None:
    landing.write("people.csv", f"{first}\n2,b@example.com\n")
    error = landing.stop("people.csv")
    assert error.code == "header_missing"
    assert not {"example.com", "Jane", "Berlin"} & set(re.split("[ ,@]", error.message))
    assert [segment.columns for segment in list_segments(landing.files, "")] == [()]


def test_names_that_the_caller_expects_tell_a_header(landing: Landing) -> None:
    landing.write("people.csv", "Kontakt,Hobby\njane@example.com,Jane\n")
    assert landing.stop("people.csv").code == "header_missing"
    refresh = find_refresh(landing.files, "", "people.csv", landing.clock.now(), 0, ("Kontakt",))
    assert [column.name for column in refresh.columns] == ["Kontakt", "Hobby"]


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


def test_an_empty_container_says_so(landing: Landing) -> None:
    assert "There is none at all" in landing.stop("T").message


def test_a_folder_whose_name_begins_like_the_prefix_is_not_in_it(landing: Landing) -> None:
    landing.write("landing-old/people.csv", "Id\n")
    assert landing.stop("people.csv", prefix="landing").code == "segment_not_found"


# Listing.


def test_segments_are_listed_with_refresh_time_files_bytes_and_columns(landing: Landing) -> None:
    landing.export()
    landing.write("people/1.csv", "Id,EMail\n1,a@example.com\n")
    landing.write("damaged/1.csv", "1,jane@example.com\n")
    tables, damaged, people = list_segments(landing.files, "")
    assert (tables.name, tables.refreshed_at, tables.files) == (f"{PREFIX}/{TABLE}", REFRESHED.timestamp(), 3)
    assert tables.size_bytes == sum(f.size_bytes for p, (f, _) in landing.files.files.items() if p.startswith(FOLDER))
    assert [column.name for column in tables.columns] == list(COLUMNS)
    assert (people.name, people.refreshed_at, people.files) == ("people", START, 1)
    assert [column.name for column in people.columns] == ["Id", "EMail"]
    assert (damaged.name, damaged.files, damaged.columns) == ("damaged", 0, ())


def test_a_file_that_is_replaced_during_the_listing_does_not_spoil_it(landing: Landing) -> None:
    class Replaced(io.BytesIO):
        def read(self, size: int | None = -1, /) -> bytes:
            raise Changed

    landing.write("people.csv", "Id\n")
    landing.files.open = lambda file, buffer_bytes=0: Replaced()  # type: ignore[method-assign]  # replaced since it was listed
    assert [(segment.name, segment.columns) for segment in list_segments(landing.files, "")] == [("people.csv", ())]


def test_the_files_of_a_described_export_are_no_segments_of_their_own(landing: Landing) -> None:
    landing.export()
    assert [segment.name for segment in list_segments(landing.files, "")] == [f"{PREFIX}/{TABLE}"]


def test_names_are_relative_to_the_configured_folder(landing: Landing) -> None:
    landing.export()
    assert [segment.name for segment in list_segments(landing.files, f"/{PREFIX}/")] == [TABLE]


def test_the_fingerprint_changes_with_the_files_and_only_then(landing: Landing) -> None:
    landing.export()
    first = landing.find().fingerprint
    assert landing.find().fingerprint == first
    path = f"{FOLDER}/{TABLE}_2.csv"
    landing.write(path, landing.files.files[path][1])
    assert landing.find().fingerprint != first


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
    list_segments(landing.files, prefix)
