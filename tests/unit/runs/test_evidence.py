"""When a look after the end contradicts a run, and when people may simply have left since."""

from __future__ import annotations

import pytest

from exporter.runs.evidence import contradictions
from exporter.tally.findings import Sample

HOST = "acme.api-us1.com"


def codes(confirmed: int = 5_000, sample: Sample | None = None, list_active: int | None = None) -> list[str]:
    return [each.code for each in contradictions(confirmed, sample, list_active, list_id=7, host=HOST)]


def found(asked: int = 20, **standings: int) -> Sample:
    return Sample(confirmed=5_000, asked=asked, **standings)


@pytest.mark.parametrize(
    ("sample", "code"),
    [
        (found(on_the_list=20), None),
        (found(on_the_list=19, not_there=1), "confirmed_not_on_list"),
        (found(on_the_list=19, not_on_the_list=1), "confirmed_not_on_list"),
        (found(on_the_list=18, unsubscribed=1, bounced=1), None),
        (found(on_the_list=17, unsubscribed=1, bounced=1, unconfirmed=1), "confirmed_get_no_mail"),
        (found(asked=2, on_the_list=1, unsubscribed=1), None),
        (found(asked=1, unsubscribed=1), "confirmed_get_no_mail"),
        (found(asked=2, unsubscribed=1, bounced=1), "confirmed_get_no_mail"),
        (found(unknown=20), None),
        (found(on_the_list=20, values_differ=20), None),
    ],
)
def test_what_a_sample_says(sample: Sample, code: str | None) -> None:
    assert codes(sample=sample) == ([code] if code else [])


@pytest.mark.parametrize(
    ("confirmed", "active", "against"),
    [
        (5_000, 5_000, False),
        (5_000, 9_000, False),
        (5_000, 4_950, False),
        (5_000, 4_949, True),
        (5_000, 1_200, True),
        (20, 18, False),
        (20, 17, True),
        (2, 0, True),
        (2, 1, False),
        (0, 0, False),
        (5_000, None, False),
    ],
)
def test_what_the_size_of_the_list_says(confirmed: int, active: int | None, *, against: bool) -> None:
    assert codes(confirmed, list_active=active) == ["list_smaller_than_confirmed"] * against


def test_the_warnings_say_the_numbers_and_what_to_do() -> None:
    sample = found(on_the_list=8, not_there=9, not_on_the_list=3)
    first, second = contradictions(5_000, sample, 1_200, list_id=7, host=HOST)
    assert first.message.startswith(
        "Of 20 of the 5000 confirmed people who were looked up after the end, 12 are not on list 7 of the account"
        f" {HOST}; 9 of them are no contacts at all."
    )
    assert second.message.startswith("Expected 5000 or more active contacts on list 7")
    assert all("only" in each.message for each in (first, second))
