"""What stops a run before anything is sent: each brake with its floor, its switch, and what an approval says of it."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.activecampaign.account import AccountLimits
from exporter.activecampaign.wire import Request
from exporter.definitions.exports import ExportDefinition, Guards
from exporter.pipeline.brakes import HOLDS, Numbers, cause_of, judge
from exporter.records import store
from exporter.records.paths import recent_path, report_path
from exporter.records.slots import active_run, read_slot
from exporter.runs.membership import membership
from exporter.runs.report import Report
from exporter.runs.run import Approved, Cause, Run, RunStatus
from tests.builders import HOST, logged, make_export, people, rejects_of, run_export, write_segment
from tests.fakes import Fakes, make_fakes


def held(numbers: Numbers, *, factor: float = 10, approved: Approved | None = None, **changes: Any) -> dict[str, str]:
    """Return the messages by code."""
    members = {"displayName": "N", "listId": 1, "segments": ["people"], "dataMatching": {"email": "EMail"}}
    export = ExportDefinition.model_validate(members | changes)
    return {stop.code: stop.message for stop in judge(numbers, export, factor, approved)}


def rows(count: int, last: int | None = None, **rejected: int) -> Numbers:
    """Return numbers of which all rows that are not rejected become contacts."""
    return Numbers(
        rows_read=count,
        contacts=count - sum(rejected.values()),
        rejected_by_reason=rejected,
        last_rows_read=last,
    )


@pytest.mark.parametrize(
    ("count", "last", "codes"),
    [
        (5_000, 5, []),
        (10_000, 99, []),
        (1, 99, []),
        (1_001, 100, ["size_changed"]),
        (1_000, 100, []),
        (10, 100, []),
        (9, 100, ["size_changed"]),
        (5, 5_000, ["size_changed"]),
        (1, None, []),
        (1, 0, []),
    ],
)
def test_sizes_are_compared_only_with_a_run_of_a_hundred_rows(count: int, last: int | None, codes: list[str]) -> None:
    assert list(held(rows(count, last))) == codes


def test_an_export_may_say_how_much_its_size_changes() -> None:
    assert "guards.sizeFactor" in held(rows(1_000, 100), guards={"sizeFactor": 9.9})["size_changed"]
    assert "at most 9.9 times" in held(rows(1_000, 100), guards={"sizeFactor": 9.9})["size_changed"]
    assert held(rows(1_000, 100), factor=2, guards={"sizeFactor": 10}) == {}
    assert held(rows(101, 100), guards={"sizeFactor": 1}).keys() == {"size_changed"}


def test_an_empty_segment_is_held_unless_the_export_expects_it() -> None:
    message = held(rows(0))["segment_empty"]
    assert "approve the held run" in message
    assert "guards.mayBeEmpty" in message
    assert held(rows(0), guards={"mayBeEmpty": True}) == {}
    assert held(rows(0, 5_000)).keys() == {"segment_empty"}
    assert held(rows(0, 5_000), guards={"mayBeEmpty": True}) == {}


def test_rows_without_anybody_to_send_are_held_with_the_main_reason() -> None:
    nobody = rows(12, missing_email=4, no_consent=8)
    message = held(nobody)["no_contact"]
    assert "none in 12 rows" in message
    assert "no_consent (8)" in message
    assert "guards.mayBeEmpty" in message
    assert held(nobody, guards={"mayBeEmpty": True}) == {}


@pytest.mark.parametrize(
    ("numbers", "codes"),
    [
        (rows(38, missing_email=19), []),
        (rows(21, missing_email=19, no_consent=1), []),
        (rows(40, missing_email=20), []),
        (rows(39, missing_email=20), ["too_many_rows_rejected"]),
        (rows(39, missing_email=10, invalid_email_no_at=10), ["too_many_rows_rejected"]),
        (rows(1_000, missing_email=500), []),
        (rows(1_000, missing_email=501), ["too_many_rows_rejected"]),
        (rows(1_000, missing_email=500, no_consent=400), []),
    ],
)
def test_more_than_half_of_the_rows_may_not_be_rejected(numbers: Numbers, codes: list[str]) -> None:
    assert list(held(numbers)) == codes


def test_the_share_of_rejects_is_told_with_its_main_reason_and_may_be_another_one() -> None:
    numbers = rows(1_000, missing_email=200, invalid_email_no_at=150, no_consent=300)
    assert held(numbers) == {}
    message = held(numbers, guards={"maxRejectShare": 0.349})["too_many_rows_rejected"]
    assert "at most 34.9% of the 1000 rows to be rejected, found 350 (35.0%)" in message
    assert "missing_email (200, 20.0%)" in message
    assert "approve the held run" in message
    assert "guards.maxRejectShare" in message
    assert held(numbers, guards={"maxRejectShare": 0.35}) == {}
    assert held(rows(1_000, missing_email=999), guards={"maxRejectShare": 1}) == {}
    assert held(rows(1_000, missing_email=20), guards={"maxRejectShare": 0}).keys() == {"too_many_rows_rejected"}


def test_duplicates_are_not_rejects() -> None:
    assert held(Numbers(rows_read=1_000, contacts=1, rejected_by_reason={})) == {}


def room(limit: int | None, contacts: int | None, **numbers: int) -> Numbers:
    return Numbers(rows_read=40, contacts=40, rejected_by_reason={}, limits=AccountLimits(limit, contacts), **numbers)


@pytest.mark.parametrize(
    ("numbers", "codes"),
    [
        (room(51, 41), ["contact_limit"]),
        (room(80, 41), ["contact_limit"]),
        (room(81, 41), []),
        (room(51, 41, on_list=40), []),
        (room(51, 41, on_list=30), []),
        (room(51, 41, on_list=29), ["contact_limit"]),
        (room(51, 41, known=30), []),
        (room(51, 41, known=30, on_list=29), []),
        (room(51, 41, known=29), ["contact_limit"]),
        (room(40, 41, on_list=40), []),
        (room(40, 41, on_list=39), ["contact_limit"]),
        (room(None, 41), []),
        (room(51, None), []),
    ],
)
def test_only_who_is_new_to_the_account_needs_room(numbers: Numbers, codes: list[str]) -> None:
    assert list(held(numbers)) == codes
    assert held(numbers, allowOverContactLimit=True) == {}


def test_a_full_account_is_told_with_who_is_on_the_list() -> None:
    message = held(room(51, 41, on_list=12))["contact_limit"]
    assert "room for up to 28 new contacts" in message
    assert "41 of at most 51 contacts, and 12 of the people may be among them already" in message
    assert "allowOverContactLimit" in message
    assert "and 0 of the people" in held(room(51, 41))["contact_limit"]


def test_an_empty_segment_needs_no_room() -> None:
    full = Numbers(rows_read=0, contacts=0, rejected_by_reason={}, limits=AccountLimits(40, 41))
    assert held(full, guards={"mayBeEmpty": True}) == {}


def test_all_that_stops_a_run_is_told_first_what_nobody_can_approve() -> None:
    nobody = rows(100, 5_000, missing_email=100)
    assert list(held(nobody)) == ["no_contact", "too_many_rows_rejected", "size_changed"]
    assert list(held(room(51, 41), maxContacts=39)) == ["too_many_contacts", "contact_limit"]
    assert not {"no_contact", "too_many_contacts", "contact_limit"} & HOLDS.keys()


# --- what was approved ---


def approved(**causes: dict[str, int]) -> Approved:
    return Approved(
        causes=tuple(Cause(code=code, numbers=numbers) for code, numbers in causes.items()),
        membership="0" * 64,
        run_id="",
    )


@given(
    st.integers(0, 3_000),
    st.integers(0, 3_000),
    st.integers(0, 3_000),
    st.integers(0, 1_500),
    st.floats(1, 20),
    st.floats(0, 1),
)
def test_what_was_approved_holds_no_run_of_the_same_numbers(
    count: int, last: int, rejected: int, without_consent: int, factor: float, share: float
) -> None:
    counts = {"missing_email": min(rejected, count), "no_consent": min(without_consent, max(count - rejected, 0))}
    numbers = rows(count, last, **{reason: number for reason, number in counts.items() if number})
    export = ExportDefinition.model_validate(
        {"displayName": "N", "listId": 1, "segments": ["people"], "dataMatching": {"email": "EMail"}}
        | {"guards": {"maxRejectShare": share}}
    )
    holds = [stop for stop in judge(numbers, export, factor) if stop.code in HOLDS]
    if holds:
        yes = Approved(causes=tuple(map(cause_of, holds)), membership="0" * 64, run_id="")
        assert [stop for stop in judge(numbers, export, factor, yes) if stop.code in HOLDS] == []


SHRUNK = approved(size_changed={"rowsRead": 100, "lastRowsRead": 10_000})
GROWN = approved(size_changed={"rowsRead": 10_000, "lastRowsRead": 100})


@pytest.mark.parametrize(
    ("count", "last", "yes", "codes"),
    [
        (9, 10_000, SHRUNK, ["size_changed"]),
        (10, 10_000, SHRUNK, []),
        (500, 10_000, SHRUNK, []),
        (100_000, 10_000, SHRUNK, []),
        (100_001, 10_000, SHRUNK, ["size_changed"]),
        (9, 100, GROWN, ["size_changed"]),
        (10, 100, GROWN, []),
        (100_000, 100, GROWN, []),
        (100_001, 100, GROWN, ["size_changed"]),
        (0, 10_000, SHRUNK, ["segment_empty"]),
    ],
)
def test_the_newest_refresh_may_be_of_a_size_between_and_beyond_either_by_the_factor(
    count: int, last: int, yes: Approved, codes: list[str]
) -> None:
    assert list(held(rows(count, last), approved=yes)) == codes


def test_the_newest_refresh_may_have_a_few_more_rejects_than_were_approved() -> None:
    yes = approved(too_many_rows_rejected={"rowsRead": 1_000, "rejected": 600})
    assert list(held(rows(2_000, missing_email=1_300), approved=yes)) == []
    message = held(rows(2_000, missing_email=1_301), approved=yes)["too_many_rows_rejected"]
    assert "at most 65.0%" in message
    assert held(rows(2_000, missing_email=1_301), approved=yes, guards={"maxRejectShare": 0.7}) == {}


def test_one_cause_is_approved_and_no_other() -> None:
    empty = approved(segment_empty={"rowsRead": 0})
    assert held(rows(0), approved=empty) == {}
    assert list(held(rows(0), approved=SHRUNK)) == ["segment_empty"]
    assert list(held(rows(5, 5_000), approved=empty)) == ["size_changed"]
    assert list(held(rows(100, missing_email=90), approved=SHRUNK)) == ["too_many_rows_rejected"]
    everything = approved(**{code: {"rowsRead": 40, "rejected": 40} for code in HOLDS})
    assert list(held(rows(100, 5_000, missing_email=100), approved=everything)) == ["no_contact"]
    assert list(held(room(51, 41), maxContacts=39, approved=everything)) == ["too_many_contacts", "contact_limit"]


@pytest.mark.parametrize(
    ("numbers", "causes"),
    [
        (rows(0, 500), [("segment_empty", {"rowsRead": 0})]),
        (
            rows(30, 5_000, missing_email=15, invalid_email_no_at=9),
            [
                ("too_many_rows_rejected", {"rowsRead": 30, "rejected": 24}),
                ("size_changed", {"rowsRead": 30, "lastRowsRead": 5_000}),
            ],
        ),
    ],
)
def test_an_approval_is_of_a_code_and_what_it_was_judged_by(
    numbers: Numbers, causes: list[tuple[str, dict[str, int]]]
) -> None:
    export = ExportDefinition.model_validate(
        {"displayName": "N", "listId": 1, "segments": ["people"], "dataMatching": {"email": "EMail"}}
    )
    assert [(c.code, c.numbers) for c in map(cause_of, judge(numbers, export, 10))] == causes


# --- through a run ---


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


BAD = [("b", "Bad", "", "", "")]


def code(run: Run) -> str | None:
    assert run.end
    return run.end.problem.code if run.end.problem else None


def asked_for_the_list(fakes: Fakes) -> list[Request]:
    return [r for r in fakes.activecampaign.requests if r.path == "/api/3/contacts" and ("status", "-1") in r.query]


def test_a_pilot_grows_without_being_held(fakes: Fakes) -> None:
    export = make_export(fakes)
    write_segment(fakes, people(5))
    run_export(fakes, export)
    write_segment(fakes, people(500))
    assert run_export(fakes, export).status is RunStatus.SUCCESSFUL


def test_a_run_of_an_empty_segment_succeeds_if_the_export_expects_it(fakes: Fakes) -> None:
    write_segment(fakes, people(200))
    run_export(fakes, make_export(fakes))
    write_segment(fakes, [])
    assert code(run_export(fakes, make_export(fakes))) == "segment_empty"
    assert run_export(fakes, make_export(fakes, guards=Guards(may_be_empty=True))).status is RunStatus.SUCCESSFUL


def test_a_run_without_anybody_to_send_fails(fakes: Fakes) -> None:
    write_segment(fakes, BAD * 30)
    run = run_export(fakes, make_export(fakes))
    assert (run.status, code(run)) == (RunStatus.FAILED, "no_contact")
    assert run.end
    assert run.end.held is None
    expected = run_export(fakes, make_export(fakes, guards=Guards(may_be_empty=True, max_reject_share=1)))
    assert expected.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert len(rejects_of(fakes, expected.run_id)) == 30


def test_a_run_of_many_rejects_is_held_until_it_is_allowed(fakes: Fakes) -> None:
    write_segment(fakes, [*people(29), *BAD * 30])
    run = run_export(fakes, make_export(fakes))
    assert (run.status, code(run)) == (RunStatus.HELD, "too_many_rows_rejected")
    assert fakes.account.contacts() == []
    assert code(run_export(fakes, make_export(fakes, guards=Guards(max_reject_share=0.51)))) is None


def test_a_run_that_is_held_says_why_and_keeps_nobody_but_who_was_rejected(
    fakes: Fakes, caplog: pytest.LogCaptureFixture
) -> None:
    write_segment(fakes, people(200))
    run_export(fakes, make_export(fakes))
    write_segment(fakes, [*people(5), *BAD * 10])
    before = set(fakes.blobs.stored)
    run = run_export(fakes, make_export(fakes, guards=Guards(max_reject_share=0.1, size_factor=2)))
    assert run.end
    assert run.end.held
    assert [cause.code for cause in run.end.held.causes] == ["size_changed"]
    assert run.end.held.causes[0].numbers == {"rowsRead": 15, "lastRowsRead": 200}
    assert run.end.held.membership == membership(fakes.services.settings.segment_folder, HOST, run.export)
    left = {path.removeprefix("records/") for path in set(fakes.blobs.stored) - before}
    rejected = {path for path in left if path.startswith(f"rejects/{run.run_id}/")}
    entry = recent_path(run.run_id).removeprefix("records/")
    assert left - rejected == {entry, f"runs/{run.run_id}/run.json", f"runs/{run.run_id}/report.json"}
    assert len(rejected) == 1
    report = store.get(fakes.blobs, Report, report_path(run.run_id))
    assert report
    assert report.status is RunStatus.HELD
    (ended,) = ((level, event) for level, action, event in logged(caplog) if action == "run_ended" and event["code"])
    assert (ended[0], ended[1]["status"], ended[1]["code"]) == ("WARNING", "held", "size_changed")
    slot = read_slot(fakes.services, "newsletter")
    assert slot
    assert active_run(fakes.services, slot) is None


def test_a_run_that_cannot_go_on_anyway_is_not_held(fakes: Fakes) -> None:
    write_segment(fakes, people(200))
    run_export(fakes, make_export(fakes))
    write_segment(fakes, people(5))
    run = run_export(fakes, make_export(fakes, max_contacts=4))
    assert (run.status, code(run)) == (RunStatus.FAILED, "too_many_contacts")


def test_people_on_the_list_need_no_room_in_a_nearly_full_account(fakes: Fakes) -> None:
    write_segment(fakes, people(41))
    run_export(fakes, make_export(fakes))
    write_segment(fakes, people(40))
    fakes.account.set_contact_limit(51)
    other = make_export(fakes, id="other")
    assert run_export(fakes, other).status is RunStatus.SUCCESSFUL
    assert len(asked_for_the_list(fakes)) == 1
    assert code(run_export(fakes, make_export(fakes, id="another", list_id=2))) == "contact_limit"


def test_how_many_are_on_the_list_is_asked_only_if_it_matters(fakes: Fakes) -> None:
    write_segment(fakes, people(40))
    fakes.account.set_contact_limit(40)
    run_export(fakes, make_export(fakes))
    run_export(fakes, make_export(fakes))
    fakes.account.set_contact_limit(10)
    run_export(fakes, make_export(fakes, id="other", list_id=2, allow_over_contact_limit=True))
    assert asked_for_the_list(fakes) == []
