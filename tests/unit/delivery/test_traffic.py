"""What went to ActiveCampaign, and when: counted over all lanes, and over what was sent again."""

from __future__ import annotations

from exporter.delivery.ledger import Lane
from exporter.delivery.traffic import Traffic, traffic_of
from tests.fakes import START
from tests.ledgers import accept, import_event, lane_event, lane_of, portion_event


def test_nothing_went_where_there_are_no_lanes() -> None:
    assert traffic_of([]) == traffic_of([Lane()]) == Traffic() == Traffic(requests=0, waits=0)


def test_requests_waits_and_times_are_those_of_all_lanes() -> None:
    early, late = lane_of((0, 4)), lane_of((1, 4), (2, 4))
    accept(early, START + 1, "i0")
    accept(late, START + 3, "i1", batch=1)
    late.apply(import_event(START + 9, "confirmed", late.imports["i1"], failed={}))
    early.apply(import_event(START + 5, "confirmed", early.imports["i0"], failed={}))
    wait = {"code": "throttled", "message": "", "culprit": "external", "until": "2026-11-18T11:06:40.000Z"}
    late.apply(lane_event(START + 10, "waiting", **wait))
    for _ in range(2):  # the second is sent again, since nobody knows what became of the first
        late.apply(portion_event(START + 20, "sending", late.portions[2, 0]))
    late.apply(portion_event(START + 21, "accepted", late.portions[2, 0], importId="i2", queued=4))
    late.apply(lane_event(START + 30, "waiting", **wait))

    assert late.waits == 1, "waits in a row"
    assert traffic_of([late, early]) == Traffic(
        requests=4, waits=2, first_sent=START + 1, last_sent=START + 20, last_confirmed=START + 9
    )
