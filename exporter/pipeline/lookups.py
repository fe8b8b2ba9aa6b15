"""Look people of a run up in ActiveCampaign after its end: a sample of the confirmed, and those who were not taken.

It takes turns that running exports need too, so there is little of it at a time: a few people a sweep, and so many an
account and hour. What was found goes into a record beside the run's (`tally.findings`); when nobody is left, or the
time is over, `finish.amend` brings tally, reject report and report up to date.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, Final, Literal

from exporter import log
from exporter.activecampaign import bodies
from exporter.activecampaign.account import Exclusion
from exporter.activecampaign.people import Person, Standing
from exporter.delivery.manifest import Manifest
from exporter.errors import Stop, Wait
from exporter.model import Record
from exporter.pipeline.questions import account_limits, exclusions, list_active, person
from exporter.pipeline.session import Session, session_of
from exporter.reasons import Reason
from exporter.records import store
from exporter.records.lanes import read_lanes
from exporter.records.paths import findings_path, spent_path
from exporter.records.payload import read_batch
from exporter.records.runs import read_findings, read_manifest
from exporter.runs.run import Run
from exporter.services import Services
from exporter.tally.fates import Place
from exporter.tally.findings import SAMPLE, Finding, Findings, begin, finding_of, given_up, why_not_taken

LOOK_UP_S: Final = 20.0
"""How long a sweep looks people up, over all runs."""
AT_ONCE: Final = 20
"""People of a run whom one sweep looks up."""
WITHIN_S: Final = 5_400.0
"""How long after a run's end, or after a late import completed, people are looked up, at most: the working copy is kept
for it. It is more than an hour, so that those who were not taken get another one in which the account has look-ups
left. The sample does not wait for that: of runs that end in the same hour, the first ones have it."""
AN_HOUR: Final = {"sample": SAMPLE, "failed": 600}
"""People of an account who are looked up in an hour of the clock: confirmed ones, and those who were not taken."""
_HOUR_S: Final = 3_600.0


type _Kind = Literal["sample", "failed"]


class Spent(Record):
    """How many people of an account were looked up in an hour of the clock, which is counted since the epoch."""

    hour: int = 0
    sample: int = 0
    failed: int = 0


def look_up(
    services: Services, run: Run, until: float, *, at_most: int = AT_ONCE, samples_only: bool = False
) -> int | None:
    """Look up some people of a run that is over, before `until` (epoch seconds); return how many, None: it has to wait.

    `samples_only`: only the sample and the size of the list, not those who were not taken.

    Raises `Unavailable` for the app's own storage. Whatever ActiveCampaign or Key Vault say, it is tried again by the
    next sweep until the time is over.
    """
    manifest = read_manifest(services, run.run_id) if run.plan else None
    if manifest is None or run.end is None:
        return 0
    lanes = [*read_lanes(services, run).values()]
    findings = read_findings(services, run.run_id) or store.create_or_get(
        services.blobs, findings_path(run.run_id), begin(run.run_id, lanes, run.gone)
    )
    left = findings.left(lanes)
    if findings.done and not left:
        return 0
    late = (bulk.confirmed_at for lane in lanes for bulk in lane.imports.values() if findings.done)
    over = services.clock.now() - max([run.end.at, *late]) >= WITHIN_S
    if not over and services.clock.now() >= until:
        return 0
    look = _Look(services, run, manifest, until, at_most)
    size: tuple[int | None] | None = None
    waits = False
    try:
        if not over and not findings.done and not findings.size_asked:
            size = (look.size(),)
        if not over:
            look.at(left, samples_only=samples_only)
    except Stop as error:  # the working copy is gone or was altered, or no request can succeed
        log.event("lookups_ended", level=logging.WARNING, runId=run.run_id, code=error.code)
        over = True
    except Wait as error:
        log.event("lookups_wait", runId=run.run_id, code=error.code)
        waits = True
    done = over or len(look.found) + look.passed_over == len(left)
    if look.found or done or size:
        path = findings_path(run.run_id)

        def add(known: Findings) -> Findings:
            found = [*given_up(left), *look.found] if over else look.found
            return (known.with_size(*size) if size else known).with_more(found, done=done)

        store.change(services.blobs, Findings, path, add)
    return None if waits else len(look.found)


@dataclass
class _Look:
    """One sweep's look at the people of a run."""

    services: Services
    run: Run
    manifest: Manifest
    until: float
    at_most: int
    found: list[Finding] = field(default_factory=list, init=False)
    passed_over: int = field(default=0, init=False)
    """People of the sample who are not waited for, as the account has nothing left for them in this hour."""
    _batch: tuple[int, list[dict[str, Any]]] | None = field(default=None, init=False, repr=False)

    def size(self) -> int | None:
        """Return how many active contacts the list has; None: unknown. Raises `Wait` and `Stop`."""
        return list_active(self._session, self.run.export.list_id)

    def at(self, left: dict[Place, Reason | None], *, samples_only: bool) -> None:
        """Look at some of those who are left, and add to `found`. Raises `Wait` and `Stop`."""
        sample = [place for place, reason in left.items() if reason is None]
        failed = {place: reason for place, reason in left.items() if reason is not None}
        if self.run.only is not None:  # whoever asked for them sees all of them; the sample is for those who do not
            self.passed_over, sample = len(sample), []
        for number, place in enumerate(sample):
            if self._is_enough():
                break
            if not self._may_ask("sample"):
                self.passed_over = len(sample) - number
                break
            sent = self._contact(place)
            self.found.append(finding_of(place, self._person(sent, "sample"), sent))
        for place, reason in () if samples_only else failed.items():
            if self._is_enough():
                break
            sent = self._contact(place)
            if any(entry.matches(sent["email"]) for entry in self._exclusions):
                self.found.append(Finding(batch=place[0], position=place[1], reason=Reason.EXCLUDED))
                continue
            if not self._may_ask("failed"):
                break
            standing = self._person(sent, "failed").standing
            full = self._full if standing is Standing.NOT_THERE else None
            why = why_not_taken(reason, standing, full=full)
            self.found.append(Finding(batch=place[0], position=place[1], standing=standing, reason=why))

    def _is_enough(self) -> bool:
        return len(self.found) >= self.at_most or self.services.clock.now() >= self.until

    def _person(self, sent: dict[str, Any], kind: _Kind) -> Person:
        try:
            return person(self._session, sent["email"], self.run.export.list_id, values=kind == "sample")
        except Wait:
            self._spend(kind, -1)
            raise

    def _contact(self, place: Place) -> dict[str, Any]:
        """Return a contact as it was sent; those of one batch come one after the other."""
        number, position = place
        if self._batch is None or self._batch[0] != number:
            body, _ = read_batch(self.services, self.manifest.payload, self.manifest.batches[number])
            self._batch = number, bodies.contacts(body)
        return self._batch[1][position]

    @cached_property
    def _session(self) -> Session:
        return session_of(self.services, self.run, fresh=True)  # rare, and must not miss a new key for minutes

    @cached_property
    def _exclusions(self) -> tuple[Exclusion, ...]:
        return exclusions(self._session, self.run.export.list_id)

    @cached_property
    def _full(self) -> bool | None:
        """Whether the account has as many contacts as its plan allows; None if it does not say."""
        limits = account_limits(self._session)
        if limits is None or limits.contacts is None or limits.contact_limit is None:
            return None
        return limits.contacts >= limits.contact_limit

    def _may_ask(self, kind: _Kind) -> bool:
        """Take one of the look-ups that the account has left in this hour; False if there is none."""
        return self._spend(kind, 1)

    def _spend(self, kind: _Kind, number: int) -> bool:
        """Count look-ups of this hour, -1 for one that came to nothing; return False if they would be too many."""
        hour = int(self.services.clock.now() // _HOUR_S)
        may = False

        def spend(spent: Spent) -> Spent | None:
            nonlocal may
            now = spent if spent.hour == hour else Spent(hour=hour)
            total = max(getattr(now, kind) + number, 0)
            may = total <= AN_HOUR[kind]
            return now.model_copy(update={kind: total}) if may else None

        store.change(self.services.blobs, Spent, self._spent_path, spend)
        return may

    @cached_property
    def _spent_path(self) -> str:
        path = spent_path(self.run.host)
        store.create_or_get(self.services.blobs, path, Spent())
        return path
