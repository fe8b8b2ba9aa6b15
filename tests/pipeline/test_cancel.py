"""A run that somebody asked to stop sends nothing more, and is accounted for."""

from __future__ import annotations

import math

import pytest

from exporter.activecampaign.wire import NotSent, Reply, Request
from exporter.pipeline.cancel import cancel_run
from exporter.records import store
from exporter.records.paths import run_path
from exporter.runs.run import Cancel, Run, RunStatus
from tests.builders import (
    drive,
    make_export,
    people,
    read_run,
    run_export,
    settle,
    start_on_demand,
    write_segment,
)
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


def canceled_with_open_imports(fakes: Fakes, how: str, back_after_s: float = math.inf) -> Run:
    """Let somebody cancel a run when it first asks for an import, and from then on nobody answer it; return its end."""
    write_segment(fakes, people(600))
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id

    def at_the_first_question(request: Request) -> Reply | None:
        if not request.path.endswith("import/info"):
            return None
        run = cancel_run(fakes.services, run_id, "ada")
        assert run
        assert run.cancel
        at = run.cancel.at
        match how:
            case "key":
                fakes.account.set_key("another")
            case "secret":
                fakes.secrets.values.clear()

        def silent(_: Request) -> Reply | None:
            return NotSent("dns") if how != "key" and fakes.clock.now() < at + back_after_s else None

        fakes.activecampaign.before = silent
        return silent(request)

    fakes.activecampaign.before = at_the_first_question
    return drive(fakes, run_id)


@pytest.mark.parametrize("how", ["key", "secret", "outage"])
def test_a_canceled_run_that_cannot_ask_for_its_imports_is_over_soon_and_learns_of_them_later(
    fakes: Fakes, how: str
) -> None:
    secrets = dict(fakes.secrets.values)
    run = canceled_with_open_imports(fakes, how)
    assert run.end
    assert run.cancel
    assert run.status is RunStatus.CANCELED
    assert run.end.at - run.cancel.at < 200
    assert run.end.tally.reasons == {"not_confirmed_in_time": 600}
    fakes.account.set_key("key-1")
    fakes.secrets.values.update(secrets)
    fakes.activecampaign.before = lambda request: None
    run = settle(fakes, run.run_id)
    assert run.tally
    assert (run.tally.confirmed, run.tally.reasons) == (600, {})


def test_a_canceled_run_is_patient_with_a_failure_that_passes(fakes: Fakes) -> None:
    run = canceled_with_open_imports(fakes, "outage", 30)
    assert run.end
    assert run.end.tally.confirmed == 600


def test_one_question_without_an_answer_does_not_end_the_wait_for_imports_that_take_long(fakes: Fakes) -> None:
    fakes.account.end_next_imports("stuck", 3)
    write_segment(fakes, people(600))
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    lost: list[float] = []

    def lose_one(request: Request) -> Reply | None:
        if not request.path.endswith("import/info"):
            return None
        run = cancel_run(fakes.services, run_id, "ada")
        assert run
        assert run.cancel
        if lost or fakes.clock.now() < run.cancel.at + 120:
            return None
        lost.append(fakes.clock.now())
        for import_id in list(fakes.account._state.imports):
            fakes.account.end_import(import_id, "completed")
        return NotSent("dns")

    fakes.activecampaign.before = lose_one
    run = drive(fakes, run_id)
    assert lost
    assert run.end
    assert (run.status, run.end.tally.confirmed) == (RunStatus.CANCELED, 600)
