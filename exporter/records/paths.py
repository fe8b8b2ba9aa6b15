"""The path of everything that is stored, as `<container>/<name>`."""

from __future__ import annotations

import hashlib

CONNECTIONS = "records/connections/"
EXPORTS = "records/exports/"
SLOTS = "records/slots/"
RUNS = "records/runs/"
WORKING = "working/"
REJECTS = "rejects/"
AUDIT = "audit/"


def connection_path(connection_id: str) -> str:
    """Return the path of a connection."""
    return f"{CONNECTIONS}{connection_id}.json"


def export_path(export_id: str) -> str:
    """Return the path of an export."""
    return f"{EXPORTS}{export_id}.json"


def slot_path(export_id: str) -> str:
    """Return the path of an export's slot."""
    return f"{SLOTS}{export_id}.json"


def key_path(export_id: str, caller: str, key: str) -> str:
    """Return the path of the record of which run a caller's idempotency key started; it contains only a hash of both.

    `caller` has no line break.
    """
    return f"records/idempotency/{export_id}/{hashlib.sha256(f'{caller}\n{key}'.encode()).hexdigest()}.json"


def budget_path(host: str) -> str:
    """Return the path of the rate budget of the ActiveCampaign account at `host`."""
    return f"records/accounts/{host}/budget.json"


def run_path(run_id: str, part: str = "run.json") -> str:
    """Return the path of one of a run's records."""
    return f"{RUNS}{run_id}/{part}"


def manifest_path(run_id: str) -> str:
    """Return the path of a run's manifest."""
    return run_path(run_id, "manifest.json")


def report_path(run_id: str) -> str:
    """Return the path of a run's report."""
    return run_path(run_id, "report.json")


def lane_path(run_id: str, lane: int) -> str:
    """Return the path of a lane's ledger."""
    return run_path(run_id, f"lanes/{lane}.jsonl")


def payload_path(run_id: str, attempt: str) -> str:
    """Return the path of a payload; `attempt` is an id that is new for each attempt at planning."""
    return f"{WORKING}{run_id}/{attempt}.batches"


def rejects_path(run_id: str, attempt: str) -> str:
    """Return the path of a reject report; `attempt` is an id that is new for each attempt at planning."""
    return f"{REJECTS}{run_id}/{attempt}.csv"


def values_path(run_id: str, attempt: str) -> str:
    """Return the path of a report of values that do not fit; it lies beside the reject report of the attempt."""
    return f"{REJECTS}{run_id}/{attempt}.values.csv"
