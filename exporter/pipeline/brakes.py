"""What stops a run before anything is sent: nobody to send, too many rejects, an implausible size, no room."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from exporter.activecampaign.account import AccountLimits
from exporter.definitions.exports import ExportDefinition
from exporter.errors import Stop
from exporter.pipeline import questions
from exporter.pipeline.batching import Planned, check_contacts
from exporter.pipeline.session import Session
from exporter.reasons import Reason
from exporter.records.slots import LastSuccess

LEAST_ROWS = 100
"""If the last successful run read fewer rows, sizes are not compared: a pilot of 5 people becomes 5,000 in one step,
and would be refused at every occurrence of the schedule."""
LEAST_REJECTED = 20
"""Fewer rejected rows than these stop no run, whatever their share: a few bad rows are most of a small segment, and
the reject report names them."""
_NOT_TOLD = AccountLimits(None, None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Numbers:
    """What a run is judged by; `rows_read`, `contacts` and `rejected_by_reason` are those of `Planned`.

    `last_rows_read`: rows that the last successful run read, or None. `known`: how many of the contacts the account has
    already, according to earlier runs. `on_list`: how many contacts the list has, or None if that was not asked or not
    answered.
    """

    rows_read: int
    contacts: int
    rejected_by_reason: Mapping[str, int]
    last_rows_read: int | None = None
    limits: AccountLimits = _NOT_TOLD
    known: int = 0
    on_list: int | None = None

    @property
    def new(self) -> int:
        """How many contacts may be new to the account."""
        return max(self.contacts - max(self.known, self.on_list or 0), 0)

    @property
    def lacks_room(self) -> bool:
        """Whether the new contacts could take the account over its limit; False if the account does not tell it."""
        limit, contacts = self.limits.contact_limit, self.limits.contacts
        return limit is not None and contacts is not None and self.new > max(limit - contacts, 0)


def problems(
    calls: Session,
    export: ExportDefinition,
    planned: Planned,
    limits: AccountLimits | None,
    last: LastSuccess | None,
    *,
    carried: int = 0,
    force: bool = False,
) -> tuple[Stop, ...]:
    """Return what would stop a run that sends `planned`, as `judge` does.

    `last`: the export's last successful run. `carried`: how many contacts the run that is resumed confirmed. Asks how
    many contacts the list has, but only if the contact limit could be exceeded otherwise; raises what
    `questions.list_size` raises.
    """
    numbers = Numbers(
        rows_read=planned.rows_read,
        contacts=planned.contacts,
        rejected_by_reason=planned.rejected_by_reason,
        last_rows_read=last.rows_read if last else None,
        limits=limits or _NOT_TOLD,
        known=max(last.known_to(calls.host) if last else 0, carried),
    )
    if numbers.lacks_room and not export.allow_over_contact_limit:
        numbers = replace(numbers, on_list=questions.list_size(calls, export.list_id))
    return tuple(judge(numbers, export, calls.services.settings.size_change_factor, force=force))


def judge(numbers: Numbers, export: ExportDefinition, size_factor: float, *, force: bool) -> Iterator[Stop]:
    """Yield what stops the run, each with the switch of the export that lets it pass; first what `force` does not pass.

    `size_factor`: how many times more or fewer rows are plausible if the export does not say.

    Yields "too_many_contacts", "contact_limit", "no_contact"; and unless forced "segment_empty",
    "too_many_rows_rejected", "size_changed".
    """
    try:
        check_contacts(numbers.contacts, export.max_contacts)
    except Stop as error:
        yield error
    if numbers.lacks_room and not export.allow_over_contact_limit:
        yield _contact_limit(numbers)
    guards, rows_read, rejected = export.guards, numbers.rows_read, sum(_faults(numbers).values())
    if rows_read and not numbers.contacts and not guards.may_be_empty:
        yield _no_contact(numbers)
    if force:
        return
    if not rows_read and not guards.may_be_empty:
        yield _segment_empty()
    if rejected >= LEAST_REJECTED and rejected / rows_read > guards.max_reject_share:
        yield _too_many_rows_rejected(numbers, rejected, guards.max_reject_share)
    last, factor = numbers.last_rows_read or 0, guards.size_factor or size_factor
    if rows_read and last >= LEAST_ROWS and not last / factor <= rows_read <= last * factor:
        yield _size_changed(rows_read, last, factor)


def _contact_limit(numbers: Numbers) -> Stop:
    """Return the refusal of a run that could take the account over the contact limit of its plan.

    Over the limit, campaigns may stop, and ActiveCampaign's pages disagree on whether contacts are still added.
    https://help.activecampaign.com/hc/en-us/articles/115000364264-What-happens-when-I-reach-my-contact-limit
    """
    limits = numbers.limits
    on_list = "" if numbers.on_list is None else f", {numbers.on_list} of them on the list already"
    return Stop(
        "contact_limit",
        f"Expected room for up to {numbers.new} new contacts; the account has {limits.contacts} of at most"
        f" {limits.contact_limit} contacts{on_list}. Nothing was sent. Raise the limit of the account's plan, remove"
        " contacts, or set allowOverContactLimit of the export.",
    )


def _no_contact(numbers: Numbers) -> Stop:
    reason, count = _most_frequent(numbers.rejected_by_reason)
    return Stop(
        "no_contact",
        f"Expected contacts, found none in {numbers.rows_read} rows: most often, they are rejected as {reason}"
        f" ({count}). Nothing was sent. Check the data matching and the consentColumn of the export, and its segments."
        " If nobody has to be sent, set guards.mayBeEmpty of the export.",
    )


def _segment_empty() -> Stop:
    return Stop(
        "segment_empty",
        "Expected rows, found none: the segment is empty. Nothing was sent, and nobody was removed from the list."
        " Check the segment. To let an empty run succeed, start it with force, or set guards.mayBeEmpty of the export.",
    )


def _too_many_rows_rejected(numbers: Numbers, rejected: int, max_share: float) -> Stop:
    reason, count = _most_frequent(_faults(numbers))
    return Stop(
        "too_many_rows_rejected",
        f"Expected at most {max_share:.1%} of the {numbers.rows_read} rows to be rejected, found {rejected}"
        f" ({rejected / numbers.rows_read:.1%}), most often as {reason} ({count}, {count / numbers.rows_read:.1%})."
        " Nothing was sent. Check the data matching of the export, and its segments. If this is intended, start the run"
        " with force, or raise guards.maxRejectShare of the export.",
    )


def _size_changed(rows_read: int, last_rows_read: int, factor: float) -> Stop:
    return Stop(
        "size_changed",
        f"Expected at most {factor:g} times more or fewer rows than the {last_rows_read} of the last successful run,"
        f" found {rows_read}. Nothing was sent. If this is intended, start the run with force, or raise"
        " guards.sizeFactor of the export.",
    )


def _faults(numbers: Numbers) -> dict[str, int]:
    """Return the rejected rows by reason; without people who did not agree, since that is no fault of a row."""
    return {reason: count for reason, count in numbers.rejected_by_reason.items() if reason != Reason.NO_CONSENT}


def _most_frequent(counts: Mapping[str, int]) -> tuple[str, int]:
    return max(counts.items(), key=lambda each: each[1])
