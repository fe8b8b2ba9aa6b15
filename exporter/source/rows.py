"""Rows of files as values: the columns of a segment, and blocks of rows.

Rows come in blocks of bounded size: either a list of rows, each with the wanted columns as text or the reason why it
could not be read, or those columns as Arrow arrays of text (null: empty or absent).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from exporter.reasons import Reason

if TYPE_CHECKING:
    import pyarrow as pa  # 0.4 s to import; only the step that reads a segment needs it

type Row = tuple[str, ...] | Reason
type Rows = list[Row] | pa.RecordBatch


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a segment: its name and its type in the terms of the Common Data Model."""

    name: str
    data_type: str


def rows_at(rows: Rows, positions: Sequence[int], columns: Sequence[int]) -> list[Row]:
    """Return some rows of a block one by one, with some of their columns."""
    if isinstance(rows, list):
        chosen = (rows[position] for position in positions)
        return [row if isinstance(row, Reason) else tuple(row[column] for column in columns) for row in chosen]
    if not positions:
        return []
    texts = [column.to_pylist() for column in rows.select(columns).take(positions).columns]
    return [tuple(text or "" for text in row) for row in zip(*texts, strict=True)]
