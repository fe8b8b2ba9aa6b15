"""The container where segments land, read only."""

from __future__ import annotations

import io
import time
from typing import Any, BinaryIO

from azure.core import MatchConditions
from azure.core.exceptions import (
    AzureError,
    ResourceModifiedError,
    ResourceNotFoundError,
)
from azure.storage.blob import BlobClient, BlobServiceClient

from exporter.adapters.storage_errors import refuse_missing_container, unavailable
from exporter.errors import Stop
from exporter.ports import Changed
from exporter.source.files import BUFFER_BYTES, Listing, SegmentFile

LIST_PAGE = 500
"""Files per answer from storage. The SDK turns a whole answer into objects that refer to each other, about 10 kB per
file: with its default of 5,000 files, each caller leaves 50 MB to the garbage collector."""
SMALL_FILE_BYTES = 64 * 1024 * 1024


class AzureSegmentFiles:
    """`files.SegmentFiles` on Azure Blob Storage."""

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        """Keep the client; nothing is connected yet."""
        self._container = service.get_container_client(container)

    @property
    def container(self) -> str:
        """The name of the container."""
        name: str = self._container.container_name
        return name

    def list(self, prefix: str) -> Listing:
        """Return the files whose path starts with `prefix`, in alphabetical order."""
        at = time.time()
        try:
            blobs = self._container.list_blobs(name_starts_with=prefix, results_per_page=LIST_PAGE)
            files = tuple(
                SegmentFile(blob.name, blob.size, blob.etag.strip('"'), blob.last_modified.timestamp())
                for blob in blobs
            )
        except AzureError as error:
            raise unavailable(error) from error
        return Listing(files, at)

    def read(self, path: str) -> tuple[SegmentFile, bytes] | None:
        """Return a small file's properties and bytes, or None if there is none.

        Raises `Stop` ("file_too_large") for more than 64 MiB.
        """
        try:
            stream = self._container.get_blob_client(path).download_blob(max_concurrency=1)
            properties = stream.properties
            if properties.size > SMALL_FILE_BYTES:
                raise Stop(
                    "file_too_large",
                    f"Expected {path} to be small, at most {SMALL_FILE_BYTES} bytes; it has {properties.size}.",
                )
            file = SegmentFile(path, properties.size, properties.etag.strip('"'), properties.last_modified.timestamp())
            return file, stream.readall()
        except ResourceNotFoundError as error:
            refuse_missing_container(error)
            return None
        except AzureError as error:
            raise unavailable(error) from error

    def open(self, file: SegmentFile, buffer_bytes: int = BUFFER_BYTES) -> BinaryIO:
        """Open exactly this version for seekable reading; a read raises `Changed` if it was replaced."""
        return io.BufferedReader(_BlobFile(self._container.get_blob_client(file.path), file), buffer_bytes)


class _BlobFile(io.RawIOBase):
    """One version of a blob as a seekable file; each read is one range request with the ETag."""

    def __init__(self, client: BlobClient, file: SegmentFile) -> None:
        super().__init__()
        self._client = client
        self._file = file
        self._position = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        start = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self._file.size_bytes}[whence]
        self._position = start + offset
        return self._position

    def readinto(self, buffer: Any) -> int:  # noqa: ANN401 - any writable buffer, as in io
        length = min(len(buffer), self._file.size_bytes - self._position)
        if length <= 0:
            return 0
        try:
            data = self._client.download_blob(
                offset=self._position,
                length=length,
                etag=self._file.etag,
                match_condition=MatchConditions.IfNotModified,
                max_concurrency=1,
            ).readall()
        except (ResourceModifiedError, ResourceNotFoundError) as error:
            raise Changed from error
        except AzureError as error:
            raise unavailable(error) from error
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)
