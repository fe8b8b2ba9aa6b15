"""How a `model.json` says that files are to be read."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.source.readers import read_rows
from exporter.source.rows import rows_at
from tests.fakes import START
from tests.unit.source.landing import MODEL, PREFIX, REFRESHED, Landing


@pytest.mark.parametrize(
    ("settings", "has_header"),
    [({}, False), ({"columnHeaders": False}, False), ({"columnHeaders": True}, True), ({"columnHeaders": "true"}, True),
     ({"columnHeaders": "False"}, False)],
)  # fmt: skip
def test_whether_there_is_a_header_row_is_what_model_json_says(
    landing: Landing, settings: dict[str, Any], *, has_header: bool
) -> None:
    header = "Id,EMail\n" if has_header else ""
    landing.write(f"{PREFIX}/T/T_1.csv", f"{header}1,a@example.com\n")
    landing.model(partitions=[{"location": "T/T_1.csv", "fileFormatSettings": settings}])
    (partition,) = landing.find("T").partitions
    assert (partition.has_header, partition.delimiter, partition.quoted) == (has_header, ",", True)


def test_delimiter_and_quote_style_are_what_model_json_says(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1;a@example.com\n")
    settings = {"delimiter": ";", "quoteStyle": "QuoteStyle.None", "encoding": "ASCII"}
    landing.model(partitions=[{"location": "T/T_1.csv", "fileFormatSettings": settings}])
    (partition,) = landing.find("T").partitions
    assert (partition.delimiter, partition.quoted, partition.encoding) == (";", False, "ASCII")


def test_a_stated_delimiter_is_taken_where_another_one_would_be_guessed(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1;a,b,c\n2;d,e,f\n")
    landing.model(partitions=[{"location": "T/T_1.csv", "fileFormatSettings": {"delimiter": ";"}}])
    assert landing.find("T").partitions[0].delimiter == ";"


@pytest.mark.parametrize("said", ["True", None, False])
def test_a_header_row_tells_the_order_of_columns_whatever_model_json_says(landing: Landing, said: object) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "EMAIL,id\na@example.com,1\n")
    landing.model(partitions=[{"location": "T/T_1.csv", "fileFormatSettings": {"columnHeaders": said}}])
    (partition,) = landing.find("T").partitions
    assert (partition.has_header, partition.columns) == (True, ("EMAIL", "id"))


@pytest.mark.parametrize("name", ["windows-1252", "ISO-8859-15", "utf-16"])
def test_the_encoding_is_the_one_that_model_json_states(landing: Landing, name: str) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1,J\u00f6rg\n".encode(name))
    landing.model(partitions=[{"location": "T/T_1.csv", "fileFormatSettings": {"encoding": name}}])
    (partition,) = landing.find("T").partitions
    blocks = read_rows(landing.files, partition, ["EMail"])
    assert [row for block in blocks for row in rows_at(block, [0], [0])] == [("J\u00f6rg",)]


def test_an_encoding_that_is_not_known_is_named(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1,a@example.com\n")
    landing.model(partitions=[{"location": "T/T_1.csv", "fileFormatSettings": {"encoding": "klingon"}}])
    assert "states the encoding 'klingon'" in landing.stop("T").message


@pytest.mark.parametrize("locations", [[None], ["T/T_1.csv", None]])
def test_a_table_whose_rows_are_nowhere_is_refused(landing: Landing, locations: list[str | None]) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1,a@example.com\n")
    landing.model(partitions=[{"location": location} for location in locations])
    error = landing.stop("T")
    assert error.code == "partition_without_location"
    assert f"lists 1 of {len(locations)} files of T without a location" in error.message


@pytest.mark.parametrize(
    "changes",
    [
        {"attributes": [1]},
        {"attributes": None},
        {"partitions": ["x"]},
        {"partitions": [{"location": "T/T_1.csv", "refreshTime": "yesterday"}]},
        {"partitions": [{"location": "T/T_1.csv", "fileFormatSettings": {"columnHeaders": "perhaps"}}]},
        {"partitions": [{"location": "T/T_1.csv", "fileFormatSettings": {"delimiter": "||"}}]},
        {"partitions": [{"location": "T/T_1.csv", "fileFormatSettings": {"delimiter": 7}}]},
        *(
            {"partitions": [{"location": "T/T_1.csv", "fileFormatSettings": {"delimiter": delimiter}}]}
            for delimiter in '"\n\r'
        ),
        {"partitions": [{"location": "T/T_1.csv", "fileFormatSettings": {"encoding": "klingon"}}]},
        {"partitions": [{"location": "T/T_1.csv", "fileFormatSettings": 3}]},
    ],
)
def test_a_table_that_is_not_described_as_specified_is_refused(landing: Landing, changes: dict[str, Any]) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1,a@example.com\n")
    landing.model(**changes)
    error = landing.stop("T")
    assert error.code == "model_unreadable"
    assert MODEL in error.message


@pytest.fixture
def in_new_york() -> Iterator[None]:
    """Set the machine's own time zone."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TZ", "America/New_York")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.usefixtures("in_new_york")
def test_a_refresh_time_without_a_zone_is_utc(landing: Landing) -> None:
    landing.write(f"{PREFIX}/T/T_1.csv", "1,a@example.com\n")
    found = {}
    for text in ("2026-11-18T04:15:00", "2026-11-18T04:15:00Z", "2026-11-18T06:15:00+02:00", "2026-11-18"):
        landing.model(partitions=[{"location": "T/T_1.csv", "refreshTime": text}])
        found[text] = landing.find("T").refreshed_at
    assert list(found.values()) == [REFRESHED.timestamp()] * 3 + [datetime(2026, 11, 18, tzinfo=UTC).timestamp()]


def test_the_latest_refresh_time_of_the_files_counts_and_else_their_last_write(landing: Landing) -> None:
    for name in ("1", "2"):
        landing.write(f"{PREFIX}/T/T_{name}.csv", "1,a@example.com\n")
    times = ["2026-11-18T04:15:00Z", "2026-11-17T04:15:00Z"]
    listed = [{"location": f"T/T_{n}.csv", "refreshTime": t} for n, t in enumerate(times, 1)]
    landing.model(partitions=listed)
    assert landing.find("T").refreshed_at == REFRESHED.timestamp()
    landing.model(partitions=[{"location": one["location"]} for one in listed])
    assert landing.find("T").refreshed_at == START
