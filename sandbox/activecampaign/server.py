"""The account on a loopback port: plain HTTP/1.1 with keep-alive. TLS, where wanted, ends in front of it."""

import contextlib
import socket
import sys
import threading
from http.server import BaseHTTPRequestHandler
from socketserver import ThreadingTCPServer
from typing import Any, Final, Self
from urllib.parse import urlsplit

from sandbox.activecampaign import control
from sandbox.activecampaign.account import Account
from sandbox.activecampaign.answers import Answer, ConnectionDropped
from sandbox.loopback import BACKLOG

_MAX_BODY_BYTES: Final = 64 * 1024 * 1024
_SHUTDOWN_POLL_S: Final = 0.1
_CLOSE_WITHIN_S: Final = 5.0


def serve(account: Account, port: int = 0) -> "Server":
    """Serve `account` on 127.0.0.1; port 0 takes a free one. Close what is returned, or use it in `with`."""
    return Server(account, port)


class Server:
    """A running server."""

    def __init__(self, account: Account, port: int) -> None:
        """Listen at once, answer from a thread. `url` is without a slash at the end."""
        self.account = account
        self._http = _HttpServer(account, port)
        self.port: int = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(_SHUTDOWN_POLL_S,), daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop: no new connection, and the open ones end."""
        self._http.closing.set()
        self._http.shutdown()
        self._http.end_connections()
        self._http.server_close()
        self._thread.join()

    def __enter__(self) -> Self:
        """Return the server itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


class _HttpServer(ThreadingTCPServer):  # not HTTPServer, which asks the name service for its own name
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = BACKLOG

    def __init__(self, account: Account, port: int) -> None:
        super().__init__(("127.0.0.1", port), _Handler)
        self.account = account
        self.closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._one_ended = threading.Condition()

    def process_request_thread(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class
        with self._one_ended:
            self._open.add(request)
        try:
            super().process_request_thread(request, client_address)
        finally:
            with self._one_ended:
                self._open.discard(request)
                self._one_ended.notify_all()

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class
        """Report what went wrong with a connection, unless the client just went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)

    def end_connections(self) -> None:
        with self._one_ended:
            for connection in self._open:
                _hang_up(connection)
            self._one_ended.wait_for(lambda: not self._open, _CLOSE_WITHIN_S)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = "cloudflare"  # what stands in front of the original
    sys_version = ""
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave in one write: a head alone would wait for the client's delayed ACK
    server: _HttpServer

    def _respond(self) -> None:
        body = self._body()
        if body is None:
            return
        url = urlsplit(self.path)
        try:
            if url.path.startswith(control.PREFIX):
                answer = control.handle(self.server.account, self.command, url.path, url.query, body)
            else:
                answer = self.server.account.handle(self.command, url.path, url.query, dict(self.headers), body)
            self._send(answer)
        except ConnectionError:  # dropped on purpose, or the client went away first
            self.close_connection = True

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = _respond  # noqa: N815 - the base class looks for these names

    def _body(self) -> bytes | None:
        """Return the request's body; None when it has been refused, which closes the connection too."""
        length = self.headers.get("Content-Length", "0")
        if "Transfer-Encoding" in self.headers or not length.isdecimal():
            self.send_error(411)
            return None
        if int(length) > _MAX_BODY_BYTES:
            self.send_error(413)
            return None
        return self.rfile.read(int(length))

    def _send(self, answer: Answer) -> None:
        self.server.closing.wait(answer.delay_s)
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if answer.drip_s:
            self._drip(answer)
        else:
            self.wfile.write(answer.body[: answer.cut_at])
        if answer.cut_at is not None:
            self.wfile.flush()
            raise ConnectionDropped

    def _drip(self, answer: Answer) -> None:
        for byte in answer.body:
            self.wfile.write(bytes([byte]))
            self.wfile.flush()
            if self.server.closing.wait(answer.drip_s):
                raise ConnectionDropped

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as the base class
        """Keep quiet: the account has a request log."""


def _hang_up(connection: socket.socket) -> None:
    with contextlib.suppress(OSError):  # closed by the other side
        connection.shutdown(socket.SHUT_RDWR)
