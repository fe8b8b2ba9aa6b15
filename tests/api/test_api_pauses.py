"""Two who end a pause at once: what lay there in it counts as seen, and what comes after it does not."""

from __future__ import annotations

import pytest

from exporter.pipeline import schedule
from exporter.pipeline.schedule import run_schedule
from tests.api.client import CONNECTION, EXPORT, Api, with_function_key
from tests.builders import people, write_segment

EVERY_REFRESH = EXPORT | {"schedule": {"kind": "withEveryRefresh"}}


@pytest.fixture
def api() -> Api:
    api = with_function_key()
    write_segment(api.fakes, people(30))
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EVERY_REFRESH)
    return api


@pytest.mark.parametrize("path", ["/exports/newsletter", "/connections/main"])
def test_a_refresh_after_a_pause_stays_owed_though_somebody_else_is_still_ending_it(
    api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post(f"{path}/pause")
    original, others = schedule.seen_now, [f"{path}/unpause"]

    def seen_now(*arguments: object) -> object:
        if others:
            api.post(others.pop())
            write_segment(api.fakes, people(4))
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(schedule, "seen_now", seen_now)
    api.post(f"{path}/unpause")
    assert [run.export_id for run in run_schedule(api.fakes.services)] == ["newsletter"]


@pytest.mark.parametrize("path", ["/exports/newsletter", "/connections/main"])
def test_what_was_saved_while_somebody_ends_a_pause_says_what_is_seen(
    api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post(f"{path}/pause")
    original, others = schedule.seen_now, [EVERY_REFRESH | {"ignore": ["nothing*"]}]

    def seen_now(*arguments: object) -> object:
        old = original(*arguments)  # type: ignore[arg-type]
        if others:
            write_segment(api.fakes, people(4))
            assert api.put("/exports/newsletter", others.pop(), headers={"If-Match": "*"}).status == 200
        return old

    monkeypatch.setattr(schedule, "seen_now", seen_now)
    api.post(f"{path}/unpause")
    assert run_schedule(api.fakes.services) == []


@pytest.mark.parametrize("path", ["/exports/newsletter", "/connections/main"])
def test_a_pause_that_begins_while_somebody_ends_the_one_before_goes_on(
    api: Api, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    api.post(f"{path}/pause")
    original, others = schedule.seen_now, ["unpause"]

    def seen_now(*arguments: object) -> object:
        if others:
            api.fakes.clock.sleep(1)
            api.post(f"{path}/{others.pop()}")
            api.post(f"{path}/pause")
        return original(*arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(schedule, "seen_now", seen_now)
    assert api.post(f"{path}/unpause").json["paused"]
    write_segment(api.fakes, people(4))
    assert run_schedule(api.fakes.services) == []


def test_the_end_of_a_pause_of_a_connection_lists_what_lies_there_once_for_all_of_its_exports(api: Api) -> None:
    api.post("/connections/main/pause")
    for number in range(5):
        api.put(f"/exports/e{number}", EVERY_REFRESH)
    api.fakes.segments.looks.clear()
    assert len(api.post("/connections/main/unpause").json["warnings"]) == 6
    assert [operation for operation, _ in api.fakes.segments.looks].count("list") == 1
