"""File formats of segments: CSV row by row, CSV in blocks, Parquet. `exporter.readers` chooses among them.

Rows come in blocks of bounded size: either a list of rows, each the wanted columns as text or the reason why there is
none, or those columns as Arrow arrays of text (null: empty or absent).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from exporter.reasons import Reason

if TYPE_CHECKING:
    import pyarrow as pa  # 0.4 s to import; only the step that reads a segment needs it

type Row = tuple[str, ...] | Reason
type Rows = list[Row] | pa.RecordBatch
