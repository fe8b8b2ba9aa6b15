"""How much of a segment is in memory at a time. What the port promises is in contracts."""

from __future__ import annotations

from exporter.adapters import segment_files
from exporter.source import files


def test_pieces_and_small_files_have_the_sizes_that_memory_was_measured_with() -> None:
    assert (files.BUFFER_BYTES, segment_files.SMALL_FILE_BYTES) == (4_194_304, 67_108_864)
