"""The columns: widths, meanings of numbers, nothing that moves."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.errors import Wait
from exporter.memory.people import (
    COLUMNS,
    LAST_DAY,
    NO_DAY,
    NOT_TAKEN,
    PERSON_BYTES,
    People,
    State,
    date_of,
    day_of,
    number_of,
    reason_at,
)
from exporter.reasons import BY_CODE, Reason
from tests.memories import Known, addresses, people, table


def test_a_million_people_take_37_megabytes() -> None:
    assert PERSON_BYTES == 37


def test_new_people_have_columns_of_the_types_that_are_stored() -> None:
    new = People.new(addresses([1, 2]))

    assert {name: column.dtype for name, column in zip(COLUMNS, new.columns(), strict=True)} == COLUMNS
    assert table(new) == {1: Known(State.IN_DOUBT), 2: Known(State.IN_DOUBT)}


def test_numbers_of_states_and_reasons_never_move() -> None:
    assert [(state.name, state.value) for state in State] == [
        ("CONFIRMED", 1),
        ("IN_DOUBT", 2),
        ("OVERTAKEN", 3),
        ("REFUSED", 4),
        ("LEAVING", 5),
    ]
    assert [reason_at(number) for number in range(9)] == [
        None,
        "refused_by_activecampaign",
        "failed_in_import",
        "unsubscribed",
        "bounced",
        "account_full",
        "address_not_taken",
        "excluded",
        "not_taken",
    ]


def test_a_reason_comes_back_as_it_went_in() -> None:
    codes = [reason_at(number) for number in range(1, 9)]

    assert [number_of(code) for code in codes if code] == list(range(1, 9))
    assert {code for code in codes if code != NOT_TAKEN} <= BY_CODE.keys()
    with pytest.raises(ValueError, match="found not_sent"):
        number_of(Reason.NOT_SENT)


def test_a_reason_of_a_newer_release_is_a_wait() -> None:
    with pytest.raises(Wait) as waits:
        reason_at(9)

    assert waits.value.code == "newer_release"


@pytest.mark.parametrize("epoch_s", [-1.0, 0.0, 86_399.9, (LAST_DAY + 1) * 86_400.0])
def test_a_day_that_no_column_can_hold_is_refused(epoch_s: float) -> None:
    with pytest.raises(ValueError, match="expected a time between 1970-01-02 and 2149-06-06"):
        day_of(epoch_s)


def test_days_and_dates() -> None:
    assert (date_of(1), date_of(LAST_DAY)) == (date(1970, 1, 2), date(2149, 6, 6))
    assert date_of(day_of(1_795_737_600)) == date(2026, 11, 27)
    assert day_of((LAST_DAY + 1) * 86_400 - 1) == LAST_DAY


KNOWN = st.builds(Known, st.sampled_from(State), *[st.integers(0, 255)] * 7)


@given(st.dictionaries(st.integers(0, 12), KNOWN))
def test_doubt_forgets_the_values_and_keeps_who_it_is_and_how_often_they_were_refused(known: dict[int, Known]) -> None:
    found = people(known)
    before = found.copy()
    found.doubt(np.arange(len(found)))

    for number, row in table(found).items():
        was = known[number]
        kept = (was.customer, was.lists, was.since, was.refusals, was.reason)
        assert row == Known(State.IN_DOUBT, 0, kept[0], kept[1], NO_DAY, *kept[2:])
    assert table(before) == dict(sorted(known.items()))
