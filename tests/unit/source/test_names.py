"""Which first row is a header, and which is somebody's data."""

from __future__ import annotations

import pytest

from exporter.source.names import MEMBER_NAMES, is_header, plain_name


@pytest.mark.parametrize(
    "row",
    [
        ("CustomerId", "FirstName"),
        ("Ref", "E-Mail"),
        ("x", "Primary_Email"),
        ("City", "Hobby"),
        ("Kundennummer", "BIRTHDAY"),
        *((name,) for names in MEMBER_NAMES.values() for name in names),
    ],
)
def test_a_row_with_a_usual_name_is_a_header(row: tuple[str, ...]) -> None:
    assert is_header(row, ())


@pytest.mark.parametrize(
    "row",
    [
        (),
        ("Jane", "Doe", "Berlin", "mail-at-x"),
        ("Jane", "Doe", "Berlin", "jane@example.com"),
        ("Email", "jane@example.com"),
        ("Email", "+49 30 123"),
        ("Email", ""),
        ("Email", "x" * 129),
        ("Email", "a\x01"),
        ("Correo", "Nombre"),
    ],
)
def test_a_row_that_may_be_a_person_is_no_header(row: tuple[str, ...]) -> None:
    assert not is_header(row, ())


def test_a_row_with_a_name_that_somebody_expects_is_a_header() -> None:
    assert is_header(("Correo", "Nombre"), ("correo",))
    assert not is_header(("Correo", "jane@example.com"), ("correo",))


def test_usual_names_are_plain() -> None:
    assert [plain_name(name) for names in MEMBER_NAMES.values() for name in names] == [
        name for names in MEMBER_NAMES.values() for name in names
    ]
