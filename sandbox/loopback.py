"""Plain HTTP on the loopback interface: a function from requests to answers becomes a server."""

import logging
import sys
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qsl, urlsplit

log = logging.getLogger("sandbox.loopback")

BACKLOG = 1024
"""How many connections may wait to be accepted. Those beyond are reset; the library's 5 is less than a burst."""


@dataclass(frozen=True)
class Request:
    """A request as it arrived. `target` is path and query, header names are in lower case."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def path(self) -> str:
        """The path, still percent-encoded."""
        return urlsplit(self.target).path

    @property
    def query(self) -> dict[str, str]:
        """The query parameters; of a repeated one the last."""
        return dict(parse_qsl(urlsplit(self.target).query, keep_blank_values=True))


@dataclass(frozen=True)
class Answer:
    """What goes back."""

    status: int
    headers: Mapping[str, str] = field(default_factory=dict)
    body: bytes = b""


class Server:
    """A running server: a thread for each connection, any method. It logs no request line, which can carry a key."""

    def __init__(self, answer: Callable[[Request], Answer], port: int = 0) -> None:
        """Listen; port 0 takes a free one.

        :raises OSError: the port is taken.
        """

        class Handler(_Handler):
            answer_to = staticmethod(answer)

        try:
            self._http = _HttpServer(("127.0.0.1", port), Handler)
        except OSError as error:
            raise OSError(f"expected port {port} of 127.0.0.1 to be free, found: {error}") from error
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.1,), name="loopback", daemon=True)
        self._thread.start()
        self.port: int = self._http.server_address[1]
        self.url = f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Stop listening."""
        self._http.shutdown()
        self._http.server_close()
        self._thread.join()


class _HttpServer(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = BACKLOG

    def handle_error(self, request: Any, client_address: Any) -> None:  # noqa: ANN401 - as the base class
        """Report what went wrong with a connection, unless the client just went away."""
        if not isinstance(sys.exception(), ConnectionError):
            super().handle_error(request, client_address)


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = -1  # head and body leave together
    answer_to: Callable[[Request], Answer]

    def handle_one_request(self) -> None:
        """Read one request and answer it."""
        self.raw_requestline = self.rfile.readline(65537)
        if not self.raw_requestline:
            self.close_connection = True
        elif self.parse_request():
            headers = {name.lower(): value for name, value in self.headers.items()}
            if "transfer-encoding" in headers:
                self.send_error(HTTPStatus.LENGTH_REQUIRED)
                return
            body = self.rfile.read(int(headers.get("content-length", 0)))
            self._send(self._answer(Request(self.command, self.path, headers, body)))

    def _answer(self, request: Request) -> Answer:
        try:
            return self.answer_to(request)
        except Exception:
            log.exception("a request could not be answered")
            return Answer(HTTPStatus.INTERNAL_SERVER_ERROR)

    def _send(self, answer: Answer) -> None:
        self.send_response(answer.status)
        # An answer to HEAD may tell the length of the body that GET would get.
        length = str(len(answer.body))
        for name, value in answer.headers.items():
            if name.lower() != "content-length":
                self.send_header(name, value)
            elif self.command == "HEAD":
                length = value
        if answer.status != HTTPStatus.NO_CONTENT:
            self.send_header("Content-Length", length)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        """Say nothing."""
