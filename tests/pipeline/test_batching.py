"""The batches of a segment: every row counted once, the same bytes as a plain implementation, within the limits."""

from __future__ import annotations

import csv
import gzip
import hashlib
import io
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from random import Random

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import peers
from bench import plan as bench
from exporter.activecampaign.bodies import envelope
from exporter.contacts.matching import Consent, Mapping
from exporter.delivery.batches import RequestSize
from exporter.errors import Stop
from exporter.pipeline import batching
from exporter.pipeline.batching import HEARTBEAT_ROWS, Task, plan_batches
from exporter.ports import Changed
from exporter.records.payload import PlanWriter
from exporter.source.segments import Reading, Refresh, Segments
from exporter.tally.rejects import Reject
from exporter.tally.unfit import UnfitValue
from exporter.warned import Warned
from tests.fakes import FakeBlobs, FakeClock, FakeSegmentFiles
from tests.planning import (
    ADDRESS,
    ADDRESSES,
    AROUND,
    COLUMNS,
    MAPPING,
    ROOMY,
    TEXTS,
    TWO_COLUMNS,
    Done,
    Row,
    addressees,
    csv_file,
    csv_lines,
    people,
    plan,
    table,
)

# A plan is compared with that of `bench.peers.with_csv`, which shares nothing with the app. What a request looks like,
# and what it may hold, is written out here.

PEER_COLUMNS = (*COLUMNS, "PreviousCustomerId")
PEER = peers.Task(
    columns=7,
    customer_id=0,
    email=1,
    first_name=2,
    last_name=3,
    phone=4,
    fields=((5, 7),),
    previous_customer_id=6,
    prefix=b'{"exclude_automations":true,"contacts":[',
    contact_tail=b',"subscribe":[{"listid":1}],"exclude_automations":true}',
    suffix=b"]}",
    max_contacts=250,
    max_bytes=399_999,
)
CONSENT = "Gold"  # in the column of the tier
WHY_SET_ASIDE = {
    "no_consent": "no consent",
    "contact_too_large": "too large",
    "wrong_field_count": "invalid",
    "missing_email": "invalid",
}


def assert_as_the_peer_does(rows: Sequence[Row], task: peers.Task, limits: RequestSize) -> Done:
    """Plan rows in both ways: the same bytes are to be sent, and the same rows are set aside for the same reason."""
    mapping = replace(MAPPING, consent=task.consent and Consent("Tier", CONSENT))
    data = csv_lines(rows)
    done = plan({"1.csv": csv_lines([PEER_COLUMNS]) + data}, mapping=mapping, limits=limits)
    payload, rejects = io.BytesIO(), io.BytesIO()
    peers.with_csv(io.BytesIO(data), task, payload, rejects)
    assert done.payload == payload.getvalue()
    set_aside = [(row, why) for row, _, _, why in csv.reader(io.StringIO(rejects.getvalue().decode(), newline=""))]
    assert [(reject["row"], why_set_aside(reject)) for reject in done.rejects] == set_aside
    assert done.planned.rows_read == len(rows)
    return done


def why_set_aside(reject: dict[str, str]) -> str:
    """Return the reason of a reject in the peer's words."""
    if reject["reason"] == "duplicate_email":
        return f"duplicate of {reject['explanation'].split()[1]}"
    return WHY_SET_ASIDE.get(reject["reason"], "invalid")


RANDOMS = st.integers(0, 1 << 32).map(Random)
"""For hundreds of values an example: hypothesis's own random numbers take most of the time."""
TIERS = st.sampled_from(["gold", " GOLD\u00a0", "silver", "", "go ld", "\x7f"])
ROWS = st.lists(
    st.one_of(st.tuples(TEXTS, ADDRESSES, TEXTS, TEXTS, TEXTS, TIERS, TEXTS), st.lists(TEXTS, min_size=1, max_size=9)),
    min_size=1,
    max_size=40,
).map(lambda rows: [[field.encode("utf-8", "ignore").decode() for field in row] for row in rows])


def mixed(drawn: list[Row], usual: int, name_bytes: int, random: Random) -> list[Row]:
    """Return `usual` rows of people who can be sent, with first names of at least that size, and others among them."""
    rows: list[Row] = [
        (f"id{n}", f"p{n}@example.com", "x" * (name_bytes + random.randrange(200)), "Last", f"0{n}", "gold", "")
        for n in range(usual)
    ]
    for row in drawn:
        rows.insert(random.randrange(len(rows)), row)
    return rows


@settings(max_examples=40)
@given(
    ROWS,
    st.integers(600, 800),
    st.sampled_from([0, 1_450, 2_900]),
    st.sampled_from([None, (5, CONSENT.lower())]),
    RANDOMS,
)
def test_a_plan_is_what_a_plain_row_by_row_implementation_makes(
    drawn: list[Row], usual: int, name_bytes: int, consent: tuple[int, str] | None, random: Random
) -> None:
    """Drawn rows are among hundreds of usual ones, whose size decides which limit of a request is met first."""
    rows = mixed(drawn, usual, name_bytes, random)
    done = assert_as_the_peer_does(rows, replace(PEER, consent=consent), ROOMY)
    assert len(done.planned.batches) >= 3


@settings(max_examples=60)
@given(ROWS, st.integers(1, 30), st.integers(1, 7), st.integers(600, 2_000), RANDOMS)
def test_every_row_ends_in_exactly_one_place_and_no_batch_is_over_a_limit(
    drawn: list[Row], usual: int, max_contacts: int, max_bytes: int, random: Random
) -> None:
    rows = mixed(drawn, usual, 0, random)
    task = replace(PEER, max_contacts=max_contacts, max_bytes=max_bytes)
    done = assert_as_the_peer_does(rows, task, RequestSize(max_contacts, max_bytes))
    planned = done.planned
    assert (
        planned.rows_read
        == planned.contacts + planned.duplicates + sum(planned.rejected_by_reason.values())
        == len(rows)
    )
    sent = [int(str(reference[0])) for batch in done.references for reference in batch]
    set_aside = [int(r["row"]) for r in done.rejects]
    assert sorted(sent + set_aside) == list(range(1, len(rows) + 1))
    for body, batch in zip(done.bodies, planned.batches, strict=True):
        assert batch.count == len(orjson.loads(body)["contacts"]) <= max_contacts
        assert len(body) <= max_bytes
        assert hashlib.sha256(body).hexdigest() == batch.sha256


def filling(count: int, body_bytes: int) -> list[Row]:
    """Return rows of `count` people whom one request of exactly that size would hold."""

    def rows(name_bytes: Sequence[int]) -> list[Row]:
        return [("", f"p{n}@example.com", "x" * size, "", "", "", "") for n, size in enumerate(name_bytes)]

    smallest = [peers.contact(PEER, row[1], row) for row in rows([1] * count)]
    left = body_bytes - len(PEER.prefix + b",".join(smallest) + PEER.suffix)
    return rows([1 + left // count + (n < left % count) for n in range(count)])


@pytest.mark.parametrize("count", [2, 200, 249, 250])
def test_a_request_holds_399_999_bytes_and_not_one_more(count: int) -> None:
    full = plan({"1.csv": csv_file(filling(count, 399_999), PEER_COLUMNS)})
    assert [(batch.count, batch.body_bytes) for batch in full.planned.batches] == [(count, 399_999)]
    assert len(plan({"1.csv": csv_file(filling(count, 400_000), PEER_COLUMNS)}).planned.batches) == 2


def test_a_contact_may_fill_a_request_and_with_one_byte_more_is_a_reject() -> None:
    full = plan({"1.csv": csv_file(filling(1, 399_999), PEER_COLUMNS)})
    assert [batch.body_bytes for batch in full.planned.batches] == [399_999]
    over = plan({"1.csv": csv_file(filling(1, 400_000), PEER_COLUMNS)})
    assert (over.planned.batches, over.planned.rejected_by_reason) == ((), {"contact_too_large": 1})


def test_the_same_files_give_the_same_bytes() -> None:
    files = {"1.csv": csv_file(people(700)), "2.csv": csv_file(people(900))}
    assert plan(files).payload == plan(files).payload


def test_what_is_sent_is_what_the_file_said() -> None:
    row = ("id-1", "Ada@Example.com", 'A "quoted", name', "\u5c71\u7530\n\u592a\u90ce", "+49 (30) 1=2", "gold")
    done = plan({"1.csv": csv_file([row])})
    (contact,) = orjson.loads(done.bodies[0])["contacts"]
    assert contact == {
        "email": "Ada@Example.com",
        "first_name": 'A "quoted", name',
        "last_name": "\u5c71\u7530\n\u592a\u90ce",
        "phone": "+49 (30) 1=2",
        "fields": [{"id": 7, "value": "gold"}],
        "subscribe": [{"listid": 1}],
        "exclude_automations": True,
    }
    assert done.references == [[[1, "id-1"]]]


def test_empty_optional_values_are_left_out_since_they_could_erase_what_is_there() -> None:
    done = plan({"1.csv": csv_file([("", "a@example.com", "", "", "", "")])})
    (contact,) = orjson.loads(done.bodies[0])["contacts"]
    assert contact.keys() == {"email", "subscribe", "exclude_automations"}
    assert done.references == [[[1, None]]]


def test_columns_that_are_not_mapped_never_leave_the_reader() -> None:
    done = plan({"1.csv": csv_file([("i", "a@example.com", "canary-1", "canary-2", "", "")])}, mapping=Mapping("EMail"))
    assert b"canary" not in done.payload


def test_the_first_row_of_an_address_wins_over_all_files_and_the_others_say_so() -> None:
    files = {
        "1.csv": csv_file([("1", "a@example.com", "First", "", "", "")]),
        "2.csv": csv_file([("2", "x@example.com", "", "", "", ""), ("3", " A@EXAMPLE.com", "Later", "", "", "")]),
    }
    done = plan(files)
    assert [c.get("first_name") for b in done.bodies for c in orjson.loads(b)["contacts"]] == ["First", None]
    (reject,) = done.rejects
    assert (reject["file"], reject["row"], reject["customerId"]) == ("people/2.csv", "2", "3")
    assert "Row 1 of people/1.csv" in reject["explanation"]


@pytest.mark.parametrize("start", ["=", "+", "-", "@", "\t", "\r"])
def test_the_reject_report_is_safe_to_open_in_a_spreadsheet(start: str) -> None:
    done = plan({"1.csv": csv_file([(f"{start}cmd()", f"{start}no-address", "", "", "", "")])})
    (reject,) = done.rejects
    assert reject["customerId"].startswith("'")
    assert reject["email"].startswith("'")


def test_a_row_with_the_wrong_number_of_fields_is_rejected_and_never_shifted() -> None:
    damaged = csv_file(people(2)) + b"x,y\r\n" + b"a,b,c,d,e,f,g\r\n" + csv_file(people(3)).splitlines(keepends=True)[3]
    done = plan({"1.csv": damaged})
    assert done.planned.rejected_by_reason == {"wrong_field_count": 2}
    assert [r["row"] for r in done.rejects] == ["3", "4"]
    assert done.planned.contacts == 3


def test_bytes_that_are_not_utf8_reject_their_row_only() -> None:
    data = csv_file(people(3)).replace(b"First 1", b"F\xffrst 1")
    done = plan({"1.csv": data})
    assert done.planned.rejected_by_reason == {"not_utf8": 1}
    assert done.planned.contacts == 2


def sent(done: Done) -> list[dict[str, str]]:
    return [contact for body in done.bodies for contact in orjson.loads(body)["contacts"]]


def test_a_file_of_another_encoding_is_said_to_be_that_as_a_whole() -> None:
    text = "EMail,City\na@example.com,K\u00f6ln\nb@example.com,Bonn\nc@example.com,D\u00fcren\n"
    done = plan({"1.csv": text.encode("cp1252"), "2.csv": b"EMail,City\nd@example.com,Ulm\n"}, mapping=Mapping("EMail"))
    assert (done.planned.rows_read, done.planned.rejected_by_reason) == (4, {"not_utf8": 2})
    (warning,) = done.planned.warnings
    assert warning.message == (
        "2 of 3 rows of people/1.csv are not UTF-8; it looks like windows-1252: set 'Encoding' (encoding) of the "
        "export."
    )
    about = {"file": "people/1.csv", "encoding": "UTF-8", "likely": "windows-1252"}
    assert warning == Warned.of("rows_not_decoded", case="likely", unreadable=2, rows=3, **about)


def test_a_file_of_an_encoding_that_nobody_can_guess_is_said_not_to_be_the_stated_one() -> None:
    (warning,) = plan({"1.csv": csv_file(people(3)).replace(b"First 1", b"F\x81rst 1")}).planned.warnings
    assert warning.message == "1 of 3 rows of people/1.csv are not UTF-8: set 'Encoding' (encoding) of the export."


def test_files_with_other_columns_are_read_by_name() -> None:
    files = {
        "1.csv": b"City,EMail\nUlm,a@example.com\n",
        "country=FR/2.csv": b"EMail,x,City\nb@example.com,1,Metz\n",
        "country=DE/3.csv": b'email;city\nc@example.com;"Bad\nEms"\n',
    }
    done = plan(files, mapping=Mapping("EMail", first_name="City"))
    assert {contact["email"]: contact["first_name"] for contact in sent(done)} == {
        "a@example.com": "Ulm",
        "b@example.com": "Metz",
        "c@example.com": "Bad\nEms",
    }
    with pytest.raises(Stop, match=r"column country; people/1\.csv has none") as caught:
        plan(files, mapping=Mapping("EMail", first_name="country"))
    assert caught.value.code == "column_missing_in_file"


def test_the_folders_of_partitions_fill_columns_like_any_others() -> None:
    table = io.BytesIO()
    pq.write_table(pa.table({"EMail": ["d@example.com"]}), table)
    files = {
        "country=FR/1.csv": b"EMail\na@example.com\n",
        "country=S%C3%BCd/2.csv": b'EMail\n"b@example.com"x\n"c@example.com"\n',  # read row by row
        "country=__HIVE_DEFAULT_PARTITION__/3.parquet": table.getvalue(),
    }
    done = plan(files, mapping=Mapping("EMail", first_name="country"))
    assert {contact["email"]: contact.get("first_name") for contact in sent(done)} == {
        "a@example.com": "FR",
        "c@example.com": "S\u00fcd",
        "d@example.com": None,
    }
    assert done.planned.rejected_by_reason == {"malformed_quotes": 1}


def test_a_byte_order_mark_is_not_part_of_the_first_column() -> None:
    assert plan({"1.csv": b"\xef\xbb\xbf" + csv_file(people(3))}).planned.contacts == 3


def test_more_profiles_than_allowed_are_refused_with_their_number() -> None:
    with pytest.raises(Stop, match="at most 10 contacts, found 12"):
        plan({"1.csv": csv_file(people(12))}, most=10)


def test_a_contact_that_alone_exceeds_a_request_is_a_reject() -> None:
    rows = [*people(2), ("big", "big@example.com", "x" * 1_000, "", "", "")]
    done = plan({"1.csv": csv_file(rows)}, limits=RequestSize(250, 800))
    assert done.planned.rejected_by_reason == {"contact_too_large": 1}


def test_a_missing_email_column_names_the_columns_that_are_there() -> None:
    with pytest.raises(Stop, match="no column Mail among its 6") as caught:
        plan({"1.csv": csv_file(people(1))}, mapping=Mapping("Mail"))
    assert caught.value.hint.startswith("Its columns are: CustomerId, ")


def test_rows_without_consent_are_set_aside() -> None:
    rows = [(f"{n}", f"p{n}@example.com", "", "", "", tier) for n, tier in enumerate(["Yes", "yes ", "No", ""])]
    done = plan({"1.csv": csv_file(rows)}, mapping=Mapping("EMail", consent=Consent("Tier", "Yes")))
    assert done.planned.contacts == 2
    assert done.planned.rejected_by_reason == {"no_consent": 2}


def test_a_file_that_was_replaced_while_it_is_read_ends_the_plan() -> None:
    clock = FakeClock()
    landing, blobs = FakeSegmentFiles(clock), FakeBlobs(clock)
    landing.write("people/1.csv", csv_file(people(5)))
    refresh = Segments(landing, "").refresh("people", Reading())
    landing.write("people/1.csv", csv_file(people(6)))
    task = Task(refreshes=[refresh], mapping=MAPPING, envelope=AROUND, secret="", size=ROOMY)
    with pytest.raises(Changed):
        plan_batches(task, landing, PlanWriter(blobs.writer("p"), blobs.writer("r")), lambda: None)


def test_the_benchmarks_peers_do_the_same_work(tmp_path: Path) -> None:
    path = tmp_path / "segment.csv"
    bench.write_csv(path, bench.rows(3_000))
    ours = bench.exporter([str(path)])["digests"]
    assert len(ours) == 12
    assert ours == bench.csv_orjson([str(path)])["digests"]
    assert ours == bench.pandas([str(path)])["digests"]


def test_a_plan_tells_of_each_file_its_version_its_size_and_its_rows() -> None:
    rows = addressees(6)
    files = {f"{n}.csv": csv_file(rows[a:b], TWO_COLUMNS) for n, (a, b) in enumerate(((0, 3), (3, 4), (4, 6)))}
    found = plan(files, mapping=ADDRESS).planned.sources
    assert [(one.size_bytes, one.rows) for one in found] == [
        (len(files[f"{n}.csv"]), r) for n, r in enumerate((3, 1, 2))
    ]
    assert len({one.etag for one in found}) == 3


@pytest.mark.parametrize("count", [1, 250, 600])
def test_a_run_of_exactly_as_many_profiles_as_allowed_sends_each_of_them(count: int) -> None:
    files = {
        f"{n}.csv": csv_file(addressees(count)[start : start + 100], TWO_COLUMNS) for n, start in enumerate((0, 100))
    }
    files["9.csv"] = csv_file(
        [*addressees(count)[200:], *addressees(5)[:1]], TWO_COLUMNS
    )  # the last row repeats the first one
    done = plan(files, mapping=ADDRESS, most=count)
    assert done.planned.contacts == sum(batch.count for batch in done.planned.batches) == count
    assert b"".join(done.bodies).count(b"@x.org") == count
    assert done.bodies == plan(files, mapping=ADDRESS).bodies


def test_one_profile_more_than_allowed_is_refused_with_the_number_of_all() -> None:
    with pytest.raises(Stop, match="at most 600 contacts, found 601") as caught:
        plan(table([*addressees(601), ("nobody", "")]), mapping=ADDRESS, most=600)
    assert caught.value.code == "too_many_contacts"


class Counted:
    """A sink of neither a run nor a preview: what is refused depends on the rows, not on who reads them."""

    def __init__(self) -> None:
        self.rejects = 0

    def add_batch(self, body: bytes, references: bytes) -> None:
        pass

    def add_rejects(self, rejects: Sequence[Reject]) -> None:
        self.rejects += len(rejects)

    def add_unfit(self, values: Sequence[UnfitValue]) -> None:
        pass


def set_aside(data: bytes) -> int:
    """Plan a file of equal rows; return how many were set aside. Raises `Stop` with the same number as `rejects`."""
    landing, sink = FakeSegmentFiles(FakeClock()), Counted()
    landing.write("people/1.csv.gz", data)
    try:
        plan_batches(task_of(Segments(landing, "").refresh("people", Reading())), landing, sink, lambda: None)
    except Stop as error:
        error.add_note(str(sink.rejects))
        raise
    return sink.rejects


def equal_rows(count: int, row: bytes = b"jane@example.com") -> bytes:
    return gzip.compress(b"EMail\n" + (row + b"\n") * count)


@pytest.fixture
def a_thousand_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    """Allow a thousand short lines, and look at a hundred rows together."""
    monkeypatch.setattr(batching, "MOST_REJECT_BYTES", 1_000 * batching.LEAST_LINE_BYTES)
    monkeypatch.setattr(batching, "ROWS_TOGETHER", 100)


@pytest.mark.usefixtures("a_thousand_lines")
@pytest.mark.parametrize("row", [b"jane@example.com", b"jane", b"jane@example.com,", b"\xff"])
def test_a_small_file_with_more_rejects_than_a_report_may_hold_is_refused_before_they_are_written(row: bytes) -> None:
    with pytest.raises(Stop, match=r"1(099|100) rejects are more") as caught:
        set_aside(equal_rows(20_000, row))
    assert caught.value.code == "too_many_rejects"
    assert caught.value.__notes__ in (["1000"], ["999"])  # the first row with an address is none of them
    assert "jane" not in str(caught.value)


@pytest.mark.usefixtures("a_thousand_lines")
def test_as_many_rejects_as_a_report_may_hold_pass() -> None:
    assert set_aside(equal_rows(1_001)) == 1_000
    with pytest.raises(Stop):
        set_aside(equal_rows(1_002))


@pytest.mark.usefixtures("a_thousand_lines")
def test_the_report_of_a_large_file_may_hold_eight_times_its_size() -> None:
    rows = b"jane@example.com   \n" * 5_000  # 20 bytes each
    assert set_aside(b"EMail\n" + rows) == 4_999
    with pytest.raises(Stop):
        set_aside(b"EMail\n" + rows.replace(b"   ", b""))


def test_long_lines_count_as_long_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "MOST_REJECT_BYTES", 1_000 * batching.LEAST_LINE_BYTES)
    monkeypatch.setattr(batching, "ROWS_TOGETHER", 10)
    with pytest.raises(Stop) as caught:
        set_aside(equal_rows(1_000, b"j" * 1_000))
    assert 130 <= int(caught.value.__notes__[0]) < 160


@pytest.mark.parametrize("together", [1, 7, 64])
def test_a_plan_does_not_depend_on_how_many_rows_are_looked_at_together(
    together: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [*people(90), *people(20), ("x", "nobody", "", "", "", ""), ("y", "a@b.org", 'say "hi"', "", "", "")] * 2
    files = {"1.csv": csv_file(rows), "2.csv": csv_file(rows).replace(b"First 1,", b"\xff,")}
    expected = plan(files)
    monkeypatch.setattr(batching, "ROWS_TOGETHER", together)
    assert plan(files) == expected


def task_of(*refreshes: Refresh) -> Task:
    around = envelope(1, run_automations=False)
    return Task(refreshes=refreshes, mapping=Mapping("EMail"), envelope=around, secret="", size=RequestSize())


def test_what_was_odd_about_a_refresh_is_told_with_the_plan() -> None:
    clock = FakeClock()
    landing, blobs = FakeSegmentFiles(clock), FakeBlobs(clock)
    landing.write("people/1.csv", csv_file([("p1@x.org",)], ("EMail",)))
    odd_file = Warned.of("header_not_announced", file="people/1.csv")
    odd = replace(Segments(landing, "").refresh("people", Reading()), warnings=(odd_file,))
    planned = plan_batches(task_of(odd, odd), landing, PlanWriter(blobs.writer("p"), blobs.writer("r")), lambda: None)
    assert planned.warnings == (odd_file,)


def beats(*rows_of_files: int) -> list[int]:
    """Plan files of so many rows; return after how many rows a sign of life was given."""
    clock = FakeClock()
    landing, blobs = FakeSegmentFiles(clock), FakeBlobs(clock)
    for number, count in enumerate(rows_of_files):
        landing.write(f"people/{number}.csv", csv_file([(f"p{n}@x.org",) for n in range(count)], ("EMail",)))
    refresh = Segments(landing, "").refresh("people", Reading())
    opened: list[int] = []
    found: list[int] = []
    original = landing.open

    def open_file(file: object, buffer_bytes: int = 0) -> object:
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
    files = {"1.csv": csv_file(rows, TWO_COLUMNS), "2.csv": csv_file([("d@x.org", "Bob")], TWO_COLUMNS)}
    planned = plan(files, mapping=Mapping("email", first_name="FirstName")).planned
    assert (planned.contacts, planned.duplicates) == (4, 1)
    assert [(warning.code, warning.message) for warning in planned.warnings] == [
        ("column_in_other_case", "The column email was found as EMail."),
        ("no_value", "Contacts with a text that means no value, such as NULL, N/A or #REF!: 2. It was left out."),
    ]


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


def test_a_sign_of_life_comes_after_256_files_however_few_rows_they_have() -> None:
    assert beats(*[0] * 255) == []
    assert len(beats(*[0] * 512)) == 2
