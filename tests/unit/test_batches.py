"""Where batches are cut, and where a plan gives a sign of life or gives up: each limit at both of its sides."""

from __future__ import annotations

from dataclasses import replace

import pytest

from exporter.activecampaign.bodies import envelope
from exporter.contacts.matching import Mapping
from exporter.delivery.batches import RequestSize
from exporter.errors import Stop
from exporter.pipeline.batching import HEARTBEAT_ROWS, Task, plan_batches
from exporter.records.payload import PlanWriter
from exporter.source.segments import Refresh, find_refresh
from tests.fakes import START, FakeBlobs, FakeClock, FakeSegmentFiles
from tests.unit.test_plan import Row, csv_file, plan

ADDRESS = Mapping("EMail", first_name="FirstName")
COLUMNS = ("EMail", "FirstName")


def table(rows: list[Row]) -> dict[str, bytes]:
    return {"1.csv": csv_file(rows, COLUMNS)}


def people(count: int) -> list[Row]:
    return [(f"p{n}@x.org", "") for n in range(count)]


def test_a_request_has_at_most_250_contacts_and_399_999_bytes() -> None:
    assert RequestSize() == RequestSize(max_contacts=250, max_bytes=399_999)


@pytest.mark.parametrize(("count", "counts"), [(249, [249]), (250, [250]), (251, [241, 10]), (500, [250, 250])])
def test_the_251st_contact_begins_another_batch(count: int, counts: list[int]) -> None:
    assert [batch.count for batch in plan(table(people(count)), mapping=ADDRESS).planned.batches] == counts


# The second name has a character that JSON escapes, so that its row is read the careful way.
@pytest.mark.parametrize("name", ["Ada", 'A"a'])
def test_a_contact_that_fills_a_request_to_the_last_byte_is_sent_and_one_byte_more_is_too_large(name: str) -> None:
    files = table([("p0@x.org", ""), ("ada@example.com", name * 50), ("p1@x.org", "")])
    (fitting,) = plan(table([("ada@example.com", name * 50)]), mapping=ADDRESS).bodies
    full = plan(files, mapping=ADDRESS, limits=RequestSize(max_bytes=len(fitting)))
    assert full.planned.rejected_by_reason == {}
    assert fitting in full.bodies
    assert full.planned.contacts == 3
    less = plan(files, mapping=ADDRESS, limits=RequestSize(max_bytes=len(fitting) - 1))
    assert less.planned.rejected_by_reason == {"contact_too_large": 1}
    assert [row["email"] for row in less.rejects] == ["ada@example.com"]
    assert less.planned.contacts == 2


def test_a_batch_is_filled_to_the_last_byte_and_not_beyond_it() -> None:
    files = table(people(5))
    (together,) = plan(files, mapping=ADDRESS).bodies
    exactly = plan(files, mapping=ADDRESS, limits=RequestSize(max_bytes=len(together)))
    assert exactly.bodies == [together]
    less = plan(files, mapping=ADDRESS, limits=RequestSize(max_bytes=len(together) - 1))
    assert sorted(batch.count for batch in less.planned.batches) == [2, 3]


def test_a_small_last_batch_takes_as_many_contacts_as_fit_into_it_to_the_byte() -> None:
    short = [(f"p{n}@x.org", "A" * n) for n in range(20)]
    long = [(f"q{n}@x.org", "B" * 900) for n in range(3)]
    (fitting,) = plan(table([*short[-2:], *long]), mapping=ADDRESS).bodies
    cut = plan(table([*short, *long]), mapping=ADDRESS, limits=RequestSize(max_contacts=20, max_bytes=len(fitting)))
    assert [batch.count for batch in cut.planned.batches] == [18, 5]
    assert cut.bodies[-1] == fitting
    less = plan(
        table([*short, *long]), mapping=ADDRESS, limits=RequestSize(max_contacts=20, max_bytes=len(fitting) - 1)
    )
    assert [batch.count for batch in less.planned.batches] == [19, 4]


def test_a_plan_tells_of_each_file_its_version_its_size_and_its_rows() -> None:
    rows = people(6)
    files = {f"{n}.csv": csv_file(rows[a:b], COLUMNS) for n, (a, b) in enumerate(((0, 3), (3, 4), (4, 6)))}
    found = plan(files, mapping=ADDRESS).planned.sources
    assert [(one.size_bytes, one.rows) for one in found] == [
        (len(files[f"{n}.csv"]), r) for n, r in enumerate((3, 1, 2))
    ]
    assert len({one.etag for one in found}) == 3


@pytest.mark.parametrize("count", [1, 250, 600])
def test_a_run_of_exactly_as_many_profiles_as_allowed_sends_each_of_them(count: int) -> None:
    files = {f"{n}.csv": csv_file(people(count)[start : start + 100], COLUMNS) for n, start in enumerate((0, 100))}
    files["9.csv"] = csv_file([*people(count)[200:], *people(5)[:1]], COLUMNS)  # the last row repeats the first one
    done = plan(files, mapping=ADDRESS, most=count)
    assert done.planned.contacts == sum(batch.count for batch in done.planned.batches) == count
    assert b"".join(done.bodies).count(b"@x.org") == count
    assert done.bodies == plan(files, mapping=ADDRESS).bodies


def test_one_profile_more_than_allowed_is_refused_with_the_number_of_all() -> None:
    with pytest.raises(Stop, match="hold 601 contacts; at most 600") as caught:
        plan(table([*people(601), ("nobody", "")]), mapping=ADDRESS, most=600)
    assert caught.value.code == "too_many_contacts"


def task_of(*refreshes: Refresh) -> Task:
    around = envelope(1, run_automations=False)
    return Task(refreshes=refreshes, mapping=Mapping("EMail"), envelope=around, secret="", size=RequestSize())


def test_what_was_odd_about_a_refresh_is_told_with_the_plan() -> None:
    clock = FakeClock()
    landing, blobs = FakeSegmentFiles(clock), FakeBlobs(clock)
    landing.write("people/1.csv", csv_file([("p1@x.org",)], ("EMail",)))
    odd = replace(find_refresh(landing, "", "people", START, 0), warnings=("A file is empty.",))
    planned = plan_batches(task_of(odd, odd), landing, PlanWriter(blobs.writer("p"), blobs.writer("r")), lambda: None)
    assert planned.warnings == ("A file is empty.",)


def beats(*rows_of_files: int) -> list[int]:
    """Plan files of so many rows; return after how many rows a sign of life was given."""
    clock = FakeClock()
    landing, blobs = FakeSegmentFiles(clock), FakeBlobs(clock)
    for number, count in enumerate(rows_of_files):
        landing.write(f"people/{number}.csv", csv_file([(f"p{n}@x.org",) for n in range(count)], ("EMail",)))
    refresh = find_refresh(landing, "", "people", START, 0)
    opened: list[int] = []
    found: list[int] = []
    original = landing.open

    def open_file(file: object) -> object:
        opened.append(1)
        return original(file)  # type: ignore[arg-type]  # passed on

    landing.open = open_file  # type: ignore[method-assign,assignment]  # counted
    plan_batches(
        task_of(refresh),
        landing,
        PlanWriter(blobs.writer("p"), blobs.writer("r")),
        lambda: found.append(sum(rows_of_files[: len(opened)])),
    )
    return found


def test_a_sign_of_life_comes_with_the_65536th_row_and_not_before() -> None:
    assert HEARTBEAT_ROWS == 65_536
    assert beats(65_535) == []
    assert beats(65_535, 1) == [65_536]


def test_a_sign_of_life_comes_again_after_as_many_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("exporter.pipeline.batching.HEARTBEAT_ROWS", 100)
    assert beats(99, 1, 99, 1, 250, 49, 1) == [100, 200, 450, 500]


def test_a_plan_tells_once_what_was_odd_about_columns_and_about_how_many_who_are_sent() -> None:
    rows: list[Row] = [("a@x.org", "NULL"), ("b@x.org", "null"), ("a@x.org", "N/A"), ("c@x.org", "Ada")]
    files = {"1.csv": csv_file(rows, COLUMNS), "2.csv": csv_file([("d@x.org", "Bob")], COLUMNS)}
    planned = plan(files, mapping=Mapping("email", first_name="FirstName")).planned
    assert (planned.contacts, planned.duplicates) == (4, 1)
    assert planned.warnings == (
        "The column email was found as EMail.",
        "2 contacts hold the text NULL, N/A or NaN in a mapped column; values are sent unchanged.",
    )


def test_a_row_that_cannot_be_read_is_reported_without_an_address() -> None:
    (reject,) = plan({"1.csv": b"EMail,FirstName,CustomerId\na@x.org,Ada,7\nb@x.org\n"}, mapping=ADDRESS).rejects
    assert (reject["row"], reject["reason"], reject["email"], reject["customerId"]) == (
        "2",
        "wrong_field_count",
        "",
        "",
    )
    (reject,) = plan({"1.csv": b"EMail,FirstName\na@x.org,Ada\nb@x,Bob\n"}, mapping=ADDRESS).rejects
    assert (reject["row"], reject["email"], reject["customerId"]) == ("2", "b@x", "")
