"""The network between the app and the hosts that it calls: in order, until a test says what goes wrong with it."""

import asyncio
import random
import socket
import struct
from asyncio import StreamWriter
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Literal

type Kind = Literal["latency", "reset", "cut", "trickle", "black_hole"]

POLL_S = 0.02
"""How soon a connection that a fault holds up notices that the fault has passed."""


@dataclass(frozen=True)
class NetworkFault:
    """What befalls the bytes from and to the hosts of a pattern (`*.blob.core.windows.net`).

    - `latency`: they arrive up to `delay_s` late, and so does the answer to a new connection;
    - `reset`: they are lost, and both ends get a reset (RST);
    - `cut`: half of them arrive, and then the end of the stream (FIN): a body breaks off in its middle;
    - `trickle`: they arrive `trickle_bytes` at a time, each `delay_s` after the one before;
    - `black_hole`: nothing arrives and nobody is told. Connections that lost something are reset when the fault passes.

    Bytes are befallen as they come along, in pieces of any size, each with a probability of `chance`; `seed` makes the
    draws reproducible. New connections of `reset` and `black_hole` fare like bytes.
    """

    kind: Kind
    hosts: str
    chance: float = 1.0
    delay_s: float = 0.1
    trickle_bytes: int = 32
    seed: int = 0


class Network:
    """Carries bytes. `carried` and `befallen` count the pieces by host, all of them and those that met a fault."""

    def __init__(self) -> None:
        """Begin in good order."""
        self.carried: Counter[str] = Counter()
        self.befallen: Counter[str] = Counter()
        self._fault: NetworkFault | None = None
        self._random = random.Random()

    @contextmanager
    def disturbed(self, fault: NetworkFault) -> Iterator[None]:
        """Let a fault be there for a while. One at a time."""
        self._random = random.Random(fault.seed)
        self._fault = fault
        try:
            yield
        finally:
            self._fault = None

    async def connect(self, host: str) -> None:
        """Let a connection come about. Raises `ConnectionResetError` when it does not."""
        match self._draw(host):
            case NetworkFault("latency") as fault:
                await self._delay(fault)
            case NetworkFault("reset"):
                raise ConnectionResetError
            case NetworkFault("black_hole") as fault:
                await self._passed(fault)
                raise ConnectionResetError

    async def carry(self, host: str, piece: bytes, sink: StreamWriter) -> None:
        """Write bytes that came along. Raises `ConnectionResetError` or `EOFError`: how both ends are to be closed."""
        self.carried[host] += 1
        match self._draw(host):
            case NetworkFault("latency") as fault:
                await self._delay(fault)
            case NetworkFault("reset"):
                raise ConnectionResetError
            case NetworkFault("cut"):
                sink.write(piece[: len(piece) // 2])
                await sink.drain()
                raise EOFError
            case NetworkFault("trickle") as fault:
                piece = await self._trickle(fault, piece, sink)
            case NetworkFault("black_hole") as fault:
                await self._passed(fault)
                raise ConnectionResetError
        sink.write(piece)
        await sink.drain()

    def _draw(self, host: str) -> NetworkFault | None:
        fault = self._fault
        if fault is None or not fnmatchcase(host, fault.hosts) or self._random.random() >= fault.chance:
            return None
        self.befallen[host] += 1
        return fault

    async def _delay(self, fault: NetworkFault) -> None:
        await asyncio.sleep(self._random.uniform(0, fault.delay_s))

    async def _trickle(self, fault: NetworkFault, piece: bytes, sink: StreamWriter) -> bytes:
        """Write slowly while the fault is there; return what is left."""
        while piece and self._fault is fault:
            sink.write(piece[: fault.trickle_bytes])
            await sink.drain()
            piece = piece[fault.trickle_bytes :]
            await asyncio.sleep(fault.delay_s)
        return piece

    async def _passed(self, fault: NetworkFault) -> None:
        while self._fault is fault:  # noqa: ASYNC110 - another thread lifts it
            await asyncio.sleep(POLL_S)


def reset(end: StreamWriter) -> None:
    """Close a connection with a reset instead of an end."""
    raw = end.get_extra_info("socket")
    if raw is not None:
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()
