"""Runs: start, watch, cancel and resume them, and read their reject reports."""

from __future__ import annotations

import zlib
from collections.abc import Iterator
from typing import Any

from pydantic import Field

from exporter.api import resources
from exporter.api.access import Context
from exporter.api.exports import check_usable, find, find_usable
from exporter.api.http import NEVER_KEPT, Json, Refusal, Response
from exporter.api.resources import Page, PageQuery
from exporter.definitions.exports import Export
from exporter.delivery.plan import Plan
from exporter.model import Time, Value
from exporter.pipeline import start
from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.resume import check_resumable
from exporter.pipeline.start import Outcome, Started, StartRequest
from exporter.queries.reading import one_of_few_listers
from exporter.records import store
from exporter.records.lanes import read_lanes
from exporter.records.paths import run_path
from exporter.records.runs import read_manifest, read_run
from exporter.records.slots import read_slot
from exporter.runs.progress import progress
from exporter.runs.run import RUN_ID, Cancel, Problem, Run, RunStatus, Trigger, Waiting
from exporter.tally.count import Tally

POLL_S = 5
MAX_PLAIN_BYTES = 32 * 1024 * 1024
"""The largest answer, as it is held in memory. Compressed, this is the reject report of about three million rows."""


class StartBody(Value):
    """How to run."""

    force: bool = False
    """True: run even if the segment is empty or its size is very different from last time."""


NOT_FORCED = StartBody()


class KeyHeaders(Value):
    """What makes a repeated request harmless."""

    idempotency_key: str | None = Field(default=None, alias="Idempotency-Key", min_length=1, max_length=200)
    """Any text, new for each run that you want. For a week, repeating it returns the same run. It is yours alone:
    another caller's equal key is another key."""


class Progress(Value):
    """How far a run has come, in contacts."""

    contacts: int
    sent: int
    confirmed: int
    rejected_by_active_campaign: int
    seconds_left: int
    """An estimate from the rate limit; it does not include waits."""


class RunSummary(Value):
    """A run as recorded."""

    run_id: str
    export_id: str
    trigger: Trigger
    requested_by: str
    requested_utc: Time
    status: RunStatus
    ended_utc: Time | None = None
    duration_s: int | None = None
    tally: Tally | None = None
    """Present once the run is over: every row read is in exactly one bucket."""
    amended_utc: Time | None = None
    """When the tally was updated after the end, because late imports had an outcome after all."""
    resends: int | None = None
    """Requests that were sent again because the outcome of the first was unknown."""
    resumes: str | None = None
    """The run that this one resumes."""
    plan: Plan | None = None
    waiting: Waiting | None = None
    cancel: Cancel | None = None
    problem: Problem | None = None
    rejects_url: str | None = None
    values_url: str | None = None
    """Where values did not fit their fields: the list of them."""


class RunView(RunSummary):
    """A run with its progress."""

    progress: Progress | None = None
    """Present while the run is in progress."""


class StartedRun(RunView):
    """The run that a request to start returns."""

    outcome: Outcome
    """`started`: a new run. `joined`: a run of the export was already in progress. `known`: the request is a repeat."""


class RunAllItem(Value):
    """The result for one export."""

    export_id: str
    run_id: str | None = None
    outcome: Outcome | None = None
    problem: Problem | None = None
    """Why it was not started."""


class AllStarted(Value):
    """The result for each export that has an active schedule."""

    value: tuple[RunAllItem, ...]
    note: str | None = None
    """If there is no such export: what that means and what to do."""


NONE_ACTIVE = (
    "No export has both an active schedule and a connection, so nothing was started. POST /exports/{id}/activate lets"
    " the schedule start an export; POST /exports/{id}/runs runs one now."
)


def start_run(context: Context, export_id: str, headers: KeyHeaders, body: StartBody = NOT_FORCED) -> Json[StartedRun]:
    """Run an export now. If a run of the export is in progress, return that one."""
    export = find_usable(context, export_id)
    return _started(context, _start(context, export, Trigger.ON_DEMAND, headers, body))


def start_all(context: Context, headers: KeyHeaders, body: StartBody = NOT_FORCED) -> Json[AllStarted]:
    """Run all exports that have an active schedule. A failure of one does not keep the others from starting."""
    items = []
    for export_id, result in start.start_each(
        context.services, lambda export: _start(context, export, Trigger.RUN_ALL, headers, body)
    ):
        if isinstance(result, Started):
            items.append(RunAllItem(export_id=export_id, run_id=result.run.run_id, outcome=result.outcome))
        else:
            items.append(RunAllItem(export_id=export_id, problem=Problem.of(result)))
    return Json(AllStarted(value=tuple(items), note=None if items else NONE_ACTIVE), 202)


def _start(context: Context, export: Export, trigger: Trigger, headers: KeyHeaders, body: StartBody) -> Started:
    request = StartRequest(export, trigger, context.caller.name, force=body.force)
    if headers.idempotency_key is None:
        return start.start_on_demand(context.services, request)
    asked = f"{trigger} {body.model_dump_json()}".encode()
    who = context.caller.id or context.caller.name
    return start.start_once(context.services, request, who, headers.idempotency_key, asked)


def get(context: Context, run_id: str) -> Json[RunView]:
    """Show a run: status; progress and time left while it is in progress; the tally of its rows once it is over."""
    run = find_run(context, run_id)
    view = RunView.model_validate(_described(context, run))
    return Json(view, headers={} if run.end else {"Retry-After": str(POLL_S)})


def history(context: Context, export_id: str, query: PageQuery) -> Json[Page[RunSummary]]:
    """List the runs of an export, newest first."""
    blobs = context.services.blobs
    prefix = f"records/runs/{find(context, export_id).id}."
    paths = blobs.names(prefix)
    ids = [path.split("/")[2] for path in paths if path.endswith("/run.json")]

    def show(run_id: str) -> RunSummary | None:
        run = store.get(blobs, Run, run_path(run_id))
        return RunSummary.model_validate(_facts(run)) if run else None

    return Json(resources.page(context, ids, query, show, newest_first=True))


def cancel(context: Context, run_id: str) -> Json[RunView]:
    """Cancel a run: sending stops within a minute; what was sent is still confirmed and counted."""
    find_usable_run(context, run_id)
    run = cancel_run(context.services, run_id, context.caller.name)
    if run is None:
        raise _no_run()
    if run.end and run.end.status is not RunStatus.CANCELED:
        raise Refusal(409, "run_is_over", f"The run is over ({run.status}); there is nothing to cancel.")
    return Json(RunView.model_validate(_described(context, run)), 202, _watch(run))


def resume(context: Context, run_id: str) -> Json[StartedRun]:
    """Resume a run that ended before every contact had its outcome: a new run sends what is left.

    A batch in which any contact has no outcome is sent again as a whole. Only the newest run of an export can be
    resumed, and only while its segments are unchanged. Each worker process lists segments for at most four callers at a
    time; 429 means: try again shortly.
    """
    services = context.services
    run = find_usable_run(context, run_id)
    export = find_usable(context, run.export_id)
    if run.end is None:
        raise Refusal(
            409, "run_is_going", "The run is still in progress; if it is waiting, it continues automatically."
        )
    if run.tally and not run.tally.unconfirmed:
        raise Refusal(409, "nothing_to_resume", "Every contact of the run has an outcome. Start the export instead.")
    slot = read_slot(services, export.id)
    if slot and slot.run.run_id != run_id:
        raise Refusal(
            409,
            "newer_run",
            f"Expected the export's newest run, which is {slot.run.run_id}. Resume that one, or start the export.",
        )
    with one_of_few_listers():
        check_resumable(services, run, start.connection_of(services, export).host, export)
    started = start.start_on_demand(
        services, StartRequest(export, Trigger.ON_DEMAND, context.caller.name, resumes=run_id)
    )
    return _started(context, started)


def rejects(context: Context, run_id: str) -> Response:
    """Return every row that did not become a confirmed contact, with its reason, as CSV.

    While the run is in progress, only the rows that were set aside before anything was sent.
    """
    run = find_usable_run(context, run_id)
    manifest = read_manifest(context.services, run_id) if run.plan else None
    pieces = context.services.blobs.stream(manifest.rejects) if manifest else None
    if pieces is None:
        raise Refusal(404, "rejects_not_found", _no_rejects(context, run))
    return _csv(context, f"{run_id}.csv", pieces)


def values(context: Context, run_id: str) -> Response:
    """Return the values that do not fit their fields, unmasked, as CSV: the first 1,000 of each column and reason.

    They were left out, or are why their rows were rejected (`onBadValue`). `didYouMean` is the option of the field that
    looks most like the value. `GET /runs/{runId}` has the counts of all.
    """
    run = find_usable_run(context, run_id)
    manifest = read_manifest(context.services, run_id) if run.plan else None
    pieces = context.services.blobs.stream(manifest.values) if manifest and manifest.values else None
    if pieces is None:
        why = _no_rejects(context, run) if manifest is None or manifest.values else "All values fit their fields."
        raise Refusal(404, "values_not_found", why)
    return _csv(context, f"{run_id}.values.csv", pieces)


def _csv(context: Context, name: str, pieces: Iterator[bytes]) -> Response:
    headers = {"Content-Type": "text/csv; charset=utf-8", "Content-Disposition": f'attachment; filename="{name}"'}
    if "gzip" in context.request.headers.get("accept-encoding", ""):
        headers["Content-Encoding"] = "gzip"
        pieces = _gzip(pieces)
    return Response(200, {**headers, "Vary": "Accept-Encoding", **NEVER_KEPT}, _joined(pieces))


def _no_rejects(context: Context, run: Run) -> str:
    if run.plan:
        days = context.services.settings.rejects_retention_days
        return f"The report has been deleted: it holds addresses, so it is kept for only {days} days."
    if run.end is None:
        return "There is no report yet: the run has not read its segments. Try again once its status is running."
    why = f" {run.end.problem.message}" if run.end.problem else ""
    return f"There is no report: the run ended before any contact was sent ({run.status}).{why}"


def _gzip(pieces: Iterator[bytes]) -> Iterator[bytes]:
    packer = zlib.compressobj(wbits=31)
    for piece in pieces:
        yield packer.compress(piece)
    yield packer.flush()


def _joined(pieces: Iterator[bytes]) -> bytes:
    data = bytearray()
    for piece in pieces:
        data += piece
        if len(data) > MAX_PLAIN_BYTES:
            raise Refusal(
                413,
                "rejects_too_large",
                f"Expected a report of at most {MAX_PLAIN_BYTES} bytes; it is larger. Repeat with Accept-Encoding: gzip"
                " (curl --compressed), or read it from the container `rejects`.",
            )
    return bytes(data)


def _described(context: Context, run: Run) -> dict[str, Any]:
    if run.end or run.plan is None:
        return _facts(run)
    pace = context.services.settings.bulk_requests_per_minute
    return {**_facts(run), **progress(run, [*read_lanes(context.services, run).values()], pace)}


def _facts(run: Run) -> dict[str, Any]:
    shown: dict[str, Any] = {
        "run_id": run.run_id,
        "export_id": run.export_id,
        "trigger": run.trigger,
        "requested_by": run.requested_by,
        "requested_utc": run.requested_utc,
        "status": run.status,
        "resumes": run.resumes,
        "plan": run.plan,
        "cancel": run.cancel,
        "problem": run.end.problem if run.end else run.stop,
        "rejects_url": f"/api/runs/{run.run_id}/rejects" if run.plan else None,
        "values_url": f"/api/runs/{run.run_id}/values" if run.plan and any(v.unfit for v in run.plan.values) else None,
    }
    if run.end:
        shown["ended_utc"] = run.end.at
        shown["duration_s"] = round(run.end.at - run.requested_utc)
        shown["tally"] = run.tally
        shown["amended_utc"] = run.amended.at if run.amended else None
        shown["resends"] = run.end.resends
    else:
        shown["waiting"] = run.waiting
    return shown


def _started(context: Context, started: Started) -> Json[StartedRun]:
    view = StartedRun.model_validate({**_described(context, started.run), "outcome": started.outcome})
    return Json(view, 202, _watch(started.run))


def _watch(run: Run) -> dict[str, str]:
    return {"Location": f"/api/runs/{run.run_id}", "Retry-After": str(POLL_S)}


def find_run(context: Context, run_id: str) -> Run:
    """Return a run. Raises `Refusal` ("run_not_found")."""
    run = read_run(context.services, run_id) if RUN_ID.fullmatch(run_id) else None
    if run is None:
        raise _no_run()
    return run


def find_usable_run(context: Context, run_id: str) -> Run:
    """Return a run that the caller may act on and whose people they may see. Raises `Refusal` ("run_not_found").

    Also raises what `check_usable` raises, for the connection that the run was requested on.
    """
    run = find_run(context, run_id)
    check_usable(context, run.export, run.requested_utc)
    return run


def _no_run() -> Refusal:
    return Refusal(404, "run_not_found", "There is no run with this id. GET /exports/{id}/runs lists an export's runs.")
