"""How long the clients of Azure wait for a service that takes a request and never answers."""

from __future__ import annotations

import io
import socket
import socketserver
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import azure.identity
import pytest
import requests.adapters
import trustme
import urllib3
from azure.core.credentials import AccessToken

from exporter import bootstrap
from exporter.errors import Unavailable
from exporter.services import Services
from tests.fakes import SETTINGS

CALLS: dict[str, Callable[[Services], object]] = {
    "a read of a record": lambda services: services.blobs.read("records/x.json"),
    "an append to a ledger": lambda services: services.blobs.append("records/x.jsonl", b"{}\n", 0),
    "a read of a segment": lambda services: services.segments.read("people/people_1.csv"),
    "a message": lambda services: services.messages.send("plan-run", {"runId": "x"}),
    "a secret": lambda services: services.secrets.get("connection-main"),
}
each_call = pytest.mark.parametrize("call", [pytest.param(call, id=name) for name, call in CALLS.items()])


class Credential:
    """An identity that always gets a token, and from nowhere."""

    def __init__(self, **_: Any) -> None: ...

    def get_token(self, *_: str, **__: Any) -> AccessToken:
        return AccessToken("token", int(time.time()) + 3_600)


@pytest.fixture
def services(monkeypatch: pytest.MonkeyPatch) -> Callable[[], Services]:
    """Make the services of a process, as the app does."""
    monkeypatch.setattr(azure.identity, "DefaultAzureCredential", Credential)
    for name, value in SETTINGS.items():
        monkeypatch.setenv(name, value)
    return bootstrap.services.__wrapped__


@each_call
def test_a_call_that_is_never_answered_fails_before_its_worker_counts_as_dead(
    call: Callable[[Services], object], services: Callable[[], Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited_s: list[float] = []

    def never_answer(*_: object, timeout: tuple[float, float], **__: object) -> None:
        waited_s.extend(timeout)  # to connect, and then for the answer
        raise requests.exceptions.ReadTimeout

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", never_answer)
    monkeypatch.setattr(time, "sleep", waited_s.append)
    made = services()
    with pytest.raises(Unavailable):
        call(made)
    assert 25 <= sum(waited_s) < made.settings.lane_stale_s


def answer(status: int, **headers: str) -> requests.Response:
    """Return an answer without a body."""
    response = requests.Response()
    response.status_code, response.raw = status, urllib3.HTTPResponse(io.BytesIO(), preload_content=False)
    response.headers.update({name.replace("_", "-"): value for name, value in headers.items()})
    return response


@each_call
def test_a_service_that_wants_to_be_asked_in_an_hour_holds_nobody_that_long(
    call: Callable[[Services], object], services: Callable[[], Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    waited_s: list[float] = []
    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", lambda *_, **__: answer(503, Retry_After="3600"))
    monkeypatch.setattr(time, "sleep", waited_s.append)
    with pytest.raises(Unavailable):
        call(services())
    assert sum(waited_s) < 60


CHALLENGE = 'Bearer authorization="https://login.microsoftonline.com/tenant", resource="https://vault.azure.net"'


@each_call
def test_an_identity_that_is_never_given_fails_before_its_worker_counts_as_dead(
    call: Callable[[Services], object], services: Callable[[], Services], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.undo()
    environment = {"IDENTITY_ENDPOINT": "http://127.0.0.1:1/msi/token", "IDENTITY_HEADER": "header"}
    for name, value in (SETTINGS | environment | {"AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential"}).items():
        monkeypatch.setenv(name, value)
    waited_s: list[float] = []

    def send(_: object, request: Any, *, timeout: tuple[float, float], **__: object) -> requests.Response:
        if "vault" in request.url.partition("?")[0]:
            return answer(401, WWW_Authenticate=CHALLENGE)
        waited_s.extend(timeout)
        raise requests.exceptions.ReadTimeout

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", send)
    monkeypatch.setattr(time, "sleep", waited_s.append)
    made = services()
    with pytest.raises(Unavailable) as caught:
        call(made)
    assert caught.value.code == "identity_unavailable"
    assert 25 <= sum(waited_s) < made.settings.lane_stale_s


class Silent(socketserver.ThreadingTCPServer):
    """Takes connections with TLS and requests, and never answers."""

    daemon_threads = True

    def __init__(self, context: ssl.SSLContext) -> None:
        self.requests = 0
        self._context = context
        super().__init__(("127.0.0.1", 0), socketserver.BaseRequestHandler)

    def finish_request(self, request: Any, client_address: Any) -> None:
        with self._context.wrap_socket(request, server_side=True) as connection:
            self.requests += bool(connection.recv(1))
            while connection.recv(65_536):
                pass


@pytest.fixture
def silent(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Silent]:
    kind: type[Silent] = getattr(request, "param", Silent)
    authority = trustme.CA()
    authority.cert_pem.write_to_path(tmp_path / "ca.pem")
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("*.blob.core.windows.net", "*.queue.core.windows.net", "*.vault.azure.net").configure_cert(
        context
    )
    with kind(context) as server:
        threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
        found = [(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP, "", server.server_address)]
        monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: found)
        monkeypatch.setenv("NO_PROXY", "*")
        yield server
        server.shutdown()


HANG_S = 60.0
"""Far more than the limits in use and far less than the libraries' own, of which the shortest is 60 s, four times."""


@each_call
def test_every_client_keeps_the_time_limits(
    call: Callable[[Services], object],
    services: Callable[[], Services],
    silent: Silent,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    limits = {"connection_timeout": HANG_S, "read_timeout": 0.2, "retry_total": 1}
    pauses = {"initial_backoff": 0, "increment_base": 0, "random_jitter_range": 0}
    monkeypatch.setattr(bootstrap, "TIMEOUTS", limits)
    monkeypatch.setattr(bootstrap, "BACKOFF", pauses)
    made = services()
    failed: list[Unavailable] = []

    def fail() -> None:
        with pytest.raises(Unavailable) as caught:
            call(made)
        failed.append(caught.value)

    caller = threading.Thread(target=fail, daemon=True)
    caller.start()
    caller.join(HANG_S)
    assert failed
    deadline = time.monotonic() + HANG_S
    while silent.requests < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    assert silent.requests == 2


class Busy(Silent):
    """Answers 404 to each request, keeps connections, and counts them."""

    request_queue_size = 128

    def finish_request(self, request: Any, client_address: Any) -> None:
        self.requests += 1
        with suppress(ConnectionError), self._context.wrap_socket(request, server_side=True) as connection:
            while connection.recv(65_536):
                connection.sendall(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n")


@pytest.mark.parametrize("silent", [Busy], indirect=True)
@pytest.mark.parametrize("name", ["a read of a record", "a read of a segment"])
def test_each_thread_of_the_worker_keeps_its_connection(
    name: str, services: Callable[[], Services], silent: Silent
) -> None:
    made = services()
    together = threading.Barrier(made.settings.threads)

    def caller() -> None:
        for _ in range(3):
            together.wait(HANG_S)
            CALLS[name](made)

    callers = [threading.Thread(target=caller, daemon=True) for _ in range(together.parties)]
    for one in callers:
        one.start()
    for one in callers:
        one.join(HANG_S)
    assert 0 < silent.requests <= together.parties
