"""What releases have stored, this release can read, and go on with; a changed format is noticed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Container, Iterator
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import orjson
import pytest
from pydantic import BaseModel

from exporter import triggers
from exporter.activecampaign import pacing
from exporter.definitions.connections import Connection
from exporter.definitions.exports import Export
from exporter.delivery import events, ledger
from exporter.delivery.ledger import IMPORT_EVENTS, PORTION_EVENTS
from exporter.delivery.manifest import Manifest
from exporter.errors import Wait
from exporter.model import VERSION, Record, load
from exporter.pipeline import finish
from exporter.pipeline.lookups import Spent
from exporter.pipeline.plan import plan_run
from exporter.pipeline.start import IdempotencyKey
from exporter.pipeline.sweep import sweep
from exporter.pipeline.upload import upload_lane
from exporter.records import audit
from exporter.records.closed import Closed
from exporter.records.looks import Look
from exporter.records.paths import report_path
from exporter.records.payload import WORKING_COPY_S
from exporter.records.recent import Entry
from exporter.records.slots import Slot, current_runs
from exporter.records.watches import Watch
from exporter.runs.report import Report
from exporter.runs.run import TERMINAL, Run
from exporter.tally.findings import Findings
from tests.api.client import Api, principal
from tests.builders import drive, read_run
from tests.golden import scene
from tests.golden.files import FOLDER, read, write

KINDS: dict[str, type[Record]] = {
    "records/connections/*.json": Connection,
    "records/exports/*.json": Export,
    "records/slots/*.json": Slot,
    "records/idempotency/*.json": IdempotencyKey,
    "records/runs/*/run.json": Run,
    "records/runs/*/manifest.json": Manifest,
    "records/runs/*/report.json": Report,
    "records/runs/*/findings.json": Findings,
    "records/accounts/*/lookups.json": Spent,
    "records/accounts/*/look-*.json": Look,
    "records/runs/newest-first/*": Entry,
    "records/watches/*.json": Watch,
    "working/*/closed.json": Closed,
}
FOLDERS = sorted(FOLDER.glob("[0-9]*"), key=lambda folder: int(folder.name))
NOT_READ = {"force", "scheduled"}
"""Members of earlier releases that have no meaning any more."""
LANE_EVENTS = {"opened", "claimed", "released", "waiting", "closed"}


def kind_of(path: str) -> type[Record] | None:
    return next((kind for pattern, kind in KINDS.items() if fnmatchcase(path, pattern)), None)


def records_in(files: dict[str, bytes]) -> Iterator[tuple[Record, bytes]]:
    """Yield each record that is kept as one JSON object, as it is read, and its bytes."""
    for path, data in files.items():
        if kind := kind_of(path):
            yield load(kind, data), data
        elif path.startswith(audit.PREFIX):
            asked, *done = data.splitlines()
            yield load(audit.Asked, asked), asked
            yield from ((load(audit.Done, line), line) for line in done)


def members(value: object) -> Iterator[tuple[str, str, bool]]:
    """Yield model, member and whether it has a value, of a model and all models in it."""
    match value:
        case BaseModel():
            for name in type(value).model_fields:
                yield type(value).__name__, name, getattr(value, name) is not None
                yield from members(getattr(value, name))
        case tuple() | list():
            for each in value:
                yield from members(each)


@pytest.fixture(params=FOLDERS, ids=lambda folder: f"format {folder.name}")
def files(request: pytest.FixtureRequest) -> dict[str, bytes]:
    folder: Path = request.param
    return read(folder)


def test_every_record_of_an_earlier_release_is_read_whole(files: dict[str, bytes]) -> None:
    for record, data in records_in(files):
        read, written = orjson.loads(data), orjson.loads(record.to_json())
        if read["schemaVersion"] == written["schemaVersion"]:
            assert without(known(written, read), NOT_READ) == without(read, NOT_READ), (
                "a member is not read (as it was) any more"
            )
        else:  # members may have other names by now
            lost = Counter(leaves(without(read, NOT_READ))) - Counter(leaves(written))
            assert not lost, "a member is not read (as it was) any more"


def known(written: object, read: object) -> object:
    """Return what was written without the members that are new since, which have a default."""
    match written, read:
        case dict(), dict():
            return {name: known(each, read[name]) for name, each in written.items() if name in read}
        case list(), list() if len(written) == len(read):
            return [known(one, other) for one, other in zip(written, read, strict=True)]
        case _:
            return written


def without(value: Any, names: Container[str]) -> Any:
    """Return JSON without the members of these names."""
    match value:
        case dict():
            return {name: without(each, names) for name, each in value.items() if name not in names}
        case list():
            return [without(each, names) for each in value]
        case _:
            return value


def leaves(value: object) -> Iterator[str]:
    """Yield every value that has no members."""
    match value:
        case dict():
            for name, each in value.items():
                if name != "schemaVersion":
                    yield from leaves(each)
        case list():
            for each in value:
                yield from leaves(each)
        case _:
            yield repr(value)


def test_every_ledger_of_an_earlier_release_is_folded(files: dict[str, bytes]) -> None:
    ledgers = {path: data for path, data in files.items() if path.endswith(".jsonl") and "/lanes/" in path}
    assert ledgers
    for data in ledgers.values():
        assert ledger.fold(data).length == len(data)
        for event in map(orjson.loads, data.splitlines()):
            assert events.encode([event]) in data


def test_every_budget_of_an_earlier_release_is_read_whole(files: dict[str, bytes]) -> None:
    (budget,) = (data for path, data in files.items() if path.endswith("/budget.json"))
    again = orjson.loads(pacing.Budget.from_json(budget).to_json())
    new = {"schemaVersion": 0, "runs": []}
    assert again | {"schemaVersion": 0} == new | orjson.loads(budget) | {"schemaVersion": 0}


def test_every_message_of_an_earlier_release_is_read(files: dict[str, bytes]) -> None:
    assert triggers.decode(files["messages/plan-run.json"], {"runId"})
    assert triggers.decode(files["messages/upload-lane.json"], {"runId", "lane"})


def test_the_runs_of_an_earlier_release_go_on_to_their_end(files: dict[str, bytes]) -> None:
    """The account at ActiveCampaign is a new one, so an import that an earlier release waited for gets no outcome."""
    fakes = scene.load(files)
    going = list(current_runs(fakes.services))
    assert {run.status for run in going} == {"planning", "running", "waiting"}
    for run in going:
        end = drive(fakes, run.run_id).end
        assert end
        assert end.tally.adds_up
        assert end.tally.confirmed >= 8
        report = load(Report, fakes.blobs.stored[report_path(run.run_id)].data)
        assert [each.message for each in report.warned] == [*report.warnings], "those of its plan, too"
    for path in fakes.blobs.stored:
        if path.endswith("/run.json"):
            assert read_run(fakes, path.split("/")[2]).status in TERMINAL
    fakes.clock.sleep(WORKING_COPY_S)
    sweep(fakes.services)
    assert list(fakes.blobs.names("working/")) == []


def test_the_warnings_of_a_run_of_an_earlier_release_are_shown(files: dict[str, bytes]) -> None:
    """Of releases that wrote nothing but sentences, these are all that is known."""
    api = Api(scene.load(files), principal("Admin"))
    plans = {
        path.split("/")[2]: plan
        for path, data in files.items()
        if path.endswith("/run.json") and (plan := orjson.loads(data).get("plan"))
    }
    assert plans
    for run_id, plan in plans.items():
        shown = api.get(f"/runs/{run_id}").json["plan"]["warnings"]
        former = [{"code": "other", "message": message, "params": {}} for message in plan["warnings"]]
        assert shown == plan.get("warned", former)


def test_the_newest_files_hold_every_member_of_every_record() -> None:
    seen = [member for record, _ in records_in(read(FOLDERS[-1])) for member in members(record)]
    missing = {(kind, name) for kind, name, _ in seen} - {(kind, name) for kind, name, filled in seen if filled}
    missing -= {("Waiting", "situation"), ("Waiting", "params")}  # no wait's sentence is made from parameters
    missing.discard(("Look", "looking"))  # nobody is looking when the scene is over
    assert not missing, "the format has changed: extend tests/golden/scene.py, then `python -m tests.golden`"


def test_the_newest_files_hold_every_event_of_a_ledger() -> None:
    lines = [line for path, data in read(FOLDERS[-1]).items() if "/lanes/" in path for line in data.splitlines()]
    assert {orjson.loads(line)["event"] for line in lines} == {*LANE_EVENTS, *PORTION_EVENTS, *IMPORT_EVENTS}


def shapes(files: dict[str, bytes]) -> set[tuple[str, ...]]:
    """Return the members of all JSON, as paths of names; a map from ids or codes counts as one member."""

    def walk(value: object, *at: str) -> Iterator[tuple[str, ...]]:
        match value:
            case dict():
                for name, each in value.items():
                    yield from walk(each, *at, "*" if (at and at[-1] in MAPS) or name.isdigit() else str(name))
            case list():
                for each in value:
                    yield from walk(each, *at)
            case _:
                yield (*at, type(value).__name__)

    found = set[tuple[str, ...]]()
    for path, data in files.items():
        if path.endswith((".json", ".jsonl")) and path != "now.json":
            names = path.split("/")
            kind = names[-1] if path.startswith("records/runs/") else names[1] if names[0] == "records" else names[0]
            for line in map(orjson.loads, data.splitlines()):
                found.update(walk(line, "lanes" if "/lanes/" in path else kind))
    return found


MAPS = ("reasons", "explanations", "rejectedByReason", "unfit", "notices", "params", "numbers")


def test_what_this_release_writes_has_the_format_of_the_newest_files() -> None:
    new = shapes(scene.play()) - shapes(read(FOLDERS[-1]))
    assert not new, "the format has changed: `python -m tests.golden` writes new files beside the old ones"


def test_golden_files_are_never_overwritten(tmp_path: Path) -> None:
    write(tmp_path / "1", {"records/a.json": b"{}"})
    with pytest.raises(FileExistsError):
        write(tmp_path / "1", {"records/a.json": b"[]"})
    assert read(tmp_path / "1") == {"records/a.json": b"{}"}


def test_a_record_of_a_newer_release_is_left_alone(files: dict[str, bytes]) -> None:
    for path, data in files.items():
        if kind := kind_of(path):
            newer = orjson.dumps(orjson.loads(data) | {"schemaVersion": VERSION + 1, "reshaped": True})
            with pytest.raises(Wait, match="left unchanged"):
                load(kind, newer)


def test_a_run_of_a_newer_release_is_left_alone_by_every_step(files: dict[str, bytes]) -> None:
    fakes = scene.load(files)
    for path in list(fakes.blobs.names("records/runs/")):
        data = fakes.blobs.stored[path].data
        for version in range(VERSION, 0, -1):
            data = data.replace(b'"schemaVersion":%d' % version, b'"schemaVersion":%d' % (VERSION + 1))
            data = data.replace(b'"v":%d' % version, b'"v":%d' % (VERSION + 1))
        fakes.blobs.put(path, data)
    before = dict(fakes.blobs.stored)
    run_ids = {path.split("/")[2] for path in fakes.blobs.names("records/runs/") if path.endswith("/run.json")}
    for run_id in run_ids:
        for step in (plan_run, finish.finish, lambda services, run_id: upload_lane(services, run_id, 0)):
            with pytest.raises(Wait, match="newer release"):
                step(fakes.services, run_id)
    sweep(fakes.services)
    assert fakes.blobs.stored == before
    assert fakes.activecampaign.requests == []
