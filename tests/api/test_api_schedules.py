"""GET /schedule-times: when a schedule of times comes next."""

from __future__ import annotations

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest

from tests.api.client import CONNECTION, EXPORT, Api, with_function_key
from tests.fakes import FakeClock


def at(api: Api, now: str, **query: str) -> list[str]:
    """Return the next times after `now`, in the zone of the query and without it."""
    assert isinstance(api.fakes.clock, FakeClock)
    api.fakes.clock.time = datetime.fromisoformat(now).timestamp()
    answer = api.get("/schedule-times", query=query)
    assert answer.status == 200, answer.json
    zone = ZoneInfo(query.get("timeZone", "UTC"))
    return [f"{datetime.fromisoformat(each).astimezone(zone):%Y-%m-%d %H:%M %Z}" for each in answer.json["value"]]


def test_the_next_three_times_are_in_the_zone_of_the_schedule() -> None:
    found = at(with_function_key(), "2026-11-27T23:00+00:00", cron="0 6 * * 1-5", timeZone="Asia/Jakarta")
    assert found == ["2026-11-30 06:00 WIB", "2026-12-01 06:00 WIB", "2026-12-02 06:00 WIB"]


@pytest.mark.parametrize(
    ("zone", "now", "cron", "expected"),
    [
        ("Europe/Amsterdam", "2027-03-27T12:00Z", "30 2 * * *", ["03-28 03:00", "03-29 02:30", "03-30 02:30"]),
        ("Europe/Amsterdam", "2026-10-24T12:00Z", "30 2 * * *", ["10-25 02:30", "10-26 02:30", "10-27 02:30"]),
        ("America/New_York", "2027-03-13T12:00Z", "30 2 * * *", ["03-14 03:00", "03-15 02:30", "03-16 02:30"]),
        ("America/New_York", "2026-10-31T12:00Z", "30 1 * * *", ["11-01 01:30", "11-02 01:30", "11-03 01:30"]),
        ("Australia/Lord_Howe", "2026-10-03T01:00Z", "15 2 * * *", ["10-04 02:30", "10-05 02:15", "10-06 02:15"]),
        ("Australia/Lord_Howe", "2027-04-03T01:00Z", "45 1 * * *", ["04-04 01:45", "04-05 01:45", "04-06 01:45"]),
    ],
)
def test_a_time_that_is_skipped_comes_right_after_and_one_that_comes_twice_counts_once(
    zone: str, now: str, cron: str, expected: list[str]
) -> None:
    found = at(with_function_key(), now, cron=cron, timeZone=zone)
    assert [each[5:16] for each in found] == expected


def test_the_first_of_them_is_the_one_that_a_saved_export_names() -> None:
    api = with_function_key()
    times = {"cron": "15 6 * * 1", "timeZone": "Europe/Amsterdam"}
    api.put("/connections/main", CONNECTION)
    saved = api.put(
        "/exports/newsletter", EXPORT | {"schedule": {"kind": "cron", **times}}, query={"validate": "false"}
    ).json
    assert saved["nextRunUtc"] == api.get("/schedule-times", query=times).json["value"][0]
    assert datetime.fromisoformat(saved["nextRunUtc"]).tzinfo == UTC


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ({"cron": "0 0 6 * * 1"}, "cron: must have five fields"),
        ({"cron": "0 26 * * *"}, "cron: must name times that occur"),
        ({"cron": "0 0 30 2 *"}, "cron: must name times that occur"),
        ({"cron": "0 6 * * *", "timeZone": "Mars/Olympus"}, "timeZone: expected the name of a time zone"),
        ({}, "cron: is required"),
    ],
)
def test_what_is_wrong_is_said_of_the_member(query: dict[str, str], said: str) -> None:
    refused = with_function_key().get("/schedule-times", query=query)
    assert (refused.status, refused.code) == (422, "invalid_query")
    assert refused.json["members"][0].startswith(said)


@pytest.mark.parametrize(
    ("wrong", "member"),
    [({"cron": "0 26 * * *"}, "schedule.cron: "), ({"cron": "0 6 * * *", "timeZone": "x"}, "schedule.timeZone: ")],
)
def test_a_wrong_schedule_of_an_export_is_named_by_its_member(wrong: dict[str, str], member: str) -> None:
    refused = with_function_key().put("/exports/newsletter", EXPORT | {"schedule": {"kind": "cron", **wrong}})
    assert (refused.status, refused.code) == (422, "invalid_body")
    assert refused.json["members"][0].startswith(member)
