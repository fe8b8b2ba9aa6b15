"""Connections and exports: what a person may decide, each limit on both of its sides, and what holds when nothing is
said."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from exporter.definitions import connections
from exporter.definitions.connections import Connection
from exporter.definitions.exports import Export, ExportDefinition
from exporter.model import to_epoch
from exporter.records import paths

AUDITED = {"createdBy": "ada", "createdUtc": "2026-11-18T11:06:40.000Z", "updatedBy": "bob", "updatedUtc": "2026-11-19T11:06:40.000Z"}  # fmt: skip # noqa: E501
EXPORT = {
    "displayName": "Newsletter",
    "listId": 7,
    "segments": ["people"],
    "dataMatching": {"email": "EMail"},
}
CONNECTION = {
    **AUDITED,
    "id": "main",
    "displayName": "Main account",
    "host": "acme.api-us1.com",
    "secretName": "connection-main",
    "consent": {"agreedBy": "ada", "agreedUtc": "2026-11-18T11:06:40.000Z"},
}


def export(**members: Any) -> ExportDefinition:
    return ExportDefinition.model_validate(EXPORT | members)


def matching(**members: Any) -> ExportDefinition:
    return export(dataMatching={"email": "EMail"} | members)


def fields(count: int) -> list[dict[str, str]]:
    return [{"column": "Tier", "field": str(number)} for number in range(count)]


def test_an_export_is_careful_where_nothing_is_said() -> None:
    assert export().model_dump() == {
        "display_name": "Newsletter",
        "connection_id": None,
        "list_id": 7,
        "segments": ("people",),
        "data_matching": {"email": "EMail", "first_name": None, "last_name": None, "phone": None, "fields": ()},
        "scheduled": False,
        "run_automations": False,
        "consent_column": None,
        "max_contacts": 1_000_000,
        "allow_over_contact_limit": False,
        "skip_unchanged": True,
    }


def test_a_connection_is_for_administrators_where_nothing_is_said() -> None:
    connection = Connection.model_validate(CONNECTION)
    assert (connection.usable_by, connection.account_name, connection.version) == ("administrators", None, 1)
    assert Connection.model_validate(CONNECTION | {"usableBy": "contributors"}).usable_by == "contributors"
    assert connection.updated_utc - connection.created_utc == 86_400
    assert connection.consent.agreed_utc == to_epoch("2026-11-18T11:06:40.000Z")


@pytest.mark.parametrize(
    ("member", "good", "bad"),
    [
        ("listId", [1, 2_147_483_647], [0, 2_147_483_648, None]),
        ("maxContacts", [1, 1_000_000], [0, 1_000_001]),
        ("connectionId", [None, "a", "a-1", "0" * 63], ["", "0" * 64, "A", "-a", "a-", "a--b", "a_b", "a/b", "a\n"]),
        ("displayName", ["N", "n" * 200, "two words", "\u00e9"], ["", "n" * 201, " n", "n ", "a\nb", "a\x7fb", "n\n"]),
        ("segments", [["s"], ["s" * 512], [str(n) for n in range(20)]], [[], [str(n) for n in range(21)]]),
        ("segments", [["a", "A"], ["a b/c"]], [["a", "b", "a"], [""], ["s" * 513], ["a\x00"], ["a\x1f"], ["a\x7f"]]),
        ("consentColumn", [None, {"column": "c", "value": "v" * 256}], [{"column": "", "value": "v"}]),
        (
            "consentColumn",
            [{"column": "c" * 256, "value": "v"}],
            [{"column": "c", "value": "v" * 257}, {"column": "c"}],
        ),
        ("consentColumn", [{"column": "c", "value": " "}], [{"column": "c", "value": ""}, {"column": "c" * 257}]),
    ],
)
def test_each_limit_of_an_export_holds_on_both_sides(member: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        export(**{member: value})
    for value in bad:
        with pytest.raises(ValidationError):
            export(**{member: value})


@pytest.mark.parametrize(
    ("member", "good", "bad"),
    [
        ("email", ["e", "e" * 256], ["", "e" * 257, None]),
        ("firstName", [None, "f", "f" * 256], ["", "f" * 257]),
        ("lastName", [None, "l" * 256], ["", "l" * 257]),
        ("phone", [None, "p" * 256], ["", "p" * 257]),
        ("fields", [[], fields(50)], [fields(51)]),
        ("fields", [[{"column": "c", "field": "%A_z9%"}]], [[{"column": "", "field": "1"}], [{"column": "c"}]]),
        ("fields", [[{"column": "c", "field": "f" * 64}]], [[{"column": "c", "field": "f" * 65}]]),
        (
            "fields",
            [[{"column": "c" * 256, "field": "1"}]],
            [[{"column": "c", "field": bad}] for bad in ("", "a-b", "1\n")],
        ),
    ],
)
def test_each_limit_of_the_data_matching_holds_on_both_sides(member: str, good: list[Any], bad: list[Any]) -> None:
    for value in good:
        matching(**{member: value})
    for value in bad:
        with pytest.raises(ValidationError):
            matching(**{member: value})


def test_a_segment_that_is_named_twice_is_pointed_out() -> None:
    with pytest.raises(ValidationError, match="each segment is named once"):
        export(segments=["a", "b", "a"])


@pytest.mark.parametrize("bad", ["", "0" * 64, "Main", "main-", "a b", "../x"])
def test_ids_are_safe_in_the_names_of_blobs(bad: str) -> None:
    with pytest.raises(ValidationError):
        Connection.model_validate(CONNECTION | {"id": bad})
    with pytest.raises(ValidationError):
        Export.model_validate({**EXPORT, **AUDITED, "id": bad})
    assert Export.model_validate({**EXPORT, **AUDITED, "id": "0" * 63}).id == "0" * 63


def test_resources_are_kept_under_their_ids() -> None:
    assert paths.connection_path("main") == "records/connections/main.json"
    assert paths.export_path("newsletter") == "records/exports/newsletter.json"


def test_a_connection_that_moves_to_another_account_gets_another_secret() -> None:
    name = connections.own_secret_name("main", "acme.api-us1.com")
    assert name == "connection-main-37f553da"
    assert name != connections.own_secret_name("main", "other.api-us1.com")
