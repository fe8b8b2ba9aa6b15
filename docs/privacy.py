"""The privacy record, docs/reference/privacy.md: what the code and the template say about personal data."""
# ruff: noqa: E501 - a row of a Markdown table is one line

from __future__ import annotations

import re
from pathlib import Path

from exporter.activecampaign.hosts import HOST_SUFFIXES
from exporter.api.routes import ROUTES
from exporter.definitions.connections import Connection, Consent
from exporter.definitions.exports import DataMatching
from exporter.pipeline.lookups import WITHIN_S
from exporter.queries.columns import SAMPLE_ROWS
from exporter.records.payload import WORKING_COPY_S
from exporter.settings import Settings
from exporter.tally.findings import MOST_FAILED, SAMPLE
from exporter.tally.rejects import COLUMNS
from exporter.tally.unfit import MAX_TOLD

TEMPLATE = Path(__file__).parents[1] / "infra" / "main.bicep"


def page() -> str:
    """Return docs/reference/privacy.md."""
    rejects_days = Settings.model_fields["rejects_retention_days"].default
    audit_days = Settings.model_fields["audit_retention_days"].default
    records_days, log_days = _parameter("recordsRetentionDays"), _parameter("logRetentionDays")
    working_days = WORKING_COPY_S / 86_400
    showing = [route for route in ROUTES if route.personal_data and route.path.startswith(("/runs/", "/lookup"))]
    looking = ", ".join(f"`{r.method} /api{re.sub(r'<(?:\w+:)?(\w+)_id>', r'{\1Id}', r.path)}`" for r in showing)
    (least,) = {route.role.name.title() for route in showing if route.role}
    shown_to = next(route.role.name.title() for route in ROUTES if route.unmasked_by and route.role)
    suffixes = " or ".join(f"`.{suffix}`" for suffix in HOST_SUFFIXES)
    mapped = DataMatching.model_fields.keys() - {"winner", "fill_empty"}
    sent = ", ".join(f"`{field.alias}`" for name, field in DataMatching.model_fields.items() if name in mapped)
    return f"""# Privacy record

For the record of processing activities (GDPR article 30) of whoever operates this service. The figures come from the code and
the template; `make docs` writes this page, and a test compares it. *You* marks what the page cannot know.

**What is not there yet.** People who leave the segment stay on the list: nobody is ever removed or unsubscribed from here.
Unless sign-in with Microsoft Entra is switched on, whoever holds the function key is an administrator and may read all that the API
and the console show. Automations of ActiveCampaign do not start unless an export says so, and
lists are for e-mail only. The app has run against stand-ins only, not yet against a live ActiveCampaign account nor in a
subscription; so what Azure does by itself (lifecycle rules, protection of the audit trail, expiry of logs) is configured and
tested as text, and [not yet proven](../how-to/prove-a-deployment.md).

## Which data, where from, where to, why

| | |
|---|---|
| purpose | put the people of a customer segment onto an ActiveCampaign list, and keep their data there up to date. Legal basis: *you* |
| data subjects | the customers in the exported segments |
| read | segment files where Customer Insights writes them, in your storage account. The app may only read there |
| taken from a row | the columns that an export maps ({sent}), the columns of consent and of `winner` if they are named, and the customer id (`CustomerId`, `PreviousCustomerId`). Other columns stay in the file |
| sent | the mapped values, nothing else, to the ActiveCampaign host of the connection: exactly {suffixes}, or a suffix that the deployment adds (`ACTIVECAMPAIGN_HOST_SUFFIXES`). TLS only, no redirects |
| recipient | ActiveCampaign, as your processor: contract, region and transfer to a third country are *yours*. A connection cannot be saved without `consent: true`; who agreed and when is in its record |
| looked up | after a run, up to {SAMPLE} confirmed people and {MOST_FAILED} who were not taken, by address in ActiveCampaign: where they stand on the list, and whether their values are there. Kept are counts, and reason codes by the number of the row |
| looked at | the first {SAMPLE_ROWS:,} rows of a segment, of the columns that somebody [asks for](api.md#what-a-segment-holds): how many values, addresses and different values, and three examples. To role {shown_to}, examples are masked: of a word at most the first character. As they are, only role Admin gets them, and the audit trail says who did and of which segment. A preview shows three values of each column and reason that do not fit their field, masked. `HIDDEN_COLUMNS` names columns of which nobody is shown anything. Nothing of it is stored |
| shown | of the at most 20 people for whom somebody of role Contributor or higher [runs an export alone](../how-to/try-a-few.md), if they are in the segment, what ActiveCampaign has then: standing on the list, names, phone, the fields that the export fills. The audit trail says who asked, not for whom |
| not done | no profiling, no automated decision, no removal of people from a list, no re-subscription of people who unsubscribed |

## Where copies are, how long, and who can read them

| copy | holds | kept | deleted by | who can read it |
|---|---|---|---|---|
| container `working` | request bodies (the mapped values), row numbers and customer ids; of a run for a few people, whom somebody named; of a list of which an import left people out, short hashes of the addresses that have unsubscribed or bounced | until the run is over, no import is late and nobody is left to look up ({WITHIN_S / 3_600:g} hours after the end at most), {working_days:.0f} day at most | the app; a lifecycle rule if the app does not run (it acts within about another day) | the app's identity |
| container `rejects` | {", ".join(f"`{name}`" for name in COLUMNS)} of rows that are not confirmed; beside them, up to {MAX_TOLD:,} values of each column and reason that do not fit their fields | {rejects_days} days (`REJECTS_RETENTION_DAYS`) | the app; a lifecycle rule | the app's identity; through it, role {least} or higher: {looking} |
| container `records` | counts, codes, row numbers, ids, names of files, columns, fields and their options; no personal data of customers, with one exception (below). Names of operators: who started, canceled, changed, paused, agreed | runs {records_days} days; connections and exports until deleted; of each export, its newest run stays | a lifecycle rule; `DELETE` | the app's identity; through it, role Viewer or higher (connections: Contributor) |
| container `audit` | who asked for what: name, Entra object id, role and address of the caller; no personal data of customers | {audit_days} days (`AUDIT_RETENTION_DAYS`), during which nobody who has rights over data only can change or delete an entry; until you [lock it](../how-to/lock-the-audit-trail.md), an owner of the account can lift that protection | the app | the app's identity; through it, role Admin |
| queues | run id and lane number | an hour | themselves | the app's identity |
| Key Vault | API keys of ActiveCampaign; [the people key](../how-to/deploy.md#the-people-key), which nothing uses yet | until deleted, then 90 days of soft delete | *you* | the app's identity; whoever *you* gave a role |
| Log Analytics | one line of JSON per event: action, ids, codes, counts; of callers who were refused, Entra object id and address. Access logs of storage and vault: time, identity, address, name of the blob, none of which holds customers' data | {log_days} days | itself | whoever may read the workspace |
| memory of the app | rows while they are worked on | seconds | itself | nobody |
| ActiveCampaign | the contacts | | *you*, there | *you* |

**The exception.** Names of columns are taken for names. A CSV file without `model.json` is read only if its first row looks like
a header: no field holds an e-mail address, and one is a usual name such as `Email` or a column that the export names.
A first person whose data looks like that is shown as column names to whoever may list segments; neither records nor logs hold
more of it than what the export names. Give every file a header.

The app's storage account has neither soft delete nor versions for blobs, so what is deleted is gone. A whole container that
somebody deletes can be brought back for 7 days. All storage is encrypted with keys of the platform.

## A person asks

- **Where do I stand?** `POST /api/lookup` with the address in the body says it for every export that the caller may use, from the
  newest run of each.
- **What became of me in this run?** `POST /api/runs/{{runId}}/lookup` with the address in the body says in which bucket the
  row ended and why: for rows that are not confirmed, as long as the reject report exists; for all rows, as long as there is a
  working copy or the files that the run read are the newest ones. The address is neither stored nor logged.
- **Erase me.** Erase the person in the source of the segment, so that the next refresh does not hold the row, and in
  ActiveCampaign. Copies here are deleted automatically: the working copy when the run is over, no import is late and nobody is left to look up,
  {working_days:.0f} day after the planning at most; reject reports after {rejects_days} days. To be faster, delete the
  reports in which the person occurs: `az storage blob delete --auth-mode login -c rejects`. A run that is going was planned
  from the segment as it was: cancel it, erase, start again.
- **Do not send me.** Unsubscribe the person in ActiveCampaign: an import never re-subscribes. Or name a consent column in the
  export: rows without the consent value are set aside before anything is sent.

## A breach

`GET /api/exports/{{exportId}}/runs` says when each run took place, and how many of its contacts were confirmed, rejected
or unconfirmed. The records of a run name the account (`run.json`) and the files with their versions and numbers of rows
(`report.json`); its reject report names the rows that are not confirmed. The audit trail (`GET /api/audit/{{day}}`) says who
changed or looked at what. Access logs of storage and Key Vault are in Log Analytics (`StorageBlobLogs`, `AzureDiagnostics`).

## What remains yours

The legal basis and the information of data subjects; the contract with ActiveCampaign and the transfer; the retention of
segments in your own account; who gets the roles {", ".join(_roles())} and the function key; who has rights in the subscription;
deciding whether {rejects_days} days of reject reports (`azd env set REJECTS_RETENTION_DAYS`, then `azd provision`) and {log_days} days of
logs (`logRetentionDays` in `infra/main.bicep`) fit your rules.

Fields of a connection that name a person: {", ".join(f"`{name}`" for name in _persons())}.
"""


def _parameter(name: str) -> int:
    found = re.search(rf"^param {name} int = (\d+)$", TEMPLATE.read_text(encoding="utf-8"), re.MULTILINE)
    if found is None:
        raise LookupError(f"expected the parameter {name} with a default in {TEMPLATE.name}")
    return int(found[1])


def _roles() -> list[str]:
    return sorted({route.role.name.title() for route in ROUTES if route.role})


def _persons() -> list[str]:
    names = {**Connection.model_fields, **Consent.model_fields}
    return [str(field.alias) for name, field in names.items() if name.endswith("_by") and name != "usable_by"]
