"""Everything that a step needs from outside, in one value."""

from __future__ import annotations

from dataclasses import dataclass, field

from exporter.model import Record
from exporter.ports import ActiveCampaign, Blobs, Clock, Ids, Messages, OwnAddress, Secrets
from exporter.settings import Settings
from exporter.source.files import SegmentFiles


@dataclass(slots=True)
class Memory:
    """What a process knows of storage, only so that it reads less: with an empty memory it does the same.

    Several threads use it at once, without a lock: each entry is true by itself, whoever wrote it.
    """

    records: dict[str, tuple[str, Record]] = field(default_factory=dict)
    """ETag and content of records, by path: `records.remembered`."""
    over: dict[str, float] = field(default_factory=dict)
    """The newest runs of exports that are over, and when their records last said so (epoch seconds)."""
    retention_at: float | None = None
    """When what is kept for days was last looked through (epoch seconds)."""


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a step needs from outside; made once per process by `bootstrap.services`, or by a test."""

    settings: Settings
    blobs: Blobs
    segments: SegmentFiles
    messages: Messages
    secrets: Secrets
    activecampaign: ActiveCampaign
    own_address: OwnAddress
    clock: Clock
    ids: Ids
    memory: Memory = field(default_factory=Memory)
