"""What idling costs: the operations on storage of ten exports of two segments while nothing is due, counted in memory.

The fakes count what the steps ask for; `python -m bench.cost` counts what reaches storage.
"""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from exporter.definitions.schedules import WithEveryRefresh
from exporter.pipeline import schedule
from exporter.pipeline.schedule import run_schedule, seen_now
from exporter.pipeline.sweep import sweep
from exporter.records import paths
from tests.builders import COLUMNS, make_export, people, run_export, settle, write_segment
from tests.fakes import Fakes, make_fakes

EXPORTS, SEGMENTS_EACH = 10, 2
LAYOUTS = ("model.json", "folders", "folders among more than 5,000 files")
KINDS = {"names": "list", "etags": "list", "list": "list", "etag": "read"}
PRICES = {"list": 0.055 / 10_000, "read": 0.0044 / 10_000}
"""Dollars for an operation: docs/reference/cost.md."""
SWEEP_S, LOOK_S, MONTH_S = 60, 300, 30 * 86_400


def count(layout: str) -> tuple[Counter[str], Counter[str]]:
    """Return the operations of a sweep, and those of a look of the schedule, by kind, when nothing is due."""
    fakes = make_fakes(SEGMENT_QUIET_S="300")
    names = [f"s{number}" for number in range(EXPORTS * SEGMENTS_EACH)]
    if layout == "model.json":
        _write_model(fakes, names)
    else:
        for name in names:
            write_segment(fakes, people(3), name=name)
    fakes.clock.sleep(600)
    for number in range(EXPORTS):
        segments = tuple(names[SEGMENTS_EACH * number : SEGMENTS_EACH * (number + 1)])
        export = make_export(fakes, id=f"e{number}", segments=segments, schedule=WithEveryRefresh())
        export = export.model_copy(update={"seen": seen_now(fakes.services, export)})
        fakes.blobs.put(paths.export_path(export.id), export.to_json())
        settle(fakes, run_export(fakes, export).run_id)
    sweep(fakes.services)
    run_schedule(fakes.services)
    pages = schedule.PAGE_FILES
    try:
        schedule.PAGE_FILES = pages if layout != LAYOUTS[-1] else 0
        return _counted(fakes, sweep), _counted(fakes, run_schedule)
    finally:
        schedule.PAGE_FILES = pages


def dollars(swept: Counter[str], looked: Counter[str]) -> float:
    """Return what these cost in a month."""
    of_sweeps = MONTH_S / SWEEP_S * sum(PRICES[kind] * times for kind, times in swept.items())
    return of_sweeps + MONTH_S / LOOK_S * sum(PRICES[kind] * times for kind, times in looked.items())


def _counted(fakes: Fakes, step: Any) -> Counter[str]:
    counted: Counter[str] = Counter()

    def count(operation: str, _path: str) -> None:
        counted[KINDS.get(operation, operation)] += 1

    fakes.segments.looks.clear()
    fakes.blobs.before = count
    step(fakes.services)
    return counted + Counter(KINDS.get(operation, operation) for operation, _ in fakes.segments.looks)


def _write_model(fakes: Fakes, names: list[str]) -> None:
    """Write segments as Customer Insights does: tables of a model.json."""
    columns = [{"name": name} for name in COLUMNS]
    entities = []
    for name in names:
        path = f"ci/{name}/2026/11/18/0415/{name}_1.csv"
        fakes.segments.write(path, b"".join(",".join(row).encode() + b"\n" for row in people(3)))
        location = f"https://x.blob.core.windows.net/{fakes.segments.container}/{path}"
        partitions = [{"name": "1", "location": location}]
        entities.append({"name": name, "attributes": columns, "partitions": partitions})
    fakes.segments.write("ci/model.json", orjson.dumps({"name": "ci", "entities": entities}))


def main() -> None:
    """Print the table."""
    print(f"{EXPORTS} exports of {SEGMENTS_EACH} segments, nothing due; prices as in docs/reference/cost.md")
    for layout in LAYOUTS:
        swept, looked = count(layout)
        print(
            f"  {layout}: a sweep {swept['list']} lists, {swept['read']} reads; a look {looked['list']} lists,"
            f" {looked['read']} reads: ${dollars(swept, looked):.2f} a month"
        )


if __name__ == "__main__":
    main()
