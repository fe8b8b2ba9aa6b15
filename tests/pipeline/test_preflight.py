"""Key, list and custom fields are looked at before anything is sent."""

from __future__ import annotations

import pytest

from exporter.activecampaign.account import User
from exporter.contacts.matching import Field, FieldMapping
from exporter.definitions.exports import DataMatching, FieldMatch
from exporter.errors import CredentialsRefused, Stop
from exporter.pipeline.preflight import Fields, check, check_connection
from exporter.pipeline.session import Session
from sandbox.activecampaign import ContactList, CustomField
from tests.builders import HOST, make_export
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    fakes.account.put_field(CustomField(41, "City"))
    return fakes


def checked(fakes: Fakes, *fields: tuple[str, str], key: str = "key-1", **changes: int) -> Fields:
    matches = tuple(FieldMatch(column=column, field=field) for column, field in fields)
    export = make_export(fakes, data_matching=DataMatching(email="EMail", fields=matches), **changes)
    return check(Session(fakes.services, HOST, key), export)


@pytest.mark.parametrize("name", ["41", "CITY", "city", "%CITY%"])
def test_a_field_is_found_by_its_id_or_its_tag(fakes: Fakes, name: str) -> None:
    assert checked(fakes, ("Town", name)) == Fields((FieldMapping("Town", Field(41, "City")),))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ([("Town", "CITI")], "field_not_found"),
        ([("Town", "41"), ("Home", "%CITY%")], "field_mapped_twice"),
    ],
)
def test_fields_that_cannot_be_filled_stop_the_run(fakes: Fakes, fields: list[tuple[str, str]], code: str) -> None:
    with pytest.raises(Stop) as stop:
        checked(fakes, *fields)
    assert stop.value.code == code


def test_a_similar_field_is_named(fakes: Fakes) -> None:
    with pytest.raises(Stop, match="CITY"):
        checked(fakes, ("Town", "CITI"))


@pytest.mark.parametrize(("list_id", "code"), [(7, "list_not_email"), (8, "list_not_found")])
def test_a_list_that_cannot_be_filled_stops_the_run(fakes: Fakes, list_id: int, code: str) -> None:
    fakes.account.put_list(ContactList(7, "Texts", channel="sms"))
    with pytest.raises(Stop) as stop:
        checked(fakes, list_id=list_id)
    assert stop.value.code == code


def test_a_key_that_does_not_work_is_a_wait(fakes: Fakes) -> None:
    with pytest.raises(CredentialsRefused):
        checked(fakes, key="another")
    with pytest.raises(CredentialsRefused):
        check_connection(Session(fakes.services, HOST, "another"))


def test_a_connection_says_whose_account_it_is_where_that_may_be_read(fakes: Fakes) -> None:
    session = Session(fakes.services, HOST, "key-1")
    limits = check_connection(session).limits
    assert limits
    assert limits.name == HOST
    fakes.account.set_key("key-1", admin=False)
    tested = check_connection(session)
    assert (tested.user, tested.lists, tested.limits) == (User(1, "admin"), 3, None)
