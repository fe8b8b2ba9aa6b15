"""What holds a run before anything is sent: each brake with its floor, its switch, and what force does."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.activecampaign.account import AccountLimits
from exporter.activecampaign.wire import Request
from exporter.definitions.exports import ExportDefinition, Guards
from exporter.pipeline.brakes import Numbers, judge
from exporter.runs.run import Run, RunStatus
from tests.builders import make_export, people, rejects_of, run_export, write_segment
from tests.fakes import Fakes, make_fakes


def held(numbers: Numbers, *, force: bool = False, factor: float = 10, **changes: Any) -> dict[str, str]:
    """Return the messages by code."""
    members = {"displayName": "N", "listId": 1, "segments": ["people"], "dataMatching": {"email": "EMail"}}
    export = ExportDefinition.model_validate(members | changes)
    return {stop.code: stop.message for stop in judge(numbers, export, factor, force=force)}


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
    assert "force" in message
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
    assert "force" in message
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
    assert "41 of at most 51 contacts, 12 of them on the list already" in message
    assert "allowOverContactLimit" in message
    assert "on the list" not in held(room(51, 41))["contact_limit"]


def test_an_empty_segment_needs_no_room() -> None:
    full = Numbers(rows_read=0, contacts=0, rejected_by_reason={}, limits=AccountLimits(40, 41))
    assert held(full, guards={"mayBeEmpty": True}) == {}


def test_all_that_holds_a_run_is_told_and_force_passes_what_people_can_judge() -> None:
    nobody = rows(100, 5_000, missing_email=100)
    assert list(held(nobody)) == ["no_contact", "too_many_rows_rejected", "size_changed"]
    assert list(held(nobody, force=True)) == ["no_contact"]
    assert list(held(rows(0), force=True)) == []
    assert list(held(room(51, 41), maxContacts=39)) == ["too_many_contacts", "contact_limit"]
    assert list(held(room(51, 41), maxContacts=39, force=True)) == ["too_many_contacts", "contact_limit"]


# --- through a run ---


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


BAD = [("b", "Bad", "", "", "")]


def code(run: Run) -> str | None:
    assert run.end
    return run.end.problem.code if run.end.problem else None


def asked_for_the_list(fakes: Fakes) -> list[Request]:
    return [request for request in fakes.activecampaign.requests if request.path == "/api/3/contacts"]


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


def test_a_run_without_anybody_to_send_fails_even_if_forced(fakes: Fakes) -> None:
    write_segment(fakes, BAD * 3)
    assert code(run_export(fakes, make_export(fakes), force=True)) == "no_contact"
    expected = run_export(fakes, make_export(fakes, guards=Guards(may_be_empty=True)))
    assert expected.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert len(rejects_of(fakes, expected.run_id)) == 3


def test_a_run_of_many_rejects_is_held_until_it_is_forced_or_allowed(fakes: Fakes) -> None:
    write_segment(fakes, [*people(29), *BAD * 30])
    assert code(run_export(fakes, make_export(fakes))) == "too_many_rows_rejected"
    assert fakes.account.contacts() == []
    assert code(run_export(fakes, make_export(fakes, guards=Guards(max_reject_share=0.51)))) is None
    assert code(run_export(fakes, make_export(fakes), force=True)) is None


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
