"""What the schedule saw of an export's segments is kept whole, and is nobody else's."""

from __future__ import annotations

from exporter.errors import NotReady
from exporter.records.paths import watch_path
from exporter.records.watches import Watch, read_watch
from exporter.runs.run import Problem
from exporter.sentences import Situation
from tests.fakes import START, make_fakes

PROBLEM = Problem.of(
    NotReady.of("refresh_in_flight", case="job", folder="people/", file="_started_1"), Situation.WAITING
)


def test_a_look_is_read_as_it_was_written() -> None:
    fakes = make_fakes()
    complete = Watch(reading="r", marks={"ci/model.json": "e"}, files_found=3, fingerprint="f", since=START)
    for watch in (complete, Watch(reading="r", problem=PROBLEM, since=START, told=True)):
        fakes.blobs.put(watch_path("newsletter"), watch.to_json())
        assert read_watch(fakes.services, "newsletter") == watch


def test_a_damaged_look_is_none_and_does_not_stand_in_the_way() -> None:
    fakes = make_fakes()
    fakes.blobs.put(watch_path("newsletter"), b"{")
    assert read_watch(fakes.services, "newsletter") is None


def test_an_export_that_nobody_looked_at_has_none() -> None:
    assert read_watch(make_fakes().services, "newsletter") is None
