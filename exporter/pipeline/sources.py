"""Which data a run reads, and the identity of what it sends: compared by later runs."""

from __future__ import annotations

from exporter.definitions.exports import ExportDefinition
from exporter.services import Services
from exporter.source.segments import Refresh, find_refresh


def refreshes_of(services: Services, export: ExportDefinition) -> list[Refresh]:
    """Return the newest complete refresh of each segment. Raises what `segments.find_refresh` raises."""
    settings = services.settings
    now = services.clock.now()
    return [
        find_refresh(services.segments, settings.segment_prefix, name, now, settings.segment_quiet_s, export.columns)
        for name in export.segments
    ]


def fingerprint(refreshes: list[Refresh]) -> str:
    """Return a text that identifies the exact data of several refreshes together."""
    return "+".join(sorted(r.fingerprint for r in refreshes))


def identity(host: str, export: ExportDefinition, refreshes: list[Refresh]) -> str:
    """Return a text that identifies what a run sends: which data, where to, and how."""
    # The same files sent to another list, or with another data matching, are not the same export.
    definition = export.model_dump_json(include={"list_id", "data_matching", "consent_column", "run_automations"})
    return f"{fingerprint(refreshes)}|{host}|{definition}"
