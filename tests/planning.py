"""Segments as files in memory, planned as a run plans them."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass

import orjson
from hypothesis import strategies as st

from exporter.activecampaign.bodies import Envelope, envelope
from exporter.contacts.matching import Field, FieldMapping, Mapping
from exporter.delivery.batches import RequestSize
from exporter.pipeline.batching import Planned, Task, plan_batches
from exporter.records.payload import PlanWriter
from exporter.source.segments import Reading, Segments
from tests.fakes import FakeBlobs, FakeClock, FakeSegmentFiles

COLUMNS = ("CustomerId", "EMail", "FirstName", "LastName", "Telephone", "Tier")
MAPPING = Mapping(
    email="EMail",
    first_name="FirstName",
    last_name="LastName",
    phone="Telephone",
    fields=(FieldMapping("Tier", Field(7)),),
)
AROUND = envelope(1, run_automations=False)
ROOMY = RequestSize()
ADDRESS = Mapping("EMail", first_name="FirstName")
TWO_COLUMNS = ("EMail", "FirstName")
type Row = Sequence[str]


@dataclass
class Done:
    planned: Planned
    payload: bytes
    rejects: list[dict[str, str]]

    @property
    def bodies(self) -> list[bytes]:
        return [self.payload[b.offset_bytes : b.offset_bytes + b.body_bytes] for b in self.planned.batches]

    @property
    def references(self) -> list[list[list[object]]]:
        ends = [
            (b.offset_bytes + b.body_bytes, b.offset_bytes + b.body_bytes + b.references_bytes)
            for b in self.planned.batches
        ]
        return [orjson.loads(self.payload[start:end]) for start, end in ends]


def plan(
    files: dict[str, bytes],
    *,
    mapping: Mapping = MAPPING,
    limits: RequestSize = ROOMY,
    most: int = 1_000_000,
    around: Envelope = AROUND,
    only: frozenset[str] | None = None,
) -> Done:
    """Plan a segment that is a folder of files with a header row."""
    clock = FakeClock()
    landing, blobs = FakeSegmentFiles(clock), FakeBlobs(clock)
    for name, data in files.items():
        landing.write(f"people/{name}", data)
    refresh = Segments(landing, "").refresh("people", Reading())
    payload, rejects = blobs.writer("working/p"), blobs.writer("rejects/r")
    task = Task(
        refreshes=[refresh], mapping=mapping, envelope=around, secret="", size=limits, max_contacts=most, only=only
    )
    planned = plan_batches(task, landing, PlanWriter(payload, rejects), lambda: None)
    payload.commit()
    rejects.commit()
    text = blobs.stored["rejects/r"].data.decode("utf-8-sig")
    return Done(planned, blobs.stored["working/p"].data, list(csv.DictReader(io.StringIO(text, newline=""))))


def csv_lines(rows: Sequence[Row]) -> bytes:
    text = io.StringIO(newline="")
    csv.writer(text).writerows(rows)
    return text.getvalue().encode()


def csv_file(rows: Sequence[Row], columns: Row = COLUMNS) -> bytes:
    return csv_lines([columns, *rows])


def people(count: int) -> list[Row]:
    """Return rows of `COLUMNS`."""
    return [(f"id{n}", f"p{n}@example.com", f"First {n}", "Last", f"0{n}", "gold") for n in range(count)]


def table(rows: list[Row]) -> dict[str, bytes]:
    return {"1.csv": csv_file(rows, TWO_COLUMNS)}


def addressees(count: int) -> list[Row]:
    """Return rows of `TWO_COLUMNS`: people who have an address only."""
    return [(f"p{n}@x.org", "") for n in range(count)]


ADDRESSES = st.one_of(
    st.sampled_from(
        ["a@example.com", "A@Example.COM", " a@example.com\u00a0", "b@x.org", "", "Yes", "No", "a@b", "a'b@x.org"]
    ),
    st.emails(),
    st.text(max_size=12),
)
TEXTS = st.one_of(
    st.sampled_from(["", " ", "Ada", 'say "hi"', "a,b", "line\nbreak", "\u00e9\u4f60\U0001f600", "NULL", "\x01"]),
    st.text(max_size=8),
)
