"""What ActiveCampaign answers, and what becomes of the contacts."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import orjson
import pytest

from exporter.activecampaign import pacing
from exporter.activecampaign.wire import Answer, AnswerLost, NotSent, Reply, Request
from exporter.delivery.waits import FIRST_WAIT_S
from exporter.queues import UPLOAD_QUEUE
from exporter.runs.run import RunStatus
from sandbox.activecampaign.contacts import UNSUBSCRIBED, first_fault
from tests.builders import (
    deliver,
    drive,
    make_export,
    people,
    read_run,
    rejects_of,
    run_export,
    start_on_demand,
    write_segment,
)
from tests.fakes import Fakes, make_fakes

ODD = Answer(418, {}, b"{}")
"""No release knows what it means."""


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(600))
    return fakes


def bulk(fakes: Fakes) -> list[Request]:
    """Return the bulk imports that the account has got."""
    return [r for r in fakes.activecampaign.requests if r.path.endswith("bulk_import")]


def replies(fakes: Fakes, *scripted: Reply | None) -> Callable[[], int]:
    """Let the first bulk imports meet these replies, None being the account's own; return how many came, as a call."""
    left: Iterator[Reply | None] = iter(scripted)
    came: list[Request] = []

    def before(request: Request) -> Reply | None:
        if not request.path.endswith("bulk_import"):
            return None
        came.append(request)
        return next(left, None)

    fakes.activecampaign.before = before
    return lambda: len(came)


@pytest.mark.parametrize("index_base", [0, 1])
def test_contacts_that_the_request_check_refuses_cost_only_themselves(
    fakes: Fakes, index_base: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = {"p5@example.com", "p150@example.com"}

    def find_fault(contact: object) -> tuple[str, str] | None:
        found_bad = isinstance(contact, dict) and contact.get("email") in refused
        return ("email", "incorrect format") if found_bad else first_fault(contact)

    monkeypatch.setattr("sandbox.activecampaign.endpoints.first_fault", find_fault)
    fakes.account.set_switches(index_base=index_base)
    write_segment(fakes, people(201))
    run = run_export(fakes, make_export(fakes))
    assert run.end
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert (run.end.tally.confirmed, run.end.tally.rejected_by_active_campaign) == (199, 2)
    assert {row["email"]: row["reason"] for row in rejects_of(fakes, run.run_id)} == dict.fromkeys(
        refused, "refused_by_activecampaign"
    )
    assert {contact["email"] for contact in fakes.account.contacts()} == {
        f"p{n}@example.com" for n in range(201)
    } - refused


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
    assert drive(fakes, run_id).status is RunStatus.SUCCESSFUL


def test_a_new_key_is_at_work_within_two_minutes_even_when_no_message_says_so(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)  # planned
    fakes.account.set_key("key-2")
    deliver(fakes)  # refused just now, so that the whole wait is still to come
    fakes.secrets.set("connection-main", "key-2")
    changed_at = fakes.clock.now()
    fakes.messages.queues[UPLOAD_QUEUE].clear()
    assert drive(fakes, run_id).status is RunStatus.SUCCESSFUL
    accepted = (r.at for r in fakes.account.requests() if r.path.endswith("bulk_import") and r.status == 200)
    assert next(accepted) - changed_at <= 120


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


def test_an_import_that_activecampaign_fails_is_sent_again(fakes: Fakes) -> None:
    fakes.account.end_next_imports("failed", 2)
    assert run_export(fakes, make_export(fakes)).status is RunStatus.SUCCESSFUL
    assert len(bulk(fakes)) == 3 + 2


def test_an_import_that_activecampaign_fails_each_time_is_sent_again_three_times_and_no_more(fakes: Fakes) -> None:
    fakes.account.end_next_imports("interrupted", 100)
    run = run_export(fakes, make_export(fakes))
    assert run.end
    assert run.status is RunStatus.FAILED
    assert run.end.problem
    assert (run.end.problem.code, run.end.problem.params) == (
        "nobody_arrived",
        {"contacts": 600, "reason": "import_failed", "count": 600},
    )
    assert run.end.tally.reasons == {"import_failed": 600}
    assert len(rejects_of(fakes, run.run_id)) == 600
    assert len(bulk(fakes)) == 3 * (1 + 3)


def test_an_import_that_stays_stuck_is_reported_as_unconfirmed(fakes: Fakes) -> None:
    fakes.account.end_next_imports("stuck", 1)
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    run = drive(fakes, run_id, limit_s=4 * 3_600)
    assert run.end
    assert run.status is RunStatus.COMPLETED_WITH_WARNINGS
    assert run.end.tally.adds_up
    assert run.end.tally.unconfirmed == run.end.tally.reasons["not_confirmed_in_time"] > 0


def test_a_refusal_for_the_rate_makes_the_account_slower_and_loses_nobody(fakes: Fakes) -> None:
    fakes.account.set_switches(other_share=0.5, retry_after_s=30)
    run = run_export(fakes, make_export(fakes))
    assert run.status is RunStatus.SUCCESSFUL
    assert run.end
    assert run.end.resends == 0
    requests = fakes.account.requests()
    refused = next(n for n, request in enumerate(requests) if request.status == 429)
    assert requests[refused + 1].at >= requests[refused].at + 30
    (path,) = (path for path in fakes.blobs.stored if path.endswith("budget.json"))
    assert orjson.loads(fakes.blobs.stored[path].data)["spread"] > pacing.SPREAD


def test_a_refusal_that_nobody_understands_may_come_three_times(fakes: Fakes) -> None:
    came = replies(fakes, *[ODD] * 3)
    assert run_export(fakes, make_export(fakes)).status is RunStatus.SUCCESSFUL
    assert came() == 3 + 3


def test_the_fourth_refusal_in_a_row_that_nobody_understands_stops_the_run(fakes: Fakes) -> None:
    came = replies(fakes, *[ODD] * 4)
    run = run_export(fakes, make_export(fakes))
    assert run.end
    assert run.end.problem
    assert (run.status, run.end.problem.code) == (RunStatus.FAILED, "request_refused")
    assert run.end.tally.reasons == {"not_sent": 600}
    assert came() == 4


NOT_FOUND = Answer(404, {}, b'{"message": "Not Found"}')
FORBIDDEN = Answer(403, {}, b'{"message": "Forbidden"}')
TOO_LARGE = Answer(413, {}, b"<html>Request Entity Too Large</html>")
TOO_LARGE_400 = Answer(400, {}, b'{"success": 0, "failureReasons": ["The payload must be less than 400K bytes."]}')
PAYMENT = Answer(402, {}, b"{}")
PAGE = Answer(200, {}, b"<!doctype html><title>Maintenance</title>")


@pytest.mark.parametrize(
    ("reply", "code"), [(NOT_FOUND, "request_refused"), (FORBIDDEN, "permission_refused")], ids=["404", "403"]
)
@pytest.mark.parametrize(("times", "stops"), [(3, False), (4, True)])
def test_an_import_that_is_not_found_or_forbidden_may_be_so_three_times(
    fakes: Fakes, reply: Reply, code: str, times: int, *, stops: bool
) -> None:
    came = replies(fakes, *[reply] * times)
    run = run_export(fakes, make_export(fakes))
    assert run.end
    assert (run.end.problem.code if run.end.problem else None) == (code if stops else None)
    assert came() == (4 if stops else 3 + 3)


@pytest.mark.parametrize(("times", "stops"), [(1, False), (2, True)])
def test_a_payment_problem_that_is_said_twice_ends_the_run_by_its_name(
    fakes: Fakes, times: int, *, stops: bool
) -> None:
    began = fakes.clock.now()
    replies(fakes, *[PAYMENT] * times)
    run = run_export(fakes, make_export(fakes))
    assert run.end
    assert (run.end.problem.code if run.end.problem else None) == ("payment_due" if stops else None)
    assert fakes.clock.now() - began < 90


@pytest.mark.parametrize("reply", [TOO_LARGE, TOO_LARGE_400], ids=["413", "400"])
def test_a_request_that_is_too_large_is_halved_until_it_is_taken(fakes: Fakes, reply: Reply) -> None:
    def before(request: Request) -> Reply | None:
        return reply if request.path.endswith("bulk_import") and len(sent_by(request)) > 70 else None

    fakes.activecampaign.before = before
    run = run_export(fakes, make_export(fakes))
    assert run.status is RunStatus.SUCCESSFUL
    assert run.end
    assert run.end.resends == 0
    assert len(fakes.account.contacts()) == 600
    sizes = [len(sent_by(request)) for request in bulk(fakes) if len(sent_by(request)) <= 70]
    assert sum(sizes) == 600
    assert min(sizes) >= 25


def test_one_contact_that_is_too_large_is_given_patience_and_stops_the_run(fakes: Fakes) -> None:
    write_segment(fakes, people(1))
    came = replies(fakes, *[TOO_LARGE] * 10)
    run = run_export(fakes, make_export(fakes))
    assert run.end
    assert run.end.problem
    assert run.end.problem.code == "request_refused"
    assert came() == 4


def sent_by(request: Request) -> list[object]:
    contacts: list[object] = orjson.loads(request.body or b"")["contacts"]
    return contacts


def test_a_page_in_mid_run_does_not_blame_a_key_that_works(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)  # planned
    replies(fakes, PAGE)
    deliver(fakes)
    waiting = orjson.loads(fakes.blobs.stored[f"records/runs/{run_id}/lanes/0.jsonl"].data.splitlines()[-1])
    assert (waiting["event"], waiting["code"]) == ("waiting", "activecampaign_unavailable")
    run = drive(fakes, run_id)
    assert run.status is RunStatus.SUCCESSFUL
    assert run.end
    assert run.end.resends == 1  # what a page says of the import is not known


def test_what_a_failed_import_left_over_is_sent_after_one_five_and_thirty_minutes(fakes: Fakes) -> None:
    write_segment(fakes, people(200))
    fakes.account.end_next_imports("failed", 3)
    assert run_export(fakes, make_export(fakes)).status is RunStatus.SUCCESSFUL
    sent = [r.at for r in fakes.account.requests() if r.path.endswith("bulk_import")]
    gaps = [after - before for before, after in itertools.pairwise(sent)]
    assert [round(gap / 60) for gap in gaps] == [1, 5, 30]


def test_nobody_is_subscribed_again_and_only_known_calls_are_made(fakes: Fakes) -> None:
    fakes.account.unsubscribe("p5@example.com")
    run_export(fakes, make_export(fakes))
    paths = {(r.method, r.path.removeprefix("/api/3/")) for r in fakes.activecampaign.requests}
    assert paths <= {
        ("GET", "users/me"),
        ("GET", "lists"),
        ("GET", "fields"),
        ("GET", "contacts"),
        ("GET", "settings/account"),
        ("GET", "lists/exclusions"),
        ("POST", "import/bulk_import"),
        ("GET", "import/info"),
    }
    contact = fakes.account.contact("p5@example.com")
    assert contact
    assert contact["lists"] == {"1": UNSUBSCRIBED}


def test_a_secret_that_was_deleted_is_waited_for(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)  # planned
    del fakes.secrets.values["connection-main"]
    assert not drive(fakes, run_id, limit_s=600).end
    fakes.secrets.set("connection-main", "key-1")
    assert drive(fakes, run_id).status is RunStatus.SUCCESSFUL


def test_a_lane_says_that_it_waits_for_the_outcome_of_an_import(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)  # planned
    fakes.activecampaign.before = lambda request: PAGE if request.path.endswith("import/info") else None
    deliver(fakes)
    waiting = orjson.loads(fakes.blobs.stored[f"records/runs/{run_id}/lanes/0.jsonl"].data.splitlines()[-1])
    assert (waiting["event"], waiting["params"]["asked"]) == ("waiting", "import")


@pytest.mark.parametrize(
    ("reply", "said"),
    [
        (FORBIDDEN, "the key works, but its user may not do this"),
        (PAYMENT, "the account has a payment problem"),
        (NOT_FOUND, "status_404"),
        (ODD, "status_"),
    ],
    ids=["403", "402", "404", "odd"],
)
def test_a_refusal_that_may_pass_is_told_in_words(fakes: Fakes, reply: Answer, said: str) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)  # planned
    replies(fakes, reply)
    deliver(fakes)
    waiting = orjson.loads(fakes.blobs.stored[f"records/runs/{run_id}/lanes/0.jsonl"].data.splitlines()[-1])
    assert (waiting["code"], said in waiting["message"]) == ("activecampaign_refuses", True)
    assert "Refused" not in waiting["message"]
    assert "PaymentDue" not in waiting["message"]


def test_an_answer_that_came_is_not_said_to_be_lost(fakes: Fakes) -> None:
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    deliver(fakes)  # planned
    replies(fakes, Answer(500, {}, b""))
    deliver(fakes)
    waiting = orjson.loads(fakes.blobs.stored[f"records/runs/{run_id}/lanes/0.jsonl"].data.splitlines()[-1])
    assert waiting["message"].startswith(
        "ActiveCampaign (acme.api-us1.com) gave no answer that tells whether it has a bulk import (status_500)."
    )


def test_a_host_that_answered_well_is_not_blamed_for_a_refusal(fakes: Fakes) -> None:
    replies(fakes, *[ODD] * 4)
    run = run_export(fakes, make_export(fakes))
    assert run.end
    assert run.end.problem
    assert run.end.problem.code == "request_refused"
    assert "API host" not in run.end.problem.message
