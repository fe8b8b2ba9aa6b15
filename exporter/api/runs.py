"""Runs: start, watch, cancel, and read what was rejected."""

from __future__ import annotations

from typing import Any

from exporter import exports, log, runs, store
from exporter.api.access import Context
from exporter.api.exports import find as find_export
from exporter.api.http import Body, Refusal, Response, answer_json, read_body
from exporter.api.resources import answer_list
from exporter.exports import Export
from exporter.pipeline import finish
from exporter.pipeline.manifest import Manifest, manifest_path
from exporter.pipeline.start import PLAN_QUEUE, Outcome, Started, send_quietly, start_on_demand, start_once
from exporter.records import to_text
from exporter.runs import RUN_ID, Cancel, Run, RunStatus, Trigger, run_path

POLL_S = 5
HISTORY = 100
MAX_KEY = 200


class StartBody(Body):
    """What POST /exports/{id}/runs takes; may be left out."""

    force: bool = False
    """Run although the segment is of very different size than last time."""


def start(context: Context, id: str) -> Response:  # noqa: A002 - the name in the path
    """POST /exports/{id}/runs: run now. The run that is going, if there is one, is the answer too."""
    body = read_body(StartBody, context.request, optional=True)
    export = find_export(context, id)
    key = context.request.headers.get("idempotency-key")
    if key is None:
        started = start_on_demand(context.services, export, context.caller.name, force=body.force)
    elif 0 < len(key) <= MAX_KEY:
        request = body.model_dump_json().encode()
        started = start_once(context.services, export, context.caller.name, key, request, force=body.force)
    else:
        raise Refusal(422, "invalid_idempotency_key", f"Expected an Idempotency-Key of 1 to {MAX_KEY} characters.")
    return _answer_started(context, started)


def start_all(context: Context) -> Response:
    """POST /runs: run all exports that have an active schedule."""
    values = []
    for export in store.get_all(context.services.blobs, Export, exports.PREFIX):
        if export.scheduled and export.connection_id:
            started = start_on_demand(context.services, export, context.caller.name, trigger=Trigger.RUN_ALL)
            values.append({"runId": started.run.run_id, "exportId": export.id, "outcome": started.outcome})
    return answer_json({"value": values}, 202)


def get(context: Context, id: str) -> Response:  # noqa: A002
    """GET /runs/{id}: status with progress, time left and the accounting."""
    run = _find(context, id)
    return answer_json(describe(context, run), headers={} if run.end else {"Retry-After": str(POLL_S)})


def history(context: Context, id: str) -> Response:  # noqa: A002
    """GET /exports/{id}/runs: newest first."""
    export = find_export(context, id)
    paths = [p for p in context.services.blobs.names(f"records/runs/{export.id}.") if p.endswith("/run.json")]
    newest = (store.get(context.services.blobs, Run, path) for path in reversed(paths[-HISTORY:]))
    return answer_list(_facts(run) for run in newest if run)


def cancel(context: Context, id: str) -> Response:  # noqa: A002
    """POST /runs/{id}/cancel: nothing new is sent after a minute; what was sent is still confirmed and counted."""
    _find(context, id)
    asked = Cancel(by=context.caller.name, at=context.services.clock.now())
    run = store.change(
        context.services.blobs,
        Run,
        run_path(id),
        lambda r: None if r.end or r.cancel else r.model_copy(update={"cancel": asked}),
    )
    if run is None:
        raise _no_run()
    if run.end and run.end.status is not RunStatus.CANCELED:
        raise Refusal(409, "run_is_over", f"The run is over ({run.status}); there is nothing to cancel.")
    log.event("run_cancel_asked", runId=id)
    if run.plan is None:
        send_quietly(context.services, PLAN_QUEUE, {"runId": id})
    return answer_json(describe(context, run), 202, {"Location": f"/api/runs/{id}", "Retry-After": str(POLL_S)})


def rejects(context: Context, id: str) -> Response:  # noqa: A002
    """GET /runs/{id}/rejects: every row that did not become a confirmed contact, with its reason, as CSV."""
    run = _find(context, id)
    manifest = store.get(context.services.blobs, Manifest, manifest_path(id)) if run.plan else None
    pieces = context.services.blobs.stream(manifest.rejects) if manifest else None
    if pieces is None:
        raise Refusal(
            404,
            "rejects_not_found",
            f"The run {id} has no reject report: it was not planned yet, nothing was read, or the report's retention is over.",
        )
    headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{id}.csv"'}
    return Response(200, {**headers, "Cache-Control": "no-store"}, b"".join(pieces))


def describe(context: Context, run: Run) -> dict[str, Any]:
    """Describe a run for its reader, with its progress as the ledgers tell it."""
    if run.end or run.plan is None:
        return _facts(run)
    current = finish.lanes(context.services, run)
    progress = runs.progress(run, [lane for lane, _ in current], context.services.settings.bulk_requests_per_minute)
    return {**_facts(run), **progress}


def _facts(run: Run) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "runId": run.run_id,
        "exportId": run.export_id,
        "trigger": run.trigger,
        "requestedBy": run.requested_by,
        "requestedUtc": to_text(run.requested_utc),
        "status": run.status,
    }
    if run.cancel:
        shown["cancel"] = run.cancel.model_dump(mode="json", by_alias=True)
    if run.waiting and not run.end:
        shown["waiting"] = run.waiting.model_dump(mode="json", by_alias=True)
    if run.plan:
        shown["plan"] = run.plan.model_dump(mode="json", by_alias=True)
        shown["rejectsUrl"] = f"/api/runs/{run.run_id}/rejects"
    if run.end:
        shown["endedUtc"] = to_text(run.end.at)
        shown["account"] = run.end.account.model_dump(mode="json", by_alias=True)
        shown["resends"] = run.end.resends
    problem = run.end.problem if run.end else run.stop
    if problem:
        shown["problem"] = problem.model_dump(mode="json", by_alias=True)
    return shown


def _answer_started(context: Context, started: Started) -> Response:
    headers = {"Location": f"/api/runs/{started.run.run_id}", "Retry-After": str(POLL_S)}
    joined = started.outcome is not Outcome.STARTED
    return answer_json({**describe(context, started.run), "joined": joined}, 202, headers)


def _find(context: Context, run_id: str) -> Run:
    run = store.get(context.services.blobs, Run, run_path(run_id)) if RUN_ID.fullmatch(run_id) else None
    if run is None:
        raise _no_run()
    return run


def _no_run() -> Refusal:
    return Refusal(404, "run_not_found", "There is no run of this id. GET /exports/{id}/runs lists an export's runs.")
