"""Where everything is kept: the path of each record, as `<container>/<name>`."""

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
    """Return where the connection is kept."""
    return f"{CONNECTIONS}{connection_id}.json"


def export_path(export_id: str) -> str:
    """Return where the export is kept."""
    return f"{EXPORTS}{export_id}.json"


def slot_path(export_id: str) -> str:
    """Return where the slot of an export is kept."""
    return f"{SLOTS}{export_id}.json"


def key_path(export_id: str, key: str) -> str:
    """Return where it is kept which run an idempotency key started; the key itself is in no name."""
    return f"records/idempotency/{export_id}/{hashlib.sha256(key.encode()).hexdigest()}.json"


def budget_path(host: str) -> str:
    """Return where the rate budget of the ActiveCampaign account at `host` is kept."""
    return f"records/accounts/{host}/budget.json"


def run_path(run_id: str, part: str = "run.json") -> str:
    """Return where a record of the run is kept."""
    return f"{RUNS}{run_id}/{part}"


def manifest_path(run_id: str) -> str:
    """Return where the manifest of a run is kept."""
    return run_path(run_id, "manifest.json")


def report_path(run_id: str) -> str:
    """Return where the report of a run is kept."""
    return run_path(run_id, "report.json")


def lane_path(run_id: str, lane: int) -> str:
    """Return where a lane's ledger is kept."""
    return run_path(run_id, f"lanes/{lane}.jsonl")


def payload_path(run_id: str, plan: str) -> str:
    """Return where a plan writes its payload; `plan` is of this attempt alone."""
    return f"{WORKING}{run_id}/{plan}.batches"


def rejects_path(run_id: str, plan: str) -> str:
    """Return where a plan writes its reject report; `plan` is of this attempt alone."""
    return f"{REJECTS}{run_id}/{plan}.csv"
