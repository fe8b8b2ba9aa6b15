"""No token is told from a token that a service refuses. That all clients raise the first is in contracts."""

from __future__ import annotations

import pytest
from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError
from azure.identity import CredentialUnavailableError

from exporter.adapters.identity import identity_unavailable
from exporter.errors import Culprit


@pytest.mark.parametrize("error", [ClientAuthenticationError("jane"), CredentialUnavailableError("jane")])
def test_no_token_is_an_outage_of_the_identity(error: ClientAuthenticationError) -> None:
    found = identity_unavailable(error)
    assert found
    assert found.code == "identity_unavailable"
    assert "jane" not in found.message


@pytest.mark.parametrize(
    ("text", "code", "culprit"),
    [
        ("Token request error: (invalid_scope) 400, jane", "identity_missing", Culprit.USER),
        ("Token request error: (invalid_scope) 401, jane", "identity_unavailable", Culprit.EXTERNAL),
        ("Token request error: (invalid_scope) 500, jane", "identity_unavailable", Culprit.EXTERNAL),
        ("No managed identity endpoint found. jane", "identity_missing", Culprit.USER),
        ("Failed to establish a new connection: jane", "identity_unavailable", Culprit.EXTERNAL),
    ],
)
def test_an_identity_that_the_app_does_not_have_is_no_outage(text: str, code: str, culprit: Culprit) -> None:
    found = identity_unavailable(ClientAuthenticationError(f"The credential failed. {text}"))
    assert found
    assert (found.code, found.culprit) == (code, culprit)
    assert "jane" not in found.message


def test_what_a_service_says_is_not() -> None:
    refused = ClientAuthenticationError("No.")
    refused.status_code = 403
    others: list[Exception | None] = [refused, HttpResponseError("No."), ServiceRequestError("No."), None]
    assert [identity_unavailable(error) for error in others] == [None] * 4
