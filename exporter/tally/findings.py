"""Who is looked up in ActiveCampaign after a run's end, and what was found. No I/O.

Two kinds of people are: a sample of the confirmed, to see whether confirmed means there; and those whom ActiveCampaign
did not take without saying why, each once, also those of an import that completes later. A sample of n people shows a
mistake that befell the share p of them with a probability of 1 - (1 - p)^n: with 20, one that befell 5 % in 64 of 100
runs (docs/explanation/activecampaign-answers.md).
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from itertools import count

from exporter.activecampaign.people import Person, Standing
from exporter.delivery.ledger import Lane
from exporter.model import Record, Value
from exporter.reasons import Reason, reason_of
from exporter.tally.fates import UNEXPLAINED, Place, fates

SAMPLE = 20
"""The confirmed people of a run who are looked up, at most."""
MOST_FAILED = 500
"""The people of a run who were not taken and are looked up, at most."""


class Finding(Value):
    """What was found about one contact, named by its batch and its position in it (both from 0)."""

    batch: int
    position: int
    standing: Standing | None = None
    """None: not asked yet, given up, or what is known without asking."""
    as_sent: bool | None = None
    """Whether its values are those that were sent; None: unknown, or not looked at."""
    reason: str | None = None
    """The code of why it was not taken, if that was found out."""

    @property
    def place(self) -> Place:
        """Its batch and its position."""
        return self.batch, self.position


class Sample(Value):
    """What a look at some of the confirmed people showed, in people."""

    confirmed: int
    """How many were confirmed when those to look at were drawn."""
    asked: int
    on_the_list: int = 0
    unsubscribed: int = 0
    bounced: int = 0
    unconfirmed: int = 0
    """On the list, but ActiveCampaign waits for their opt-in."""
    not_on_the_list: int = 0
    """A contact with this address is there, but the list does not have it."""
    not_there: int = 0
    """No contact has the address."""
    unknown: int = 0
    """No answer was clearly about the person."""
    values_as_sent: int = 0
    values_differ: int = 0
    """Of the contacts that were found: not everything that was sent is there. Somebody may have changed it since."""


class Findings(Record):
    """What was found about the people of a run. It counts once it is `done`; no personal data."""

    confirmed: int = 0
    """How many were confirmed when the sample was drawn."""
    sample: tuple[Finding, ...] = ()
    failed: tuple[Finding, ...] = ()
    list_active: int | None = None
    """How many active contacts the list had after the run; None: not asked yet, or unknown."""
    size_asked: bool = False
    done: bool = False

    @property
    def reasons(self) -> dict[Place, Reason]:
        """Why people were not taken, as far as it was found out."""
        if not self.done:
            return {}
        return {each.place: reason_of(each.reason) for each in self.failed if each.reason}

    @property
    def counted(self) -> Sample | None:
        """The sample in numbers; None while people are still looked up, or if nobody of it was."""
        asked = [each for each in self.sample if each.standing]
        if not self.done or not asked:
            return None
        told = [each.standing for each in asked]
        return Sample(
            confirmed=self.confirmed,
            asked=len(asked),
            on_the_list=told.count(Standing.ON_THE_LIST),
            unsubscribed=told.count(Standing.UNSUBSCRIBED),
            bounced=told.count(Standing.BOUNCED),
            unconfirmed=told.count(Standing.UNCONFIRMED),
            not_on_the_list=told.count(Standing.NOT_ON_THE_LIST),
            not_there=told.count(Standing.NOT_THERE),
            unknown=told.count(Standing.UNKNOWN),
            values_as_sent=sum(each.as_sent is True for each in asked),
            values_differ=sum(each.as_sent is False for each in asked),
        )

    def with_size(self, list_active: int | None) -> Findings:
        """Return these findings with the size of the list, if it was not known before."""
        return self if self.size_asked else self.model_copy(update={"list_active": list_active, "size_asked": True})

    def left(self, lanes: Iterable[Lane]) -> dict[Place, Reason | None]:
        """Return who is still to be looked up, with the reason so far: of the sample None; then who was not taken.

        Once it was done, these are only people of imports that completed since: all others are found or given up.
        """
        known = self._failed
        failed = {
            (fate.batch, position): fate.reason
            for fate in fates(lanes)
            if fate.reason in UNEXPLAINED
            for position in fate.positions
        }
        places = sorted(failed.keys() - known.keys())[: max(MOST_FAILED - len(known), 0)]
        sample = {each.place: None for each in self.sample if not each.standing and not self.done}
        return {**sample, **{place: failed[place] for place in places}}

    def with_more(self, found: Iterable[Finding], *, done: bool) -> Findings:
        """Return these findings with others. What was found first stays, as two sweeps may look at once.

        Of a sample that counts nothing changes: the status of the run may follow from it, and does not go back.
        """
        new = {each.place: each for each in found}
        sample = {each.place: each if each.standing or self.done else new.get(each.place, each) for each in self.sample}
        failed = {**{place: each for place, each in new.items() if place not in sample}, **self._failed}
        update = {
            "sample": tuple(sample.values()),
            "failed": tuple(failed[place] for place in sorted(failed)),
            "done": self.done or done,
        }
        return self.model_copy(update=update)

    @property
    def _failed(self) -> dict[Place, Finding]:
        return {each.place: each for each in self.failed}


def begin(run_id: str, lanes: Iterable[Lane], gone: Reason | None = None) -> Findings:
    """Return findings of which nothing is found yet: the sample is drawn, the same for the same ledgers.

    `gone`: why nobody is confirmed, as in `fates`; there is nobody to draw then.
    """
    confirmed = [fate for fate in fates(lanes, gone=gone) if fate.reason is None]
    total = sum(len(fate.positions) for fate in confirmed)
    drawn: set[int] = set()
    for number in count():
        if len(drawn) == min(SAMPLE, total):
            break
        digest = hashlib.sha256(f"{run_id}|{number}".encode()).digest()
        drawn.add(int.from_bytes(digest) % total)
    at = 0
    sample = []
    for fate in confirmed:
        end = at + len(fate.positions)
        sample += [(fate.batch, fate.positions[index - at]) for index in drawn if at <= index < end]
        at = end
    chosen = tuple(Finding(batch=batch, position=position) for batch, position in sorted(sample))
    return Findings(confirmed=total, sample=chosen)


def is_looked_up(findings: Findings | None, lanes: Iterable[Lane]) -> bool:
    """Return whether nobody of a run that is over is left to look up."""
    if findings:
        return findings.done and not findings.left(lanes)
    return not any(fate.positions for fate in fates(lanes) if fate.reason is None or fate.reason in UNEXPLAINED)


def given_up(places: Iterable[Place]) -> list[Finding]:
    """Return that nobody asks for these contacts any more."""
    return [Finding(batch=batch, position=position) for batch, position in places]


def finding_of(place: Place, person: Person, sent: dict[str, object]) -> Finding:
    """Return what was found about a confirmed contact; `sent`: as it was in the request."""
    return Finding(batch=place[0], position=place[1], standing=person.standing, as_sent=person.holds(sent))


def why_not_taken(before: Reason, standing: Standing, *, full: bool | None) -> Reason:
    """Return why somebody was not taken, from where they stand and whether the account is full (None: unknown).

    `before`: the reason so far, which stays if nothing explains it: who is on the list, for example, was there before.
    Whoever was refused in the check of a request and is not there was refused for what the contact holds.
    """
    match standing:
        case Standing.UNSUBSCRIBED:
            return Reason.UNSUBSCRIBED
        case Standing.BOUNCED:
            return Reason.BOUNCED
        case Standing.NOT_THERE if before is Reason.FAILED_IN_IMPORT and full is not None:
            return Reason.ACCOUNT_FULL if full else Reason.ADDRESS_NOT_TAKEN
    return before
