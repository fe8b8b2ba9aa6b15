"""What is raised when blob or queue storage does not answer as expected: who has to act, and where."""

from __future__ import annotations

from urllib.parse import urlsplit

from azure.core.exceptions import AzureError, ResourceNotFoundError
from azure.storage.blob import StorageErrorCode
from urllib3.exceptions import HTTPError

from exporter.adapters.identity import identity_unavailable
from exporter.errors import Culprit, Unavailable

FAILURES = (AzureError, HTTPError)
"""What a failed download raises. The SDK passes on errors of TLS as they are when it reads a body undecoded."""
ARCHIVED = (StorageErrorCode.BLOB_ARCHIVED, StorageErrorCode.BLOB_BEING_REHYDRATED)
_REFUSED = {
    "AuthorizationPermissionMismatch": "storage_role_missing",
    StorageErrorCode.INSUFFICIENT_ACCOUNT_PERMISSIONS.value: "storage_role_missing",
    "AuthorizationFailure": "storage_firewall",
    StorageErrorCode.CONTAINER_NOT_FOUND.value: "storage_container_missing",
    **{code.value: "storage_archived" for code in ARCHIVED},
}
"""What only a person can change, by the service's error code. Roles and rules that were just made take minutes to work,
so all of them are waits. A token whose role does not suffice is told from a network that is not let in."""


def host_of(url: str) -> str:
    """Return the host of a service's address, which names the account."""
    return urlsplit(url).hostname or ""


def refuse_missing_container(error: ResourceNotFoundError, account: str) -> None:
    """Raise `Unavailable` if not only the blob is missing, but its container."""
    if getattr(error, "error_code", None) == StorageErrorCode.CONTAINER_NOT_FOUND:
        raise unavailable(error, account) from error


def unavailable(error: AzureError | HTTPError | None, account: str) -> Unavailable:
    """Return the error to raise for a failed call to blob storage; `account` is its host."""
    if refused := refused_by(error, account):
        return refused
    status = getattr(error, "status_code", None)
    found = code_of(error) or type(error).__name__
    return Unavailable.of("storage_unavailable", account=account, status=str(status), found=found)


def refused_by(error: BaseException | None, account: str) -> Unavailable | None:
    """Return the error to raise where a person has to act, or the app has no token; else None."""
    if identity := identity_unavailable(error):
        return identity
    code = _REFUSED.get(code_of(error))
    return Unavailable.of(code, Culprit.USER, account=account) if code else None


def code_of(error: BaseException | None) -> str:
    """Return the service's error code, which is safe to show, as its message is not: that may name blobs."""
    code = getattr(error, "error_code", None) or ""
    return str(getattr(code, "value", code))  # those that the SDK knows are members of an enumeration
