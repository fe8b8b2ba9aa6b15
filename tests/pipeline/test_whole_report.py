"""Segment minus report = those who are there, by file and row, however runs end and whatever they resume."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from unittest.mock import patch

from hypothesis import example, given, settings
from hypothesis import strategies as st

from exporter.activecampaign import bodies
from exporter.activecampaign.wire import Request
from exporter.delivery.batches import RequestSize
from exporter.delivery.ledger import ImportStatus
from exporter.pipeline import plan
from exporter.pipeline.cancel import cancel_run
from exporter.pipeline.confirm import ASK_LATE_EVERY_S
from exporter.pipeline.sweep import sweep
from exporter.queries.lookup import look_up
from exporter.reasons import Reason
from exporter.records.lanes import read_lanes
from exporter.records.runs import read_manifest
from exporter.runs.run import Run
from tests.builders import (
    COLUMNS,
    deliver,
    drive,
    make_export,
    people,
    read_run,
    rejects_of,
    start_on_demand,
)
from tests.fakes import NOT_SENT, make_fakes

FILES = {
    "people/people_1.csv": [*people(5), ("d", "", "", "P0@example.com", ""), ("b", "", "", "no-at", "")],
    "people/people_2.csv": [("x", "", "", "out@example.com", ""), *people(5, 3), ("w", "too few")],
}
ROWS = {(path, str(number)): row for path, rows in FILES.items() for number, row in enumerate(rows, 1)}


@dataclass(frozen=True)
class Fortune:
    """What happens in a run: who of the contacts ActiveCampaign does not take, and how it ends."""

    stuck: int = 0
    """Imports that have no outcome, of the first of the run."""
    failed: int = 0
    """Imports that ActiveCampaign ends as failed."""
    end: str = "by itself"
    after: int = 9
    """Messages that are delivered before it ends otherwise."""
    late: int = 0
    """Imports without an outcome that get one once the run is over."""


FORTUNES = st.builds(
    Fortune,
    stuck=st.integers(0, 2),
    failed=st.integers(0, 4),
    end=st.sampled_from(["by itself", "canceled", "key refused", "no answer"]),
    after=st.integers(0, 5),
    late=st.integers(0, 2),
)


BATCHES = [[f"p{n}@example.com" for n in pair] for pair in ((0, 1), (2, 3), (4,), (5, 6), (7,))]
BATCHES[2].append("out@example.com")
ROW_OF = {row[3]: place for place, row in reversed(ROWS.items()) if len(row) == len(COLUMNS)}


class World:
    """A segment of nine contacts in requests of two; a worker hands its lane over after each."""

    def __init__(self) -> None:
        self.fakes = make_fakes(LANES="1", LANE_TIME_BUDGET_S="5", CONFIRM_WITHIN_S="600", RETRY_FOR_S="600")
        self.fakes.activecampaign.request_s = 3.0
        self.fakes.activecampaign.after = self._remember
        for path, rows in FILES.items():
            self.fakes.segments.write(path, "".join(",".join(row) + "\n" for row in [COLUMNS, *rows]).encode())
        self.fakes.account.exclude("out@example.com")
        self.fakes.account.bounce("p6@example.com")
        self._sent: dict[str, list[str]] = {}
        self._batches: dict[str, list[str]] = {}

    def _remember(self, request: Request) -> None:
        imports = self.fakes.account._state.imports
        if request.path.endswith("bulk_import") and len(imports) > len(self._sent):
            self._sent[list(imports)[-1]] = bodies.addresses(request.body or b"")

    def play(self, fortune: Fortune, resumes: str | None) -> Run:
        """Play a run to its end."""
        fakes = self.fakes
        fakes.account.end_next_imports("failed", fortune.failed)
        fakes.account.end_next_imports("stuck", fortune.stuck)
        run_id = start_on_demand(fakes.services, make_export(fakes), "ada", resumes=resumes).run.run_id
        for _ in range(fortune.after if fortune.end != "by itself" else 0):
            deliver(fakes)
        match fortune.end:
            case "canceled":
                cancel_run(fakes.services, run_id, "ada")
            case "key refused":
                fakes.account.set_key("key-2")
            case "no answer":
                fakes.activecampaign.before = lambda request: NOT_SENT
        run = drive(fakes, run_id, limit_s=80_000, step_s=20)
        fakes.account.set_key("key-1")
        fakes.activecampaign.before = lambda request: None
        assert run.end
        return run

    def end_late_imports(self, count: int) -> None:
        """Let imports without an outcome get one, and the service learn it."""
        account = self.fakes.account
        stuck = [key for key, one in account._state.imports.items() if one.outcome == "stuck"]
        for key in stuck[:count]:
            account.end_import(key, "completed")
        for _ in range(2):
            self.fakes.clock.sleep(ASK_LATE_EVERY_S)
            sweep(self.fakes.services)

    def there(self, run: Run) -> set[str]:
        """Return who is confirmed by a run or one that it resumes, by ActiveCampaign's side of their imports."""
        manifest = read_manifest(self.fakes.services, run.run_id)
        if manifest is None:
            return set()
        if run.resumes is None:
            self._batches = {one.sha256: emails for one, emails in zip(manifest.batches, BATCHES, strict=True)}
            found = set[str]()
        else:
            again = {email for batch in manifest.batches for email in self._batches[batch.sha256]}
            found = self.there(read_run(self.fakes, run.resumes)) - again
        for lane in read_lanes(self.fakes.services, run).values():
            for bulk in lane.imports.values():
                if bulk.status is ImportStatus.CONFIRMED:
                    failures = {email for email, _ in self.fakes.account._state.imports[bulk.import_id].failures}
                    found |= {*self._sent[bulk.import_id]} - failures
        return found


def check(world: World, run: Run) -> None:
    run = read_run(world.fakes, run.run_id)
    assert run.tally
    if run.plan is None:
        assert not world.there(run)
        return
    listed = rejects_of(world.fakes, run.run_id)
    places = [(row["file"], row["row"]) for row in listed]
    assert len(places) == len({*places}), "a row is told once"
    assert Counter(row["reason"] for row in listed) == run.tally.reasons
    assert ROWS.keys() - {*places} == {ROW_OF[email] for email in world.there(run)}
    assert run.tally.confirmed == len(world.there(run))


def check_lookups(world: World, run: Run) -> None:
    """After the next refresh, somebody who is not there is never taken for confirmed or for a stranger."""
    for email in ROW_OF.keys() - {"P0@example.com", "no-at"}:
        found = look_up(world.fakes.services, read_run(world.fakes, run.run_id), email)
        assert found.rest_confirmed
        reasons = {row.reason for row in found.rows} - {None, Reason.DUPLICATE_EMAIL}
        assert bool(reasons) == (email not in world.there(run))


@settings(max_examples=30, deadline=None)
@example([Fortune(end="canceled", after=0)])
@example([Fortune(end="no answer", after=0)])
@example([Fortune(end="key refused", after=3)])
@example([Fortune(failed=9)])
@example([Fortune(stuck=1), Fortune()])
@example([Fortune(stuck=4, late=4), Fortune()])
@example([Fortune(stuck=5), Fortune(end="canceled", after=2, late=5), Fortune()])
@given(st.lists(FORTUNES, min_size=1, max_size=4))
def test_segment_minus_report_is_who_is_there(fortunes: list[Fortune]) -> None:
    world = World()
    runs: list[Run] = []
    with patch.object(plan, "RequestSize", lambda: RequestSize(max_contacts=2)):
        for fortune in fortunes:
            if runs and not (runs[-1].plan and runs[-1].tally and runs[-1].tally.unconfirmed):
                break  # nothing to resume
            runs.append(world.play(fortune, runs[-1].run_id if runs else None))
            world.end_late_imports(fortune.late)
            for run in runs:
                check(world, run)
    for path in FILES:
        world.fakes.segments.write(path, b"EMail\nsomebody@example.com\n")
    for run in runs:
        if run.plan:
            check_lookups(world, run)
