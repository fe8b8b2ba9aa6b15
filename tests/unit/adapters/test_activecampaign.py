"""HTTPS to ActiveCampaign, against a server on this machine that misbehaves on request."""

import gzip
import http.server
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests.adapters
import trustme

from exporter.activecampaign.wire import Answer, AnswerLost, NotSent, Request
from exporter.adapters.activecampaign import MAX_ANSWER_BYTES, Client
from tests.waiting import wait_for

KEY = "key-0123456789"
USER_AGENT = "segment-exporter/0.1.0"


@dataclass
class Seen:
    """What the server saw: the number of connections, each request, and whether a client hung up on it."""

    connections: int = 0
    hung_up: bool = False
    requests: list[tuple[str, str, dict[str, str], bytes]] = field(default_factory=list)


class Handler(http.server.BaseHTTPRequestHandler):
    """Answers by path."""

    protocol_version = "HTTP/1.1"
    seen: Seen

    def setup(self) -> None:
        super().setup()
        self.seen.connections += 1

    def do_GET(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        headers = {name.lower(): value for name, value in self.headers.items()}
        self.seen.requests.append((self.command, self.path, headers, body))
        try:
            ANSWERS[self.path.partition("?")[0]](self)
        except OSError:
            self.seen.hung_up = self.close_connection = True

    do_POST = do_GET  # noqa: N815 - the library's name

    def reply(self, status: int, body: bytes, **headers: str) -> None:
        self.send_response(status)
        for name, value in {"Content_Length": str(len(body)), **headers}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()
        self.wfile.write(body)

    def raw(self, data: bytes) -> None:
        self.wfile.write(data)
        self.close_connection = True

    def log_message(self, *_: object) -> None:
        pass


def drip(handler: Handler, data: bytes) -> None:
    """A byte every 50 ms: each wait is short, all together have no end."""
    handler.wfile.write(data)
    while True:  # until the client hangs up
        time.sleep(0.05)
        handler.wfile.write(b"x")


def chunks(handler: Handler) -> None:
    handler.wfile.write(b'HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{"a\r\n4\r\n":1}\r\n0\r\n\r\n')


ZEROS = gzip.compress(bytes(40 * MAX_ANSWER_BYTES))
ANSWERS: dict[str, Callable[[Handler], None]] = {
    "/ok": lambda h: h.reply(200, b'{"success":1}', X_Request_Id="abc-1", Set_Cookie="PHPSESSID=1; path=/"),
    "/chunks": chunks,
    "/gzip": lambda h: h.reply(200, gzip.compress(b'{"a":1}'), Content_Encoding="gzip"),
    "/refused": lambda h: h.reply(400, b'{"success":0}'),
    "/down": lambda h: h.reply(503, b"<html>", Retry_After="7"),
    "/redirect": lambda h: h.reply(307, b"elsewhere", Location="/ok"),
    "/huge-redirect": lambda h: h.reply(302, ZEROS, Content_Encoding="gzip", Location="/ok"),
    "/full": lambda h: h.reply(200, b"x" * MAX_ANSWER_BYTES),
    "/over": lambda h: h.reply(200, b"x" * (MAX_ANSWER_BYTES + 1)),
    "/bomb": lambda h: h.reply(200, ZEROS, Content_Encoding="gzip"),
    "/twice": lambda h: h.reply(200, gzip.compress(gzip.compress(b"{}")), Content_Encoding="gzip, gzip"),
    "/brotli": lambda h: h.reply(200, b"{}", Content_Encoding="br"),
    "/not-gzip": lambda h: h.reply(200, b"{}", Content_Encoding="gzip"),
    "/close": lambda h: h.raw(b""),
    "/cut": lambda h: h.raw(b'HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"success":1}'),
    "/cut-chunk": lambda h: h.raw(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\n{}"),
    "/no-http": lambda h: h.raw(b"SSH-2.0-OpenSSH_9.6\r\n"),
    "/drip": lambda h: drip(h, b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n"),
    "/drip-header": lambda h: drip(h, b"HTTP/1.1 200 OK\r\nX-Long: "),
    "/silent": lambda h: h.raw(h.rfile.read(1)),  # until the client hangs up
}


@pytest.fixture(scope="module")
def authority() -> trustme.CA:
    return trustme.CA()


@pytest.fixture
def seen() -> Seen:
    return Seen()


@pytest.fixture
def server(authority: trustme.CA, seen: Seen) -> Iterator[str]:
    """A server for `localhost` and `acme.api-us1.com`; gives its host and port."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost", "acme.api-us1.com").configure_cert(context)
    handler = type("ThisHandler", (Handler,), {"seen": seen})
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    listening.handle_error = lambda *_: None  # type: ignore[method-assign]  # a client that hangs up is no news here
    with serving(listening) as host:
        yield host


@contextmanager
def serving(listening: http.server.HTTPServer) -> Iterator[str]:
    thread = threading.Thread(target=listening.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
    thread.start()
    try:
        yield f"localhost:{listening.server_port}"
    finally:
        listening.shutdown()
        listening.server_close()
        thread.join()


@pytest.fixture(autouse=True)
def _environment(authority: trustme.CA, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(bundle))
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy", "CURL_CA_BUNDLE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def client() -> Client:
    return Client(USER_AGENT)


def impatient(**limits_s: float) -> Client:
    """A client one of whose limits is met soon; the others are too far away to be met first."""
    return Client(USER_AGENT, **{"deadline_s": 120, **limits_s})


def get(path: str) -> Request:
    return Request("GET", path)


def test_a_request_carries_key_agent_query_and_body_as_they_are(client: Client, server: str, seen: Seen) -> None:
    body = '{"contacts":[{"email":"jörg@example.com"}]}'.encode()
    client.call(server, KEY, Request("POST", "/ok", (("a b", "c&d"),), body))
    ((method, path, headers, received),) = seen.requests
    assert (method, path, received) == ("POST", "/ok?a+b=c%26d", body)
    assert headers["api-token"] == KEY
    assert headers["user-agent"] == USER_AGENT
    assert headers["content-type"] == "application/json"
    assert headers["accept-encoding"] == "gzip"


def test_an_answer_keeps_status_body_and_headers_in_lower_case(client: Client, server: str) -> None:
    reply = client.call(server, KEY, get("/ok"))
    assert isinstance(reply, Answer)
    assert (reply.status, reply.body) == (200, b'{"success":1}')
    assert reply.headers["x-request-id"] == "abc-1"


@pytest.mark.parametrize(
    ("path", "status", "body"),
    [
        ("/chunks", 200, b'{"a":1}'),
        ("/gzip", 200, b'{"a":1}'),
        ("/refused", 400, b'{"success":0}'),
        ("/down", 503, b"<html>"),
        ("/full", 200, b"x" * MAX_ANSWER_BYTES),
    ],
)
def test_whatever_arrives_whole_is_an_answer(client: Client, server: str, path: str, status: int, body: bytes) -> None:
    reply = client.call(server, KEY, get(path))
    assert isinstance(reply, Answer)
    assert (reply.status, reply.body) == (status, body)


def test_a_redirect_is_an_answer_and_nobody_goes_there(client: Client, server: str, seen: Seen) -> None:
    reply = client.call(server, KEY, Request("POST", "/redirect", body=b"{}"))
    assert isinstance(reply, Answer)
    assert (reply.status, reply.body) == (307, b"elsewhere")
    assert [path for _, path, _, _ in seen.requests] == ["/redirect"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/over", "too_large"),
        ("/bomb", "too_large"),
        ("/huge-redirect", "too_large"),
        ("/twice", "encoding"),
        ("/brotli", "encoding"),
        ("/not-gzip", "connection"),
        ("/close", "connection"),
        ("/cut", "connection"),
        ("/cut-chunk", "connection"),
        ("/no-http", "connection"),
    ],
)
def test_what_does_not_arrive_whole_and_in_bounds_is_lost(client: Client, server: str, path: str, reason: str) -> None:
    assert client.call(server, KEY, get(path)) == AnswerLost(reason)


def test_silence_is_given_up_at_the_deadline(server: str) -> None:
    assert impatient(deadline_s=1).call(server, KEY, get("/silent")) == AnswerLost("deadline")


@pytest.mark.parametrize("path", ["/drip", "/drip-header"])
def test_an_answer_that_never_ends_is_given_up_at_the_deadline(server: str, seen: Seen, path: str) -> None:
    assert impatient(deadline_s=1).call(server, KEY, get(path)) == AnswerLost("deadline")
    wait_for(lambda: seen.hung_up)


def test_no_wait_for_an_answer_is_shorter_than_the_deadline(
    client: Client, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A silence of 31 s was given up where REQUEST_DEADLINE_S said 60."""
    waits_s: list[float] = []
    send = requests.adapters.HTTPAdapter.send

    def watched(*arguments: Any, **options: Any) -> Any:
        waits_s.append(options["timeout"][1])
        return send(*arguments, **options)

    monkeypatch.setattr(requests.adapters.HTTPAdapter, "send", watched)
    client.call(server, KEY, get("/ok"))
    assert [wait_s > 60 for wait_s in waits_s] == [True]


def test_after_a_lost_answer_the_next_request_works(server: str) -> None:
    client = impatient(deadline_s=1)
    for path in ("/cut", "/bomb", "/drip"):
        assert isinstance(client.call(server, KEY, get(path)), AnswerLost)
    client._deadline_s = 120
    assert isinstance(client.call(server, KEY, get("/ok")), Answer)


def test_requests_of_one_thread_share_a_connection(client: Client, server: str, seen: Seen) -> None:
    for path in ("/ok", "/gzip", "/refused", "/redirect", "/ok"):
        assert isinstance(client.call(server, KEY, get(path)), Answer)
    assert seen.connections == 1


def test_threads_have_connections_of_their_own(client: Client, server: str, seen: Seen) -> None:
    replies: list[object] = []
    threads = [threading.Thread(target=lambda: replies.append(client.call(server, KEY, get("/ok")))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert seen.connections == 3
    assert all(isinstance(reply, Answer) for reply in replies)


def test_no_cookie_is_sent_back(client: Client, server: str, seen: Seen) -> None:
    client.call(server, KEY, get("/ok"))
    client.call(server, KEY, get("/ok"))
    assert all("cookie" not in headers for _, _, headers, _ in seen.requests)


def test_a_netrc_file_adds_no_authorization(
    client: Client, server: str, seen: Seen, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("default login somebody password something\n")
    monkeypatch.setenv("NETRC", str(netrc))
    client.call(server, KEY, get("/ok"))
    assert "authorization" not in seen.requests[0][2]


def test_each_call_uses_the_key_it_is_given(client: Client, server: str, seen: Seen) -> None:
    client.call(server, "old", get("/ok"))
    client.call(server, " new\n", get("/ok"))
    assert [headers["api-token"] for _, _, headers, _ in seen.requests] == ["old", "new"]


@pytest.mark.parametrize("key", ["", " ", "one\r\nX-Other: two", "schlüssel", "a\x00b"])
def test_a_key_that_cannot_be_a_header_is_not_sent(client: Client, server: str, seen: Seen, key: str) -> None:
    assert client.call(server, key, get("/ok")) == NotSent("unusable_key")
    assert seen.requests == []


# --- Connections that do not come about: nothing was sent ---


def test_nobody_listens(client: Client) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))  # kept, so that nobody else listens there
        host = f"127.0.0.1:{unused.getsockname()[1]}"
        assert client.call(host, KEY, get("/ok")) == NotSent("connect")


def test_a_name_that_does_not_exist(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    assert client.call("acme.invalid", KEY, get("/ok")) == NotSent("name")


def test_a_certificate_of_an_unknown_authority(
    client: Client, server: str, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("REQUESTS_CA_BUNDLE")
    assert client.call(server, KEY, get("/ok")) == NotSent("certificate")
    assert seen.requests == []


def test_a_certificate_of_another_host(client: Client, server: str, seen: Seen) -> None:
    assert client.call(server.replace("localhost", "127.0.0.1"), KEY, get("/ok")) == NotSent("certificate")
    assert seen.requests == []


def test_a_server_without_tls(client: Client) -> None:
    with serving(http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)) as host:
        assert client.call(host, KEY, get("/ok")) == NotSent("tls")


def test_a_server_that_knows_old_tls_only(client: Client, authority: trustme.CA) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("DEFAULT@SECLEVEL=0")
    listening = http.server.HTTPServer(("127.0.0.1", 0), http.server.BaseHTTPRequestHandler)
    listening.socket = context.wrap_socket(listening.socket, server_side=True)
    listening.handle_error = lambda *_: None  # type: ignore[method-assign]
    with serving(listening) as host:
        assert client.call(host, KEY, get("/ok")) == NotSent("tls")


# --- Through a proxy ---


class Proxy(http.server.BaseHTTPRequestHandler):
    """Connects every host to one port of this machine."""

    port: int
    asked: list[str]

    def do_CONNECT(self) -> None:
        self.asked.append(self.path)
        if self.port == 0:
            return self.send_error(403)
        with socket.create_connection(("127.0.0.1", self.port)) as upstream:
            self.send_response(200)
            self.end_headers()
            back = threading.Thread(target=pump, args=(upstream, self.connection), daemon=True)
            back.start()
            pump(self.connection, upstream)
            back.join()
        return None

    def log_message(self, *_: object) -> None:
        pass


def pump(source: socket.socket, target: socket.socket) -> None:
    with suppress(OSError):
        while data := source.recv(65536):
            target.sendall(data)
    for one in (source, target):
        with suppress(OSError):
            socket.socket.shutdown(one, socket.SHUT_RDWR)


@contextmanager
def proxying(
    port: int, asked: list[str], monkeypatch: pytest.MonkeyPatch, tls: ssl.SSLContext | None = None
) -> Iterator[None]:
    handler = type("ThisProxy", (Proxy,), {"port": port, "asked": asked})
    listening = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    listening.handle_error = lambda *_: None  # type: ignore[method-assign]
    if tls:
        listening.socket = tls.wrap_socket(listening.socket, server_side=True)
    with serving(listening) as host:
        monkeypatch.setenv("HTTPS_PROXY", f"{'https' if tls else 'http'}://{host}")
        yield


def test_a_proxy_is_used_and_tls_reaches_through_it(
    client: Client, server: str, seen: Seen, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    with proxying(int(server.partition(":")[2]), asked, monkeypatch):
        assert isinstance(client.call("acme.api-us1.com", KEY, get("/ok")), Answer)
        assert isinstance(client.call("acme.api-us1.com", KEY, get("/close")), AnswerLost)
    assert asked[0] == "acme.api-us1.com:443"
    assert seen.requests[0][2]["host"] == "acme.api-us1.com"


def test_a_proxy_that_refuses_the_host_has_seen_nothing_of_the_request(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    with proxying(0, asked, monkeypatch):
        assert client.call("acme.api-us1.com", KEY, get("/ok")) == NotSent("proxy")
    assert asked == ["acme.api-us1.com:443"]


def test_a_proxy_that_is_not_there(client: Client, monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        monkeypatch.setenv("HTTPS_PROXY", f"http://127.0.0.1:{unused.getsockname()[1]}")
        assert client.call("acme.api-us1.com", KEY, get("/ok")) == NotSent("proxy")


def test_through_a_proxy_that_speaks_tls_itself_the_deadline_holds_too(
    client: Client, server: str, authority: trustme.CA, monkeypatch: pytest.MonkeyPatch
) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    authority.issue_cert("localhost").configure_cert(context)
    with proxying(int(server.partition(":")[2]), [], monkeypatch, context):
        assert isinstance(client.call("acme.api-us1.com", KEY, get("/ok")), Answer)
        assert impatient(deadline_s=1).call("acme.api-us1.com", KEY, get("/drip")) == AnswerLost("deadline")
