"""The way from production host names to this machine: an HTTP CONNECT proxy on the loopback interface.

Production code is given `HTTPS_PROXY` and `REQUESTS_CA_BUNDLE` and nothing else. The proxy lets through the hosts of
its table and answers 403 to every other, which also proves that the app calls no other.
"""

import asyncio
import contextlib
import socket
import ssl
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from weakref import WeakSet

from sandbox.loopback import BACKLOG
from sandbox.network import Network, reset

CHUNK_BYTES = 256 * 1024


@dataclass(frozen=True)
class Destination:
    """Where the hosts of a pattern (`*.vault.azure.net`) really live.

    With `terminate_tls` the proxy holds the certificate and the port speaks plain HTTP; without, the port has TLS.
    """

    pattern: str
    port: int
    terminate_tls: bool
    host: str = "127.0.0.1"


class Proxy:
    """A running proxy.

    `refused_hosts` has every host that was asked for in vain, in order; `network` is what can go wrong on the way.
    """

    def __init__(self, destinations: Sequence[Destination], tls: ssl.SSLContext) -> None:
        """Start it on a free port, in a thread of its own. `tls` has the certificate of hosts whose TLS ends here."""
        self.refused_hosts: list[str] = []
        self.network = Network()
        self._writers: WeakSet[asyncio.StreamWriter] = WeakSet()
        self._destinations = destinations
        self._tls = tls
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="proxy", daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(self._listen(), self._loop).result()
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    def close(self) -> None:
        """Stop listening and drop all connections."""
        asyncio.run_coroutine_threadsafe(self._shut_down(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    async def _listen(self) -> asyncio.Server:
        return await asyncio.start_server(self._serve, "127.0.0.1", 0, limit=CHUNK_BYTES, backlog=BACKLOG)

    async def _shut_down(self) -> None:
        self._server.close()
        connections = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)
        for writer in list(self._writers):
            writer.transport.abort()  # TLS would wait for the other side's farewell
        await asyncio.sleep(0.01)  # aborted transports close their sockets in the loop's next rounds

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection. One that breaks concerns its two ends only, and both are told by its end."""
        self._writers.add(writer)
        with contextlib.suppress(
            OSError, asyncio.IncompleteReadError, asyncio.LimitOverrunError, asyncio.CancelledError
        ):
            await self._tunnel(reader, writer)
        writer.close()

    async def _tunnel(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        method, target, _ = head.decode("latin-1").split(" ", 2)
        host = target.rpartition(":")[0].lower()
        destination = next((entry for entry in self._destinations if fnmatchcase(host, entry.pattern)), None)
        if method != "CONNECT" or destination is None:
            self.refused_hosts.append(host if method == "CONNECT" else target)
            writer.write(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
            await writer.drain()
            return
        try:
            await self.network.connect(host)
        except ConnectionResetError:
            reset(writer)
            return
        there_reader, there_writer = await asyncio.open_connection(
            destination.host, destination.port, limit=CHUNK_BYTES
        )
        self._writers.add(there_writer)
        try:
            for end in (writer, there_writer):
                end.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            writer.write(b"HTTP/1.1 200 Connection Established\r\n\r\n")
            await writer.drain()
            if destination.terminate_tls:
                await writer.start_tls(self._tls)
            async with asyncio.TaskGroup() as both:
                both.create_task(self._pump(host, reader, there_writer))
                both.create_task(self._pump(host, there_reader, writer))
        except* ConnectionResetError:
            reset(writer)
            reset(there_writer)
        except* (OSError, EOFError):
            pass
        finally:
            there_writer.close()

    async def _pump(self, host: str, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        """Carry bytes until the source ends, then end the sink too."""
        while piece := await source.read(CHUNK_BYTES):
            await self.network.carry(host, piece, sink)
        sink.close()
