"""The outside world in memory: one small class a port. `tests/contracts` holds them to what the real ones do."""

from __future__ import annotations

import io
import itertools
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import BinaryIO, Protocol
from urllib.parse import urlencode

from exporter.activecampaign.wire import Answer, AnswerLost, NotSent, Reply, Request
from exporter.errors import Culprit, Stop, Unavailable
from exporter.ports import Blob, Changed
from exporter.services import Services
from exporter.settings import Settings
from exporter.source.files import BUFFER_BYTES, Listing, SegmentFile
from sandbox.activecampaign import Account, ConnectionDropped

SETTINGS = {
    "ExportStorage__blobServiceUri": "https://exportdata.blob.core.windows.net",
    "ExportStorage__queueServiceUri": "https://exportdata.queue.core.windows.net",
    "SegmentStorage__blobServiceUri": "https://segmentlanding.blob.core.windows.net",
    "SEGMENT_CONTAINER": "dynamics365customerinsights",
    "SEGMENT_QUIET_S": "0",
    "KEY_VAULT_URI": "https://exporter-kv.vault.azure.net",
    "LOOK_SCHEDULE": "0 */5 * * * *",
    "SWEEP_SCHEDULE": "0 * * * * *",
}
START = 1_795_000_000.0  # 2026-11-18


class VirtualClock(Protocol):
    """What the fakes need of a clock; `time` may be set where time passes by hand."""

    def now(self) -> float: ...

    def sleep(self, seconds: float) -> None: ...


@dataclass
class FakeClock:
    """Time passes only by sleeping."""

    time: float = START

    def now(self) -> float:
        return self.time

    def sleep(self, seconds: float) -> None:
        self.time += seconds


@dataclass
class FakeIds:
    """Counts."""

    count: Iterator[int] = field(default_factory=itertools.count)

    def new(self) -> str:
        return f"{next(self.count):032x}"


@dataclass
class Stored:
    data: bytes
    version: int
    modified: float
    committed: int = 0
    """Bytes of the first commit of a `writer` blob."""


class FakeBlobs:
    """Blobs in a dictionary, with ETags and conditional appends."""

    def __init__(self, clock: VirtualClock) -> None:
        self.stored: dict[str, Stored] = {}
        self.writes = 0
        self.before: Callable[[str, str], None] = lambda operation, path: None
        """Called before each operation; a test raises from it to make storage fail."""
        self._clock = clock
        self._versions = itertools.count(1)

    def _put(self, path: str, data: bytes) -> Stored:
        self.writes += 1
        self.stored[path] = Stored(data, next(self._versions), self._clock.now(), len(data))
        return self.stored[path]

    def read(self, path: str) -> Blob | None:
        self.before("read", path)
        found = self.stored.get(path)
        return Blob(found.data, str(found.version), self._clock.now() - found.modified) if found else None

    def read_range(self, path: str, offset: int, length: int) -> bytes | None:
        self.before("read_range", path)
        found = self.stored.get(path)
        return found.data[offset : offset + length] if found else None

    def create(self, path: str, data: bytes) -> str:
        self.before("create", path)
        found = self.stored.get(path)
        if found is None:
            return str(self._put(path, data).version)
        if found.data != data:
            raise Changed
        return str(found.version)

    def replace(self, path: str, data: bytes, etag: str) -> str:
        self.before("replace", path)
        found = self.stored.get(path)
        if found is None or str(found.version) != etag:
            raise Changed
        return str(self._put(path, data).version)

    def put(self, path: str, data: bytes) -> None:
        """Write a blob, whatever was there: for a test that sets the scene."""
        self._put(path, data)

    def append(self, path: str, data: bytes, at: int) -> int:
        self.before("append", path)
        found = self.stored.get(path)
        old = found.data if found else b""
        if len(old) != at:
            raise Changed
        self._put(path, old + data)
        return at + len(data)

    def delete(self, path: str) -> None:
        self.before("delete", path)
        self.stored.pop(path, None)

    def names(self, prefix: str) -> Iterator[str]:
        self.before("names", prefix)
        yield from sorted(path for path in self.stored if path.startswith(prefix))

    def etags(self, prefix: str) -> Iterator[tuple[str, str]]:
        self.before("etags", prefix)
        yield from sorted((path, str(found.version)) for path, found in self.stored.items() if path.startswith(prefix))

    def writer(self, path: str) -> FakeWriter:
        return FakeWriter(self, path)

    def stream(self, path: str) -> Iterator[bytes] | None:
        self.before("stream", path)
        found = self.stored.get(path)
        return iter([found.data]) if found else None

    def extension(self, path: str) -> FakeWriter | None:
        self.before("extension", path)
        found = self.stored.get(path)
        return FakeWriter(self, path, found) if found else None


@dataclass
class FakeWriter:
    blobs: FakeBlobs
    path: str
    extended: Stored | None = None
    data: bytearray = field(default_factory=bytearray)

    def write(self, data: bytes) -> None:
        self.data += data

    def commit(self) -> None:
        if self.extended is None:
            self.blobs.before("commit", self.path)
            self.blobs._put(self.path, bytes(self.data))
            return
        self.blobs.before("extend", self.path)
        if self.blobs.stored.get(self.path) is not self.extended:
            raise Changed
        first = self.extended.committed
        self.blobs._put(self.path, self.extended.data[:first] + self.data).committed = first


class FakeSegmentFiles:
    """Segment files in a dictionary."""

    container = SETTINGS["SEGMENT_CONTAINER"]

    def __init__(self, clock: VirtualClock) -> None:
        self.files: dict[str, tuple[SegmentFile, bytes]] = {}
        self.looks: list[tuple[str, str]] = []
        self._clock = clock
        self._versions = itertools.count(1)

    def write(self, path: str, data: bytes) -> None:
        file = SegmentFile(path, len(data), f"etag-{next(self._versions)}", self._clock.now())
        self.files[path] = (file, data)

    def archive(self, path: str) -> None:
        file, data = self.files[path]
        self.files[path] = (replace(file, archived=True), data)

    def list(self, prefix: str) -> Listing:
        self.looks.append(("list", prefix))
        found = (file for path, (file, _) in sorted(self.files.items()) if path.startswith(prefix))
        return Listing(tuple(found), self._clock.now())

    def etag(self, path: str) -> str | None:
        self.looks.append(("etag", path))
        found = self.files.get(path)
        return found[0].etag if found else None

    def read(self, path: str) -> tuple[SegmentFile, bytes] | None:
        self.looks.append(("read", path))
        found = self.files.get(path)
        if found and found[0].archived:
            raise Stop.of("file_archived", file=path)
        return found

    def open(self, file: SegmentFile, buffer_bytes: int = BUFFER_BYTES) -> BinaryIO:
        return FakeSegmentReader(self, file)


class FakeSegmentReader(io.BytesIO):
    """Looks at each read whether the file is still the one that was opened."""

    def __init__(self, files: FakeSegmentFiles, file: SegmentFile) -> None:
        super().__init__(files.files[file.path][1] if file.path in files.files else b"")
        self._files = files
        self._file = file

    def read(self, size: int | None = -1, /) -> bytes:
        current = self._files.files.get(self._file.path)
        if current is None or current[0].etag != self._file.etag:
            raise Changed
        if current[0].archived:
            raise Stop.of("file_archived", file=current[0].path)
        return super().read(size)


@dataclass
class FakeMessages:
    """Queues as lists; a test delivers from them as it likes."""

    clock: VirtualClock
    queues: dict[str, deque[tuple[float, dict[str, str | int]]]] = field(default_factory=dict)
    down: bool = False

    def send(self, queue: str, body: dict[str, str | int], delay_s: int = 0) -> None:
        if self.down:
            raise Unavailable("queue_unavailable", "The queue is down.")
        self.queues.setdefault(queue, deque()).append((self.clock.now() + delay_s, body))

    def take(self, queue: str) -> dict[str, str | int] | None:
        """Take the first message that is visible by now."""
        waiting = self.queues.setdefault(queue, deque())
        for message in list(waiting):
            if message[0] <= self.clock.now():
                waiting.remove(message)
                return message[1]
        return None


@dataclass
class FakeSecrets:
    values: dict[str, str] = field(default_factory=dict)

    def get(self, name: str, *, fresh: bool = False) -> str:
        if name not in self.values:
            raise Unavailable.of(
                "secret_not_found", Culprit.USER, account="kv.vault.azure.net", secret=name, vault="kv"
            )
        return self.values[name]

    def set(self, name: str, value: str) -> None:
        self.values[name] = value


@dataclass
class FakeActiveCampaign:
    """The strict stand-in of ActiveCampaign, without sockets."""

    account: Account
    clock: VirtualClock
    request_s: float = 0.3
    requests: list[Request] = field(default_factory=list)
    before: Callable[[Request], Reply | None] = lambda request: None
    """Called before each request; a test returns a reply from it, or raises to make the process die."""
    after: Callable[[Request], None] = lambda request: None
    """Called when the request was processed and the answer has not arrived yet."""

    def call(self, host: str, api_key: str, request: Request) -> Reply:
        if (reply := self.before(request)) is not None:
            return reply
        self.requests.append(request)
        headers = {"api-token": api_key, "content-type": "application/json"}
        try:
            answer = self.account.handle(
                request.method, request.path, urlencode(request.query), headers, request.body or b""
            )
        except ConnectionDropped:
            return AnswerLost("connection_dropped")
        self.clock.sleep(self.request_s)
        self.after(request)
        return Answer(answer.status, {k.lower(): v for k, v in answer.headers.items()}, answer.body)


@dataclass
class FakeOwnAddress:
    """What is before the app: a function from host, path and headers to an answer. Nothing answers at first."""

    answer: Callable[[str, str, Mapping[str, str]], tuple[int, bytes] | None] = lambda *_: None

    def get(self, host: str, path: str, headers: Mapping[str, str]) -> tuple[int, bytes] | None:
        return self.answer(host, path, headers)


NOT_SENT = NotSent("no_connection")


@dataclass
class Fakes:
    """All fakes together, and the services made of them."""

    clock: VirtualClock
    blobs: FakeBlobs
    segments: FakeSegmentFiles
    messages: FakeMessages
    secrets: FakeSecrets
    activecampaign: FakeActiveCampaign
    own_address: FakeOwnAddress
    services: Services

    @property
    def account(self) -> Account:
        """The ActiveCampaign account."""
        return self.activecampaign.account


def make_fakes(
    *,
    clock: VirtualClock | None = None,
    activecampaign_class: type[FakeActiveCampaign] = FakeActiveCampaign,
    **settings: str,
) -> Fakes:
    """Make a world in memory."""
    clock = clock or FakeClock()
    account = Account("key-1", clock=clock.now)
    blobs, segments, messages = FakeBlobs(clock), FakeSegmentFiles(clock), FakeMessages(clock)
    secrets, activecampaign = FakeSecrets({"connection-main": "key-1"}), activecampaign_class(account, clock)
    own_address = FakeOwnAddress()
    services = Services(
        settings=Settings.from_environ(SETTINGS | settings),
        blobs=blobs,
        segments=segments,
        messages=messages,
        secrets=secrets,
        activecampaign=activecampaign,
        own_address=own_address,
        clock=clock,
        ids=FakeIds(),
    )
    return Fakes(clock, blobs, segments, messages, secrets, activecampaign, own_address, services)
