"""ActiveCampaign API keys in Key Vault, read with the app's managed identity."""

from __future__ import annotations

import threading
import time

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.keyvault.secrets import SecretClient

from exporter.errors import Culprit, Unavailable

CACHE_S = 300.0
"""A key is read at most once in five minutes a process; one that ActiveCampaign refuses is read again at once."""
FORBIDDEN = 403


class KeyVault:
    """`ports.Secrets` on Azure Key Vault. Values are kept in memory only, and in no message or representation."""

    def __init__(self, client: SecretClient) -> None:
        """Keep the client; nothing is connected yet."""
        self._client = client
        self._cache: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def get(self, name: str, *, fresh: bool = False) -> str:
        """Return the secret; `fresh` skips the cache.

        A cached value outlives an outage of Key Vault. Raises `errors.Unavailable`; a secret that is not there
        ("secret_not_found") may be created while a run waits for it.
        """
        with self._lock:
            known = self._cache.get(name)
        if known and not fresh and time.monotonic() - known[0] < CACHE_S:
            return known[1]
        try:
            value = self._client.get_secret(name).value or ""
        except ResourceNotFoundError:
            if known and not fresh:
                return known[1]
            raise Unavailable(
                "secret_not_found",
                f"Key Vault has no secret named {name!r}. Save the connection with its API key, or create the secret.",
                Culprit.USER,
            ) from None
        except AzureError as error:
            if known and not fresh:
                return known[1]
            raise _unavailable(name, error) from error
        with self._lock:
            self._cache[name] = (time.monotonic(), value)
        return value

    def set(self, name: str, value: str) -> None:
        """Store a new version."""
        try:
            self._client.set_secret(name, value)
        except AzureError as error:
            raise _unavailable(name, error) from error
        with self._lock:
            self._cache.pop(name, None)


def _unavailable(name: str, error: AzureError) -> Unavailable:
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if status == FORBIDDEN or isinstance(error, ClientAuthenticationError):
        return Unavailable(
            "key_vault_forbidden",
            f"Key Vault refused access to the secret {name!r}. Expected: the app's identity has the role Key Vault"
            " Secrets User (Officer to save connections), the vault's firewall lets the app in, the secret is enabled.",
            Culprit.USER,
        )
    return Unavailable("key_vault_unavailable", f"Key Vault did not answer for the secret {name!r} (status {status}).")
