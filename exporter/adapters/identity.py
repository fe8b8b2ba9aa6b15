"""What is raised when the platform gives no token, so that neither storage nor Key Vault was asked."""

from __future__ import annotations

import re

from azure.core.exceptions import ClientAuthenticationError

from exporter.errors import Culprit, Unavailable

_NO_IDENTITY = re.compile(r"No managed identity endpoint found|\(invalid_scope\) 400,")
"""In the text of azure-identity: the platform offers no endpoint, since the app has no identity; or the endpoint
answers that it knows none with this client id. MSAL calls every answer without a token "invalid_scope", and then gives
its status:
https://github.com/AzureAD/microsoft-authentication-library-for-python/blob/dev/msal/managed_identity.py"""


def identity_unavailable(error: BaseException | None) -> Unavailable | None:
    """Return the error to raise if it was the app's identity that failed, else None.

    "identity_missing": a person has to assign it, or correct its client id; "identity_unavailable": Azure has an
    outage. A service that refuses a token has a status; the libraries that ask for a token raise without one.
    """
    if not isinstance(error, ClientAuthenticationError) or error.status_code is not None:
        return None
    # The error's own message is left out: it may hold the endpoint's whole answer.
    if _NO_IDENTITY.search(str(error)):
        return Unavailable.of("identity_missing", Culprit.USER)
    return Unavailable.of("identity_unavailable")
