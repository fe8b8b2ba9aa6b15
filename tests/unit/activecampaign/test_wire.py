"""Requests: which there are, of which kind, and what they show of themselves."""

import pytest

from exporter.activecampaign import wire
from exporter.activecampaign.wire import Kind, Request


def test_the_requests_are_those_of_the_reference() -> None:
    assert wire.who_am_i() == Request("GET", "/api/3/users/me")
    assert wire.get_list(12) == Request("GET", "/api/3/lists/12")
    assert wire.get_field(3) == Request("GET", "/api/3/fields/3")
    assert wire.lists(100) == Request("GET", "/api/3/lists", (("limit", "100"), ("offset", "100")))
    assert wire.lists() == wire.lists(0)
    assert wire.fields() == Request("GET", "/api/3/fields", (("limit", "100"), ("offset", "0")))
    assert wire.field_options(7, 100) == Request(
        "GET", "/api/3/fields/7/options", (("limit", "100"), ("offset", "100"))
    )
    assert wire.contacts_of_list(3) == Request(
        "GET", "/api/3/contacts", (("listid", "3"), ("status", "-1"), ("limit", "1"))
    )
    assert wire.exclusions() == Request("GET", "/api/3/lists/exclusions", (("limit", "100"), ("offset", "0")))
    assert wire.account_limits() == Request("GET", "/api/3/settings/account")
    assert wire.import_info("a-1") == Request("GET", "/api/3/import/info", (("batchId", "a-1"),))


@pytest.mark.parametrize(("count", "kind"), [(1, Kind.SINGLE), (2, Kind.BULK), (250, Kind.BULK)])
def test_a_bulk_import_of_one_contact_is_of_its_own_kind(count: int, kind: Kind) -> None:
    assert wire.bulk_import(b"{}", count) == Request("POST", "/api/3/import/bulk_import", (), b"{}", kind)


def test_whatever_is_no_bulk_import_is_of_the_general_kind() -> None:
    assert {request.kind for request in (wire.who_am_i(), wire.get_list(1), wire.import_info("a"))} == {Kind.GENERAL}


def test_what_may_hold_personal_data_is_not_in_any_representation() -> None:
    secret = b'{"email":"jane@example.com"}'
    assert "jane" not in repr(wire.bulk_import(secret, 1))
    assert "jane" not in repr(wire.Answer(200, {}, secret))
