"""Memory of the app's process when callers wait for segments to be read: one at a time, and 16 at once.

The container holds 5,000 files of earlier refreshes beside the segment. Each line is a new process of the app and 16
calls that come to an answer: who is asked to come back does. In megabytes that are resident (/proc, so Linux only):
before, the peak, and 3 s after. The last column is the growth, as a ratio to that of one preview at a time.
"""

from __future__ import annotations

import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from pathlib import Path

import requests

from sandbox.demo import CONNECTION, EXPORT, Api
from sandbox.processes import SandboxError
from sandbox.segment import EXPORT as FOLDER
from sandbox.segment import INSTANCE, Segment
from sandbox.world import World

OLD_FILES, FILES_A_REFRESH = 5_000, 20
PROFILES, MANY_PROFILES = 5_000, 1_000_000
CALLERS = 16
PREVIEW = ("POST", "/exports/newsletter/preview")
LOOK = ("GET", "/segments/NewsletterSubscribers")
COME_BACK = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
PATIENCE_S, PAUSE_S, SETTLE_S = 1_800.0, 1.0, 3.0
NEVER = "0 0 0 1 1 *"


@dataclass(frozen=True)
class Measured:
    """Megabytes that were resident, and how many answers asked a caller to come back."""

    before: int
    peak: int
    after: int
    refused: int


def main() -> None:
    """Measure, and print what docs/reference/cost.md says of the app as it is."""
    with World(settings={"SWEEP_SCHEDULE": NEVER, "LOOK_SCHEDULE": NEVER}) as world:
        fill(world)
        print(f"{'':36}{'before':>8}{'peak':>8}{'after':>8}{'refused':>9}{'growth':>9}")
        base = show("previews, one at a time", measured(world, 1, CALLERS, PREVIEW))
        show("previews, 16 at once", measured(world, CALLERS, CALLERS, PREVIEW), base)
        show("previews, 16 at once, three times", measured(world, CALLERS, 3 * CALLERS, PREVIEW), base)
        show("looks at a segment, 16 at once", measured(world, CALLERS, CALLERS, LOOK), base)
        world.upload_files(Segment(datetime.now(UTC), MANY_PROFILES).files())
        show("one preview of 1,000,000 profiles", measured(world, 1, 1, PREVIEW), base)


def fill(world: World) -> None:
    """Put the files in place, and define the export."""
    now = datetime.now(UTC)

    def upload(number: int) -> None:
        refreshed = now - timedelta(days=1 + number // FILES_A_REFRESH)
        folder = f"{INSTANCE}/{FOLDER}/NewsletterSubscribers/{refreshed:%Y/%m/%d/%H%M}"
        world.segments.upload_blob(f"{folder}/NewsletterSubscribers_{number % FILES_A_REFRESH + 1}.csv", b"a,b\n")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(upload, range(OLD_FILES)))
    world.upload_files(Segment(now, PROFILES).files())
    world.start_host()
    api = Api(world)
    api.call("PUT", "/connections/demo", CONNECTION)
    api.call("PUT", "/exports/newsletter?validate=false", EXPORT)
    world.stop_host()


def show(title: str, found: Measured, base: Measured | None = None) -> Measured:
    """Print a line."""
    growth = (found.after - found.before) / ((base or found).after - (base or found).before)
    numbers = f"{found.before:8}{found.peak:8}{found.after:8}{found.refused:9}{growth:9.2f}"
    print(f"{title:36}{numbers}", flush=True)
    return found


def measured(world: World, callers: int, calls: int, call: tuple[str, str]) -> Measured:
    """Call a new process of the app, `callers` at once, `calls` together."""
    world.start_host()
    pid = world.host_pid()
    Api(world).call("GET", "/exports")
    Path(f"/proc/{pid}/clear_refs").write_text("5")  # the peak counts from now on: proc_pid_clear_refs(5)
    before = resident_mb(pid, "VmRSS")
    with ThreadPoolExecutor(callers) as pool:
        refused = sum(pool.map(lambda _: until_answered(world, *call), range(calls)))
    peak = resident_mb(pid, "VmHWM")
    time.sleep(SETTLE_S)
    after = resident_mb(pid, "VmRSS")
    world.stop_host()
    return Measured(before, peak, after, refused)


def until_answered(world: World, method: str, path: str) -> int:
    """Call until the answer is not to come back; return how often it was."""
    headers, end, refused = {"x-functions-key": world.function_key}, time.monotonic() + PATIENCE_S, 0
    while time.monotonic() < end:
        answer = requests.request(method, f"{world.url}/api{path}", headers=headers, timeout=300)
        if answer.ok:
            return refused
        if answer.status_code not in COME_BACK:
            raise SandboxError(f"{method} {path} was answered with {answer.status_code}: {answer.text}")
        refused += 1
        time.sleep(PAUSE_S)
    raise SandboxError(f"{method} {path}: expected an answer within {PATIENCE_S:.0f} s, found {refused} refusals")


def resident_mb(pid: int, line: str) -> int:
    """Return a line of the status of a process: `VmRSS` is now, `VmHWM` the peak (proc_pid_status(5))."""
    status = dict(text.split(":", 1) for text in Path(f"/proc/{pid}/status").read_text().splitlines())
    return int(status[line].split()[0]) // 1024
