"""How often contacts of a failed import are handed over again, and how often late imports are asked for."""

from __future__ import annotations

import orjson
import pytest

from exporter.activecampaign.wire import Answer, Reply, Request
from exporter.delivery.ledger import BulkImport, ImportStatus
from exporter.delivery.manifest import Manifest
from exporter.delivery.plan import Plan
from exporter.pipeline.confirm import Inquiry
from exporter.pipeline.session import Session
from exporter.pipeline.sweep import sweep
from exporter.reasons import Reason
from tests.builders import HOST, drive, make_export, people, start_on_demand, write_segment
from tests.fakes import START, Fakes, make_fakes

NOTHING = Manifest(
    payload="working/x",
    rejects="rejects/x",
    fingerprint="f",
    refreshed_utc=START,
    sources=(),
    envelope=("", "", ""),
    batches=(),
    plan=Plan(rows_read=0, contacts=0, duplicates=0, rejected_by_reason={}, batches=0, lanes=0, at=START),
)


@pytest.fixture
def fakes() -> Fakes:
    return make_fakes()


def answer_to(fakes: Fakes, status: object, one: BulkImport) -> dict[str, object]:
    """Ask for an import that has this status; return the event that is recorded."""

    def info(request: Request) -> Reply | None:
        return Answer(200, {"content-type": "application/json"}, orjson.dumps({"status": status}))

    fakes.activecampaign.before = info
    event = Inquiry(fakes.services, Session(fakes.services, HOST, "key-1"), NOTHING).ask(one)
    assert isinstance(event, dict)
    return event


def an_import(failed_imports: int, status: ImportStatus = ImportStatus.ACCEPTED) -> BulkImport:
    return BulkImport("1", 0, range(3), failed_imports, accepted_at=START, asked_at=START, status=status)


@pytest.mark.parametrize("status", ["failed", "interrupted"])
@pytest.mark.parametrize(
    ("failed_before", "event"), [(0, "importFailed"), (1, "importFailed"), (2, "gaveUp"), (3, "gaveUp")]
)
def test_the_third_failed_import_of_the_same_contacts_is_the_last_one(
    fakes: Fakes, status: str, failed_before: int, event: str
) -> None:
    found = answer_to(fakes, status, an_import(failed_before))
    assert (found["event"], found.get("reason")) == (event, Reason.IMPORT_FAILED if event == "gaveUp" else None)


def test_an_import_that_was_given_up_is_never_handed_over_again(fakes: Fakes) -> None:
    found = answer_to(fakes, "failed", an_import(0, ImportStatus.GIVEN_UP))
    assert (found["event"], found["reason"]) == ("gaveUp", Reason.IMPORT_FAILED)


@pytest.mark.parametrize("status", [False, None, "waiting", "claimed", "active", "what nobody knows"])
def test_what_is_no_final_status_is_asked_for_again(fakes: Fakes, status: object) -> None:
    assert answer_to(fakes, status, an_import(2))["event"] == "asked"


def ended_with_late_imports(fakes: Fakes, count: int) -> None:
    write_segment(fakes, people(250 * count))
    fakes.account.end_next_imports("stuck", count)
    run_id = start_on_demand(fakes.services, make_export(fakes), "ada").run.run_id
    assert drive(fakes, run_id, limit_s=4 * 3_600).end


def questions(fakes: Fakes) -> int:
    return sum("import/info" in request.path for request in fakes.activecampaign.requests)


def test_a_late_import_is_asked_for_every_quarter_of_an_hour(fakes: Fakes) -> None:
    fakes.activecampaign.request_s = 0
    ended_with_late_imports(fakes, 1)
    fakes.clock.sleep(2_000)
    asked = questions(fakes)
    sweep(fakes.services)
    assert questions(fakes) == asked + 1
    last = fakes.account.requests()[-1].at
    fakes.clock.sleep(last + 899.875 - fakes.clock.now())
    sweep(fakes.services)
    assert questions(fakes) == asked + 1
    fakes.clock.sleep(last + 900 - fakes.clock.now())
    sweep(fakes.services)
    assert questions(fakes) == asked + 2


def test_a_sweep_asks_for_twenty_late_imports_and_the_next_one_for_the_rest(fakes: Fakes) -> None:
    ended_with_late_imports(fakes, 21)
    fakes.clock.sleep(2_000)
    asked = questions(fakes)
    sweep(fakes.services)
    assert questions(fakes) - asked == 20
    sweep(fakes.services)
    assert questions(fakes) - asked == 21
