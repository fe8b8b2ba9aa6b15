"""Deploy a package, with a look at the app before and after it.

python3 infra/deploy.py people-key make the secret people-key in the app's vault, unless there is or was one
python3 infra/deploy.py sign-in    tell the app registration the app's address and identity, where people sign in
python3 infra/deploy.py wait       wait until no run is active, at most 100 minutes
python3 infra/deploy.py first      on an app that has no code yet: publish, and so wait until its roles take effect
python3 infra/deploy.py publish    deploy build/package.zip as it is, and wait until Azure says that it is done
python3 infra/deploy.py check      prove that the app answers, is configured, and turns strangers away

`publish` is for workflows; `azd deploy` does the same, but gives up at the first refusal. It does not use
`az functionapp deployment source config-zip`, which has Azure build every Python package for this plan anew, so that
something else would run than what was tested and signed (`build_remote or runtime == "python"` in azure-cli 2.88).

`people-key` goes through Resource Manager, which also reaches a vault in a virtual network. Not by `az rest`: a command
line, and so the key in it, can be read by everybody on the machine.

`sign-in` does what the template cannot: address and identity exist only once there is an app, and a registration is no
resource of the subscription.

Reads AZURE_SUBSCRIPTION_ID, AZURE_RESOURCE_GROUP, FUNCTION_APP_NAME and FUNCTION_APP_URL, ENTRA_CLIENT_ID where sign-in
is on, for `people-key` KEY_VAULT_NAME and EXPORT_STORAGE_ACCOUNT, and for `sign-in` AZURE_TENANT_ID,
IDENTITY_PRINCIPAL_ID and CONSOLE_ORIGINS; the Azure CLI gives it the function key or the tokens. Needs nothing but
Python and the CLI: it runs on a build agent.
"""
# ruff: noqa: INP001, T201 - a script, which talks to the person at the terminal

from __future__ import annotations

import base64
import json
import os
import secrets
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import takewhile
from pathlib import Path
from typing import Any

LONGEST_RUN_S = 100 * 60
"""A million profiles take 45 minutes. What takes longer waits for something; a deployment does no harm then."""
LOOK_AGAIN_S = 30
START_S = 5 * 60
"""A new instance has to load the package, and makes its function keys when it starts for the first time."""
ROLES_S = 10 * 60
"""How long a new role may take to be in effect:
https://learn.microsoft.com/azure/role-based-access-control/troubleshooting#symptom---role-assignment-changes-are-not-being-detected."""
DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
PACKAGE = Path(__file__).parents[1] / "build" / "package.zip"
PUBLISH_S = 15 * 60
SUCCEEDED, FAILED = 4, 3
ENDED_BADLY = {FAILED: "failed", -1: "was canceled", 5: "gave way to another deployment", 6: "succeeded in part only"}
"""`status` of a deployment, as azd reads it: `PublishStatus` in
https://github.com/Azure/azure-dev/blob/main/cli/azd/pkg/azsdk/funcapp_host_client.go."""
LATE_S = 4 * 5
"""How long a deployment may be unknown at first. Unknown for longer, after it was known, it is done: Azure has taken
down the worker that knew it (`waitForDeployment`, same source)."""
PEOPLE_KEY = "people-key"
CALLBACK = "/.auth/login/aad/callback"
CREDENTIAL = "segment-exporter-identity"
MARKER = "people-key-made"
"""An empty container beside the hashes that were made with the key. Not a tag: each provisioning writes the tags of the
template anew. It outlives the vault, and goes with the hashes."""
ADMIN_CLAIMS = base64.b64encode(b'{"claims":[{"typ":"roles","val":"Admin"}],"role_typ":"roles"}').decode()
VAULTS_VERSION, STORAGE_VERSION = "2026-02-01", "2026-04-01"
"""Of Resource Manager's API, as in the template."""
VAULT_VERSION = "7.4"
"""Of a vault's own API: https://learn.microsoft.com/rest/api/keyvault/secrets/recover-deleted-secret."""
RECOVERY_S = 2 * 60
AzureCli = Callable[..., Any]
"""Takes the arguments of `az` and returns its JSON answer. Raises `NotAsExpectedError`."""


class NotAsExpectedError(Exception):
    """The app, or Azure, does not answer as it should; the text says what was expected and found."""


class DeploymentFailedError(NotAsExpectedError):
    """Azure did not take the package, or could not store it; it may when asked again."""


@dataclass(frozen=True)
class App:
    """The deployed app as a caller sees it: a stranger, unless there is a key."""

    url: str
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)
    claims: str = ""
    """A principal header, which only the platform may write."""

    def get(self, path: str) -> tuple[int, Any]:
        """Return status and JSON body of GET /api/<path>; status 0 when nothing answers."""
        headers = {"x-functions-key": self.key} if self.key else {}
        if self.token:
            headers["Authorization"] = f"Bearer {self.token}"
        if self.claims:
            headers |= {"X-MS-CLIENT-PRINCIPAL": self.claims, "X-MS-CLIENT-PRINCIPAL-NAME": "deploy.py"}
        request = urllib.request.Request(f"{self.url.rstrip('/')}/api/{path}", headers=headers)  # noqa: S310 - https, from the deployment's own output
        return _call(request, 60)


def active_runs(app: App) -> list[str]:
    """Return the ids of the runs that are not over. Raises `NotAsExpectedError`."""
    found = []
    for export in _values(app, "exports"):
        # The newest hundred: only skipped runs can be newer than an active one.
        newest = _expect(app.get(f"exports/{export['id']}/runs"), "GET /api/exports/{id}/runs", HTTPStatus.OK)
        found += [run["runId"] for run in newest["value"] if "endedUtc" not in run]
    return found


def wait(
    stranger: App,
    signed_in: Callable[[], App],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when no run is active, when the app does not run anyway, or after `LONGEST_RUN_S`."""
    until = clock() + LONGEST_RUN_S
    if stranger.get("health")[0] != HTTPStatus.OK:
        print("The app does not run yet, or is not usable: nothing to wait for.")
        return
    app = signed_in()
    while runs := active_runs(app):
        if clock() >= until:
            print(f"Still active: {', '.join(runs)}. The deployment goes ahead; they resume by themselves afterwards.")
            return
        print(f"Waiting for {', '.join(runs)} ...")
        sleep(LOOK_AGAIN_S)
    print("No run is active.")


def check(
    stranger: App,
    pretender: App,
    signed_in: Callable[[], App],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Prove that the app works. Raises `NotAsExpectedError` after `START_S` of wrong answers.

    `pretender`: a stranger who claims to be an administrator.
    """
    until = clock() + START_S
    while True:
        try:
            # With a key or token first: only these callers are told what is wrong with the settings.
            _expect(signed_in().get("exports"), "GET /api/exports", HTTPStatus.OK)
            _expect(stranger.get("exports"), "GET /api/exports without a key", *DENIED)
            _expect(pretender.get("exports"), "GET /api/exports with a principal header of one's own", *DENIED)
            _expect(stranger.get("health"), "GET /api/health without a key", HTTPStatus.OK)
        except NotAsExpectedError as error:
            if clock() >= until:
                raise
            print(f"Not yet: {error}")
            sleep(10)
        else:
            print("The app answers, is configured, and turns strangers away.")
            return


@dataclass(frozen=True)
class Site:
    """Where Azure takes deployments of the app: its SCM host. It knows deployers by their Entra token."""

    host: str
    token: str = field(repr=False)

    def call(self, method: str, path: str, package: bytes | None = None) -> tuple[int, Any]:
        """Return status and JSON body; status 0 when nothing answers."""
        headers = {"Authorization": f"Bearer {self.token}"} | ({"Content-Type": "application/zip"} if package else {})
        return _call(urllib.request.Request(f"https://{self.host}{path}", package, headers, method=method), PUBLISH_S)


def first(
    stranger: App,
    site: Callable[[], Site],
    package: bytes,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Publish where no code of this app answers yet. Raises `NotAsExpectedError`."""
    _, health = stranger.get("health")
    if isinstance(health, dict) and "status" in health:
        print("The app has code: its roles are in effect.")
    else:
        publish(site(), package, clock, sleep)


def publish(
    site: Site,
    package: bytes,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Deploy the package without building anything. Raises `NotAsExpectedError`.

    What fails is repeated for `ROLES_S`: the app, and the role with which it stores its package, may be new.
    """
    until = clock() + ROLES_S
    while True:
        try:
            _publish_once(site, package, clock, sleep)
        except DeploymentFailedError as error:
            if clock() >= until:
                raise
            print(f"Not yet: {error}")
            sleep(LOOK_AGAIN_S)
        else:
            print("Deployed.")
            return


def _publish_once(site: Site, package: bytes, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
    accepted = site.call("POST", "/api/publish?RemoteBuild=false&Deployer=segment-exporter", package)
    status, deployment = accepted
    if status in (0, HTTPStatus.NOT_FOUND) or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        raise DeploymentFailedError(f"expected that POST /api/publish takes the package, found {status or 'no answer'}")
    _expect(accepted, "POST /api/publish", HTTPStatus.OK, HTTPStatus.ACCEPTED)
    if not isinstance(deployment, str):
        raise NotAsExpectedError("expected the id of a deployment from POST /api/publish, found something else")
    began, known = clock(), False
    while clock() < began + PUBLISH_S:
        # The endpoint may miss a question while the app restarts.
        status, body = site.call("GET", f"/api/deployments/{deployment}")
        if status == HTTPStatus.NOT_FOUND and known and clock() >= began + LATE_S:
            return
        if status == HTTPStatus.OK and isinstance(body, dict):
            known, outcome = True, body.get("status")
            if outcome == SUCCEEDED:
                return
            if outcome in ENDED_BADLY:
                text = f"expected that deployment {deployment} succeeds, found that it {ENDED_BADLY[outcome]}"
                text = ": ".join(filter(None, [text, body.get("status_text")]))
                raise (DeploymentFailedError if outcome == FAILED else NotAsExpectedError)(text)
        sleep(5)
    raise NotAsExpectedError(f"expected that deployment {deployment} ends within {PUBLISH_S // 60} minutes")


@dataclass(frozen=True)
class Api:
    """An API of Azure: Resource Manager, or that of a vault."""

    address: str
    token: str = field(repr=False)

    def call(self, method: str, path: str, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        """Return status and JSON body; status 0 when nothing answers."""
        headers = {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        return _call(urllib.request.Request(self.address + path, data, headers, method=method), 60)  # noqa: S310 - https, see `apis_of`


@dataclass(frozen=True)
class Resource:
    """A resource in Resource Manager."""

    manager: Api
    path: str
    version: str

    @property
    def owner(self) -> str:
        """The name of the vault or the account that has it."""
        return self._names[2]

    @property
    def _names(self) -> list[str]:
        return self.path.partition("/providers/")[2].split("/")

    def get(self) -> Any | None:  # noqa: ANN401 - JSON
        """Return the resource, or None when there is none. Raises `NotAsExpectedError`."""
        status, body = self._call("GET", "read", HTTPStatus.OK, HTTPStatus.NOT_FOUND)
        return body if status == HTTPStatus.OK else None

    def put(self, body: Mapping[str, Any], *others: int) -> int:
        """Make the resource; return the status: 200, 201 or one of the others. Raises `NotAsExpectedError`."""
        return self._call("PUT", "write", HTTPStatus.OK, HTTPStatus.CREATED, *others, body=body)[0]

    def _call(self, method: str, right: str, *expected: int, body: Mapping[str, Any] | None = None) -> tuple[int, Any]:
        status, answer = self.manager.call(method, f"{self.path}?api-version={self.version}", body)
        provider, *names = self._names
        if status in DENIED:
            needed = "/".join([provider, *names[::2], right])
            raise NotAsExpectedError(
                f"expected the right {needed} on {self.owner}, found {status}; let an owner give it"
            )
        if status not in expected:
            found = status or "no answer"
            raise NotAsExpectedError(f"expected that {method} {'/'.join(names)} succeeds, found {found}; repeat it")
        return status, answer


def people_key(
    secret: Resource,
    marker: Resource,
    vault: Callable[[], Api],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Make the key with which the app knows people again, where there never was one. Raises `NotAsExpectedError`.

    The marker is made last: a deployment that stops in between is repeated, and finds the key. Two first deployments
    at once may make two versions of it; there is no app yet that could have used the older one.
    """
    lost = f"if it is lost, and everybody may count as new: delete container {MARKER} of {marker.owner}, and repeat"
    marked = marker.get()
    if secret.get() is not None:
        print(f"The secret {PEOPLE_KEY} is there.")
    else:
        answer, _ = vault().call("POST", f"/deletedsecrets/{PEOPLE_KEY}/recover?api-version={VAULT_VERSION}", {})
        if answer == HTTPStatus.OK:
            _wait_for(secret, clock, sleep)
            print(f"The secret {PEOPLE_KEY} had been deleted; it is recovered.")
        elif marked is not None:
            gone = " for good" if answer == HTTPStatus.NOT_FOUND else f"; {_look(secret.owner, answer)}"
            made_on = ((marked.get("properties") or {}).get("metadata") or {}).get("madeOn", "an unknown day")
            raise NotAsExpectedError(f"expected the secret {PEOPLE_KEY} of {made_on}, found it deleted{gone}; {lost}")
        else:
            properties = {"value": secrets.token_urlsafe(32), "contentType": "32 bytes, base64url; never rotate"}
            # A deleted secret keeps its name: https://learn.microsoft.com/azure/key-vault/general/soft-delete-change
            if secret.put({"properties": properties}, HTTPStatus.CONFLICT) == HTTPStatus.CONFLICT:
                expected = f"expected that there never was a secret {PEOPLE_KEY}"
                raise NotAsExpectedError(f"{expected}, found a deleted one; {_look(secret.owner, answer)}")
            print(f"The secret {PEOPLE_KEY} is made. It is never made again, nor rotated.")
    if marked is None:
        today = time.strftime("%Y-%m-%d", time.gmtime())
        marker.put({"properties": {"publicAccess": "None", "metadata": {"madeOn": today}}})


def sign_in(environ: Mapping[str, str], azure: AzureCli) -> None:
    """Let the app registration send browsers back to the app, and believe its identity. Raises `NotAsExpectedError`.

    https://learn.microsoft.com/azure/app-service/configure-authentication-provider-aad
    """
    client = environ.get("ENTRA_CLIENT_ID")
    if not client:
        print("Nobody signs in with Microsoft Entra: callers have a function key.")
        return
    origins = [stranger_of(environ).url, *environ.get("CONSOLE_ORIGINS", "").split(",")]
    wanted = [f"{origin.rstrip('/')}{CALLBACK}" for origin in origins if origin]
    web = (azure("ad", "app", "show", "--id", client) or {}).get("web") or {}
    known = web.get("redirectUris") or []
    # The platform asks for a token of who signs in along with the code; without this, the way back fails: AADSTS700054.
    issues = (web.get("implicitGrantSettings") or {}).get("enableIdTokenIssuance")
    if issues and set(wanted) <= set(known):
        print("The app registration knows where the app is.")
    else:
        uris = [*known, *(uri for uri in wanted if uri not in known)]
        azure("ad", "app", "update", "--id", client, "--web-redirect-uris", *uris, "--enable-id-token-issuance", "true")
        print(f"The app registration sends browsers back to {', '.join(wanted)}.")
    credential = {
        "name": CREDENTIAL,
        "issuer": f"https://login.microsoftonline.com/{_value(environ, 'AZURE_TENANT_ID')}/v2.0",
        "subject": _value(environ, "IDENTITY_PRINCIPAL_ID"),
        "audiences": ["api://AzureADTokenExchange"],
    }
    found = azure("ad", "app", "federated-credential", "list", "--id", client) or []
    same = [{name: one.get(name) for name in credential} for one in found if one.get("name") == CREDENTIAL]
    if same == [credential]:
        print("The app registration believes the app's identity.")
        return
    # An app that was removed and made again has another identity.
    verb = ["update", "--federated-credential-id", CREDENTIAL] if same else ["create"]
    azure("ad", "app", "federated-credential", *verb, "--id", client, "--parameters", json.dumps(credential))
    print("The app registration believes the app's identity from now on; no secret is needed.")


def _wait_for(secret: Resource, clock: Callable[[], float], sleep: Callable[[float], None]) -> None:
    until = clock() + RECOVERY_S
    while secret.get() is None:
        if clock() >= until:
            raise NotAsExpectedError(f"expected {PEOPLE_KEY} within {RECOVERY_S} s of its recovery; repeat the command")
        sleep(5)


def _look(vault: str, answer: int) -> str:
    """Return how to find out whether a deleted key can be recovered, where the vault does not tell the deployer."""
    return (
        f"whether it can be recovered, the vault does not say ({answer or 'no answer'}). With the role Key Vault"
        " Secrets Officer, from where the vault answers:"
        f" `az keyvault secret recover --vault-name {vault} --name {PEOPLE_KEY}`, then repeat"
    )


def apis_of(environ: Mapping[str, str], azure: AzureCli) -> tuple[Api, Callable[[], Api]]:
    """Return Resource Manager and, signed in to when it is needed, the app's vault. Raises `NotAsExpectedError`."""

    def api(address: str, *resource: str) -> Api:
        return Api(address, azure("account", "get-access-token", *_subscription(environ), *resource)["accessToken"])

    host = f"https://{_value(environ, 'KEY_VAULT_NAME')}.vault.azure.net"
    return api("https://management.azure.com"), lambda: api(host, "--resource", "https://vault.azure.net")


def secret_and_marker_of(environ: Mapping[str, str], manager: Api) -> tuple[Resource, Resource]:
    """Return where the key and its marker are in Resource Manager. Raises `NotAsExpectedError`."""
    subscription, group, vault, account = (
        _value(environ, name)
        for name in ("AZURE_SUBSCRIPTION_ID", "AZURE_RESOURCE_GROUP", "KEY_VAULT_NAME", "EXPORT_STORAGE_ACCOUNT")
    )
    providers = f"/subscriptions/{subscription}/resourceGroups/{group}/providers"
    containers = f"{providers}/Microsoft.Storage/storageAccounts/{account}/blobServices/default/containers"
    return (
        Resource(manager, f"{providers}/Microsoft.KeyVault/vaults/{vault}/secrets/{PEOPLE_KEY}", VAULTS_VERSION),
        Resource(manager, f"{containers}/{MARKER}", STORAGE_VERSION),
    )


def site_of(environ: Mapping[str, str], azure: AzureCli) -> Site:
    """Return where the app that the environment names takes deployments. Raises `NotAsExpectedError`."""
    host = scm_host(azure("functionapp", "show", *_named(environ)))
    return Site(host, azure("account", "get-access-token", *_subscription(environ))["accessToken"])


def scm_host(app: Mapping[str, Any]) -> str:
    """Return the SCM host from what `az functionapp show` answers. Raises `NotAsExpectedError`.

    For Flex Consumption that is the answer of Resource Manager as it is, for other plans its properties flattened:
    `get_raw_functionapp` in
    https://github.com/Azure/azure-cli/blob/dev/src/azure-cli/azure/cli/command_modules/appservice/custom.py.
    """
    facts = app.get("properties") or app
    hosts = [state["name"] for state in facts.get("hostNameSslStates") or [] if state.get("hostType") == "Repository"]
    hosts += [name for name in facts.get("enabledHostNames") or [] if ".scm." in name]
    if not hosts:
        raise NotAsExpectedError("expected the SCM host of the app, found none; may the deployer read the app?")
    return str(hosts[0])


def stranger_of(environ: Mapping[str, str]) -> App:
    """Return the app that the environment names, for a caller without a key. Raises `NotAsExpectedError`."""
    url = environ.get("FUNCTION_APP_URL", "")
    if not url.startswith("https://"):
        raise NotAsExpectedError(
            "expected FUNCTION_APP_URL to be an https:// address; azd sets it after `azd provision`"
        )
    return App(url)


def app_of(environ: Mapping[str, str], azure: AzureCli) -> App:
    """Return the app that the environment names, with the key, or with sign-in the token, that the Azure CLI gives.

    Raises `NotAsExpectedError`, also while a new app has no keys yet.
    """
    url = stranger_of(environ).url
    if client_id := environ.get("ENTRA_CLIENT_ID"):
        resource = ["--resource", f"api://{client_id}"]
        return App(url, token=azure("account", "get-access-token", *_subscription(environ), *resource)["accessToken"])
    keys = azure("functionapp", "keys", "list", *_named(environ))
    key = ((keys or {}).get("functionKeys") or {}).get("default")
    if not key:
        raise NotAsExpectedError("expected the function key `default`, found none")
    return App(url, key)


def azure_cli(*arguments: str) -> Any:  # noqa: ANN401 - JSON
    """Return what `az` answers. Raises `NotAsExpectedError` with what it says when it refuses."""
    command = ["az", *arguments, "--only-show-errors", "--output", "json"]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise NotAsExpectedError("expected the Azure CLI, found no `az`; install it, then `az login`") from None
    if done.returncode:
        name = " ".join(takewhile(lambda word: not word.startswith("-"), arguments))
        found = " ".join(done.stderr.split()).removeprefix("ERROR: ").rstrip(".") or f"exit code {done.returncode}"
        raise NotAsExpectedError(f"expected an answer from `az {name}`, found: {found}")
    return _json(done.stdout.encode())


def _named(environ: Mapping[str, str]) -> list[str]:
    group, name = _value(environ, "AZURE_RESOURCE_GROUP"), _value(environ, "FUNCTION_APP_NAME")
    return [*_subscription(environ), "--resource-group", group, "--name", name]


def _subscription(environ: Mapping[str, str]) -> list[str]:
    """Name azd's own subscription: the CLI's default may be another."""
    return ["--subscription", _value(environ, "AZURE_SUBSCRIPTION_ID")]


def _value(environ: Mapping[str, str], name: str) -> str:
    if not environ.get(name):
        raise NotAsExpectedError(f"expected {name} to be set; azd does so after `azd provision`, a workflow by `env`")
    return environ[name]


def _values(app: App, path: str) -> Iterator[dict[str, Any]]:
    while path:
        page = _expect(app.get(path), f"GET /api/{path}", HTTPStatus.OK)
        yield from page["value"]
        path = page.get("nextLink", "").partition("/api/")[2]


def _expect(answer: tuple[int, Any], call: str, *statuses: int) -> Any:  # noqa: ANN401 - JSON
    status, body = answer
    if status not in statuses:
        found = f"{status or 'no answer'}"
        if isinstance(body, dict) and isinstance(body.get("detail"), str):  # of a problem, RFC 9457
            found += f": {body['detail'].rstrip('.')}"
        raise NotAsExpectedError(f"expected {' or '.join(str(int(s)) for s in statuses)} from {call}, found {found}")
    return body


def _call(request: urllib.request.Request, timeout_s: float) -> tuple[int, Any]:
    try:
        with urllib.request.urlopen(request, timeout=timeout_s) as answer:  # noqa: S310 - https, from the deployment's own output
            return answer.status, _json(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json(error.read())
    except (urllib.error.URLError, TimeoutError):
        return 0, None


def _json(data: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(data)
    except ValueError:
        return None


def _package() -> bytes:
    if not PACKAGE.exists():
        raise NotAsExpectedError(f"expected {PACKAGE.name} in {PACKAGE.parent.name}/, found none; run `make package`")
    return PACKAGE.read_bytes()


def main(command: str, environ: Mapping[str, str], azure: AzureCli) -> None:
    """Run a command of the module's docstring. Raises `NotAsExpectedError`."""
    match command:
        case "people-key":
            manager, vault = apis_of(environ, azure)
            people_key(*secret_and_marker_of(environ, manager), vault)
        case "sign-in":
            sign_in(environ, azure)
        case "wait":
            wait(stranger_of(environ), lambda: app_of(environ, azure))
        case "check":
            stranger = stranger_of(environ)
            check(stranger, replace(stranger, claims=ADMIN_CLAIMS), lambda: app_of(environ, azure))
        case "first":
            first(stranger_of(environ), lambda: site_of(environ, azure), _package())
        case "publish":
            publish(site_of(environ, azure), _package())
        case _:
            raise NotAsExpectedError(f"expected people-key, sign-in, wait, first, publish or check, found {command!r}")


if __name__ == "__main__":
    try:
        main(sys.argv[1] if len(sys.argv) > 1 else "", os.environ, azure_cli)
    except NotAsExpectedError as error:
        sys.exit(f"{error}. See docs/how-to/deploy.md.")
