"""Write the generated reference pages: `python -m docs.generate`. A test compares them with the code."""

from __future__ import annotations

import re
from pathlib import Path

from pydantic_core import PydanticUndefined

from docs import events, members, privacy
from docs.tables import table
from exporter.contacts.values import Flaw
from exporter.reasons import Group, Reason
from exporter.runs.run import STEPS, RunStatus
from exporter.settings import Settings
from exporter.tally import unfit
from exporter.tally.rejects import COLUMNS

DOCS = Path(__file__).parent

SETTINGS = """# Settings

App settings (environment variables) of the function app. All problems are reported at once, by name, in every answer
of the API that needs a role, and in the log; only whether `LANE_STALE_S` and `REQUEST_DEADLINE_S` fit together is not
checked before everything else is right. `GET /api/health` answers 503 while there is a problem. `infra/` sets those
without a default. Names with `__` are identity-based connections of Azure Functions, which the queue triggers read
too."""
READ_BY_OTHERS = (
    ("`AzureWebJobsStorage__*`", "the Functions host", "host storage, by identity"),
    ("`ExportStorage__credential`, `ExportStorage__clientId`", "the Functions host", "identity of the triggers"),
    ("`AZURE_CLIENT_ID`", "azure-identity", "client id of the app's user-assigned identity"),
    ("`AZURE_TOKEN_CREDENTIALS`", "azure-identity", "`ManagedIdentityCredential`: no other credential is tried"),
    ("`APPLICATIONINSIGHTS_*`", "the Functions host", "where logs go"),
    ("`HTTPS_PROXY`, `NO_PROXY`, `REQUESTS_CA_BUNDLE`", "the HTTP clients", "a company's proxy, on purpose"),
)


def settings_page() -> str:
    """Return docs/reference/settings.md."""
    rows = []
    for field in Settings.model_fields.values():
        default = f"`{field.default!s}`" if field.default != "" else ""
        shown = "required" if field.default is PydanticUndefined else default
        rows.append([f"`{field.alias}`", shown, str(field.description)])
    read = table(["setting", "default", "what it is"], rows)
    others = table(["setting", "read by", "what it is"], READ_BY_OTHERS)
    return f"{SETTINGS}\n\n{read}\n\nRead by others, not by this app's code:\n\n{others}\n"


REASONS = """# Reject reasons

Why a row did not become a confirmed contact. The codes are stable; they stand in the tally of a run
(`GET /api/runs/{runId}`), in its report and in its reject report (`GET /api/runs/{runId}/rejects`)."""
REPORT = """## The reject report

A CSV file in UTF-8 with a byte order mark, which Excel reads as it is. It lists every row that is not confirmed:
those that were set aside while planning, in the order of the files, and once the run is over (canceled and failed ones
too) those that ActiveCampaign rejected, whose outcome is not known, or that were not sent; in a run that resumes
another, also those that the other one could not deliver. The rows of the segments without these are the confirmed ones.

Where that does not hold, the last line says why in `explanation`, and its other columns are empty: the run is in
progress; nothing was sent, and the report has the rows that would have been rejected; or the working copy was gone when
the run ended, and with it the names. A run that ended before its segments were read has no report.

`?reason=not_sent` asks for the rows of one reason. `?format=json` answers with pages: `value` (rows with the members
below), `nextLink`, `reasons` (how many rows there are in all, by reason) and `note` (what would be the last line).
Texts are then as the file has them, without apostrophes. If outcomes come between two pages, the next one is refused
(`rejects_changed`): begin again."""
IN_REPORT = {
    "file": "path of the file in the container where segments land",
    "row": "number of the row among the data rows of that file, from 1; a header is not counted",
    "customerId": "the column `CustomerId` of the segment, where it has one",
    "email": "the e-mail address as the file has it. A text that a spreadsheet would run as a formula begins with an"
    " apostrophe, here and in the other columns",
    "reason": "the code",
    "explanation": "the sentence below; for a duplicate, which row has the same address; for `no_consent`, which row"
    " says no, if it is another one",
}


UNFIT = """## Values that do not fit

The list of [values that do not fit](values.md) their fields, `GET /api/runs/{runId}/values`, is a file of the same
kind. These values cost no row, unless the export says so (`value_does_not_fit`)."""
IN_LIST = {
    **{name: IN_REPORT[name] for name in ("file", "row", "customerId", "email")},
    "column": "the column of the segment",
    "field": "the title of the custom field, or the member of the contact",
    "reason": "the code",
    "value": "the value as the file has it; empty for columns that the deployment hides",
    "didYouMean": "the option of the field that looks most like it, if one does",
    "explanation": "the sentence below",
}


def reasons_page() -> str:
    """Return docs/reference/reject-reasons.md."""
    columns = table(["column", "holds"], [[f"`{name}`", IN_REPORT[name]] for name in COLUMNS])
    parts = [REASONS, REPORT, columns]
    for group in Group:
        reasons = [[f"`{reason}`", reason.explanation] for reason in Reason if reason.group is group]
        parts += [f"## {group.heading}", table(["code", "explanation"], reasons)]
    flaws = table(["code", "explanation"], [[f"`{flaw.value}`", flaw.explanation] for flaw in Flaw])
    listed = table(["column", "holds"], [[f"`{name}`", IN_LIST[name]] for name in unfit.COLUMNS])
    parts += [UNFIT, listed, flaws]
    return "\n\n".join(parts) + "\n"


STATES = """# Run states

`status` of a run. It is derived from the facts in the run's record and from the ledgers of its lanes.

```
 queued ──► planning ─────────────► running ──► successful, or completedWithWarnings
                └──► waiting ──────────┘         for something outside; then it continues

 when it cannot go on: failed         when somebody asked for it: canceling, then canceled
 before anything is sent: skipped, when there is nothing to do; held, until somebody approves it
```"""
WHY = """A running run is shown as `waiting` while all of its lanes wait; its record still says `running`. A run that
somebody asked to cancel is `canceling` until all that was sent has its outcome; if it was over by then, it ends as any
other.

A `successful` run becomes `completedWithWarnings` when people are looked up after its end and that
[contradicts it](../explanation/activecampaign-answers.md#what-a-look-says-against-a-run); `warnings` says how. The
buckets of its tally stay as they are.

A run that failed, is held or was skipped says why in `problem`, one that waits in `waiting`: `code` (stable), `message`
(for people) and `culprit`, that is, who has to act: `system` (this service), `user` (the configuration) or `external`
(ActiveCampaign, storage, Key Vault).

A run that is held says in `held` what an approval names: all causes with their numbers, and a digest of who is exported
whereto. [Approving it](../how-to/approve-a-run.md) starts another run, which says so in `approved`; the held one stays
as it ended."""


def states_page() -> str:
    """Return docs/reference/run-states.md; the sentences are the comments beside the states in the code."""
    source = (DOCS.parent / "exporter" / "runs" / "run.py").read_text(encoding="utf-8")
    rows = []
    for status in RunStatus:
        following = ", ".join(f"`{each}`" for each in RunStatus if each in STEPS[status] - {status})
        comment = re.search(rf'^    {status.name} = "{status}"  # (.*)$', source, re.MULTILINE)
        rows.append([f"`{status}`", comment[1] if comment else "", following or "nothing"])
    return f"{STATES}\n\n{table(['status', 'meaning', 'what may follow in the record'], rows)}\n\n{WHY}\n"


PAGES = {
    "reference/settings.md": settings_page,
    "reference/reject-reasons.md": reasons_page,
    "reference/run-states.md": states_page,
    "reference/exports.md": members.exports_page,
    "reference/connections.md": members.connections_page,
    "reference/events.md": events.page,
    "reference/privacy.md": privacy.page,
}


def main() -> None:
    """Write all pages."""
    for name, page in PAGES.items():
        (DOCS / name).write_text(page(), encoding="utf-8")


if __name__ == "__main__":
    main()
