"""Which of a call's answers tells the time of the storage service."""

from __future__ import annotations

from types import SimpleNamespace

from exporter.adapters.storage_clock import ServiceTime
from tests.unit.adapters.storage_wire import MODIFIED, date


def test_the_first_answer_tells_it_and_no_refusal_does() -> None:
    time = ServiceTime()
    assert time.at is None
    for status, headers in [
        (502, {}),
        (503, {"date": date(MODIFIED - 100)}),
        (206, {"date": date(MODIFIED)}),
        (206, {"date": date(MODIFIED + 5)}),
    ]:
        time(SimpleNamespace(http_response=SimpleNamespace(status_code=status, headers=headers)))
    assert time.at == MODIFIED
