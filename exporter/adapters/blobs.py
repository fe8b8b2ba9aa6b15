"""The app's own blobs in Azure Storage."""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable, Iterator
from typing import Any

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.storage.blob import (
    BlobBlock,
    BlobClient,
    BlobServiceClient,
    BlobType,
    StorageErrorCode,
    StorageStreamDownloader,
)

from exporter.adapters.storage_clock import MAX_ASKED, ServiceTime
from exporter.adapters.storage_errors import FAILURES, host_of, refuse_missing_container, unavailable
from exporter.ports import Blob, BlobWriter, Changed

BLOCK_BYTES = 4 * 1024 * 1024
"""Size of a staged block: a payload of a million contacts (about 230 MB) takes 60 writes; memory holds one block."""
RANGE_NOT_SATISFIABLE = 416
CONFLICTS = (409, 412)
NO_CONFLICTS = (
    StorageErrorCode.LEASE_ID_MISSING,
    StorageErrorCode.CONTAINER_BEING_DELETED,
    StorageErrorCode.BLOB_ARCHIVED,
    "BlobImmutableDueToPolicy",  # the SDK has no name for it
)
"""Refusals with the status of a conflict that are none: nobody was faster, somebody has locked or moved it."""
PAUSES_S = (0.0, 1.0, 3.0)
"""Before each further attempt at a conditional write. The SDK's own retries are turned off for these: after a lost
answer, they would find the result of the first attempt and report a conflict. Here, each retry reads back first."""


class AzureBlobs:
    """`ports.Blobs` on Azure Blob Storage."""

    def __init__(self, service: BlobServiceClient) -> None:
        """Keep the client; nothing is connected yet."""
        self._service = service
        self._account = host_of(service.url)

    def read(self, path: str) -> Blob | None:
        """Return the whole blob, or None if there is none."""
        try:
            for _ in range(MAX_ASKED):
                clock = ServiceTime()
                stream = self._download(path, raw_response_hook=clock)
                data = stream.readall()
                if not data and stream.properties.blob_type == BlobType.APPENDBLOB:
                    return None  # a log is created, then written; a worker that died in between wrote nothing
                if clock.at is not None:
                    # Both times come from the service, because the clocks of instances may differ.
                    age_s = max(0.0, clock.at - stream.properties.last_modified.timestamp())
                    return Blob(data, stream.properties.etag, age_s)
        except ResourceNotFoundError as error:
            refuse_missing_container(error, self._account)
            return None
        except FAILURES as error:
            raise unavailable(error, self._account) from error
        raise unavailable(None, self._account)

    def read_range(self, path: str, offset: int, length: int) -> bytes | None:
        """Return up to `length` bytes starting at `offset`, or None if there is no such blob."""
        if not length:
            return b""
        try:
            return self._download(path, offset=offset, length=length).readall()
        except ResourceNotFoundError as error:
            refuse_missing_container(error, self._account)
            return None
        except HttpResponseError as error:
            if error.status_code == RANGE_NOT_SATISFIABLE:
                return b""
            raise unavailable(error, self._account) from error
        except FAILURES as error:
            raise unavailable(error, self._account) from error

    def create(self, path: str, data: bytes) -> str:
        """Create a blob and return its ETag. Raises `Changed` if one with different content exists."""

        def stored() -> str | None:
            blob = self.read(path)
            return blob.etag if blob and blob.data == data else None

        try:
            return _settled(self._account, lambda: self._upload(path, data, overwrite=False), stored)
        except Changed:
            if etag := stored():
                return etag
            raise

    def replace(self, path: str, data: bytes, etag: str) -> str:
        """Replace the blob that has this ETag and return its new ETag. Raises `Changed` if it has changed since."""

        def stored() -> str | None:
            blob = self.read(path)
            return blob.etag if blob and blob.etag != etag and blob.data == data else None

        return _settled(
            self._account,
            lambda: self._upload(path, data, overwrite=True, etag=etag, match_condition=MatchConditions.IfNotModified),
            stored,
        )

    def append(self, path: str, data: bytes, at: int) -> int:
        """Append to a log of `at` bytes (0: create it); return its new length. Raises `Changed` at any other length."""
        end = at + len(data)
        client = self._client(path)
        if at == 0:
            try:
                client.create_append_blob(match_condition=MatchConditions.IfMissing)
            except ResourceExistsError:
                pass  # by another worker, or by our own try whose answer was lost: the append shows which
            except AzureError as error:
                raise unavailable(error, self._account) from error

        def append() -> int:
            client.append_block(data, appendpos_condition=at, retry_total=0)
            return end

        return _settled(self._account, append, lambda: end if self.read_range(path, at, len(data)) == data else None)

    def delete(self, path: str) -> None:
        """Delete the blob, if there is one."""
        try:
            self._client(path).delete_blob(delete_snapshots="include")
        except ResourceNotFoundError:
            return
        except AzureError as error:
            raise unavailable(error, self._account) from error

    def names(self, prefix: str) -> Iterator[str]:
        """Yield the paths that start with `prefix`, in alphabetical order."""
        container, _, start = prefix.partition("/")
        try:
            for name in self._service.get_container_client(container).list_blob_names(name_starts_with=start):
                yield f"{container}/{name}"
        except AzureError as error:
            raise unavailable(error, self._account) from error

    def etags(self, prefix: str) -> Iterator[tuple[str, str]]:
        """Yield what `names` does, each with its ETag, written as `Blob.etag` is: if both are equal, so is the content.

        It costs as many requests as `names` does, one for each 5,000 blobs, but more memory: 10 kB a blob for a while.
        """
        container, _, start = prefix.partition("/")
        try:
            for blob in self._service.get_container_client(container).list_blobs(name_starts_with=start):
                yield f"{container}/{blob.name}", f'"{blob.etag.strip('"')}"'  # listings give it without the quotes
        except AzureError as error:
            raise unavailable(error, self._account) from error

    def writer(self, path: str) -> BlobWriter:
        """Begin a block blob."""
        client = self._client(path)

        def commit(blocks: list[BlobBlock]) -> None:
            try:
                client.commit_block_list(blocks)
            except AzureError as error:
                raise unavailable(error, self._account) from error

        return _Writer(self._account, client, "b", commit)

    def stream(self, path: str) -> Iterator[bytes] | None:
        """Return the bytes of a large blob in pieces, or None if there is none."""
        try:
            return _pieces(self._account, self._download(path).chunks())
        except ResourceNotFoundError as error:
            refuse_missing_container(error, self._account)
            return None
        except FAILURES as error:
            raise unavailable(error, self._account) from error

    def extension(self, path: str) -> BlobWriter | None:
        """Begin to replace what follows the first commit of a `writer` blob; None if there is no such blob.

        The commit raises `Changed` if the blob has changed since this call, so the first extension to commit wins.
        """
        client = self._client(path)
        try:
            etag = client.get_blob_properties().etag
            committed, _ = client.get_block_list("committed")
        except ResourceNotFoundError as error:
            refuse_missing_container(error, self._account)
            return None
        except AzureError as error:
            raise unavailable(error, self._account) from error
        kept = [block for block in committed if not block.id.startswith("x")]

        def commit(added: list[BlobBlock]) -> None:
            blocks = [*kept, *added]

            def write() -> bool:
                unchanged = MatchConditions.IfNotModified
                client.commit_block_list(blocks, etag=etag, match_condition=unchanged, retry_total=0)
                return True

            def stored() -> bool | None:
                try:
                    current, _ = client.get_block_list("committed")
                except AzureError as error:
                    raise unavailable(error, self._account) from error
                return [block.id for block in current] == [block.id for block in blocks] or None

            _settled(self._account, write, stored)

        return _Writer(self._account, client, "x", commit)

    def _client(self, path: str) -> BlobClient:
        container, _, name = path.partition("/")
        return self._service.get_blob_client(container, name)

    def _download(self, path: str, **options: Any) -> StorageStreamDownloader[bytes]:  # noqa: ANN401 - passed on to the SDK
        # The bytes as they are stored, whatever their Content-Encoding is, which somebody may set on any blob.
        return self._client(path).download_blob(decompress=False, max_concurrency=1, **options)

    def _upload(self, path: str, data: bytes, **conditions: Any) -> str:  # noqa: ANN401 - passed on to the SDK
        etag: str = self._client(path).upload_blob(data, blob_type=BlobType.BLOCKBLOB, retry_total=0, **conditions)[
            "etag"
        ]
        return etag


def _settled[T](account: str, write: Callable[[], T], stored: Callable[[], T | None]) -> T:
    """Do a conditional write; if its answer is lost, read back whether it succeeded before trying again."""
    doubt: AzureError | None = None
    for pause_s in (None, *PAUSES_S):
        if doubt and (result := stored()) is not None:
            return result
        if pause_s:
            time.sleep(pause_s)
        try:
            return write()
        except ResourceNotFoundError as error:
            refuse_missing_container(error, account)
            raise Changed from error
        except AzureError as error:
            if _conflict(error):
                # The conflict is with an earlier try of ours that arrived late, or with another worker.
                if doubt and (result := stored()) is not None:
                    return result
                raise Changed from error
            doubt = error
    if (result := stored()) is not None:
        return result
    raise unavailable(doubt, account) from doubt


def _conflict(error: AzureError) -> bool:
    """Return whether another worker has written; its commit of blocks discards all staged, uncommitted blocks."""
    if not isinstance(error, HttpResponseError):
        return False
    code = getattr(error, "error_code", None)
    return code == StorageErrorCode.INVALID_BLOCK_LIST or (error.status_code in CONFLICTS and code not in NO_CONFLICTS)


def _pieces(account: str, chunks: Iterator[bytes]) -> Iterator[bytes]:
    """Yield the chunks; a failure of a later chunk raises `Unavailable`, too."""
    try:
        yield from chunks
    except FAILURES as error:
        raise unavailable(error, account) from error


class _Writer:
    """Stages blocks of 4 MiB; the commit makes them one blob."""

    def __init__(self, account: str, client: BlobClient, kind: str, commit: Callable[[list[BlobBlock]], None]) -> None:
        self._account = account
        self._client = client
        self._kind = kind
        self._commit = commit
        self._blocks: list[BlobBlock] = []
        self._buffer = bytearray()

    def write(self, data: bytes) -> None:
        self._buffer += data
        while len(self._buffer) >= BLOCK_BYTES:
            self._stage(bytes(self._buffer[:BLOCK_BYTES]))
            del self._buffer[:BLOCK_BYTES]

    def commit(self) -> None:
        if self._buffer:
            self._stage(bytes(self._buffer))
            self._buffer.clear()
        self._commit(self._blocks)

    def _stage(self, data: bytes) -> None:
        # Two workers may write to a blob at once, so numbers would clash. All block ids of a blob have the same length.
        block_id = self._kind + secrets.token_urlsafe(6)[:6]
        try:
            self._client.stage_block(block_id, data)
        except AzureError as error:
            raise unavailable(error, self._account) from error
        self._blocks.append(BlobBlock(block_id))
