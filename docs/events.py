"""The reference page of alerts and events: the alerts as the template has them, the events as the code writes them."""

from __future__ import annotations

import ast
import re
from pathlib import Path

from docs.tables import table

ROOT = Path(__file__).parents[1]
INFRA = ROOT / "infra"

UNITS = {"M": "minutes", "H": "hour", "D": "days"}
MEANINGS = {
    "access_refused": "a caller may not do what they asked for; `byId` is their Entra object id, if they have one",
    "audit_outcome_missing": "what came of a call could not be written to the audit trail",
    "connection_deleted": "a connection was removed; how many exports lost it, how many runs were canceled",
    "connection_saved": "a connection was created or changed",
    "door_checked": "with sign-in, the app called itself from outside as somebody it must not believe; `answers` are"
    " the statuses, `none` where there was no answer",
    "door_open": "the app believed that caller: App Service authentication is not before it, or not on this path",
    "defect": "something ended in an unexpected error; `where` is the place in the code",
    "destination_gone": "after its last confirmation, a run found its list or a matched field gone; `code` says which",
    "destination_not_seen": "a run could not look at its list and fields before its end; `over`: it ends without",
    "expired": "the app deleted a working copy or a reject report whose time was over",
    "export_deleted": "an export was removed",
    "export_saved": "an export was created or changed",
    "junk_message": "a queue held a message that this app did not send",
    "lookups_ended": "people of a run that is over are not looked up any more; `code` says why",
    "lookups_wait": "people of a run that is over are looked up by a later sweep; `code` says what it waits for",
    "lane_held": "a message came for a lane that another worker has",
    "lane_lost": "a worker found that another one has taken its lane, and stopped",
    "lane_not_needed": "a message came for a run that is over, or is not planned yet",
    "lane_waiting": "a lane waits for something outside; `code` says for what",
    "lane_waits": "a message came for a lane before its wait was over",
    "late_imports_unanswered": "imports that had no outcome in time could not be asked for",
    "message_not_sent": "a queue did not take a message; the sweep sends another",
    "message_poisoned": "a message failed five times",
    "plan_claim_lost": "a planner found that another one has taken over, or that the run was canceled",
    "plan_claimed_by_another": "a message came for a run that another worker plans",
    "plan_not_needed": "a message came for a run that is over or unknown",
    "planned": "a run was planned",
    "rejects_not_listed": "contacts that are not confirmed could not be added to the reject report; `code` says why",
    "run_amended": "a late import got its outcome, or people were looked up; the tally as it is now",
    "run_cancel_asked": "somebody asked to cancel a run",
    "run_ended": "a run ended; its tally",
    "run_silent": "a lane that has work and does not wait has been silent for a quarter of an hour",
    "run_skipped": "a run did nothing because another run of the export was going",
    "run_started": "a run was started",
    "run_stopped": "a run cannot send any more; it ends as failed when what was sent is confirmed",
    "run_waiting": "a run that is not planned yet waits for something outside",
    "refresh_not_exported": "an export that runs with every refresh starts none: its segments cannot be read, or are"
    " not complete for a day; `code` says why. Once for each cause",
    "schedule_looked": "the app has looked which exports are due; how many runs it started",
    "scheduled_start_failed": "one export could not be looked at, or not be started; the next look tries again",
    "source_changed_while_read": "a file of the segment was replaced while it was read",
    "step_stopped": "a step met something that no retry can fix",
    "step_waits": "a step could not do its work; the sweep repeats it",
    "sweep_failed": "the sweep could not look after one export, or not delete what is past its time",
    "throttled": "ActiveCampaign refused a request for its rate",
}

ALERTS = """# Alerts and events

## Alerts

Each is a query over the events below, the calls of the functions and their exceptions; one row is enough to fire.
Severity 1 wakes somebody up, 2 can wait for the morning. Mail goes to `ALERT_EMAIL`; an alert closes on its own when
its query finds nothing any more."""
EVENTS = """## Events

One line of JSON each, in `traces` of Application Insights: `action`, and the members of the table. They hold ids,
codes and counts, no personal data of customers. In a query: `extend event = parse_json(message)`. `run_ended` and
`run_amended` have all buckets of the tally as well."""


def page() -> str:
    """Return docs/reference/events.md."""
    alerts = [
        [
            f"[`{name}`](../how-to/{name}.md)",
            severity,
            _condition(name),
            f"{_words(window)}, every {_words(every)}",
        ]
        for name, severity, every, window in re.findall(
            r"name: '([\w-]+)'\n +title: '[^']+'\n +severity: (\d)\n +every: '(\w+)'\n +window: '(\w+)'",
            (INFRA / "modules/alerts.bicep").read_text(encoding="utf-8"),
        )
    ]
    events = [
        [f"`{action}`", level, ", ".join(f"`{member}`" for member in members), MEANINGS[action]]
        for action, (level, members) in sorted(written().items())
    ]
    parts = [
        ALERTS,
        table(["alert", "severity", "one row for", "looks at"], alerts),
        EVENTS,
        table(["action", "level", "members", "means"], events),
    ]
    return "\n\n".join(parts) + "\n"


def written() -> dict[str, tuple[str, list[str]]]:
    """Return every event that the code writes, by its action: level, and the names of its members."""
    found: dict[str, tuple[str, list[str]]] = {
        "defect": ("error", ["kind", "where"]),
        "message_poisoned": ("error", ["queue", "runId", "lane"]),  # the message's own members
        "scheduled_start_failed": ("warning or error", []),  # as what failed may be tried again, or not
    }
    for path in sorted((ROOT / "exporter").rglob("*.py")):
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if not isinstance(call, ast.Call) or ast.unparse(call.func) not in ("log.event", "log.defect"):
                continue
            (action,) = [one.value for one in call.args if isinstance(one, ast.Constant)] or ["defect"]
            levels = [ast.unparse(k.value).lower() for k in call.keywords if k.arg == "level"]
            known = found.setdefault(str(action), (_level(levels), []))[1]
            known += [k.arg for k in call.keywords if k.arg and k.arg != "level" and k.arg not in known]
    return found


def _level(written_as: list[str]) -> str:
    words = re.findall(r"logging\.(\w+)", " ".join(written_as)) or ["info"]
    return " or ".join(words)


def _condition(name: str) -> str:
    """Return what the query's first comment says of a row."""
    text = (INFRA / f"queries/alerts/{name}.kql").read_text(encoding="utf-8")
    comment = " ".join(line.removeprefix("// ") for line in text.split("\n", 5) if line.startswith("// "))
    return re.sub(r"^One row for (.*?\.)( .*)?$", r"\1", comment).removesuffix(".")


def _words(duration: str) -> str:
    number, unit = re.fullmatch(r"PT?(\d+)([MHD])", duration).groups()  # type: ignore[union-attr]  # as in the template
    return f"{number} {UNITS[unit]}" + ("s" if unit == "H" and number != "1" else "")
