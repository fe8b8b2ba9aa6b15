"""ActiveCampaign API keys in Key Vault, read with the app's managed identity."""

from __future__ import annotations

import threading
import time

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.keyvault.secrets import SecretClient

from exporter.adapters.identity import identity_unavailable
from exporter.adapters.storage_errors import host_of
from exporter.errors import Culprit, Unavailable

CACHE_S = 300.0
"""A process reads a key at most once in five minutes; a key that ActiveCampaign refuses is read again at once."""
FORBIDDEN = 403
_REFUSED = {
    "SecretDisabled": "secret_disabled",
    "ObjectIsDeletedButRecoverable": "secret_deleted",
    "ForbiddenByRbac": "key_vault_forbidden",
    "ForbiddenByFirewall": "key_vault_firewall",
    "ForbiddenByConnection": "key_vault_firewall",
}
"""What only a person can change, by the more precise code of an answer."""


class KeyVault:
    """`ports.Secrets` on Azure Key Vault. Values are kept only in memory and appear in no message or `repr`."""

    def __init__(self, client: SecretClient) -> None:
        """Keep the client; nothing is connected yet."""
        self._client = client
        self._account = host_of(client.vault_url)
        self._cache: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def get(self, name: str, *, fresh: bool = False) -> str:
        """Return the secret; `fresh` skips the cache.

        During an outage of Key Vault, an expired cached value is still used. Raises `errors.Unavailable`; while a run
        waits, a missing secret ("secret_not_found") may be created, a deleted one ("secret_deleted") recovered, and a
        disabled one ("secret_disabled") enabled.
        """
        with self._lock:
            cached = self._cache.get(name)
        if cached and not fresh and time.monotonic() - cached[0] < CACHE_S:
            return cached[1]
        try:
            value = self._client.get_secret(name).value or ""
        except ResourceNotFoundError:
            if cached and not fresh:
                return cached[1]
            raise self._refused("secret_deleted" if self._is_deleted(name) else "secret_not_found", name) from None
        except AzureError as error:
            if cached and not fresh:
                return cached[1]
            raise self._unavailable(name, error) from error
        with self._lock:
            self._cache[name] = (time.monotonic(), value)
        return value

    def set(self, name: str, value: str) -> None:
        """Store a new version. Raises `errors.Unavailable`; the vault keeps a deleted name ("secret_deleted")."""
        try:
            self._client.set_secret(name, value)
        except AzureError as error:
            raise self._unavailable(name, error) from error
        with self._lock:
            self._cache.pop(name, None)

    def _is_deleted(self, name: str) -> bool:
        """Whether the vault keeps a deleted secret of this name; False if it does not say."""
        try:
            self._client.get_deleted_secret(name)
        except AzureError:
            return False
        return True

    def _unavailable(self, name: str, error: AzureError) -> Unavailable:
        if identity := identity_unavailable(error):
            return identity
        status = error.status_code if isinstance(error, HttpResponseError) else None
        odata = error.error if isinstance(error, HttpResponseError) else None
        code = _REFUSED.get((odata.innererror or {}).get("code", "") if odata else "")
        if code is None and (status == FORBIDDEN or isinstance(error, ClientAuthenticationError)):
            code = "key_vault_forbidden"
        if code:
            return self._refused(code, name)
        about = {"account": self._account, "secret": name, "status": str(status)}
        return Unavailable.of("key_vault_unavailable", Culprit.EXTERNAL, None, **about)

    def _refused(self, code: str, name: str) -> Unavailable:
        """Return the error to raise where a person has to act."""
        vault = self._account.partition(".")[0]
        return Unavailable.of(code, Culprit.USER, account=self._account, secret=name, vault=vault)
