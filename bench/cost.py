"""What an export costs in Azure, from the storage requests and calls of real runs in the sandbox.

Three runs are counted through Azurite's request log: one of N batches, one of 2N (their difference is what a batch
costs), and one of 2N whose lanes are handed over often (what a hand-over costs). A million profiles is arithmetic then.
"""

from __future__ import annotations

import re
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

import requests

from exporter.adapters.blobs import BLOCK_BYTES
from exporter.settings import Settings
from sandbox.demo import CONNECTION, EXPORT, Api
from sandbox.processes import SandboxError
from sandbox.segment import Segment
from sandbox.world import World

CONTACTS_A_BATCH = 250
SMALL, LARGE = 12_500, 25_000
MILLION = 1_000_000
PAYLOAD_BYTES, SOURCE_BYTES = 221e6, 300e6
"""Of a million profiles with 30 columns, as `make bench` generates them."""
LIMIT_S = 300
NEVER = "0 0 0 1 1 *"
"""The sweep is counted apart, so it must not run during the runs; the looks are counted by tests/pipeline."""
IDLE_SWEEPS = 5
RETENTION_LISTS = 2
"""Further lists of a sweep once an hour: reject reports and the audit trail."""
INSTANCE_GB = 2.0

PRICES = {
    # US dollars. Microsoft's own worked examples for general purpose v2, hot tier, locally redundant:
    # https://learn.microsoft.com/azure/storage/common/azcopy-cost-estimation#sample-prices
    "write": 0.055 / 10_000,
    "list": 0.055 / 10_000,
    "read": 0.0044 / 10_000,
    "other": 0.0044 / 10_000,
    "delete": 0.0,
    # Not verified: the official page shows prices only after its script has run.
    "queue": 0.004 / 10_000,
    # https://modal.com/blog/azure-function-pricing-guide (May 2025), Flex Consumption, on demand.
    "execution": 0.40 / 1_000_000,
    "GB-s": 0.000026,
}

REQUEST = re.compile(r"(Blob|Queue)StorageContextMiddleware: RequestMethod=(\w+) RequestURL=(\S+)")

Counts = Counter[str]


@dataclass(frozen=True)
class Counted:
    """What a run did: storage requests by price class, and seconds from start to end; `log` has every request."""

    requests: Counts
    seconds: float
    log: Path


def main() -> None:
    """Count, and print the tables of docs/reference/cost.md."""
    small, large = count(SMALL), count(LARGE)
    handed_over = count(LARGE, {"LANE_TIME_BUDGET_S": "15"})
    sweep = count_sweeps()

    batches = (LARGE - SMALL) / CONTACTS_A_BATCH
    a_batch = {kind: (large.requests[kind] - small.requests[kind]) / batches for kind in large.requests}
    fixed = {kind: small.requests[kind] - a_batch[kind] * SMALL / CONTACTS_A_BATCH for kind in a_batch}
    more = handed_over.requests["sent"] - large.requests["sent"]
    a_handover = {kind: (handed_over.requests[kind] - large.requests[kind]) / more for kind in a_batch}

    print(f"{'':8}{'12,500':>10}{'25,000':>10}{'hand-overs':>12}{'a batch':>10}{'a hand-over':>13}{'a sweep':>9}")
    for kind in ("write", "read", "list", "other", "delete", "queue"):
        counted = (small.requests[kind], large.requests[kind], handed_over.requests[kind])
        print(
            f"{kind:8}{counted[0]:10}{counted[1]:10}{counted[2]:12}{a_batch.get(kind, 0):10.2f}"
            f"{a_handover.get(kind, 0):13.1f}{sweep[kind] / IDLE_SWEEPS:9.1f}"
        )
    print(f"seconds {small.seconds:10.0f}{large.seconds:10.0f}{handed_over.seconds:12.0f}")

    ours = million(fixed, a_batch, a_handover)
    print(f"\n{'a million profiles':24}{'this design':>14}{'a message a batch':>20}")
    theirs = naive()
    for kind in PRICES:
        print(f"{kind:24}{ours[kind]:14,.0f}{theirs[kind]:20,.0f}")
    print(f"{'US dollars':24}{dollars(ours):14.2f}{dollars(theirs):20.2f}")
    month = Counter({kind: number / IDLE_SWEEPS * 43_200 for kind, number in sweep.items()})
    month["list"] += RETENTION_LISTS * 30 * 24
    # An execution is billed as one second at least; a look comes every five minutes.
    month.update({"execution": 51_840, "GB-s": int(51_840 * INSTANCE_GB)})
    print(f"\nidle, a month of sweeps (and executions of looks): {dict(month)}")
    print(f"{dollars(month):.2f} US dollars before free grants")


def million(fixed: dict[str, float], a_batch: dict[str, float], a_handover: dict[str, float]) -> Counts:
    """Return what a million profiles take."""
    defaults = {field.alias: field.default for field in Settings.model_fields.values()}
    batches = MILLION / CONTACTS_A_BATCH
    seconds = batches * 60 / defaults["BULK_REQUESTS_PER_MINUTE"]
    handovers = defaults["LANES"] * seconds / defaults["LANE_TIME_BUDGET_S"]
    found: Counts = Counter()
    for kind, number in a_batch.items():
        # A hand-over adds a claim; where the runs differ by less than their noise, nothing is added.
        found[kind] = round(fixed[kind] + number * batches + max(0.0, a_handover[kind]) * handovers)
    found["write"] += round(PAYLOAD_BYTES / BLOCK_BYTES)
    found["read"] += round(SOURCE_BYTES / BLOCK_BYTES)
    found["execution"] = round(handovers + defaults["LANES"] + 1)
    # The lanes of a run fit into one instance: host.json lets it take six messages at a time.
    found["GB-s"] = round(seconds * INSTANCE_GB)
    return found


def naive() -> Counts:
    """Return what the obvious design takes: a blob and a message a batch, another message to ask for its outcome.

    The scale controller asks for an instance per 24 messages (16 at a time and 8 more, the host's defaults), so 167 of
    them are up while the 4,000 requests are let through at 100 a minute.
    """
    batches = MILLION // CONTACTS_A_BATCH
    instances, seconds = -(-batches // 24), batches * 60 / 100
    return Counter(
        {
            "write": 3 * batches,  # the payload; the state before and after
            "read": 3 * batches,  # the payload, once for each message the state
            "delete": batches,
            "queue": 2 * 3 * batches,  # two messages, each put, received and deleted
            "execution": 2 * batches,
            "GB-s": round(instances * seconds * INSTANCE_GB),
        }
    )


def dollars(counts: Counts) -> float:
    """Return the price."""
    return sum(PRICES[kind] * number for kind, number in counts.items() if kind in PRICES)


def count(profiles: int, settings: dict[str, str] | None = None) -> Counted:
    """Run one export and count its requests to storage."""
    with exported(profiles, settings or {}) as (_, counted):
        return counted


def count_sweeps() -> Counts:
    """Count the requests of sweeps that find nothing to do, where one export has run."""
    with exported(500, {}) as (world, counted):

        def sweep(times: int) -> None:
            for _ in range(times):
                url, headers = f"{world.url}/admin/functions/sweep", {"x-functions-key": world.master_key}
                requests.post(url, headers=headers, json={}, timeout=60).raise_for_status()
                time.sleep(2)

        # The first sweeps read everything once and look people up: something is due as long as there is a working copy.
        working, began = world.records.get_container_client("working"), time.monotonic()
        while [*working.list_blob_names()]:
            if time.monotonic() - began > LIMIT_S:
                raise SandboxError(f"expected the working copy to be deleted within {LIMIT_S} s, found it still there")
            sweep(1)
        time.sleep(5)
        sweep(1)
        begin = counted.log.stat().st_size
        sweep(IDLE_SWEEPS)
        return requests_in(counted.log, begin)


@contextmanager
def exported(profiles: int, settings: dict[str, str]) -> Iterator[tuple[World, Counted]]:
    """Run one export; yield its world and what it took."""
    with tempfile.TemporaryDirectory() as folder:
        log = Path(folder) / "storage.log"
        with World(settings={"SWEEP_SCHEDULE": NEVER, "LOOK_SCHEDULE": NEVER, **settings}, storage_log=log) as world:
            world.upload_files(Segment(datetime.now(UTC), profiles, 1).files())
            world.start_host()
            api = Api(world)
            api.call("PUT", "/connections/demo", CONNECTION)
            api.call("PUT", "/exports/newsletter", EXPORT)
            begin, began = log.stat().st_size, time.monotonic()
            api.call("POST", "/exports/newsletter/runs")
            # The log says when it is over; asking the app would cost requests.
            while '"run_ended"' not in world.host_log.read_text():
                if time.monotonic() - began > LIMIT_S:
                    tail = world.host_log.read_text()[-2000:]
                    raise SandboxError(f"expected the run to end within {LIMIT_S} s, found:\n{tail}")
                time.sleep(1)
            seconds = time.monotonic() - began
            time.sleep(2)
            yield world, Counted(requests_in(log, begin), seconds, log)


def requests_in(log: Path, begin: int) -> Counts:
    """Count the requests in Azurite's log from a position on, by price class."""
    with log.open("rb") as file:
        file.seek(begin)
        text = file.read().decode(errors="replace")
    found: Counts = Counter()
    for service, method, url in re.findall(
        r"(Blob|Queue)StorageContextMiddleware: RequestMethod=(\w+) RequestURL=(\S+)", text
    ):
        parts = urlsplit(url)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        if service == "Queue":
            polled = method == "GET" and parts.path.endswith("/messages")
            if not polled:  # looking for a message happens all the time, whether or not there is one
                found["queue"] += 1
                # Whoever receives a message looked for it, and so did a host that then deletes it.
                found["sent"] += method == "POST"
            continue
        found[price_class(method, query)] += 1
    found["queue"] += found["sent"]  # each message that was sent was received once
    return found


def price_class(method: str, query: dict[str, str]) -> str:
    """Name the class that a request to blob storage is billed in, for general purpose v2.

    https://learn.microsoft.com/azure/storage/blobs/map-rest-apis-transaction-categories
    """
    if method == "DELETE":
        return "delete"
    if query.get("comp") == "list":
        return "list"
    if method == "PUT":
        return "write"
    return "read" if method == "GET" and "comp" not in query else "other"


if __name__ == "__main__":
    main()
