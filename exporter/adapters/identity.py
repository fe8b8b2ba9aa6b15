"""What is raised when the platform gives no token, so that neither storage nor Key Vault was asked."""

from __future__ import annotations

from azure.core.exceptions import ClientAuthenticationError

from exporter.errors import Unavailable


def identity_unavailable(error: BaseException | None) -> Unavailable | None:
    """Return the error to raise if it was the app's identity that failed, else None.

    A service that refuses a token has a status; the libraries that ask for a token raise without one.
    """
    if not isinstance(error, ClientAuthenticationError) or error.status_code is not None:
        return None
    # The error's own message is left out: it may hold the endpoint's whole answer.
    return Unavailable(
        "identity_unavailable",
        "Azure gave the app no token for its managed identity, so neither storage nor Key Vault could be asked. The"
        " call is retried; if this keeps happening, check that the identity is assigned to the app and that"
        " AZURE_CLIENT_ID is its client id.",
    )
