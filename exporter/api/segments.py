"""Segments: what lies in storage, ready to be exported."""

from __future__ import annotations

from exporter.api.access import Context
from exporter.api.http import Response, answer_json
from exporter.api.resources import answer_list
from exporter.records import to_text
from exporter.segments import find_refresh, list_segments, suggest_matching


def list_all(context: Context) -> Response:
    """GET /segments: tables, newest refresh, files, bytes, columns."""
    found = list_segments(context.services.segments, context.services.settings.segment_prefix)
    return answer_list(
        {
            "name": s.name,
            "refreshedUtc": to_text(s.refreshed_at),
            "files": s.files,
            "sizeBytes": s.size_bytes,
            "columns": [c.name for c in s.columns],
        }
        for s in found
    )


def get(context: Context, name: str) -> Response:
    """GET /segments/{name}: the newest complete refresh, its columns and a suggestion for the data matching."""
    services = context.services
    refresh = find_refresh(services.segments, services.settings.segment_prefix, name, services.clock.now(), quiet_s=0.0)
    return answer_json(
        {
            "name": refresh.segment,
            "refreshedUtc": to_text(refresh.refreshed_at),
            "files": len(refresh.partitions),
            "sizeBytes": sum(p.file.size_bytes for p in refresh.partitions),
            "columns": [{"name": c.name, "dataType": c.data_type} for c in refresh.columns],
            "suggestion": suggest_matching(refresh.columns),
            "warnings": refresh.warnings,
        }
    )
