"""Talk to the deployed app, before and after a deployment.

python3 infra/deployed.py wait     wait until no run is active, at most 100 minutes
python3 infra/deployed.py check    prove that the app answers, is configured, and turns strangers away

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
from typing import Any

LONGEST_RUN_S = 100 * 60
"""A million profiles take 45 minutes. What takes longer waits for something; a deployment does no harm then."""
LOOK_AGAIN_S = 30
START_S = 5 * 60
"""A new instance has to load the package; roles of a new app take effect after some minutes at most."""
DENIED = (HTTPStatus.UNAUTHORIZED, HTTPStatus.FORBIDDEN)


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
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
                return answer.status, _json(answer.read())
        except urllib.error.HTTPError as error:
            with error:
                return error.code, _json(error.read())
        except (urllib.error.URLError, TimeoutError):
            return 0, None


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


def _json(data: bytes) -> Any:  # noqa: ANN401
    try:
        return json.loads(data)
    except ValueError:
        return None


if __name__ == "__main__":
    try:
        {"wait": wait, "check": check}[sys.argv[1]](app_of(os.environ, azure_cli))
    except NotAsExpectedError as error:
        sys.exit(f"{error}. See docs/how-to/deploy.md.")
