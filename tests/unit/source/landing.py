"""A container into which Customer Insights, and others, write."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from exporter.errors import NotReady, Stop
from exporter.source.segments import Reading, Refresh, Segments
from sandbox.segment import EXPORT, INSTANCE, Segment
from tests.fakes import FakeClock, FakeSegmentFiles

PREFIX = f"{INSTANCE}/{EXPORT}"
MODEL = f"{PREFIX}/model.json"
CONTAINER = FakeSegmentFiles.container
TABLE = "NewsletterSubscribers"
FOLDER = f"{PREFIX}/{TABLE}/2026/11/18/0415"
REFRESHED = datetime(2026, 11, 18, 4, 15, tzinfo=UTC)


class Landing:
    """A container into which Customer Insights, and others, write."""

    def __init__(self) -> None:
        self.clock = FakeClock()
        self.files = FakeSegmentFiles(self.clock)

    def write(self, path: str, data: bytes | str = b"") -> None:
        self.files.write(path, data.encode() if isinstance(data, str) else data)

    def export(self, **changes: Any) -> None:
        """Write a refresh as Customer Insights does."""
        members: dict[str, Any] = {"refreshed": REFRESHED, "profiles": 30} | changes
        for path, chunks in Segment(**members).files():
            self.write(path, b"".join(chunks))

    def model(self, path: str = MODEL, **changes: Any) -> None:
        """Write a model.json of one table with one file."""
        entity = {
            "name": "T",
            "attributes": [{"name": "Id", "dataType": "string"}, {"name": "EMail"}],
            "partitions": [{"location": f"https://x.blob.core.windows.net/{CONTAINER}/{PREFIX}/T/T_1.csv"}],
        }
        self.write(path, json.dumps({"entities": [entity | changes]}))

    def segments(self, prefix: str = "") -> Segments:
        return Segments(self.files, prefix)

    def find(self, name: str = TABLE, *, prefix: str = "", **reading: Any) -> Refresh:
        return self.segments(prefix).refresh(name, Reading(**reading))

    def stop(self, name: str = TABLE, *, prefix: str = "", **reading: Any) -> Stop:
        with pytest.raises(Stop) as caught:
            self.find(name, prefix=prefix, **reading)
        return caught.value

    def not_ready(self, name: str = TABLE, **reading: Any) -> NotReady:
        with pytest.raises(NotReady) as caught:
            self.find(name, **reading)
        assert caught.value.code == "refresh_in_flight"
        return caught.value
