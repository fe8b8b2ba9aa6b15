"""Segments are read for one waiting caller at a time, and listed for few; the others are asked to come back at once."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from exporter.activecampaign.wire import Answer as Reply
from exporter.activecampaign.wire import Request
from exporter.source.files import Listing
from tests.api.client import CONNECTION, EXPORT, Answer, Api, with_function_key
from tests.builders import drive, people, write_segment
from tests.fakes import FakeSegmentFiles

PREVIEW = "/exports/newsletter/preview"


@pytest.fixture
def api() -> Api:
    api = with_function_key()
    write_segment(api.fakes, people(3))
    api.put("/connections/main", CONNECTION)
    api.put("/exports/newsletter", EXPORT)
    return api


def while_activecampaign_is_asked(api: Api, do: Callable[[], None]) -> None:
    """Do something once, in the middle of whatever asks ActiveCampaign next."""

    def before(_: Request) -> None:
        api.fakes.activecampaign.before = lambda _: None
        do()

    api.fakes.activecampaign.before = before


def while_segments_are_listed(api: Api, do: Callable[[], None]) -> None:
    """Do something whenever segments are listed, before the list comes."""

    class Listed(FakeSegmentFiles):
        def list(self, prefix: str) -> Listing:
            do()
            return super().list(prefix)

    api.fakes.segments.__class__ = Listed


def is_busy(answer: Answer) -> bool:
    return (answer.status, answer.code, answer.headers.get("Retry-After")) == (429, "reading_busy", "10")


def test_sixteen_more_previews_are_refused_before_they_list_segments_or_ask_activecampaign(api: Api) -> None:
    refused: list[Answer] = []
    listed: list[int] = []
    asked = len(api.fakes.activecampaign.requests)
    while_segments_are_listed(api, lambda: listed.append(len(refused)))
    while_activecampaign_is_asked(api, lambda: refused.extend(api.post(PREVIEW) for _ in range(16)))

    def all_of_it() -> int:
        return len(api.fakes.activecampaign.requests) - asked

    first = api.post(PREVIEW)
    after_one = all_of_it()
    assert first.status == 200, first.json
    assert [is_busy(answer) for answer in refused] == [True] * 16
    assert listed == [16]
    assert api.post(PREVIEW).status == 200
    assert all_of_it() == 2 * after_one


def test_a_lookup_is_refused_while_a_preview_reads(api: Api) -> None:
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id)
    refused: list[Answer] = []
    look_up = f"/runs/{run_id}/lookup"
    while_activecampaign_is_asked(api, lambda: refused.append(api.post(look_up, {"email": "p1@example.com"})))
    assert api.post(PREVIEW).status == 200
    assert [is_busy(answer) for answer in refused] == [True]
    assert api.post(look_up, {"email": "p1@example.com"}).status == 200


def test_a_preview_is_refused_while_a_lookup_reads(api: Api) -> None:
    run_id = api.post("/exports/newsletter/runs").json["runId"]
    drive(api.fakes, run_id)
    refused: list[Answer] = []
    api.fakes.blobs.before = lambda do, _: refused.append(api.post(PREVIEW)) if do == "stream" else None
    assert api.post(f"/runs/{run_id}/lookup", {"email": "p1@example.com"}).status == 200
    assert refused
    assert all(map(is_busy, refused))
    assert api.post(PREVIEW).status == 200


def key_is_refused(_: Api, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("tests.fakes.FakeActiveCampaign.call", lambda *_: Reply(401, {}, b"{}"))


def segment_is_gone(api: Api, patch: pytest.MonkeyPatch) -> None:
    patch.setattr(api.fakes.segments, "files", {})


def storage_is_full_of_surprises(api: Api, patch: pytest.MonkeyPatch) -> None:
    def surprise(_: str) -> Any:
        raise RuntimeError

    patch.setattr(api.fakes.segments, "list", surprise)


def reading_takes_too_long(_: Api, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("exporter.pipeline.batching.HEARTBEAT_ROWS", 1)
    patch.setattr("exporter.queries.reading.DEADLINE_S", -1.0)


@pytest.mark.parametrize(
    ("happens", "status"),
    [(key_is_refused, 422), (segment_is_gone, 404), (storage_is_full_of_surprises, 500), (reading_takes_too_long, 503)],
)
def test_a_preview_that_fails_leaves_its_place_to_the_next(
    api: Api, happens: Callable[[Api, pytest.MonkeyPatch], None], status: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        happens(api, patch)
        assert api.post(PREVIEW).status == status
    assert api.post(PREVIEW).status == 200


def test_segments_are_listed_for_four_at_once_whatever_they_want(api: Api) -> None:
    calls: list[Callable[[], Answer]] = [
        lambda: api.get("/segments"),
        lambda: api.get("/segments/people"),
        lambda: api.put("/exports/newsletter", EXPORT, headers={"If-Match": "*"}),
    ]
    more = iter(2 * calls)
    answers: list[Answer] = []
    while_segments_are_listed(api, lambda: answers.append(next(more)()))
    answers.append(api.get("/segments"))
    *refused, fourth, third, second, first = answers
    assert [answer.status for answer in (first, second, third, fourth)] == [200] * 4
    assert [is_busy(answer) for answer in refused] == [True]


def test_segments_can_be_looked_at_while_a_preview_reads(api: Api) -> None:
    answers: list[Answer] = []
    while_activecampaign_is_asked(api, lambda: answers.append(api.get("/segments/people")))
    assert api.post(PREVIEW).status == 200
    assert [answer.status for answer in answers] == [200]
