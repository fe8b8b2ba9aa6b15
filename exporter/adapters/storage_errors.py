"""What is raised when blob storage does not answer as expected."""

from __future__ import annotations

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import StorageErrorCode
from urllib3.exceptions import HTTPError

from exporter.adapters.identity import identity_unavailable
from exporter.errors import Unavailable

FAILURES = (AzureError, HTTPError)
"""What a failed download raises. The SDK passes on errors of TLS as they are when it reads a body undecoded."""


def refuse_missing_container(error: ResourceNotFoundError) -> None:
    """Raise `Unavailable` if not only the blob is missing, but its container."""
    if getattr(error, "error_code", None) == StorageErrorCode.CONTAINER_NOT_FOUND:
        raise unavailable(error) from error


def unavailable(error: AzureError | HTTPError | None) -> Unavailable:
    """Return the error to raise for a failed call."""
    if identity := identity_unavailable(error):
        return identity
    # The service's error code is safe to show; its message may contain names of blobs.
    status = getattr(error, "status_code", None)
    code = getattr(error, "error_code", None) or type(error).__name__
    code = getattr(code, "value", code)  # those that the SDK knows are members of an enumeration
    return Unavailable(
        "storage_unavailable",
        f"Blob storage did not answer as expected (status {status}, {code}). The call is retried; if this keeps"
        " happening, check the storage account, its containers, its network rules and the app's roles.",
    )
