"""`python -m sandbox demo`: one export from start to finish, as an operator and a marketer would do it with curl."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import requests
from pydantic.alias_generators import to_camel
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn
from rich.table import Table

from exporter.reasons import Bucket
from sandbox.processes import SandboxError
from sandbox.segment import Segment
from sandbox.world import API_KEY, REPOSITORY, World

REJECTS_FILE = Path("build/demo-rejects.csv")
LIST_ID = 1
POLL_S = 0.5
LIMIT_S = 7_200.0
TERMINAL = ("successful", "completedWithWarnings", "failed", "canceled", "held", "skipped")
CONNECTION = {
    "displayName": "ActiveCampaign of the demo",
    "host": "demo.api-us1.com",
    "apiKey": API_KEY,
    "usableBy": "contributors",
    "consent": True,
}
EXPORT = {
    "displayName": "Newsletter",
    "connectionId": "demo",
    "listId": LIST_ID,
    "segments": ["NewsletterSubscribers"],
    "dataMatching": {"email": "EMail", "firstName": "FirstName", "lastName": "LastName", "phone": "Telephone"},
    "schedule": {"kind": "withEveryRefresh"},
}


class Api:
    """The app's HTTP interface, as any caller uses it."""

    def __init__(self, world: World) -> None:
        """Call the app of this world with its function key."""
        self._url = f"{world.url}/api"
        self._session = requests.Session()
        self._session.headers["x-functions-key"] = world.function_key

    def call(self, method: str, path: str, body: object = None) -> requests.Response:
        """Send a request; raises `SandboxError` with the app's own words when it is refused."""
        answer = self._session.request(method, f"{self._url}{path}", json=body, timeout=60)
        if not answer.ok:
            raise SandboxError(f"{method} /api{path} was answered with {answer.status_code}: {answer.text}")
        return answer


def demo(profiles: int) -> None:
    """Run one export of `profiles` generated profiles and print its tally."""
    console = Console(highlight=False, soft_wrap=True)
    began = time.monotonic()

    def step(text: str) -> None:
        console.print(f"[dim]{time.monotonic() - began:5.1f} s[/]  {text}")

    step("Starting Azurite, the stand-ins for ActiveCampaign, Key Vault and identity, and the local Functions host")
    with World() as world:
        segment = Segment(datetime.now(UTC), profiles)
        world.upload_files(segment.files())
        step(f"Segment NewsletterSubscribers is in storage, as Customer Insights writes it: {profiles:,} profiles")
        world.start_host()
        step("The app runs (Microsoft's Python worker library, the real function_app.py)")
        step(f"Watch it in the console while the demo runs: {world.console_link}")
        api = Api(world)
        api.call("PUT", "/connections/demo", CONNECTION)
        step("PUT /api/connections/demo     tested against ActiveCampaign, then saved; its API key is in Key Vault")
        api.call("PUT", "/exports/newsletter", EXPORT)
        step("PUT /api/exports/newsletter   saved, to run with every refresh; saving runs nothing")
        run = api.call("POST", "/exports/newsletter/runs").json()
        step(f"POST /api/exports/newsletter/runs   202 Accepted, run {run['runId']}")
        run = watch(console, api, run["runId"])
        step(f"The run is [bold]{run['status']}[/]\n")
        if "tally" in run:
            console.print(tally_table(run["tally"]))
        if "problem" in run:
            console.print(f"{run['problem']['message']}\n")
        if "rejectsUrl" in run:
            rejects = REPOSITORY / REJECTS_FILE
            rejects.parent.mkdir(exist_ok=True)
            rejects.write_bytes(api.call("GET", run["rejectsUrl"].removeprefix("/api")).content)
            console.print(f"Every row that did not arrive, with its reason: GET {run['rejectsUrl']}")
            console.print(f"A copy is in {REJECTS_FILE}")
    console.print(
        "\nNext: [bold]make serve[/] keeps the same world running and prints a link that opens the console;"
        " [bold]docs/tutorial.md[/] goes through it step by step.",
        soft_wrap=True,
    )


def watch(console: Console, api: Api, run_id: str) -> dict[str, Any]:
    """Show a progress bar until the run is over; returns the run."""
    columns = (
        TextColumn("         {task.fields[status]:<9}"),
        BarColumn(bar_width=30),
        TextColumn("{task.completed:>9,.0f} of {task.total:,.0f} confirmed  {task.fields[left]}"),
    )
    deadline = time.monotonic() + LIMIT_S
    with Progress(*columns, console=console, transient=not console.is_terminal) as bar:
        task = bar.add_task("", total=1, status="queued", left="")
        while time.monotonic() < deadline:
            run: dict[str, Any] = api.call("GET", f"/runs/{run_id}").json()
            show(bar, task, run)
            if run["status"] in TERMINAL:
                return run
            time.sleep(POLL_S)
    raise SandboxError(f"the run {run_id} did not end within {LIMIT_S:.0f} s; GET /api/runs/{run_id} says why")


def show(bar: Progress, task: Any, run: dict[str, Any]) -> None:  # noqa: ANN401 - rich's task id
    """Draw one state of the run."""
    progress = run.get("progress", {})
    total = progress.get("contacts") or run.get("plan", {}).get("contacts")
    confirmed = run["tally"]["confirmed"] if "tally" in run else progress.get("confirmed", 0)
    left = f"about {progress['secondsLeft']} s left" if progress.get("secondsLeft") else ""
    bar.update(task, total=total or 1, completed=confirmed, status=run["status"][:9], left=left)


def tally_table(tally: dict[str, Any]) -> Table:
    """Return the tally as a table whose rows add up."""
    table = Table(show_edge=False, pad_edge=False, show_footer=True)
    rows = {bucket.words: tally[to_camel(bucket.member)] for bucket in Bucket}
    total = sum(rows.values())
    sums = "adds up" if total == tally["rowsRead"] else f"DOES NOT ADD UP: {tally['rowsRead']} rows were read"
    table.add_column("every row of the segment", footer=f"rows read ({sums})")
    table.add_column("rows", justify="right", footer=f"{tally['rowsRead']:,}")
    for words, count in rows.items():
        table.add_row(words, f"{count:,}")
    for reason, count in tally["reasons"].items():
        table.add_row(f"  [dim]{reason}[/]", f"[dim]{count:,}[/]")
    return table
