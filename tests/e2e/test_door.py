"""Requests that no client library would send, on a socket: whatever they claim, nothing opens without a key."""

from __future__ import annotations

import itertools
import socket

import pytest

from sandbox.world import port_of
from tests.e2e.app import App

pytestmark = pytest.mark.e2e

HOSTS = (
    "evil/api/connections?",
    "evil/api/connections#",
    "evil/api/exports/newsletter?",
    "x@y/api/connections?",
    "evil\\api\\connections?",
    "[::1]/api/connections?",
    "a b",
    "",
)
TARGETS = (
    "/api/health",
    "/api/health/",
    "/api//health",
    "/api/health%2F..%2Fconnections",
    "/api/health/%2e%2e/connections",
    "/api/HEALTH",
    "http://evil/api/connections?/api/health",
    "/api/connections",
    "/api/runs/x%2Frejects",
)
METHODS = ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS")


def send(port: int, method: str, target: str, host: str) -> bytes:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as connection:
        lines = (f"{method} {target} HTTP/1.1", f"Host: {host}", "Connection: close", "Content-Length: 0", "", "")
        connection.sendall("\r\n".join(lines).encode("latin-1"))
        return b"".join(iter(lambda: connection.recv(65_536), b""))


def test_nothing_but_health_answers_without_a_key(app: App) -> None:
    port = port_of(app.world.url)
    for method, target, host in itertools.product(METHODS, TARGETS, (*HOSTS, f"127.0.0.1:{port}")):
        answer = send(port, method, target, host)
        status, body = answer.split(b" ", 2)[1], answer.partition(b"\r\n\r\n")[2]
        told = f"{method} {target} Host: {host!r}: {answer[:200]!r}"
        assert status in (b"200", b"204", b"400", b"401", b"404", b"405"), told
        if status == b"200":
            assert body in (b"", b'{"status":"ok"}'), told
