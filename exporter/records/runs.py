"""Read and change run records, manifests and findings."""

from __future__ import annotations

from collections.abc import Callable

from exporter.delivery.manifest import Manifest
from exporter.records import store
from exporter.records.paths import findings_path, manifest_path, run_path
from exporter.runs.run import Run
from exporter.services import Services
from exporter.tally.findings import Findings


def read_run(services: Services, run_id: str) -> Run | None:
    """Return the run, or None if there is none. Raises what `store.get` raises."""
    return store.get(services.blobs, Run, run_path(run_id))


def change_run(services: Services, run_id: str, update: Callable[[Run], Run | None]) -> Run | None:
    """Apply `update` to the run and return what is then stored, as `store.change` does."""
    return store.change(services.blobs, Run, run_path(run_id), update)


def read_manifest(services: Services, run_id: str) -> Manifest | None:
    """Return the manifest of a run, or None if it is not planned yet. Raises what `store.get` raises."""
    return store.get(services.blobs, Manifest, manifest_path(run_id))


def read_findings(services: Services, run_id: str) -> Findings | None:
    """Return what was found about a run's people, or None if nobody has looked. Raises what `store.get` raises."""
    return store.get(services.blobs, Findings, findings_path(run_id))
