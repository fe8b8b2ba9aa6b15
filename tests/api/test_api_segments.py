"""What is in storage, how it is understood, and what its columns hold; who they are, only administrators see."""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import replace
from typing import Any, BinaryIO

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter.activecampaign.wire import Request
from exporter.errors import Unavailable
from exporter.ports import Changed
from exporter.queries import columns, reading
from exporter.records import audit
from exporter.source.files import SegmentFile
from exporter.source.folders import LeftOut, Why
from exporter.source.rows import Rows
from exporter.source.segments import Segments
from tests.api.client import CONNECTION, EXPORT, Answer, Api, signed_in, with_function_key
from tests.builders import people, write_segment
from tests.fakes import FakeSegmentReader, make_fakes

HEADER = ("Id", "EMail", "City, Land", "Newsletter")
ROWS = [
    ("1", "jane.doe@example.com", "Berlin", "Yes"),
    ("2", "john@example.com", "Paris", "No"),
    ("3", "", "Berlin", ""),
    ("4", "nobody", "Oslo", "No"),
]


@pytest.fixture
def api() -> Api:
    api = with_function_key()
    write_segment(api.fakes, ROWS, HEADER)
    return api


def details(api: Api, *columns: str, name: str = "people", **query: str) -> Any:
    answer = ask(api, *columns, name=name, **query)
    assert answer.status == 200, answer.json
    return answer.json


def ask(api: Api, *columns: str, name: str = "people", **query: str) -> Answer:
    return api.get(f"/segments/{name}", query=[*(("column", column) for column in columns), *query.items()])


def write_parquet(api: Api, path: str, **columns: list[Any]) -> None:
    stream = io.BytesIO()
    pq.write_table(pa.table(columns), stream)
    api.fakes.segments.write(path, stream.getvalue())


def facts(name: str, filled: int, addresses: int, distinct: int, *examples: str) -> dict[str, Any]:
    return {
        "name": name,
        "hidden": False,
        "rowsLookedAt": 4,
        "filled": filled,
        "validAddresses": addresses,
        "distinctValues": distinct,
        "examples": list(examples),
    }


# The list.


def test_a_segment_that_cannot_be_read_is_listed_with_the_reason_and_without_a_time(api: Api) -> None:
    api.fakes.segments.write("broken.csv", b"1,jane@example.com\n")
    broken, fine = api.get("/segments").json["value"]
    assert (broken["name"], broken["files"], broken["columns"]) == ("broken.csv", 0, [])
    assert (broken["problem"]["code"], broken["problem"]["culprit"]) == ("header_missing", "user")
    assert "broken.csv" in broken["problem"]["message"]
    assert "refreshedUtc" not in broken
    assert b"jane" not in api.get("/segments").response.body
    assert (fine["name"], fine["layout"], fine["files"]) == ("people", "folder", 1)
    assert fine["refreshedUtc"].startswith("2026-11-18T")
    assert "problem" not in fine


def test_only_the_segments_of_the_page_are_opened(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("a", "b", "c"):
        write_segment(api.fakes, ROWS, HEADER, name=name)
    opened: list[str] = []
    open_file = api.fakes.segments.open

    def opening(file: SegmentFile, *options: int) -> Any:
        opened.append(file.path)
        return open_file(file, *options)

    monkeypatch.setattr(api.fakes.segments, "open", opening)
    page = api.get("/segments", query={"top": "2"}).json
    assert [segment["name"] for segment in page["value"]] == ["a", "b"]
    assert page["nextLink"] == "/api/segments?top=2&after=b"
    assert {path.split("/")[0] for path in opened} == {"a", "b"}


# How it is understood.


def test_the_page_tells_which_files_are_read_and_how(api: Api) -> None:
    found = details(api)
    assert (found["layout"], found["files"], found["filesNotRead"], found["filesNotReadCount"]) == ("folder", 1, [], 0)
    (file,) = found["filesRead"]
    assert file.pop("sizeBytes") == found["sizeBytes"] > 0
    assert file == {
        "path": "people/people_1.csv",
        "format": "csv",
        "delimiter": ",",
        "encoding": "utf-8",
        "header": True,
    }
    assert (found["rowsLookedAt"], found["unreadableRows"], found["columnFacts"]) == (4, 0, [])


def test_of_parquet_the_page_tells_what_it_does_not_say_itself(api: Api) -> None:
    write_parquet(api, "p.parquet", EMail=["a@example.com"])
    found = details(api, name="p.parquet")
    (file,) = found["filesRead"]
    assert (found["layout"], file["format"], file.keys()) == ("file", "parquet", {"path", "sizeBytes", "format"})


@pytest.mark.parametrize(("count", "shown"), [(100, 100), (101, 100)])
def test_at_most_a_hundred_files_of_a_kind_are_shown_and_all_are_counted(
    api: Api, monkeypatch: pytest.MonkeyPatch, count: int, shown: int
) -> None:
    beside = tuple(LeftOut(f"people/{number}.pdf", Why.OTHER_FORMAT) for number in range(count))
    look = Segments.look
    monkeypatch.setattr(Segments, "look", lambda *options: replace(look(*options), left_out=beside))
    for number in range(2, count + 1):
        api.fakes.segments.write(f"people/people_{number}.csv", (",".join(f'"{name}"' for name in HEADER)).encode())
    found = details(api)
    assert (found["files"], len(found["filesRead"])) == (count, shown)
    assert (found["filesNotReadCount"], len(found["filesNotRead"])) == (count, shown)
    assert found["filesNotRead"][0] == {
        "path": "people/0.pdf",
        "code": "otherFormat",
        "why": "of another format, by its name",
    }


def test_rows_that_cannot_be_read_are_counted(api: Api) -> None:
    api.fakes.segments.write("people/people_1.csv", b"Id,EMail\n1,a@example.com\n2\n3,b@example.com\n")
    for found in (details(api), details(api, "EMail")):
        assert (found["rowsLookedAt"], found["unreadableRows"]) == (3, 1)


# What columns hold.


def test_columns_asked_for_are_described_with_masked_examples(api: Api) -> None:
    found = details(api, "EMail", "City, Land", "newsletter")
    assert found["columnFacts"] == [
        facts("EMail", 3, 2, 3, "j***.d***@e***.c***", "j***@e***.c***", "n***"),
        facts("City, Land", 4, 0, 3, "B***", "P***", "O***"),
        facts("Newsletter", 3, 0, 2, "Y***", "**"),
    ]


def test_a_masked_answer_holds_no_value(api: Api, caplog: pytest.LogCaptureFixture) -> None:
    body = ask(api, *HEADER).response.body
    assert not [value for value in (b"jane", b"doe", b"@example", b"john", b"nobody", b"Berlin") if value in body]
    details(api, *HEADER, unmasked="true")
    assert "jane" not in caplog.text


def test_a_column_is_described_once_however_often_it_is_asked_for(api: Api) -> None:
    assert [column["name"] for column in details(api, "email", "EMail", "EMail")["columnFacts"]] == ["EMail"]


@pytest.mark.parametrize("unmasked", ["false", "true"])
def test_of_hidden_columns_nothing_is_told_but_that_they_are_hidden(unmasked: str) -> None:
    api = Api(make_fakes(HIDDEN_COLUMNS="email, City"), {})
    write_segment(api.fakes, ROWS, ("Id", "EMail", "City", "Newsletter"))
    found = details(api, "EMail", "Newsletter", unmasked=unmasked)["columnFacts"]
    assert [(column["name"], column["hidden"]) for column in found] == [("Newsletter", False), ("EMail", True)]
    assert found[1] == {"name": "EMail", "hidden": True}


def test_hidden_columns_are_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    api = Api(make_fakes(HIDDEN_COLUMNS="Contact"), {})
    write_segment(api.fakes, [("x", "a@example.com")], ("Name", "Contact"))
    wanted: list[list[str]] = []

    def reading_columns(*options: Any) -> Iterator[Rows]:
        wanted.append(list(options[2]))
        return iter(())

    monkeypatch.setattr("exporter.queries.columns.read_rows", reading_columns)
    details(api, "Contact", "Name")
    assert wanted == [["Name"], ["Name"]]
    assert details(api)["suggestion"] == {}


def test_a_column_that_is_not_there_is_refused_with_the_columns_that_are(api: Api) -> None:
    refused = ask(api, "EMail", "Phone")
    assert (refused.status, refused.code) == (422, "column_missing")
    assert "Its columns are: Id, EMail, City, Land, Newsletter." in refused.json["detail"]


@pytest.mark.parametrize(("count", "status"), [(20, 200), (21, 422)])
def test_twenty_columns_can_be_asked_for_at_once(api: Api, count: int, status: int) -> None:
    answer = ask(api, *["EMail"] * count)
    assert (answer.status, answer.code) == (status, None if status == 200 else "invalid_query")


@pytest.mark.parametrize(("length", "code"), [(0, "invalid_query"), (256, "column_missing"), (257, "invalid_query")])
def test_the_name_of_a_column_has_1_to_256_characters(api: Api, length: int, code: str) -> None:
    assert ask(api, "x" * length).code == code


def test_the_first_ten_thousand_rows_are_looked_at_in_the_order_of_the_files(api: Api) -> None:
    write_segment(api.fakes, people(6_000))
    text = b"\n".join(b"i,f,l,x%d,t" % number for number in range(4_001))
    api.fakes.segments.write("people/people_2.csv", b"CustomerId,FirstName,LastName,EMail,Telephone\n" + text)
    (column,) = details(api, "EMail")["columnFacts"]
    assert (column["rowsLookedAt"], column["filled"], column["validAddresses"]) == (10_000, 10_000, 6_000)
    assert column["distinctValues"] == 50


def test_where_reading_takes_long_fewer_rows_are_looked_at(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    api.fakes.segments.write("people/people_2.csv", api.fakes.segments.files["people/people_1.csv"][1])
    assert details(api, "Id")["columnFacts"][0]["rowsLookedAt"] == 8
    monkeypatch.setattr("exporter.queries.columns.SAMPLE_S", -1.0)
    assert details(api, "Id")["columnFacts"][0]["rowsLookedAt"] == 4


def test_columns_that_hold_no_single_values_are_no_reason_to_show_nothing(api: Api) -> None:
    write_parquet(api, "p.parquet", EMail=["a@example.com"], Tags=[{"a": 1}])
    assert details(api, name="p.parquet")["suggestedBy"] == "namesAndValues"
    found = details(api, "Tags", name="p.parquet")
    assert (found["problem"]["code"], found["columnFacts"]) == ("column_unreadable", [])
    assert (found["suggestion"], found["files"]) == ({"email": "EMail"}, 1)


def test_a_file_that_is_replaced_while_its_rows_are_read_is_a_wait(api: Api, monkeypatch: pytest.MonkeyPatch) -> None:
    def replaced(*_: object) -> Iterator[Rows]:
        raise Changed

    with monkeypatch.context() as patch:
        patch.setattr("exporter.queries.columns.read_rows", replaced)
        answer = ask(api, "EMail")
        assert (answer.status, answer.code) == (503, "source_changing")
    assert details(api, "EMail")["columnFacts"], "the place is free again"


# The suggestion.


def test_a_column_called_email_that_holds_yes_and_no_is_not_suggested(api: Api) -> None:
    write_segment(api.fakes, [("Yes", "a@example.com"), ("No", "b@example.com")], ("Email", "Contact"))
    found = details(api)
    assert (found["suggestion"], found["suggestedBy"]) == ({"email": "Contact"}, "namesAndValues")


def test_columns_of_one_name_are_left_out_of_what_the_suggestion_looks_at(api: Api) -> None:
    write_segment(api.fakes, [("Yes", "a", "b", "a@example.com")], ("Email", "Note", "note", "Contact"))
    found = details(api)
    assert (found["suggestion"], found["suggestedBy"]) == ({"email": "Contact"}, "namesAndValues")
    write_segment(api.fakes, [("a@example.com", "b")], ("Email", "Email"))
    assert details(api)["suggestion"] == {"email": "Email"}


def test_while_rows_are_read_for_another_caller_the_suggestion_comes_from_names(api: Api) -> None:
    write_segment(api.fakes, [("Yes", "a@example.com")], ("Email", "Contact"))
    with reading.one_reader():
        found = details(api)
        busy = ask(api, "Email")
    assert (found["suggestion"], found["suggestedBy"], found["rowsLookedAt"]) == ({"email": "Email"}, "names", 0)
    assert (busy.status, busy.code) == (429, "reading_busy")


def test_a_preview_is_refused_while_columns_are_looked_at(api: Api) -> None:
    write_segment(api.fakes, people(3))
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    answers: list[Answer] = []

    def before(_: Request) -> None:
        api.fakes.activecampaign.before = lambda _: None
        answers.append(ask(api, "EMail"))

    api.fakes.activecampaign.before = before
    assert api.post("/exports/newsletter/preview").status == 200
    assert [answer.code for answer in answers] == ["reading_busy"]


# Examples as they are.


def entries(api: Api) -> list[list[dict[str, Any]]]:
    return [
        [orjson.loads(line) for line in api.fakes.blobs.stored[path].data.splitlines()]
        for path in api.fakes.blobs.names(audit.PREFIX)
    ]


@pytest.mark.parametrize("caller", ["Admin", "function key"])
def test_administrators_see_examples_as_they_are_and_leave_an_entry_in_the_audit_trail(caller: str) -> None:
    api = signed_in("Admin") if caller == "Admin" else with_function_key()
    write_segment(api.fakes, ROWS, HEADER)
    details(api, "EMail")
    assert entries(api) == []
    found = details(api, "EMail", name="people/", unmasked="true")
    assert found["columnFacts"][0]["examples"] == ["jane.doe@example.com", "john@example.com", "nobody"]
    ((asked, done),) = entries(api)
    assert (asked["action"], done["status"], done["location"]) == ("getSegment", 200, "/api/segments/people")
    assert not [text for text in ("EMail", "jane") if text in str((asked, done))]


def test_for_anybody_else_they_stay_masked(caplog: pytest.LogCaptureFixture) -> None:
    api = signed_in("Contributor")
    write_segment(api.fakes, ROWS, HEADER)
    refused = ask(api, "EMail", unmasked="true")
    assert (refused.status, refused.code) == (403, "role_missing")
    assert "unmasked=true shows personal data; yours is Contributor" in refused.json["detail"]
    assert api.fakes.blobs.stored == {}
    assert "access_refused" in caplog.text
    assert details(api, "EMail", unmasked="false")["columnFacts"]


def test_head_shows_nothing_and_leaves_no_entry(api: Api) -> None:
    answer = api.call("HEAD", "/segments/people", query={"column": "EMail", "unmasked": "true"})
    assert (answer.status, answer.response.body, entries(api)) == (200, b"", [])


def test_where_the_entry_cannot_be_written_nothing_is_shown(api: Api) -> None:
    def full(do: str, path: str) -> None:
        if path.startswith(audit.PREFIX):
            raise Unavailable("blob_unavailable", do)

    api.fakes.blobs.before = full
    answer = ask(api, "EMail", unmasked="true")
    assert (answer.status, answer.code) == (503, "blob_unavailable")
    assert b"jane" not in answer.response.body


def test_thousands_of_files_without_rows_are_not_all_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    fakes = make_fakes()
    for number in range(100):
        fakes.segments.write(f"people/{number:03}.csv", b"EMail\n")
    opened = []

    def open_slowly(file: SegmentFile, buffer_bytes: int = 0) -> BinaryIO:
        opened.append(file.path)
        fakes.clock.sleep(1)
        return FakeSegmentReader(fakes.segments, file)

    monkeypatch.setattr(fakes.segments, "open", open_slowly)
    look = columns.look(fakes.services, "people", [])
    assert (look.rows, len(look.refresh.partitions)) == (0, 100)
    assert len(opened) < 100 + columns.SAMPLE_S + 2
