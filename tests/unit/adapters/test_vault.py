"""How long an API key is kept, and what happens while Key Vault does not answer."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import cast

import pytest
from azure.core.exceptions import (
    AzureError,
    ClientAuthenticationError,
    HttpResponseError,
    ODataV4Format,
    ResourceNotFoundError,
    ServiceRequestError,
)
from azure.keyvault.secrets import SecretClient

from exporter.adapters.vault import KeyVault
from exporter.errors import Culprit, Unavailable


@dataclass
class FakeClient:
    """What `KeyVault` uses of a `SecretClient`."""

    values: dict[str, str] = field(default_factory=lambda: {"key": "one"})
    error: AzureError | None = None
    """What each call ends in."""
    asked: int = 0
    deleted: frozenset[str] = frozenset()
    vault_url: str = "https://kv.vault.azure.net"

    def get_secret(self, name: str) -> SimpleNamespace:
        self.asked += 1
        if self.error:
            raise self.error
        if name not in self.values:
            raise ResourceNotFoundError
        return SimpleNamespace(value=self.values[name])

    def get_deleted_secret(self, name: str) -> SimpleNamespace:
        if name not in self.deleted:
            raise ResourceNotFoundError
        return SimpleNamespace(name=name)

    def set_secret(self, name: str, value: str) -> None:
        if self.error:
            raise self.error
        self.values[name] = value


@dataclass
class Time:
    """The process's clock, and the vault with its client."""

    now: float = 1_000.0
    client: FakeClient = field(default_factory=FakeClient)

    def __post_init__(self) -> None:
        self.vault = KeyVault(cast("SecretClient", self.client))

    def monotonic(self) -> float:
        return self.now


@pytest.fixture
def time(monkeypatch: pytest.MonkeyPatch) -> Time:
    time = Time()
    monkeypatch.setattr("exporter.adapters.vault.time", time)
    return time


def forbidden(inner: dict[str, str] | None) -> HttpResponseError:
    """Refuse with a more precise code, as Key Vault does."""
    return answered(403, "Forbidden", inner)


def answered(code: int, name: str, inner: dict[str, str] | None) -> HttpResponseError:
    """Return the error that the library makes of an answer of Key Vault."""
    error = status(code)
    error.error = ODataV4Format({"error": {"code": name, "innererror": inner}})
    return error


def refused_token() -> ClientAuthenticationError:
    """Return the error of a token that Key Vault itself refuses."""
    error = ClientAuthenticationError("https://vault.example/secrets/key said no")
    error.status_code = 401
    return error


def status(code: int) -> HttpResponseError:
    error = HttpResponseError("https://vault.example/secrets/key said no")
    error.status_code = code
    return error


def test_a_key_is_read_again_after_five_minutes_and_not_before(time: Time) -> None:
    assert time.vault.get("key") == "one"
    time.client.values["key"] = "two"
    time.now += 299.875
    assert time.vault.get("key") == "one"
    assert time.client.asked == 1
    time.now += 0.125
    assert time.vault.get("key") == "two"
    time.now += 299.875
    assert time.vault.get("key") == "two"
    assert time.client.asked == 2, "the five minutes begin with each reading"


def test_a_fresh_key_is_read_at_once_and_kept(time: Time) -> None:
    time.vault.get("key")
    time.client.values["key"] = "two"
    assert time.vault.get("key", fresh=True) == "two"
    assert time.vault.get("key") == "two"
    assert time.client.asked == 2


@pytest.mark.parametrize("error", [ServiceRequestError("no connection"), status(503), status(403), status(404)])
def test_a_known_key_outlives_an_outage_however_long(time: Time, error: AzureError) -> None:
    time.vault.get("key")
    time.client.error = error
    time.now += 86_400
    assert time.vault.get("key") == "one"
    assert time.client.asked == 2


def test_a_known_key_outlives_its_deletion_until_a_fresh_one_is_asked_for(time: Time) -> None:
    time.vault.get("key")
    del time.client.values["key"]
    time.now += 300
    assert time.vault.get("key") == "one"
    with pytest.raises(Unavailable) as caught:
        time.vault.get("key", fresh=True)
    assert caught.value.code == "secret_not_found"


def test_a_secret_that_was_deleted_is_told_from_one_that_never_was(time: Time) -> None:
    del time.client.values["key"]
    time.client.deleted = frozenset({"key"})
    with pytest.raises(Unavailable) as caught:
        time.vault.get("key")
    assert (caught.value.code, caught.value.culprit) == ("secret_deleted", Culprit.USER)
    assert "az keyvault secret recover --name key --vault-name kv)" in caught.value.message


@pytest.mark.parametrize(
    ("error", "code", "culprit"),
    [
        (status(403), "key_vault_forbidden", Culprit.USER),
        (forbidden({"code": "SecretDisabled"}), "secret_disabled", Culprit.USER),
        (forbidden({"code": "ForbiddenByRbac"}), "key_vault_forbidden", Culprit.USER),
        (forbidden({"code": "ForbiddenByFirewall"}), "key_vault_firewall", Culprit.USER),
        (forbidden({"code": "ForbiddenByConnection"}), "key_vault_firewall", Culprit.USER),
        (forbidden(None), "key_vault_forbidden", Culprit.USER),
        (refused_token(), "key_vault_forbidden", Culprit.USER),
        (status(401), "key_vault_unavailable", Culprit.EXTERNAL),
        (status(503), "key_vault_unavailable", Culprit.EXTERNAL),
        (ServiceRequestError("no connection"), "key_vault_unavailable", Culprit.EXTERNAL),
        (ResourceNotFoundError(), "secret_not_found", Culprit.USER),
    ],
)
def test_without_a_known_key_the_answer_says_who_has_to_act(
    time: Time, error: AzureError, code: str, culprit: Culprit
) -> None:
    time.client.error = error
    for fresh in (False, True):
        with pytest.raises(Unavailable) as caught:
            time.vault.get("key", fresh=fresh)
        assert (caught.value.code, caught.value.culprit) == (code, culprit)
        assert "'key'" in caught.value.message
        assert "kv.vault.azure.net" in caught.value.message
        assert "vault.example" not in caught.value.message


def test_no_token_is_no_answer_of_the_vault(time: Time) -> None:
    time.client.error = ClientAuthenticationError("The endpoint at 169.254.1.1 said no.")
    for call in (lambda: time.vault.get("key"), lambda: time.vault.set("key", "two")):
        with pytest.raises(Unavailable) as caught:
            call()
        assert (caught.value.code, caught.value.culprit) == ("identity_unavailable", Culprit.EXTERNAL)
        assert "169.254" not in caught.value.message


@pytest.mark.parametrize(
    ("inner", "code"),
    [("ObjectIsDeletedButRecoverable", "secret_deleted"), ("ObjectIsBeingRecovered", "key_vault_unavailable")],
)
def test_a_deleted_name_is_told_from_one_that_is_free_in_a_moment(time: Time, inner: str, code: str) -> None:
    time.client.error = answered(409, "Conflict", {"code": inner})
    with pytest.raises(Unavailable) as caught:
        time.vault.set("key", "two")
    assert caught.value.code == code
    assert "'key'" in caught.value.message


def test_a_fresh_key_is_never_an_old_one(time: Time) -> None:
    time.vault.get("key")
    time.client.error = status(503)
    with pytest.raises(Unavailable):
        time.vault.get("key", fresh=True)
    assert time.vault.get("key") == "one"


def test_a_key_that_is_stored_is_the_next_one_that_is_read(time: Time) -> None:
    time.vault.get("key")
    time.vault.set("key", "two")
    assert time.vault.get("key") == "two"


def test_a_key_that_could_not_be_stored_changes_nothing(time: Time) -> None:
    time.vault.get("key")
    time.client.error = status(403)
    with pytest.raises(Unavailable) as caught:
        time.vault.set("key", "two")
    assert caught.value.code == "key_vault_forbidden"
    assert time.vault.get("key") == "one"
    assert time.client.asked == 1


def test_no_key_is_in_what_the_vault_shows_of_itself(time: Time) -> None:
    time.vault.get("key")
    assert "one" not in repr(time.vault)
