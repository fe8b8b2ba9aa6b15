"""Which data a run reads, and the identity of what it sends: compared by later runs."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence

from exporter.definitions.exports import ExportDefinition, FieldMatch
from exporter.delivery.plan import SegmentRead
from exporter.services import Services
from exporter.source.segments import Reading, Refresh, Segments


def refreshes_of(
    services: Services,
    export: ExportDefinition,
    *,
    settled: bool = True,
    heartbeat: Callable[[], None] = lambda: None,
    segments: Segments | None = None,
) -> tuple[Refresh, ...]:
    """Return the newest complete refresh of each segment. Raises what `segments.Segments.refresh` raises.

    All of them come from one listing, at which none had changed for the quiet time, so an export of several segments
    starts once. `settled` is False for somebody who looks at them now, however recently they were written.
    `heartbeat` is called about every 256 files. `segments`: the listing, if there is one already.
    """
    reading = reading_of(services, export, settled=settled)
    segments = segments or Segments(services.segments, services.settings.segment_prefix, heartbeat)
    return tuple(segments.refresh(name, reading) for name in export.segments)


def reading_of(services: Services, export: ExportDefinition, *, settled: bool = True) -> Reading:
    """Return what an export says of how its segments are read; `settled` as in `refreshes_of`."""
    complete = export.complete_when if settled else None
    quiet_s = services.settings.segment_quiet_s if settled else 0.0
    return Reading(
        known=export.columns,
        which=export.files,
        ignore=export.ignore,
        marker=complete.marker if complete else None,
        quiet_s=complete.minutes * 60.0 if complete and complete.minutes else quiet_s,
        encoding=export.encoding,
    )


def segment_read(refresh: Refresh) -> SegmentRead:
    """Return what a run tells of a segment that it reads."""
    return SegmentRead(
        name=refresh.segment,
        refreshed_utc=refresh.refreshed_at,
        files=len(refresh.partitions),
        files_not_read=refresh.files_not_read,
    )


def fingerprint(refreshes: Sequence[Refresh]) -> str:
    """Return a text that identifies the exact data of several refreshes together."""
    return "+".join(sorted(r.fingerprint for r in refreshes))


def digest(fingerprint: str) -> str:
    """Return the same as 64 hexadecimal digits, however many segments there are."""
    return hashlib.sha256(fingerprint.encode()).hexdigest()


def identity(host: str, export: ExportDefinition, data: str) -> str:
    """Return a text that identifies what a run sends: which data, where to, and how. `data`: their `fingerprint`."""
    # The same files sent to another list, or with another data matching, are not the same export.
    definition = export.model_dump_json(
        include={"list_id", "data_matching", "consent_column", "run_automations"},
        exclude={
            "data_matching": {
                "winner": True,
                "fill_empty": True,
                **dict.fromkeys(_OF_VALUES, True),
                "fields": {"__all__": FieldMatch.model_fields.keys() - {"column", "field"}},
            },
            "consent_column": {"condition"},
        },
    )
    # Read in another encoding, the same files hold other values; without one, the identity is that of former releases.
    encoding = f"|{export.encoding}" if export.encoding else ""
    return f"{data}|{host}|{definition}{encoding}{_which_rows(export)}{_which_values(export)}"


def data_of(identity: str) -> str:
    """Return which data an `identity` is about, as `fingerprint` names it."""
    return identity.partition("|")[0]


def _which_rows(export: ExportDefinition) -> str:
    """Return what an export says of rows that have one address, and of consent; nothing where it says the usual."""
    matching, consent = export.data_matching, export.consent_column
    winner = f"|winner {matching.winner.model_dump_json()}" if matching.winner else ""
    filling = "|fillEmpty" if matching.fill_empty else ""
    condition = f"|{consent.condition}" if consent and consent.condition != "equals" else ""
    return f"{winner}{filling}{condition}"


_OF_VALUES = ("time_zone", "no_value_texts")


def _which_values(export: ExportDefinition) -> str:
    """Return what an export says of values; nothing where it says the usual."""
    said = export.data_matching.model_dump(mode="json", include=set(_OF_VALUES), exclude_defaults=True)
    of_fields = [
        match.model_dump(mode="json", exclude={"column", "field"}, exclude_defaults=True)
        for match in export.data_matching.fields
    ]
    return f"|values {said} {of_fields}" if said or any(of_fields) else ""
