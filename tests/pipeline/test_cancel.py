"""A run that somebody asked to stop sends nothing more, and is accounted for."""

from __future__ import annotations

import pytest

from exporter.activecampaign.wire import Request
from exporter.pipeline.cancel import cancel_run
from exporter.records import store
from exporter.records.paths import run_path
from exporter.runs.run import Cancel, Run, RunStatus
from tests.builders import drive, make_export, people, read_run, run_export, start_on_demand, write_segment
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


def test_cancel_sends_nothing_more_and_counts_what_was_sent(fakes: Fakes) -> None:
    write_segment(fakes, people(250 * 30))
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    cancel_at = fakes.clock.now() + 10

    def cancel_in_time(request: Request) -> None:
        if fakes.clock.now() >= cancel_at and not read_run(fakes, run_id).cancel:
            store.change(
                fakes.blobs,
                Run,
                run_path(run_id),
                lambda r: r.model_copy(update={"cancel": Cancel(by="ada", at=fakes.clock.now())}),
            )

    fakes.activecampaign.before = cancel_in_time
    run = drive(fakes, run_id)
    assert run.status is RunStatus.CANCELED
    assert run.cancel
    assert run.end
    last = max(r.at for r in fakes.account.requests() if r.path.endswith("bulk_import"))
    assert last <= run.cancel.at + 60
    assert run.end.tally.adds_up
    assert run.end.tally.confirmed == fakes.account.state()["contacts"] > 0
    assert run.end.tally.reasons["not_sent"] == run.end.tally.unconfirmed > 0


def test_whoever_cancels_first_is_remembered(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    for name in ("bob", "carol"):
        run = cancel_run(fakes.services, run_id, name)
        assert run
        assert run.cancel
        assert run.cancel.by == "bob"


def test_a_run_that_is_over_stays_as_it_is(fakes: Fakes) -> None:
    write_segment(fakes, people(30))
    over = run_export(fakes, make_export(fakes))
    assert cancel_run(fakes.services, over.run_id, "bob") == over


def test_a_run_that_is_not_there_cannot_be_canceled(fakes: Fakes) -> None:
    assert cancel_run(fakes.services, "newsletter.20261118T110640Z." + "0" * 32, "bob") is None
