"""What planning found: how many rows, contacts, batches and lanes. The batches themselves are in the manifest."""

from __future__ import annotations

from pydantic import Field

from exporter.model import Time, Value
from exporter.warned import Warned


class Carried(Value):
    """Contacts with an outcome from an earlier run: the one that this run resumes, or one that it resumed."""

    run_id: str
    confirmed: int
    rejected_by_active_campaign: int
    reasons: dict[str, int]


class SegmentRead(Value):
    """A segment as it was read."""

    name: str
    refreshed_utc: Time
    files: int
    files_not_read: int
    """Files beside them that nobody asked to leave out; a run with such files ends as completedWithWarnings at best."""


class ValueCount(Value):
    """How the values of a column fit the member or the custom field that they fill, over the contacts of a run."""

    column: str
    member: str | None = None
    """`firstName`, `lastName` or `phone`; absent for a custom field."""
    field_id: int | None = None
    title: str | None = None
    """The title of the custom field."""
    type: str | None = None
    """The type of the custom field, such as `date` or `dropdown`."""
    fit: int = 0
    """Contacts for which something is sent."""
    empty: int = 0
    """Contacts without a value, for which nothing is sent: what is in ActiveCampaign stays."""
    unfit: dict[str, int] = Field(default_factory=dict)
    """Contacts whose value does not fit and is left out, by reason. Rows that are rejected for such a value count as
    rejected instead."""

    @property
    def goal(self) -> tuple[str, str]:
        """The column, and what it fills: several fields may have one column."""
        return self.column, str(self.member if self.field_id is None else self.field_id)


class PlanCounts(Value):
    """What planning found, in numbers."""

    rows_read: int
    contacts: int
    duplicates: int
    rejected_by_reason: dict[str, int]
    batches: int
    lanes: int
    files_not_read: int = 0
    """Files beside those of the segments that nobody asked to leave out; a warning names the first."""
    segments: tuple[SegmentRead, ...] = ()
    """The segments, with the refresh of each that was read; empty in runs of former releases."""
    values: tuple[ValueCount, ...] = ()
    """How the values of each matched column fit; empty in runs of former releases."""
    notices: dict[str, int] = Field(default_factory=dict)
    """Contacts with a value that was cleaned, by what was done."""
    list_active: int | None = None
    """How many active contacts the list had before anything was sent; None: unknown."""
    carried: Carried | None = None
    """In a run that resumes another: the contacts that are not sent again."""
    at: Time


class Plan(PlanCounts):
    """What planning found; the batches themselves are in the manifest."""

    warnings: tuple[str, ...] = ()
    """The sentences of `warned`, as former releases write them and read them."""
    warned: tuple[Warned, ...] = ()
    """The warnings; empty in runs of former releases."""

    @property
    def all_warned(self) -> tuple[Warned, ...]:
        """The warnings; of a run of a former release, as far as they are known."""
        return self.warned or tuple(map(Warned.model_validate, self.warnings))
