# ruff: noqa: T201 - a command that prints
"""`python -m tests.fuzz.footers FOLDER SEED COUNT`: change a byte of a Parquet file, mostly of its footer, and read it.

The folder has the files. What Arrow does not expect can end the process, so this is one of its own: before each change
it says which one comes, and afterwards what it came to. `make fuzz` starts it, too.
"""

from __future__ import annotations

import io
import random
import resource
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from exporter.errors import Stop
from exporter.source.files import SegmentFile
from exporter.source.formats import parquet

FILE = SegmentFile("segment.parquet", 0, "etag", 0.0)
FOOTERS = 0.8  # of the changes; the others are anywhere
MOST_GROWTH_BYTES = 300 << 20
"""What reading a file of some kilobytes may take, beyond what the process has after the first."""


def damaged(files: dict[str, bytes], seed: int) -> tuple[str, int, int, bytes]:
    """Return the name of a file, the position in it, the new value, and the file with it; all follow from the seed."""
    chance = random.Random(seed)
    name = chance.choice(sorted(files))
    data = bytearray(files[name])
    footer = len(data) - 8 - int.from_bytes(data[-8:-4], "little")
    position = chance.randrange(footer if chance.random() < FOOTERS else 0, len(data))
    value = chance.choice((data[position] ^ 1 << chance.randrange(8), chance.randrange(256), 0, 0x7F, 0xFF))
    data[position] = value
    return name, position, value, bytes(data)


def read(data: bytes) -> str:
    """Read all columns that can be read, and return how that ended."""
    try:
        columns = Counter(parquet.columns_of(io.BytesIO(data), FILE))
        names = [name for (name, data_type), count in columns.items() if data_type != parquet.NESTED and count == 1]
        for _ in parquet.rows_of(io.BytesIO(data), FILE, names):
            pass
    except Stop as stop:
        return stop.code
    except BaseException as error:  # noqa: BLE001 - whatever is not a Stop is what we look for
        return f"raised {error!r:.200}".replace("\n", " ")
    return "read"


@dataclass
class Found:
    """How many changes ended how, and those that must not end so."""

    ends: Counter[str] = field(default_factory=Counter)
    failures: list[str] = field(default_factory=list)


def try_seeds(folder: Path, seed: int, count: int) -> Found:
    """Try the changes of these seeds in other processes, a new one after each that died."""
    found = Found()
    end = seed + count
    while seed < end:
        command = [sys.executable, "-m", "tests.fuzz.footers", str(folder), str(seed), str(end - seed)]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        changes = [line.split("\t") for line in done.stdout.splitlines()]
        for which, *how in changes:
            found.ends[how[0] if how else "died"] += 1
            if not how or how[0].startswith("raised") or how[0] == "memory":
                found.failures.append(f"{which}: {how or done.stderr[-300:]}")
        if not changes:
            found.failures.append(f"seed {seed}: {done.stderr[-300:]}")
        seed = int(changes[-1][0].split()[1]) + 1 if changes else end
    return found


def main(folder: Path, seed: int, count: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))  # a death leaves nothing behind
    files = {path.name: path.read_bytes() for path in folder.iterdir()}
    for data in files.values():
        read(data)
    peak_bytes = _peak_bytes()
    for number in range(seed, seed + count):
        name, position, value, data = damaged(files, number)
        print(f"seed {number} {name} byte {position} = {value}", end="\t", flush=True)
        how = read(data)
        grown = _peak_bytes() - peak_bytes
        print("memory" if grown > MOST_GROWTH_BYTES else how, flush=True)
        peak_bytes += grown if grown > MOST_GROWTH_BYTES else 0


def _peak_bytes() -> int:
    """Return the most memory that this process took; getrusage() begins with what its parent took."""
    status = Path("/proc/self/status").read_text()  # https://man7.org/linux/man-pages/man5/proc_pid_status.5.html
    return int(status.partition("VmHWM:")[2].split()[0]) << 10


if __name__ == "__main__":
    main(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
