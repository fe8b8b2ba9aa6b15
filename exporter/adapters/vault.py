"""ActiveCampaign API keys in Key Vault, read with the app's managed identity."""

from __future__ import annotations

import threading
import time

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError
from azure.keyvault.secrets import SecretClient

from exporter.adapters.identity import identity_unavailable
from exporter.errors import Culprit, Unavailable

CACHE_S = 300.0
"""A process reads a key at most once in five minutes; a key that ActiveCampaign refuses is read again at once."""
FORBIDDEN = 403


class KeyVault:
    """`ports.Secrets` on Azure Key Vault. Values are kept only in memory and appear in no message or `repr`."""

    def __init__(self, client: SecretClient) -> None:
        """Keep the client; nothing is connected yet."""
        self._client = client
        self._cache: dict[str, tuple[float, str]] = {}
        self._lock = threading.Lock()

    def get(self, name: str, *, fresh: bool = False) -> str:
        """Return the secret; `fresh` skips the cache.

        During an outage of Key Vault, an expired cached value is still used. Raises `errors.Unavailable`; while a run
        waits, a missing secret ("secret_not_found") may be created, and a disabled one ("secret_disabled") enabled.
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
            raise Unavailable(
                "secret_not_found",
                f"Key Vault has no secret named {name!r}. Save the connection with its API key, or create the secret.",
                Culprit.USER,
            ) from None
        except AzureError as error:
            if cached and not fresh:
                return cached[1]
            raise _unavailable(name, error) from error
        with self._lock:
            self._cache[name] = (time.monotonic(), value)
        return value

    def set(self, name: str, value: str) -> None:
        """Store a new version. Raises `errors.Unavailable`; the vault keeps a deleted name ("secret_deleted")."""
        try:
            self._client.set_secret(name, value)
        except AzureError as error:
            raise _unavailable(name, error) from error
        with self._lock:
            self._cache.pop(name, None)


def _unavailable(name: str, error: AzureError) -> Unavailable:
    if identity := identity_unavailable(error):
        return identity
    status = error.status_code if isinstance(error, HttpResponseError) else None
    odata = error.error if isinstance(error, HttpResponseError) else None
    match (odata.innererror or {}).get("code") if odata else None:
        case "SecretDisabled":
            return Unavailable(
                "secret_disabled",
                f"Expected the secret {name!r} in Key Vault to be enabled; it is disabled. Enable it, or store a new"
                " key.",
                Culprit.USER,
            )
        case "ObjectIsDeletedButRecoverable":
            return Unavailable(
                "secret_deleted",
                f"The secret {name!r} was deleted, and Key Vault keeps a deleted secret and its name for up to 90 days."
                f" Recover it (az keyvault secret recover --name {name} --vault-name ...) or, where the vault allows"
                " it, purge it. Then store the key again.",
                Culprit.USER,
            )
    if status == FORBIDDEN or isinstance(error, ClientAuthenticationError):
        return Unavailable(
            "key_vault_forbidden",
            f"Key Vault refused access to the secret {name!r}. Check that the app's identity has its role on the vault"
            " (the template assigns it), and that the vault's firewall lets the app in.",
            Culprit.USER,
        )
    return Unavailable("key_vault_unavailable", f"Key Vault did not answer for the secret {name!r} (status {status}).")
