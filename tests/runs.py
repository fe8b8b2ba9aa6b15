"""A run that was just asked for, and the plan of a busy one, as values."""

from __future__ import annotations

from exporter.definitions.exports import DataMatching, ExportDefinition
from exporter.delivery.plan import Plan
from exporter.runs.run import Run, Trigger
from tests.fakes import START

QUEUED = Run(
    run_id="newsletter.20261118T110640Z." + "0" * 32,
    export_id="newsletter",
    trigger=Trigger.ON_DEMAND,
    requested_by="ada",
    requested_utc=START,
    export=ExportDefinition(
        display_name="Newsletter", list_id=1, segments=("people",), data_matching=DataMatching(email="EMail")
    ),
    host="acme.api-us1.com",
    secret_name="connection-main",
)
BUSY_PLAN = Plan(
    rows_read=30,
    contacts=20,
    duplicates=3,
    rejected_by_reason={"missing_email": 5, "no_consent": 2},
    batches=5,
    lanes=1,
    at=START,
)
