"""HTTPS to ActiveCampaign.

Proxy variables (`HTTPS_PROXY`, `NO_PROXY`) and `REQUESTS_CA_BUNDLE` are honored on purpose: if all traffic leaves
through a company's proxy, nothing else works, and anyone who can set the app's environment could also change its code.
A `.netrc` file is not read.

Whether a name resolves to a public address is not checked, because behind a proxy this machine may not resolve names at
all. The certificate is checked: before a request leaves, the other side has proved that it is the ActiveCampaign host
of that name.
"""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from http.cookiejar import DefaultCookiePolicy
from typing import Any, Final

import requests
import urllib3
from requests.adapters import HTTPAdapter
from requests.auth import AuthBase
from urllib3.connection import HTTPSConnection
from urllib3.connectionpool import HTTPSConnectionPool

from exporter.activecampaign.wire import Answer, AnswerLost, NotSent, Reply, Request

MAX_ANSWER_BYTES: Final = 1024 * 1024  # decoded; the largest expected answer, 250 failed addresses, has about 20 kB
CHUNK_BYTES: Final = 64 * 1024


class Client:
    """Implements `ports.ActiveCampaign` with one keep-alive session per thread, as sessions may not be thread-safe.

    It follows no redirect (the key and up to 250 people would go along), keeps no cookies, and repeats nothing. TLS is
    verified.
    """

    def __init__(self, user_agent: str, *, connect_s: float = 10.0, deadline_s: float = 60.0) -> None:
        """Set the limits. `user_agent` names the app and its version.

        `connect_s` limits each wait until the connection is established, `deadline_s` everything after that.
        """
        self._user_agent = user_agent
        self._timeouts = (connect_s, 2 * deadline_s)  # the second is never reached, because the watchdog is faster
        self._deadline_s = deadline_s
        self._threads = threading.local()

    def call(self, host: str, api_key: str, request: Request) -> Reply:
        """Send one request and return the answer, or what is known about the failure."""
        api_key = api_key.strip()  # a trailing line break is a common mistake
        if not api_key.isascii() or not api_key.isprintable() or not api_key:
            return NotSent("unusable_key")
        exchange = _this_thread.exchange = _Exchange(self._deadline_s)
        try:
            with contextlib.closing(self._send(host, api_key, request)) as response:
                reply = _read(response)
                return AnswerLost("deadline") if exchange.expired else reply
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            reason = "deadline" if exchange.expired else _reason(error)
            return AnswerLost(reason) if exchange.begun else NotSent(reason)
        finally:
            exchange.end()

    def _send(self, host: str, api_key: str, request: Request) -> requests.Response:
        return self._session().request(
            request.method,
            f"https://{host}{request.path}",
            params=request.query,
            data=request.body,
            headers={"Content-Type": "application/json"} if request.body is not None else None,
            auth=_ApiToken(api_key),
            timeout=self._timeouts,
            allow_redirects=False,
            stream=True,
        )

    def _session(self) -> requests.Session:
        session: requests.Session | None = getattr(self._threads, "session", None)
        if session is None:
            session = self._threads.session = _Session()
            session.headers.update(
                {"User-Agent": self._user_agent, "Accept": "application/json", "Accept-Encoding": "gzip"}
            )
            session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=()))
            session.mount("https://", _Adapter())
        return session


def _read(response: requests.Response) -> Answer | AnswerLost:
    """Read the answer, whatever its status, up to `MAX_ANSWER_BYTES`."""
    if response.headers.get("Content-Encoding", "identity").lower() not in {"gzip", "identity"}:
        return AnswerLost("encoding")
    body = bytearray()
    while piece := response.raw.read1(CHUNK_BYTES, decode_content=True):
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            return AnswerLost("too_large")
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Answer(response.status_code, headers, bytes(body))


def _reason(error: BaseException | None) -> str:
    """Return a fixed word for a failure, because the exceptions' own texts contain host and path."""
    while error is not None:
        for kind, reason in _REASONS:
            if isinstance(error, kind):
                return reason
        causes = [getattr(error, "reason", None), *error.args, error.__cause__, error.__context__]
        error = next((cause for cause in causes if isinstance(cause, BaseException)), None)
    return "connection"


_REASONS: Final = (
    (ssl.SSLCertVerificationError, "certificate"),
    (urllib3.exceptions.ProxyError, "proxy"),
    (ssl.SSLError, "tls"),
    (urllib3.exceptions.NameResolutionError, "name"),
    (urllib3.exceptions.NewConnectionError, "connect"),
    (requests.ConnectTimeout, "connect_timeout"),
    (requests.ReadTimeout, "read_timeout"),
    (TimeoutError, "read_timeout"),
    (urllib3.exceptions.TimeoutError, "read_timeout"),
)


class _Session(requests.Session):
    """A session that ignores redirects; requests would read a redirect's whole body, even if told not to follow it."""

    def get_redirect_target(self, _response: requests.Response) -> None:
        return None


class _ApiToken(AuthBase):
    """Puts the key into its header; as an `auth` object, it also keeps requests from reading `.netrc`."""

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        request.headers["Api-Token"] = self._api_key
        return request


class _Exchange:
    """One request on the wire: whether any of it may have left, and when it must be over.

    Exceptions do not show whether any of it left: urllib3 reports a connection that broke off behind a proxy as
    `ProxyError`, as if it had never been established.
    """

    def __init__(self, deadline_s: float) -> None:
        self.begun = False
        self.expired = False
        self._deadline_s = deadline_s
        self._watchdog: threading.Timer | None = None

    def begin(self, sock: socket.socket) -> None:
        """Start the clock. A socket time-out limits each wait only, so one byte per second would never end."""
        self.begun = True
        self._watchdog = threading.Timer(self._deadline_s, self._expire, (sock,))
        self._watchdog.daemon = True
        self._watchdog.start()

    def end(self) -> None:
        if self._watchdog is not None:
            self._watchdog.cancel()

    def _expire(self, sock: socket.socket) -> None:
        self.expired = True
        with contextlib.suppress(OSError):  # the other side was faster
            # The plain socket's shutdown, as that of an SSLSocket drops TLS state that the waiting thread still uses.
            # Through a proxy that itself speaks TLS, the socket is wrapped once more.
            socket.socket.shutdown(getattr(sock, "socket", sock), socket.SHUT_RDWR)


_this_thread = threading.local()  # .exchange: the one that this thread's connection is used for


class _Connection(HTTPSConnection):
    """Starts the exchange once the connection, including proxy and TLS, is established and the request is to leave."""

    def putrequest(self, method: str, url: str, skip_host: bool = False, skip_accept_encoding: bool = False) -> None:  # noqa: FBT001, FBT002 - the original's signature
        _this_thread.exchange.begin(self.sock)
        super().putrequest(method, url, skip_host, skip_accept_encoding)


class _Pool(HTTPSConnectionPool):
    ConnectionCls = _Connection


class _Adapter(HTTPAdapter):
    """Uses `_Connection`, also through a proxy."""

    def __init__(self) -> None:
        super().__init__()
        self.poolmanager.pool_classes_by_scheme = {"https": _Pool}

    def proxy_manager_for(self, proxy: str, **settings: Any) -> urllib3.ProxyManager:  # noqa: ANN401 - passed on as they are
        manager: urllib3.ProxyManager = super().proxy_manager_for(proxy, **settings)
        manager.pool_classes_by_scheme = {"https": _Pool}
        return manager
