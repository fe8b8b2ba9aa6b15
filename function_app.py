"""The triggers: turn a timer, a request or a message into one call of a step. Importing this connects to nothing."""

from __future__ import annotations

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

ANY_METHOD = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
"""Every HTTP function accepts every method, so that a wrong one gets a problem answer instead of the host's 404."""


@app.timer_trigger(arg_name="timer", schedule="%EXPORT_SCHEDULE%")
def scheduled_start(timer: func.TimerRequest) -> None:
    """Start every export that has an active schedule."""
    from exporter import triggers

    triggers.scheduled_start(getattr(timer, "schedule_status", None), past_due=timer.past_due)


@app.timer_trigger(arg_name="timer", schedule="%SWEEP_SCHEDULE%")
def sweep(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger needs an argument
    """Look for work that has stopped, and restart it."""
    from exporter import triggers

    triggers.sweep()


@app.queue_trigger(arg_name="message", queue_name="plan-run", connection="ExportStorage")
def plan_run(message: func.QueueMessage) -> None:
    """Plan a run: read its segments, cut batches."""
    from exporter import triggers

    triggers.plan_run(message.get_body())


@app.queue_trigger(arg_name="message", queue_name="upload-lane", connection="ExportStorage")
def upload_lane(message: func.QueueMessage) -> None:
    """Work on a lane of a run: send its batches, ask for the outcomes of imports."""
    from exporter import triggers

    triggers.upload_lane(message.get_body())


@app.queue_trigger(arg_name="message", queue_name="upload-lane-poison", connection="ExportStorage")
def upload_lane_poison(message: func.QueueMessage) -> None:
    """Report a message that failed too often; the sweep continues the lane."""
    from exporter import triggers

    triggers.poisoned("upload-lane", message.get_body())


@app.queue_trigger(arg_name="message", queue_name="plan-run-poison", connection="ExportStorage")
def plan_run_poison(message: func.QueueMessage) -> None:
    """Report a message that failed too often; the sweep continues the run."""
    from exporter import triggers

    triggers.poisoned("plan-run", message.get_body())


@app.route("exports/{id}/runs", methods=ANY_METHOD)
def run_export(req: func.HttpRequest) -> func.HttpResponse:
    """Start a run of an export (POST); list its runs (GET)."""
    return _answer(req, "exports", req.route_params["id"], "runs")


@app.route("runs/{id}", methods=ANY_METHOD)
def run_status(req: func.HttpRequest) -> func.HttpResponse:
    """Show a run."""
    return _answer(req, "runs", req.route_params["id"])


@app.route("health", methods=ANY_METHOD, auth_level=func.AuthLevel.ANONYMOUS)
def health(req: func.HttpRequest) -> func.HttpResponse:
    """Report whether the app is live and configured."""
    return _answer(req, "health")


@app.route("{*path}", methods=ANY_METHOD)
def api(req: func.HttpRequest) -> func.HttpResponse:
    """Answer every other request; `exporter/api/routes.py` has the table."""
    return _answer(req, *req.route_params.get("path", "").split("/"))


def _answer(req: func.HttpRequest, *path: str) -> func.HttpResponse:
    """Answer for the function's own path: its route says what it answers, not the URL, whose host the caller names."""
    from exporter import triggers

    status, headers, body = triggers.answer(req.method, path, req.url, dict(req.headers), req.get_body())
    return func.HttpResponse(body, status_code=status, headers=headers)
