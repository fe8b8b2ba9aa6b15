"""What a cold start pays: CPU time of each import over bare Python, each in a process of its own, and size on disk."""

from __future__ import annotations

import importlib.util
import statistics
import subprocess
import sys
from pathlib import Path

RUNS = 5
IMPORTS = (
    "function_app",
    "azure.functions",
    "azure.identity",
    "azure.keyvault.secrets",
    "azure.storage.blob",
    "azure.storage.queue",
    "croniter",
    "cronsim",
    "cryptography.hazmat.primitives.ciphers",
    "idna",
    "orjson",
    "pyarrow.csv",
    "pydantic",
    "requests",
    "tzdata",
    "werkzeug.routing",
)
PROGRAM = "import time; a = time.process_time(); import {name}; print(time.process_time() - a)"


def cpu_ms(name: str) -> float:
    """Return the median CPU time of importing a module, in milliseconds."""
    command = [sys.executable, "-c", PROGRAM.format(name=name)]
    times = [float(subprocess.run(command, capture_output=True, text=True, check=True).stdout) for _ in range(RUNS)]
    return 1_000 * statistics.median(times)


def size_mb(name: str) -> float | None:
    """Return the size of the module's package on disk, in megabytes; None for a single file."""
    spec = importlib.util.find_spec(name)
    if spec is None or not spec.submodule_search_locations:
        return None
    folder = Path(next(iter(spec.submodule_search_locations)))
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / 1e6


def main() -> None:
    """Print the table."""
    print(f"{'import':<40} CPU ms  ratio   MB      (median of {RUNS}; ratio: to azure.functions)")
    base = cpu_ms("azure.functions")
    for name in IMPORTS:
        size = size_mb(name.partition(".csv")[0].partition(".routing")[0].partition(".hazmat")[0])
        ms = cpu_ms(name)
        print(f"{name:<38} {ms:>8.0f} {ms / base:>6.2f}  {f'{size:.1f}' if size else '':>6}")


if __name__ == "__main__":
    main()
