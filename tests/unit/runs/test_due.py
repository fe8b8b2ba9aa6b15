"""What the schedule starts, over whatever is known of an export: nothing in the way, attempts that end, and why not."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exporter.definitions.exports import DataMatching, Export, Seen
from exporter.definitions.resources import Paused
from exporter.definitions.schedules import AtTimes, OnDemand, WithEveryRefresh
from exporter.errors import Culprit
from exporter.model import to_text
from exporter.runs.due import (
    MOST_ATTEMPTS,
    PAUSES_S,
    Attempted,
    Due,
    Facts,
    due_by_refresh,
    due_by_time,
    is_new,
    leaves_people,
    obstacle,
    outlook,
    repair_at,
)
from exporter.runs.run import Cancel, Cause, End, Held, Problem, Run, RunStatus, Trigger
from exporter.sentences import Situation
from exporter.tally.count import Tally
from exporter.warned import Warned
from tests.fakes import START
from tests.runs import BUSY_PLAN, QUEUED

NOW = START + 5 * 86_400.0
HOST = QUEUED.host
REFRESHES = ("a" * 64, "b" * 64, "c" * 64)
APP_SCHEDULE = "0 0 2 * * *"
HELD = Held(causes=(Cause(code="segment_empty", numbers={"rowsRead": 0}),), membership="0" * 64)
WAITS = {
    "waits_no_connection",
    "waits_on_demand",
    "waits_paused",
    "waits_connection_paused",
    "waits_on_hold",
    "waits_run",
}

ago = st.floats(0.0, 4 * 86_400.0).map(lambda seconds: NOW - seconds)
paused = st.none() | ago.map(lambda at: Paused(by="ada", since_utc=at))
seen = st.none() | st.builds(
    lambda at, refresh, written, exported: Seen(at=at, refresh=refresh, refreshed_utc=written, exported=exported),
    ago,
    st.none() | st.sampled_from(REFRESHES),
    st.none() | ago,
    st.booleans(),
)
schedules = st.sampled_from(
    (WithEveryRefresh(), AtTimes(), AtTimes(cron="0 6 * * *", time_zone="Europe/Amsterdam"), OnDemand(), None)
)
problems = st.none() | st.builds(
    lambda code, culprit: Problem(code=code, message="It says why.", culprit=culprit, situation=Situation.ENDED),
    st.sampled_from(("activecampaign_unavailable", "list_not_found", "superseded")),
    st.sampled_from(Culprit),
)
tallies = st.builds(
    lambda confirmed, unconfirmed: Tally(
        rows_read=confirmed + unconfirmed,
        confirmed=confirmed,
        unconfirmed=unconfirmed,
        reasons={"not_sent": unconfirmed} if unconfirmed else {},
    ),
    st.integers(0, 3),
    st.integers(0, 3),
)


def over(run: Run, status: RunStatus, tally: Tally, problem: Problem | None = None, **facts: object) -> Run:
    held = HELD if status is RunStatus.HELD else None
    stored = RunStatus.FAILED if held else status
    end = End(status=stored, at=run.requested_utc + 60, tally=tally, problem=problem, held=held)
    cancel = Cancel(by="ada", at=run.requested_utc + 30) if status is RunStatus.CANCELED else None
    return run.model_copy(update={"end": end, "cancel": cancel, **facts})


runs_over = st.builds(
    lambda requested, attempt, status, tally, problem, planned, host: over(
        QUEUED.model_copy(update={"requested_utc": requested, "attempt": attempt, "host": host}),
        status,
        tally,
        problem,
        plan=BUSY_PLAN if planned else None,
    ),
    ago,
    st.none() | st.integers(1, MOST_ATTEMPTS),
    st.sampled_from(
        (
            RunStatus.SUCCESSFUL,
            RunStatus.COMPLETED_WITH_WARNINGS,
            RunStatus.FAILED,
            RunStatus.CANCELED,
            RunStatus.HELD,
            RunStatus.SKIPPED,
        )
    ),
    tallies,
    problems,
    st.booleans(),
    st.sampled_from((HOST, HOST, "other.api-us1.com")),
)
exports = st.builds(
    lambda connection, schedule, paused, seen: Export(
        id="newsletter",
        display_name="Newsletter",
        connection_id=connection,
        list_id=1,
        segments=("people",),
        data_matching=DataMatching(email="EMail"),
        schedule=schedule,
        paused=paused,
        seen=seen,
        created_by="ada",
        created_utc=START,
        updated_by="ada",
        updated_utc=START,
    ),
    st.sampled_from(("main", "main", "main", None)),
    schedules,
    paused,
    seen,
)
attempted = st.none() | st.builds(
    lambda attempt, refresh, at: Attempted(run_id=QUEUED.run_id, attempt=attempt, refresh=refresh, due=at),
    st.integers(1, MOST_ATTEMPTS),
    st.none() | st.sampled_from(REFRESHES),
    ago,
)
facts_of_any = st.builds(
    Facts,
    export=exports,
    host=st.just(HOST),
    connection_paused=paused,
    on_hold=st.booleans(),
    going=st.sampled_from((None, None, QUEUED)),
    newest=st.none() | runs_over,
    last=attempted,
    app_schedule=st.just(APP_SCHEDULE),
)
facts_of_free = facts_of_any.map(
    lambda facts: replace(
        facts,
        connection_paused=None,
        on_hold=False,
        going=None,
        export=facts.export.model_copy(
            update={
                "connection_id": "main",
                "paused": None,
                "schedule": facts.export.schedule if facts.export.runs_by_itself else WithEveryRefresh(),
            }
        ),
    )
)
ATTEMPT_2 = PAUSES_S[0]
OUTAGE = Problem(code="activecampaign_unavailable", message="It did not answer.", culprit=Culprit.EXTERNAL)


def facts(**changes: object) -> Facts:
    """An export that runs with every refresh, of which nothing else is known."""
    export = Export(
        id="newsletter",
        display_name="Newsletter",
        connection_id="main",
        list_id=1,
        segments=("people",),
        data_matching=DataMatching(email="EMail"),
        schedule=WithEveryRefresh(),
        created_by="ada",
        created_utc=START,
        updated_by="ada",
        updated_utc=START,
    )
    return replace(Facts(export=export, host=HOST, app_schedule=APP_SCHEDULE), **changes)  # type: ignore[arg-type]


def failed(attempt: int | None = None, **facts: object) -> Run:
    """A run of an hour ago that an outage has ended before it was planned."""
    run = QUEUED.model_copy(update={"requested_utc": NOW - 3_600, "attempt": attempt})
    return over(run, RunStatus.FAILED, Tally(), OUTAGE, **facts)


def by_refresh(known: Facts, now: float, refresh: str, *, exported: bool) -> Due | None:
    """What is due by a refresh that a run that counts has sent or not."""
    return due_by_refresh(known, now, refresh, new=is_new(known, refresh) and not exported)


# What is in the way


@given(facts_of_any)
@settings(deadline=None)
def test_something_is_in_the_way_or_nothing_is(known: Facts) -> None:
    export, found = known.export, obstacle(known)
    free = export.connection_id is not None and export.runs_by_itself and not export.paused
    free = free and not (known.connection_paused or known.on_hold or known.going)
    assert (found is None) is free
    assert found is None or found.code in WAITS


@given(facts_of_any)
@settings(deadline=None)
def test_what_is_in_the_way_is_what_a_person_is_told(known: Facts) -> None:
    shown, found = outlook(known, NOW), obstacle(known)
    assert shown.not_now.message
    if found:
        assert shown.not_now == found
        assert known.going or shown.next_run is None


# What is due


@given(facts_of_free, st.sampled_from(REFRESHES), st.booleans())
@settings(deadline=None)
def test_a_refresh_is_started_when_it_is_new_and_else_for_whom_a_run_has_left(
    known: Facts,
    refresh: str,
    exported: bool,  # noqa: FBT001 - drawn by name
) -> None:
    what = by_refresh(known, NOW, refresh, exported=exported)
    at = repair_at(known)
    if is_new(known, refresh) and not exported:
        assert what == Due(1, NOW, refresh)
    elif at is not None and at <= NOW:
        assert what
        assert known.newest
        assert (what.attempt, what.refresh, what.resumes) == (
            (known.newest.attempt or 1) + 1,
            refresh,
            known.newest.run_id,
        )
    else:
        assert what is None


@given(facts_of_free, st.sampled_from(REFRESHES))
@settings(deadline=None)
def test_what_was_started_for_a_refresh_is_not_new_any_more(known: Facts, refresh: str) -> None:
    after = replace(known, last=Attempted(run_id=QUEUED.run_id, attempt=1, refresh=refresh, due=NOW), newest=None)
    assert by_refresh(after, NOW, refresh, exported=False) is None
    others = [each for each in REFRESHES if each != refresh and is_new(after, each)]
    assert len(others) >= 1, "another refresh is always new, unless it is the one that was seen"


@given(facts_of_free)
@settings(deadline=None)
def test_a_time_that_was_started_is_not_due_again(known: Facts) -> None:
    known = replace(known, newest=None, export=known.export.model_copy(update={"schedule": AtTimes(cron="0 6 * * *")}))
    what = due_by_time(known, NOW)
    if what:
        assert known.since < what.due <= NOW
        after = replace(known, last=Attempted(run_id=QUEUED.run_id, attempt=1, due=what.due))
        assert due_by_time(after, NOW) is None


@given(facts_of_free)
@settings(deadline=None)
def test_nobody_is_sent_again_more_often_than_is_allowed(known: Facts) -> None:
    for what in (due_by_time(known, NOW), by_refresh(known, NOW, REFRESHES[0], exported=False)):
        assert what is None or 1 <= what.attempt <= MOST_ATTEMPTS


@given(facts_of_free)
@settings(deadline=None)
def test_whom_a_run_has_left_is_sent_after_a_pause_unless_somebody_has_to_act(known: Facts) -> None:
    at, run = repair_at(known), known.newest
    if at is None:
        return
    assert run
    assert run.end
    assert leaves_people(run)
    assert run.status not in (RunStatus.CANCELED, RunStatus.HELD, RunStatus.SKIPPED)
    assert run.end.problem is None or run.end.problem.culprit is not Culprit.USER
    assert run.host == known.host
    assert at == run.end.at + PAUSES_S[(run.attempt or 1) - 1]
    assert known.export.seen is None or run.requested_utc >= known.export.seen.at


@pytest.mark.parametrize("made", range(1, MOST_ATTEMPTS + 1))
def test_attempts_follow_each_other_after_longer_and_longer_pauses_and_end(made: int) -> None:
    run = failed(made)
    known = facts(newest=run, last=Attempted(run_id=run.run_id, attempt=made, refresh=REFRESHES[0], due=NOW - 3_600))
    assert run.end
    if made == MOST_ATTEMPTS:
        assert repair_at(known) is None
        assert outlook(known, NOW).not_now.code == "waits_gave_up"
        return
    due_at = run.end.at + PAUSES_S[made - 1]
    assert repair_at(known) == due_at
    assert by_refresh(known, due_at - 1, REFRESHES[0], exported=False) is None
    assert by_refresh(known, due_at, REFRESHES[0], exported=False) == Due(made + 1, due_at, REFRESHES[0], run.run_id)
    # A newer refresh begins again, whatever was tried.
    assert by_refresh(known, NOW, REFRESHES[1], exported=False) == Due(1, NOW, REFRESHES[1])


def test_pauses_are_a_quarter_of_an_hour_one_hour_six_and_a_day_so_there_are_five_attempts() -> None:
    assert PAUSES_S == (900, 3_600, 6 * 3_600, 86_400)
    assert MOST_ATTEMPTS == 5


def test_whom_a_person_s_run_has_left_is_sent_by_a_second_attempt() -> None:
    run = failed()
    assert run.end
    due_at = run.end.at + PAUSES_S[0]
    assert by_refresh(facts(newest=run), due_at, REFRESHES[0], exported=True) == Due(
        2, due_at, REFRESHES[0], run.run_id
    )


def test_what_lay_there_when_it_was_saved_is_not_new_and_whatever_a_run_of_that_moment_left_is_sent() -> None:
    run = failed()
    known = facts()
    seen = Seen(at=run.requested_utc, refresh=REFRESHES[0])
    known = replace(known, newest=run, export=known.export.model_copy(update={"seen": seen}))
    assert not is_new(known, REFRESHES[0])
    assert is_new(known, REFRESHES[1])
    assert known.newest_since == run


def test_times_of_what_a_former_release_saved_count_from_its_newest_run_on() -> None:
    run = failed(plan=BUSY_PLAN)
    known = facts(newest=run)
    hourly = replace(known, export=known.export.model_copy(update={"schedule": AtTimes(cron="0 * * * *")}))
    assert hourly.since == run.requested_utc
    assert replace(hourly, newest=None).since == START
    hour = NOW - NOW % 3_600
    assert due_by_time(hourly, hour + 3_600) == Due(1, hour + 3_600)


def test_a_run_that_nobody_counted_leaves_people_only_if_it_failed_before_it_was_planned() -> None:
    assert leaves_people(failed())
    assert not leaves_people(failed(plan=BUSY_PLAN))
    assert not leaves_people(QUEUED)


def test_what_was_found_out_after_the_end_counts() -> None:
    from exporter.runs.run import Amended  # noqa: PLC0415

    left = Tally(rows_read=2, confirmed=1, unconfirmed=1, reasons={"outcome_unknown": 1})
    run = over(QUEUED, RunStatus.COMPLETED_WITH_WARNINGS, left, plan=BUSY_PLAN)
    assert leaves_people(run)
    amended = Amended(tally=Tally(rows_read=2, confirmed=2), at=NOW)
    assert not leaves_people(run.model_copy(update={"amended": amended}))


# What a person is told


@given(facts_of_free)
@settings(deadline=None)
def test_a_next_run_is_named_where_one_is_known(known: Facts) -> None:
    shown = outlook(known, NOW)
    goes_by_times = isinstance(known.export.schedule, AtTimes)
    assert (shown.next_run is not None) is (goes_by_times or repair_at(known) is not None)
    if shown.not_now.code == "waits_repair":
        assert shown.next_run is not None
        assert shown.next_run >= NOW
        assert 2 <= int(shown.not_now.params["attempt"]) <= MOST_ATTEMPTS


@given(facts_of_free)
@settings(deadline=None)
def test_what_is_announced_is_what_is_started(known: Facts) -> None:
    shown = outlook(known, NOW)
    if shown.next_run is None:
        return
    at = max(shown.next_run, NOW)
    if isinstance(known.export.schedule, AtTimes):
        assert due_by_time(known, at)
        assert at == NOW or due_by_time(known, at - 1) is None
    else:
        what = by_refresh(known, at, REFRESHES[0], exported=True)
        assert what
        assert what.attempt > 1


@pytest.mark.parametrize(
    ("run", "code"),
    [
        (over(QUEUED, RunStatus.HELD, Tally()), "waits_approval"),
        (over(QUEUED, RunStatus.CANCELED, Tally()), "waits_after_cancel"),
        (over(QUEUED, RunStatus.SUCCESSFUL, Tally(rows_read=1, confirmed=1)), "waits_refresh"),
        (
            over(QUEUED, RunStatus.FAILED, Tally(), OUTAGE.model_copy(update={"culprit": Culprit.USER})),
            "waits_after_failure",
        ),
        (failed(MOST_ATTEMPTS), "waits_gave_up"),
        (failed(1), "waits_repair"),
    ],
    ids=["held", "canceled", "successful", "mistake", "gave up", "repair"],
)
def test_why_an_export_does_not_run_now_is_said_in_a_sentence(run: Run, code: str) -> None:
    shown = outlook(facts(newest=run), NOW)
    assert shown.not_now.code == code
    assert shown.not_now.message.endswith(".")


def test_what_lay_there_when_it_was_saved_is_named_until_a_run() -> None:
    seen = Seen(at=NOW - 60, refresh=REFRESHES[0], refreshed_utc=NOW - 600)
    known = facts()
    saved = replace(known, export=known.export.model_copy(update={"seen": seen}))
    assert outlook(saved, NOW).not_now.code == "waits_seen"
    before = over(QUEUED, RunStatus.SUCCESSFUL, Tally(rows_read=1, confirmed=1))
    assert outlook(replace(saved, newest=before), NOW).not_now.code == "waits_seen"
    run = over(QUEUED.model_copy(update={"requested_utc": NOW - 30}), RunStatus.SUCCESSFUL, Tally())
    assert outlook(replace(saved, newest=run), NOW).not_now.code == "waits_refresh"
    exported = seen.model_copy(update={"exported": True})
    assert outlook(replace(known, export=known.export.model_copy(update={"seen": exported})), NOW).not_now.code == (
        "waits_refresh"
    )


def test_segments_that_cannot_be_read_are_why_a_repair_whose_time_has_come_does_not_begin() -> None:
    unread = Warned.of("waits_refresh")
    due = facts(newest=failed(1))
    assert outlook(due, NOW, unread).not_now == unread
    at = repair_at(due)
    assert at is not None
    assert outlook(due, at, unread).not_now == unread
    assert outlook(due, at, unread).next_run is None
    assert outlook(due, at - 1, unread).not_now.code == "waits_repair"


def test_what_comes_first_is_announced_and_the_time_if_both_come_at_once() -> None:
    begun = QUEUED.model_copy(update={"requested_utc": NOW - NOW % 60 - 3_600, "attempt": 1})
    run = over(begun, RunStatus.FAILED, Tally(), OUTAGE)
    at = repair_at(facts(newest=run))
    assert at is not None
    moment = datetime.fromtimestamp(at, UTC)
    known = facts(newest=run)

    def shown(minutes: int, unread: Warned | None = None) -> tuple[str, float | None]:
        when = moment + timedelta(minutes=minutes)
        times = AtTimes(cron=f"{when.minute} {when.hour} * * *")
        seen = Seen(at=run.requested_utc)
        update = {"schedule": times, "seen": seen}
        found = outlook(replace(known, export=known.export.model_copy(update=update)), run.requested_utc + 60, unread)
        return found.not_now.code, found.next_run

    assert shown(1) == ("waits_repair", at)
    assert shown(0) == ("waits_after_failure", at)
    assert shown(-1) == ("waits_after_failure", at - 60)
    assert shown(-1, Warned.of("waits_refresh")) == ("waits_refresh", at - 60)


def test_a_repair_says_the_how_many_th_attempt_it_is() -> None:
    params = outlook(facts(newest=failed(2)), NOW).not_now.params
    assert (params["attempt"], params["most"]) == (3, 5)


def test_a_time_that_a_former_release_kept_counts_as_started_though_the_slot_does_not_say_so() -> None:
    seen_at = NOW - 10 * 3_600
    run, known = failed(plan=BUSY_PLAN), facts()
    kept = known.export.model_copy(update={"schedule": AtTimes(cron="0 * * * *"), "seen": Seen(at=seen_at)})
    known = replace(known, export=kept)
    scheduled = run.model_copy(update={"trigger": Trigger.SCHEDULED})
    on_demand = run.model_copy(update={"trigger": Trigger.ON_DEMAND})
    last = Attempted(run_id=QUEUED.run_id, attempt=1, due=seen_at + 3_600)
    assert replace(known, newest=scheduled).since == scheduled.requested_utc
    assert replace(known, newest=on_demand).since == seen_at
    assert replace(known, newest=scheduled, last=last).since == last.due
    assert replace(known, newest=None).since == seen_at


def test_what_holds_the_newest_run_is_not_new_whoever_started_that() -> None:
    held = over(QUEUED, RunStatus.HELD, Tally())
    assert held.end
    read = held.model_copy(update={"end": held.end.model_copy(update={"refresh": REFRESHES[0]})})
    known = facts(newest=read)
    assert not is_new(known, REFRESHES[0])
    assert is_new(known, REFRESHES[1])
    assert is_new(facts(newest=held), REFRESHES[0])
    assert is_new(facts(newest=QUEUED), REFRESHES[0])


def test_whoever_has_canceled_is_named_unless_the_run_was_over_before() -> None:
    canceled = over(QUEUED, RunStatus.CANCELED, Tally())
    assert outlook(facts(newest=canceled), NOW).not_now.params == {"by": "ada"}
    over_before = over(QUEUED, RunStatus.SUCCESSFUL, Tally(rows_read=1, confirmed=1)).model_copy(
        update={"cancel": canceled.cancel}
    )
    assert outlook(facts(newest=over_before), NOW).not_now.code == "waits_refresh"


def test_the_next_time_is_what_an_export_with_times_waits_for() -> None:
    known = facts()
    hourly = known.export.model_copy(update={"schedule": AtTimes(cron="0 * * * *"), "seen": Seen(at=NOW)})
    shown = outlook(replace(known, export=hourly), NOW)
    assert shown.next_run is not None
    assert shown.next_run == NOW - NOW % 3_600 + 3_600
    assert shown.not_now == Warned.of("waits_time", at=to_text(shown.next_run))


def test_an_export_whose_connection_is_gone_says_so_and_starts_nothing() -> None:
    assert outlook(facts(host=None), NOW).not_now.code == "waits_connection_missing"


def test_a_run_that_is_owed_comes_now_and_not_in_the_past() -> None:
    known = facts(going=QUEUED)
    hourly = known.export.model_copy(update={"schedule": AtTimes(cron="0 * * * *"), "seen": Seen(at=NOW - 7_200)})
    assert outlook(replace(known, export=hourly), NOW).next_run == NOW


def test_whom_a_run_has_left_in_another_account_is_not_said_to_have_been_tried_five_times() -> None:
    assert outlook(facts(newest=failed(1), host="other.api-us1.com"), NOW).not_now.code != "waits_gave_up"
