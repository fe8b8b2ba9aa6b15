"""Who is looked up after the end: the same people whoever asks, so many at most; and what follows from the answers."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.activecampaign.people import Person, Standing
from exporter.delivery.ledger import Lane
from exporter.reasons import Reason
from exporter.tally.count import tally_of
from exporter.tally.fates import fates
from exporter.tally.findings import (
    MOST_FAILED,
    SAMPLE,
    Finding,
    Findings,
    Sample,
    begin,
    finding_of,
    given_up,
    is_looked_up,
    why_not_taken,
)
from tests.fakes import START
from tests.ledgers import accept, busy_lane, import_event, lane_of
from tests.runs import BUSY_PLAN

RUN = "newsletter.20261118T110640Z." + "0" * 32


def completed(*batches: tuple[int, int], failed: dict[str, str] | None = None) -> Lane:
    """A lane whose imports are confirmed; `failed`: of each of them, reason code by position."""
    lane = lane_of(*batches)
    for number, _ in batches:
        accept(lane, import_id=f"i{number}", batch=number)
        lane.apply(import_event(START, "confirmed", lane.imports[f"i{number}"], failed=failed or {}))
    return lane


@given(st.lists(st.integers(1, 40), min_size=1, max_size=5), st.uuids())
def test_the_sample_is_of_the_confirmed_and_the_same_for_the_same_ledgers(sizes: list[int], number: object) -> None:
    lane = completed(*enumerate(sizes), failed={"0": "failed_in_import"})
    found = begin(f"{number}", [lane])
    places = [each.place for each in found.sample]
    confirmed = {(batch, position) for batch, size in enumerate(sizes) for position in range(1, size)}
    assert found.confirmed == len(confirmed)
    assert len(set(places)) == len(places) == min(SAMPLE, len(confirmed))
    assert set(places) <= confirmed
    assert found == begin(f"{number}", [completed(*enumerate(sizes), failed={"0": "failed_in_import"})])


def test_the_sample_is_drawn_from_everywhere() -> None:
    lane = completed(*((number, 10) for number in range(10)))
    seen = {each.place for number in range(200) for each in begin(f"{number}", [lane]).sample}
    assert len(seen) == 100


def test_those_who_were_not_taken_are_looked_up_unless_it_is_known_why() -> None:
    lane = completed((0, 4), failed={"1": "failed_in_import", "2": "excluded"})
    assert Findings().left([lane]) == {(0, 1): Reason.FAILED_IN_IMPORT}
    assert set(begin(RUN, [lane]).left([lane])) == {(0, 0), (0, 3), (0, 1)}


def test_so_many_who_were_not_taken_are_looked_up_and_not_more() -> None:
    everybody = {f"{position}": "failed_in_import" for position in range(250)}
    lane = completed(*((number, 250) for number in range(4)), failed=everybody)
    left = Findings().left([lane])
    assert len(left) == MOST_FAILED == 500
    known = Findings().with_more(
        [Finding(batch=b, position=p, standing=Standing.UNKNOWN) for b, p in list(left)[:300]], done=False
    )
    assert len(known.left([lane])) == 200
    assert not known.with_more(given_up(left), done=True).left([lane]), "nor after the others were given up"
    assert not known.with_more(given_up((4, number) for number in range(300)), done=True).left([lane])


def test_what_was_found_first_stays() -> None:
    start = Findings(sample=(Finding(batch=0, position=0), Finding(batch=0, position=1)))
    one = start.with_more([Finding(batch=0, position=0, standing=Standing.ON_THE_LIST)], done=False)
    two = one.with_more(
        [
            Finding(batch=0, position=0, standing=Standing.NOT_THERE),
            Finding(batch=0, position=2, standing=Standing.UNSUBSCRIBED, reason="unsubscribed"),
        ],
        done=False,
    )
    three = two.with_more([Finding(batch=0, position=2, reason="excluded")], done=True)
    assert [each.standing for each in three.sample] == [Standing.ON_THE_LIST, None]
    assert three.reasons == {(0, 2): Reason.UNSUBSCRIBED}
    assert three.with_more([], done=False).done


def test_a_sample_that_counts_stays_as_it_is_whatever_another_sweep_finds_then() -> None:
    start = Findings(sample=(Finding(batch=0, position=0), Finding(batch=0, position=1)))
    over = start.with_more([Finding(batch=0, position=0, standing=Standing.UNSUBSCRIBED)], done=True)
    late = over.with_more(
        [Finding(batch=0, position=1, standing=Standing.ON_THE_LIST), Finding(batch=0, position=2, reason="bounced")],
        done=True,
    )
    assert late.counted == over.counted
    assert late.reasons == {(0, 2): Reason.BOUNCED}


def test_nothing_counts_before_the_look_is_over() -> None:
    findings = Findings(
        sample=(Finding(batch=0, position=0, standing=Standing.ON_THE_LIST),),
        failed=(Finding(batch=0, position=1, standing=Standing.BOUNCED, reason="bounced"),),
    )
    assert (findings.reasons, findings.counted) == ({}, None)
    over = findings.model_copy(update={"done": True})
    assert over.reasons == {(0, 1): Reason.BOUNCED}
    assert over.counted
    assert Findings(done=True, sample=(Finding(batch=0, position=0),)).counted is None


def test_the_sample_is_counted_by_what_was_found() -> None:
    kinds = [*Standing, Standing.ON_THE_LIST]
    sample = tuple(
        Finding(batch=0, position=number, standing=standing, as_sent=as_sent)
        for number, (standing, as_sent) in enumerate(zip(kinds, [True, False, *[None] * 5, True], strict=True))
    )
    counted = Findings(confirmed=90, done=True, sample=(*sample, Finding(batch=1, position=0))).counted
    assert counted
    assert counted.model_dump() == {
        "confirmed": 90,
        "asked": 8,
        "on_the_list": 2,
        "unsubscribed": 1,
        "bounced": 1,
        "unconfirmed": 1,
        "not_on_the_list": 1,
        "not_there": 1,
        "unknown": 1,
        "values_as_sent": 2,
        "values_differ": 1,
    }


def test_reasons_that_were_found_replace_those_that_say_nothing_and_move_nobody() -> None:
    lane = completed((0, 4), failed={"1": "failed_in_import", "2": "excluded", "3": "failed_in_import"})
    found = {(0, 1): Reason.BOUNCED, (0, 2): Reason.UNSUBSCRIBED, (0, 0): Reason.BOUNCED}
    told = {reason: list(fate.positions) for fate in fates([lane], found) for reason in [fate.reason]}
    assert told == {None: [0], Reason.BOUNCED: [1], Reason.EXCLUDED: [2], Reason.FAILED_IN_IMPORT: [3]}
    plan = BUSY_PLAN.model_copy(update={"rows_read": 4, "contacts": 4, "duplicates": 0, "rejected_by_reason": {}})
    before, after = tally_of(plan, [lane]), tally_of(plan, [lane], found)
    assert after.reasons == {"bounced": 1, "excluded": 1, "failed_in_import": 1}
    assert before.model_copy(update={"reasons": {}}) == after.model_copy(update={"reasons": {}})


def test_a_run_of_which_nobody_is_to_be_looked_up_is_done_at_once() -> None:
    assert is_looked_up(None, [])
    assert is_looked_up(None, [completed((0, 1), failed={"0": "excluded"})])
    assert not is_looked_up(None, [busy_lane()])
    assert not is_looked_up(Findings(), [])
    assert is_looked_up(Findings(done=True), [busy_lane()])
    late = completed((0, 1), failed={"0": "failed_in_import"})
    assert not is_looked_up(Findings(done=True), [late]), "its import has completed since"
    assert is_looked_up(Findings(done=True).with_more(given_up([(0, 0)]), done=True), [late])


def test_a_finding_names_nobody() -> None:
    person = Person(Standing.ON_THE_LIST, 7, {"first_name": "Ada"}, {})
    found = finding_of((3, 4), person, {"email": "ada@example.com", "first_name": "Ada"})
    assert found == Finding(batch=3, position=4, standing=Standing.ON_THE_LIST, as_sent=True)


REFUSED, FAILED = Reason.REFUSED_BY_ACTIVECAMPAIGN, Reason.FAILED_IN_IMPORT


@pytest.mark.parametrize(
    ("before", "standing", "full", "why"),
    [
        (FAILED, Standing.UNSUBSCRIBED, True, Reason.UNSUBSCRIBED),
        (REFUSED, Standing.UNSUBSCRIBED, None, Reason.UNSUBSCRIBED),
        (FAILED, Standing.BOUNCED, False, Reason.BOUNCED),
        (FAILED, Standing.NOT_THERE, True, Reason.ACCOUNT_FULL),
        (FAILED, Standing.NOT_THERE, False, Reason.ADDRESS_NOT_TAKEN),
        (FAILED, Standing.NOT_THERE, None, FAILED),
        (REFUSED, Standing.NOT_THERE, True, REFUSED),
        (FAILED, Standing.ON_THE_LIST, True, FAILED),
        (FAILED, Standing.NOT_ON_THE_LIST, False, FAILED),
        (FAILED, Standing.UNCONFIRMED, False, FAILED),
        (FAILED, Standing.UNKNOWN, True, FAILED),
    ],
)
def test_where_somebody_stands_tells_why_they_were_not_taken(
    before: Reason, standing: Standing, *, full: bool | None, why: Reason
) -> None:
    assert why_not_taken(before, standing, full=full) is why


def test_the_size_of_the_list_is_kept_from_the_first_who_asked() -> None:
    asked = Findings().with_size(14)
    assert (asked.list_active, asked.size_asked) == (14, True)
    assert asked.with_size(15) == asked
    unknown = Findings().with_size(None)
    assert (unknown.list_active, unknown.with_size(3).list_active) == (None, None)
    assert Findings() == Findings(confirmed=0, size_asked=False, done=False)


def test_a_sample_counts_nothing_that_was_not_found() -> None:
    told = Sample(confirmed=1, asked=1).model_dump()
    assert {name for name, count in told.items() if count} == {"confirmed", "asked"}
    assert {type(count) for count in told.values()} == {int}


def test_the_documentation_speaks_of_twenty() -> None:
    assert (SAMPLE, MOST_FAILED) == (20, 500)
