"""What a run sends has a name: the same exactly when the data, the way it is mapped and the place are."""

from __future__ import annotations

from typing import Any

import pytest

from exporter.definitions.exports import ConsentColumn, DataMatching, Export
from exporter.pipeline.sources import identity, refreshes_of
from tests.builders import HOST, make_export, people, write_segment
from tests.fakes import Fakes, make_fakes


@pytest.fixture
def fakes() -> Fakes:
    fakes = make_fakes()
    write_segment(fakes, people(3), name="a")
    write_segment(fakes, people(4), name="b")
    return fakes


def name_of(fakes: Fakes, host: str = HOST, **changes: Any) -> str:
    export: Export = make_export(fakes, **({"segments": ("a", "b")} | changes))
    return identity(host, export, refreshes_of(fakes.services, export))


@pytest.mark.parametrize(
    "changes", [{}, {"display_name": "Other"}, {"scheduled": True}, {"max_contacts": 5}, {"skip_unchanged": False}]
)
def test_what_does_not_change_what_is_sent_does_not_change_the_name(fakes: Fakes, changes: dict[str, Any]) -> None:
    assert name_of(fakes, **changes) == name_of(fakes)


@pytest.mark.parametrize(
    "changes",
    [
        {"host": "other.api-us1.com"},
        {"list_id": 2},
        {"segments": ("a",)},
        {"run_automations": True},
        {"data_matching": DataMatching(email="EMail")},
        {"consent_column": ConsentColumn(column="FirstName", value="yes")},
    ],
)
def test_what_changes_what_is_sent_changes_the_name(fakes: Fakes, changes: dict[str, Any]) -> None:
    assert name_of(fakes, **changes) != name_of(fakes)


def test_files_that_were_written_again_are_other_data(fakes: Fakes) -> None:
    before = name_of(fakes)
    write_segment(fakes, people(3), name="a")
    assert name_of(fakes) != before
