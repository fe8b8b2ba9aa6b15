"""The report of a run that is over, for people and machines."""

from __future__ import annotations

from exporter.delivery.manifest import SourceEntry
from exporter.delivery.plan import ValueCount
from exporter.model import Record, Time
from exporter.runs.run import ListSize, RunStatus
from exporter.tally.count import Tally
from exporter.tally.findings import Sample
from exporter.warned import Warned


class Report(Record):
    """The accounting of a run with its sources, for people and machines; no personal data."""

    run_id: str
    export_id: str
    status: RunStatus
    ended_utc: Time
    tally: Tally
    explanations: dict[str, str]
    """A sentence for each reason code in the tally."""
    sources: tuple[SourceEntry, ...]
    values: tuple[ValueCount, ...] = ()
    """How the values of each matched column fit."""
    warnings: tuple[str, ...]
    """The sentences of `warned`."""
    warned: tuple[Warned, ...] = ()
    """The warnings, as codes and parameters; empty in reports of former releases."""
    resends: int
    list_size: ListSize | None = None
    """How many active contacts the list had before and after."""
    sample: Sample | None = None
    """What a look at some of the confirmed people showed, after the end."""
