"""What stops a run before anything is sent: nobody to send, too many rejects, an implausible size, no room.

Some of it may be intended, which only a person can say: that holds the run (`HOLDS`) until somebody approves it. The
rest is a fault of the export or the account, and fails it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from exporter.activecampaign.account import AccountLimits
from exporter.definitions.exports import ExportDefinition
from exporter.errors import Stop
from exporter.pipeline import questions
from exporter.pipeline.batching import Planned, check_contacts
from exporter.pipeline.session import Session
from exporter.reasons import Reason
from exporter.records.slots import LastSuccess
from exporter.runs.run import Approved, Cause

LEAST_ROWS = 100
"""If the last successful run read fewer rows, sizes are not compared: a pilot of 5 people becomes 5,000 in one step,
and would be refused at every occurrence of the schedule."""
LEAST_REJECTED = 20
"""Fewer rejected rows than these stop no run, whatever their share: a few bad rows are most of a small segment, and
the reject report names them."""
MORE_REJECTED = 0.05
"""How far the share of rejects may exceed the approved one: no refresh is exactly like the one before."""
HOLDS: Mapping[str, tuple[str, ...]] = {
    "segment_empty": ("rowsRead",),
    "too_many_rows_rejected": ("rowsRead", "rejected"),
    "size_changed": ("rowsRead", "lastRowsRead"),
}
"""What holds a run, and the numbers that are approved with it."""
_OF_A_FEW = frozenset(("too_many_contacts", "contact_limit"))
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
    approved: Approved | None = None,
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
    return tuple(judge(numbers, export, calls.services.settings.size_change_factor, approved))


def judge(
    numbers: Numbers, export: ExportDefinition, size_factor: float, approved: Approved | None = None
) -> Iterator[Stop]:
    """Yield what stops the run, each with the switch of the export that lets it pass; first what fails it.

    `size_factor`: how many times more or fewer rows are plausible if the export does not say. `approved`: what a person
    has said is intended. From those numbers the run is measured anew, since it reads the newest refresh: its size may
    be between the last and the approved one, and beyond either by the factor; its share of rejects may exceed the
    approved one by `MORE_REJECTED`.

    Yields "too_many_contacts", "contact_limit", "no_contact"; then what `HOLDS` names.
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
    intended = {cause.code: cause.numbers for cause in approved.causes} if approved else {}
    if not rows_read and not guards.may_be_empty and "segment_empty" not in intended:
        yield Stop.of("segment_empty", rowsRead=0)
    max_share = guards.max_reject_share
    if rejects := intended.get("too_many_rows_rejected"):
        max_share = max(max_share, rejects["rejected"] / rejects["rowsRead"] + MORE_REJECTED)
    if rejected >= LEAST_REJECTED and rejected / rows_read > max_share:
        yield _too_many_rows_rejected(numbers, rejected, max_share)
    last, factor = numbers.last_rows_read or 0, guards.size_factor or size_factor
    size = intended.get("size_changed", {}).get("rowsRead", last)
    if rows_read and last >= LEAST_ROWS and not min(last, size) / factor <= rows_read <= max(last, size) * factor:
        yield Stop.of("size_changed", rowsRead=rows_read, lastRowsRead=last, factor=factor)


def of_a_few(planned: Planned, stops: Iterable[Stop]) -> tuple[Stop, ...]:
    """Return what stops a run for a few people: nobody of them is in the segment, or the account has no room.

    How many they are says nothing about the segment, and whom of them nobody can send is what somebody wants to see.
    """
    if not planned.rows_read:
        return (Stop.of("few_not_found"),)
    return tuple(stop for stop in stops if stop.code in _OF_A_FEW)


def cause_of(stop: Stop) -> Cause:
    """Return what somebody would have to approve; `stop` is one of `HOLDS`."""
    numbers = stop.parameters or {}
    return Cause(code=stop.code, numbers={name: int(numbers[name]) for name in HOLDS[stop.code]})


def _contact_limit(numbers: Numbers) -> Stop:
    """Return the refusal of a run that could take the account over the contact limit of its plan.

    Over the limit, campaigns may stop, and ActiveCampaign's pages disagree on whether contacts are still added.
    https://help.activecampaign.com/hc/en-us/articles/115000364264-What-happens-when-I-reach-my-contact-limit
    """
    return Stop.of(
        "contact_limit",
        newContacts=numbers.new,
        accountContacts=numbers.limits.contacts or 0,
        contactLimit=numbers.limits.contact_limit or 0,
        known=numbers.contacts - numbers.new,
    )


def _no_contact(numbers: Numbers) -> Stop:
    reason, count = _most_frequent(numbers.rejected_by_reason)
    return Stop.of("no_contact", rowsRead=numbers.rows_read, reason=reason, count=count)


def _too_many_rows_rejected(numbers: Numbers, rejected: int, max_share: float) -> Stop:
    reason, count = _most_frequent(_faults(numbers))
    return Stop.of(
        "too_many_rows_rejected",
        rowsRead=numbers.rows_read,
        rejected=rejected,
        rejectShare=rejected / numbers.rows_read,
        maxRejectShare=max_share,
        reason=reason,
        count=count,
        countShare=count / numbers.rows_read,
    )


def _faults(numbers: Numbers) -> dict[str, int]:
    """Return the rejected rows by reason; without people who did not agree, since that is no fault of a row."""
    return {reason: count for reason, count in numbers.rejected_by_reason.items() if reason != Reason.NO_CONSENT}


def _most_frequent(counts: Mapping[str, int]) -> tuple[str, int]:
    return max(counts.items(), key=lambda each: each[1])
