"""Start the host: `python -m sandbox.host --app FOLDER [--port N]`."""

import argparse
import json
import logging
import os
import signal
import sys
import threading
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import NoReturn

from sandbox.host.queues import QueueListener, Queues, send
from sandbox.host.settings import HostSettings, QueueOptions, SettingsError, is_disabled, read_host_json, route_prefix
from sandbox.host.timers import Timer
from sandbox.host.web import Site
from sandbox.host.worker import Function, IndexingError, Message, Outcome, Worker
from sandbox.loopback import Server

log = logging.getLogger("sandbox.host")

EXIT_NOT_INDEXED = 3
LOG_FORMAT = "%(asctime)s %(levelname)-7s %(name)s: %(message)s"


def main() -> None:
    """Index the app, start its triggers, say so, and run until told to stop."""
    parser = argparse.ArgumentParser(prog="python -m sandbox.host", description=sys.modules["sandbox.host"].__doc__)
    parser.add_argument("--app", type=Path, default=Path(), help="folder of function_app.py and host.json")
    parser.add_argument("--port", type=int, default=0, help="port on the loopback interface; 0 takes a free one")
    parser.add_argument("--exit-with-stdin", action="store_true", help="stop when standard input ends")
    options = parser.parse_args()

    settings = HostSettings.take()
    announcements = os.fdopen(os.dup(sys.stdout.fileno()), "w")
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # what the app prints is log, not announcement
    logging.basicConfig(level=logging.INFO, format=LOG_FORMAT, stream=sys.stderr)
    logging.getLogger("azure.functions").setLevel(logging.WARNING)  # the worker's own lines, not the app's in Azure too
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, exit_at_once)
    if options.exit_with_stdin:
        threading.Thread(target=exit_with_stdin, daemon=True).start()

    try:
        url = start(options.app.resolve(), options.port, settings)
    except (IndexingError, SettingsError, ValueError, OSError) as error:
        print(f"The app cannot be started.\n{error}", file=sys.stderr)
        sys.exit(EXIT_NOT_INDEXED)
    log.info("ready at %s", url)
    print(json.dumps({"ready": True, "url": url}), file=announcements, flush=True)
    threading.Event().wait()


def start(app: Path, port: int, settings: HostSettings) -> str:
    """Index the app and start every trigger. Returns the URL that answers HTTP."""
    host_json = read_host_json(app)
    worker = Worker(app)
    functions = worker.index()
    by_trigger = group_by_trigger(functions)
    queues = Queues(settings)
    run = runner(worker, functions, queues)

    state_folder = Path(settings.state_folder) if settings.state_folder else None
    timers = [Timer(function, run, state_folder) for function in by_trigger["timerTrigger"]]
    queue_options = QueueOptions.from_host_json(host_json)
    listeners = [
        QueueListener(function, queues, queue_options, settings.message_hidden_s, run)
        for function in by_trigger["queueTrigger"]
    ]
    background: list[Timer | QueueListener] = [*timers, *listeners]
    run_now = {trigger.function.name: trigger.run_now for trigger in background}
    web_functions = [function for function in by_trigger["httpTrigger"] if not is_disabled(function.name)]
    site = Site(web_functions, route_prefix(host_json), settings, run, run_now)
    for trigger in background:
        if not is_disabled(trigger.function.name):
            trigger.start()
    return Server(site.answer, port).url


def group_by_trigger(functions: Sequence[Function]) -> dict[str, list[Function]]:
    """Sort functions by the type of their trigger.

    :raises SettingsError: a trigger is not one that this host models.
    """
    grouped: dict[str, list[Function]] = {"httpTrigger": [], "timerTrigger": [], "queueTrigger": []}
    for function in functions:
        kind = function.trigger["type"]
        if kind not in grouped:
            raise SettingsError(f"function {function.name}: expected one of {', '.join(grouped)}, found {kind}")
        grouped[kind].append(function)
    return grouped


def runner(
    worker: Worker, functions: Sequence[Function], queues: Queues
) -> Callable[[Function, Message, dict[str, Message]], Outcome]:
    """Return what runs a function and sends what it left in its queue output bindings. It never raises.

    :raises SettingsError: an output binding's connection or queue name cannot be resolved.
    """
    outputs = {
        (function.name, binding["name"]): queues.client(binding)
        for function in functions
        for binding in function.outputs
        if binding["type"] == "queue"
    }

    def run(function: Function, value: Message, metadata: dict[str, Message]) -> Outcome:
        try:
            outcome = worker.invoke(function, value, metadata)
            for name, output in outcome.outputs.items():
                if (function.name, name) in outputs:
                    send(outputs[function.name, name], output)
        except Exception as error:
            log.exception("%s: it could not be run, or its output not be sent", function.name)
            return Outcome(error=str(error))
        return outcome

    return run


def exit_at_once(*_: object) -> NoReturn:
    """Stop without waiting for running functions; at a scale-in, Azure does not wait for long either."""
    os._exit(0)


def exit_with_stdin() -> NoReturn:
    """Stop this process when its parent is gone, however it went."""
    while os.read(sys.stdin.fileno(), 1024):  # not the buffered reader: its lock would hold up the end of the process
        pass
    os._exit(0)


if __name__ == "__main__":
    main()
