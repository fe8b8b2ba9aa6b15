"""How the app calls itself, on a server of its own."""

from __future__ import annotations

import http.server
import ssl
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
import trustme

from exporter.adapters import own_address
from exporter.adapters.own_address import MAX_ANSWER_BYTES, OwnAddress


class Handler(http.server.BaseHTTPRequestHandler):
    seen: list[tuple[str, dict[str, str]]]
    status, body = 200, b"{}"

    def do_GET(self) -> None:
        self.seen.append((self.path, {name.lower(): value for name, value in self.headers.items()}))
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.send_header("Content-Length", str(len(self.body)))
        self.end_headers()
        self.wfile.write(self.body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture
def handler() -> type[Handler]:
    return type("ThisHandler", (Handler,), {"seen": []})


@pytest.fixture
def host(handler: type[Handler], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    authority = trustme.CA()
    authority.cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(tmp_path / "ca.pem"))
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    server.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that does not trust it is no news
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    yield f"localhost:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("path", ["/api/me", "/api/health/../me", "/api/health/%2E%2E/me"])
def test_the_path_leaves_as_it_is_written(handler: type[Handler], host: str, path: str) -> None:
    assert OwnAddress().get(host, path, {"X-Forged": "x"}) == (200, b"{}")
    ((asked, headers),) = handler.seen
    assert asked == path
    assert headers["x-forged"] == "x"
    assert not headers.keys() & {"cookie", "authorization"}


def test_a_redirect_is_an_answer_and_not_followed(handler: type[Handler], host: str) -> None:
    handler.status = 302
    assert OwnAddress().get(host, "/api/me", {}) == (302, b"{}")
    assert len(handler.seen) == 1


def test_of_a_large_answer_only_the_beginning_is_read(handler: type[Handler], host: str) -> None:
    handler.body = b"x" * (MAX_ANSWER_BYTES + 1)
    assert OwnAddress().get(host, "/api/me", {}) == (200, b"x" * MAX_ANSWER_BYTES)


def test_who_cannot_be_reached_or_trusted_is_no_answer(
    host: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(own_address, "TIMEOUTS_S", (0.5, 0.5))
    assert OwnAddress().get("localhost:1", "/api/me", {}) is None
    assert OwnAddress().get("nowhere.invalid", "/api/me", {}) is None
    trustme.CA().cert_pem.write_to_path(str(tmp_path / "ca.pem"))
    assert OwnAddress().get(host, "/api/me", {}) is None
