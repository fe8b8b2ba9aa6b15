"""Runs: start, watch, cancel and resume them."""

from __future__ import annotations

from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BeforeValidator, Field

from exporter.api import resources
from exporter.api.access import Context
from exporter.api.exports import check_usable, find, find_usable
from exporter.api.few import NOT_OVER, NOT_PLANNED, StartBody, Tried, TriedPerson, tried
from exporter.api.glance import Progress, RunGlance, at_a_glance, is_under_way, under_way
from exporter.api.http import Json, Refusal, Response
from exporter.api.inputs import REPEATED
from exporter.api.resources import Page, PageQuery, SeenHeaders
from exporter.contacts.addresses import key_of
from exporter.definitions.exports import Export
from exporter.definitions.resources import ID_PATTERN
from exporter.delivery.plan import Plan, PlanCounts
from exporter.delivery.traffic import Traffic
from exporter.errors import Stop
from exporter.model import Time, Value
from exporter.pipeline import start
from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.resume import check_resumable
from exporter.pipeline.start import Outcome, Started, StartRequest
from exporter.queries.few import wait_for_end
from exporter.queries.reading import one_of_few_listers
from exporter.records import store
from exporter.records.paths import run_path
from exporter.records.recent import newest_runs
from exporter.records.runs import read_run
from exporter.records.slots import read_slot
from exporter.runs.run import (
    RUN_ID,
    Approved,
    Cancel,
    Held,
    ListSize,
    Problem,
    Run,
    RunStatus,
    Trigger,
    Waiting,
    id_time,
)
from exporter.sentences import Situation
from exporter.services import Services
from exporter.tally.count import Tally
from exporter.tally.findings import Sample
from exporter.warned import Warned

POLL_S = 5
MAX_LOOKED = 200
"""The most runs that a page of the list of all runs looks at: a read takes about 10 ms."""
MAX_UNDER_WAY = 20
"""Of these, the most whose ledgers are read, a few each, of some 100 KB for a run of a million."""


def _since(value: object) -> object:
    try:
        at = datetime.fromisoformat(value) if isinstance(value, str) else None
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise ValueError("expected a time with its zone, such as 2026-11-23T16:05:00Z")
    return at.timestamp()


Since = Annotated[Time, BeforeValidator(_since)]
"""A time in a query, with its zone."""


class KeyHeaders(Value):
    """What makes a repeated request harmless."""

    idempotency_key: str | None = Field(default=None, alias="Idempotency-Key", min_length=1, max_length=200)
    """Any text, new for each run that you want. For a week, repeating it returns the same run. It is yours alone:
    another caller's equal key is another key."""


class Timeline(Value):
    """When what happened to a run. What has not happened is absent; so is what a former release did not record."""

    queued_utc: Time
    planned_utc: Time | None = None
    """When every row was read and cut into requests."""
    first_sent_utc: Time | None = None
    last_sent_utc: Time | None = None
    """When the newest request was sent: the last one, once the run is over."""
    last_confirmed_utc: Time | None = None
    """When the newest import was found to be completed: the last one, once the run is over."""
    canceled_utc: Time | None = None
    """When somebody asked to cancel it."""
    ended_utc: Time | None = None
    amended_utc: Time | None = None
    """When the tally was updated after the end, or the sample was looked up."""


class RunsQuery(PageQuery):
    """Which runs to return."""

    since: Since | None = None
    """Only runs that were requested at this time or later."""
    status: Annotated[tuple[RunStatus, ...], Field(max_length=len(RunStatus)), REPEATED] = ()
    """Only runs of this status; may be given several times."""
    export_id: str | None = Field(default=None, pattern=ID_PATTERN)
    """Only runs of this export."""
    after: str | None = Field(default=None, pattern=r"^\d{14}\.[a-z0-9.TZ-]{1,130}$")
    """Return the runs after this place; `nextLink` contains it."""


class ListedRun(RunGlance):
    """A run in a list of all exports' runs."""

    export_id: str
    display_name: str
    """Of the export, when the run was requested."""
    list_id: int
    """The ActiveCampaign list of the run."""
    duration_s: int | None = None


class PlanView(PlanCounts):
    """What planning found."""

    warnings: tuple[Warned, ...]
    """What a person should know, and what stops nothing."""

    @classmethod
    def of(cls, plan: Plan) -> PlanView:
        """Return how a plan is shown."""
        return cls(**plan.model_dump(exclude={"warnings", "warned"}), warnings=plan.all_warned)


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
    """When the tally was updated after the end: late imports had an outcome after all, or reasons were found out."""
    list_size: ListSize | None = None
    """How many active contacts the list had before anything was sent, and after the end."""
    sample: Sample | None = None
    """What a look at up to 20 of the confirmed people showed, some minutes after the end."""
    warnings: tuple[Warned, ...] = ()
    """What a look after the end contradicts; those of the plan are in `plan`."""
    timeline: Timeline
    """When what happened. Until the run is over, only `GET /runs/{runId}` has the times of requests and imports."""
    requests: int | None = None
    """Requests with contacts, those that were sent again included. Absent where a former release did not count."""
    waits: int | None = None
    """How often one of its lanes had to wait for something outside; as `requests`."""
    resends: int | None = None
    """Requests that were sent again because the outcome of the first was unknown."""
    resumes: str | None = None
    """The run that this one resumes."""
    attempt: int | None = None
    """Of a run that the schedule has started: the how many-th for this refresh, or for this time; of five at most."""
    held: Held | None = None
    """Of a run that was held: what an approval names, exactly as it is shown here."""
    approved: Approved | None = None
    """Of a run that an approval has started: what was approved."""
    only: int | None = None
    """Of a run for a few people: how many were asked for. Such a run counts as no attempt: the next one is not compared
    with it, and it is not resumed."""
    plan: PlanView | None = None
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


class StartedOrTried(StartedRun):
    """The run that a request to start returns, and what became of the few people whom it was for."""

    people: tuple[TriedPerson, ...] | None = None
    """Of a run for a few people that is over: what became of each, in the order asked."""
    cleared: tuple[str, ...] | None = None
    """Titles of fields that were sent empty to people who had a value, and read back without one: from now on, runs for
    everybody may erase them."""
    note: str | None = None
    """Of a run for a few people, where nobody is shown: why, and what to do."""


class RunAllItem(Value):
    """The result for one export."""

    export_id: str
    run_id: str | None = None
    outcome: Outcome | None = None
    problem: Problem | None = None
    """Why it was not started."""


class AllStarted(Value):
    """The result for each export that has a schedule and no pause."""

    value: tuple[RunAllItem, ...]
    note: str | None = None
    """If there is no such export: what that means and what to do."""


EVERYBODY = StartBody()
NONE_ACTIVE = (
    "No export has a schedule, a connection and no pause, so nothing was started. PUT /exports/{id} gives an export a"
    " schedule; POST /exports/{id}/unpause ends a pause; POST /exports/{id}/runs runs one now."
)


def start_run(
    context: Context, export_id: str, headers: KeyHeaders, body: StartBody = EVERYBODY
) -> Json[StartedOrTried]:
    """Run an export now: for everybody, or for a few people to try it with.

    For everybody, the answer is 202; if such a run is in progress, it is that one. With `only`, the run is for those
    people alone, and the answer waits for its end, up to 100 s: 200 shows what became of each and what ActiveCampaign
    has of them now; 202 means that the run goes on. 409 if any run of the export is in progress. Such a run is not
    compared with others, in either direction, nobody has to approve it, and the schedule takes no notice of it.
    """
    export = find_usable(context, export_id)
    only = None if body.only is None else frozenset(map(key_of, body.only))
    request = StartRequest(export, Trigger.ON_DEMAND, context.caller.name, only=only)
    started = _start(context, request, headers)
    if body.only is None:
        return Json(StartedOrTried.model_validate(_answered(context, started)), 202, _watch(started.run))
    run = wait_for_end(context.services, started.run)
    people, cleared = tried(context.services, run, body.only) if run.end else Tried()
    shown = {
        **_answered(context, Started(run, started.outcome)),
        "people": people or None,
        "cleared": cleared or None,
        "note": None if people else NOT_PLANNED if run.end else NOT_OVER,
    }
    watch = _watch(run)
    return Json(
        StartedOrTried.model_validate(shown), *((200, {"Location": watch["Location"]}) if run.end else (202, watch))
    )


def start_all(context: Context, headers: KeyHeaders) -> Json[AllStarted]:
    """Run all exports that have a schedule and no pause. A failure of one does not keep the others from starting."""
    items = []

    def begin(export: Export) -> Started:
        if start.connection_of(context.services, export).paused:
            raise Stop.of("connection_paused", connection=export.connection_id or "")
        return _start(context, StartRequest(export, Trigger.RUN_ALL, context.caller.name), headers)

    for export_id, result in start.start_each(context.services, begin):
        if isinstance(result, Started):
            items.append(RunAllItem(export_id=export_id, run_id=result.run.run_id, outcome=result.outcome))
        else:
            items.append(RunAllItem(export_id=export_id, problem=Problem.of(result, Situation.ANSWERED)))
    return Json(AllStarted(value=tuple(items), note=None if items else NONE_ACTIVE), 202)


def _start(context: Context, request: StartRequest, headers: KeyHeaders) -> Started:
    if headers.idempotency_key is None:
        return start.start_on_demand(context.services, request)
    approved = request.approved.model_dump_json() if request.approved else ""
    asked = f"{request.trigger} {approved}".encode()
    if request.only is not None:  # a digest of it is kept; with the key in it, nobody can look addresses up in that
        asked += f" {headers.idempotency_key} {sorted(request.only)}".encode()
    who = context.caller.id or context.caller.name
    return start.start_once(context.services, request, who, headers.idempotency_key, asked)


def get(context: Context, run_id: str, headers: SeenHeaders) -> Json[RunView] | Response:
    """Show a run: status; progress and time left while it is in progress; the tally of its rows once it is over.

    Reads its record; while it is in progress also its ledgers, one for each lane.
    """
    run = find_run(context, run_id)
    view = RunView.model_validate(_described(context, run))
    answer = Json(view, headers={} if run.end else {"Retry-After": str(POLL_S)})
    return resources.unless_seen(answer, headers)


def list_all(context: Context, query: RunsQuery, headers: SeenHeaders) -> Json[Page[ListedRun]] | Response:
    """List the runs of all exports, newest first: those in progress with their progress, the others with their tally.

    A page looks at 200 runs at most and reads the ledgers of 20 that are in progress; others show none. So a page may
    hold fewer runs than asked for, or none: as long as it has a `nextLink`, there may be more. Runs that a former
    release has started are in `GET /exports/{exportId}/runs` only.
    """
    return resources.unless_seen(Json(_page(context, query)), headers)


def _page(context: Context, query: RunsQuery) -> Page[ListedRun]:
    services = context.services
    shown: list[ListedRun] = []
    looked = under_way = 0
    last: str | None = query.after
    for place, run_id in newest_runs(services):
        if query.after is not None and place <= query.after:
            continue
        export_id, when, _ = run_id.split(".")
        if query.since is not None and when < id_time(query.since):
            break
        if query.export_id in (None, export_id):
            if len(shown) == query.top or looked == MAX_LOOKED:
                return Page(value=tuple(shown), next_link=_next_link(context, query, last))
            looked += 1
            if run := read_run(services, run_id):
                look = is_under_way(run) and under_way < MAX_UNDER_WAY
                under_way += look
                listed = _listed(services, run, look=look)
                shown += [listed] if not query.status or listed.status in query.status else []
        last = place
    return Page(value=tuple(shown))


def _next_link(context: Context, query: RunsQuery, after: str | None) -> str:
    asked = query.model_copy(update={"after": after})
    members = asked.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return f"/api{context.request.path}?{urlencode({'top': query.top, **members}, doseq=True)}"


def _listed(services: Services, run: Run, *, look: bool) -> ListedRun:
    return ListedRun.model_validate(
        {
            **at_a_glance(services, run, look=look),
            "export_id": run.export_id,
            "display_name": run.export.display_name,
            "list_id": run.export.list_id,
            "duration_s": round(run.end.at - run.requested_utc) if run.end else None,
        }
    )


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
        raise Refusal.of(409, "run_is_over", status=run.status)
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
    if run.only is not None:
        raise Refusal.of(409, "not_resumable", case="few")
    if run.end is None:
        raise Refusal.of(409, "run_is_going")
    if run.tally and not run.tally.unconfirmed:
        raise Refusal.of(409, "nothing_to_resume")
    slot = read_slot(services, export.id)
    if slot and slot.newest and slot.newest != run_id:
        raise Refusal.of(409, "newer_run", run=slot.newest)
    with one_of_few_listers():
        check_resumable(services, run, start.connection_of(services, export).host, export)
    started = start.start_on_demand(
        services, StartRequest(export, Trigger.ON_DEMAND, context.caller.name, resumes=run_id)
    )
    return _started(context, started)


def approve(context: Context, run_id: str, headers: KeyHeaders, body: Held) -> Json[StartedRun]:
    """Say that what holds a run is intended: a new run sends the newest refresh, and is not held for the same again.

    The body is `held` as the run shows it. Only the newest run of an export can be approved, once, while none is in
    progress, and while the export still means the same people and list. Sizes and shares of the new run are measured
    from the approved numbers too; what goes further than they do, or has another cause, holds it anew.
    """
    run = find_usable_run(context, run_id)
    export = find_usable(context, run.export_id)
    held = run.end.held if run.end else None
    if held is None:
        raise Refusal.of(409, "run_not_held", status=run.status)
    if body != held:
        raise Refusal.of(409, "approval_differs", held=held.model_dump_json(by_alias=True))
    approved = Approved(**held.model_dump(), run_id=run_id)
    request = StartRequest(export, Trigger.ON_DEMAND, context.caller.name, approved=approved)
    return _started(context, _start(context, request, headers))


def _described(context: Context, run: Run) -> dict[str, Any]:
    if not is_under_way(run):
        return _facts(run)
    found = under_way(context.services, run)
    return _facts(run, found["traffic"]) | found


def _facts(run: Run, traffic: Traffic | None = None) -> dict[str, Any]:
    traffic = run.end.traffic if run.end else traffic
    shown: dict[str, Any] = {
        "run_id": run.run_id,
        "export_id": run.export_id,
        "trigger": run.trigger,
        "requested_by": run.requested_by,
        "requested_utc": run.requested_utc,
        "status": run.status,
        "resumes": run.resumes,
        "attempt": run.attempt,
        "approved": run.approved,
        "only": run.only,
        "plan": PlanView.of(run.plan) if run.plan else None,
        "cancel": run.cancel,
        "problem": run.end.problem if run.end else run.stop,
        "timeline": _timeline(run, traffic or Traffic()),
        "requests": traffic.requests if traffic else None,
        "waits": traffic.waits if traffic else None,
        "rejects_url": f"/api/runs/{run.run_id}/rejects" if run.plan else None,
        "values_url": f"/api/runs/{run.run_id}/values" if run.plan and any(v.unfit for v in run.plan.values) else None,
    }
    if run.end:
        shown["ended_utc"] = run.end.at
        shown["duration_s"] = round(run.end.at - run.requested_utc)
        shown["tally"] = run.tally
        shown["amended_utc"] = run.amended.at if run.amended else None
        shown["sample"] = run.sample
        shown["warnings"] = run.contradicted
        shown["list_size"] = run.list_size
        shown["resends"] = run.end.resends
        shown["held"] = run.end.held
    else:
        shown["waiting"] = run.waiting
    return shown


def _timeline(run: Run, traffic: Traffic) -> Timeline:
    return Timeline(
        queued_utc=run.requested_utc,
        planned_utc=run.plan.at if run.plan else None,
        first_sent_utc=traffic.first_sent,
        last_sent_utc=traffic.last_sent,
        last_confirmed_utc=traffic.last_confirmed,
        canceled_utc=run.cancel.at if run.cancel else None,
        ended_utc=run.end.at if run.end else None,
        amended_utc=run.amended.at if run.amended else None,
    )


def _started(context: Context, started: Started) -> Json[StartedRun]:
    return Json(StartedRun.model_validate(_answered(context, started)), 202, _watch(started.run))


def _answered(context: Context, started: Started) -> dict[str, Any]:
    return {**_described(context, started.run), "outcome": started.outcome}


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
    return Refusal.of(404, "run_not_found")
