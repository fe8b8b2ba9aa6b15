"""The map of the code is true: each room's docstring lists its modules, and a name in backquotes exists."""

from __future__ import annotations

import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
ROOMS = sorted(path.parent for path in (ROOT / "exporter").glob("*/__init__.py"))


def doc(room: Path) -> str:
    return importlib.import_module(f"exporter.{room.name}").__doc__ or ""


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
