"""Every kind of trigger, through Microsoft's worker library and Azurite."""

import base64
import json
import subprocess
import sys
import textwrap
import uuid
from concurrent.futures import Future
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
import requests
from azure.core.exceptions import HttpResponseError
from azure.storage.queue import QueueClient, QueueMessage

from sandbox.host.queues import QueueListener, Queues
from sandbox.host.settings import QueueOptions
from sandbox.host.worker import Function, Outcome
from sandbox.world import World
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e


def call(world: World, method: str, path: str, **options: Any) -> requests.Response:
    headers = {"x-functions-key": world.function_key} | options.pop("headers", {})
    return requests.request(method, world.url + path, headers=headers, timeout=30, **options)


def seen(world: World) -> list[dict[str, Any]]:
    saw: list[dict[str, Any]] = call(world, "GET", "/api/seen").json()
    return saw


def send(world: World, *messages: dict[str, Any]) -> None:
    assert call(world, "POST", "/api/fan-out", json=messages).status_code == 202


def runs_of(world: World, name: str) -> list[dict[str, Any]]:
    return [entry for entry in seen(world) if entry.get("work", {}).get("name") == name]


def queue(world: World, name: str) -> QueueClient:
    return world.queues.get_queue_client(name)


@pytest.mark.parametrize(
    ("method", "path", "status", "text"),
    [
        ("GET", "/api/things/7", 201, "number 7"),
        ("GET", "/api/things/seven?q=a%20b", 200, "name seven GET a b "),
        ("PUT", "/api/things/7", 200, "name 7 PUT None body"),
        ("DELETE", "/api/things/7", 200, "rest things/7"),
        ("GET", "/api/one/two/three", 200, "rest one/two/three"),
        ("GET", "/elsewhere", 404, ""),
        ("GET", "/api/broken", 500, ""),
    ],
)
def test_the_most_specific_function_answers(host: World, method: str, path: str, status: int, text: str) -> None:
    answer = call(host, method, path, data="body" if method == "PUT" else None)
    assert (answer.status_code, answer.text) == (status, text)


def test_headers_of_the_app_reach_the_caller(host: World) -> None:
    assert call(host, "GET", "/api/things/7").headers["ETag"] == '"1"'


def test_an_answer_to_head_keeps_the_length_that_the_app_tells(host: World) -> None:
    answer = call(host, "HEAD", "/api/long")
    assert (answer.status_code, answer.headers["Content-Length"], answer.content) == (200, "4711", b"")


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [
        ("/api/things/7", "none", 401),
        ("/api/things/7", "wrong", 401),
        ("/api/things/7", "function", 201),
        ("/api/things/7", "master", 201),
        ("/api/for-admins", "function", 401),
        ("/api/for-admins", "master", 200),
        ("/api/seen", "none", 200),
    ],
)
def test_a_function_opens_for_the_keys_of_its_level(host: World, path: str, key: str, status: int) -> None:
    keys = {"none": "", "wrong": "guess", "function": host.function_key, "master": host.master_key}
    in_header = requests.get(host.url + path, headers={"x-functions-key": keys[key]}, timeout=30)
    in_query = requests.get(host.url + path, params={"code": keys[key]}, timeout=30)
    assert in_header.status_code == in_query.status_code == status


def test_several_messages_of_an_output_binding_are_all_processed(host: World) -> None:
    names = [uuid.uuid4().hex for _ in range(6)]
    send(host, *({"name": name} for name in names))
    wait_for(lambda: all(runs_of(host, name) for name in names))


def test_no_more_messages_are_taken_than_run_at_once(host: World) -> None:
    name = uuid.uuid4().hex
    send(host, *({"name": name, "held": 1} for _ in range(3)))

    def taken() -> list[dict[str, Any]]:
        return [run for run in runs_of(host, name) if run["dequeue_count"] == 1]

    try:
        wait_for(lambda: len(taken()) >= 2)
        waiting = queue(host, "upload-lane").peek_messages(max_messages=5)
        assert [message.dequeue_count for message in waiting].count(0) == 1
    finally:
        assert call(host, "POST", f"/api/gates/{name}").status_code == 204
    wait_for(lambda: len(taken()) == 3)
    assert max(run["at_once"] for run in runs_of(host, name)) == 2


def test_a_message_that_keeps_failing_ends_in_the_poison_queue(host: World) -> None:
    message: dict[str, Any] = {"name": uuid.uuid4().hex, "fails": True}
    send(host, message)
    assert json.loads(base64.b64decode(take_from_poison_queue(host))) == message
    assert [run["dequeue_count"] for run in runs_of(host, message["name"])] == [1, 2]


def test_a_message_that_took_the_host_down_too_often_is_not_run_again(host: World) -> None:
    host.stop_host()
    queue(host, "upload-lane").clear_messages()
    name = uuid.uuid4().hex
    body = base64.b64encode(json.dumps({"name": name}).encode()).decode()
    queue(host, "upload-lane").send_message(body)
    for _ in range(2):
        (message,) = queue(host, "upload-lane").receive_messages()
        queue(host, "upload-lane").update_message(message, visibility_timeout=0)
    host.start_host()
    assert take_from_poison_queue(host) == body
    assert not runs_of(host, name)


def test_a_message_that_is_not_base64_goes_to_the_poison_queue_without_a_run(host: World) -> None:
    log_size = host.host_log.stat().st_size
    queue(host, "upload-lane").send_message("{not base64}")
    assert take_from_poison_queue(host) == "{not base64}"
    assert "work failed" not in host.host_log.read_text()[log_size:]


def take_from_poison_queue(world: World) -> str:
    poison = queue(world, "upload-lane-poison")
    wait_for(lambda: poison.queue_name in [entry.name for entry in world.queues.list_queues()])
    (message,) = wait_for(lambda: list(poison.receive_messages()))
    poison.delete_message(message)
    content: str = message.content
    return content


class Running(Future[Outcome]):
    """A function that is found running so many times, and then has ended."""

    def __init__(self, times: int) -> None:
        super().__init__()
        self.times = times
        self.waits_s: list[float | None] = []

    def result(self, timeout: float | None = None) -> Outcome:
        self.waits_s.append(timeout)
        if len(self.waits_s) <= self.times:
            raise TimeoutError
        return Outcome(None)


def test_a_message_is_hidden_anew_in_time_for_as_long_as_its_function_runs(world: World) -> None:
    jobs = queue(world, "long-jobs")
    jobs.create_queue()
    jobs.send_message("work")
    message = jobs.receive_message(visibility_timeout=30)
    assert message
    first_receipt = message.pop_receipt
    hidden_s: list[float] = []

    def update_message(message: QueueMessage, *, visibility_timeout: int) -> QueueMessage:
        hidden_s.append(visibility_timeout)
        return jobs.update_message(message, visibility_timeout=visibility_timeout)

    watched = SimpleNamespace(queue_name=jobs.queue_name, update_message=update_message)
    queues = cast("Queues", SimpleNamespace(client=lambda trigger, suffix="": watched))
    function = Function("long", "id", {"type": "queueTrigger", "queueName": jobs.queue_name}, ())
    listener = QueueListener(function, queues, QueueOptions(), 3_600, lambda *_: Outcome(None))
    running = Running(2)
    listener._wait(message, running)
    assert (running.waits_s, hidden_s) == ([1_800] * 3, [3_600] * 2)
    assert not jobs.peek_messages()
    with pytest.raises(HttpResponseError):
        jobs.delete_message(message.id, first_receipt)
    jobs.delete_message(message)
    assert jobs.get_queue_properties().approximate_message_count == 0


def test_a_timer_that_fails_goes_on(host: World) -> None:
    wait_for(lambda: len([entry for entry in seen(host) if "every_second" in entry]) >= 3)


def test_the_admin_endpoint_runs_a_timer_now(host: World) -> None:
    host.stop_host()
    status_file(host).unlink(missing_ok=True)
    host.start_host()
    answer = call(host, "POST", "/admin/functions/rarely", headers={"x-functions-key": host.master_key}, json={})
    assert answer.status_code == 202
    (run,) = wait_for(lambda: [entry for entry in seen(host) if "rarely" in entry])
    assert run["function"] == "rarely"
    assert run["past_due"] is False
    assert run["rarely"]["Last"] == "0001-01-01T00:00:00+00:00"
    assert run["rarely"]["Next"].endswith("-02-29T02:00:00+00:00")


def status_file(world: World) -> Path:
    return world.folder / "timers" / "rarely.json"


@pytest.mark.parametrize(
    ("path", "key", "status"),
    [("rarely", "function", 401), ("missing", "master", 404), ("things", "master", 404)],
)
def test_the_admin_endpoint_wants_the_master_key_and_a_known_function(
    host: World, path: str, key: str, status: int
) -> None:
    keys = {"function": host.function_key, "master": host.master_key}
    headers = {"x-functions-key": keys[key]}
    assert call(host, "POST", f"/admin/functions/{path}", headers=headers, json={}).status_code == status


def test_a_message_in_the_hands_of_a_killed_host_comes_back(host: World) -> None:
    name = uuid.uuid4().hex
    send(host, {"name": name, "held": 1})
    wait_for(lambda: runs_of(host, name))
    host.kill_host()
    host.start_host()
    (run,) = wait_for(lambda: runs_of(host, name))
    assert run["dequeue_count"] == 2


def test_an_occurrence_missed_while_the_host_was_down_runs_when_it_starts(host: World) -> None:
    host.stop_host()
    status = dict.fromkeys(("Last", "LastUpdated"), "2020-02-29T02:00:00+00:00")
    path = status_file(host)
    path.write_text(json.dumps(status | {"Next": "2024-02-29T02:00:00+00:00"}))
    host.start_host()
    (run,) = wait_for(lambda: [entry for entry in seen(host) if "rarely" in entry])
    assert run["past_due"] is True
    assert run["rarely"]["Next"] == "2024-02-29T02:00:00+00:00"
    wait_for(lambda: json.loads(path.read_text())["Next"] > "2024-02-29T02:00:00+00:00")


def test_a_function_that_is_switched_off_does_not_answer(host: World) -> None:
    host.stop_host()
    host.start_host({"AzureWebJobs.anything.Disabled": "true"})
    assert call(host, "GET", "/api/one/two/three").status_code == 404
    host.stop_host()
    host.start_host()


@pytest.mark.parametrize(
    ("function", "complaint"),
    [
        ('@app.timer_trigger("timer", "%MISSING%")\ndef tick(timer: func.TimerRequest) -> None: ...', "MISSING"),
        ('@app.timer_trigger("timer", "0 0 2 * *")\ndef tick(timer: func.TimerRequest) -> None: ...', "6 fields"),
        ('@app.timer_trigger("timer", "0 0 2 * * *")\ndef tick(clock: func.TimerRequest) -> None: ...', "clock"),
        (
            '@app.queue_trigger("m", "q", "Nowhere")\ndef work(m: func.QueueMessage) -> None: ...',
            "Nowhere__queueServiceUri",
        ),
        ('@app.route("{a}-{b}")\ndef page(req: func.HttpRequest) -> str: ...', "route segment"),
        ("import missing_module", "missing_module"),
        ("", "function_app.py"),
    ],
)
def test_an_app_that_cannot_be_indexed_ends_the_host_with_the_reason(
    tmp_path: Path, function: str, complaint: str
) -> None:
    source = f"import azure.functions as func\napp = func.FunctionApp()\n{function}\n"
    (tmp_path / "function_app.py").write_text(textwrap.dedent(source))
    command = [sys.executable, "-m", "sandbox.host", "--app", str(tmp_path)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert ended.returncode == 3
    assert complaint in ended.stderr
    assert not ended.stdout
