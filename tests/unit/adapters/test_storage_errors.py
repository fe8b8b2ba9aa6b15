"""What is told when blob storage does not answer as expected."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError, ServiceRequestError
from azure.storage.blob import StorageErrorCode

from exporter.adapters.storage_errors import host_of, refuse_missing_container, unavailable
from exporter.errors import Culprit, Unavailable

ACCOUNT = "stsegment.blob.core.windows.net"


def answered(kind: type[HttpResponseError], status: int, code: str) -> Any:
    """Return an error as the storage library makes it of an answer; `error_code` is its own addition."""
    error: Any = kind("people/jane.csv")
    error.status_code, error.error_code = status, code
    return error


@pytest.mark.parametrize("code", ["ServerBusy", StorageErrorCode.SERVER_BUSY])
def test_the_status_and_the_code_of_the_service_are_told_and_its_message_is_not(code: str) -> None:
    error = unavailable(answered(HttpResponseError, 503, code), ACCOUNT)
    assert (error.code, error.culprit) == ("storage_unavailable", Culprit.EXTERNAL)
    assert f"account {ACCOUNT} did not answer as expected (status 503, ServerBusy)" in error.message
    assert "jane" not in error.message


def test_where_no_answer_came_the_kind_of_error_is_told() -> None:
    assert "(status None, ServiceRequestError)" in unavailable(ServiceRequestError("jane"), ACCOUNT).message


@pytest.mark.parametrize(
    ("status", "code", "told"),
    [
        (403, "AuthorizationPermissionMismatch", "storage_role_missing"),
        (403, StorageErrorCode.INSUFFICIENT_ACCOUNT_PERMISSIONS, "storage_role_missing"),
        (403, "AuthorizationFailure", "storage_firewall"),
        (409, StorageErrorCode.BLOB_ARCHIVED, "storage_archived"),
        (409, "BlobBeingRehydrated", "storage_archived"),
        (404, "ContainerNotFound", "storage_container_missing"),
    ],
)
def test_what_only_a_person_can_change_is_told_from_an_outage_with_the_account(
    status: int, code: str, told: str
) -> None:
    error = unavailable(answered(HttpResponseError, status, code), ACCOUNT)
    assert (error.code, error.culprit) == (told, Culprit.USER)
    assert ACCOUNT in error.message
    assert "jane" not in error.message


def test_a_missing_container_is_not_taken_for_a_missing_blob() -> None:
    refuse_missing_container(answered(ResourceNotFoundError, 404, StorageErrorCode.BLOB_NOT_FOUND), ACCOUNT)
    refuse_missing_container(ResourceNotFoundError("No."), ACCOUNT)
    with pytest.raises(Unavailable) as caught:
        refuse_missing_container(answered(ResourceNotFoundError, 404, StorageErrorCode.CONTAINER_NOT_FOUND), ACCOUNT)
    assert caught.value.code == "storage_container_missing"


def test_an_account_is_named_by_the_host_of_its_address() -> None:
    assert host_of(f"https://{ACCOUNT}/landing/people.csv?x") == ACCOUNT
