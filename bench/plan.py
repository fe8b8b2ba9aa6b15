"""The plan step on a million profiles of 30 columns: read, check, distinct, batch, serialise, hash.

Every contender runs in a process of its own, in turn, five times. Medians of CPU time are printed as ratios; the
digest over all bodies and row references has to be the same for all that do the whole work. `floor` does not: it only
decodes the columns that are mapped, with the fastest reader known here.
"""

from __future__ import annotations

import gzip
import hashlib
import importlib.abc
import json
import resource
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, BinaryIO

from bench import peers
from exporter.activecampaign.bodies import envelope
from exporter.contacts.matching import Field, FieldMapping, Mapping
from exporter.contacts.values import Choices, Kind, Rule
from exporter.source.files import Listing, SegmentFile
from exporter.source.readers import Partition
from exporter.source.rows import Column
from exporter.source.segments import Refresh
from sandbox import segment

ROWS = 1_000_000
ROUNDS = 5
DATA = Path("build/bench")
EXTRA = tuple(f"Attribute{number}" for number in range(10))
COLUMNS = (*segment.COLUMNS, *EXTRA)
EPOCH = datetime(2024, 1, 1, tzinfo=UTC)
BLOCK_BYTES = 4 << 20  # as exporter.storage.blobs writes them

MAPPING = Mapping(
    email="EMail",
    first_name="FirstName",
    last_name="LastName",
    phone="Telephone",
    fields=(
        FieldMapping("City", Field(1)),
        FieldMapping("LoyaltyTier", Field(2)),
        FieldMapping("RewardPoints", Field(3)),
    ),
)
WANTED = (
    "EMail",
    "FirstName",
    "LastName",
    "Telephone",
    "City",
    "LoyaltyTier",
    "RewardPoints",
    "CustomerId",
    "PreviousCustomerId",
)
ENVELOPE = envelope(7, run_automations=False)
TASK = peers.Task(
    columns=len(COLUMNS),
    email=COLUMNS.index("EMail"),
    first_name=COLUMNS.index("FirstName"),
    last_name=COLUMNS.index("LastName"),
    phone=COLUMNS.index("Telephone"),
    fields=tuple((COLUMNS.index(one.column), one.field.id) for one in MAPPING.fields),
    customer_id=COLUMNS.index("CustomerId"),
    previous_customer_id=COLUMNS.index("PreviousCustomerId"),
    prefix=ENVELOPE.prefix,
    contact_tail=ENVELOPE.contact_tail,
    suffix=ENVELOPE.suffix,
)


@dataclass
class Sink:
    """Counts what storage would be asked to write."""

    size_bytes: int = 0

    def write(self, data: bytes) -> None:
        self.size_bytes += len(data)

    def commit(self) -> None:
        """Nothing is kept."""

    @property
    def writes(self) -> int:
        return -(-self.size_bytes // BLOCK_BYTES) + 1


class LocalFiles:
    """Segment files on this disk."""

    container = "segments"

    def list(self, prefix: str) -> Listing:
        raise NotImplementedError

    def etag(self, path: str) -> str | None:
        raise NotImplementedError

    def read(self, path: str) -> tuple[SegmentFile, bytes] | None:
        raise NotImplementedError

    def open(self, file: SegmentFile, buffer_bytes: int = 0) -> BinaryIO:
        return Path(file.path).open("rb")


TYPES = {
    "DateOfBirth": Rule(Kind.DATE),
    "Attribute0": Rule(Kind.DATETIME),
    "LoyaltyTier": Rule(Kind.OPTION, Choices(("Low", "Medium", "High"))),
    "EmailSubscriber": Rule(Kind.OPTIONS, Choices(("Yes", "No"))),
    "RewardPoints": Rule(Kind.NUMBER),
}
"""Columns of the file with types, and what their values become."""


def exporter(paths: Sequence[str]) -> dict[str, Any]:
    return planned(paths, MAPPING)


def typed(paths: Sequence[str]) -> dict[str, Any]:
    fields = (FieldMapping(name, Field(number), rule) for number, (name, rule) in enumerate(TYPES.items(), 1))
    return planned(paths, replace(MAPPING, fields=tuple(fields)))


def as_text(paths: Sequence[str]) -> dict[str, Any]:
    fields = (FieldMapping(name, Field(number)) for number, name in enumerate(TYPES, 1))
    return planned(paths, replace(MAPPING, fields=tuple(fields)))


def planned(paths: Sequence[str], mapping: Mapping) -> dict[str, Any]:
    from exporter.delivery.batches import RequestSize  # noqa: PLC0415
    from exporter.pipeline.batching import Task, plan_batches  # noqa: PLC0415 - each process loads what it measures
    from exporter.records.payload import PlanWriter  # noqa: PLC0415

    partitions = tuple(
        Partition(
            SegmentFile(path, Path(path).stat().st_size, "etag", 0.0),
            "parquet" if path.endswith("parquet") else "csv",
            COLUMNS,
        )
        for path in paths
    )
    refresh = Refresh("bench", 0.0, tuple(Column(name, "string") for name in COLUMNS), partitions, "")
    payload, rejects = Sink(), Sink()
    task = Task(refreshes=[refresh], mapping=mapping, envelope=ENVELOPE, secret="", size=RequestSize())
    plan = plan_batches(task, LocalFiles(), PlanWriter(payload, rejects), lambda: None)
    digests = [batch.sha256 for batch in plan.batches]
    return {
        "digests": digests,
        "writes": payload.writes + rejects.writes,
        "contacts": plan.contacts,
        "fit": [values.fit for values in plan.values],
        "bytes": payload.size_bytes,
    }


def csv_orjson(paths: Sequence[str]) -> dict[str, Any]:
    with Path(paths[0]).open("rb") as file:
        return {"digests": peers.with_csv(file, TASK, Sink(), Sink())}


def pandas(paths: Sequence[str]) -> dict[str, Any]:
    with Path(paths[0]).open("rb") as file:
        return {"digests": peers.with_pandas(file, TASK, Sink(), Sink())}


def floor_csv(paths: Sequence[str]) -> dict[str, Any]:
    import pyarrow as pa  # noqa: PLC0415
    import pyarrow.csv as arrow_csv  # noqa: PLC0415

    with Path(paths[0]).open("rb") as file:
        for _ in arrow_csv.open_csv(
            gzip.GzipFile(fileobj=file) if paths[0].endswith(".gz") else file,
            arrow_csv.ReadOptions(use_threads=False, column_names=COLUMNS),
            arrow_csv.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda _: "skip"),
            arrow_csv.ConvertOptions(include_columns=WANTED, column_types=dict.fromkeys(WANTED, pa.string())),
        ):
            pass
    return {}


def floor_parquet(paths: Sequence[str]) -> dict[str, Any]:
    import pyarrow.parquet as pq  # noqa: PLC0415

    with Path(paths[0]).open("rb") as file:
        for _ in pq.ParquetFile(file, pre_buffer=False, buffer_size=1 << 20).iter_batches(
            8_192, columns=list(WANTED), use_threads=False
        ):
            pass
    return {}


CONTENDERS: dict[str, Callable[[Sequence[str]], dict[str, Any]]] = {
    "exporter": exporter,
    "exporter, typed": typed,
    "exporter, as text": as_text,
    "csv + orjson": csv_orjson,
    "pandas": pandas,
    "floor": floor_csv,
    "floor (parquet)": floor_parquet,
}


class NoPandas(importlib.abc.MetaPathFinder):
    """Arrow loads pandas where it finds it; in production there is none."""

    def find_spec(self, fullname: str, path: object, target: object = None) -> None:
        if fullname == "pandas":
            raise ModuleNotFoundError(fullname)


def contend(name: str, paths: Sequence[str]) -> None:
    """Run one contender in this process and print what it took."""
    if name.startswith("exporter"):
        # As in the app, where the storage clients are loaded when a plan begins.
        for module in (
            "azure.storage.blob",
            "azure.storage.queue",
            "azure.identity",
            "azure.keyvault.secrets",
            "requests",
        ):
            importlib.import_module(module)
    if name != "pandas":
        sys.meta_path.insert(0, NoPandas())
    for module in ("numpy", "pyarrow.csv", "pyarrow.compute", "pyarrow.parquet"):  # bench.imports measures them
        importlib.import_module(module)
    begun = time.process_time()
    result = CONTENDERS[name](paths)
    result["cpu_s"] = time.process_time() - begun
    result["peak_mb"] = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    result["digest"] = hashlib.sha256("".join(result.pop("digests", [])).encode()).hexdigest()[:12]
    print(json.dumps(result))


def measured(name: str, paths: Sequence[Path]) -> dict[str, Any]:
    command = [sys.executable, "-m", "bench.plan", name, *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{name}: {done.stderr[-2_000:]}")
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def rows(count: int, start: int = 0) -> Iterator[tuple[str, ...]]:
    for index in range(start, start + count):
        fields = segment.row(index)
        yield (*fields, *(f"{fields[0][number : number + 6]} {name.lower()}" for number, name in enumerate(EXTRA)))


def typed_rows() -> Iterator[tuple[str, ...]]:
    """Yield the rows with a time in `Attribute0`, another one in each row."""
    at = COLUMNS.index("Attribute0")
    for number, fields in enumerate(rows(ROWS)):
        moment = EPOCH + timedelta(seconds=37 * number)
        yield (*fields[:at], f"{moment:%Y-%m-%dT%H:%M:%S}.0000000Z", *fields[at + 1 :])


def made(name: str, make: Callable[[Path], None]) -> Path:
    """Return a file of test data; it is made once."""
    path = DATA / name
    if not path.exists():
        DATA.mkdir(parents=True, exist_ok=True)
        print(f"(making {path} ...)")
        make(part := path.with_name(f"{name}.part"))
        part.rename(path)
    return path


def write_csv(path: Path, lines: Iterator[tuple[str, ...]]) -> None:
    with path.open("wb") as file:
        file.writelines(segment.csv_chunks(lines))


def write_parquet(path: Path, source: Path) -> None:
    """Write the rows of a CSV file as one row group."""
    program = f"""
import pyarrow as pa, pyarrow.csv as c, pyarrow.parquet as p
names = {list(COLUMNS)!r}
p.write_table(c.read_csv({str(source)!r}, c.ReadOptions(column_names=names),
    c.ParseOptions(newlines_in_values=True, invalid_row_handler=lambda _: "skip"),
    c.ConvertOptions(column_types=dict.fromkeys(names, pa.string()))), {str(path)!r}, row_group_size={ROWS})
"""
    subprocess.run([sys.executable, "-c", program], check=True)


def write_gz(path: Path, source: Path) -> None:
    with source.open("rb") as plain, gzip.open(path, "wb", compresslevel=6) as file:
        shutil.copyfileobj(plain, file, 1 << 20)


def compare(title: str, contenders: Sequence[str], path: Path, *, same: bool = True) -> None:
    """Print the medians of some contenders on one file, in turn; `same`: they have to make the same batches."""
    results: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
    for _ in range(ROUNDS):
        for name in contenders:
            results[name].append(measured(name, [path]))
    cpu_s = {name: statistics.median(one["cpu_s"] for one in found) for name, found in results.items()}
    ours = cpu_s[contenders[0]]
    print(f"{title}: {path.stat().st_size / 1e6:.0f} MB")
    for name, found in results.items():
        ratio = "" if name == contenders[0] else f"   {contenders[0]} takes {ours / cpu_s[name]:.2f} of it"
        peak_mb = max(one["peak_mb"] for one in found)
        print(f"  {name:16} {cpu_s[name]:6.2f} s CPU  {peak_mb:5.0f} MB peak  batches {found[0]['digest']}{ratio}")
    digests = {one["digest"] for name, found in results.items() if not name.startswith("floor") for one in found}
    if same and len(digests) != 1:
        raise SystemExit(f"The batches differ: {digests}")


def write_part(number: int, path: Path) -> None:
    """Write one of 16 files of the million rows."""
    write_csv(path, rows(ROWS // 16, number * (ROWS // 16)))


def memory(csv: Path, gz: Path, parquet: Path) -> None:
    """Print the peak memory of the plan step with the storage clients loaded, and how many writes it asks for."""
    double = made("segment-2M.csv", lambda path: write_csv(path, rows(2 * ROWS)))
    parts = [made(f"part-{n}.csv", partial(write_part, n)) for n in range(16)]
    same = made("one-address.csv", lambda path: write_csv(path, one_address()))
    print("Peak memory, storage clients loaded")
    for title, paths in (
        ("CSV", [csv]),
        ("CSV, 16 files", parts),
        ("CSV, 2,000,000 rows", [double]),
        ("CSV, 1,000,000 times one address", [same]),
        ("CSV, gzip", [gz]),
        ("Parquet, one row group", [parquet]),
    ):
        found = measured("exporter", paths)
        print(
            f"  {title:34} {found['peak_mb']:4.0f} MB   {found['contacts']:>9,} contacts   {found['writes']:3} writes"
        )


def one_address() -> Iterator[tuple[str, ...]]:
    at = TASK.email
    for fields in rows(ROWS):
        yield (*fields[:at], "Someone@example.com" if fields[0] < "8" else " someone@EXAMPLE.com", *fields[at + 1 :])


def main() -> None:
    csv = made("segment.csv", lambda path: write_csv(path, rows(ROWS)))
    gz = made("segment.csv.gz", lambda path: write_gz(path, csv))
    parquet = made("segment.parquet", lambda path: write_parquet(path, csv))
    compare("CSV", ("exporter", "csv + orjson", "pandas", "floor"), csv)
    compare("CSV, gzip", ("exporter", "floor"), gz)
    compare("Parquet, one row group", ("exporter", "floor (parquet)"), parquet)
    typed_csv = made("typed.csv", lambda path: write_csv(path, typed_rows()))
    compare("CSV, five fields with types", ("exporter, typed", "exporter, as text"), typed_csv, same=False)
    memory(csv, gz, parquet)


if __name__ == "__main__":
    contend(sys.argv[1], sys.argv[2:])
