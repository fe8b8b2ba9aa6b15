"""Everything that a step needs from outside, in one value."""

from __future__ import annotations

from dataclasses import dataclass

from exporter.ports import ActiveCampaign, Blobs, Clock, Ids, Messages, Secrets
from exporter.settings import Settings
from exporter.source.files import SegmentFiles


@dataclass(frozen=True, slots=True)
class Services:
    """Everything that a step needs from outside; made once per process by `bootstrap.services`, or by a test."""

    settings: Settings
    blobs: Blobs
    segments: SegmentFiles
    messages: Messages
    secrets: Secrets
    activecampaign: ActiveCampaign
    clock: Clock
    ids: Ids
