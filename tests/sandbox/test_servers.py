"""The sandbox's servers under a burst of clients, and what `python -m sandbox up` says of them."""

import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from types import SimpleNamespace
from typing import Any, cast

import pytest

from sandbox import activecampaign, loopback
from sandbox.__main__ import directions
from sandbox.activecampaign import Account
from sandbox.loopback import Answer
from sandbox.proxy import Proxy
from sandbox.sign_in import SignIn
from sandbox.world import API_KEY, World

CLIENTS = 150


type Busy = tuple[int, threading.Event]
"""The port of a server that is too busy to accept a connection, and the event that ends this."""


@contextmanager
def a_busy_http_server(server: Any) -> Iterator[Busy]:
    free, get_request = threading.Event(), server._http.get_request
    server._http.get_request = lambda: get_request() if free.wait() else None
    try:
        yield server.port, free
    finally:
        free.set()
        server.close()


@contextmanager
def a_busy_proxy() -> Iterator[Busy]:
    free, proxy = threading.Event(), Proxy([], ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    proxy._loop.call_soon_threadsafe(free.wait)
    try:
        yield int(proxy.url.rpartition(":")[2]), free
    finally:
        free.set()
        proxy.close()


BUSY = {
    "loopback": lambda: a_busy_http_server(loopback.Server(lambda _: Answer(200))),
    "activecampaign": lambda: a_busy_http_server(activecampaign.serve(Account())),
    "proxy": a_busy_proxy,
}


@pytest.fixture(params=BUSY)
def busy(request: pytest.FixtureRequest) -> Iterator[Busy]:
    with BUSY[request.param]() as server:
        yield server


def test_clients_that_come_all_at_once_are_all_answered(busy: Busy) -> None:
    port, free = busy
    with ExitStack() as stack:
        clients = []
        for _ in range(CLIENTS):
            client = stack.enter_context(socket.create_connection(("127.0.0.1", port), timeout=30))
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            clients.append(client)
        free.set()
        assert {client.recv(8) for client in clients} == {b"HTTP/1.1"}


def up_with(account: Account | None, sign_in: SignIn | None = None) -> str:
    return directions(
        cast(
            "World",
            SimpleNamespace(
                url="http://127.0.0.1:7071",
                console_link="http://127.0.0.1:7071/api/console" + ("" if sign_in else "#key=function-key"),
                activecampaign_url="http://127.0.0.1:8181",
                function_key="function-key",
                master_key="master-key",
                account=account,
                sign_in=sign_in,
            ),
        )
    )


def test_the_directions_name_key_and_state_of_the_stand_in_only() -> None:
    ours, another = up_with(Account()), up_with(None)
    for what in (API_KEY, "/_sandbox/state"):
        assert what in ours
        assert what not in another
    assert "http://127.0.0.1:8181" in another


def test_the_directions_begin_with_a_link_that_opens_the_console() -> None:
    assert "/api/console#key=function-key" in up_with(None).strip().splitlines()[0]


def test_the_directions_name_what_opens_the_door() -> None:
    by_key, signed_in = up_with(Account()), up_with(Account(), SignIn(lambda _: Answer(200)))
    assert "function-key" in by_key
    assert "Authorization" not in by_key
    assert "function-key" not in signed_in.replace("x-functions-key", "")
    for what in (" VIEWER=", " NO_ROLE=", "Authorization: Bearer $ADMIN", "/.auth/login/aad"):
        assert what in signed_in
