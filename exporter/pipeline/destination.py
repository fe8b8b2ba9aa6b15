"""The destination of a run: whether the key works, and the list and the custom fields are there.

A run looks before it sends, where most of what it sends is refused or fails, and again after its last confirmation. All
runs of an account share what they see: a hundred exports that end in the same minute look a few times.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable

from exporter import log
from exporter.activecampaign import account, wire
from exporter.delivery.ledger import Lane
from exporter.delivery.manifest import FieldEntry
from exporter.errors import Culprit, ExporterError, Stop, Throttled
from exporter.model import load
from exporter.pipeline import questions
from exporter.pipeline.session import PATIENCE_S, Session, session_of
from exporter.ports import Changed
from exporter.records.looks import Look, Seen
from exporter.records.paths import look_path
from exporter.records.runs import change_run
from exporter.runs.run import Looked, Problem, Run
from exporter.services import Services

SHARED_S = 60.0
"""For so long, what was seen counts as it is, where nothing speaks against it."""
NAP_S = 2.0


def look(session: Session, since: float) -> Seen:
    """Return what the account holds, in a look that began at `since` (epoch seconds) or later; look if nobody has.

    Raises `Throttled` if the next look may begin only later than `PATIENCE_S` from now, and what `ask` raises.
    """
    clock, path = session.services.clock, look_path(session.host, _key_id(session.api_key))
    give_up_at = clock.now() + PATIENCE_S
    while True:
        blob = session.services.blobs.read(path)
        found = load(Look, blob.data) if blob else Look()
        if found.seen and found.seen.began >= since:
            return found.seen
        now = clock.now()
        begins = found.may_begin_at(now)
        if begins <= now:
            claimed = found.begin(now)
            if etag := _write(session.services, path, claimed, blob.etag if blob else None):
                return _look(session, path, claimed, etag)
        elif now >= give_up_at or (begins > give_up_at and not found.looking):  # who is looking may be done any moment
            raise Throttled.of("throttled", Culprit.EXTERNAL, max(NAP_S, begins - now), host=session.host)
        else:
            clock.sleep(NAP_S)


def _look(session: Session, path: str, claimed: Look, etag: str) -> Seen:
    seen: Seen | None = None
    try:
        questions.ask(session, wire.who_am_i(), account.read_user, "user")
        seen = Seen(
            began=claimed.looking or 0.0,
            lists=tuple(questions.all_lists(session)),
            fields=tuple(questions.all_fields(session)),
            limits=questions.account_limits(session),
        )
    finally:
        _write(session.services, path, claimed.end(seen), etag)
    return seen


def _write(services: Services, path: str, record: Look, etag: str | None) -> str | None:
    """Create the record, or replace the one with this ETag; return its new ETag, or None if somebody was faster."""
    try:
        if etag is None:
            return services.blobs.create(path, record.to_json())
        return services.blobs.replace(path, record.to_json(), etag)
    except Changed:
        return None


def _key_id(api_key: str) -> str:
    """Return what tells keys apart and tells nothing about them: users see different lists."""
    return hashlib.sha256(b"look|" + api_key.encode()).hexdigest()[:16]


def what_is_gone(session: Session, seen: Seen, list_id: int, fields: Iterable[FieldEntry]) -> Stop | None:
    """Return why nobody can be on the list with their values: the list or a custom field is gone.

    Asks by its id for a list or a field that was not seen, since there are answers that leave some out. Raises the
    `Wait` of `ask`.
    """
    if all(each.id != list_id for each in seen.lists):
        try:
            questions.contact_list(session, list_id)
        except Stop as error:
            return Stop.of("list_gone", listId=list_id, host=session.host) if error.code == "list_not_found" else error
    known = {each.id for each in seen.fields}
    for field in fields:
        if field.field_id in known:
            continue
        try:
            there = questions.has_field(session, field.field_id)
        except Stop as error:
            return error
        if not there:
            title = field.title or str(field.field_id)
            return Stop.of("field_gone", field=title, fieldId=field.field_id, host=session.host)
    return None


def account_full(session: Session, seen: Seen) -> Stop | None:
    """Return why contacts fail that the plan of the account has no room for."""
    limits = seen.limits
    if limits is None or limits.contact_limit is None or (limits.contacts or 0) < limits.contact_limit:
        return None
    return Stop.of(
        "account_full", accountContacts=limits.contacts or 0, contactLimit=limits.contact_limit, host=session.host
    )


def settled(run: Run, lanes: Iterable[Lane]) -> bool:
    """Whether the run has looked at the destination since its last outcome, or knows that it is gone."""
    return run.gone is not None or _last_outcome_at(lanes) <= (run.looked.at if run.looked else 0.0)


def _last_outcome_at(lanes: Iterable[Lane]) -> float:
    """Return when the last import was found to be completed, or a request was refused for its contacts (epoch seconds).

    0: there is neither. A run that brought nobody looks too: what is gone may be the reason.
    """
    return max(
        (at for lane in lanes for at in (lane.refused_at, *(bulk.confirmed_at for bulk in lane.imports.values()))),
        default=0.0,
    )


def look_again(services: Services, run: Run, lanes: list[Lane], fields: Iterable[FieldEntry]) -> Run:
    """Look at the destination of a run whose imports are over, and record what was found; return the run.

    Raises the `Wait` of `look`: then nothing is recorded, and the run is not over.
    """
    since = _last_outcome_at(lanes)
    session = session_of(services, run)
    problem: Problem | None = None
    seen = look(session, since)
    if error := what_is_gone(session, seen, run.export.list_id, fields):
        problem = Problem.of(error)
        log.event("destination_gone", runId=run.run_id, code=error.code)
    looked = Looked(at=seen.began, problem=problem)

    def keep(now: Run) -> Run | None:
        """Let nobody take back that something was gone, although it may be there again.

        Whoever was suspended while they looked says nothing of a run that others have ended or amended meanwhile: its
        tally would not follow, once its working copy is gone.
        """
        if (now.end, now.amended) != (run.end, run.amended):
            return None
        known = now.looked
        return None if known and (known.problem or known.at >= looked.at) else now.then(looked=looked)

    return change_run(services, run.run_id, keep) or run


def patience_is_over(services: Services, run: Run, lanes: list[Lane], error: ExporterError) -> bool:
    """Whether a run ends without a look at the destination: it is to stop, or nobody could look for so long."""
    waited_s = services.clock.now() - _last_outcome_at(lanes)
    over = run.halted or waited_s > services.settings.confirm_within_s
    log.event("destination_not_seen", runId=run.run_id, code=error.code, over=over)
    return over
