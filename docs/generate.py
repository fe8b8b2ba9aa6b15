"""Write the reference pages whose truth is in the code: `python docs/generate.py`. A test compares them with it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

from pydantic_core import PydanticUndefined

DOCS = Path(__file__).parent
sys.path.insert(0, str(DOCS.parent))

from docs import privacy
from exporter.reasons import Group, Reason
from exporter.runs import STEPS, RunStatus
from exporter.settings import Settings


def settings_page() -> str:
    """Return docs/reference/settings.md."""
    lines = [
        "# Settings",
        "",
        "App settings (environment variables) of the function app. All problems are reported at once, by name, in",
        "every answer of the API and in the log; `GET /api/health` answers 503 while there is one. `infra/` sets those",
        "without a default. Names with `__` are identity-based connections of Azure Functions, which the queue",
        "triggers read too.",
        "",
        "| setting | default | what it is |",
        "|---|---|---|",
    ]
    for field in Settings.model_fields.values():
        default = (
            "required" if field.default is PydanticUndefined else f"`{field.default!s}`" if field.default != "" else ""
        )
        lines.append(f"| `{field.alias}` | {default} | {field.description} |")
    lines += [
        "",
        "Read by others, not by this app's code:",
        "",
        "| setting | read by | what it is |",
        "|---|---|---|",
        "| `AzureWebJobsStorage__*` | the Functions host | host storage, by identity |",
        "| `ExportStorage__credential`, `ExportStorage__clientId` | the Functions host | identity of the triggers |",
        "| `AZURE_CLIENT_ID` | azure-identity | client id of the app's user-assigned identity |",
        "| `AZURE_TOKEN_CREDENTIALS` | azure-identity | `ManagedIdentityCredential`: no other credential is tried |",
        "| `APPLICATIONINSIGHTS_*` | the Functions host | where logs go |",
        "| `HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE` | the HTTP clients | a company's proxy, on purpose |",
    ]
    return "\n".join(lines) + "\n"


GROUPS = {
    Group.FILE: "The row cannot be read",
    Group.PROFILE: "The row was read, but the profile cannot be sent",
    Group.DUPLICATE: "An earlier row has the same address",
    Group.ACTIVECAMPAIGN: "ActiveCampaign rejected the contact",
    Group.UNCONFIRMED: "The outcome is not known",
}


def reasons_page() -> str:
    """Return docs/reference/reject-reasons.md."""
    lines = [
        "# Reject reasons",
        "",
        "Why a row did not become a confirmed contact. The codes are stable; they stand in the account of a run",
        "(`GET /api/runs/{id}`), in its report and in its reject report (`GET /api/runs/{id}/rejects`).",
    ]
    for group, title in GROUPS.items():
        lines += ["", f"## {title}", "", "| code | explanation |", "|---|---|"]
        lines += [f"| `{reason}` | {reason.explanation} |" for reason in Reason if reason.group is group]
    return "\n".join(lines) + "\n"


def states_page() -> str:
    """Return docs/reference/run-states.md; the sentences are the comments beside the states in the code."""
    source = (DOCS.parent / "exporter" / "runs.py").read_text(encoding="utf-8")
    lines = [
        "# Run states",
        "",
        "`status` of a run. It is derived from the facts in the run's record and from the ledgers of its lanes.",
        "",
        "```",
        " queued ──► planning ──► running ──► successful, or completedWithWarnings",
        "                ▲           ▲",
        "                └─ waiting ─┘         for something outside; then it goes on",
        "",
        " at any time: failed, canceled        before anything is sent: skipped",
        "```",
        "",
        "| status | meaning | what may follow |",
        "|---|---|---|",
    ]
    for status in RunStatus:
        following = ", ".join(f"`{each}`" for each in RunStatus if each in STEPS[status] - {status})
        comment = re.search(rf'^    {status.name} = "{status}"  # (.*)$', source, re.MULTILINE)
        lines.append(f"| `{status}` | {comment[1] if comment else ''} | {following or 'nothing'} |")
    lines += [
        "",
        "A run that failed, was skipped or waits says why: `code` (stable), `message` (for people) and `culprit`, that",
        "is, who has to act: `system` (this service), `user` (the configuration) or `external` (ActiveCampaign,",
        "storage, Key Vault).",
    ]
    return "\n".join(lines) + "\n"


PAGES = {
    "reference/settings.md": settings_page,
    "reference/reject-reasons.md": reasons_page,
    "reference/run-states.md": states_page,
    "reference/privacy.md": privacy.page,
}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
