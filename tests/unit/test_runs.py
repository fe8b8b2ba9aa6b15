"""A run goes from one status to the next by the table only."""

from __future__ import annotations

import itertools
from typing import Any

import pytest

from exporter.errors import Culprit
from exporter.exports import DataMatching, ExportDefinition
from exporter.runs import STEPS, TERMINAL, Account, Claim, End, Plan, Run, RunStatus, Trigger, Waiting
from tests.fakes import START

WAITING = Waiting(code="throttled", message="", culprit=Culprit.EXTERNAL, since=START, until=START)
PLAN = Plan(rows_read=1, contacts=1, duplicates=0, rejected={}, batches=1, lanes=1, at=START)
NOTHING = dict.fromkeys(("claim", "plan", "waiting", "end"))
FACTS: dict[RunStatus, dict[str, Any]] = {
    RunStatus.QUEUED: NOTHING,
    RunStatus.PLANNING: NOTHING | {"claim": Claim(by="a", at=START)},
    RunStatus.WAITING: NOTHING | {"waiting": WAITING},
    RunStatus.RUNNING: NOTHING | {"plan": PLAN},
    **{status: {"end": End(status=status, at=START, account=Account())} for status in TERMINAL},
}
QUEUED = Run(
    run_id="newsletter.20261118T110640Z." + "0" * 32,
    export_id="newsletter",
    trigger=Trigger.ON_DEMAND,
    requested_by="ada",
    requested_utc=START,
    export=ExportDefinition(
        display_name="Newsletter", list_id=1, segments=("people",), data_matching=DataMatching(email="EMail")
    ),
    host="acme.api-us1.com",
    secret_name="connection-main",
)


@pytest.mark.parametrize(("before", "after"), list(itertools.product(RunStatus, RunStatus)))
def test_a_run_takes_the_steps_of_the_table_and_no_others(before: RunStatus, after: RunStatus) -> None:
    run = QUEUED.model_copy(update=FACTS[before])
    assert run.status is before
    if after in STEPS[before]:
        assert run.then(**FACTS[after]).status is after
    else:
        with pytest.raises(ValueError, match=f"{before} cannot become {after}"):
            run.then(**FACTS[after])


def test_every_run_can_come_to_an_end_and_none_goes_on_after_it() -> None:
    assert set(STEPS) == set(RunStatus)
    reached = set(TERMINAL)
    for _ in RunStatus:
        reached |= {status for status, following in STEPS.items() if following & reached}
    assert reached == set(RunStatus)
    assert {status for status in RunStatus if STEPS[status] == {status}} == TERMINAL
