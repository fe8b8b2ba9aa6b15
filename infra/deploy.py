"""Deploy a package, with a look at the app before and after it.

python3 infra/deploy.py wait       wait until no run is active, at most 100 minutes
python3 infra/deploy.py publish    deploy build/package.zip as it is, and wait until Azure says that it is done
python3 infra/deploy.py check      prove that the app answers, is configured, and turns strangers away

`publish` is for workflows; `azd deploy` does the same. It does not use `az functionapp deployment source config-zip`,
which has Azure build every Python package for this plan anew, so that something else would run than what was tested and
signed (`build_remote or runtime == "python"` in azure-cli 2.88).

Reads FUNCTION_APP_URL, FUNCTION_APP_NAME and AZURE_RESOURCE_GROUP, and ENTRA_CLIENT_ID where sign-in is on; the Azure
CLI gives it the key and the token. Needs nothing but Python and the CLI: it runs on a build agent.
"""
# ruff: noqa: INP001, T201 - a script, which talks to the person at the terminal

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from pathlib import Path
from typing import Any

LONGEST_RUN_S = 100 * 60
"""A million profiles take 45 minutes. What takes longer waits for something; a deployment does no harm then."""
LOOK_AGAIN_S = 30
START_S = 5 * 60
"""A new instance has to load the package; roles of a new app take effect after some minutes at most."""
DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)
PACKAGE = Path(__file__).parents[1] / "build" / "package.zip"
PUBLISH_S = 15 * 60
SUCCEEDED, ENDED_BADLY = 4, {3: "failed", -1: "was canceled", 5: "was canceled", 6: "succeeded in part only"}
"""`status` of a deployment, as the Azure CLI reads it:
https://github.com/Azure/azure-cli/blob/dev/src/azure-cli/azure/cli/command_modules/appservice/custom.py."""


class NotAsExpectedError(Exception):
    """The app does not answer as it should; the text says what was expected and found."""


@dataclass(frozen=True)
class App:
    """The deployed app as a caller sees it."""

    url: str
    key: str = field(default="", repr=False)
    token: str = field(default="", repr=False)

    def get(self, path: str, *, as_stranger: bool = False) -> tuple[int, Any]:
        """Return status and JSON body of GET /api/<path>; status 0 when nothing answers."""
        headers = {} if as_stranger else {"x-functions-key": self.key}
        if self.token and not as_stranger:
            headers["Authorization"] = f"Bearer {self.token}"
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


def wait(app: App, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
    """Return when no run is active, when the app does not run anyway, or after `LONGEST_RUN_S`."""
    until = clock() + LONGEST_RUN_S
    if app.get("health")[0] != HTTPStatus.OK:
        print("The app does not run yet, or is not usable: nothing to wait for.")
        return
    while runs := active_runs(app):
        if clock() >= until:
            print(f"Still active: {', '.join(runs)}. The deployment goes ahead; they resume by themselves afterwards.")
            return
        print(f"Waiting for {', '.join(runs)} ...")
        sleep(LOOK_AGAIN_S)
    print("No run is active.")


def check(app: App, clock: Callable[[], float] = time.monotonic, sleep: Callable[[float], None] = time.sleep) -> None:
    """Prove that the app works. Raises `NotAsExpectedError` after `START_S` of wrong answers."""
    until = clock() + START_S
    while True:
        try:
            _expect(app.get("health", as_stranger=True), "GET /api/health without a key", HTTPStatus.OK)
            _expect(app.get("exports", as_stranger=True), "GET /api/exports without a key", *DENIED)
            _expect(app.get("exports"), "GET /api/exports", HTTPStatus.OK)
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


def publish(
    site: Site,
    package: bytes,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Deploy the package without building anything. Raises `NotAsExpectedError`."""
    until = clock() + PUBLISH_S
    accepted = site.call("POST", "/api/publish?RemoteBuild=false&Deployer=segment-exporter", package)
    deployment = _expect(accepted, "POST /api/publish", HTTPStatus.OK, HTTPStatus.ACCEPTED)
    if not isinstance(deployment, str):
        raise NotAsExpectedError("expected the id of a deployment from POST /api/publish, found something else")
    while clock() < until:
        # The endpoint may miss a question while the app restarts.
        status, body = site.call("GET", f"/api/deployments/{deployment}")
        outcome = body.get("status") if status == HTTPStatus.OK and isinstance(body, dict) else None
        if outcome == SUCCEEDED:
            print("Deployed.")
            return
        if outcome in ENDED_BADLY:
            raise NotAsExpectedError(
                f"expected that deployment {deployment} succeeds, found that it {ENDED_BADLY[outcome]}"
            )
        sleep(5)
    raise NotAsExpectedError(f"expected that deployment {deployment} ends within {PUBLISH_S // 60} minutes")


def site_of(environ: Mapping[str, str], azure: Callable[..., str]) -> Site:
    """Return where the app that the environment names takes deployments."""
    named = ["--resource-group", environ["AZURE_RESOURCE_GROUP"], "--name", environ["FUNCTION_APP_NAME"]]
    host = azure("functionapp", "show", *named, "--query", "enabledHostNames[?contains(@, '.scm.')] | [0]")
    if not host:
        raise NotAsExpectedError("expected the SCM host of the app; may the deployer read the app?")
    return Site(host, azure("account", "get-access-token", "--query", "accessToken"))


def app_of(environ: Mapping[str, str], azure: Callable[..., str]) -> App:
    """Return the app that the environment names, with the key and the token that the Azure CLI gives."""
    url, client_id = environ.get("FUNCTION_APP_URL", ""), environ.get("ENTRA_CLIENT_ID", "")
    if not url.startswith("https://"):
        raise NotAsExpectedError(
            "expected FUNCTION_APP_URL to be an https:// address; azd sets it after `azd provision`"
        )
    named = ["--resource-group", environ["AZURE_RESOURCE_GROUP"], "--name", environ["FUNCTION_APP_NAME"]]
    key = azure("functionapp", "keys", "list", *named, "--query", "functionKeys.default")
    token = ""
    if client_id:
        token = azure("account", "get-access-token", "--resource", f"api://{client_id}", "--query", "accessToken")
    return App(url, key, token)


def azure_cli(*arguments: str) -> str:
    """Return what the Azure CLI answers; nothing when it refuses, for instance because a new app has no keys yet."""
    command = ["az", *arguments, "--output", "tsv"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _values(app: App, path: str) -> Iterator[dict[str, Any]]:
    while path:
        page = _expect(app.get(path), f"GET /api/{path}", HTTPStatus.OK)
        yield from page["value"]
        path = page.get("nextLink", "").partition("/api/")[2]


def _expect(answer: tuple[int, Any], call: str, *statuses: int) -> Any:  # noqa: ANN401 - JSON
    status, body = answer
    if status not in statuses:
        raise NotAsExpectedError(
            f"expected {' or '.join(str(int(s)) for s in statuses)} from {call}, found {status or 'no answer'}"
        )
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


if __name__ == "__main__":
    try:
        if sys.argv[1] == "publish":
            publish(site_of(os.environ, azure_cli), PACKAGE.read_bytes())
        else:
            {"wait": wait, "check": check}[sys.argv[1]](app_of(os.environ, azure_cli))
    except NotAsExpectedError as error:
        sys.exit(f"{error}. See docs/how-to/deploy.md.")
