"""A segment in storage ends as confirmed contacts, with an account of every row."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from bench import peers
from exporter.definitions.exports import Guards
from exporter.runs.run import RunStatus
from tests.builders import SEGMENT, make_export, people, rejects_of, run_export, settle, write_segment
from tests.fakes import Fakes, make_fakes
from tests.planning import ADDRESSES, TEXTS, Row, csv_file


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


def test_every_person_of_a_clean_segment_is_confirmed_on_the_list(fakes: Fakes) -> None:
    write_segment(fakes, people(600))
    run = run_export(fakes, make_export(fakes))
    assert run.status is RunStatus.SUCCESSFUL
    assert run.end
    assert run.end.tally.confirmed == 600
    assert run.end.tally.adds_up
    contact = fakes.account.contact("p599@example.com")
    assert contact
    assert (contact["first_name"], contact["last_name"], contact["phone"]) == ("First599", "Last599", "+49 30 599")


def test_each_row_is_in_exactly_one_bucket(fakes: Fakes) -> None:
    rows = [
        *people(300),
        ("d1", "Dup", "", "P7@EXAMPLE.com", ""),
        ("b1", "Bad", "", "no-at-sign", ""),
        ("b2", "Bad", "", "", ""),
        ("x1", "Excluded", "", "out@excluded.example", ""),
        ("u1", "Left", "", "left@example.com", ""),
    ]
    write_segment(fakes, rows)
    fakes.account.exclude("excluded.example", "end")
    fakes.account.unsubscribe("left@example.com")
    run = run_export(fakes, make_export(fakes))
    assert run.end
    account = run.end.tally
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert (account.rows_read, account.confirmed, account.duplicates) == (305, 300, 1)
    assert (account.rejected, account.rejected_by_active_campaign, account.unconfirmed) == (2, 2, 0)
    assert {r["customerId"]: r["reason"] for r in rejects_of(fakes, run.run_id)} == {
        "d1": "duplicate_email",
        "b1": "invalid_email_no_at",
        "b2": "missing_email",
        "x1": "excluded",
        "u1": "failed_in_import",
    }


def test_working_copies_are_deleted_when_a_run_is_over_and_its_people_were_looked_up(fakes: Fakes) -> None:
    write_segment(fakes, people(30))
    run = run_export(fakes, make_export(fakes))
    assert run.end
    settle(fakes, run.run_id)
    assert fakes.clock.now() - run.end.at < 600
    assert list(fakes.blobs.names("working/")) == []


def test_the_rate_limit_of_the_account_is_never_broken(fakes: Fakes) -> None:
    write_segment(fakes, people(250 * 40))
    run = run_export(fakes, make_export(fakes))
    assert run.status is RunStatus.SUCCESSFUL
    assert {name: rate["violations"] for name, rate in fakes.account.violations().items()} == dict.fromkeys(
        fakes.account.violations(), 0
    )


RUN_COLUMNS = ("CustomerId", "EMail", "FirstName", "LastName", "Telephone")


@settings(max_examples=40)
@given(st.lists(st.tuples(st.just("id"), ADDRESSES, TEXTS, TEXTS, TEXTS), max_size=25))
def test_what_activecampaign_stores_is_what_the_file_said(rows: list[Row]) -> None:
    rows = [[field.replace("\x00", "").encode("utf-8", "ignore").decode() for field in row] for row in rows]
    fakes = make_fakes()
    fakes.segments.write(f"{SEGMENT}/1.csv", csv_file(rows, RUN_COLUMNS))
    run = run_export(fakes, make_export(fakes, guards=Guards(may_be_empty=True, max_reject_share=1)))
    expected: dict[str, Row] = {}
    for row in rows:
        address = peers.address_in(row[1])
        if peers.ADDRESS.fullmatch(address):
            expected.setdefault(address.lower(), row)
    assert run.end
    assert run.end.tally.confirmed == len(expected) == len(fakes.account.contacts())
    assert run.end.tally.adds_up
    for address, row in expected.items():
        stored = fakes.account.contact(address)
        assert stored
        for member, value in zip(("first_name", "last_name", "phone"), row[2:], strict=True):
            assert stored[member] == peers.cleaned(value).strip(peers.BLANK)
