"""Everything the app needs, started and stopped together."""

import base64
import os
import secrets
import shutil
import socket
import ssl
import sys
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path
from types import TracebackType
from typing import Any, Self
from urllib.parse import urlsplit

import trustme
from azure.storage.blob import BlobServiceClient
from azure.storage.queue import QueueServiceClient

from sandbox import activecampaign
from sandbox.azurite import Azurite
from sandbox.cloud import Identity, Vault
from sandbox.host.settings import HostSettings
from sandbox.loopback import Server
from sandbox.processes import Child, SandboxError
from sandbox.proxy import Destination, Proxy
from sandbox.sign_in import SignIn, forward_to

REPOSITORY = Path(__file__).parents[1]

APP_ACCOUNT = "exportdata"
SEGMENT_ACCOUNT = "segmentlanding"
SEGMENT_CONTAINER = "dynamics365customerinsights"
APP_CONTAINERS = ("records", "working", "rejects", "audit")
APP_QUEUES = ("plan-run", "upload-lane")

VAULT_HOST = "exporter-kv.vault.azure.net"
APP_HOST = "exporter-demo.azurewebsites.net"
CLIENT_ID = "66666666-7777-8888-9999-000000000000"
API_KEY = "demo-key"

STORAGE_HOSTS = ("*.blob.core.windows.net", "*.queue.core.windows.net")
VAULT_HOSTS = ("*.vault.azure.net",)
APP_HOSTS = ("*.azurewebsites.net",)
ACTIVECAMPAIGN_HOSTS = ("*.api-us1.com", "*.activehosted.com")


class World:
    """Azurite, the stand-ins, the proxy, and on demand the local Functions host with the app: a context manager.

    Entering starts everything but the host, and creates the containers and queues that the infrastructure template
    creates in Azure. Leaving stops everything, whatever happened in between; a child whose parent was killed ends too.

    After entering:

    - `url`, `function_key`, `master_key`: where the app answers once `start_host` was called, and its keys;
      `console_link` opens the console with that key.
    - `records`: a `BlobServiceClient` on the app's own account; `queues`: a `QueueServiceClient` on the same.
    - `segments`: the landing container, as a `ContainerClient`; `upload_segments` and `upload_files` fill it, with
      directories.
    - `vault`: the secrets of the vault. `refused_hosts`: hosts that something asked the proxy for in vain.
    - `activecampaign_url`: plain loopback URL of the ActiveCampaign stand-in, its control endpoints under `/_sandbox/`;
      `account` is the stand-in's model, None when `activecampaign` names another server.
    - `sign_in`: with sign-in, what stands before the host in place of App Service authentication; else None. `url` is
      then its address, and callers need one of its tokens or sessions.
    - `host_log`: the file that collects what the host and the app log.
    - `network`: what lies between the app and everything it calls; `network.disturbed` lets it go wrong.

    The app may have several instances. They share everything, as in Azure; but each fires the timers, which in Azure
    one of them does.
    """

    def __init__(
        self,
        *,
        app: Path = REPOSITORY,
        settings: Mapping[str, str] | None = None,
        port: int = 0,
        activecampaign: str | None = None,
        with_sign_in: bool = False,
        message_hidden_s: float = 600.0,
        storage_log: Path | None = None,
    ) -> None:
        """Describe a world; entering it starts it.

        :param app: folder of `function_app.py` and `host.json`.
        :param settings: app settings that replace or extend `app_settings`.
        :param port: loopback port of the app; 0 takes a free one, the same for every `start_host`.
        :param activecampaign: `http://127.0.0.1:PORT` of a server to use in place of the stand-in.
        :param with_sign_in: people sign in with Microsoft Entra, instead of function keys.
        :param message_hidden_s: how long a queue message stays hidden while it is processed, and so how long one is
            lost to a killed host. Azure's figure is 600; a test of a crash need not wait that long.
        :param storage_log: file that gets a line for every request to storage, among others.
        """
        self._app = app
        self._overrides = dict(settings or {})
        self._port = port
        self._elsewhere = activecampaign
        self._with_sign_in = with_sign_in
        self._message_hidden_s = message_hidden_s
        self._storage_log = storage_log
        self._resources = ExitStack()
        self._directories: set[str] = set()
        self._hosts: dict[int, Child] = {}
        self._urls: dict[int, str] = {}

    def __enter__(self) -> Self:
        """Start everything but the host.

        :raises SandboxError: something is missing; the text says what to do.
        """
        with ExitStack() as resources:
            self._start(resources)
            self._resources = resources.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop everything."""
        self._resources.close()

    @property
    def console_link(self) -> str:
        """A link that opens the console; a function key is in its fragment, which no server sees."""
        return f"{self.url}/api/console" + ("" if self.sign_in else f"#key={self.function_key}")

    def app_settings(self) -> dict[str, str]:
        """Return the app's settings, as the infrastructure template sets them, with the overrides of this world."""
        return {
            "ExportStorage__blobServiceUri": f"https://{APP_ACCOUNT}.blob.core.windows.net",
            "ExportStorage__queueServiceUri": f"https://{APP_ACCOUNT}.queue.core.windows.net",
            "SegmentStorage__blobServiceUri": f"https://{SEGMENT_ACCOUNT}.blob.core.windows.net",
            "SEGMENT_CONTAINER": SEGMENT_CONTAINER,
            "SEGMENT_QUIET_S": "0",  # files are complete when `upload_files` returns; nobody need wait five minutes
            "KEY_VAULT_URI": f"https://{VAULT_HOST}",
            "LOOK_SCHEDULE": "0 */5 * * * *",
            "SWEEP_SCHEDULE": "0 * * * * *",
            "AZURE_CLIENT_ID": CLIENT_ID,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "PYTHON_THREADPOOL_THREAD_COUNT": "16",
            **({"SIGN_IN": "entra", "CONSOLE_ORIGINS": self.url} if self._with_sign_in else {}),
            **self._overrides,
        }

    def platform_settings(self) -> dict[str, str]:
        """Return what the platform puts into the app's environment, and the variables that lead to this machine."""
        return {
            "FUNCTIONS_WORKER_RUNTIME": "python",
            "HTTPS_PROXY": self._proxy.url,
            "IDENTITY_ENDPOINT": self._identity_endpoint,
            "IDENTITY_HEADER": self._identity.header,
            "REQUESTS_CA_BUNDLE": str(self._ca_file),
            "WEBSITE_HOSTNAME": APP_HOST if self._with_sign_in else urlsplit(self.url).netloc,
            "WEBSITE_INSTANCE_ID": secrets.token_hex(16),
            **({"WEBSITE_AUTH_ENABLED": "True"} if self._with_sign_in else {}),
        }

    def start_host(self, settings: Mapping[str, str] | None = None, *, instance: int = 0) -> str:
        """Start the host with the app, wait until it is ready, and return its URL.

        :param settings: app settings for this start only.
        :param instance: which of several instances of the app; the first one answers at `url`.
        :raises SandboxError: the instance runs already, or the app cannot be indexed; the text has the reason.
        """
        if instance in self._hosts and self._hosts[instance].is_running:
            raise SandboxError("the host is running already; call stop_host or kill_host first")
        host_settings = HostSettings(
            function_key=self.function_key,
            master_key=self.master_key,
            queue_endpoint=self._azurite.queue_endpoint,
            account_keys=self._azurite.keys,
            ca_file=str(self._ca_file),
            state_folder=str(self._state_folder),
            message_hidden_s=self._message_hidden_s,
        )
        url = self._urls.setdefault(instance, f"http://127.0.0.1:{free_port()}")
        inherited = {name: os.environ[name] for name in ("HOME", "LANG", "PATH", "TMPDIR") if name in os.environ}
        environment = inherited | {"PYTHONPATH": str(REPOSITORY), "PYTHONUNBUFFERED": "1", "TZ": "UTC"}
        environment |= self.platform_settings() | self.app_settings() | dict(settings or {}) | host_settings.variable()
        command = [sys.executable, "-m", "sandbox.host", "--exit-with-stdin"]
        command += ["--app", str(self._app), "--port", str(port_of(url))]
        host = self._hosts[instance] = Child(command, environment=environment, folder=self._app, log=self.host_log)
        host.next_line("the Functions host")
        return url

    def host_pid(self, *, instance: int = 0) -> int:
        """Return the id of the process that is host and app."""
        return self._hosts[instance].pid

    def stop_host(self, *, instance: int = 0) -> None:
        """Stop the host as the platform does at a scale-in: functions that are running are not waited for."""
        if host := self._hosts.pop(instance, None):
            host.stop()

    def kill_host(self, *, instance: int = 0) -> None:
        """Kill the host as a crash of the machine does. Messages in its hands stay hidden for `message_hidden_s`."""
        if host := self._hosts.pop(instance, None):
            host.kill()

    def upload_segments(self, folder: Path) -> None:
        """Upload a folder that stands for the landing container; `model.json` last, as the newest of its files."""
        paths = [path for path in folder.rglob("*") if path.is_file()]
        paths.sort(key=lambda path: path.name == "model.json")
        self.upload_files((path.relative_to(folder).as_posix(), path.read_bytes()) for path in paths)

    def upload_files(self, files: Iterable[tuple[str, bytes | Iterable[bytes]]]) -> None:
        """Upload files into the landing container, by path and content, in this order: `Segment(...).files()`."""
        for path, content in files:
            for depth in range(1, path.count("/") + 1):
                self.add_directory("/".join(path.split("/")[:depth]))
            self.segments.upload_blob(path, content, overwrite=True)

    def add_directory(self, path: str) -> None:
        """Add a directory to the landing container, unless it is there: `upload_files` does that by itself.

        Azurite's accounts are flat, and the template's landing account has a hierarchical namespace: its directories
        appear beside the files, as empty blobs with this metadata.
        """
        if path not in self._directories:
            self.segments.upload_blob(path, b"", metadata={"hdi_isfolder": "true"})
            self._directories.add(path)

    @property
    def refused_hosts(self) -> list[str]:
        """Hosts that something asked the proxy for in vain, in order."""
        return list(self._proxy.refused_hosts)

    def _start(self, resources: ExitStack) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="sandbox-"))
        resources.callback(shutil.rmtree, self.folder, ignore_errors=True)
        self._state_folder = self.folder / "timers"
        self._state_folder.mkdir()
        self.host_log = self.folder / "host.log"
        self.host_log.touch()
        self.function_key, self.master_key = secrets.token_urlsafe(24), secrets.token_urlsafe(24)
        self.url = self._urls[0] = f"http://127.0.0.1:{self._port or free_port()}"
        self.sign_in: SignIn | None = None
        if self._with_sign_in:
            self._urls[0] = f"http://127.0.0.1:{free_port()}"
            self.sign_in = SignIn(forward_to(port_of(self._urls[0])))
            resources.callback(Server(self.sign_in.answer, port_of(self.url)).close)
        authority = trustme.CA()
        self._ca_file = self.folder / "ca.pem"
        authority.cert_pem.write_to_path(str(self._ca_file))

        self._start_azurite(resources, authority)
        self.vault, self._identity = Vault(f"https://{VAULT_HOST}"), Identity(CLIENT_ID)
        vault_server, identity_server = Server(self.vault.answer), Server(self._identity.answer)
        resources.callback(vault_server.close)
        resources.callback(identity_server.close)
        self._identity_endpoint = f"{identity_server.url}/msi/token"
        self.account: activecampaign.Account | None = None
        if self._elsewhere is None:
            self.account = activecampaign.Account(API_KEY)
            self.activecampaign_url = resources.enter_context(activecampaign.serve(self.account)).url
        else:
            self.activecampaign_url = self._elsewhere.rstrip("/")

        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        authority.issue_cert(*VAULT_HOSTS, *ACTIVECAMPAIGN_HOSTS, *APP_HOSTS).configure_cert(tls)
        self._proxy = Proxy(self._destinations(vault_server.port), tls)
        self.network = self._proxy.network
        resources.callback(self._proxy.close)
        resources.callback(self._stop_hosts)

    def _stop_hosts(self) -> None:
        for instance in list(self._hosts):
            self.stop_host(instance=instance)

    def _start_azurite(self, resources: ExitStack, authority: trustme.CA) -> None:
        """Start Azurite, create what the infrastructure template creates, and keep clients for looking at it."""
        leaf = authority.issue_cert(*STORAGE_HOSTS, "127.0.0.1")
        certificate, private_key = self.folder / "azurite.pem", self.folder / "azurite.key"
        for blob in leaf.cert_chain_pems:
            blob.write_to_path(str(certificate), append=True)
        leaf.private_key_pem.write_to_path(str(private_key))
        keys = {name: base64.b64encode(secrets.token_bytes(64)).decode() for name in (APP_ACCOUNT, SEGMENT_ACCOUNT)}
        self._azurite = Azurite.start(keys, certificate, private_key, self.folder, self._storage_log)
        resources.callback(self._azurite.close)

        def connect[C: (BlobServiceClient, QueueServiceClient)](client: type[C], endpoint: str, account: str) -> C:
            credential = {"account_name": account, "account_key": keys[account]}
            options: dict[str, Any] = {"connection_verify": str(self._ca_file), "use_env_settings": False}
            return resources.enter_context(client(f"{endpoint}/{account}", credential=credential, **options))

        self.records = connect(BlobServiceClient, self._azurite.blob_endpoint, APP_ACCOUNT)
        self.queues = connect(QueueServiceClient, self._azurite.queue_endpoint, APP_ACCOUNT)
        landing = connect(BlobServiceClient, self._azurite.blob_endpoint, SEGMENT_ACCOUNT)
        for name in APP_CONTAINERS:
            self.records.create_container(name)
        for name in APP_QUEUES:
            self.queues.create_queue(name)
        self.segments = landing.create_container(SEGMENT_CONTAINER)

    def _destinations(self, vault_port: int) -> list[Destination]:
        """Say where each production host lives on this machine."""
        endpoints = {"blob": self._azurite.blob_endpoint, "queue": self._azurite.queue_endpoint}
        return [
            *(
                Destination(f"{account}.{service}.core.windows.net", port_of(endpoint), terminate_tls=False)
                for account in (APP_ACCOUNT, SEGMENT_ACCOUNT)
                for service, endpoint in endpoints.items()
            ),
            *(Destination(pattern, vault_port, terminate_tls=True) for pattern in VAULT_HOSTS),
            *(Destination(pattern, port_of(self.url), terminate_tls=True) for pattern in APP_HOSTS),
            *(
                Destination(pattern, port_of(self.activecampaign_url), terminate_tls=True)
                for pattern in ACTIVECAMPAIGN_HOSTS
            ),
        ]


def free_port() -> int:
    """Return a loopback port that nobody uses, below those that systems give to outgoing connections: it stays free."""
    while True:
        port = secrets.choice(range(20_000, 32_000))
        with socket.socket() as probe, suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port


def port_of(url: str) -> int:
    """Return the port of a loopback URL.

    :raises SandboxError: it has none, or names another machine or scheme.
    """
    parts = urlsplit(url)
    if parts.hostname not in {"127.0.0.1", "localhost"} or parts.port is None:
        raise SandboxError(f"expected a URL on this machine such as http://127.0.0.1:8080, found {url!r}")
    return parts.port
