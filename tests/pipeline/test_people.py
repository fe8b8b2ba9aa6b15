"""A person of several rows, in several files and segments: one contact or none, and every row says why."""

from __future__ import annotations

import gzip
from typing import Any, BinaryIO

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts.matching import Consent, Mapping
from exporter.contacts.people import People
from exporter.definitions.exports import ConsentColumn, DataMatching, FieldMatch, WhenEmpty, Winner
from exporter.errors import Stop
from exporter.pipeline import batching
from exporter.pipeline.batching import Task, plan_batches
from exporter.records.payload import PlanWriter
from exporter.runs.run import RunStatus
from exporter.source.files import SegmentFile
from exporter.source.rows import Rows
from exporter.source.segments import Reading, Segments
from sandbox.activecampaign import CustomField
from tests.api.client import CONNECTION, EXPORT, Api
from tests.builders import deliver, drive, make_export, rejects_of, run_export, settle, write_segment
from tests.fakes import FakeBlobs, FakeClock, Fakes, FakeSegmentFiles, make_fakes
from tests.planning import AROUND, ROOMY, Row, csv_file, plan

COLUMNS = ("CustomerId", "EMail", "FirstName", "LastName", "OptIn", "ModifiedOn")
MATCHING: dict[str, Any] = {"email": "EMail", "first_name": "FirstName", "last_name": "LastName"}
FIRST: list[Row] = [
    ("1", "ada@example.com", "Ada", "", "yes", "2026-11-01"),
    ("2", "bob@example.com", "Bob", "B", "yes", "2026-11-02T10:00:00Z"),
    ("3", "eve@example.com", "", "E", "yes", ""),
    ("4", "joe@example.com", "Joe", "", "yes", ""),
]
SECOND: list[Row] = [
    ("5", "ADA@example.com ", "A.", "Lovelace", "yes", "2026-11-03"),
    ("6", "Bob@example.com", "Bobby", "", "no", ""),
    ("7", "eve@example.com", "Eve", "X", "yes", "2025-01-01"),
    ("8", "joe@example.com", "J", "Doe", "yes", "2026-11-30"),
]


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, FIRST, COLUMNS, "first")
    write_segment(fakes, SECOND, COLUMNS, "second")
    return fakes


def names_of(fakes: Fakes) -> dict[str, tuple[str, str]]:
    """Return the names that ActiveCampaign has of everybody."""
    found = {}
    for name in ("ada", "bob", "eve", "joe"):
        if contact := fakes.account.contact(f"{name}@example.com"):
            found[name] = (contact.get("first_name", ""), contact.get("last_name", ""))
    return found


def told(fakes: Fakes, run_id: str) -> dict[str, tuple[str, str]]:
    return {row["customerId"]: (row["reason"], row["explanation"]) for row in rejects_of(fakes, run_id)}


SAME = "Row {} of {} has the same e-mail address"
NO = SAME + ", and its consent column does not allow sending."


@pytest.mark.parametrize("segments", [("first", "second"), ("second", "first")])
def test_a_no_in_one_segment_holds_back_the_person_in_all_of_them(fakes: Fakes, segments: tuple[str, str]) -> None:
    consent = ConsentColumn(column="OptIn", value="yes")
    matching = DataMatching(email="EMail")
    run = run_export(fakes, make_export(fakes, segments=segments, data_matching=matching, consent_column=consent))
    assert run.end
    assert names_of(fakes).keys() == {"ada", "eve", "joe"}
    assert (run.end.tally.rows_read, run.end.tally.confirmed, run.end.tally.duplicates) == (8, 3, 3)
    assert run.end.tally.reasons == {"no_consent": 2, "duplicate_email": 3}
    said = told(fakes, run.run_id)
    assert said["2"] == ("no_consent", NO.format(2, "second/second_1.csv"))
    assert said["6"] == ("no_consent", "The consent column does not allow sending.")


def test_the_newest_row_counts_and_is_completed_from_the_others_of_all_segments(fakes: Fakes) -> None:
    matching = DataMatching(**MATCHING, winner=Winner(column="ModifiedOn"), fill_empty=True)
    run = run_export(fakes, make_export(fakes, segments=("first", "second"), data_matching=matching))
    assert names_of(fakes) == {"ada": ("A.", "Lovelace"), "bob": ("Bob", "B"), "eve": ("Eve", "X"), "joe": ("J", "Doe")}
    said = told(fakes, run.run_id)
    assert said["1"] == ("duplicate_email", SAME.format(1, "second/second_1.csv") + ".")
    assert said["6"] == ("duplicate_email", SAME.format(2, "first/first_1.csv") + ".")
    assert said["4"] == ("duplicate_email", SAME.format(4, "second/second_1.csv") + ".")


def test_without_a_word_the_first_row_counts_as_it_is(fakes: Fakes) -> None:
    run_export(fakes, make_export(fakes, segments=("first", "second"), data_matching=DataMatching(**MATCHING)))
    assert names_of(fakes) == {"ada": ("Ada", ""), "bob": ("Bob", "B"), "eve": ("", "E"), "joe": ("Joe", "")}


def test_what_the_first_row_lacks_comes_from_the_other_segment(fakes: Fakes) -> None:
    matching = DataMatching(**MATCHING, fill_empty=True)
    run_export(fakes, make_export(fakes, segments=("first", "second"), data_matching=matching))
    assert names_of(fakes) == {
        "ada": ("Ada", "Lovelace"),
        "bob": ("Bob", "B"),
        "eve": ("Eve", "E"),
        "joe": ("Joe", "Doe"),
    }


@pytest.fixture
def api() -> Api:
    """Return a caller whose export has 600 people in two segments, of whom 7 say no in the second."""
    api = Api(make_fakes(LANES="1", LANE_TIME_BUDGET_S="5"), {})
    api.fakes.activecampaign.request_s = 2.5
    first = [(f"a{n}", f"p{n}@example.com", "" if n % 2 else f"First{n}", "", "", f"{n % 3}") for n in range(600)]
    second = [
        (f"b{n}", f"P{n}@example.com", f"Later{n}", "", "unsubscribed" if n < 7 else "", f"{n % 4}") for n in range(300)
    ]
    write_segment(api.fakes, first, COLUMNS, "first")
    write_segment(api.fakes, second, COLUMNS, "second")
    api.put("/connections/main", CONNECTION)
    said = {
        "segments": ["first", "second"],
        "dataMatching": {
            "email": "EMail",
            "firstName": "FirstName",
            "winner": {"column": "ModifiedOn"},
            "fillEmpty": True,
        },
        "consentColumn": {"column": "OptIn", "condition": "isEmpty"},
    }
    assert api.put("/exports/newsletter", EXPORT | said).status == 201
    return api


def test_an_export_that_says_so_can_be_edited_as_it_is_shown(api: Api) -> None:
    shown = api.get("/exports/newsletter")
    assert shown.json["consentColumn"] == {"column": "OptIn", "condition": "isEmpty"}
    saved = api.put("/exports/newsletter", shown.json, headers={"If-Match": shown.headers["ETag"]})
    assert {name: saved.json[name] for name in ("dataMatching", "consentColumn")} == {
        name: shown.json[name] for name in ("dataMatching", "consentColumn")
    }


def test_a_preview_shows_what_the_run_does(api: Api) -> None:
    shown = api.post("/exports/newsletter/preview").json
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    plan = drive(api.fakes, run_id).end
    assert plan
    assert (shown["rowsRead"], shown["contacts"], shown["duplicates"]) == (900, 593, 293)
    assert shown["rejectedByReason"] == {"no_consent": 14}
    assert (plan.tally.rows_read, plan.tally.confirmed, plan.tally.duplicates) == (900, 593, 293)
    assert plan.tally.reasons == {"duplicate_email": 293, "no_consent": 14}
    contact = api.fakes.account.contact("p9@example.com")
    assert contact
    assert contact["first_name"] == "Later9"


@pytest.mark.parametrize("kept", ["rejects/", "none"])
def test_a_look_up_shows_what_the_run_did_also_from_the_files(api: Api, kept: str) -> None:
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id)
    settle(api.fakes, run_id)
    if kept == "none":
        for path in list(api.fakes.blobs.names("rejects/")):
            api.fakes.blobs.delete(path)
    found = {
        name: [
            (row["file"], row["row"], row["bucket"])
            for row in api.post(f"/runs/{run_id}/lookup", {"email": name}).json["rows"]
        ]
        for name in ("p3@example.com", "p8@example.com", "p11@example.com")
    }
    first, second = "first/first_1.csv", "second/second_1.csv"
    assert found == {
        "p3@example.com": [(first, 4, "rejected"), (second, 4, "rejected")],
        "p8@example.com": [(first, 9, "confirmed"), (second, 9, "duplicate")],
        "p11@example.com": [(first, 12, "duplicate"), (second, 12, "confirmed")],
    }


def test_a_resumed_run_finds_the_same_batches(api: Api) -> None:
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    deliver(api.fakes)
    deliver(api.fakes)
    api.post(f"/runs/{run_id}/cancel")
    drive(api.fakes, run_id)
    assert sum(request.path.endswith("bulk_import") for request in api.fakes.activecampaign.requests) == 2
    resumed = api.post(f"/runs/{run_id}/resume")
    assert resumed.status == 202, resumed.json
    run = drive(api.fakes, resumed.json["runId"])
    assert run.end
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS, run.end.problem
    assert run.end.tally.confirmed == 593
    assert sum(request.path.endswith("bulk_import") for request in api.fakes.activecampaign.requests) == 3


def planned(files: dict[str, bytes], mapping: Mapping, secret: str = "") -> tuple[list[int], bytes]:
    """Plan a segment; return after how many opened files a sign of life was given, and the bytes to send."""
    landing, blobs = FakeSegmentFiles(FakeClock()), FakeBlobs(FakeClock())
    for name, data in files.items():
        landing.write(f"people/{name}", data)
    opened: list[str] = []
    beats: list[int] = []
    original = landing.open

    def open_file(file: SegmentFile, buffer_bytes: int = 0) -> BinaryIO:
        opened.append(file.path)
        return original(file)

    refresh = Segments(landing, "").refresh("people", Reading())
    landing.open = open_file  # type: ignore[method-assign]  # counted
    task = Task(refreshes=[refresh], mapping=mapping, envelope=AROUND, secret=secret, size=ROOMY)
    payload = blobs.writer("payload")
    plan_batches(task, landing, PlanWriter(payload, blobs.writer("rejects")), lambda: beats.append(len(opened)))
    return beats, bytes(payload.data)


ALL_OF_IT = Mapping("EMail", first_name="FirstName", consent=Consent("OptIn", ""), winner="ModifiedOn", fill_empty=True)


def test_the_same_files_give_the_same_bytes_whatever_the_secret_of_a_run() -> None:
    files = {"1.csv": csv_file(FIRST, COLUMNS), "2.csv": csv_file([row for row in SECOND if row[4] == ""], COLUMNS)}
    assert len({planned(files, ALL_OF_IT, secret)[1] for secret in ("one", "two", "three")}) == 1


@pytest.mark.parametrize(
    ("mapping", "reads"),
    [
        (Mapping("EMail"), 1),
        (Mapping("EMail", consent=Consent("OptIn", "")), 2),
        (Mapping("EMail", winner="ModifiedOn"), 2),
        (Mapping("EMail", fill_empty=True), 4),
    ],
)
def test_a_sign_of_life_comes_each_time_that_the_rows_are_read(
    mapping: Mapping, reads: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "HEARTBEAT_ROWS", 4)
    row = [("", "a@example.com", "", "", "", "1")] * 2
    beats, _ = planned({f"{n}.csv": csv_file(row, COLUMNS) for n in range(2)}, mapping)
    assert beats == [2 * (n + 1) for n in range(reads)]


@pytest.mark.parametrize("settings", [{"consent": Consent("EMail", "")}, {"winner": "EMail"}, {"fill_empty": True}])
def test_a_small_file_of_too_many_rejects_is_refused_while_it_is_looked_at(
    settings: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(batching, "MOST_REJECT_BYTES", 1_000 * batching.LEAST_LINE_BYTES)
    monkeypatch.setattr(batching, "ROWS_TOGETHER", 100)
    seen: list[int] = []
    original = People._see_refusals if "consent" in settings else People._see

    def see(self: People, rows: Rows, *others: Any) -> None:
        seen.append(len(rows))
        original(self, rows, *others)

    monkeypatch.setattr(People, original.__name__, see)
    with pytest.raises(Stop, match=r"1100 rejects are more|1099 rejects are more") as caught:
        planned({"1.csv.gz": gzip.compress(b"EMail\n" + b"a@x.org\n" * 20_000)}, Mapping("EMail", **settings))
    assert caught.value.code == "too_many_rejects"
    assert sum(seen) == 1_100


NOES = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from(["", "x"]), st.sampled_from("0123")), max_size=8)


@given(st.lists(NOES, min_size=1, max_size=3))
def test_rows_of_all_files_add_up_and_no_address_is_sent_twice(files: list[list[tuple[str, str, str]]]) -> None:
    rows = [[(f"{n}", f"{name}@x.org", "", "", no, when) for n, (name, no, when) in enumerate(one)] for one in files]
    done = plan({f"{n}.csv": csv_file(one, COLUMNS) for n, one in enumerate(rows)}, mapping=ALL_OF_IT)
    people, total = {row[1] for one in rows for row in one}, sum(map(len, rows))
    refusing = {row[1] for one in rows for row in one if row[4]}
    found = done.planned
    assert found.rows_read == found.contacts + found.duplicates + found.rejected_by_reason.get("no_consent", 0) == total
    assert sorted(contact["email"] for body in done.bodies for contact in orjson.loads(body)["contacts"]) == sorted(
        people - refusing
    )
    assert {reject["email"] for reject in done.rejects if reject["reason"] == "no_consent"} == refusing


@pytest.mark.parametrize("cell", ["false", "true"])
def test_a_no_is_not_made_a_yes_by_another_row(cell: str) -> None:
    fakes = make_fakes()
    fakes.account.put_field(CustomField(31, "News", "checkbox", ("Yes",)))
    rows = [("ada@example.com", cell, "2026-11-02"), ("ada@example.com", "true", "2026-11-01")]
    write_segment(fakes, rows, ("EMail", "News", "ModifiedOn"))
    news = FieldMatch(column="News", field="31", yes=("true",), when_empty=WhenEmpty(text="yes"))
    matching = DataMatching(email="EMail", fields=(news,), winner=Winner(column="ModifiedOn"), fill_empty=True)
    run_export(fakes, make_export(fakes, data_matching=matching))
    contact = fakes.account.contact("ada@example.com")
    assert contact
    assert contact["fields"] == ({"31": "||Yes||"} if cell == "true" else {})


def test_a_cell_that_fills_two_fields_is_not_replaced_for_one_of_them() -> None:
    fakes = make_fakes()
    fakes.account.put_field(CustomField(31, "Rank", "dropdown", ("N/A", "Gold")))
    fakes.account.put_field(CustomField(32, "Note", "text"))
    write_segment(fakes, [("ada@example.com", "N/A"), ("ada@example.com", "Gold")], ("EMail", "Rank"))
    fields = tuple(FieldMatch(column="Rank", field=number) for number in ("31", "32"))
    run_export(fakes, make_export(fakes, data_matching=DataMatching(email="EMail", fields=fields, fill_empty=True)))
    contact = fakes.account.contact("ada@example.com")
    assert contact
    assert contact["fields"] == {"31": "N/A"}
