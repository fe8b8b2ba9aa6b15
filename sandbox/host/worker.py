"""Microsoft's Python worker library, called as the host calls it: init, metadata, load, invocation."""

import asyncio
import json
import logging
import sys
import threading
import time
import uuid
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import azure_functions_runtime as library  # type: ignore[import-untyped]  # Microsoft ships it without types

log = logging.getLogger("sandbox.host")


class IndexingError(Exception):
    """The app cannot be indexed, in Azure no more than here. The text is the library's own."""


class Message(SimpleNamespace):
    """A message of the worker protocol. The library wants attributes; it need not be a protobuf that has them."""

    def WhichOneof(self, _group: str) -> str | None:  # noqa: N802 - the name protobuf gives it
        """Return the name of the one field that is set."""
        return next(iter(vars(self)), None)


class StatusResult(Message):
    """How a request went: `status`, and on failure `exception`."""

    Failure = "Failure"
    Success = "Success"


class BindingInfo(Message):
    """A binding. The numbers are those of `BindingDirection` and `DataType` in `azure.functions.decorators.core`."""

    undefined = 0
    out = 1
    inout = 2


def refuse_retry_policy(**_: object) -> Message:
    """Stand where the retry policy's message would be."""
    raise NotImplementedError("a function declares a retry policy, which this host does not model; remove @app.retry")


PROTOS = SimpleNamespace(
    BindingInfo=BindingInfo,
    FunctionLoadResponse=Message,
    FunctionMetadataResponse=Message,
    InvocationResponse=Message,
    ParameterBinding=Message,
    RpcException=Message,
    RpcFunctionMetadata=Message,
    RpcHttp=Message,
    RpcRetryOptions=refuse_retry_policy,
    StatusResult=StatusResult,
    TypedData=Message,
    WorkerInitResponse=Message,
    WorkerMetadata=Message,
)


@dataclass(frozen=True)
class Function:
    """An indexed function: its name, the library's id for it, and its bindings as in `function.json`."""

    name: str
    id: str
    trigger: Mapping[str, Any]
    outputs: tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Outcome:
    """What an invocation came to: `outputs` by binding name (`$return` is one); `error` is None on success."""

    error: str | None
    outputs: Mapping[str, Message] = field(default_factory=dict)


class Worker:
    """The worker library with one app. It keeps its state in module globals, so a process has one `Worker`."""

    def __init__(self, app: Path) -> None:
        """Prepare to run the app in the folder `app`; nothing of it is imported yet."""
        self._app = app
        self._loop = asyncio.new_event_loop()
        threading.Thread(target=self._loop.run_forever, name="worker", daemon=True).start()

    def index(self) -> list[Function]:
        """Import the app and return its functions.

        :raises IndexingError: the app does not import, or a function's bindings do not fit its signature.
        """
        sys.path.insert(0, str(self._app))
        library.start_threadpool_executor()
        capabilities = Message(capabilities={}, function_app_directory=str(self._app))
        started = self._call(library.worker_init_request(request("worker_init_request", capabilities)))
        if started.result.status == StatusResult.Failure:
            raise IndexingError(f"{started.result.exception.message}\n{started.result.exception.stack_trace}")
        metadata = self._call(library.functions_metadata_request(request("functions_metadata_request", Message())))
        if not metadata.function_metadata_results:
            raise IndexingError(f"expected functions in {self._app / 'function_app.py'}, found none")
        functions = [function_of(result) for result in metadata.function_metadata_results]
        for function in functions:
            load = Message(function_id=function.id)
            self._call(library.function_load_request(request("function_load_request", load)))
        return functions

    def invoke(self, function: Function, value: Message, metadata: Mapping[str, Message] | None = None) -> Outcome:
        """Run a function on the value of its trigger, wait for it, and log a failure."""
        started = time.monotonic()
        invocation = Message(
            invocation_id=str(uuid.uuid4()),
            function_id=function.id,
            input_data=[ParameterInput(name=function.trigger["name"], data=value)],
            trigger_metadata=metadata or {},
            trace_context=Message(trace_parent="", trace_state="", attributes={}),
            retry_context=Message(retry_count=0, max_retry_count=0, exception=None),
        )
        answer = self._call(library.invocation_request(request("invocation_request", invocation)))
        elapsed_ms = round(1000 * (time.monotonic() - started))
        if answer.result.status == StatusResult.Failure:
            trace = answer.result.exception.stack_trace
            log.error(
                "%s failed after %d ms (invocation %s)\n%s", function.name, elapsed_ms, invocation.invocation_id, trace
            )
            return Outcome(error=answer.result.exception.message)
        log.debug("%s succeeded after %d ms (invocation %s)", function.name, elapsed_ms, invocation.invocation_id)
        outputs = {binding.name: binding.data for binding in answer.output_data}
        if answer.return_value is not None:
            outputs["$return"] = answer.return_value
        return Outcome(error=None, outputs=outputs)

    def _call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:  # noqa: ANN401 - the library is untyped
        return asyncio.run_coroutine_threadsafe(coroutine, self._loop).result()


class ParameterInput(Message):
    """An argument of an invocation; its value is always given in the message, never in shared memory."""

    def WhichOneof(self, _group: str) -> str:  # noqa: N802 - the name protobuf gives it
        """Return where the value is."""
        return "data"


def request(name: str, content: Message) -> Message:
    """Wrap a request as the worker process in Azure does: the host's message classes travel along."""
    return Message(request=Message(**{name: content}), properties={"host": "127.0.0.1", "protos": PROTOS})


def function_of(metadata: Message) -> Function:
    """Read the library's metadata of one function."""
    bindings = [json.loads(binding) for binding in metadata.raw_bindings]
    trigger = next(binding for binding in bindings if binding["type"].lower().endswith("trigger"))
    outputs = tuple(binding for binding in bindings if binding["direction"] == "OUT")
    return Function(metadata.name, metadata.function_id, trigger, outputs)
