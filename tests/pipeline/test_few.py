"""A run for a few people: it sends them as a full run would, nobody else, and leaves no trace in what comes after."""

from __future__ import annotations

import csv
import io

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.contacts.addresses import key_of
from exporter.contacts.matching import Consent, Mapping
from exporter.definitions.exports import ConsentColumn, DataMatching, Export, Winner
from exporter.errors import NotReady, Stop, Unavailable
from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.schedule import run_schedule
from exporter.pipeline.start import StartRequest, start
from exporter.pipeline.sweep import sweep
from exporter.records.paths import few_path
from exporter.records.payload import WORKING_COPY_S
from exporter.records.slots import read_slot
from exporter.runs.run import Approved, Run, RunStatus, Trigger
from tests.builders import (
    COLUMNS,
    deliver,
    drive,
    make_export,
    people,
    read_run,
    rejects_of,
    run_export,
    settle,
    start_on_demand,
    tomorrow,
    write_segment,
)
from tests.fakes import Fakes, make_fakes
from tests.planning import ADDRESSES, TEXTS, csv_file, plan

HOUR = 3_600.0
ODD = [
    ("id1", "Ada", "", "Ada <ADA@example.com>", ""),
    ("id2", "Ada", "Again", "ada@example.com", ""),
    ("id3", "Bob", "", "bob@@example.com", ""),
    ("id4", "Cleo", "", "cleo@example.com.", ""),
    ("id5", "Nobody", "", "", ""),
]


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


def few(*addresses: str) -> frozenset[str]:
    return frozenset(map(key_of, addresses))


def try_with(fakes: Fakes, export: Export, *addresses: str) -> Run:
    """Run an export for these people only."""
    return run_export(fakes, export, only=few(*addresses))


def sent(fakes: Fakes) -> list[str]:
    """Return who was sent, in order."""
    bodies = [orjson.loads(r.body or b"") for r in fakes.activecampaign.requests if r.path.endswith("bulk_import")]
    return [contact["email"] for body in bodies for contact in body["contacts"]]


def test_it_sends_who_is_asked_for_and_nobody_else(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(300))
    run = try_with(fakes, export, "P7@example.com", " p250@example.com ", "stranger@example.com")
    assert sent(fakes) == ["p7@example.com", "p250@example.com"]
    assert (run.status, run.only) == (RunStatus.SUCCESSFUL, 3)
    assert run.tally
    assert (run.tally.rows_read, run.tally.confirmed, run.tally.adds_up) == (2, 2, True)


def test_rows_are_those_whose_address_a_run_reads_so_whatever_becomes_of_them(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, [*people(3), *ODD])
    run = try_with(fakes, export, "ada@example.com", "bob@@example.com", "Cleo@example.com")
    assert sent(fakes) == ["ADA@example.com", "cleo@example.com"]
    assert [(row["row"], row["reason"]) for row in rejects_of(fakes, run.run_id)] == [
        ("5", "duplicate_email"),
        ("6", "invalid_email_several"),
    ]
    assert run.tally
    assert (run.tally.rows_read, run.tally.duplicates, run.tally.rejected, run.tally.confirmed) == (4, 1, 1, 2)


def rows_of(rows: list[tuple[str, ...]]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def test_of_several_rows_that_one_counts_which_counts_for_everybody(fakes: Fakes) -> None:
    matching = DataMatching(
        email="EMail", first_name="FirstName", phone="Telephone", winner=Winner(column="LastName"), fill_empty=True
    )
    export = make_export(fakes, data_matching=matching)
    rows = [
        ("id1", "Old", "2024-01-01", "ada@example.com", "+49 1"),
        *people(70_000),
        ("id2", "New", "2025-01-01", "ADA@example.com", ""),
        ("id3", "Bob", "2025-01-01", "bob@example.com", ""),
    ]
    write_segment(fakes, rows)
    run = try_with(fakes, export, "ada@example.com")
    (request,) = [r for r in fakes.activecampaign.requests if r.path.endswith("bulk_import")]
    (contact,) = orjson.loads(request.body or b"")["contacts"]
    assert (contact["email"], contact["first_name"], contact["phone"]) == ("ADA@example.com", "New", "+49 1")
    assert run.plan
    assert (run.plan.rows_read, run.plan.contacts, run.plan.duplicates) == (2, 1, 1)
    assert rejects_of(fakes, run.run_id)[0]["row"] == "1"


@pytest.mark.parametrize("winner", [None, Winner(column="LastName")])
def test_one_row_that_says_no_holds_back_the_person_and_others_are_not_told_of(
    fakes: Fakes, winner: Winner | None
) -> None:
    matching = DataMatching(email="EMail", winner=winner)
    export = make_export(fakes, data_matching=matching, consent_column=ConsentColumn(column="Telephone", value="yes"))
    rows = [
        ("id1", "", "", "ada@example.com", "yes"),
        ("id2", "", "", "bob@example.com", "yes"),
        ("id3", "", "", "ada@example.com", "no"),
        ("id4", "", "", "cleo@example.com", "no"),
    ]
    write_segment(fakes, rows)
    run = try_with(fakes, export, "ada@example.com", "bob@example.com")
    assert sent(fakes) == ["bob@example.com"]
    assert [row["row"] for row in rejects_of(fakes, run.run_id)] == ["1", "3"]
    assert run.tally
    assert run.tally.reasons == {"no_consent": 2}


CONSENT = Consent("Tier", "yes")


@given(
    st.lists(st.tuples(ADDRESSES, TEXTS, st.sampled_from(["yes", "no", ""])), max_size=12),
    st.lists(ADDRESSES.filter(lambda text: bool(key_of(text))), max_size=3),
    st.sampled_from([None, "FirstName"]),
    st.booleans(),
    st.booleans(),
)
def test_it_makes_of_their_rows_what_a_full_run_makes_of_them(
    rows: list[tuple[str, str, str]],
    asked: list[str],
    winner: str | None,
    fill: bool,  # noqa: FBT001
    consent: bool,  # noqa: FBT001
) -> None:
    columns = ("EMail", "FirstName", "Tier")
    mapping = Mapping(
        "EMail",
        first_name="FirstName",
        winner=winner,
        fill_empty=fill,
        consent=CONSENT if consent else None,
    )
    only = few(*asked)
    files = {"1.csv": csv_file(rows[:5], columns), "2.csv": csv_file(rows[5:], columns)}
    everybody, some = plan(files, mapping=mapping), plan(files, mapping=mapping, only=only)
    contacts = [c for body in everybody.bodies for c in orjson.loads(body)["contacts"] if key_of(c["email"]) in only]
    assert [c for body in some.bodies for c in orjson.loads(body)["contacts"]] == contacts
    emails = [[email for email, _, _ in part] for part in (rows[:5], rows[5:])]  # a report has them as Excel takes them
    told = [r for r in everybody.rejects if key_of(emails[int(r["file"][7]) - 1][int(r["row"]) - 1]) in only]
    assert some.rejects == told
    assert some.planned.sources == everybody.planned.sources
    assert some.planned.rows_read == len(contacts) + len(some.rejects)


def test_a_row_is_found_in_any_file_by_its_place(fakes: Fakes) -> None:
    export = make_export(fakes)
    for number, first in enumerate((0, 10, 20), 1):
        lines = [COLUMNS, *people(10, first), ("x", "", "", f"bad {number}", "")]
        fakes.segments.write(f"people/people_{number}.csv", rows_of(lines))
    run = try_with(fakes, export, "p25@example.com", "bad 2")
    ((path, row),) = [(row["file"], row["row"]) for row in rejects_of(fakes, run.run_id)]
    assert (path, row) == ("people/people_2.csv", "11")


def test_if_nobody_is_in_the_segment_it_fails_and_says_so(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(3))
    run = try_with(fakes, export, "stranger@example.com")
    assert run.status is RunStatus.FAILED
    assert run.end
    assert run.end.problem
    assert run.end.problem.code == "few_not_found"
    assert "stranger" not in run.to_json().decode()
    assert sent(fakes) == []


def test_nobody_has_to_approve_it_whatever_the_segment_is_like(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(300))
    run_export(fakes, export)
    bad = [("x", "X", "", f"bad {n}", "") for n in range(30)]
    write_segment(fakes, [*people(10), *bad])
    assert run_export(fakes, export).status is RunStatus.HELD
    run = try_with(fakes, export, "p1@example.com", *(f"bad {n}" for n in range(19)))
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    only_bad = try_with(fakes, export, *(f"bad {n}" for n in range(20)))
    assert only_bad.tally
    assert (only_bad.status, only_bad.tally.rejected) == (RunStatus.COMPLETED_WITH_WARNINGS, 20)


def test_the_accounts_room_stops_it_too(fakes: Fakes) -> None:
    fakes.account.set_contact_limit(0)
    export = make_export(fakes)
    write_segment(fakes, people(3))
    run = try_with(fakes, export, "p1@example.com")
    assert run.end
    assert run.end.problem
    assert run.end.problem.code == "contact_limit"


def test_it_is_no_attempt_nothing_is_compared_with_it_and_what_was_held_can_still_be_approved(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(300))
    full = run_export(fakes, export)
    before = read_slot(fakes.services, export.id)
    write_segment(fakes, people(20))
    held = run_export(fakes, export)
    for _ in range(2):
        try_with(fakes, export, "p1@example.com")
    slot = read_slot(fakes.services, export.id)
    assert slot
    assert before
    assert (slot.last_success, slot.newest) == (before.last_success, held.run_id)
    assert slot.last_success
    assert slot.last_success.run_id == full.run_id
    assert held.end
    assert held.end.held
    approved = Approved(**held.end.held.model_dump(), run_id=held.run_id)
    assert run_export(fakes, export, approved=approved).status is RunStatus.SUCCESSFUL


def test_the_schedule_sends_everybody_after_it(fakes: Fakes) -> None:
    export = make_export(fakes, scheduled=True, skip_unchanged=True)
    write_segment(fakes, people(3))
    try_with(fakes, export, *(f"p{n}@example.com" for n in range(3)))
    (started,) = tomorrow(fakes)
    assert drive(fakes, started.run_id).status is RunStatus.SUCCESSFUL


def test_it_does_not_join_a_run_and_keeps_no_address_then(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(3))
    start_on_demand(fakes.services, export, "ada")
    with pytest.raises(Stop) as refused:
        start_on_demand(fakes.services, export, "ada", only=few("p1@example.com"))
    assert refused.value.code == "run_is_going"
    assert list(fakes.blobs.names("working/")) == []


def test_who_loses_the_race_for_the_slot_leaves_addresses_for_a_day_at_most(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(3))

    def before(operation: str, path: str) -> None:
        if operation == "create" and path.startswith("records/slots/"):
            fakes.blobs.before = lambda operation, path: None
            start_on_demand(fakes.services, export, "bob")

    fakes.blobs.before = before
    with pytest.raises(Stop, match="for a few people"):
        start_on_demand(fakes.services, export, "ada", only=few("p1@example.com"))
    fakes.clock.sleep(WORKING_COPY_S + 1)
    sweep(fakes.services)
    assert list(fakes.blobs.names("working/")) == []


def test_a_request_that_is_refused_takes_nothing_from_the_run_that_has_its_key(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(3))
    going = start_on_demand(fakes.services, export, "bob").run.run_id
    run_id = f"{going[:-4]}beef"
    fakes.blobs.put(few_path(run_id), b"{}")  # the other request with this key has come so far
    with pytest.raises(Stop):
        start(fakes.services, StartRequest(export, Trigger.ON_DEMAND, "ada", only=few("p1@example.com")), run_id)
    assert few_path(run_id) in fakes.blobs.stored


def test_nobody_joins_it_and_the_schedule_waits_for_its_end(fakes: Fakes, caplog: pytest.LogCaptureFixture) -> None:
    export = make_export(fakes, scheduled=True)
    write_segment(fakes, people(3))
    going = start_on_demand(fakes.services, export, "ada", only=few("p1@example.com"))
    with pytest.raises(NotReady):
        start_on_demand(fakes.services, export, "bob")
    assert tomorrow(fakes) == []
    assert "ERROR" not in {record.levelname for record in caplog.records}
    drive(fakes, going.run.run_id)
    (started,) = run_schedule(fakes.services)
    assert (started.trigger, started.only) == (Trigger.SCHEDULED, None)


def test_the_addresses_are_in_the_working_copy_alone_and_go_with_it(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(3))
    started = start_on_demand(fakes.services, export, "ada", only=few("p1@example.com", "stranger@example.com"))
    assert "stranger" in fakes.blobs.stored[few_path(started.run.run_id)].data.decode()
    drive(fakes, started.run.run_id)
    for _ in range(3):
        fakes.clock.sleep(HOUR)
        sweep(fakes.services)
    assert list(fakes.blobs.names("working/")) == []
    kept = {path: stored.data for path, stored in fakes.blobs.stored.items() if not path.startswith("rejects/")}
    assert [path for path, data in kept.items() if b"stranger" in data or b"@example.com" in data] == []
    assert "example.com" not in caplog.text.replace("contoso.example", "")


def test_the_look_ups_that_an_account_has_in_an_hour_are_left_for_others(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(3))
    run = try_with(fakes, export, "p1@example.com")
    settle(fakes, run.run_id)
    assert not [r for r in fakes.activecampaign.requests if "email" in dict(r.query)]


def test_what_a_start_that_came_to_nothing_left_is_deleted_after_a_day(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(3))

    def down(operation: str, path: str) -> None:
        if path.startswith("records/slots/") and operation == "create":
            raise Unavailable.of("storage_contention", times=1)

    fakes.blobs.before = down
    with pytest.raises(Unavailable):
        start_on_demand(fakes.services, export, "ada", only=few("p1@example.com"))
    fakes.blobs.before = lambda operation, path: None
    sweep(fakes.services)
    assert list(fakes.blobs.names("working/"))
    fakes.clock.sleep(25 * HOUR)
    sweep(fakes.services)
    assert list(fakes.blobs.names("working/")) == []


def test_without_its_addresses_it_sends_nobody(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(3))
    started = start_on_demand(fakes.services, export, "ada", only=few("p1@example.com"))
    fakes.blobs.delete(few_path(started.run.run_id))
    run = drive(fakes, started.run.run_id)
    assert run.end
    assert run.end.problem
    assert run.end.problem.code == "working_copy_missing"
    assert sent(fakes) == []


def test_it_can_be_canceled_and_then_keeps_no_address(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(3))
    started = start_on_demand(fakes.services, export, "ada", only=few("p1@example.com"))
    cancel_run(fakes.services, started.run.run_id, "ada")
    while deliver(fakes):
        pass
    assert read_run(fakes, started.run.run_id).status is RunStatus.CANCELED
    assert list(fakes.blobs.names("working/")) == []
