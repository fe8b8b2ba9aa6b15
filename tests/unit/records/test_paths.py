"""Where records are kept."""

from __future__ import annotations

from exporter.records import paths
from exporter.records.paths import lane_path, run_path


def test_the_records_of_a_run_are_kept_together() -> None:
    assert run_path("r") == "records/runs/r/run.json"
    assert run_path("r", "report.json") == "records/runs/r/report.json"
    assert lane_path("r", 3) == "records/runs/r/lanes/3.jsonl"


def test_resources_are_kept_under_their_ids() -> None:
    assert paths.connection_path("main") == "records/connections/main.json"
    assert paths.export_path("newsletter") == "records/exports/newsletter.json"
