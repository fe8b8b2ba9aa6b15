"""The ports of one invocation: every call takes time, may go wrong, and may be the last thing that its process does."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, BinaryIO

from exporter.activecampaign.wire import AnswerLost, NotSent, Reply, Request
from exporter.delivery import events
from exporter.errors import Stop
from exporter.model import VERSION
from exporter.ports import Blob
from exporter.services import Services
from exporter.source.files import Listing, SegmentFile
from tests.fakes import FakeBlobs, FakeOwnAddress, FakeSegmentReader, FakeWriter
from tests.simulation.host import Invocation
from tests.simulation.weather import Call, unavailable

if TYPE_CHECKING:
    from tests.simulation.world import World

SECRET_CACHE_S = 300.0
REQUEST_DEADLINE_S = 60.0
WRITES = ("create", "replace", "put", "append")


_VERSIONS = tuple(
    (b"%s%d" % (name, version), b"%s%d" % (name, version + 1))
    for name, version in ((b'"schemaVersion":', VERSION), (b'"event":"opened","v":', events.VERSION))
)


def next_release(data: bytes) -> bytes:
    """Return what a record would look like if the next release had written it, with another schema version."""
    for this, following in _VERSIONS:
        data = data.replace(this, following)
    return data


def this_release(data: bytes) -> bytes:
    """Undo `next_release`."""
    for this, following in _VERSIONS:
        data = data.replace(following, this)
    return data


class Outside:
    """Where all calls of an invocation pass through."""

    def __init__(self, world: World, who: Invocation) -> None:
        self.world = world
        self.who = who

    def call(
        self,
        port: str,
        operation: str,
        subject: str,
        effect: Callable[[], Any],
        settle: Callable[[], Any] | None = None,
    ) -> Any:
        """Do one call: it takes some time, and the weather of the schedule may make it go wrong."""
        world, who = self.world, self.who
        latency_s = world.random.random() * 0.04
        if port == "activecampaign":
            # On its way already. A machine that stops at this very moment sends late, whatever the code does.
            who.travel(latency_s)
        else:
            who.wait(latency_s)
        world.calls += 1
        if action := world.at_call.pop(world.calls, None):
            action()
            who.wait(0)
        if world.down(port):
            who.disturbed = True
            who.wait(5)
            if port == "activecampaign":
                return NotSent("connection")
            raise unavailable(port)
        befall = world.weather.on_call(port, operation, subject, world.clockwork.now)
        if befall is None:
            if world.history is not None:
                world.note(who.name, f"{operation} {subject}")
            return effect()
        name = befall.__name__
        world.weather.seen[name] += 1
        who.disturbed = True
        if world.history is not None:
            world.note(who.name, f"{operation} {subject}  <-- {name}")
        return befall(Call(who, port, operation, subject, effect, settle or (lambda: True), world.random))


class SimulatedBlobs:
    """`ports.Blobs`"""

    def __init__(self, outside: Outside, blobs: FakeBlobs) -> None:
        self._outside = outside
        self._blobs = blobs
        self._newer = outside.who.instance.release > 1

    def __getattr__(self, operation: str) -> Callable[..., Any]:
        effect = getattr(self._blobs, operation)

        def method(path: str, *arguments: Any) -> Any:
            settle = None
            if operation in WRITES and self._newer:
                arguments = (next_release(arguments[0]), *arguments[1:])
            if operation in ("create", "replace"):

                def settle() -> bool:
                    found = self._blobs.stored.get(path)
                    return found is not None and found.data == arguments[0]

            return self._outside.call("blobs", operation, path, lambda: effect(path, *arguments), settle)

        return method

    def read(self, path: str) -> Blob | None:
        found: Blob | None = self._outside.call("blobs", "read", path, lambda: self._blobs.read(path))
        return replace(found, data=this_release(found.data)) if found and self._newer else found

    def names(self, prefix: str) -> Iterator[str]:
        yield from self._outside.call("blobs", "names", prefix, lambda: list(self._blobs.names(prefix)))

    def etags(self, prefix: str) -> Iterator[tuple[str, str]]:
        yield from self._outside.call("blobs", "etags", prefix, lambda: list(self._blobs.etags(prefix)))

    def writer(self, path: str) -> SimulatedWriter:
        return SimulatedWriter(self._outside, self._blobs.writer(path))

    def extension(self, path: str) -> SimulatedWriter | None:
        found: FakeWriter | None
        found = self._outside.call("blobs", "extension", path, lambda: self._blobs.extension(path))
        return SimulatedWriter(self._outside, found) if found else None


class SimulatedWriter:
    def __init__(self, outside: Outside, writer: FakeWriter) -> None:
        self._outside = outside
        self._writer = writer

    def write(self, data: bytes) -> None:
        self._writer.write(data)

    def commit(self) -> None:
        writer = self._writer

        def settle() -> bool:
            found = writer.blobs.stored.get(writer.path)
            return found is not None and found.data.endswith(writer.data)

        operation = "extend" if writer.extended else "commit"
        self._outside.call("blobs", operation, writer.path, writer.commit, settle)


class SimulatedSegments:
    """`ports.SegmentFiles`"""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside
        self._files = outside.world.segments

    @property
    def container(self) -> str:
        return self._files.container

    def list(self, prefix: str) -> Listing:
        found: Listing = self._outside.call("segments", "list", prefix, lambda: self._files.list(prefix))
        return found

    def etag(self, path: str) -> str | None:
        found: str | None = self._outside.call("segments", "etag", path, lambda: self._files.etag(path))
        return found

    def read(self, path: str) -> tuple[SegmentFile, bytes] | None:
        found: tuple[SegmentFile, bytes] | None
        found = self._outside.call("segments", "read", path, lambda: self._files.read(path))
        return found

    def open(self, file: SegmentFile, buffer_bytes: int = 0) -> BinaryIO:
        return _Reader(self._outside, file)


class _Reader(FakeSegmentReader):
    def __init__(self, outside: Outside, file: SegmentFile) -> None:
        super().__init__(outside.world.segments, file)
        self._outside = outside
        self._read = super().read

    def read(self, size: int | None = -1, /) -> bytes:
        data: bytes = self._outside.call("segments", "read", self._file.path, lambda: self._read(size))
        return data


class SimulatedMessages:
    """`ports.Messages`"""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def send(self, queue: str, body: dict[str, str | int], delay_s: int = 0) -> None:
        host = self._outside.world.host
        self._outside.call("messages", "send", f"{queue} {body}", lambda: host.send(queue, body, delay_s))


class SimulatedSecrets:
    """`ports.Secrets`, with the cache of `exporter.adapters.vault.KeyVault`."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def get(self, name: str, *, fresh: bool = False) -> str:
        now, cache = self._outside.world.clockwork.now, self._outside.who.instance.secrets
        known = cache.get(name)
        if known and not fresh and now - known[0] < SECRET_CACHE_S:
            return known[1]
        value: str = self._outside.call("secrets", "get", name, lambda: self._outside.world.secrets[name])
        cache[name] = (now, value)
        return value

    def set(self, name: str, value: str) -> None:
        raise Stop("not_simulated", "No schedule saves a connection.")


class SimulatedActiveCampaign:
    """`ports.ActiveCampaign` in front of the stand-in's model."""

    def __init__(self, outside: Outside) -> None:
        self._outside = outside

    def call(self, host: str, api_key: str, request: Request) -> Reply:
        world, who = self._outside.world, self._outside.who

        def effect() -> Reply:
            reply = world.activecampaign(who, api_key, request)
            who.wait(world.random.uniform(0.1, 1.5))
            return reply

        def in_time() -> Reply:
            begin = world.clockwork.now
            reply: Reply = self._outside.call("activecampaign", request.method, request.path, effect)
            return reply if world.clockwork.now - begin <= REQUEST_DEADLINE_S else AnswerLost("deadline")

        return in_time()


class SimulatedClock:
    """`ports.Clock`: that of the machine, which may be wrong."""

    def __init__(self, who: Invocation) -> None:
        self._who = who

    def now(self) -> float:
        return self._who.instance.clockwork.now + self._who.instance.skew_s

    def sleep(self, seconds: float) -> None:
        self._who.wait(seconds)


class SimulatedIds:
    """`ports.Ids`: counts, so that a history is easy to read."""

    def __init__(self) -> None:
        self._count = itertools.count(1)

    def new(self) -> str:
        return f"{next(self._count):032x}"


def make_services(world: World, who: Invocation) -> Services:
    """Make the services of one invocation."""
    outside = Outside(world, who)
    return Services(
        settings=world.settings,
        blobs=SimulatedBlobs(outside, world.blobs),
        segments=SimulatedSegments(outside),
        messages=SimulatedMessages(outside),
        secrets=SimulatedSecrets(outside),
        activecampaign=SimulatedActiveCampaign(outside),
        own_address=FakeOwnAddress(),
        clock=SimulatedClock(who),
        ids=world.ids,
        memory=who.instance.memory,
    )
