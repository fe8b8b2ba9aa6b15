"""The container where segments land, read only."""

from __future__ import annotations

import io
from collections.abc import Sequence
from itertools import chain
from typing import Any, BinaryIO

from azure.core import MatchConditions
from azure.core.exceptions import ResourceExistsError, ResourceModifiedError, ResourceNotFoundError
from azure.storage.blob import BlobClient, BlobProperties, BlobServiceClient, StandardBlobTier

from exporter.adapters.storage_clock import MAX_ASKED, ServiceTime
from exporter.adapters.storage_errors import ARCHIVED, FAILURES, host_of, refuse_missing_container, unavailable
from exporter.errors import Stop
from exporter.ports import Changed
from exporter.source.files import BUFFER_BYTES, Listing, SegmentFile

LIST_PAGE = 500
"""Files per answer from storage. The SDK turns a whole answer into objects that refer to each other, about 10 kB per
file: with its default of 5,000 files, each caller leaves 50 MB to the garbage collector."""
SMALL_FILE_BYTES = 64 * 1024 * 1024


class AzureSegmentFiles:
    """`files.SegmentFiles` on Azure Blob Storage, with or without hierarchical namespace."""

    def __init__(self, service: BlobServiceClient, container: str) -> None:
        """Keep the client; nothing is connected yet."""
        self._container = service.get_container_client(container)
        self._account = host_of(service.url)

    @property
    def container(self) -> str:
        """The name of the container."""
        name: str = self._container.container_name
        return name

    def list(self, prefix: str) -> Listing:
        """Return the files whose path starts with `prefix`, in alphabetical order."""
        try:
            for _ in range(MAX_ASKED):
                clock = ServiceTime()
                pages = self._container.list_blobs(
                    name_starts_with=prefix, include=["metadata"], results_per_page=LIST_PAGE, raw_response_hook=clock
                ).by_page()
                first = [_file(blob) for blob in next(pages) if not _is_directory(blob)]
                if clock.at is not None:
                    rest = (_file(blob) for page in pages for blob in page if not _is_directory(blob))
                    return Listing(_without_folders([*first, *rest]), clock.at)
        except FAILURES as error:
            raise unavailable(error, self._account) from error
        raise unavailable(None, self._account)

    def etag(self, path: str) -> str | None:
        """Return the ETag of a file, or None when there is none."""
        try:
            return self._container.get_blob_client(path).get_blob_properties().etag.strip('"')
        except ResourceNotFoundError as error:
            refuse_missing_container(error, self._account)
            return None
        except FAILURES as error:
            raise unavailable(error, self._account) from error

    def read(self, path: str) -> tuple[SegmentFile, bytes] | None:
        """Return a small file's properties and bytes, or None if there is none.

        Raises `Stop`: "file_too_large" for more than 64 MiB, "file_archived".
        """
        try:
            stream = self._container.get_blob_client(path).download_blob(decompress=False, max_concurrency=1)
            properties = stream.properties
            if _is_directory(properties):
                return None
            if properties.size > SMALL_FILE_BYTES:
                sizes = {"mostBytes": SMALL_FILE_BYTES, "sizeBytes": properties.size}
                raise Stop.of("file_too_large", file=path, **sizes)
            return _file(properties), stream.readall()
        except ResourceNotFoundError as error:
            refuse_missing_container(error, self._account)
            return None
        except FAILURES as error:
            _refuse_archived(path, error)
            raise unavailable(error, self._account) from error

    def open(self, file: SegmentFile, buffer_bytes: int = BUFFER_BYTES) -> BinaryIO:
        """Open exactly this version for seekable reading; a read raises `Changed` if it was replaced."""
        return io.BufferedReader(_BlobFile(self._container.get_blob_client(file.path), file), buffer_bytes)


class _BlobFile(io.RawIOBase):
    """One version of a blob as a seekable file; each read is one range request with the ETag.

    It reads the bytes as they are stored, also of a blob that has a Content-Encoding: a part of something compressed
    cannot be unpacked, and the header need not be true.
    """

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
                etag=f'"{self._file.etag}"',  # listings give it without the quotes that the header has
                match_condition=MatchConditions.IfNotModified,
                decompress=False,
                max_concurrency=1,
            ).readall()
        except (ResourceModifiedError, ResourceNotFoundError) as error:
            raise Changed from error
        except FAILURES as error:
            _refuse_archived(self._file.path, error)
            raise unavailable(error, host_of(self._client.url)) from error
        buffer[: len(data)] = data
        self._position += len(data)
        return len(data)


def _file(blob: BlobProperties) -> SegmentFile:
    # While a blob is moved out of the archive, it still counts as archived, and `archive_status` says where it goes.
    archived = blob.blob_tier == StandardBlobTier.ARCHIVE or bool(blob.archive_status)
    return SegmentFile(blob.name, blob.size, blob.etag.strip('"'), blob.last_modified.timestamp(), archived)


def _is_directory(blob: BlobProperties) -> bool:
    """Return whether this is a directory, as accounts with hierarchical namespace list them beside the files.

    https://learn.microsoft.com/rest/api/storageservices/list-blobs#remarks
    """
    return any(name.lower() == "hdi_isfolder" and value == "true" for name, value in (blob.metadata or {}).items())


def _without_folders(files: Sequence[SegmentFile]) -> tuple[SegmentFile, ...]:
    """Leave out the directories that carry no sign of it: empty entries that are the folder of another, or end in /."""
    empty = {file.path for file in files if not file.size_bytes}
    folders = {path for path in empty if path.endswith("/")}
    if empty:
        folders |= empty.intersection(chain.from_iterable(_folders(file.path) for file in files))
    return tuple(file for file in files if file.path not in folders)


def _folders(path: str) -> list[str]:
    """Return the folders that the path lies in, without their last slash."""
    parts = path.split("/")
    return ["/".join(parts[:depth]) for depth in range(1, len(parts))]


def _refuse_archived(path: str, error: Exception) -> None:
    """Raise `Stop` if the file is in the archive tier, since nobody moves it out but a person."""
    if isinstance(error, ResourceExistsError) and getattr(error, "error_code", None) in ARCHIVED:
        raise Stop.of("file_archived", file=path) from error
