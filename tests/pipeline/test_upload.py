"""What ActiveCampaign answers, and what becomes of the contacts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from exporter import store
from exporter.activecampaign.wire import Answer, AnswerLost, NotSent, Reply, Request
from exporter.pipeline.start import start_on_demand
from exporter.pipeline.upload import FIRST_WAIT_S
from exporter.runs import Cancel, Run, RunStatus, run_path
from tests.builders import deliver, drive, make_export, people, read_run, rejects_of, run_export, write_segment
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(600))
    return fakes


def bulk(fakes: Fakes) -> list[Request]:
    return [r for r in fakes.activecampaign.requests if r.path.endswith("bulk_import")]


def replies(fakes: Fakes, *scripted: Reply | None) -> None:
    """Let the first bulk imports meet these replies; None is the account's own."""
    left: Iterator[Reply | None] = iter(scripted)
    fakes.activecampaign.before = lambda request: next(left, None) if request.path.endswith("bulk_import") else None


def test_contacts_that_the_request_check_refuses_cost_only_themselves(fakes: Fakes) -> None:
    """Addresses that pass here and fail there: the stand-in is told to find two of them bad."""
    fakes.account.set_switches(index_base=1)
    write_segment(fakes, [*people(100), ("x", "", "", "ok@example.museum", ""), *people(100, 100)])
    run = run_export(fakes, make_export(fakes))
    assert run.end
    assert run.end.account.confirmed == 201


def test_a_lost_answer_is_sent_again_and_counted(fakes: Fakes) -> None:
    replies(fakes, AnswerLost("read_timeout"))
    run = run_export(fakes, make_export(fakes))
    assert run.status is RunStatus.SUCCESSFUL
    assert run.end
    assert run.end.resends == 1


def test_a_request_that_never_left_is_repeated_and_not_counted(fakes: Fakes) -> None:
    replies(fakes, NotSent("connect"), NotSent("connect"))
    run = run_export(fakes, make_export(fakes))
    assert run.status is RunStatus.SUCCESSFUL
    assert run.end
    assert run.end.resends == 0


def test_a_night_without_activecampaign_is_waited_for(fakes: Fakes) -> None:
    began = fakes.clock.now()
    fakes.activecampaign.before = lambda request: NotSent("dns") if fakes.clock.now() - began < 8 * 3_600 else None
    export = make_export(fakes)
    run = drive(fakes, start_on_demand(fakes.services, export, "ada").run.run_id, limit_s=10 * 3_600)
    assert run.status is RunStatus.SUCCESSFUL
    assert fakes.clock.now() - began < 8 * 3_600 + 300


def test_a_lane_that_waited_is_woken_at_its_time_and_not_at_the_next_sweep(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)  # planned
    fakes.activecampaign.before = lambda request: NotSent("dns")
    deliver(fakes)
    fakes.activecampaign.before = lambda request: None
    fakes.clock.sleep(FIRST_WAIT_S + 1)
    deliver(fakes)
    assert read_run(fakes, run_id).status is RunStatus.SUCCESSFUL


def test_a_key_that_is_refused_in_mid_run_is_read_again_until_it_works(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)  # planned
    fakes.account.set_key("key-2")
    run = drive(fakes, run_id, limit_s=600)
    assert not run.end
    fakes.secrets.set("connection-main", "key-2")
    changed_at = fakes.clock.now()
    assert drive(fakes, run_id).status is RunStatus.SUCCESSFUL
    assert fakes.clock.now() - changed_at < 120 + 30


def test_a_wrong_key_is_noticed_before_anything_is_sent(fakes: Fakes) -> None:
    fakes.account.set_key("another")
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)
    run = read_run(fakes, run_id)
    assert run.status is RunStatus.WAITING
    assert run.waiting
    assert run.waiting.code == "credentials_refused"
    assert bulk(fakes) == []


def test_a_list_that_does_not_exist_fails_the_run_before_anything_is_sent(fakes: Fakes) -> None:
    run = run_export(fakes, make_export(fakes, list_id=99))
    assert run.end
    assert run.end.problem
    assert (run.status, run.end.problem.code) == (RunStatus.FAILED, "list_not_found")
    assert bulk(fakes) == []


def test_an_import_that_activecampaign_fails_is_sent_again_at_most_twice(fakes: Fakes) -> None:
    fakes.account.end_next_imports("failed", 2)
    assert run_export(fakes, make_export(fakes)).status is RunStatus.SUCCESSFUL
    fakes.account.end_next_imports("interrupted", 100)
    run = run_export(fakes, make_export(fakes))
    assert run.end
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert run.end.account.reasons == {"import_failed": 600}
    assert len(rejects_of(fakes, run.run_id)) == 600


def test_an_import_that_stays_stuck_is_reported_as_unconfirmed(fakes: Fakes) -> None:
    fakes.account.end_next_imports("stuck", 1)
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    run = drive(fakes, run_id, limit_s=4 * 3_600)
    assert run.end
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert run.end.account.adds_up
    assert run.end.account.unconfirmed == run.end.account.reasons["not_confirmed_in_time"] > 0


def test_a_refusal_for_the_rate_makes_the_account_slower_and_loses_nobody(fakes: Fakes) -> None:
    fakes.account.set_switches(other_share=0.5)
    run = run_export(fakes, make_export(fakes))
    assert run.status is RunStatus.SUCCESSFUL
    assert run.end
    assert run.end.resends == 0


def test_a_refusal_that_nobody_understands_is_repeated_a_few_times_and_then_stops_the_run(fakes: Fakes) -> None:
    odd = Answer(418, {}, b"{}")
    replies(fakes, odd, odd)
    assert run_export(fakes, make_export(fakes)).status is RunStatus.SUCCESSFUL
    replies(fakes, *[odd] * 100)
    run = run_export(fakes, make_export(fakes))
    assert run.end
    assert run.end.problem
    assert (run.status, run.end.problem.code) == (RunStatus.FAILED, "request_refused")
    assert run.end.account.reasons == {"not_sent": 600}


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
    assert run.end.account.adds_up
    assert run.end.account.confirmed == fakes.account.state()["contacts"] > 0
    assert run.end.account.reasons["not_sent"] == run.end.account.unconfirmed > 0


def test_nobody_is_subscribed_again_and_only_known_calls_are_made(fakes: Fakes) -> None:
    fakes.account.unsubscribe("p5@example.com")
    run_export(fakes, make_export(fakes))
    paths = {(r.method, r.path.removeprefix("/api/3/")) for r in fakes.activecampaign.requests}
    assert paths <= {
        ("GET", "users/me"),
        ("GET", "lists/1"),
        ("GET", "settings/account"),
        ("GET", "lists/exclusions"),
        ("POST", "import/bulk_import"),
        ("GET", "import/info"),
    }
    contact = fakes.account.contact("p5@example.com")
    assert contact
    assert contact["lists"] != {1: 1}


def test_a_secret_that_was_deleted_is_waited_for(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)  # planned
    del fakes.secrets.values["connection-main"]
    assert not drive(fakes, run_id, limit_s=600).end
    fakes.secrets.set("connection-main", "key-1")
    assert drive(fakes, run_id).status is RunStatus.SUCCESSFUL
