"""A storage in which every kind of record occurs, with all of its members: what `python -m tests.golden` writes down.

Made-up people, fixed clock and ids. Some runs are over, one is being uploaded, one waits to be planned.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from unittest.mock import patch

import orjson

from exporter.activecampaign.wire import Answer, AnswerLost, NotSent, Reply, Request
from exporter.delivery import ledger
from exporter.delivery.batches import RequestSize
from exporter.pipeline import dispatch, plan
from exporter.pipeline.confirm import ASK_LATE_EVERY_S
from exporter.pipeline.sweep import sweep
from exporter.queues import PLAN_QUEUE, UPLOAD_QUEUE
from exporter.records import paths
from exporter.records.paths import lane_path
from sandbox.activecampaign import CustomField
from tests.api.client import CONNECTION, Api, principal
from tests.builders import COLUMNS, deliver, drive, people, read_run, write_segment
from tests.fakes import FakeClock, Fakes, make_fakes

CONTAINERS = ("records/", "working/", "rejects/", "audit/")
SETTINGS: dict[str, Any] = {"SIGN_IN": "entra", "WEBSITE_AUTH_ENABLED": "True", "LANES": "2", "CONFIRM_WITHIN_S": "600"}
EXPORT = {
    "displayName": "Newsletter",
    "connectionId": "main",
    "listId": 1,
    "segments": ["people"],
    "files": "all",
    "ignore": ["*.bak"],
    "encoding": "utf-8",
    "completeWhen": {"marker": "_DONE"},
    "dataMatching": {
        "email": "EMail",
        "firstName": "FirstName",
        "lastName": "LastName",
        "phone": "Telephone",
        "fields": [
            {"column": "City", "field": "%CITY%"},
            {
                "column": "Tier",
                "field": "TIER",
                "dateOrder": "dmy",
                "decimalMark": ",",
                "separator": ",",
                "yes": ["y"],
                "onBadValue": "leaveOut",
                "whenEmpty": {"text": "Gold"},
            },
        ],
        "timeZone": "Asia/Jakarta",
        "winner": {"column": "ModifiedOn"},
    },
    "consentColumn": {"column": "Consent", "value": "yes"},
    "maxContacts": 1000,
    "guards": {"mayBeEmpty": True, "sizeFactor": 2.5, "maxRejectShare": 0.8},
    "skipUnchanged": False,
}
TIER = CustomField(31, "Tier", "dropdown", ("Silver", "Gold", "Yes"))
REFUSED = Answer(400, {}, b'{"success": 0, "failureReasons": [{"contact": 0, "failureReason": "Invalid email"}]}')
LOST, NOT_SENT = AnswerLost("read_timeout"), NotSent("connection")


def _write_segments(fakes: Fakes) -> None:
    """Store the segment: some rows cannot be sent."""
    rows = [(*row, "Berlin", "gold", "yes", "2026-11-18") for row in people(12)]
    rows += [(*people(1)[0], "Berlin", "gold", "yes", "2026-11-17"), ("bad", "Bad", "", "nobody", *[""] * 3, "yes", "")]
    rows += [("no", "No", "", "no@example.com", "", "", "", "no", "")]
    rows += [("out", "NULL", "", "out@example.com", "", "", "Tin", "yes", "")]
    write_segment(fakes, rows, (*COLUMNS, "City", "Tier", "Consent", "ModifiedOn"))
    fakes.segments.write("people/_DONE", b"")


def play() -> dict[str, bytes]:
    """Play the scene; return the files that are stored then, what was sent to the queues, and what time it is."""
    fakes = _play()
    files = {path: stored.data for path, stored in sorted(fakes.blobs.stored.items())}
    return {**files, **_messages(), "now.json": orjson.dumps(fakes.clock.now())}


def load(files: Mapping[str, bytes]) -> Fakes:
    """Return a world with these files, and what they do not hold: the segment, and an account that knows nobody."""
    clock = FakeClock(orjson.loads(files["now.json"]))
    fakes = make_fakes(clock=clock, **SETTINGS)
    fakes.account.put_field(TIER)
    for path, data in files.items():
        if path.startswith(CONTAINERS):
            fakes.blobs.put(path, data)
    _write_segments(fakes)
    (connection,) = fakes.blobs.names(paths.CONNECTIONS)
    fakes.secrets.set(orjson.loads(files[connection])["secretName"], "key-1")
    return fakes


def _play() -> Fakes:
    fakes = make_fakes(**SETTINGS)
    _write_segments(fakes)
    fakes.account.put_field(TIER)
    fakes.account.exclude("out@example.com")
    api = Api(fakes, {**principal("Admin"), "x-forwarded-for": "203.0.113.7"})
    small = RequestSize(max_contacts=3)
    with patch.object(plan, "RequestSize", lambda: small), patch.object(dispatch, "BATCHES_A_LANE", 2):
        api.put("/connections/main", CONNECTION | {"usableBy": "contributors"})
        for name in ("newsletter", "vip", "weekly", "monthly"):
            api.put(f"/exports/{name}", EXPORT | {"displayName": name.title(), "scheduled": name == "vip"})
        api.put("/exports/yearly", EXPORT | {"completeWhen": {"minutes": 30}})
        _runs_that_are_over(api)
        _run_that_is_held(api)
        _run_that_counts(api)
        _run_that_meets_a_defect(api)
        _run_that_waits_for_a_key(api)
        _run_in_the_middle(api)
    return fakes


def _start(api: Api, export: str, **headers: str) -> str:
    return str(api.post(f"/exports/{export}/runs", {"force": True}, headers=headers).json["runId"])


def _runs_that_are_over(api: Api) -> None:
    fakes = api.fakes
    first = _start(api, "newsletter", **{"Idempotency-Key": "first"})
    _start(api, "newsletter", **{"Idempotency-Key": "second"})  # the other one is going: this one is skipped
    _script(fakes, REFUSED, REFUSED, REFUSED, LOST, NOT_SENT)
    fakes.account.end_next_imports("failed")
    fakes.account.end_next_imports("stuck", 2)
    drive(fakes, first)
    _end_one_late_import(fakes, first)
    resumed = str(api.post(f"/runs/{first}/resume").json["runId"])
    api.post(f"/runs/{first}/resume")  # refused: there is a newer run
    deliver(fakes)
    api.post(f"/runs/{resumed}/cancel")
    drive(fakes, resumed)
    stopped = _start(api, "newsletter")
    deliver(fakes)
    for path in list(fakes.blobs.names("working/")):
        fakes.blobs.delete(path)
    drive(fakes, stopped)


def _run_that_is_held(api: Api) -> None:
    """A run whose problem is told by its parameters."""
    api.put("/exports/tiny", EXPORT | {"maxContacts": 1})
    run_id = _start(api, "tiny")
    deliver(api.fakes)
    end = read_run(api.fakes, run_id).end
    assert end
    assert end.problem
    assert end.problem.params


def _run_that_counts(api: Api) -> None:
    """A run that the next one is compared with."""
    api.put("/exports/daily", EXPORT)
    assert drive(api.fakes, _start(api, "daily")).status == "completedWithWarnings"


def _end_one_late_import(fakes: Fakes, run_id: str) -> None:
    imports = fakes.account._state.imports
    fakes.account.end_import(next(key for key, one in imports.items() if one.outcome == "stuck"), "completed")
    fakes.clock.sleep(ASK_LATE_EVERY_S)
    sweep(fakes.services)
    assert read_run(fakes, run_id).amended


def _run_that_meets_a_defect(api: Api) -> None:
    def fail(*_: object) -> None:
        raise ZeroDivisionError

    run_id = _start(api, "monthly")
    with patch.object(plan, "plan_batches", fail):
        deliver(api.fakes)
    assert read_run(api.fakes, run_id).attempts


def _run_that_waits_for_a_key(api: Api) -> None:
    api.fakes.account.set_key("another")
    run_id = _start(api, "vip")
    deliver(api.fakes)
    api.fakes.account.set_key("key-1")
    assert read_run(api.fakes, run_id).waiting


def _run_in_the_middle(api: Api) -> None:
    """One lane has begun and waits, the other has not."""
    fakes = api.fakes
    fakes.messages.queues.clear()
    run_id = _start(api, "weekly")
    deliver(fakes)
    _script(fakes, None, LOST)
    deliver(fakes)
    assert ledger.fold(fakes.blobs.stored[lane_path(run_id, 0)].data).waiting


def _script(fakes: Fakes, *replies: Reply | None) -> None:
    """Let the next bulk imports meet these replies; None is the account's own."""
    left: Iterator[Reply | None] = iter(replies)

    def reply(request: Request) -> Reply | None:
        return next(left, None) if request.path.endswith("bulk_import") else None

    fakes.activecampaign.before = reply


def _messages() -> dict[str, bytes]:
    """Return a message of each queue."""
    run_id = "newsletter.20261118T110640Z." + "0" * 32
    bodies: dict[str, dict[str, str | int]] = {
        PLAN_QUEUE: {"runId": run_id},
        UPLOAD_QUEUE: {"runId": run_id, "lane": 0},
    }
    return {f"messages/{queue}.json": orjson.dumps(body) for queue, body in bodies.items()}
