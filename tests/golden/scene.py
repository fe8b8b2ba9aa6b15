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
from exporter.pipeline import brakes, dispatch, plan
from exporter.pipeline.confirm import ASK_LATE_EVERY_S
from exporter.pipeline.schedule import run_schedule
from exporter.pipeline.sweep import sweep
from exporter.queues import PLAN_QUEUE, UPLOAD_QUEUE
from exporter.records import paths
from exporter.records.paths import lane_path
from exporter.records.slots import remember_cleared
from sandbox.activecampaign import CustomField
from tests.api.client import CONNECTION, Api, principal
from tests.builders import COLUMNS, deliver, drive, people, read_run, settle, write_segment
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
SCHEDULES: dict[str, dict[str, str]] = {
    "newsletter": {"kind": "none"},
    "vip": {"kind": "withEveryRefresh"},
    "weekly": {"kind": "cron", "cron": "0 6 * * 1", "timeZone": "Asia/Jakarta"},
    "monthly": {"kind": "cron"},
}
TIER = CustomField(31, "Tier", "dropdown", ("Silver", "Gold", "Yes"))
REFUSED = Answer(400, {}, b'{"success": 0, "failureReasons": [{"contact": 0, "failureReason": "Invalid email"}]}')
TOO_LARGE = Answer(413, {}, b"")
ALL_REFUSED = Answer(
    400,
    {},
    orjson.dumps({"failureReasons": [{"contact": n, "failureReason": "Field 'x' is wrong"} for n in range(1, 21)]}),
)
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
            api.put(f"/exports/{name}", EXPORT | {"displayName": name.title(), "schedule": SCHEDULES[name]})
        api.put("/exports/yearly", EXPORT | {"completeWhen": {"minutes": 30}})
        _runs_that_are_over(api)
        _run_that_is_held(api)
        _run_that_counts(api)
        _run_that_was_looked_up(api)
        _run_for_a_few_people(api)
        _run_in_doubt(api)
        _run_that_meets_a_defect(api)
        _run_that_waits_for_a_key(api)
        _run_in_the_middle(api)
        _run_of_the_schedule(api)
    return fakes


def _run_in_doubt(api: Api) -> None:
    """A run of which most of a request was refused; another one whose list is deleted."""
    api.put("/exports/doubted", EXPORT | {"displayName": "Doubted"})
    with patch.object(plan, "RequestSize", lambda: RequestSize(max_contacts=20)):
        run_id = _start(api, "doubted")
        _script(api.fakes, ALL_REFUSED)
        assert drive(api.fakes, run_id).doubt
        api.put("/exports/gone", EXPORT | {"displayName": "Gone", "listId": 2})
        run_id = _start(api, "gone")
        deliver(api.fakes)
        api.fakes.account.delete_list(2)
        assert drive(api.fakes, run_id).gone


def _start(api: Api, export: str, **headers: str) -> str:
    return str(api.post(f"/exports/{export}/runs", headers=headers).json["runId"])


def _runs_that_are_over(api: Api) -> None:
    fakes = api.fakes
    first = _start(api, "newsletter", **{"Idempotency-Key": "first"})
    _start(api, "newsletter", **{"Idempotency-Key": "second"})  # the other one is going: this one is skipped
    _script(fakes, TOO_LARGE, REFUSED, REFUSED, REFUSED, LOST, NOT_SENT)
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
    """A run whose problem is told by its parameters, and the one that its approval has started."""
    api.put("/exports/tiny", EXPORT | {"guards": {"maxRejectShare": 0}})
    with patch.object(brakes, "LEAST_REJECTED", 1):
        held = drive(api.fakes, _start(api, "tiny")).end
        assert held
        assert held.held
        assert held.problem
        assert held.problem.params
        (path,) = (path for path in api.fakes.blobs.names("records/runs/tiny.") if path.endswith("/run.json"))
        approval = orjson.loads(held.held.model_dump_json(by_alias=True))
        approved = api.post(f"/runs/{path.split('/')[2]}/approve", approval).json["runId"]
        assert drive(api.fakes, str(approved)).plan


def _run_that_counts(api: Api) -> None:
    """A run that the next one is compared with, and the one before it, which counts if that does not."""
    api.put("/exports/daily", EXPORT)
    settle(api.fakes, drive(api.fakes, _start(api, "daily")).run_id)
    assert drive(api.fakes, _start(api, "daily")).status == "completedWithWarnings"


def _run_that_was_looked_up(api: Api) -> None:
    """A run whose people were looked up after its end; some of them had left the list, or bounced."""
    account = api.fakes.account
    api.put("/exports/hourly", EXPORT)
    account.set_switches(unsubscribed="not_queued")
    account.unsubscribe("p9@example.com")
    account.bounce("p10@example.com")
    api.fakes.clock.sleep(3_600)  # the account has 20 people to sample in an hour
    run_id = _start(api, "hourly")
    drive(api.fakes, run_id)
    assert settle(api.fakes, run_id).sample
    account.set_switches(unsubscribed="failure")


def _run_for_a_few_people(api: Api) -> None:
    """A run for two people, of an export that has run for everybody before; its working copy is still there."""
    answer = api.post("/exports/daily/runs", {"only": ["p1@example.com", "nobody"]})
    run = drive(api.fakes, answer.json["runId"])
    assert run.only
    remember_cleared(api.fakes.services, "daily", run.host, [31])


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


def _run_of_the_schedule(api: Api) -> None:
    """A run that a refresh has started; an export whose segment is not there, one that is paused, and a connection."""
    fakes = api.fakes
    of_others = {name: value for name, value in EXPORT.items() if name != "completeWhen"} | {"segments": ["others"]}
    rows = [(*row, "Berlin", "gold", "yes", "2026-11-18") for row in people(3)]
    columns = (*COLUMNS, "City", "Tier", "Consent", "ModifiedOn")
    write_segment(fakes, rows, columns, "others")
    api.put("/exports/refreshed", of_others)
    assert api.get("/exports/refreshed").json["notNow"]["code"] == "waits_seen"
    api.put("/exports/missing", of_others | {"segments": ["nothing"]}, query={"validate": "false"})
    api.put("/exports/paused", of_others)
    api.post("/exports/paused/pause")
    write_segment(fakes, rows[:2], columns, "others")
    started = {run.export_id: run.run_id for run in run_schedule(fakes.services)}
    drive(fakes, started["refreshed"])
    api.post("/connections/main/pause")


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
