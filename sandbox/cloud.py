"""Stand-ins for Key Vault (secrets) and the managed identity endpoint, for the real Azure clients.

Key Vault: https://learn.microsoft.com/rest/api/keyvault/secrets/operation-groups
Managed identity in App Service: https://learn.microsoft.com/azure/app-service/overview-managed-identity#rest-endpoint-reference
"""

import base64
import json
import threading
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

from sandbox.loopback import Answer, Request

TENANT = "11111111-2222-3333-4444-555555555555"
TOKEN_LIFE_S = 24 * 3600
RESOURCES = ("https://storage.azure.com", "https://vault.azure.net")


class Refusal(Exception):
    """An error answer, in the vault's own shape."""

    def __init__(self, status: HTTPStatus, code: str, message: str, inner: str | None = None) -> None:
        """`code` is the vault's error code, `inner` the more precise one it adds to some."""
        super().__init__(message)
        self.status = status
        error: dict[str, Any] = {"code": code, "message": message}
        if inner is not None:
            error["innererror"] = {"code": inner}
        self.body = {"error": error}


@dataclass
class Version:
    """One version of a secret. `created` and `updated` are epoch seconds."""

    id: str
    value: str
    enabled: bool
    created: int
    updated: int
    content_type: str | None = None
    tags: dict[str, str] = field(default_factory=dict)


class Vault:
    """The secrets of a vault: a write makes a new version, a deleted name is taken until it is purged or recovered."""

    def __init__(self, url: str) -> None:
        """`url` is the production address, `https://<name>.vault.azure.net`."""
        self.url = url
        self._secrets: dict[str, list[Version]] = {}
        self._deleted: dict[str, list[Version]] = {}
        self._lock = threading.RLock()

    def get(self, name: str, version: str = "") -> Version:
        """Return a version, the newest by default."""
        with self._lock:
            versions = self._secrets.get(name, [])
            found = next((entry for entry in reversed(versions) if version in ("", entry.id)), None)
        if found is None:
            message = f"A secret with (name/id) {name} was not found in this key vault."
            raise Refusal(HTTPStatus.NOT_FOUND, "SecretNotFound", message)
        if not found.enabled:
            message = "Operation get is not allowed on a disabled secret."
            raise Refusal(HTTPStatus.FORBIDDEN, "Forbidden", message, "SecretDisabled")
        return found

    def set(
        self,
        name: str,
        value: str,
        *,
        enabled: bool = True,
        content_type: str | None = None,
        tags: dict[str, str] | None = None,
    ) -> Version:
        """Add a version."""
        now = int(time.time())
        with self._lock:
            if name in self._deleted:
                message = (
                    f"Secret {name} is currently in a deleted but recoverable state, and its name cannot be reused."
                )
                raise Refusal(HTTPStatus.CONFLICT, "Conflict", message, "ObjectIsDeletedButRecoverable")
            version = Version(uuid.uuid4().hex, value, enabled, now, now, content_type, tags or {})
            self._secrets.setdefault(name, []).append(version)
        return version

    def versions(self, name: str) -> list[Version]:
        """Return all versions, oldest first."""
        with self._lock:
            return list(self._secrets.get(name, []))

    def update(self, name: str, version: str, *, enabled: bool) -> Version:
        """Enable or disable a version, the newest by default."""
        with self._lock:
            versions = [entry for entry in self._secrets.get(name, []) if version in ("", entry.id)]
            if not versions:
                raise Refusal(HTTPStatus.NOT_FOUND, "SecretNotFound", f"A secret with (name/id) {name} was not found.")
            versions[-1].enabled = enabled
            return versions[-1]

    def delete(self, name: str) -> Version:
        """Delete a secret, recoverably."""
        with self._lock:
            if name not in self._secrets:
                raise Refusal(HTTPStatus.NOT_FOUND, "SecretNotFound", f"A secret with (name/id) {name} was not found.")
            self._deleted[name] = self._secrets.pop(name)
            return self._deleted[name][-1]

    def deleted(self, name: str) -> Version:
        """Return a deleted secret."""
        with self._lock:
            if name not in self._deleted:
                raise Refusal(HTTPStatus.NOT_FOUND, "SecretNotFound", f"Deleted Secret not found: {name}")
            return self._deleted[name][-1]

    def recover(self, name: str) -> Version:
        """Take a deletion back."""
        with self._lock:
            self.deleted(name)
            self._secrets[name] = self._deleted.pop(name)
            return self._secrets[name][-1]

    def purge(self, name: str) -> None:
        """Forget a deleted secret for good."""
        with self._lock:
            self.deleted(name)
            del self._deleted[name]

    def answer(self, request: Request) -> Answer:
        """Answer a request of the secrets client."""
        if not request.headers.get("authorization", "").startswith("Bearer "):
            # The real client sends its first request without a token, and reads in the challenge where to get one.
            where = f"https://login.microsoftonline.com/{TENANT}"
            challenge = f'Bearer authorization="{where}", resource="https://vault.azure.net"'
            refusal = Refusal(HTTPStatus.UNAUTHORIZED, "Unauthorized", "AKV10000: Request is missing a Bearer token.")
            return json_answer(refusal.status, refusal.body, {"WWW-Authenticate": challenge})
        body = json.loads(request.body or b"{}")
        try:
            content = self._operate(request.method, request.path.strip("/").split("/"), body)
        except Refusal as refusal:
            return json_answer(refusal.status, refusal.body)
        return Answer(HTTPStatus.NO_CONTENT) if content is None else json_answer(HTTPStatus.OK, content)

    def _operate(self, method: str, parts: list[str], body: dict[str, Any]) -> dict[str, Any] | None:
        enabled = body.get("attributes", {}).get("enabled", True)
        match [method, *parts]:
            case ["GET", "secrets", name, "versions"]:
                return {"value": [self._properties(name, version) for version in self.versions(name)], "nextLink": None}
            case ["GET", "secrets", name, *version]:
                return self._bundle(name, self.get(name, "".join(version)))
            case ["PUT", "secrets", name]:
                described = {"content_type": body.get("contentType"), "tags": body.get("tags")}
                return self._bundle(name, self.set(name, body["value"], enabled=enabled, **described))
            case ["PATCH", "secrets", name, *version]:
                return self._properties(name, self.update(name, "".join(version), enabled=enabled))
            case ["DELETE", "secrets", name]:
                return self._deleted_bundle(name, self.delete(name))
            case _:
                return self._operate_on_deleted(method, parts)

    def _operate_on_deleted(self, method: str, parts: list[str]) -> dict[str, Any] | None:
        match [method, *parts]:
            case ["GET", "deletedsecrets", name]:
                return self._deleted_bundle(name, self.deleted(name))
            case ["POST", "deletedsecrets", name, "recover"]:
                return self._properties(name, self.recover(name))
            case ["DELETE", "deletedsecrets", name]:
                self.purge(name)
                return None
            case _:
                message = "This stand-in knows the operations on secrets only."
                raise Refusal(HTTPStatus.BAD_REQUEST, "BadParameter", message)

    def _properties(self, name: str, version: Version) -> dict[str, Any]:
        attributes = {
            "enabled": version.enabled,
            "created": version.created,
            "updated": version.updated,
            "recoveryLevel": "Recoverable+Purgeable",
            "recoverableDays": 90,
        }
        content = {"id": f"{self.url}/secrets/{name}/{version.id}", "attributes": attributes, "tags": version.tags}
        return content | ({"contentType": version.content_type} if version.content_type else {})

    def _bundle(self, name: str, version: Version) -> dict[str, Any]:
        return {"value": version.value, **self._properties(name, version)}

    def _deleted_bundle(self, name: str, version: Version) -> dict[str, Any]:
        now = int(time.time())
        recovery = {"recoveryId": f"{self.url}/deletedsecrets/{name}", "deletedDate": now}
        return {**self._properties(name, version), **recovery, "scheduledPurgeDate": now + 90 * 24 * 3600}


class Identity:
    """The managed identity endpoint of App Service. It knows one identity and trusts whoever knows the header."""

    def __init__(self, client_id: str) -> None:
        """`client_id` is that of the user-assigned identity."""
        self.client_id = client_id
        self.header = uuid.uuid4().hex

    def answer(self, request: Request) -> Answer:
        """Answer a token request."""
        if request.headers.get("x-identity-header") != self.header:
            content = {"statusCode": 401, "message": "The X-IDENTITY-HEADER is missing or wrong."}
            return json_answer(HTTPStatus.UNAUTHORIZED, content)
        resource = request.query.get("resource", "")
        client_id = request.query.get("client_id", self.client_id)
        if client_id != self.client_id or not resource.startswith(RESOURCES):
            message = f"No managed identity with this client id may have a token for {resource!r}."
            return json_answer(HTTPStatus.BAD_REQUEST, {"statusCode": 400, "message": message})
        expires_on = int(time.time()) + TOKEN_LIFE_S
        content = {
            "access_token": unsigned_token(resource, expires_on),
            "client_id": client_id,
            "expires_on": str(expires_on),
            "resource": resource,
            "token_type": "Bearer",
        }
        return json_answer(HTTPStatus.OK, content)


def json_answer(status: int, content: object, headers: Mapping[str, str] | None = None) -> Answer:
    """Return an answer with a JSON body."""
    described = {"Content-Type": "application/json; charset=utf-8", **(headers or {})}
    return Answer(status, described, json.dumps(content).encode())


def unsigned_token(audience: str, expires_on: int) -> str:
    """Return a JSON Web Token of the form that Microsoft Entra issues. Its signature is no signature."""
    now = int(time.time())
    claims: dict[str, object] = {"aud": audience, "iss": f"https://sts.windows.net/{TENANT}/", "tid": TENANT}
    claims |= {"iat": now, "nbf": now - 300, "exp": expires_on}
    parts = [json.dumps(part).encode() for part in ({"alg": "RS256", "typ": "JWT"}, claims)]
    return ".".join(base64.urlsafe_b64encode(part).decode().rstrip("=") for part in (*parts, b"none"))
