"""One seed is one file: made by its rules, then damaged, and planned under limits that fit its size.

A case is good when planning ends in one of two ways: `Stop` with a code, or a plan in which every row has exactly one
place. The fast way (blocks of columns) and the careful one (row by row) have to agree in every byte. Work is counted
in function calls and turns of loops, and has to stay in proportion to what there is to read.
"""

from __future__ import annotations

import csv
import gzip
import io
import itertools
import random
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from types import CodeType
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from exporter.activecampaign.bodies import envelope
from exporter.contacts import people
from exporter.contacts.blocks import Checked, check
from exporter.contacts.matching import Consent, Field, FieldMapping, Mapping
from exporter.contacts.values import Choices, Kind, Rule
from exporter.delivery.batches import RequestSize
from exporter.errors import Stop
from exporter.pipeline.batching import Planned, Task, plan_batches
from exporter.records.payload import PlanWriter
from exporter.source import heads, readers, text
from exporter.source.files import SegmentFile
from exporter.source.formats import csv_blocks, csv_records, parquet
from exporter.source.readers import Partition
from exporter.source.rows import Column, Rows, rows_at
from exporter.source.segments import Refresh
from tests.fakes import FakeBlobs, FakeClock, FakeSegmentFiles

AROUND = envelope(1, run_automations=False)
TEXTS = (
    "", "", "Ada", "Jos\u00e9", "\u5c71\u7530", "\U0001f600", 'say "hi"', "a,b", "a;b", "line\nbreak", "a\rb", "a\r\nb",
    "NULL", "N/A", "=1+1", "+49 30 1", "-6854", "1E+10", "007", "Yes", "a||b", " ", "\u00a0", "\x00", "\x1f", "\x85",
    '"', '""', ",", "x" * 70, "\u00e9" * 40,
)  # fmt: skip
ADDRESSES = (
    "a@example.com", "A@Example.COM", " b@example.org ", "c.d+e@example.net", "", "Yes", "No", "a@b", "o'n@example.com",
    "a@b@example.com", "\u212a@example.com", "a..b@example.com", "x" * 65 + "@example.com", "a@" + "b" * 70 + ".com",
    "a@example.c0m", '"a"@example.com', "a b@example.com", "a@example.com;b@example.com",
)  # fmt: skip
PIECES = (
    b'"', b'""', b",", b";", b"\n", b"\r", b"\r\n", b"\x00", b"\xff", b"\xc3", b"\xe2\x82", b"\x1f\x8b", b"PAR1",
    b"\xef\xbb\xbf",
)  # fmt: skip
RULES = (
    Rule(),
    Rule(Kind.DATE, date_order="dmy"),
    Rule(Kind.DATETIME),
    Rule(Kind.NUMBER),
    Rule(Kind.OPTION, Choices(("Gold", "Silver"))),
    Rule(Kind.OPTIONS),
    Rule(Kind.OPTIONS, Choices(("Yes",), ("true", "1")), separator=",", when_empty="||Yes||"),
)
DELTA = ("DELTA_BYTE_ARRAY", "DELTA_LENGTH_BYTE_ARRAY")
STEPS_FOR_A_FILE, STEPS_FOR_A_BYTE = 60_000, 60


pa.array([""]).to_numpy(zero_copy_only=False)  # Arrow looks for pandas when it first needs to know; not in a case


class Failed(Exception):
    """A case that is not good; the text says why."""


@dataclass(frozen=True)
class Case:
    """A file, how it is to be read, and the limits of the readers."""

    data: bytes
    partition: Partition
    columns: tuple[Column, ...]
    mapping: Mapping
    limits: RequestSize
    row_bytes: int
    chunk_bytes: int
    read_bytes: int
    text_bytes: int
    """Of the file before it was compressed."""


@dataclass(frozen=True)
class Outcome:
    """What planning came to: the code of what it raised, or the plan and all that it wrote."""

    stop: str = ""
    planned: Planned | None = None
    payload: bytes = b""
    rejects: bytes = b""


def case_of(seed: int) -> Case:
    """Make the case of a seed."""
    chance = random.Random(seed)
    width = chance.randint(1, 6)
    columns = tuple(Column(f"c{number}", "string") for number in range(width))
    rows = [_row(chance, width) for _ in range(chance.choice((0, 1, 3, 20, 120)))]
    delimiter = chance.choice((",", ",", ";", "\t", "|"))
    kind = chance.choice(("csv", "csv", "csv", "gz", "utf-16", "parquet"))
    has_header = chance.random() < 0.3
    text = _csv(chance, [[c.name for c in columns], *rows] if has_header else rows, delimiter)
    if kind == "parquet":
        data = _parquet(chance, rows, columns)
    else:
        text = _damaged(chance, text)
        data = text if kind == "csv" else _gzip(chance, text) if kind == "gz" else _utf16(text)
    data = _damaged(chance, data) if kind in ("parquet", "gz") or chance.random() < 0.1 else data
    row_bytes = chance.choice((60, 200, 1_000, 4 << 20))
    return Case(
        data=data,
        partition=Partition(
            SegmentFile("file", len(data), "etag-1", 0.0),
            "parquet" if kind == "parquet" else "csv",
            tuple(column.name for column in columns),
            delimiter=delimiter,
            has_header=has_header and kind != "parquet",
            quoted=chance.random() < 0.9,
        ),
        columns=columns,
        mapping=_mapping(chance, [column.name for column in columns]),
        limits=RequestSize(chance.choice((1, 3, 250)), chance.choice((400, 2_000, 399_999))),
        row_bytes=row_bytes,
        chunk_bytes=chance.choice((16, 100, row_bytes)),
        read_bytes=chance.choice((4, 30, 1 << 16)),
        text_bytes=len(text),
    )


def _row(chance: random.Random, width: int) -> list[str]:
    row = [chance.choice(TEXTS) for _ in range(width)]
    for _ in range(chance.choice((0, 1, 1, 1))):
        number = chance.randint(0, 10**6)
        row[chance.randrange(width)] = chance.choice((*ADDRESSES, *[f"p{number}@example.com"] * len(ADDRESSES)))
    return row


def _csv(chance: random.Random, rows: list[list[str]], delimiter: str) -> bytes:
    text = io.StringIO(newline="")
    dialect: dict[str, Any] = {
        "delimiter": delimiter,
        "lineterminator": chance.choice(("\n", "\r\n", "\r")),
        "quoting": chance.choice((csv.QUOTE_ALL, csv.QUOTE_MINIMAL)),
    }
    csv.writer(text, **dialect).writerows(rows)
    return text.getvalue().encode()


def _gzip(chance: random.Random, text: bytes) -> bytes:
    cuts = sorted(chance.randint(0, len(text)) for _ in range(chance.choice((0, 0, 1, 5))))
    edges = [0, *cuts, len(text)]
    members = (gzip.compress(text[start:end], mtime=0) for start, end in itertools.pairwise(edges))
    return b"".join(members) + bytes(chance.choice((0, 0, 9)))


def _utf16(text: bytes) -> bytes:
    return text.decode(errors="ignore").encode("utf-16")


def _parquet(chance: random.Random, rows: list[list[str]], columns: tuple[Column, ...]) -> bytes:
    table = {}
    for number, column in enumerate(columns):
        texts = pa.array([row[number] or None for row in rows], pa.string())
        table[column.name] = chance.choice(
            (
                texts,
                texts,
                texts.dictionary_encode(),
                texts.cast(pa.binary()),
                pa.array([n if n % 7 else None for n in range(len(rows))], pa.int64()),
                pa.array([n / 3 for n in range(len(rows))], pa.float64()),
                pa.array([n / 4 for n in range(len(rows))], pa.float32()),
                pa.array([row[: chance.randint(0, 3)] or None for row in rows], pa.list_(pa.string())),
                pa.array([row[:2] for row in rows], pa.list_(pa.binary())),
                pa.array([n * 10**6 for n in range(len(rows))], pa.timestamp("us", tz="UTC")),
            )
        )
    file = io.BytesIO()
    pq.write_table(
        pa.table(table),
        file,
        row_group_size=chance.choice((1, 7, 1_000)),
        compression=chance.choice(("none", "snappy", "zstd")),
        **chance.choice(
            (
                {"use_dictionary": True},
                {"use_dictionary": False},
                {"use_dictionary": False, "column_encoding": dict.fromkeys(_texts(table), chance.choice(DELTA))},
            )
        ),
    )
    return file.getvalue()


def _texts(table: dict[str, pa.Array]) -> list[str]:
    return [name for name, column in table.items() if column.type in (pa.string(), pa.binary())]


def _damaged(chance: random.Random, data: bytes) -> bytes:
    for _ in range(chance.choice((0, 0, 1, 1, 2, 5, 20))):
        start, end = sorted((chance.randint(0, len(data)), chance.randint(0, len(data))))
        end = min(end, start + chance.choice((0, 1, 1, 4, 300)))
        piece = chance.choice((*PIECES, chance.randbytes(1), data[start:end] * 2, b"", chance.choice(PIECES) * 100))
        data = data[:start] + piece + data[end:]
    return data


def _mapping(chance: random.Random, names: list[str]) -> Mapping:
    def some() -> str | None:
        return chance.choice((None, *names))

    fields = chance.sample(names, chance.randint(0, min(2, len(names))))
    return Mapping(
        email=chance.choice(names),
        first_name=some(),
        last_name=some(),
        phone=some(),
        fields=tuple(FieldMapping(name, Field(number), chance.choice(RULES)) for number, name in enumerate(fields, 1)),
        consent=Consent(chance.choice(names), chance.choice(("Yes", "")), holds=chance.random() < 0.5)
        if chance.random() < 0.2
        else None,
        winner=some() if chance.random() < 0.3 else None,
        fill_empty=chance.random() < 0.2,
        customer_id=some(),
        previous_customer_id=some(),
    )


def try_case(case: Case) -> Outcome:
    """Plan the case both ways and check what came out. Raises `Failed`."""
    outcomes = []
    for careful in (False, True):
        with _limits(case), _careful(careful), _counted(case):
            outcomes.append(_planned(case))
    fast, slow = outcomes
    if fast != slow:
        raise Failed(f"the fast way came to {_shown(fast)}, the careful one to {_shown(slow)}")
    if fast.planned is not None:
        _check_places(fast.planned, fast)
    return fast


def _shown(outcome: Outcome) -> str:
    planned = outcome.planned
    return (
        outcome.stop
        or f"{planned and (planned.rows_read, planned.contacts, planned.duplicates, planned.rejected_by_reason)}"
    )


def _planned(case: Case) -> Outcome:
    clock = FakeClock()
    files, blobs = FakeSegmentFiles(clock), FakeBlobs(clock)
    files.write(case.partition.file.path, case.data)
    refresh = Refresh("fuzz", 0.0, case.columns, (case.partition,), "")
    payload, rejects = blobs.writer("payload"), blobs.writer("rejects")
    task = Task(refreshes=[refresh], mapping=case.mapping, envelope=AROUND, secret="", size=case.limits)
    try:
        planned = plan_batches(task, files, PlanWriter(payload, rejects), lambda: None)
    except Stop as stop:
        return Outcome(stop.code)
    return Outcome("", planned, bytes(payload.data), bytes(rejects.data))


def _check_places(planned: Planned, outcome: Outcome) -> None:
    if planned.rows_read != planned.contacts + planned.duplicates + sum(planned.rejected_by_reason.values()):
        raise Failed(f"the account does not add up: {_shown(outcome)}")
    places = [int(row["row"]) for row in csv.DictReader(io.StringIO(outcome.rejects.decode("utf-8-sig"), newline=""))]
    for batch in planned.batches:
        end = batch.offset_bytes + batch.body_bytes
        places += [reference[0] for reference in orjson.loads(outcome.payload[end : end + batch.references_bytes])]
        contacts = orjson.loads(outcome.payload[batch.offset_bytes : end])["contacts"]
        if len(contacts) != batch.count:
            raise Failed("a batch has another number of contacts than it says")
    if sorted(places) != list(range(1, planned.rows_read + 1)):
        raise Failed("a row has no place, or two")


@contextmanager
def _limits(case: Case) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        for module in (csv_records, csv_blocks, parquet):
            patch.setattr(module, "MAX_ROW_BYTES", case.row_bytes)
        for module in (readers, heads, csv_records):
            patch.setattr(module, "WINDOW_BYTES", case.row_bytes + 2)
        patch.setattr(text, "CHUNK_BYTES", case.chunk_bytes)
        patch.setattr(text, "READ_BYTES", case.read_bytes)
        yield


@contextmanager
def _careful(careful: bool) -> Iterator[None]:  # noqa: FBT001 - one of two
    def row_by_row(rows: Rows, *others: object) -> Checked:
        if not isinstance(rows, list):
            rows = rows_at(rows, list(range(rows.num_rows)), list(range(rows.num_columns)))
        return check(rows, *others)  # type: ignore[arg-type]  # passed on

    with pytest.MonkeyPatch.context() as patch:
        if careful:
            patch.setattr(csv_blocks, "rows_of", lambda *_: None)
            patch.setattr(people, "check", row_by_row)
        yield


@contextmanager
def _counted(case: Case) -> Iterator[None]:
    """Count function calls and turns of loops; raises `Failed` when there are too many for what is to be read."""
    left = STEPS_FOR_A_FILE + STEPS_FOR_A_BYTE * (len(case.data) + case.text_bytes)

    def step(_code: CodeType, *_: int) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            raise Failed("more work than the file is worth")

    watch, tool = sys.monitoring, sys.monitoring.OPTIMIZER_ID
    watch.use_tool_id(tool, "work")
    try:
        for event in (watch.events.PY_START, watch.events.JUMP):
            watch.register_callback(tool, event, step)
        watch.set_events(tool, watch.events.PY_START | watch.events.JUMP)
        yield
    finally:
        watch.set_events(tool, 0)
        watch.free_tool_id(tool)
