"""Which columns look like the members of a contact."""

from __future__ import annotations

import pytest

from exporter.contacts.suggestion import suggest_matching
from exporter.source.rows import Column


def columns(*names: str) -> list[Column]:
    return [Column(name, "string") for name in names]


def test_columns_that_look_like_members_of_a_contact_are_suggested() -> None:
    assert suggest_matching(columns("Id", "E_Mail", "email", "FirstName", "Surname", "MobilePhone")) == {
        "email": "E_Mail",
        "firstName": "FirstName",
        "lastName": "Surname",
        "phone": "MobilePhone",
    }
    assert suggest_matching(columns("Id")) == {}


def test_a_column_whose_values_are_no_addresses_is_not_suggested_whatever_its_name() -> None:
    assert suggest_matching(columns("Email", "Contact"), {"Email": 0.0, "Contact": 0.1}) == {}


@pytest.mark.parametrize("share", [0.001, 1.0])
def test_a_usual_name_is_enough_where_any_value_is_an_address(share: float) -> None:
    assert suggest_matching(columns("Email", "Contact"), {"Email": share, "Contact": 1.0}) == {"email": "Email"}


def test_a_usual_name_is_enough_where_there_is_no_value() -> None:
    assert suggest_matching(columns("Email", "Contact"), {"Contact": 1.0}) == {"email": "Email"}


def test_the_next_usual_name_is_taken_where_the_likeliest_holds_no_addresses() -> None:
    found = suggest_matching(columns("Other", "Mail", "Email"), {"Email": 0.0, "Mail": 0.4, "Other": 1.0})
    assert found == {"email": "Mail"}


@pytest.mark.parametrize(
    ("shares", "found"),
    [
        ({"A": 0.5, "B": 0.49}, {"email": "A"}),
        ({"A": 0.6, "B": 0.9}, {"email": "B"}),
        ({"A": 0.9, "B": 0.9}, {"email": "A"}),
        ({"A": 0.49, "B": 0.0}, {}),
    ],
)
def test_without_a_usual_name_the_column_with_the_most_addresses_is_suggested_if_they_are_half_of_it(
    shares: dict[str, float], found: dict[str, str]
) -> None:
    assert suggest_matching(columns("A", "B"), shares) == found


def test_values_that_are_addresses_say_nothing_about_the_other_members() -> None:
    assert suggest_matching(columns("FirstName"), {"FirstName": 0.0}) == {"firstName": "FirstName"}
