"""What is told when blob storage does not answer as expected."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError, ServiceRequestError
from azure.storage.blob import StorageErrorCode

from exporter.adapters.storage_errors import refuse_missing_container, unavailable
from exporter.errors import Unavailable


def answered(kind: type[HttpResponseError], status: int, code: str) -> Any:
    """Return an error as the storage library makes it of an answer; `error_code` is its own addition."""
    error: Any = kind("people/jane.csv")
    error.status_code, error.error_code = status, code
    return error


@pytest.mark.parametrize("code", ["ServerBusy", StorageErrorCode.SERVER_BUSY])
def test_the_status_and_the_code_of_the_service_are_told_and_its_message_is_not(code: str) -> None:
    error = unavailable(answered(HttpResponseError, 503, code))
    assert error.code == "storage_unavailable"
    assert "(status 503, ServerBusy)" in error.message
    assert "jane" not in error.message


def test_where_no_answer_came_the_kind_of_error_is_told() -> None:
    assert "(status None, ServiceRequestError)" in unavailable(ServiceRequestError("jane")).message


def test_a_missing_container_is_not_taken_for_a_missing_blob() -> None:
    refuse_missing_container(answered(ResourceNotFoundError, 404, StorageErrorCode.BLOB_NOT_FOUND))
    refuse_missing_container(ResourceNotFoundError("No."))
    with pytest.raises(Unavailable, match="status 404"):
        refuse_missing_container(answered(ResourceNotFoundError, 404, StorageErrorCode.CONTAINER_NOT_FOUND))
