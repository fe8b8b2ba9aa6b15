"""The path of everything that is stored, as `<container>/<name>`."""

from __future__ import annotations

import hashlib

CONNECTIONS = "records/connections/"
EXPORTS = "records/exports/"
SLOTS = "records/slots/"
RUNS = "records/runs/"
RECENT = f"{RUNS}newest-first/"
WORKING = "working/"
REJECTS = "rejects/"
AUDIT = "audit/"
_LAST_SECOND = 99_991_231_235_959
"""The last second that ids of runs can name, as they write it."""


def connection_path(connection_id: str) -> str:
    """Return the path of a connection."""
    return f"{CONNECTIONS}{connection_id}.json"


def export_path(export_id: str) -> str:
    """Return the path of an export."""
    return f"{EXPORTS}{export_id}.json"


def slot_path(export_id: str) -> str:
    """Return the path of an export's slot."""
    return f"{SLOTS}{export_id}.json"


def watch_path(export_id: str) -> str:
    """Return the path of what the schedule saw of an export's segments."""
    return f"records/watches/{export_id}.json"


def key_path(export_id: str, caller: str, key: str) -> str:
    """Return the path of the record of which run a caller's idempotency key started; it contains only a hash of both.

    `caller` has no line break.
    """
    return f"records/idempotency/{export_id}/{hashlib.sha256(f'{caller}\n{key}'.encode()).hexdigest()}.json"


def budget_path(host: str) -> str:
    """Return the path of the rate budget of the ActiveCampaign account at `host`."""
    return f"records/accounts/{host}/budget.json"


def look_path(host: str, key_id: str) -> str:
    """Return the path of what was seen last of the account at `host` with one key."""
    return f"records/accounts/{host}/look-{key_id}.json"


def spent_path(host: str) -> str:
    """Return the path of how many people were looked up in the ActiveCampaign account at `host`."""
    return f"records/accounts/{host}/lookups.json"


def closed_path(host: str, list_id: int, day: str) -> str:
    """Return the path of who may get no mail of a list, as read on a day (YYYYMMDD, UTC).

    It is kept with the working copies and as long as they are: a day. Its name has the time that says so.
    """
    return f"{WORKING}{host}.{day}T000000Z.list-{list_id}/closed.json"


def run_path(run_id: str, part: str = "run.json") -> str:
    """Return the path of one of a run's records."""
    return f"{RUNS}{run_id}/{part}"


def recent_path(run_id: str) -> str:
    """Return the path of a run's entry among those of all exports, which sort by time, the newest first.

    It is below `RUNS`, where storage deletes it as it deletes the run. No id of a run is `newest-first`.
    """
    when = run_id.split(".")[1]
    return f"{RECENT}{_LAST_SECOND - int(when[:8] + when[9:15]):014d}.{run_id}"


def manifest_path(run_id: str) -> str:
    """Return the path of a run's manifest."""
    return run_path(run_id, "manifest.json")


def report_path(run_id: str) -> str:
    """Return the path of a run's report."""
    return run_path(run_id, "report.json")


def findings_path(run_id: str) -> str:
    """Return the path of what was found about a run's people in ActiveCampaign after its end."""
    return run_path(run_id, "findings.json")


def lane_path(run_id: str, lane: int) -> str:
    """Return the path of a lane's ledger."""
    return run_path(run_id, f"lanes/{lane}.jsonl")


def payload_path(run_id: str, attempt: str) -> str:
    """Return the path of a payload; `attempt` is an id that is new for each attempt at planning."""
    return f"{WORKING}{run_id}/{attempt}.batches"


def few_path(run_id: str) -> str:
    """Return the path of the addresses of those whom a run for a few people is for."""
    return f"{WORKING}{run_id}/few.json"


def rejects_path(run_id: str, attempt: str) -> str:
    """Return the path of a reject report; `attempt` is an id that is new for each attempt at planning."""
    return f"{REJECTS}{run_id}/{attempt}.csv"


def values_path(run_id: str, attempt: str) -> str:
    """Return the path of a report of values that do not fit; it lies beside the reject report of the attempt."""
    return f"{REJECTS}{run_id}/{attempt}.values.csv"
