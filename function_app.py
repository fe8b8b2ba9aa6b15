"""The triggers: turn a timer, a request or a message into one call of a step. Importing this connects to nothing."""

from __future__ import annotations

import os

import azure.functions as func

LEVEL = func.AuthLevel.ANONYMOUS if os.environ.get("SIGN_IN") == "entra" else func.AuthLevel.FUNCTION
"""What the host asks of callers. Where people sign in, the platform in front of the host says who calls, and the app
refuses whoever it does not name; the host knows nothing of that, and would ask a browser for a function key as well
(https://github.com/Azure/azure-functions-host/issues/33)."""

app = func.FunctionApp(http_auth_level=LEVEL)

ANY_METHOD = ["GET", "HEAD", "OPTIONS", "POST", "PUT", "PATCH", "DELETE"]
"""Every HTTP function accepts every method, so that a wrong one gets a problem answer instead of the host's 404."""


@app.timer_trigger(arg_name="timer", schedule="%LOOK_SCHEDULE%")
def scheduled_start(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger needs an argument
    """Look which exports are due, by their times or because their segments were refreshed, and start them."""
    from exporter import triggers

    triggers.scheduled_start()


@app.timer_trigger(arg_name="timer", schedule="%SWEEP_SCHEDULE%")
def sweep(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger needs an argument
    """Look for work that has stopped, and restart it."""
    from exporter import triggers

    triggers.sweep()


def check_door(timer: func.TimerRequest) -> None:  # noqa: ARG001 - the trigger needs an argument
    """Test whether the app believes what a caller from outside claims to be: hourly, and when it starts."""
    from exporter import triggers

    triggers.check_door()


if LEVEL is func.AuthLevel.ANONYMOUS:
    app.timer_trigger(arg_name="timer", schedule="0 41 * * * *", run_on_startup=True)(check_door)


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


@app.route("console/{*path}", methods=ANY_METHOD, auth_level=func.AuthLevel.ANONYMOUS)
def console(req: func.HttpRequest) -> func.HttpResponse:
    """Show the page; it holds no data, and calls the API as whoever signs in."""
    from exporter import triggers

    status, headers, body = triggers.console(req.method, req.route_params.get("path", ""), dict(req.headers))
    return func.HttpResponse(body, status_code=status, headers=headers)


@app.route("{*path}", methods=ANY_METHOD)
def api(req: func.HttpRequest) -> func.HttpResponse:
    """Answer every other request; `exporter/api/routes.py` has the table."""
    return _answer(req, *req.route_params.get("path", "").split("/"))


def _answer(req: func.HttpRequest, *path: str) -> func.HttpResponse:
    """Answer for the function's own path: its route says what it answers, not the URL, whose host the caller names."""
    from exporter import triggers

    status, headers, body = triggers.answer(req.method, path, req.url, dict(req.headers), req.get_body())
    return func.HttpResponse(body, status_code=status, headers=headers)
