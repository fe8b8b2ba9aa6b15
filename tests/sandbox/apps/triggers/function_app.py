"""A small app with every kind of trigger; `GET /api/seen` tells what its functions saw.

A message `{"name": ..., "held": n}` is held up in its first `n` deliveries until `POST /api/gates/<name>`.
"""

import json
import threading
from collections import defaultdict
from typing import Any, List  # noqa: UP035 - the worker library wants typing.List in an Out annotation

import azure.functions as func

app = func.FunctionApp(http_auth_level=func.AuthLevel.FUNCTION)

seen: list[dict[str, Any]] = []
running: list[dict[str, Any]] = []
gates: defaultdict[str, threading.Event] = defaultdict(threading.Event)


@app.route("seen", methods=["GET"], auth_level=func.AuthLevel.ANONYMOUS)
def show(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(json.dumps(seen), mimetype="application/json")


@app.route("gates/{name}", methods=["POST"])
def open_gate(req: func.HttpRequest) -> func.HttpResponse:
    gates[req.route_params["name"]].set()
    return func.HttpResponse(status_code=204)


@app.route("things/{id:int}", methods=["GET"])
def thing_by_number(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"number {req.route_params['id']}", status_code=201, headers={"ETag": '"1"'})


@app.route("things/{name}", methods=["GET", "PUT"])
def thing_by_name(req: func.HttpRequest) -> str:
    return f"name {req.route_params['name']} {req.method} {req.params.get('q')} {req.get_body().decode()}"


@app.route("{*path}")
def anything(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(f"rest {req.route_params['path']}")


@app.route("long", methods=["HEAD"])
def long(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse(headers={"Content-Length": "4711"})


@app.route("for-admins", auth_level=func.AuthLevel.ADMIN)
def for_admins(req: func.HttpRequest) -> func.HttpResponse:
    return func.HttpResponse("welcome")


@app.route("broken")
def broken(req: func.HttpRequest) -> func.HttpResponse:
    raise RuntimeError("a request that fails")


@app.route("fan-out", methods=["POST"])
@app.queue_output("messages", "%WORK_QUEUE%", "ExportStorage")
def fan_out(req: func.HttpRequest, messages: func.Out[List[str]]) -> func.HttpResponse:  # noqa: UP006
    messages.set([json.dumps(message) for message in req.get_json()])
    return func.HttpResponse(status_code=202)


@app.queue_trigger("message", "%WORK_QUEUE%", "ExportStorage")
def work(message: func.QueueMessage) -> None:
    content = message.get_json()
    running.append(content)
    seen.append({"work": content, "dequeue_count": message.dequeue_count, "at_once": len(running)})
    try:
        if (message.dequeue_count or 0) <= content.get("held", 0):
            gates[content["name"]].wait()
        if content.get("fails"):
            raise RuntimeError("a message that fails")
    finally:
        running.remove(content)


@app.timer_trigger("timer", "* * * * * *")
def every_second(timer: func.TimerRequest) -> None:
    seen.append({"every_second": status_of(timer)})
    raise RuntimeError("a timer that fails")


@app.timer_trigger("timer", "%RARELY%")
def rarely(timer: func.TimerRequest, context: func.Context) -> None:
    seen.append({"rarely": status_of(timer), "past_due": timer.past_due, "function": context.function_name})


def status_of(timer: func.TimerRequest) -> Any:
    return timer.schedule_status  # type: ignore[attr-defined]  # the published type lacks it; what is handed over has it
