"""Where a row of a run is, and whether a body is the one that was planned."""

from __future__ import annotations

import hashlib

import pytest

from exporter.delivery.manifest import BatchEntry, Manifest, SourceEntry
from exporter.delivery.plan import Plan
from tests.fakes import START


@pytest.fixture
def manifest() -> Manifest:
    """Return a manifest of files of two, no and three rows."""
    return Manifest(
        payload="working/x",
        rejects="rejects/x",
        fingerprint="f",
        refreshed_utc=START,
        sources=tuple(SourceEntry(path=p, etag="e", rows=n) for p, n in (("a.csv", 2), ("b.csv", 0), ("c.csv", 3))),
        envelope=("", "", ""),
        batches=(),
        plan=Plan(rows_read=5, contacts=5, duplicates=0, rejected_by_reason={}, batches=0, lanes=0, at=START),
    )


@pytest.mark.parametrize(("row", "place"), [(1, ("a.csv", 1)), (2, ("a.csv", 2)), (3, ("c.csv", 1)), (5, ("c.csv", 3))])
def test_a_row_is_found_in_its_file_counted_from_one(manifest: Manifest, row: int, place: tuple[str, int]) -> None:
    assert manifest.locate(row) == place


def test_there_is_no_row_behind_the_last_one(manifest: Manifest) -> None:
    with pytest.raises(ValueError, match="beyond the last row"):
        manifest.locate(6)


def test_a_body_matches_to_the_last_byte() -> None:
    batch = BatchEntry(
        offset_bytes=0, body_bytes=3, references_bytes=0, count=1, sha256=hashlib.sha256(b"abc").hexdigest()
    )
    assert batch.matches(b"abc")
    assert not batch.matches(b"abd")
    assert not batch.matches(b"ab")
