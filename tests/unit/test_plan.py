"""The plan of a segment: every row counted once, the same bytes as a plain implementation, within the limits."""

from __future__ import annotations

import csv
import hashlib
import io
import itertools
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from random import Random
from typing import BinaryIO

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import peers
from bench import plan as bench
from exporter.activecampaign.bodies import Envelope, envelope
from exporter.contacts.matching import FieldMapping, Mapping, match_columns
from exporter.contacts.rules import Contact, contact_of
from exporter.definitions.exports import DataMatching
from exporter.delivery.batches import MIN_CONTACTS, RequestSize
from exporter.errors import Stop
from exporter.pipeline.batching import Planned, Task, plan_batches
from exporter.pipeline.brakes import check_size
from exporter.ports import Changed
from exporter.records.payload import PlanWriter
from exporter.runs.run import Run, RunStatus
from exporter.source.files import SegmentFile
from exporter.source.rows import Column
from exporter.source.segments import find_refresh
from tests.builders import SEGMENT, drive, make_export, run_export, start_on_demand
from tests.fakes import START, FakeBlobs, FakeClock, FakeSegmentFiles, make_fakes

COLUMNS = ("CustomerId", "EMail", "FirstName", "LastName", "Telephone", "Tier")
MAPPING = Mapping(
    email="EMail", first_name="FirstName", last_name="LastName", phone="Telephone", fields=(FieldMapping("Tier", 7),)
)
AROUND = envelope(1, run_automations=False)
ROOMY = RequestSize()

type Row = Sequence[str]


@dataclass
class Done:
    planned: Planned
    payload: bytes
    rejects: list[dict[str, str]]

    @property
    def bodies(self) -> list[bytes]:
        return [self.payload[b.offset_bytes : b.offset_bytes + b.body_bytes] for b in self.planned.batches]

    @property
    def references(self) -> list[list[list[object]]]:
        ends = [
            (b.offset_bytes + b.body_bytes, b.offset_bytes + b.body_bytes + b.references_bytes)
            for b in self.planned.batches
        ]
        return [orjson.loads(self.payload[start:end]) for start, end in ends]


def plan(
    files: dict[str, bytes],
    *,
    mapping: Mapping = MAPPING,
    limits: RequestSize = ROOMY,
    most: int = 1_000_000,
    around: Envelope = AROUND,
) -> Done:
    """Plan a segment that is a folder of files with a header row."""
    clock = FakeClock()
    landing, blobs = FakeSegmentFiles(clock), FakeBlobs(clock)
    for name, data in files.items():
        landing.write(f"people/{name}", data)
    refresh = find_refresh(landing, "", "people", START, 0)
    payload, rejects = blobs.writer("working/p"), blobs.writer("rejects/r")
    task = Task(refreshes=[refresh], mapping=mapping, envelope=around, secret="", size=limits, max_contacts=most)
    planned = plan_batches(task, landing, PlanWriter(payload, rejects), lambda: None)
    payload.commit()
    rejects.commit()
    text = blobs.stored["rejects/r"].data.decode("utf-8-sig")
    return Done(planned, blobs.stored["working/p"].data, list(csv.DictReader(io.StringIO(text, newline=""))))


def csv_lines(rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def csv_file(rows: Sequence[Row], columns: Row = COLUMNS) -> bytes:
    return csv_lines([columns, *rows])


def people(count: int) -> list[Row]:
    return [(f"id{n}", f"p{n}@example.com", f"First {n}", "Last", f"0{n}", "gold") for n in range(count)]


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
    "control_character": "control character",
    "contact_too_large": "too large",
    "wrong_field_count": "invalid",
    "missing_email": "invalid",
}


def assert_as_the_peer_does(rows: Sequence[Row], task: peers.Task, limits: RequestSize) -> Done:
    """Plan rows in both ways: the same bytes are to be sent, and the same rows are set aside for the same reason."""
    mapping = replace(MAPPING, consent=task.consent and ("Tier", CONSENT))
    done = plan({"1.csv": csv_file(rows, PEER_COLUMNS)}, mapping=mapping, limits=limits)
    payload, rejects = io.BytesIO(), io.BytesIO()
    peers.with_csv(io.BytesIO(csv_lines(rows)), task, payload, rejects)
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


ADDRESSES = st.one_of(
    st.sampled_from(
        ["a@example.com", "A@Example.COM", " a@example.com\u00a0", "b@x.org", "", "Yes", "No", "a@b", "a'b@x.org"]
    ),
    st.emails(),
    st.text(max_size=12),
)
TEXTS = st.one_of(
    st.sampled_from(["", " ", "Ada", 'say "hi"', "a,b", "line\nbreak", "\u00e9\u4f60\U0001f600", "NULL", "\x01"]),
    st.text(max_size=8),
)
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
    st.randoms(use_true_random=False),
)
def test_a_plan_is_what_a_plain_row_by_row_implementation_makes(
    drawn: list[Row], usual: int, name_bytes: int, consent: tuple[int, str] | None, random: Random
) -> None:
    """Drawn rows are among hundreds of usual ones, whose size decides which limit of a request is met first."""
    rows = mixed(drawn, usual, name_bytes, random)
    done = assert_as_the_peer_does(rows, replace(PEER, consent=consent), ROOMY)
    assert len(done.planned.batches) >= 3


@settings(max_examples=60)
@given(ROWS, st.integers(1, 30), st.integers(1, 7), st.integers(600, 2_000), st.randoms(use_true_random=False))
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


@pytest.mark.parametrize("count", [1, 9, 249, 250, 251, 252, 259, 260, 501, 509])
def test_no_small_batch_follows_a_full_one(count: int) -> None:
    counts = [b.count for b in plan({"1.csv": csv_file(people(count))}).planned.batches]
    assert sum(counts) == count
    assert len(counts) == 1 or min(counts) >= MIN_CONTACTS


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


def test_a_byte_order_mark_is_not_part_of_the_first_column() -> None:
    assert plan({"1.csv": b"\xef\xbb\xbf" + csv_file(people(3))}).planned.contacts == 3


def test_more_profiles_than_allowed_are_refused_with_their_number() -> None:
    with pytest.raises(Stop, match="hold 12 contacts; at most 10"):
        plan({"1.csv": csv_file(people(12))}, most=10)


def test_a_contact_that_alone_exceeds_a_request_is_a_reject() -> None:
    rows = [*people(2), ("big", "big@example.com", "x" * 1_000, "", "", "")]
    done = plan({"1.csv": csv_file(rows)}, limits=RequestSize(250, 800))
    assert done.planned.rejected_by_reason == {"contact_too_large": 1}


def test_a_missing_email_column_names_the_columns_that_are_there() -> None:
    with pytest.raises(Stop, match=r"no column Mail.*CustomerId.*EMail"):
        plan({"1.csv": csv_file(people(1))}, mapping=Mapping("Mail"))


def test_rows_without_consent_are_set_aside() -> None:
    rows = [(f"{n}", f"p{n}@example.com", "", "", "", tier) for n, tier in enumerate(["Yes", "yes ", "No", ""])]
    done = plan({"1.csv": csv_file(rows)}, mapping=Mapping("EMail", consent=("Tier", "Yes")))
    assert done.planned.contacts == 2
    assert done.planned.rejected_by_reason == {"no_consent": 2}


def test_a_file_that_was_replaced_while_it_is_read_ends_the_plan() -> None:
    clock = FakeClock()
    landing, blobs = FakeSegmentFiles(clock), FakeBlobs(clock)
    landing.write("people/1.csv", csv_file(people(5)))
    refresh = find_refresh(landing, "", "people", START, 0)
    landing.write("people/1.csv", csv_file(people(6)))
    task = Task(refreshes=[refresh], mapping=MAPPING, envelope=AROUND, secret="", size=ROOMY)
    with pytest.raises(Changed):
        plan_batches(task, landing, PlanWriter(blobs.writer("p"), blobs.writer("r")), lambda: None)


@pytest.mark.parametrize(
    ("rows", "last", "code"), [(0, None, "segment_empty"), (9, 100, "size_changed"), (1_001, 100, "size_changed")]
)
def test_an_implausible_size_is_held(rows: int, last: int | None, code: str) -> None:
    with pytest.raises(Stop) as caught:
        check_size(rows, last, 10)
    assert caught.value.code == code


@pytest.mark.parametrize(("rows", "last"), [(1, None), (10, 100), (1_000, 100)])
def test_a_plausible_size_passes(rows: int, last: int | None) -> None:
    check_size(rows, last, 10)


def test_a_contact_is_a_value_with_the_key_that_makes_two_equal() -> None:
    matched = match_columns(Mapping("EMail"), [Column("EMail", "string")])
    found = contact_of([" Ada@Example.COM "], matched)
    assert isinstance(found, Contact)
    assert found.key == "ada@example.com"


# Whole runs.

RUN_COLUMNS = ("CustomerId", "EMail", "FirstName", "LastName", "Telephone")


@settings(max_examples=40)
@given(st.lists(st.tuples(st.just("id"), ADDRESSES, TEXTS, TEXTS, TEXTS), max_size=25))
def test_what_activecampaign_stores_is_what_the_file_said(rows: list[Row]) -> None:
    rows = [[field.replace("\x00", "").encode("utf-8", "ignore").decode() for field in row] for row in rows]
    fakes = make_fakes()
    fakes.segments.write(f"{SEGMENT}/1.csv", csv_file(rows, RUN_COLUMNS))
    run = run_export(fakes, make_export(fakes), force=True)
    expected: dict[str, Row] = {}
    for row in rows:
        address = row[1].strip(peers.BLANK)
        if peers.ADDRESS.fullmatch(address) and not any(map(peers.CONTROL.search, row[2:])):
            expected.setdefault(address.lower(), row)
    assert run.end
    assert run.end.tally.confirmed == len(expected) == len(fakes.account.contacts())
    assert run.end.tally.adds_up
    for address, row in expected.items():
        stored = fakes.account.contact(address)
        assert stored
        for member, value in zip(("first_name", "last_name", "phone"), row[2:], strict=True):
            assert stored[member] == (value if value.strip(peers.BLANK) else "")


def replaced_while_read(times: int) -> Run:
    """Run an export whose file is replaced that often, each time when its rows are read."""
    fakes = make_fakes()
    fakes.segments.write(f"{SEGMENT}/1.csv", csv_file(people(5)))
    export = make_export(fakes)
    left = times
    open_file = fakes.segments.open

    def open_and_replace(file: SegmentFile) -> BinaryIO:
        nonlocal left
        reader = open_file(file)
        if left and next(opened) % 2:  # the first look at a file is for its header
            left -= 1
            fakes.segments.write(file.path, csv_file(people(6)))
        return reader

    opened = itertools.count()
    fakes.segments.open = open_and_replace  # type: ignore[method-assign]  # as if somebody else wrote
    run = start_on_demand(fakes.services, export, "ada").run
    return drive(fakes, run.run_id, 30)


def test_a_file_that_is_replaced_while_it_is_read_is_read_again_once() -> None:
    run = replaced_while_read(1)
    assert run.end
    assert run.end.tally.confirmed == 6


def test_a_file_that_is_replaced_again_and_again_is_waited_for() -> None:
    run = replaced_while_read(2)
    assert run.waiting
    assert run.waiting.code == "source_changing"


def test_a_refresh_that_never_completes_is_waited_for_and_then_named() -> None:
    fakes = make_fakes(RETRY_FOR_S="3600")
    model = {
        "entities": [
            {"name": "T", "attributes": [{"name": "EMail"}], "partitions": [{"location": "T/2026/11/18/0415/T_1.csv"}]}
        ]
    }
    fakes.segments.write("x/model.json", orjson.dumps(model))
    fakes.segments.write("x/T/2026/11/18/0415/T_1.csv", b"a@example.com\n")
    fakes.segments.write("x/T/2026/11/18/1615/T_1.csv", b"a@example.com\n")
    export = make_export(fakes, segments=("T",), data_matching=DataMatching(email="EMail"))
    run = start_on_demand(fakes.services, export, "ada").run
    waiting = drive(fakes, run.run_id, 600).waiting
    assert waiting
    assert waiting.code == "refresh_in_flight"
    end = drive(fakes, run.run_id, 2 * 3_600).end
    assert end
    assert end.problem
    assert (end.status, end.problem.code) == (RunStatus.FAILED, "refresh_in_flight")
    assert not fakes.account.contacts()


def test_the_benchmarks_peers_do_the_same_work(tmp_path: Path) -> None:
    path = tmp_path / "segment.csv"
    bench.write_csv(path, bench.rows(3_000))
    ours = bench.exporter([str(path)])["digests"]
    assert len(ours) == 12
    assert ours == bench.csv_orjson([str(path)])["digests"]
    assert ours == bench.pandas([str(path)])["digests"]
