"""The map of the code is true: each room's docstring lists its modules, and the tests of a module are where it says."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = sorted(path.parent for path in (ROOT / "exporter").glob("*/__init__.py"))
NOTHING_TO_DECIDE = {
    *("delivery/plan", "memory/lack", "runs/report", "services", "errors"),  # records and names
    *("ports", "source/files"),  # what tests/contracts hold the fakes and the adapters to
    *("records/definitions", "records/runs"),  # a line for each call of `records/store`
    "adapters/system",  # a line for each call of the standard library
}
TESTED_IN = {  # by what callers see of them
    "queries/columns": "tests/api/test_api_segments.py",
    "queries/everywhere": "tests/api/test_api_find_person.py",
    "queries/few": "tests/api/test_api_few.py",
    "queries/lookup": "tests/api/test_api_lookup.py",
    "queries/preview": "tests/api/test_api_preview.py",
    "pipeline/resume": "tests/api/test_api_resume.py",
    "records/few": "tests/pipeline/test_few.py",
}
OF_SEVERAL_MODULES = {
    "activecampaign/recorded",  # answers as they came
    "activecampaign/stand_in",  # all of the room against the stand-in
    "source/csv_writers",  # files as others write them
    "source/formats/parquet_writers",  # likewise
}


def doc(room: Path) -> str:
    return importlib.import_module(f"exporter.{room.name}").__doc__ or ""


def place_of_tests(module: str) -> Path:
    """Return where the tests of a module are."""
    room, _, name = module.rpartition("/")
    folder = "pipeline" if room == "pipeline" else f"unit/{room}"
    return ROOT / "tests" / folder / f"test_{name}.py"


@pytest.mark.parametrize("room", ROOMS, ids=lambda room: room.name)
def test_a_room_lists_its_modules(room: Path) -> None:
    modules = {path.stem for path in room.glob("*.py")} | {path.parent.name for path in room.glob("*/__init__.py")}
    listed = set(re.findall(r"^ *((?:[a-z_]+, )*[a-z_]+)(?:  |$)", doc(room), re.MULTILINE))
    names = {name for line in listed for name in line.split(", ")}
    assert names == modules - {"__init__"}


def test_the_package_lists_its_rooms_and_what_is_beside_them() -> None:
    text = importlib.import_module("exporter").__doc__ or ""
    assert set(re.findall(r"^([a-z]+)  ", text, re.MULTILINE)) == {room.name for room in ROOMS}
    beside = {path.stem for path in (ROOT / "exporter").glob("*.py")} - {"__init__"}
    assert set(re.findall(r"[a-z]+", text.partition("Beside them: ")[2])) >= beside


def test_each_module_has_its_tests_where_its_name_says() -> None:
    """For `exporter/api`, which is tested through its operations, all of `tests/api` is that place."""
    modules = {
        str(path.relative_to(ROOT / "exporter").with_suffix(""))
        for path in (ROOT / "exporter").rglob("*.py")
        if path.name != "__init__.py" and path.parent.name != "api"
    }
    without = {module for module in modules if not place_of_tests(module).exists()}
    assert without == NOTHING_TO_DECIDE | TESTED_IN.keys()
    assert [path for path in TESTED_IN.values() if not (ROOT / path).exists()] == []


def test_each_file_of_unit_tests_is_named_by_a_module() -> None:
    folder = ROOT / "tests" / "unit"
    named = {
        str(path.relative_to(folder).with_name(path.stem.removeprefix("test_"))) for path in folder.rglob("test_*.py")
    }
    assert {name for name in named if not (ROOT / "exporter" / f"{name}.py").exists()} == OF_SEVERAL_MODULES
