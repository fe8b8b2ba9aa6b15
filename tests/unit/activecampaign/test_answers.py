"""Any answer can be read, and says how long to wait."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exporter.activecampaign.account import (
    read_account,
    read_contact_count,
    read_exclusions_page,
    read_field_options_page,
    read_fields_page,
    read_list,
    read_lists_page,
    read_user,
)
from exporter.activecampaign.answers import retry_after
from exporter.activecampaign.imports import import_outcome
from exporter.activecampaign.wire import Reply
from tests.unit.activecampaign.answers import replies


@given(replies)
def test_every_reply_can_be_read_whatever_was_asked(reply: Reply) -> None:
    import_outcome(reply)
    read_user(reply)
    read_list(reply)
    read_account(reply)
    read_lists_page(reply, 0)
    read_fields_page(reply, 0)
    read_field_options_page(reply, 0, 1)
    read_contact_count(reply)
    read_exclusions_page(reply, 0)


DATE = "Mon, 23 Nov 2026 16:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "wait_s"),
    [
        ({"retry-after": "30"}, 30),
        ({"retry-after": " 30 "}, 30),
        ({"retry-after": "1.5"}, 1.5),
        ({}, 60),
        ({"retry-after": ""}, 60),
        ({"retry-after": "soon"}, 60),
        ({"retry-after": "nan"}, 60),
        ({"retry-after": "inf"}, 60),
        ({"retry-after": "٣"}, 60),
        ({"retry-after": "0"}, 1),
        ({"retry-after": "-5"}, 1),
        ({"retry-after": "86400"}, 900),
        ({"retry-after": "9" * 30}, 900),
        ({"retry-after": "Mon, 23 Nov 2026 16:02:00 GMT", "date": DATE}, 120),
        ({"retry-after": "Mon, 23 Nov 2026 15:00:00 GMT", "date": DATE}, 1),
        ({"retry-after": "Tue, 24 Nov 2026 16:00:00 GMT", "date": DATE}, 900),
        ({"retry-after": "Mon, 23 Nov 2026 16:02:00 GMT"}, 60),
        ({"retry-after": "Mon, 99 Nov 2026 16:02:00 GMT", "date": DATE}, 60),
    ],
)
def test_how_long_to_wait(headers: dict[str, str], wait_s: float) -> None:
    assert retry_after(headers) == wait_s


@given(st.text(), st.text())
def test_a_wait_is_always_between_a_second_and_fifteen_minutes(text: str, date: str) -> None:
    assert 1 <= retry_after({"retry-after": text, "date": date}) <= 900
