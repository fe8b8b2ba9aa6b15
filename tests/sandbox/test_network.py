"""What goes wrong between the app and its hosts, seen from both ends of a connection through the proxy."""

import socket
import ssl
from collections.abc import Iterator

import pytest

from sandbox.network import NetworkFault
from sandbox.proxy import Destination, Proxy
from tests.waiting import wait_for

HOST = "echo.example"

type Ends = tuple[socket.socket, socket.socket]
"""The app's and the host's end of a connection."""


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(60)
        yield server


@pytest.fixture
def proxy(listener: socket.socket) -> Iterator[Proxy]:
    destination = Destination(HOST, listener.getsockname()[1], terminate_tls=False)
    proxy = Proxy([destination], ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER))
    yield proxy
    proxy.close()


def connect(proxy: Proxy) -> socket.socket:
    """Return a connection to the proxy that has asked for the host, and not yet read the answer."""
    connection = socket.create_connection(("127.0.0.1", int(proxy.url.rpartition(":")[2])), timeout=60)
    connection.sendall(f"CONNECT {HOST}:443 HTTP/1.1\r\n\r\n".encode())
    return connection


@pytest.fixture
def ends(proxy: Proxy, listener: socket.socket) -> Iterator[Ends]:
    with connect(proxy) as app:
        host, _ = listener.accept()
        with host:
            host.settimeout(60)
            assert app.recv(1000).startswith(b"HTTP/1.1 200")
            yield app, host


def test_a_network_in_order_carries_everything_and_counts_it(proxy: Proxy, ends: Ends) -> None:
    app, host = ends
    app.sendall(b"question")
    assert host.recv(100) == b"question"
    host.sendall(b"answer")
    assert app.recv(100) == b"answer"
    assert proxy.network.carried == {HOST: 2}
    assert not proxy.network.befallen


def test_late_bytes_arrive_all_the_same(proxy: Proxy, ends: Ends) -> None:
    app, host = ends
    with proxy.network.disturbed(NetworkFault("latency", HOST, delay_s=0.05)):
        app.sendall(b"question")
        assert host.recv(100) == b"question"
    assert proxy.network.befallen == {HOST: 1}


def test_a_reset_reaches_both_ends(proxy: Proxy, ends: Ends) -> None:
    with proxy.network.disturbed(NetworkFault("reset", HOST)):
        ends[0].sendall(b"question")
        for end in ends:
            with pytest.raises(ConnectionResetError):
                end.recv(100)


def test_a_cut_lets_half_of_the_bytes_through_and_then_ends(proxy: Proxy, ends: Ends) -> None:
    app, host = ends
    with proxy.network.disturbed(NetworkFault("cut", HOST)):
        host.sendall(b"answers!")
        assert app.recv(100) == b"answ"
        assert app.recv(100) == b""
        assert host.recv(100) == b""


def test_a_trickle_is_slow_while_it_lasts(proxy: Proxy, ends: Ends) -> None:
    app, host = ends
    with proxy.network.disturbed(NetworkFault("trickle", HOST, delay_s=0.05, trickle_bytes=1)):
        app.sendall(b"x" * 10_000)
        received = len(host.recv(1)) + len(host.recv(10_000))
        assert received < 10_000
    while received < 10_000 and (piece := host.recv(10_000)):
        received += len(piece)
    assert received == 10_000


def test_a_black_hole_says_nothing_until_it_has_passed(proxy: Proxy, ends: Ends) -> None:
    app, host = ends
    with proxy.network.disturbed(NetworkFault("black_hole", HOST)):
        app.sendall(b"question")
        wait_for(lambda: proxy.network.befallen[HOST])
        host.setblocking(False)  # noqa: FBT003 - the library's signature
        with pytest.raises(BlockingIOError):
            host.recv(100)
    host.settimeout(60)
    for end in ends:
        with pytest.raises(ConnectionResetError):
            end.recv(100)


@pytest.mark.parametrize("fault", [NetworkFault("reset", HOST), NetworkFault("black_hole", HOST)])
def test_no_new_connection_comes_about(proxy: Proxy, fault: NetworkFault) -> None:
    with proxy.network.disturbed(fault):
        connection = connect(proxy)
        wait_for(lambda: proxy.network.befallen[HOST])
    with connection, pytest.raises(ConnectionResetError):
        connection.recv(100)


def test_other_hosts_are_left_alone(proxy: Proxy, ends: Ends) -> None:
    app, host = ends
    with proxy.network.disturbed(NetworkFault("reset", "*.elsewhere.example")):
        app.sendall(b"question")
        assert host.recv(100) == b"question"


def test_the_same_seed_draws_the_same(proxy: Proxy, ends: Ends) -> None:
    app, host = ends

    def befallen() -> list[int]:
        counts = []
        before = proxy.network.befallen[HOST]
        with proxy.network.disturbed(NetworkFault("latency", HOST, chance=0.5, delay_s=0.0, seed=7)):
            for _ in range(20):
                app.sendall(b"x")
                host.recv(1)
                counts.append(proxy.network.befallen[HOST] - before)
        return counts

    assert befallen() == befallen()
